"""Builds by a real Docker Engine: what only a real builder can do, and what it must not be led to."""

import asyncio
import os
import re
import signal
import time
import tracemalloc
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from emtui.errors import BuildFailed
from emtui.local.engines.base import BuildRequest
from emtui.local.engines.docker.building.build import build_image
from emtui.local.engines.docker.daemon import Daemon, Found
from emtui.local.engines.docker.engine import DockerEngine
from emtui.local.engines.docker.lookup import inspect_image
from emtui.local.workspace import Workspace
from tests.engines.conftest import DEADLINE_S, Bench
from tests.engines.docker_here import base_tar
from tests.engines.own_daemon import OwnDaemon, own_daemon
from tests.unit.engines.tars import CONFIG, docker_members, write_tar

BUILDERS = ("buildkit", "classic")


def daemon_of(bench: Bench) -> Daemon:
    assert isinstance(bench.engine, DockerEngine)
    return bench.engine._daemon


@pytest.fixture(params=BUILDERS)
async def built(docker: Bench, request: pytest.FixtureRequest) -> Bench:
    """The docker engine with BuildKit, and with the classic builder, whose stream Podman's is like."""
    if request.param == "classic":
        daemon = daemon_of(docker)
        daemon._facts = replace(await daemon.facts(), product="Podman")
    return docker


async def build(bench: Bench, dockerfile: str) -> None:
    """Build it as if nothing of it had been built before."""
    await bench.build(re.sub(r"(?m)^(FROM .*)$", rf"\1\nENV NONCE={time.monotonic_ns()}", dockerfile))


async def test_the_log_is_that_of_every_engine(built: Bench) -> None:
    built.write("a b", "1")
    built.write("dir/c", "2")
    await build(
        built,
        'FROM busybox AS one\nRUN echo hello; echo err >&2\nFROM busybox\nCOPY ["a b", "/x/"]\n'
        "COPY --from=one /bin/sh /y\nCOPY dir /z\nWORKDIR /w\nCMD x\n",
    )
    text = "".join(built.log)
    titles = [line.split(" ", 1)[1].rstrip("\n") for line in built.log if line[0] == "#" and line.split()[1][0] == "["]
    assert titles[:4] == [
        "[internal] load build definition from Dockerfile",
        "[internal] load metadata for docker.io/library/busybox:latest",
        "[internal] load .dockerignore",
        "[internal] load build context",
    ]
    # BuildKit does one FROM for both stages, under the name of whichever it came to first.
    assert re.search(r"\[(one 1/2|stage-1 1/5)\] FROM docker.io/library/busybox:latest\n", text)
    assert "[one 2/2] RUN echo hello; echo err >&2\n" in text
    assert '[stage-1 2/5] COPY ["a b", "/x/"]\n' in text
    assert "[stage-1 3/5] COPY --from=one /bin/sh /y\n" in text
    assert "[stage-1 5/5] WORKDIR /w\n" in text
    assert any(line.endswith(" hello\n") for line in built.log)
    assert any(line.endswith(" err\n") for line in built.log)
    assert "\x1b" not in text
    assert "emtui-" not in text
    assert "transferring context: 2B done\n" in text
    assert built.log[-3:-1] == [
        f"#{built.log[-2].split()[0][1:]} naming to docker.io/library/client1-a:latest done\n",
        built.log[-2],
    ]
    numbers = [int(line[1 : line.index(" ")]) for line in built.log if line[0] == "#"]
    assert set(numbers) == set(range(1, max(numbers) + 1))


async def test_a_failing_run_is_told_in_the_same_words(built: Bench) -> None:
    with pytest.raises(BuildFailed):
        await built.build("FROM busybox\nENV A=1\nRUN echo last words; \\\n  exit 7\nRUN true\n")
    assert built.log[-1] == (
        'failed to solve: process "/bin/sh -c echo last words;   exit 7" did not complete successfully: exit code: 7\n'
    )
    text = "".join(built.log)
    assert "ERROR: process" in text
    assert "   3 | >>> RUN echo last words; \\\n   4 | >>>   exit 7\n" in text
    assert " > [2/3] RUN echo last words;   exit 7:\n" in text
    assert list(await built.engine.images()) == []


async def test_only_what_was_asked_for_comes_into_the_image(built: Bench) -> None:
    built.write("Dockerfile", "no matter")
    built.write(".dockerignore", "secret*\n")
    built.write("secret.txt")
    built.write("dir/run.sh", "#!/bin/sh\n").chmod(0o750)
    (built.volume / "context" / "link").symlink_to("dir/run.sh")
    name = os.fsdecode(b"caf\xe9 \xc3\xa9 " + b"n" * 150)
    built.write(name)
    await build(
        built, "FROM busybox\nCOPY . /x\nRUN cd /x && ls -A1 && stat -c '%n %a %u %g' dir/run.sh && readlink link\n"
    )
    text = "".join(built.log)
    for wanted in (" Dockerfile\n", " .dockerignore\n", " dir\n", " link\n", " dir/run.sh 750 0 0\n", " dir/run.sh\n"):
        assert wanted in text
    assert "n" * 150 in text
    assert "secret.txt" not in text
    assert "emtui" not in text


async def test_what_cannot_be_sent_is_left_out_and_named(built: Bench) -> None:
    built.write("a", "1")
    os.link(built.volume / "context" / "a", built.volume / "context" / "hard")
    built.write("b", "1")
    (built.volume / "context" / "out").symlink_to("/etc/passwd")
    await built.build("FROM busybox\nCOPY b /x/\nRUN ls /x\n")
    note = next(line for line in built.log if "left out of the build context" in line)
    assert "a: a hard link" in note
    assert "out: a link to the outside of the build context cannot be copied (/etc/passwd)" in note


async def test_add_unpacks_and_variables_are_substituted(built: Bench) -> None:
    import io
    import tarfile

    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        info = tarfile.TarInfo("inside")
        info.size = 2
        tar.addfile(info, io.BytesIO(b"ok"))
    built.write("p.tar.gz", made.getvalue())
    built.write("a$b", "dollar")
    await build(
        built,
        'FROM busybox\nARG N=p\nENV T=/to\nADD $N.tar.gz $T/\nCOPY ["a\\\\$b", "../../a\\\\$b", "$T/"]\n'
        "RUN cat /to/inside '/to/a$b'\n",
    )
    assert any(line.endswith(" okdollar\n") for line in built.log)


async def test_our_own_images_are_bases(built: Bench) -> None:
    built.write("a", "first")
    await built.build("FROM busybox\nCOPY a /a\nENV X=own\nONBUILD RUN cat /a; echo $X\n", "client1-base:v1")
    await build(
        built,
        "ARG B=client1-base\nFROM fpga.dphi.space:5000/busybox AS other\nFROM $B:v1 as last\n"
        "copy --from=client1-base:v1 /a /b\nRUN cat /b\n",
    )
    text = "".join(built.log)
    assert "load metadata for docker.io/library/client1-base:v1\n" in text
    assert "FROM docker.io/library/client1-base:v1\n" in text
    assert "COPY --from=client1-base:v1 /a /b\n" in text
    assert "emtui-" not in text
    assert sum(line.endswith(" first\n") for line in built.log) >= 1


async def test_a_trigger_that_takes_the_context(built: Bench) -> None:
    built.write("a", "1")
    await built.build("FROM busybox\nONBUILD COPY a /got\n", "client1-base:v1")
    built.write("a", "from the later context")
    await build(built, "FROM client1-base:v1\nRUN cat /got\n")
    assert any(line.endswith(" from the later context\n") for line in built.log)
    assert any("a trigger of the base image takes the context as it is" in line for line in built.log)


async def test_an_image_that_is_not_there_is_never_fetched(built: Bench) -> None:
    began = time.monotonic()
    with pytest.raises(BuildFailed) as failed:
        await built.build("FROM busybox:no-such-tag\n")
    assert built.log[-1].startswith("failed to solve: busybox:no-such-tag: failed to resolve source metadata")
    assert "docker pull busybox:no-such-tag" in "".join(built.log)
    assert "docker pull busybox:no-such-tag" in failed.value.remedy
    for dockerfile in (
        "FROM busybox\nRUN --mount=type=bind,from=busybox,target=/x true\n",
        "FROM busybox\nCOPY --from=alpine:9 /a /b\n",
        "FROM --platform=linux/arm64 busybox\n",
        "FROM busybox@sha256:" + "0" * 64 + "\n",
        "FROM busybox\nARG U=github.com/a/b\nADD $U /x\n",
        "FROM busybox\nADD git@github.com:a/b.git /x\n",
    ):
        with pytest.raises(BuildFailed):
            await built.build(dockerfile)
    assert time.monotonic() - began < 10


async def test_a_foreign_builder_is_not_run(built: Bench) -> None:
    await built.build(
        "# syntax = evil/frontend:1\n# escape=`\nFROM `\n  busybox\nRUN echo `\n  $((1+1))two #" + f"{time.time()}\n"
    )
    assert any("# syntax=evil/frontend:1 is ignored" in line for line in built.log)
    assert any(line.endswith(" 2two\n") for line in built.log)


@pytest.mark.parametrize("flag", ["--network=host", "--security=insecure", '--network="host"', "--network=$X"])
async def test_rights_over_the_machine_are_refused(docker: Bench, flag: str) -> None:
    with pytest.raises(BuildFailed):
        await docker.build(f"FROM busybox\nARG X=host\nRUN {flag} true\n")
    assert "is not allowed" in docker.log[-1]


async def test_a_build_has_no_network(built: Bench) -> None:
    await build(built, "FROM busybox\nRUN ip -o link | grep -v ' lo:' | wc -l\n")
    assert any(line.endswith(" 0\n") for line in built.log)


async def test_mounts(docker: Bench) -> None:
    docker.write("dir/a", "bound")
    await build(
        docker,
        "FROM busybox AS one\nRUN echo staged > /s\nFROM busybox\n"
        "RUN --mount=type=bind,source=dir,target=/m --mount=from=one,target=/o --mount=type=tmpfs,target=/t \\\n"
        "  cat /m/a /o/s && ls /m\n"
        "RUN --mount=target=/c ls -A /c\n",
    )
    text = "".join(docker.log)
    assert "bound" in text
    assert "staged" in text
    assert ".emtui" not in text
    assert " Dockerfile\n" not in text.partition("ls -A /c")[2]


async def test_here_documents_need_a_newer_builder_or_work(docker: Bench) -> None:
    dockerfile = "FROM busybox\nRUN <<EOF\necho FROM nope\nADD http://x/y /z || true\nEOF\n"
    facts = await daemon_of(docker).facts()
    if int(facts.version.split(".")[0]) >= 23:
        await docker.build(dockerfile)
        assert any(line.endswith(" FROM nope\n") for line in docker.log)
        return
    with pytest.raises(BuildFailed):
        await docker.build(dockerfile)
    assert f"RUN with a here-document (<<) needs Docker 23 or newer, and this is {facts.version}" in docker.log[-1]


@pytest.mark.parametrize(
    ("dockerfile", "last"),
    [
        ("# only\n# comments\n", "the Dockerfile cannot be empty"),
        ("FROM ${X}\n", "base name should not be blank"),
        ("FROM busybox AS a\x1b[2Jb\n", "invalid name for build stage"),
        ("FROM --platform=a\tb busybox\n", "dockerfile parse error on line 1: FROM requires"),
        ("FROM busybox\nCOPY --from=${X} a b\n", "base name should not be blank"),
        ("FROM busybox\nCOPY --from=0 a b\n", "invalid from flag value 0"),
        ("FROM busybox\nRUN --mount=type=nonsense,target=/x true\n", "dockerfile parse error"),
        ("FROM busybox\nUSER\n", "dockerfile parse error on line 2: USER requires"),
        ("FROM busybox\nEXPOSE nonsense\n", "invalid containerPort: nonsense"),
        ("FROM busybox\nHEALTHCHECK what\n", "dockerfile parse error on line 2: Unknown type"),
        ("FROM busybox\nSTOPSIGNAL NONSENSE\n", ""),
    ],
)
async def test_hostile_dockerfiles_end_in_a_line(docker: Bench, dockerfile: str, last: str) -> None:
    with pytest.raises(BuildFailed):
        await docker.build(dockerfile)
    assert docker.log[-1].lower().startswith(f"failed to solve: {last}".lower())
    assert all(line.endswith("\n") and "\n" not in line[:-1] for line in docker.log)
    assert list(await docker.engine.images()) == []


async def test_windows_line_ends(built: Bench) -> None:
    built.write("a", "x")
    await built.build(
        "\ufeffFROM busybox\r\nCOPY a /a\r\nRUN echo one \\\r\n  two\r\n".replace("one", f"{time.time()} one")
    )
    assert any(line.rstrip("\n").endswith("one two") for line in built.log)


async def test_the_image_has_its_configuration_and_our_label(docker: Bench) -> None:
    image = await docker.build('FROM busybox\nLABEL a="b c"\nENV X=1\nUSER 5:6\nENTRYPOINT ["/bin/echo"]\nCMD ["a"]\n')
    config = (await daemon_of(docker).docker.images.inspect(image.id))["Config"]
    assert config["Labels"]["a"] == "b c"
    assert config["Labels"].keys() > {"a"}
    assert (config["User"], config["Entrypoint"], config["Cmd"]) == ("5:6", ["/bin/echo"], ["a"])


async def test_output_is_bounded_and_live(built: Bench) -> None:
    await build(built, f"FROM busybox\nRUN yes {'y' * 60} | head -c 9000000; head -c 300000 /dev/zero | tr '\\0' x\n")
    assert max(map(len, built.log)) < 9000
    assert sum(map(len, built.log)) < 5 << 20
    assert any("output clipped" in line for line in built.log)


async def test_cancelling_ends_the_build_in_the_engine(built: Bench) -> None:
    mark = f"/tmp/{time.monotonic_ns()}"
    building = asyncio.create_task(built.build(f"FROM busybox\nRUN touch {mark}; echo begun; sleep 97\n"))
    deadline = time.monotonic() + 20
    while not any(line.endswith(" begun\n") for line in built.log):
        assert time.monotonic() < deadline, built.log
        assert not building.done()
        await asyncio.sleep(0.02)
    began = time.monotonic()
    building.cancel()
    with pytest.raises(asyncio.CancelledError):
        await building
    assert time.monotonic() - began < 2
    deadline = time.monotonic() + 15
    while _is_running(f"touch {mark}"):
        assert time.monotonic() < deadline, "the command still runs"
        await asyncio.sleep(0.1)
    assert list(await built.engine.images()) == []


def _is_running(words: str) -> bool:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if words.encode() in command and b"pytest" not in command:
                return True
    return False


async def test_cancelling_while_the_context_is_sent(docker: Bench) -> None:
    for number in range(40):
        with (docker.volume / "context" / f"f{number}").open("wb") if number else docker.write("x").open("wb") as file:
            file.truncate(256 << 20)
    building = asyncio.create_task(docker.build("FROM busybox\nCOPY x /x\n"))
    deadline = time.monotonic() + 20
    while not any("load build context" in line for line in docker.log):
        assert time.monotonic() < deadline, docker.log
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)
    began = time.monotonic()
    building.cancel()
    with pytest.raises(asyncio.CancelledError):
        await building
    assert time.monotonic() - began < 2
    opened = [str(entry.readlink()) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()]
    assert not [path for path in opened if "/context/" in path]


async def test_a_file_that_shrinks_while_it_is_read(docker: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    from emtui.local.engines.docker.building import context_tar

    path = docker.write("a", b"x" * 100_000)
    real = context_tar._header

    def header(name: str, *args: Any, **options: Any) -> bytes:
        if name.endswith("/a"):
            os.truncate(path, 10)
        return real(name, *args, **options)

    monkeypatch.setattr(context_tar, "_header", header)
    with pytest.raises(BuildFailed):
        await docker.build("FROM busybox\nCOPY a /a\n")
    assert docker.log[-1].startswith("failed to solve: a: changed while it was read")
    assert any(line.startswith("#4 ERROR: a: changed") for line in docker.log)


async def test_a_name_that_cannot_be_given_fails_the_build(docker: Bench) -> None:
    from emtui.errors import LocalProblem

    async def name_it(image: str) -> None:
        assert image.startswith("sha256:")
        raise LocalProblem("no name for it")

    assert isinstance(docker.engine, DockerEngine)
    names = await docker.engine._names()
    lines: list[str] = []
    (docker.volume / "context").mkdir()
    with docker.workspace.volume.open_dir(("context",)) as context:
        request = BuildRequest(
            context, f"FROM busybox\nENV A={time.monotonic_ns()}\n", "Dockerfile", "client1-a:latest"
        )
        with pytest.raises(BuildFailed):
            await build_image(daemon_of(docker), names, request, lines.append, base_images=("busybox",),
                              with_network=False, name_it=name_it)  # fmt: skip
    assert lines[-1] == "failed to solve: no name for it\n"
    image = next(line.split()[-2] for line in lines if "writing image" in line)
    assert await inspect_image(daemon_of(docker), image) is None
    assert any(line.endswith(" done\n") and "writing image sha256:" in line for line in lines)


async def test_a_base_for_another_machine_is_taken_as_it_is(built: Bench, tmp_path: Path) -> None:
    daemon = daemon_of(built)
    foreign = "arm64" if (await daemon.facts()).architecture != "arm64" else "amd64"
    base = f"debian:emtui-test-{time.monotonic_ns()}"
    config = {**CONFIG, "architecture": foreign, "config": {"Env": ["PATH=/bin"]}}
    tar = write_tar(tmp_path / "base.tar", docker_members(base, config, base_tar()))

    async def body() -> AsyncIterator[bytes]:
        yield tar.read_bytes()

    try:
        async for line in daemon.stream("images/load", params={}, body=body()):
            assert "error" not in line
        # The program in it is for this machine all the same, and runs.
        image = await built.build(f"FROM {base}\nENV T={base}\nRUN echo it runs\n")
        assert (await daemon.docker.images.inspect(image.id))["Architecture"] == foreign
        assert any(line.endswith(" it runs\n") for line in built.log)
        with pytest.raises(BuildFailed):
            await built.build(f"FROM --platform=$BUILDPLATFORM {base}\n")
        assert f"the image on board is for linux/{foreign}, not for linux/" in built.log[-1]
        with pytest.raises(BuildFailed):
            await built.build(f"FROM busybox\nCOPY --from={base} /bin /b\n")
        assert f"name it with FROM {base} AS a-name" in built.log[-1]
    finally:
        await daemon.docker.images.delete(base, force=True)


async def test_a_program_for_another_machine_is_explained(built: Bench) -> None:
    built.write("foreign", b"\x7fELF" + b"\x02" * 200).chmod(0o755)
    with pytest.raises(BuildFailed):
        await build(built, 'FROM busybox\nCOPY foreign /foreign\nRUN ["/foreign"]\n')
    assert "qemu-user-static" in "".join(built.log)
    assert built.log[-1].startswith("failed to solve: ")


async def test_a_large_context_takes_little_memory(docker: Bench) -> None:
    for folder in range(10):
        (docker.volume / "context" / f"d{folder}").mkdir(parents=True)
        for number in range(500):
            (docker.volume / "context" / f"d{folder}" / f"file-{number}").write_bytes(b"x" * 10)
    with (docker.volume / "context" / "large").open("wb") as file:
        file.truncate(100 << 20)
    tracemalloc.start()
    try:
        await build(docker, "FROM busybox\nCOPY . /x\nRUN ls /x/d9 | wc -l; stat -c %s /x/large; rm /x/large\n")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert any(line.endswith(" 500\n") for line in docker.log)
    assert any(line.endswith(f" {100 << 20}\n") for line in docker.log)
    assert peak < 32 << 20


@pytest.mark.slow
def test_a_daemon_that_dies_in_the_middle(workspace: Workspace) -> None:
    async def kill_it(own: OwnDaemon, found: Found) -> list[str]:
        bench = Bench(workspace, make := lambda: DockerEngine(workspace, found), make())
        building = asyncio.create_task(bench.build("FROM busybox\nRUN echo begun; sleep 60\n"))
        deadline = time.monotonic() + DEADLINE_S
        while not any(line.endswith(" begun\n") for line in bench.log):
            assert time.monotonic() < deadline, bench.log
            assert not building.done(), bench.log
            await asyncio.sleep(0.05)
        await asyncio.to_thread(own.end, signal.SIGKILL)
        with pytest.raises(BuildFailed) as failed:
            await asyncio.wait_for(building, 10)
        assert "emtui doctor" in failed.value.remedy
        await bench.engine.aclose()
        return bench.log

    with own_daemon() as own:
        log = asyncio.run(kill_it(own, own.start()))
    assert log[-1].startswith("failed to solve: the connection to the Docker Engine was lost")
    assert sum("was lost" in line for line in log) == 1
    assert any(line.endswith(" CANCELED\n") for line in log)
    assert "TransferEncoding" not in "".join(log)
