"""A pod reads and reaches nothing of the machine but its userland and the volume."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines.conftest import BASE, Bench, wait_for


async def said(bench: Bench, command: str) -> str:
    """What a command in a pod prints, with the exit code behind it."""
    await bench.run(f'({command}) > /data/said 2>&1; echo "=$?" >> /data/said')
    return (bench.volume / "said").read_text(errors="replace")


async def test_files_of_the_machine(sandbox: Bench, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret of the operator")
    for place in (secret, "/etc/shadow", "/.host/etc/shadow", Path.home(), "/proc/1/root/etc/shadow", "/data/../ws"):
        text = await said(sandbox, f"cat {place} || ls {place}")
        assert "secret of" not in text
        assert "=0" not in text


@pytest.mark.parametrize("place", ["/usr/lib", "/.host/usr", "/proc/sys/kernel", "/dev"])
async def test_nothing_of_the_machine_is_writable(sandbox: Bench, place: str) -> None:
    assert "=0" not in await said(sandbox, f"touch {place}/emtui-was-here")


async def test_kernel_settings_cannot_be_written(sandbox: Bench) -> None:
    # The value that is there is written back, so that nothing changes where the write is let through.
    text = await said(sandbox, 'f=/proc/sys/kernel/core_pattern; v=$(cat $f); echo "$v" > $f')
    assert "=0" not in text


async def test_no_network(sandbox: Bench) -> None:
    text = await said(sandbox, "cat /proc/net/dev; cat /proc/net/route")
    interfaces = [line.split(":")[0].strip() for line in text.splitlines() if ":" in line]
    assert interfaces == ["lo"]


async def test_no_capabilities_and_no_way_to_get_them(sandbox: Bench) -> None:
    text = await said(sandbox, "grep -E '^(Cap|NoNewPrivs)' /proc/self/status")
    values = dict(line.split(":") for line in text.splitlines() if ":" in line)
    assert {values[name].strip() for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert values["NoNewPrivs"].strip() == "1"


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """A process of the operator outside."""
    process = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    yield process
    process.communicate()


async def test_other_processes(sandbox: Bench, bystander: subprocess.Popen[bytes]) -> None:
    text = await said(sandbox, f"kill -9 -1; kill -9 {bystander.pid} 1; cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    assert bystander.poll() is None
    assert "import sys; sys.stdin" not in text


async def test_a_fork_bomb_is_bounded(sandbox: Bench) -> None:
    if not any("processes in a pod" in note for note in sandbox.engine.notes):
        pytest.skip("the number of processes cannot be limited here, and the engine says so")
    state = await sandbox.run(
        "for i in $(seq 2000); do sleep 600 & echo $i > /data/reached; done", max_duration_s=20, grace_s=0.1
    )
    assert state.terminated is not None
    assert 100 < int((sandbox.volume / "reached").read_text()) < 600


async def test_nothing_outlives_its_pod(sandbox: Bench) -> None:
    mark = f"31536{os.getpid()}"
    await sandbox.run(f"setsid sh -c 'trap \"\" TERM HUP; sleep {mark}' & sleep 0.3")
    assert not running_with(mark)


async def test_nothing_outlives_its_supervisor(sandbox: Bench) -> None:
    mark = f"31537{os.getpid()}"
    pod_id = await sandbox.start(f"sleep {mark} & exec sleep {mark}", BASE)
    await wait_for(lambda: running_with(mark) >= 2, "both processes")
    os.kill(int((sandbox.pods / pod_id / "lock").read_text()), signal.SIGKILL)
    await wait_for(lambda: not running_with(mark), "the end of both")


def running_with(mark: str) -> int:
    count = 0
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                words = Path(entry.path, "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            count += words[:2] == [b"sleep", mark.encode()]
    return count
