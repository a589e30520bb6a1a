"""One profile open in several emtui: commands of each, and those that one which was killed has left behind."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from emtui.commands import Delete
from emtui.journal.journal import Entry, HasEnded, Journal
from emtui.profile import Profile, Remote
from emtui.session import Session, adopt_left_behind, open_session
from emtui.views import Stage
from tests.wire_server import Asked, answer, wire_server

DEADLINE_S = 30
NOW = datetime(2026, 11, 21, 20, 47, 13, tzinfo=UTC)
LEFT = 30

# Leaves commands open, says so, and stays until it is killed.
WRITER = """
import sys
from datetime import datetime, UTC
from pathlib import Path
from emtui.commands import Delete
from emtui.journal.journal import Journal
from emtui.views import Stage

journal = Journal(Path(sys.argv[1]))
for number in range(int(sys.argv[2])):
    entry = journal.begin(Delete((f"f{number}",)), "op", "p", datetime.now(UTC))
    journal.advance(entry, Stage.SENT, datetime.now(UTC))
print("written", flush=True)
sys.stdin.read()
"""

# Takes over at a sign, says what it has got, and stays until it is killed.
TAKER = """
import json, sys
from pathlib import Path
from emtui.journal.journal import Journal

journal = Journal(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.read(1)
print(json.dumps([entry.id for entry in journal.take_over()]), flush=True)
sys.stdin.read()
"""

# A console without a screen: opens the profile, adopts at a sign, and tells how what it has adopted has ended.
CONSOLE = """
import asyncio, json, sys
from pathlib import Path
from emtui.profile import Profile, Remote
from emtui.session import adopt_left_behind, open_session

async def main(folder, url):
    async with open_session(Profile(Path(folder), em=Remote(url), has_local=False)) as session:
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.read, 1)
        await adopt_left_behind(session)
        ended = [await session.em.finished(number) for number in list(session.em.states)]
        print(json.dumps({state.id: state.stage for state in ended}), flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main(*sys.argv[1:]))
"""


class Child:
    """A process that talks line by line, and is killed in the end."""

    def __init__(self, script: str, *words: object) -> None:
        command = [sys.executable, "-c", script, *map(str, words)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(".")
        self.process.stdin.flush()

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=DEADLINE_S)


@contextmanager
def children(script: str, count: int, *words: object) -> Iterator[list[Child]]:
    """Processes that have said their first word."""
    made: list[Child] = []
    try:
        made.extend(Child(script, *words) for _ in range(count))
        assert all(child.line() in ("ready", "written") for child in made)
        yield made
    finally:
        for child in made:
            child.kill()


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(tmp_path / "journal.db")
    yield made
    made.close()


def names(entries: list[Entry]) -> list[int]:
    return [entry.id for entry in entries]


def left_behind(path: Path, count: int) -> None:
    """Commands that have been sent by an emtui which was killed then."""
    with children(WRITER, 1, path, count) as (writer,):
        writer.kill()
        assert writer.process.returncode == -signal.SIGKILL


# ----------------------------------------------------------------------------------------------------- the journal


def test_of_two_writers_only_the_killed_one_leaves_something_behind(tmp_path: Path, journal: Journal) -> None:
    path = tmp_path / "journal.db"
    with children(WRITER, 2, path, LEFT) as (first, _second):
        assert journal.take_over() == []
        mine = journal.begin(Delete(("mine",)), "op", "p", NOW)
        first.kill()
        taken = journal.take_over()
        assert len(taken) == LEFT
        assert mine not in names(taken)
        assert {entry.stage for entry in taken} == {Stage.SENT}
        assert journal.take_over() == []  # they are ours now
    # The other one has been killed, too; only its own are left.
    assert len(journal.take_over()) == LEFT
    assert len(journal.entries()) == 2 * LEFT + 1


@pytest.mark.parametrize("attempt", range(3))
def test_of_those_that_take_over_at_once_one_gets_each_command(tmp_path: Path, journal: Journal, attempt: int) -> None:
    path = tmp_path / "journal.db"
    left_behind(path, LEFT)
    with children(TAKER, 4, path) as takers:
        for taker in takers:
            taker.go()
        got = [json.loads(taker.line()) for taker in takers]
        assert sorted(number for numbers in got for number in numbers) == names(journal.entries())
        assert journal.open_entries() == []
    assert len(journal.open_entries()) == LEFT  # those that took them over are gone as well


def test_who_is_killed_with_what_it_took_over_leaves_that_to_the_next(tmp_path: Path, journal: Journal) -> None:
    path = tmp_path / "journal.db"
    left_behind(path, 1)
    for _ in range(2):
        with children(TAKER, 1, path) as (taker,):
            taker.go()
            assert json.loads(taker.line()) == [1]
            assert journal.take_over() == []
    (entry,) = journal.take_over()
    journal.finish(entry.id, Stage.UNKNOWN, NOW)
    assert journal.take_over() == []


def test_what_has_ended_is_not_taken_over(tmp_path: Path, journal: Journal) -> None:
    left_behind(tmp_path / "journal.db", 3)
    done, unknown, still_open = names(journal.open_entries())
    journal.finish(done, Stage.COMPLETE, NOW)
    journal.finish(unknown, Stage.UNKNOWN, NOW)
    assert names(journal.take_over()) == [still_open]


def test_of_two_that_find_out_how_a_command_ended_the_first_one_holds(tmp_path: Path, journal: Journal) -> None:
    number = journal.begin(Delete(("a",)), "op", "p", NOW)
    journal.finish(number, Stage.UNKNOWN, NOW, error="no answer")
    other = Journal(tmp_path / "journal.db")
    try:
        other.finish(number, Stage.FAILED, NOW, error="not done", remedy="Do it again.", log_tail=["a line\n"])
        with pytest.raises(HasEnded) as caught:
            journal.finish(number, Stage.COMPLETE, NOW, note="done")
    finally:
        other.close()
    entry = caught.value.entry
    assert (entry.stage, entry.note, entry.error, entry.remedy) == (Stage.FAILED, "", "not done", "Do it again.")
    assert entry.log_tail == ("a line\n",)
    assert journal.entries() == [entry]


# ----------------------------------------------------------------------------------------------------- the profile


class Volume:
    """An EM with files that can be listed and deleted."""

    def __init__(self, *names: str) -> None:
        self.names = set(names)

    def replies(self, asked: Asked) -> bytes:
        if asked.target == "/em/files/delete":
            self.names.discard(asked.json["filepath"])
            return answer(body={"message": "File deleted successfully"})
        nodes = [
            {"type": "file", "name": name, "size": "1", "time": "2099-01-01-00-00", "hash": 1} for name in self.names
        ]
        return answer(body={"message": "Successfully listed files", "data": nodes})


def profile(folder: Path, url: str) -> Profile:
    return Profile(folder, em=Remote(url), has_local=False)


async def stage_of(session: Session, number: int) -> Stage:
    return (await asyncio.wait_for(session.em.finished(number), DEADLINE_S)).stage


async def test_one_remote_profile_is_open_twice(tmp_path: Path) -> None:
    em = Volume("a", "b")
    async with wire_server(em.replies) as server:
        remote = profile(tmp_path / "state", server.url)
        async with open_session(remote) as first, open_session(remote) as second:
            numbers = [await first.submit(Delete(("a",))), await second.submit(Delete(("b",)))]
            stages = [await stage_of(first, numbers[0]), await stage_of(second, numbers[1])]
            assert stages == [Stage.COMPLETE, Stage.COMPLETE]
            assert [entry.id for entry in first.journal.entries()] == numbers == [1, 2]
    assert em.names == set()
    assert not (tmp_path / "state/lock").exists()


async def test_of_two_consoles_that_adopt_at_once_one_does(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    left_behind(folder / "journal.db", LEFT)
    em = Volume()  # the files are gone: the commands have been done
    async with wire_server(em.replies) as server:
        with children(CONSOLE, 2, folder, server.url) as consoles:
            for console in consoles:
                console.go()
            told = [json.loads(await asyncio.to_thread(console.line)) for console in consoles]
    numbers = sorted(int(number) for ended in told for number in ended)
    assert numbers == list(range(1, LEFT + 1))
    assert {stage for ended in told for stage in ended.values()} == {"complete"}
    journal = Journal(folder / "journal.db")
    try:
        assert {entry.stage for entry in journal.entries()} == {Stage.COMPLETE}
    finally:
        journal.close()


async def test_a_script_beside_it_leaves_alone_what_was_left_behind(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    left_behind(folder / "journal.db", 1)
    async with wire_server(Volume("b").replies) as server, open_session(profile(folder, server.url)) as script:
        assert await stage_of(script, await script.submit(Delete(("b",)))) is Stage.COMPLETE
        assert 1 not in script.em.states
        assert names(script.journal.open_entries()) == [1]


async def test_two_consoles_that_look_into_one_command_agree(tmp_path: Path) -> None:
    """The file is there at the first look and gone at the second: what the first one has written holds for both."""
    folder = tmp_path / "state"
    folder.mkdir()
    left_behind(folder / "journal.db", 1)
    em = Volume("f0")
    command = Delete(("f0",))
    async with wire_server(em.replies) as server:
        remote = profile(folder, server.url)
        async with open_session(remote) as first, open_session(remote) as second:
            # The second one has read it when nobody knew how it ended.
            (entry,) = second.journal.entries()
            await adopt_left_behind(first)
            await adopt_left_behind(second)
            assert list(second.em.states) == []
            assert await stage_of(first, 1) is Stage.FAILED
            second.em.adopt(entry)
            em.names.clear()
            assert await stage_of(second, 1) is Stage.FAILED
            assert second.em.states[1].error == first.em.states[1].error
            assert second.em.states[1].remedy == "Do it again."
            # Its queue goes on.
            assert await stage_of(second, await second.submit(command)) is Stage.COMPLETE
            assert [entry.stage for entry in first.journal.entries()] == [Stage.FAILED, Stage.COMPLETE]


async def test_a_command_that_is_not_in_the_journal_any_more_ends_all_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    async with wire_server(Volume("a").replies) as server, open_session(profile(folder, server.url)) as session:
        session.em.hold()
        number = await session.submit(Delete(("a",)))
        with session.journal._db.change() as db:
            db.execute("DELETE FROM commands WHERE id = ?", (number,))
        assert session.em.cancel(number)
        assert await stage_of(session, number) is Stage.CANCELLED
