"""`emtui files` list, uplink and delete in a pipe."""

import json
import os
import stat
from pathlib import Path

import pytest

from emtui.cli.exit_codes import Exit
from emtui.wire.listing import ListingReader
from tests.cli.harness import Cli
from tests.cli.refused import is_refused

HOSTILE = (
    "new\nline",
    "tab\there",
    "\x1b[31mred",
    "\x1b]52;c;aGk=\x07",
    "\u202ebidi",
    "[@click=app.quit]x",
    "not-utf8-\udcff",
    "-leading",
    "$(reboot);`id`",
    "*",
    "' \"",
    "~root",
    "a" * 255,
)


@pytest.fixture
def volume(workspace: Path) -> Path:
    made = workspace / "volume"
    made.mkdir(parents=True)
    return made


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that emtui runs in."""
    made = tmp_path / "here"
    made.mkdir()
    monkeypatch.chdir(made)
    return made


# --------------------------------------------------------------------------------------------------------- list


def test_a_pipe_gets_bytes_time_and_path_between_tabs(emtui: Cli, volume: Path) -> None:
    (volume / "d").mkdir()
    (volume / "d/a.bin").write_bytes(bytes(2048))
    os.utime(volume / "d/a.bin", (0, 0))
    rows = emtui.ok("files", "list").rows
    assert [(row[0], row[2]) for row in rows] == [("2048", "d/"), ("2048", "d/a.bin")]
    assert rows[1][1] == "1970-01-01T00:00:00Z"


def test_json_is_the_data_of_the_specification(emtui: Cli, volume: Path) -> None:
    (volume / "d").mkdir()
    (volume / "d/a").write_bytes(b"12")
    [folder] = emtui.ok("files", "list", "--json").json
    assert set(folder) == {"type", "name", "size", "time", "contents"}
    [file] = folder["contents"]
    assert set(file) == {"type", "name", "size", "time", "hash"}
    assert (file["type"], file["name"], file["size"]) == ("file", "a", "2")
    assert ListingReader().read(b"", [folder]).file_count == 1


@pytest.mark.parametrize("path", ["d", "/d", "d/", "/d/", "//d//", "./d", "d/."])
def test_a_folder_is_listed_however_it_is_written(path: str, emtui: Cli, volume: Path) -> None:
    (volume / "d/e").mkdir(parents=True)
    (volume / "d/e/a").write_bytes(b"1")
    (volume / "other").write_bytes(b"1")
    assert [row[2] for row in emtui.ok("files", "list", path).rows] == ["d/e/", "d/e/a"]


@pytest.mark.parametrize("path", ["", "/", ".", "./"])
def test_the_volume_itself_is_listed(path: str, emtui: Cli, volume: Path) -> None:
    (volume / "a").write_bytes(b"1")
    assert [row[2] for row in emtui.ok("files", "list", path).rows] == ["a"]


def test_a_file_is_listed_with_its_path(emtui: Cli, volume: Path) -> None:
    (volume / "d").mkdir()
    (volume / "d/a").write_bytes(b"1")
    assert [row[2] for row in emtui.ok("files", "list", "d/a").rows] == ["d/a"]
    is_refused(emtui("files", "list", "d/a/"), Exit.NOT_FOUND, "d/a is no folder of the volume")


def test_an_empty_volume_is_an_empty_answer(emtui: Cli) -> None:
    assert emtui.ok("files", "list").stdout == b""
    assert emtui.ok("files", "list", "--json").json == []


@pytest.mark.parametrize(
    ("path", "code"), [("nope", Exit.NOT_FOUND), ("../x", Exit.REFUSED), ("a/../../x", Exit.REFUSED)]
)
def test_what_is_not_in_the_volume_is_told(path: str, code: Exit, emtui: Cli, volume: Path) -> None:
    is_refused(emtui("files", "list", path), code, "volume")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_one_harmless_line_and_goes_up_down_and_away(
    name: str, emtui: Cli, volume: Path, here: Path
) -> None:
    (here / name).write_bytes(b"payload")
    emtui.ok("files", "uplink", "--", f"./{name}")
    assert (volume / name).read_bytes() == b"payload"
    done = emtui.ok("files", "list")
    assert len(done.lines) == 1
    assert done.text.removesuffix("\n").replace("\t", "").isprintable()
    [node] = emtui.ok("files", "list", "--json").json
    assert node["name"] == name
    back = emtui.ok("files", "downlink", "-o", "back/", "--", name)
    assert (here / "back" / name).read_bytes() == b"payload"
    assert back.text.removesuffix("\n").isprintable()
    assert emtui.ok("files", "downlink", "-o", "-", "--", f"/{name}").stdout == b"payload"
    asked = emtui("files", "delete", "--", name)
    assert asked.stderr.removesuffix("\n").isprintable()
    emtui.ok("files", "delete", "--yes", "--", name)
    assert list(volume.iterdir()) == []


# ------------------------------------------------------------------------------------------------------- uplink


def test_files_and_folders_go_where_they_are_sent(emtui: Cli, volume: Path, here: Path) -> None:
    (here / "d/e").mkdir(parents=True)
    (here / "d/e/a").write_bytes(b"1")
    (here / "b").write_bytes(b"22")
    done = emtui.ok("files", "uplink", "d", "b", "--dest", "/in/side/")
    assert done.text == "uplink 2 files → /in/side: 2 files, 3 B, listed\n"
    assert (volume / "in/side/d/e/a").read_bytes() == b"1"
    assert (volume / "in/side/b").read_bytes() == b"22"


def test_json_tells_how_an_uplink_ended(emtui: Cli, volume: Path, here: Path) -> None:
    (here / "b").write_bytes(b"22")
    told = emtui.ok("files", "uplink", "b", "--json").json
    assert (told["command"], told["stage"], told["bytes"], told["error"]) == ("uplink", "complete", 2, "")


def test_a_file_of_the_volume_is_replaced_only_when_that_is_agreed(emtui: Cli, volume: Path, here: Path) -> None:
    (here / "b").write_bytes(b"new")
    (volume / "b").write_bytes(b"old")
    is_refused(emtui("files", "uplink", "b"), Exit.USAGE, "Replace /b of the volume? Nobody can be asked")
    assert (volume / "b").read_bytes() == b"old"
    emtui.ok("files", "uplink", "b", "--yes")
    assert (volume / "b").read_bytes() == b"new"


def test_a_file_beside_others_is_no_question(emtui: Cli, volume: Path, here: Path) -> None:
    (here / "b").write_bytes(b"new")
    (volume / "d").mkdir()
    (volume / "d/b").write_bytes(b"old")
    emtui.ok("files", "uplink", "b")
    assert (volume / "d/b").read_bytes() == b"old"
    done = emtui("files", "uplink", "b", "--dest", "d")
    assert done.code == Exit.USAGE
    assert "/d/b" in done.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("-",), "stdin"),
        (("",), "an empty name is no path"),
        ((), "required: SRC"),
        (("a", "--dest"), "expected one argument"),
    ],
)
def test_what_cannot_be_a_source_is_a_wrong_use(words: tuple[str, ...], told: str, emtui: Cli, here: Path) -> None:
    (here / "a").write_bytes(b"")
    is_refused(emtui("files", "uplink", *words), Exit.USAGE, told)


def test_a_file_that_is_called_dash_can_be_sent(emtui: Cli, volume: Path, here: Path) -> None:
    (here / "-").write_bytes(b"dash")
    emtui.ok("files", "uplink", "./-")
    assert (volume / "-").read_bytes() == b"dash"


def test_a_tilde_is_a_letter(emtui: Cli, volume: Path, here: Path, own_home: Path) -> None:
    (own_home / "secret").write_bytes(b"of the home")
    (here / "~").mkdir()
    (here / "~/a").write_bytes(b"of here")
    emtui.ok("files", "uplink", "./~")
    assert [path.name for path in volume.rglob("*") if path.is_file()] == ["a"]
    emtui.ok("files", "downlink", "~/a", "-o", "./~/b")
    assert (here / "~/b").read_bytes() == b"of here"


def test_what_cannot_be_read_here_is_told(emtui: Cli, volume: Path, here: Path) -> None:
    os.mkfifo(here / "fifo")
    (here / "empty").mkdir()
    (here / "d").mkdir()
    (here / "d/f").write_bytes(b"")
    (here / "to-folder").symlink_to("d")
    (here / "gone").symlink_to("nowhere")
    is_refused(emtui("files", "uplink", "missing"), Exit.FAILED, "No such file")
    is_refused(emtui("files", "uplink", "gone"), Exit.FAILED, "No such file")
    is_refused(emtui("files", "uplink", "fifo"), Exit.FAILED, "FIFO")
    is_refused(emtui("files", "uplink", "empty"), Exit.REFUSED, "No files were provided")
    is_refused(emtui("files", "uplink", "to-folder"), Exit.REFUSED, "a link to a folder is not followed")
    assert list(volume.iterdir()) == []


def test_a_link_that_is_named_is_followed_and_one_in_a_folder_is_left_out_and_told(
    emtui: Cli, volume: Path, here: Path
) -> None:
    (here / "d").mkdir()
    (here / "d/a").write_bytes(b"1")
    (here / "d/link").symlink_to("a")
    (here / "named").symlink_to("d/a")
    done = emtui.ok("files", "uplink", "d", "named")
    assert "left out: " in done.stderr
    assert "d/link: a link is not followed" in done.stderr
    assert (volume / "named").read_bytes() == b"1"
    assert not (volume / "d/link").exists()


def test_two_files_of_one_name_are_refused_before_one_is_sent(emtui: Cli, volume: Path, here: Path) -> None:
    for folder in ("x", "y"):
        (here / folder).mkdir()
        (here / folder / "a").write_bytes(folder.encode())
    is_refused(emtui("files", "uplink", "x/a", "y/a"), Exit.REFUSED, "would be one file")
    assert list(volume.iterdir()) == []
    emtui.ok("files", "uplink", "x/a", "./x/a", here / "x/a")


def test_a_destination_that_is_a_file_of_the_volume_is_refused_with_what_to_do(
    emtui: Cli, volume: Path, here: Path
) -> None:
    (here / "b").write_bytes(b"one")
    (volume / "a").write_bytes(b"two")
    is_refused(emtui("files", "uplink", "b", "--dest", "a"), Exit.REFUSED, "not a folder: a. Name a folder of the")
    assert (volume / "a").read_bytes() == b"two"


@pytest.mark.parametrize("dest", ["../out", "a/../../b", "a\0b"])
def test_a_destination_outside_is_refused_before_anything_is_asked(dest: str, emtui: Cli, here: Path) -> None:
    (here / "a").write_bytes(b"")
    is_refused(emtui("files", "uplink", "a", "--dest", dest), Exit.USAGE, "leaves the volume")


def test_read_only_refuses_what_changes_and_allows_what_does_not(emtui: Cli, volume: Path, here: Path) -> None:
    (here / "b").write_bytes(b"b")
    (volume / "a").write_bytes(b"a")
    for words in (("uplink", "b"), ("delete", "a", "--yes"), ("sync", "b")):
        done = emtui("files", *words, "--read-only")
        assert done.code == Exit.REFUSED
        assert "read-only" in done.stderr
    assert [path.name for path in volume.iterdir()] == ["a"]
    emtui.ok("files", "list", "--read-only")
    emtui.ok("files", "sync", "b", "--dry-run", "--read-only")
    emtui.ok("files", "downlink", "a", "--read-only")
    assert (here / "a").read_bytes() == b"a"


# ------------------------------------------------------------------------------------------------------- delete


def test_deleting_needs_to_be_agreed_to(emtui: Cli, volume: Path) -> None:
    (volume / "d").mkdir()
    (volume / "d/a").write_bytes(bytes(1024))
    (volume / "b").write_bytes(b"")
    is_refused(emtui("files", "delete", "d"), Exit.USAGE, "Delete /d with 1 file, 1.0 KiB, from the volume for good?")
    done = emtui("files", "delete", "d", "b")
    assert (done.code, done.stdout, done.stderr.splitlines()[:2]) == (Exit.USAGE, b"", ["  /d", "  /b"])
    assert "Delete 2 entries with 2 files" in done.stderr
    assert (volume / "d/a").exists()
    assert emtui.ok("files", "delete", "d", "/d/a", "d/", "--yes").text == "delete 2 entries: 1 entry\n"
    assert [path.name for path in volume.iterdir()] == ["b"]


def test_nothing_is_deleted_when_one_name_is_wrong(emtui: Cli, volume: Path) -> None:
    (volume / "b").write_bytes(b"")
    is_refused(emtui("files", "delete", "b", "nope", "--yes"), Exit.NOT_FOUND, "nope")
    is_refused(emtui("files", "delete", "b", "/", "--yes"), Exit.REFUSED, "the volume itself cannot be deleted")
    is_refused(emtui("files", "delete", "b/", "--yes"), Exit.NOT_FOUND, "no folder")
    is_refused(emtui("files", "delete", "", "--yes"), Exit.USAGE, "an empty name")
    assert (volume / "b").exists()


def test_stars_are_letters_of_a_name(emtui: Cli, volume: Path) -> None:
    for name in ("*", "a", "?"):
        (volume / name).write_bytes(b"")
    emtui.ok("files", "delete", "*", "--yes")
    assert sorted(path.name for path in volume.iterdir()) == ["?", "a"]


def test_json_tells_of_a_refused_change_too(emtui: Cli, volume: Path, here: Path) -> None:
    (volume / "d").mkdir()
    (here / "d").write_bytes(b"a file where a folder is")
    done = emtui("files", "uplink", "d", "--json")
    assert done.code == Exit.REFUSED
    told = json.loads(done.stdout)
    assert told["stage"] == "failed"
    assert told["error"]


def test_what_is_kept_here_has_the_rights_of_a_new_file(emtui: Cli, volume: Path, here: Path) -> None:
    (volume / "a").write_bytes(b"1")
    (here / "usual").write_bytes(b"")
    emtui.ok("files", "downlink", "a")
    assert stat.S_IMODE((here / "a").stat().st_mode) == stat.S_IMODE((here / "usual").stat().st_mode)


def test_a_workspace_that_is_only_looked_at_is_not_made(bare: Cli, tmp_path: Path) -> None:
    typo = tmp_path / "typo"
    told = f"{typo}: no workspace is there, and read-only none is made. Check the name"
    is_refused(bare("--read-only", "--local", typo, "files", "list"), Exit.CONFIG, told)
    assert not typo.exists()
    typo.mkdir()
    is_refused(bare("--read-only", "--local", typo, "files", "list"), Exit.CONFIG, told)
    assert list(typo.iterdir()) == []
    (typo / "mine").touch()
    is_refused(bare("--read-only", "--local", typo, "files", "list"), Exit.CONFIG, "not a workspace of emtui")
    (typo / "mine").unlink()
    (typo / "volume").mkdir()
    assert bare.ok("--read-only", "--local", typo, "files", "list").rows == []
