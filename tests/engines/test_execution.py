"""The sandbox really executes: what a build makes and what a pod does."""

import asyncio
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from emtui.errors import BuildFailed
from emtui.local.engines.base import BuildRequest
from tests.engines.conftest import Bench, names_in, wait_for
from tests.unit.engines.tars import docker_members, write_tar


async def test_the_rehearsal(sandbox: Bench) -> None:
    sandbox.write("echo-test.sh", '#!/bin/sh\necho "hello $NAME from $(pwd)" > /data/out.txt\n')
    await sandbox.build(
        "FROM alpine\nARG WHO=space\nENV NAME=${WHO}\nWORKDIR /app\nCOPY echo-test.sh /\n"
        'RUN chmod +x /echo-test.sh && echo built\nENTRYPOINT ["/echo-test.sh"]\n'
    )
    assert any(line.endswith(" built\n") and line.startswith("#8 ") for line in sandbox.log)
    state = await sandbox.run(reference="client1-a:latest")
    assert state.terminated is not None
    assert state.terminated.reason == "Completed"
    assert (sandbox.volume / "out.txt").read_bytes() == b"hello space from /app\n"
    assert (sandbox.volume / "out.txt").stat().st_uid == os.getuid()
    pod = sandbox.pods / "client1-1"
    assert names_in(pod) == ["lock", "record.json", "state.json", "supervisor.log"]
    assert (pod / "supervisor.log").read_text() == ""


async def test_stages_and_own_images(sandbox: Bench) -> None:
    sandbox.write("a", "from the context")
    await sandbox.build(
        "FROM alpine\nCOPY a /own\nRUN ln -s /etc/passwd /link && mkdir /d && chmod 500 /d\n", "client1-base:latest"
    )
    await sandbox.build(
        "FROM client1-base AS made\nRUN cp /own /made && echo x > /usr/local/bin/tool && rm /usr/bin/env\n"
        "FROM alpine\nCOPY --from=made /made /usr/local/bin/tool /copied/\nCOPY --from=client1-base /own /\n"
        "RUN test -x /usr/bin/env\nCMD cat /copied/made /own > /data/out\n"
    )
    state = await sandbox.run(reference="client1-a:latest")
    assert state.terminated is not None
    assert state.terminated.exit_code == 0
    assert (sandbox.volume / "out").read_text() == "from the context" * 2


async def test_a_failing_run(sandbox: Bench) -> None:
    with pytest.raises(BuildFailed):
        await sandbox.build("FROM alpine\nRUN echo one && echo two >&2 && exit 7\n")
    text = "".join(sandbox.log)
    failure = 'process "/bin/sh -c echo one && echo two >&2 && exit 7" did not complete successfully: exit code: 7'
    assert f"#5 ERROR: {failure}\n" in text
    assert sandbox.log[-1] == f"failed to solve: {failure}\n"
    assert "one\n" in text
    assert "two\n" in text


async def test_runs_that_cannot_start(sandbox: Bench) -> None:
    sandbox.write("crlf.sh", "#!/bin/sh\r\ntrue\r\n")
    for line in ('RUN ["/nope"]', 'RUN ["/crlf.sh"]', "USER nobody-at-all\nRUN true"):
        with pytest.raises(BuildFailed):
            await sandbox.build(f"FROM alpine\nCOPY --chmod=755 crlf.sh /\n{line}\n")
        assert "did not complete successfully" in sandbox.log[-1]


async def test_output_is_bounded(sandbox: Bench) -> None:
    await sandbox.build("FROM alpine\nRUN head -c 3000000 /dev/zero | tr '\\0' x; yes | head -c 3000000\n")
    assert sum(map(len, sandbox.log)) < 3_000_000
    assert max(map(len, sandbox.log)) < 9_000
    assert any("output clipped" in line for line in sandbox.log)


async def test_a_cancelled_build_leaves_nothing(sandbox: Bench) -> None:
    sandbox.write("a")
    with sandbox.workspace.volume.open_dir(("context",)) as context:
        request = BuildRequest(context, "FROM alpine\nRUN echo started; sleep 600\n", "Dockerfile", "client1-a:latest")
        task = asyncio.ensure_future(sandbox.engine.build(request, sandbox.log.append))
        await wait_for(lambda: any("started" in line for line in sandbox.log[-1:]), "the RUN's output")
        began = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert time.monotonic() - began < 10
    assert names_in(sandbox.workspace.path / "staging") == []
    assert names_in(sandbox.workspace.blobs / "images") == []


async def test_exit_codes_and_signals(sandbox: Bench) -> None:
    failed = await sandbox.run("exit 3")
    killed = await sandbox.run("kill -9 $$")
    assert failed.terminated is not None
    assert killed.terminated is not None
    assert (failed.terminated.exit_code, failed.terminated.reason) == (3, "Error")
    assert (killed.terminated.exit_code, killed.terminated.reason) == (137, "Error")


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("trap 'echo bye > /data/bye; exit 0' TERM; while :; do sleep 0.1; done", 0),
        ("exec sleep 600", 143),
        ("trap '' TERM; sleep 600 & while :; do sleep 0.1; done", 137),
    ],
)
async def test_over_its_time(sandbox: Bench, command: str, code: int) -> None:
    state = await sandbox.run(command, max_duration_s=0.7, grace_s=0.7)
    assert state.terminated is not None
    assert (state.terminated.exit_code, state.terminated.reason) == (code, "DeadlineExceeded")
    assert (sandbox.volume / "bye").exists() is (code == 0)


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
async def test_commands_that_cannot_start(sandbox: Bench, dockerfile: str, code: int, reason: str, said: str) -> None:
    sandbox.write("plain")
    sandbox.write("crlf.sh", "#!/bin/sh\r\ntrue\r\n")
    sandbox.write("binary", b"\x7fELF rubbish")
    (sandbox.volume / "context" / "plain").chmod(0o644)
    await sandbox.build(f"FROM alpine\nCOPY plain /\nCOPY --chmod=755 crlf.sh binary /\n{dockerfile}\n")
    state = await sandbox.run(reference="client1-a:latest")
    assert state.terminated is not None
    assert (state.terminated.exit_code, state.terminated.reason) == (code, reason)
    assert said in state.terminated.message


async def test_users_and_names(sandbox: Bench) -> None:
    await sandbox.build(
        "FROM alpine\nUSER nobody\nENV LC_ALL=C HOME=/h\n"
        "CMD (id -un; hostname; echo $HOME; pwd; echo $HOSTNAME) > /data/out\n"
    )
    await sandbox.run(reference="client1-a:latest")
    assert (sandbox.volume / "out").read_text().split() == ["nobody", "client1-a", "/h", "/", "client1-a"]
    assert (sandbox.volume / "out").stat().st_uid == os.getuid()


async def test_a_loaded_image_says_what_it_is(sandbox: Bench, tmp_path: Path) -> None:
    await sandbox.load(write_tar(tmp_path / "t", docker_members("echo:latest")))
    state = await sandbox.run(reference="echo:latest")
    assert state.terminated is not None
    assert state.terminated.exit_code == 0
    assert "its own files are not unpacked" in state.terminated.message
    assert "its user app is not known here" in state.terminated.message
    assert (sandbox.volume / "loaded.txt").read_text() == "loaded\n"


async def test_a_scheduled_pod_starts_at_its_time(sandbox: Bench) -> None:
    moment = datetime.now(UTC) + timedelta(seconds=2.5)
    pod_id = await sandbox.start("date +%s.%N > /data/at", "alpine", scheduled_time=moment)
    await sandbox.until(pod_id, lambda state: state.waiting is not None and state.waiting.reason == "Scheduled")
    state = await sandbox.until_ended(pod_id)
    assert state.terminated is not None
    assert state.terminated.exit_code == 0
    assert float((sandbox.volume / "at").read_text()) >= moment.timestamp()


async def test_a_missed_time_is_not_made_up_for(sandbox: Bench) -> None:
    pod_id = await sandbox.start("touch /data/late", "alpine", scheduled_time=datetime.now(UTC) - timedelta(seconds=90))
    await sandbox.until(pod_id, lambda state: state.waiting is not None and state.waiting.reason == "MissSchedule")
    assert not (sandbox.volume / "late").exists()


async def test_the_image_may_go_while_its_pod_waits(sandbox: Bench) -> None:
    sandbox.write("a", "old")
    await sandbox.build("FROM alpine\nCOPY a /\nCMD cat /a > /data/out\n")
    pod_id = await sandbox.start(scheduled_time=datetime.now(UTC) + timedelta(seconds=4))
    await sandbox.until(pod_id, lambda state: state.waiting is not None and state.waiting.reason == "Scheduled")
    sandbox.write("a", "new")
    await sandbox.build("FROM alpine\nCOPY a /\n")
    state = await sandbox.until_ended(pod_id)
    assert state.terminated is not None
    assert (sandbox.volume / "out").read_text() == "old"
    assert len(names_in(sandbox.workspace.blobs / "images")) == 1
