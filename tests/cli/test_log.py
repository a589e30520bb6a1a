"""`emtui log`: the journal as people, scripts and spreadsheets read it, whoever has the workspace open."""

import csv
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from emtui.cli.nouns.log import SIGNS
from emtui.commands import Delete, Uplink
from emtui.local.workspace import Workspace
from emtui.views import Stage
from tests.cli.harness import Cli
from tests.cli.journals import BUILD_LOG, Written, kinds
from tests.e2e.terminal import Terminal
from widgets.status import stage_status


@pytest.fixture
def written(workspace: Path) -> Iterator[Written]:
    """The journal of `workspace`, open for writing as a console has it."""
    one = Written(workspace)
    yield one
    one.journal.close()


def test_without_a_journal_there_is_nothing_to_tell_and_nothing_is_made(emtui: Cli, workspace: Path) -> None:
    done = emtui.ok("log")
    assert done.stdout == b""
    assert "nothing is in" in done.stderr
    assert emtui.ok("log", "--json").json == []
    assert emtui.ok("log", "--export", "jsonl").stdout == b""
    assert emtui.ok("log", "--export", "csv").text.startswith("id,command,")
    assert not workspace.exists()


def test_the_newest_is_last_and_a_pipe_gets_words(emtui: Cli, written: Written) -> None:
    written.add(Uplink((Path("a"),), "x"), note="1 file, 3 B, listed")
    written.add(Delete(("b",)), Stage.FAILED, error="no such file")
    assert [row[1:] for row in emtui.ok("log").rows] == [
        ["complete", "uplink a → /x", "1 file, 3 B, listed"],
        ["failed", "delete b", "no such file"],
    ]
    first = emtui.ok("log").rows[0][0]
    assert abs(datetime.fromisoformat(first) - datetime.now(UTC)) < timedelta(minutes=5)


def test_it_is_read_while_another_emtui_has_the_workspace(emtui: Cli, workspace: Path) -> None:
    held = Workspace(workspace)
    written = Written(workspace)
    written.add(Delete(("b",)))
    try:
        assert emtui("files", "list", "--timeout", "0.1").code == 7
        assert len(emtui.ok("log").rows) == 1
    finally:
        written.journal.close()
        held.close()


def test_what_has_not_ended_is_told_too(emtui: Cli, written: Written) -> None:
    written.add(Delete(("b",)), Stage.SENT)
    (one,) = emtui.ok("log", "--json").json
    assert (one["stage"], one["ended_at"]) == ("sent", None)
    assert one["sent_at"] > one["asked_at"]


def test_every_kind_of_command_is_told_as_the_journal_itself_does(emtui: Cli, written: Written) -> None:
    for command in kinds():
        written.add(command)
    told = emtui.ok("log", "--json").json
    assert [one["title"] for one in told] == [entry.title for entry in written.journal.entries()]
    assert [one["endpoint"] for one in told] == ["em"] * 6 + ["grid"] * 2
    assert told[3]["fields"]["spec"]["command"] == "sh run.sh | tee log"


def test_a_limit_keeps_the_newest_and_since_the_later_ones(emtui: Cli, written: Written) -> None:
    for number, hours in enumerate((50, 3, 1)):
        written.add(Delete((f"f{number}",)), ago=timedelta(hours=hours))
    assert [row[2] for row in emtui.ok("log", "--limit", 2).rows] == ["delete f1", "delete f2"]
    assert [row[2] for row in emtui.ok("log", "--since", "2h").rows] == ["delete f2"]
    assert [row[2] for row in emtui.ok("log", "--since", "1d", "--limit", 1).rows] == ["delete f2"]
    since = (datetime.now(UTC) - timedelta(hours=4)).isoformat()
    assert len(emtui.ok("log", f"--since={since}").rows) == 2
    assert emtui.ok("log", "--since", "1s").stdout == b""


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--since", "soon"), "is not a time: soon. Write 2h"),
        (("--since", "2026-11-21T20:00"), "has no zone"),
        (("--since", "2999-01-01"), "is still to come"),
        (("--limit", "0"), "not a number of entries: 0"),
        (("--limit", "-1"), "not a number of entries: -1"),
        (("--export", "xml"), "invalid choice"),
        (("--json", "--export", "csv"), "two forms of one thing"),
        (("-o", "x"), "-o is for --json and --export"),
        (("-o", "", "--json"), "an empty name is no path"),
    ],
)
def test_wrong_words_are_one_line_and_exit_code_2(words: tuple[str, ...], told: str, emtui: Cli) -> None:
    done = emtui("log", *words)
    assert (done.code, done.stdout, done.stderr.count("\n")) == (2, b"", 1)
    assert told in done.stderr


def test_json_lines_have_every_field_as_it_is(emtui: Cli, written: Written) -> None:
    name = "a\n\x1b[31m\udcff=1+1"
    written.add(Delete((name,)), Stage.FAILED, error=f"no such file: {name}", remedy="Look.", log_tail=BUILD_LOG)
    (one,) = emtui.ok("log", "--export", "jsonl").records
    assert one == emtui.ok("log", "--json").json[0]
    assert one["fields"] == {"paths": [name]}
    assert one["error"] == f"no such file: {name}"
    assert one["log_tail"] == list(BUILD_LOG)
    assert (one["who"], one["profile"], one["remedy"], one["acknowledged"]) == ("operator", "em", "Look.", False)


def test_csv_is_as_rfc_4180_has_it(emtui: Cli, written: Written) -> None:
    written.add(Delete(('a "quoted", one',)), note="done", sent_bytes=3)
    text = emtui.ok("log", "--export", "csv").stdout.decode()
    assert text.count("\r\n") == 2
    header, row = csv.reader(io.StringIO(text, newline=""))
    told = dict(zip(header, row, strict=True))
    assert told["title"] == 'delete a "quoted", one'
    assert (told["bytes"], told["acknowledged"], told["note"]) == ("3", "false", "done")
    assert '"delete a ""quoted"", one"' in text


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1"])
def test_no_foreign_text_is_a_formula_in_a_spreadsheet(text: str, emtui: Cli, written: Written) -> None:
    written.add(Delete(("a",)), Stage.FAILED, error=text, log_tail=(f"{text}\n",))
    header, row = csv.reader(io.StringIO(emtui.ok("log", "--export", "csv").text, newline=""))
    told = dict(zip(header, row, strict=True))
    assert told["error"].startswith("'")
    assert told["log_tail"].startswith("'")
    assert told["error"].endswith(text.strip()[1:])


def test_nothing_raw_reaches_a_terminal(emtui: Cli, written: Written) -> None:
    hostile = "a\x1b]52;c;x\x07\x9b31m\u202e\u200b\udcff\n[red]b"
    written.add(Delete((hostile,)), Stage.FAILED, error=hostile)
    for words in (("log",), ("log", "--json"), ("log", "--export", "csv"), ("log", "--export", "jsonl")):
        out = emtui.ok(*words).stdout
        assert not any(byte < 0x20 and byte not in b"\t\r\n" for byte in out)
        assert "\u202e" not in out.decode()
        assert len(out.splitlines()) == (2 if "csv" in words else 1)


def test_a_file_is_written_whole_and_replaced_only_with_a_yes(emtui: Cli, written: Written, tmp_path: Path) -> None:
    written.add(Delete(("a",)))
    target = tmp_path / "log.jsonl"
    assert emtui.ok("log", "--export", "jsonl", "-o", target).stdout == b""
    whole = target.read_bytes()
    assert whole == emtui.ok("log", "--export", "jsonl").stdout
    target.write_bytes(b"mine")
    refused = emtui("log", "--export", "jsonl", "-o", target)
    assert (refused.code, target.read_bytes()) == (2, b"mine")
    assert "--yes" in refused.stderr
    emtui.ok("log", "--export", "jsonl", "-o", target, "--yes")
    assert target.read_bytes() == whole
    assert [path.name for path in tmp_path.iterdir() if "part" in path.name] == []
    assert emtui.ok("log", "--export", "jsonl", "-o", "-").stdout == whole


def test_a_folder_that_is_missing_is_told(emtui: Cli, written: Written, tmp_path: Path) -> None:
    done = emtui("log", "--json", "-o", tmp_path / "no/log.json")
    assert done.code == 1
    assert "No such file or directory" in done.stderr


def test_a_damaged_journal_is_one_clear_line(emtui: Cli, workspace: Path) -> None:
    workspace.mkdir()
    (workspace / "journal.db").write_bytes(b"not a database at all" * 100)
    done = emtui("log")
    assert (done.code, done.stdout, done.stderr.count("\n")) == (1, b"", 1)
    assert "journal.db" in done.stderr
    assert "Move journal.db aside" in done.stderr


def test_a_pipe_in_the_journals_place_keeps_nobody_waiting(emtui: Cli, workspace: Path) -> None:
    workspace.mkdir()
    os.mkfifo(workspace / "journal.db")
    done = emtui("log")
    assert done.code == 1
    assert "not a regular file" in done.stderr


def test_a_profile_of_the_configuration_has_its_own_journal(bare: Cli, tmp_path: Path, own_home: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[profile.em]\nem_url = "https://em.example.org"\nusername = "client1"\n')
    done = bare.ok("log", "--config", config, "-p", "em")
    assert "/emtui/remote/em-" in done.stderr
    config.write_text(config.read_text() + 'colour = "red"\n')
    assert "colour" in bare.ok("log", "--config", config, "-p", "em").stderr


def test_ten_thousand_entries_are_all_told(emtui: Cli, written: Written) -> None:
    commands = kinds()
    for command in commands:
        written.add(command, note="1 file, 3 B, listed")
    columns = (
        "name, data, who, profile, writer, stage, asked_at, sent_at, changed_at, note, error, remedy, log_tail,"
        " sent_bytes, is_acknowledged"
    )
    with written.journal._db.change(is_synced=False) as db:
        while db.execute("SELECT count(*) FROM commands").fetchone()[0] < 10_000:
            db.execute(f"INSERT INTO commands ({columns}) SELECT {columns} FROM commands")
    assert len(emtui.ok("log", "--export", "csv").lines) > 10_000


def test_the_shapes_are_those_of_activity() -> None:
    assert dict(SIGNS) == {stage: stage_status(stage).sign for stage in Stage}


@pytest.mark.e2e
def test_on_a_terminal_it_is_a_table_with_shapes(written: Written, workspace: Path, own_home: Path) -> None:
    written.add(Delete(("a",)), note="1 entry")
    written.add(Delete(("\x1b[31mred",)), Stage.FAILED, error="no such file")
    written.add(Delete(("b",)), Stage.UNKNOWN, error="no answer")
    command = [sys.executable, "-m", "emtui", "--local", str(workspace), "log"]
    with Terminal(command, cwd=own_home) as terminal:
        assert terminal.wait_exit() == 0
        lines = terminal.text().splitlines()
    assert lines[0].split() == ["TIME", "STAGE", "COMMAND", "RESULT"]
    assert [line.split()[1] for line in lines[1:4]] == ["●", "▼", "?"]
    assert "\\x1b[31mred" in lines[2]
    assert b"\x1b[31m" not in terminal.raw


@pytest.mark.e2e
def test_a_reader_that_has_read_enough_is_no_failure(written: Written, workspace: Path, own_home: Path) -> None:
    for _ in range(3):
        written.add(Delete(("a",)), Stage.FAILED, error="x" * 60_000)
    command = f"{sys.executable} -m emtui --local {workspace} log --json | head -c 2; echo :${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True, cwd=own_home)
    assert done.stdout == "[{:0\n"
    assert done.stderr == ""
