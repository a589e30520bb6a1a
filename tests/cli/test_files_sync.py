"""`emtui files sync`: what is sent, what is not, and why."""

import os
import time
from pathlib import Path

import pytest

from emtui.cli.exit_codes import Exit
from emtui.files.synced import FILE_NAME
from tests.cli.harness import Cli
from tests.cli.refused import is_refused
from tests.cli.wired import file_node, listed, wired
from tests.serving import served_here
from tests.wire_server import Asked, answer

HOUR_S = 3600.0


@pytest.fixture
def volume(workspace: Path) -> Path:
    return workspace / "volume"


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder `s` with files in it, in the folder that emtui runs in."""
    made = tmp_path / "here/s"
    (made / "deep").mkdir(parents=True)
    (made / "a").write_bytes(b"one")
    (made / "b").write_bytes(b"two")
    (made / "deep/c").write_bytes(b"three")
    monkeypatch.chdir(made.parent)
    return made


def would_send(emtui: Cli, *words: object) -> list[tuple[str, str]]:
    return [(one["path"], one["reason"]) for one in emtui.ok("files", "sync", "s", *words, "--dry-run", "--json").json]


ALL = [("s/a", "new"), ("s/b", "new"), ("s/deep/c", "new")]


def test_all_is_sent_once_and_nothing_right_after(emtui: Cli, volume: Path, source: Path) -> None:
    assert would_send(emtui) == ALL
    assert emtui.ok("files", "sync", "s").text == "sync: sent 3 files, 11 B; 0 are there already\n"
    assert (volume / "s/deep/c").read_bytes() == b"three"
    assert emtui.ok("files", "sync", "s").text == "sync: sent 0 files, 0 B; 3 are there already\n"
    assert would_send(emtui) == []


def test_a_dry_run_tells_sizes_and_changes_nothing(emtui: Cli, volume: Path, workspace: Path, source: Path) -> None:
    done = emtui.ok("files", "sync", "s", "--dest", "/in/", "--dry-run")
    assert done.rows == [["3", "new", "in/s/a"], ["3", "new", "in/s/b"], ["5", "new", "in/s/deep/c"]]
    [first, *_] = emtui.ok("files", "sync", "s", "--dry-run", "--json").json
    assert first == {"path": "s/a", "size_bytes": 3, "reason": "new"}
    assert list(volume.iterdir()) == []
    assert not (workspace / FILE_NAME).exists()


def test_a_change_of_the_same_size_within_the_minute_is_sent(emtui: Cli, volume: Path, source: Path) -> None:
    emtui.ok("files", "sync", "s")
    (source / "a").write_bytes(b"ONE")
    assert would_send(emtui) == [("s/a", "hash")]
    emtui.ok("files", "sync", "s")
    assert (volume / "s/a").read_bytes() == b"ONE"
    assert would_send(emtui) == []


def test_a_change_that_looks_older_than_what_was_synced_is_sent(emtui: Cli, volume: Path, source: Path) -> None:
    emtui.ok("files", "sync", "s")
    (source / "a").write_bytes(b"ONE")
    os.utime(source / "a", (1_000_000_000, 1_000_000_000))
    assert would_send(emtui) == [("s/a", "hash")]


def test_what_was_never_synced_is_sent_when_the_listed_hash_is_another(emtui: Cli, volume: Path, source: Path) -> None:
    emtui.ok("files", "uplink", "s")
    (source / "a").write_bytes(b"ONE")
    os.utime(source / "a", (1_000_000_000, 1_000_000_000))
    assert emtui.ok("files", "sync", "s").text == "sync: sent 1 file, 3 B; 2 are there already\n"
    assert (volume / "s/a").read_bytes() == b"ONE"


def test_another_size_is_sent_whatever_its_time(emtui: Cli, volume: Path, source: Path) -> None:
    emtui.ok("files", "sync", "s")
    with (volume / "s/a").open("ab") as file:
        file.write(b" and what a pod wrote")
    assert would_send(emtui) == [("s/a", "size")]


def test_what_the_volume_has_newer_is_left_as_it_is(emtui: Cli, volume: Path, source: Path) -> None:
    emtui.ok("files", "sync", "s")
    later = time.time() + HOUR_S
    (volume / "s/a").write_bytes(b"pod")
    os.utime(volume / "s/a", (later, later))
    done = emtui.ok("files", "sync", "s")
    assert done.text == "sync: sent 0 files, 0 B; 2 are there already\n"
    assert done.stderr == "emtui: left as it is: /s/a was changed in the volume since it was synced\n"
    assert emtui.ok("files", "sync", "s", "--json").json["newer"] == ["s/a"]
    assert (volume / "s/a").read_bytes() == b"pod"
    (source / "a").write_bytes(b"ONE")
    assert would_send(emtui) == [("s/a", "hash")]


def test_a_fresh_copy_of_the_same_bytes_is_not_sent_again(
    emtui: Cli, volume: Path, workspace: Path, source: Path
) -> None:
    emtui.ok("files", "sync", "s")
    (workspace / FILE_NAME).unlink()
    for path in (source / "a", source / "b"):
        path.write_bytes(path.read_bytes())
        os.utime(path, (time.time() + HOUR_S,) * 2)
    (source / "b").write_bytes(b"TWO")
    os.utime(source / "b", (time.time() + HOUR_S,) * 2)
    assert would_send(emtui) == [("s/b", "hash")]


def test_nothing_is_deleted_and_what_was_deleted_there_comes_back(emtui: Cli, volume: Path, source: Path) -> None:
    emtui.ok("files", "sync", "s")
    (volume / "s/only-there").write_bytes(b"kept")
    (volume / "s/b").unlink()
    (source / "a").unlink()
    assert emtui.ok("files", "sync", "s").text.startswith("sync: sent 1 file,")
    assert sorted(path.name for path in (volume / "s").iterdir()) == ["a", "b", "deep", "only-there"]


def test_each_folder_is_one_uplink(emtui: Cli, source: Path) -> None:
    told = emtui.ok("files", "sync", "s", "--json").json
    assert told["stage"] == "complete"
    assert [command["title"] for command in told["commands"]] == ["uplink 2 files → /s", "uplink c → /s/deep"]
    assert [one["path"] for one in told["changes"]] == ["s/a", "s/b", "s/deep/c"]
    assert (told["same"], told["skipped"]) == (0, [])


@pytest.mark.parametrize("spoilt", [b"", b"[]", b'{"version": 1, "files": {"s/a": [1]}}', b"\xff\xfe", b"[" * 100_000])
def test_a_memory_that_is_spoilt_counts_as_none(spoilt: bytes, emtui: Cli, workspace: Path, source: Path) -> None:
    emtui.ok("files", "sync", "s")
    (workspace / FILE_NAME).write_bytes(spoilt)
    assert would_send(emtui) == []


def test_names_that_are_not_utf8_are_remembered(emtui: Cli, volume: Path, source: Path) -> None:
    (source / "odd\udcff\n").write_bytes(b"odd")
    emtui.ok("files", "sync", "s")
    assert (volume / "s/odd\udcff\n").read_bytes() == b"odd"
    assert would_send(emtui) == []


def test_a_file_and_a_folder_of_one_name_stop_it_before_anything_is_sent(
    emtui: Cli, volume: Path, source: Path
) -> None:
    (volume / "s/b").mkdir(parents=True)
    is_refused(emtui("files", "sync", "s"), Exit.REFUSED, "/s/b is a folder of the volume, and a file here")
    (volume / "s/b").rmdir()
    (volume / "s/deep").write_bytes(b"")
    is_refused(emtui("files", "sync", "s"), Exit.REFUSED, "/s/deep is a file of the volume, and a folder here")
    assert not (volume / "s/a").exists()


def test_what_cannot_be_synced_is_told(emtui: Cli, source: Path) -> None:
    is_refused(emtui("files", "sync", "-"), Exit.USAGE, "stdin")
    is_refused(emtui("files", "sync", "missing"), Exit.FAILED, "No such file")
    is_refused(emtui("files", "sync", "s", "--dest", "../x"), Exit.USAGE, "leaves the volume")


def test_a_sync_that_fails_on_its_way_tells_what_was_done(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uplinks: list[Asked] = []

    def replies(asked: Asked) -> bytes:
        if asked.method == "POST":
            uplinks.append(asked)
            done = {"message": "Successfully uplinked files", "data": {"file_count": 2, "total_size_kb": 0.01}}
            return answer(200, done) if len(uplinks) == 1 else answer(400, {"error": "DISK", "message": "disk full"})
        folder = {"type": "directory", "name": "s", "size": "6", "time": "2025-11-20-12-31"}
        return listed({**folder, "contents": [file_node("a", 3), file_node("b", 3)]}) if uplinks else listed()

    with wired(replies) as server:
        done = Cli(monkeypatch, "--em-url", server.url)("files", "sync", "s", "--json")
    assert done.code == Exit.REFUSED
    assert done.json["stage"] == "failed"
    assert [command["stage"] for command in done.json["commands"]] == ["complete", "failed"]
    assert "disk full" in done.json["commands"][1]["error"]
    assert "disk full" in done.stderr


@pytest.mark.parametrize("clock", ["2001-01-01-00-00", "2037-01-01-00-00"])
def test_a_clock_that_is_wrong_over_there_does_not_count_after_the_first_time(
    clock: str, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = {"type": "directory", "name": "s", "size": "6", "time": clock}
    nodes = [file_node("a", 3, clock), file_node("b", 3, clock)]
    (source / "deep/c").unlink()
    uplinks: list[Asked] = []

    def replies(asked: Asked) -> bytes:
        if asked.method == "POST":
            uplinks.append(asked)
            return answer(200, {"message": "", "data": {"file_count": 2, "total_size_kb": 0.01}})
        return listed({**folder, "contents": nodes}) if uplinks else listed()

    with wired(replies) as server:
        remote = Cli(monkeypatch, "--em-url", server.url)
        assert remote.ok("files", "sync", "s").text.startswith("sync: sent 2 files")
        assert remote.ok("files", "sync", "s").text.startswith("sync: sent 0 files")
        (source / "a").write_bytes(b"ONE")
        assert remote.ok("files", "sync", "s").text.startswith("sync: sent 1 file,")
        assert remote.ok("files", "sync", "s").text.startswith("sync: sent 0 files")
    assert len(uplinks) == 2


def test_over_the_wire_times_are_minutes_and_nothing_is_sent_right_after(
    bare: Cli, tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served_here(tmp_path / "served") as server:
        monkeypatch.setenv("EMTUI_TOKEN", server.token())
        remote = Cli(monkeypatch, "--em-url", server.url, "--username", "client1")
        assert remote.ok("files", "sync", "s").text.startswith("sync: sent 3 files")
        assert remote.ok("files", "sync", "s").text.startswith("sync: sent 0 files")
        (source / "a").write_bytes(b"ONE")
        assert remote.ok("files", "sync", "s").text.startswith("sync: sent 1 file,")
        assert (server.volume / "s/a").read_bytes() == b"ONE"
        assert remote.ok("files", "sync", "s").text.startswith("sync: sent 0 files")


def test_over_the_wire_other_bytes_are_sent_however_old_they_are(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served_here(tmp_path / "served") as server:
        monkeypatch.setenv("EMTUI_TOKEN", server.token())
        remote = Cli(monkeypatch, "--em-url", server.url, "--username", "client1")
        remote.ok("files", "uplink", "s")
        (source / "a").write_bytes(b"ONE")
        os.utime(source / "a", (1_000_000_000, 1_000_000_000))
        assert remote.ok("files", "sync", "s").text == "sync: sent 1 file, 3 B; 2 are there already\n"
        assert (server.volume / "s/a").read_bytes() == b"ONE"
