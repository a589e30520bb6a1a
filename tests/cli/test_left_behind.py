"""What a killed emtui, or one whose other side was away, has left: told, and settled by the next verb."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from emtui.cli.exit_codes import Exit
from emtui.commands import BuildImage, Delete
from emtui.journal.journal import Journal
from emtui.views import Stage
from tests.cli.harness import Cli
from tests.cli.journals import Written
from tests.cli.wired import file_node, listed, wired
from tests.serving import until
from tests.wire_server import Asked, Conversation, Script, answer

NOW = datetime.now(UTC)


def left_behind(folder: Path) -> None:
    """A delete that was sent, and one that never left, of an emtui that is gone."""
    written = Written(folder)
    written.add(Delete(("a",)), Stage.SENT)
    written.journal.begin(Delete(("b",)), "me", "em", NOW)
    written.journal.close()


def ends(cli: Cli) -> list[tuple[str, str]]:
    return [(entry["stage"], entry["error"] or entry["note"]) for entry in cli.ok("log", "--json").json]


def test_the_log_and_the_report_say_that_it_ended_meanwhile(emtui: Cli, workspace: Path) -> None:
    left_behind(workspace)
    assert ends(emtui) == [("sent", "emtui ended while it ran"), ("queued", "emtui ended before it left")]
    page = emtui.ok("report").text
    assert "emtui ended while it ran. It is looked into again when emtui next reaches the other side." in page


def test_the_next_verb_that_reaches_the_other_side_settles_it(emtui: Cli, workspace: Path) -> None:
    left_behind(workspace)
    done = emtui.ok("files", "list")
    assert (done.stdout, done.stderr) == (b"", "")
    assert ends(emtui) == [
        ("complete", "done: it is gone from the volume (emtui ended while it ran)"),
        ("cancelled", "emtui ended before it left"),
    ]


def test_a_verb_that_does_not_reach_it_leaves_it_as_it_is(bare: Cli) -> None:
    away = ("--em-url", "http://127.0.0.1:9", "--timeout", "0.2")
    bare("files", "list", *away)
    (folder,) = {path.parent for path in Path(os.environ["XDG_DATA_HOME"]).glob("**/journal.db")}
    left_behind(folder)
    began = time.monotonic()
    assert bare("files", "list", *away).code == Exit.UNREACHABLE
    assert time.monotonic() - began < 5
    journal = Journal(folder / "journal.db")
    assert len(journal.open_entries()) == 2
    journal.close()


def em_that_forgets(monkeypatch: pytest.MonkeyPatch) -> "tuple[dict[str, Any], Callable[[Asked], bytes | Script]]":
    """An EM that cuts a build off, and says 423 to every question for images until `is_back`."""
    monkeypatch.setenv("EMTUI_TOKEN", "token")
    how: dict[str, Any] = {"is_back": False, "asked": 0}

    async def cut(talk: Conversation) -> None:
        talk.cut()

    def replies(asked: Asked) -> bytes | Script:
        if asked.target.startswith("/em/pod/image/build"):
            return cut
        if asked.target.startswith("/em/image/list"):
            how["asked"] += 1
            if how["is_back"]:
                return answer(200, {"message": "Successfully loaded list of docker images", "data": []})
            return answer(423, {"error": "LOCKED", "message": "CG2 is busy"})
        return listed(file_node("a", 1))

    return how, replies


def test_what_could_not_be_asked_is_asked_again_by_the_next_verb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emtui.link.inquiry.LOOK_S", 0.2)
    how, replies = em_that_forgets(monkeypatch)
    with wired(replies) as server:
        cli = Cli(monkeypatch, "--em-url", server.url, "--api", "2025-11")
        built = cli("image", "build", "--context", "c", "x")
        assert built.code == Exit.UNKNOWN
        assert "It is looked into again when emtui next reaches the other side." in built.stderr
        cli.ok("files", "list")
        (entry,) = ends(cli)
        assert entry[0] == "unknown"
        how["is_back"] = True
        asked = how["asked"]
        cli.ok("files", "list")
        assert ends(cli) == [("failed", "not done: no such image is listed")]
        cli.ok("files", "list")
        assert how["asked"] == asked + 1  # it is known, and nobody asks again


def test_a_look_that_takes_long_is_left_to_the_next_verb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emtui.session.SETTLE_S", 0.2)
    _, replies = em_that_forgets(monkeypatch)

    def slow(asked: Asked) -> bytes | Script:
        if asked.target.startswith("/em/image/list"):
            time.sleep(1)
        return replies(asked)

    with wired(slow) as server:
        cli = Cli(monkeypatch, "--em-url", server.url, "--api", "2025-11")
        cli.ok("files", "list")
        (folder,) = {path.parent for path in Path(os.environ["XDG_DATA_HOME"]).glob("**/journal.db")}
        written = Written(folder)
        written.add(BuildImage("Dockerfile", ".", "x"), Stage.SENT)
        written.journal.close()
        assert cli.ok("files", "list").rows[0][-1] == "a"
        (entry,) = cli.ok("log", "--json").json
        assert (entry["stage"], entry["error"]) == ("sent", "emtui ended while it ran")


# -------------------------------------------------------------------------------------------- what was for stdout


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder


def test_the_temporary_folder_of_a_killed_run_is_removed_by_the_next(
    emtui: Cli, workspace: Path, temporary: Path
) -> None:
    data = b"x" * (4 << 20)
    (workspace / "volume").mkdir(parents=True)
    (workspace / "volume/big").write_bytes(data)
    words = ["--local", str(workspace), "--engine", "simulated", "files", "downlink", "big", "-o", "-"]
    killed = subprocess.Popen([sys.executable, "-m", "emtui", *words], stdout=subprocess.PIPE)
    try:
        # Its reader does not read, so that it stays until it is killed.
        until(lambda: list(temporary.glob("emtui-stdout-*/fetched")), "it has been fetched")
        (temporary / "emtui-stdout-of-mine").write_text("no folder")
    finally:
        killed.send_signal(signal.SIGKILL)
        killed.communicate(timeout=20)
    assert emtui.ok("files", "downlink", "big", "-o", "-").stdout == data
    assert [path.name for path in temporary.iterdir()] == ["emtui-stdout-of-mine"]


def test_the_temporary_folder_of_a_run_at_work_stays(emtui: Cli, workspace: Path, temporary: Path) -> None:
    from emtui.cli.to_stdout import _sweep, _temporary_folder

    with _temporary_folder() as folder:
        (folder / "fetched").write_bytes(b"half")
        _sweep()
        assert (folder / "fetched").read_bytes() == b"half"
    assert list(temporary.iterdir()) == []
