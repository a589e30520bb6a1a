"""A whole session on a failing wire: what becomes of a command whose answer is lost, refused or late (X1, X3, X7)."""

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from emtui.commands import BuildImage, Command, Delete, Downlink, RunPod, Uplink
from emtui.link.patience import Patience
from emtui.models import PodSpec
from emtui.profile import Profile, Remote
from emtui.session import Session, open_session
from emtui.views import CommandState, Stage
from tests.wire_server import Asked, Conversation, WireServer, answer, wire_server

DEADLINE_S = 30
SIZE = 1 << 20


def listing(*nodes: dict[str, Any]) -> bytes:
    return answer(body={"message": "Successfully listed files", "data": list(nodes)})


def node(name: str, size: int, time: str = "2099-01-01-00-00") -> dict[str, Any]:
    return {"type": "file", "name": name, "size": str(size), "time": time, "hash": 1}


@asynccontextmanager
async def session_on(server: WireServer, folder: Path) -> AsyncIterator[Session]:
    profile = Profile(folder / "state", em=Remote(server.url), has_local=False)
    async with open_session(profile) as session:
        session.em._patience = Patience(first_s=0.01, longest_s=0.05)
        yield session


async def carried_out(session: Session, command: Command) -> CommandState:
    number = await session.submit(command)
    return await asyncio.wait_for(session.em.finished(number), DEADLINE_S)


@pytest.fixture
def payload(tmp_path: Path) -> Path:
    path = tmp_path / "payload.bin"
    path.write_bytes(bytes(SIZE))
    return path


class Volume:
    """An EM that loses the answer to every uplink. `stores`: it has stored the file all the same."""

    def __init__(self, share: float, *, stores: bool) -> None:
        self.uplinks = 0
        self._share = share
        self._stores = stores

    async def script(self, talk: Conversation) -> None:
        if "uplink" not in talk.asked.target:
            there = self._stores and self.uplinks > 0
            await talk.send(listing(node("payload.bin", SIZE)) if there else listing())
            return
        self.uplinks += 1
        await talk.read_body(int(talk.length * self._share))
        talk.cut()


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
async def test_an_uplink_that_is_reset_is_looked_into_and_not_repeated(
    tmp_path: Path, payload: Path, share: float
) -> None:
    em = Volume(share, stores=False)
    async with wire_server(em.script) as server, session_on(server, tmp_path) as session:
        ended = await carried_out(session, Uplink((payload,)))
    assert ended.stage is Stage.FAILED
    assert ended.error.startswith("not done: the volume lists none of the files")
    assert ended.remedy == "Do it again."
    assert em.uplinks == 1


async def test_an_uplink_whose_answer_is_lost_is_found_done(tmp_path: Path, payload: Path) -> None:
    em = Volume(1.0, stores=True)
    async with wire_server(em.script) as server, session_on(server, tmp_path) as session:
        ended = await carried_out(session, Uplink((payload,)))
    assert ended.stage is Stage.COMPLETE
    assert ended.note.startswith("done: the volume lists each file with its size")
    assert em.uplinks == 1


def losing(path: str, otherwise: bytes) -> tuple[list[str], Any]:
    """A server that cuts the connection instead of answering a call of `path`; the targets that were asked for."""
    asked: list[str] = []

    async def script(talk: Conversation) -> None:
        await talk.read_body()
        asked.append(talk.asked.target)
        if talk.asked.target.startswith(path):
            talk.cut()
        else:
            await talk.send(otherwise)

    return asked, script


RUNNING_BEFORE = answer(body={"message": "ok", "data": {"state": {"running": {"startedAt": "2020-01-01T00:00:00Z"}}}})
RUNNING_SINCE = answer(body={"message": "ok", "data": {"state": {"running": {"startedAt": "2099-01-01T00:00:00Z"}}}})
WAITING = answer(body={"message": "ok", "data": {"state": {"waiting": {"reason": "ContainerCreating"}}}})
NO_IMAGES = answer(body={"message": "ok", "data": []})
RUN = RunPod(PodSpec(docker_image="echo-test", max_duration=5, node="FPGA"))


@pytest.mark.parametrize(
    ("command", "path", "otherwise", "stage"),
    [
        (RUN, "/em/pod/execution", RUNNING_BEFORE, Stage.FAILED),
        (RUN, "/em/pod/execution", RUNNING_SINCE, Stage.COMPLETE),
        (RUN, "/em/pod/execution", WAITING, Stage.UNKNOWN),
        (Delete(("a",)), "/em/files/delete", listing(), Stage.COMPLETE),
        (Delete(("a",)), "/em/files/delete", listing(node("a", 1)), Stage.FAILED),
        (BuildImage("Dockerfile", "", "echo-test"), "/em/pod/image/build", NO_IMAGES, Stage.FAILED),
    ],
)
async def test_a_lost_answer_never_makes_it_happen_twice(
    tmp_path: Path, command: Command, path: str, otherwise: bytes, stage: Stage
) -> None:
    asked, script = losing(path, otherwise)
    async with wire_server(script) as server, session_on(server, tmp_path) as session:
        ended = await carried_out(session, command)
    assert ended.stage is stage
    assert [target for target in asked if target.startswith(path)] == [path]


async def test_423_is_waited_out_with_one_request_at_a_time(tmp_path: Path) -> None:
    """Ten refusals, and a poll meanwhile: nothing is lost, and nothing overtakes."""
    at_work = most_at_work = refused = 0

    async def script(talk: Conversation) -> None:
        nonlocal at_work, most_at_work, refused
        at_work += 1
        most_at_work = max(most_at_work, at_work)
        await talk.read_body()
        await asyncio.sleep(0.005)
        at_work -= 1
        if "delete" in talk.asked.target and refused < 10:
            refused += 1
            await talk.send(answer(423, {"error": "LOCKED", "message": "CG2 is busy"}))
        else:
            await talk.send(listing() if "list" in talk.asked.target else answer(body={"message": "File deleted"}))

    async with wire_server(script) as server, session_on(server, tmp_path) as session:
        polls = [asyncio.create_task(session.em.poll(f"p{n}", session.backends.em.list_files)) for n in range(5)]
        ended = await carried_out(session, Delete(("a",)))
        await asyncio.gather(*polls)
    assert (ended.stage, refused, most_at_work) == (Stage.COMPLETE, 10, 1)


async def test_a_token_that_is_revoked_in_the_middle_loses_no_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every second call meets a 401: it signs in again by itself, once each time, and each command is done once."""
    monkeypatch.setenv("EMTUI_PASSWORD", "secret")
    monkeypatch.setenv("EMTUI_NO_KEYRING", "1")
    valid = 0
    deleted: list[str] = []

    def replies(asked: Asked) -> bytes:
        nonlocal valid
        if asked.target == "/auth/":
            valid += 1
            return answer(body={"access": f"token-{valid}", "refresh": ""})
        if asked.token != f"token-{valid}":
            return answer(401, {"detail": "Given token not valid for any token type"})
        if asked.target == "/em/files/delete":
            deleted.append(asked.json["filepath"])
            valid += 100  # revoked at once
            return answer(body={"message": "File deleted successfully"})
        return listing()

    async with wire_server(replies) as server:
        profile = Profile(tmp_path / "state", em=Remote(server.url, "client1"), has_local=False)
        async with open_session(profile) as session:
            for name in ("a", "b", "c"):
                assert (await carried_out(session, Delete((name,)))).stage is Stage.COMPLETE
    assert deleted == ["a", "b", "c"]
    assert "secret" not in (tmp_path / "state/journal.db").read_bytes().decode("latin-1")


async def test_a_downlink_that_is_cut_leaves_the_old_file_and_comes_again(tmp_path: Path) -> None:
    """Twice it is cut, once it is whole; nothing half made is ever under the name."""
    target = tmp_path / "result.bin"
    target.write_bytes(b"old")
    tries = 0
    seen: list[bytes] = []
    data = b"new and whole"
    digest = hashlib.sha256(data).hexdigest()
    encoded = base64.b64encode(data).decode()
    body = json.dumps({"content": encoded, "filename": "result.bin", "size": len(data), "hash": digest})

    async def script(talk: Conversation) -> None:
        nonlocal tries
        if "list" in talk.asked.target:
            await talk.send(listing(node("result.bin", 13)))
            return
        tries += 1
        whole = answer(raw=body.encode())
        if tries < 3:
            await talk.send(whole[: len(whole) - 40])
            await asyncio.sleep(0.05)
            seen.append(target.read_bytes())
            talk.cut()
        else:
            await talk.send(whole)

    async with wire_server(script) as server, session_on(server, tmp_path) as session:
        ended = await carried_out(session, Downlink(("result.bin",), target, overwrite=True))
    assert ended.stage is Stage.COMPLETE, ended.error
    assert (tries, seen) == (3, [b"old", b"old"])
    assert target.read_bytes() == b"new and whole"
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".part")] == []
