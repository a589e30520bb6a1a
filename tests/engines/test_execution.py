"""Engines that really execute: what a build makes and what a pod does, alike in each of them."""

import asyncio
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from emtui.errors import BuildFailed
from emtui.local.engines.base import BuildRequest
from tests.engines.conftest import BASE, Bench, names_in, wait_for
from tests.unit.engines.tars import docker_members, write_tar


async def test_the_rehearsal(executing: Bench) -> None:
    executing.write("echo-test.sh", '#!/bin/sh\necho "hello $NAME from $(pwd)" > /data/out.txt\n')
    await executing.build(
        f"FROM busybox\nENV AT={time.time()}\nARG WHO=space\nENV NAME=${{WHO}}\nWORKDIR /app\nCOPY echo-test.sh /\n"
        'RUN chmod +x /echo-test.sh && echo built\nENTRYPOINT ["/echo-test.sh"]\n'
    )
    assert any(line.endswith(" built\n") and line.startswith("#8 ") for line in executing.log)
    state = await executing.run(reference="client1-a:latest")
    assert state.terminated is not None
    assert state.terminated.reason == "Completed"
    assert (executing.volume / "out.txt").read_bytes() == b"hello space from /app\n"
    assert (executing.volume / "out.txt").stat().st_uid == os.getuid()
    pod = executing.pods / "client1-1"
    assert set(names_in(pod)) & {"root", "shm"} == set()
    assert (pod / "supervisor.log").read_text() == ""


async def test_stages_and_own_images(executing: Bench) -> None:
    executing.write("a", "from the context")
    await executing.build(
        "FROM busybox\nCOPY a /own\nRUN ln -s /etc/passwd /link && mkdir /d && chmod 500 /d\n", "client1-base:latest"
    )
    await executing.build(
        "FROM client1-base AS made\nRUN cp /own /made && mkdir -p /usr/local/bin && echo x > /usr/local/bin/tool\n"
        "RUN rm -f /usr/bin/env /bin/env\n"
        "FROM busybox\nCOPY --from=made /made /usr/local/bin/tool /copied/\nCOPY --from=client1-base /own /\n"
        "RUN test -x /bin/env || test -x /usr/bin/env\nCMD cat /copied/made /own > /data/out\n"
    )
    state = await executing.run(reference="client1-a:latest")
    assert state.terminated is not None
    assert state.terminated.exit_code == 0
    assert (executing.volume / "out").read_text() == "from the context" * 2


async def test_a_failing_run(executing: Bench) -> None:
    with pytest.raises(BuildFailed):
        await executing.build("FROM busybox\nRUN echo one && echo two >&2 && exit 7\n")
    text = "".join(executing.log)
    failure = 'process "/bin/sh -c echo one && echo two >&2 && exit 7" did not complete successfully: exit code: 7'
    assert f"#5 ERROR: {failure}\n" in text
    assert executing.log[-1] == f"failed to solve: {failure}\n"
    assert "one\n" in text
    assert "two\n" in text


async def test_runs_that_cannot_start(executing: Bench) -> None:
    executing.write("crlf.sh", "#!/bin/sh\r\ntrue\r\n")
    for line in ('RUN ["/nope"]', 'RUN ["/crlf.sh"]', "USER nobody-at-all\nRUN true"):
        with pytest.raises(BuildFailed):
            await executing.build(f"FROM busybox\nCOPY --chmod=755 crlf.sh /\n{line}\n")
        assert "did not complete successfully" in executing.log[-1]


async def test_output_is_bounded(executing: Bench) -> None:
    # What an engine has built before it takes out of its cache, and prints nothing.
    await executing.build(
        f"FROM busybox\nENV AT={time.time()}\nRUN head -c 3000000 /dev/zero | tr '\\0' x; yes | head -c 3000000\n"
    )
    assert sum(map(len, executing.log)) < 3_000_000
    assert max(map(len, executing.log)) < 9_000
    assert any("output clipped" in line for line in executing.log)


async def test_a_cancelled_build_leaves_nothing(executing: Bench) -> None:
    executing.write("a")
    with executing.workspace.volume.open_dir(("context",)) as context:
        request = BuildRequest(context, "FROM busybox\nRUN echo started; sleep 600\n", "Dockerfile", "client1-a:latest")
        task = asyncio.ensure_future(executing.engine.build(request, executing.log.append))
        await wait_for(lambda: any("started" in line for line in executing.log[-1:]), "the RUN's output")
        began = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert time.monotonic() - began < 10
    assert names_in(executing.workspace.path / "staging") == []
    assert names_in(executing.workspace.blobs / "images") == []


async def test_exit_codes_and_signals(executing: Bench) -> None:
    failed = await executing.run("exit 3")
    killed = await executing.run("sh -c 'kill -9 $$'; exit $?")
    assert failed.terminated is not None
    assert killed.terminated is not None
    assert (failed.terminated.exit_code, failed.terminated.reason) == (3, "Error")
    assert (killed.terminated.exit_code, killed.terminated.reason) == (137, "Error")


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("trap 'echo bye > /data/bye; exit 0' TERM; while :; do sleep 0.1; done", 0),
        ("exec sleep 600", 137),
        ("trap '' TERM; sleep 600 & while :; do sleep 0.1; done", 137),
    ],
)
async def test_over_its_time(executing: Bench, command: str, code: int) -> None:
    state = await executing.run(command, max_duration_s=0.7, grace_s=0.7)
    assert state.terminated is not None
    assert (state.terminated.exit_code, state.terminated.reason) == (code, "DeadlineExceeded")
    assert (executing.volume / "bye").exists() is (code == 0)


@pytest.mark.parametrize(
    ("dockerfile", "code", "reason", "said"),
    [
        ('ENTRYPOINT ["/nope"]', 128, "StartError", 'exec: "/nope": stat /nope: no such file or directory'),
        ('ENTRYPOINT ["nope"]', 128, "StartError", "executable file not found in $PATH"),
        ('ENTRYPOINT ["/plain"]', 128, "StartError", "permission denied"),
        ('ENTRYPOINT ["/crlf.sh"]', 255, "Error", "exec /crlf.sh: no such file or directory"),
        ('ENTRYPOINT ["/binary"]', 255, "Error", "exec /binary: exec format error"),
        ('ENTRYPOINT ["/plain"]\nUSER nobody-at-all', 128, "StartError", "no matching entries in passwd"),
    ],
)
async def test_commands_that_cannot_start(executing: Bench, dockerfile: str, code: int, reason: str, said: str) -> None:
    executing.write("plain")
    executing.write("crlf.sh", "#!/bin/sh\r\ntrue\r\n")
    executing.write("binary", b"\x7fELF rubbish")
    (executing.volume / "context" / "plain").chmod(0o644)
    await executing.build(f"FROM busybox\nCOPY plain /\nCOPY --chmod=755 crlf.sh binary /\n{dockerfile}\n")
    state = await executing.run(reference="client1-a:latest")
    assert state.terminated is not None
    assert (state.terminated.exit_code, state.terminated.reason) == (code, reason)
    assert said in state.terminated.message


async def test_users_and_names(executing: Bench) -> None:
    await executing.build(
        "FROM busybox\nUSER nobody\nENV LC_ALL=C HOME=/h\n"
        "CMD (id -un; hostname; echo $HOME; pwd; echo $HOSTNAME) > /data/out\n"
    )
    await executing.run(reference="client1-a:latest")
    assert (executing.volume / "out").read_text().split() == ["nobody", "client1-a", "/h", "/", "client1-a"]
    if executing.engine.name == "sandbox":  # a pod has one user, who is the operator
        assert (executing.volume / "out").stat().st_uid == os.getuid()


async def test_a_loaded_image_says_what_it_is(sandbox: Bench, tmp_path: Path) -> None:
    await sandbox.load(write_tar(tmp_path / "t", docker_members("echo:latest")))
    state = await sandbox.run(reference="echo:latest")
    assert state.terminated is not None
    assert state.terminated.exit_code == 0
    assert "its own files are not unpacked" in state.terminated.message
    assert "its user app is not known here" in state.terminated.message
    assert (sandbox.volume / "loaded.txt").read_text() == "loaded\n"


async def test_a_scheduled_pod_starts_at_its_time(executing: Bench) -> None:
    moment = datetime.now(UTC) + timedelta(seconds=2.5)
    pod_id = await executing.start("date +%s > /data/at", BASE, scheduled_time=moment)
    await executing.until(pod_id, lambda state: state.waiting is not None and state.waiting.reason == "Scheduled")
    state = await executing.until_ended(pod_id)
    assert state.terminated is not None
    assert state.terminated.exit_code == 0
    assert int((executing.volume / "at").read_text()) >= int(moment.timestamp())


async def test_a_missed_time_is_not_made_up_for(executing: Bench) -> None:
    pod_id = await executing.start("touch /data/late", BASE, scheduled_time=datetime.now(UTC) - timedelta(seconds=90))
    await executing.until(pod_id, lambda state: state.waiting is not None and state.waiting.reason == "MissSchedule")
    assert not (executing.volume / "late").exists()


async def test_the_image_may_go_while_its_pod_waits(executing: Bench) -> None:
    executing.write("a", "old")
    await executing.build("FROM busybox\nCOPY a /\nCMD cat /a > /data/out\n")
    pod_id = await executing.start(scheduled_time=datetime.now(UTC) + timedelta(seconds=4))
    await executing.until(pod_id, lambda state: state.waiting is not None and state.waiting.reason == "Scheduled")
    executing.write("a", "new")
    await executing.build("FROM busybox\nCOPY a /\n")
    state = await executing.until_ended(pod_id)
    assert state.terminated is not None
    assert (executing.volume / "out").read_text() == "old"
    assert len(names_in(executing.workspace.blobs / "images")) <= 1
