"""`emtui files downlink` in a pipe: folders, new names, stdout."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from emtui import files
from emtui.cli.exit_codes import Exit
from tests.cli.harness import Cli
from tests.cli.refused import is_refused


@pytest.fixture
def volume(workspace: Path) -> Path:
    made = workspace / "volume"
    (made / "d/e").mkdir(parents=True)
    (made / "a").write_bytes(b"one")
    (made / "d/a").write_bytes(b"another")
    (made / "d/e/b").write_bytes(b"deep")
    return made


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = tmp_path / "here"
    made.mkdir()
    monkeypatch.chdir(made)
    return made


@pytest.fixture
def blind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose disk takes names that collide for one, as those of macOS and Windows do."""
    monkeypatch.setattr(files, "are_one_file", lambda _one, _other: True)
    made = tmp_path / "blind"
    made.mkdir()
    return made


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


D = {"d/a": b"another", "d/e/b": b"deep"}


@pytest.mark.parametrize(
    ("words", "there"),
    [
        (("a",), {"a": b"one"}),
        (("/a",), {"a": b"one"}),
        (("a", "a", "/a", "./a"), {"a": b"one"}),
        (("d",), D),
        (("d/",), D),
        (("/",), {"a": b"one", **D}),
        (("a", "-o", "new"), {"new": b"one"}),
        (("a", "-o", "new/"), {"new/a": b"one"}),
        (("a", "-o", "new/deep/"), {"new/deep/a": b"one"}),
        (("a", "-o", "new/."), {"new/a": b"one"}),
        (("a", "d/e", "-o", "new"), {"new/a": b"one", "new/e/b": b"deep"}),
        (("d", "-o", "new"), {f"new/{path}": data for path, data in D.items()}),
        (("a", "-o", "./-"), {"-": b"one"}),
    ],
)
def test_what_comes_goes_where_it_is_sent(
    words: tuple[str, ...], there: dict[str, bytes], emtui: Cli, volume: Path, here: Path
) -> None:
    emtui.ok("files", "downlink", *words)
    assert tree(here) == there


def test_a_folder_that_is_there_takes_the_file(emtui: Cli, volume: Path, here: Path) -> None:
    (here / "out").mkdir()
    emtui.ok("files", "downlink", "a", "-o", "out")
    assert tree(here) == {"out/a": b"one"}


def test_a_file_here_is_replaced_only_when_that_is_agreed(emtui: Cli, volume: Path, here: Path) -> None:
    (here / "a").write_bytes(b"mine")
    is_refused(emtui("files", "downlink", "a"), Exit.USAGE, f"Replace {here}/a here? Nobody can be asked")
    assert tree(here) == {"a": b"mine"}
    emtui.ok("files", "downlink", "a", "--yes")
    assert tree(here) == {"a": b"one"}


def test_a_link_here_is_replaced_and_not_followed(emtui: Cli, volume: Path, here: Path) -> None:
    (here / "a").symlink_to("elsewhere")
    assert emtui("files", "downlink", "a").code == Exit.USAGE
    emtui.ok("files", "downlink", "a", "--yes")
    assert not (here / "a").is_symlink()
    assert not (here / "elsewhere").exists()


def test_what_cannot_be_its_place_is_told(emtui: Cli, volume: Path, here: Path) -> None:
    (here / "file").write_bytes(b"")
    (here / "out/a").mkdir(parents=True)
    is_refused(emtui("files", "downlink", "a", "-o", "file/", "--yes"), Exit.FAILED, "file is a file")
    is_refused(emtui("files", "downlink", "a", "d", "-o", "file", "--yes"), Exit.FAILED, "file is a file")
    is_refused(emtui("files", "downlink", "a", "-o", "out", "--yes"), Exit.FAILED, "out/a is a folder here")
    is_refused(emtui("files", "downlink", "a", "d/a"), Exit.FAILED, "would be one file here")
    is_refused(emtui("files", "downlink", "a", "-o", ""), Exit.USAGE, "an empty name")
    is_refused(emtui("files", "downlink", "a", "nope"), Exit.NOT_FOUND, "nope")
    is_refused(emtui("files", "downlink", "a", "../../etc/passwd"), Exit.REFUSED, "leaves the volume")
    assert tree(here) == {"file": b""}


@pytest.mark.parametrize("words", [("a", "-o", "x/y/new"), ("d", "-o", "x/y"), ("a", "d", "-o", "x/y")])
def test_no_folder_is_made_above_a_name_that_is_not_written_as_a_folder(
    words: tuple[str, ...], emtui: Cli, volume: Path, here: Path
) -> None:
    missing = Path(words[-1]).parent
    is_refused(emtui("files", "downlink", *words), Exit.FAILED, f"{here / missing}: no such folder. Make it, or")
    assert list(here.iterdir()) == []


def test_one_folder_does_not_go_where_a_file_is(emtui: Cli, volume: Path, here: Path) -> None:
    (here / "got.bin").write_bytes(b"mine")
    done = emtui("files", "downlink", "d", "-o", "got.bin", "--yes")
    is_refused(done, Exit.FAILED, f"{here}/got.bin is a file. Name a folder")
    assert tree(here) == {"got.bin": b"mine"}


def test_names_that_this_disk_tells_apart_come_as_they_are(emtui: Cli, volume: Path, here: Path) -> None:
    names = ("README", "readme", "\u00fc", "u\u0308")
    for name in names:
        (volume / "d" / name).write_text(name)
    emtui.ok("files", "downlink", "d", "-o", "out/")
    assert all((here / "out/d" / name).read_text() == name for name in names)
    assert sorted(path.name for path in (here / "out").iterdir()) == ["d"]


def test_names_that_are_one_on_this_disk_are_refused_before_anything_comes(
    emtui: Cli, volume: Path, here: Path, blind: Path
) -> None:
    (volume / "d/README").write_bytes(b"one")
    (volume / "d/readme").write_bytes(b"other")
    done = emtui("files", "downlink", "d", "-o", f"{blind}/new/")
    is_refused(done, Exit.FAILED, f"{blind}/new/d/README and {blind}/new/d/readme would be one file here")
    assert list(blind.iterdir()) == []


def test_names_that_look_the_same_are_told_with_escapes(emtui: Cli, volume: Path, here: Path, blind: Path) -> None:
    (volume / "d/\u00fc").write_bytes(b"one")
    (volume / "d/u\u0308").write_bytes(b"other")
    done = emtui("files", "downlink", "d", "-o", f"{blind}/new/")
    is_refused(done, Exit.FAILED, "would be one file here")
    assert {"new/d/\\xfc", "new/d/u\\u0308"} <= {word.partition("blind/")[2] for word in done.stderr.split()}


def test_a_link_of_the_volume_is_not_followed(emtui: Cli, volume: Path, here: Path) -> None:
    (volume / "link").symlink_to("/etc/passwd")
    is_refused(emtui("files", "downlink", "link"), Exit.REFUSED, "link")
    assert tree(here) == {}


def test_json_tells_how_a_downlink_ended(emtui: Cli, volume: Path, here: Path) -> None:
    told = emtui.ok("files", "downlink", "a", "--json").json
    assert (told["command"], told["stage"], told["bytes"]) == ("downlink", "complete", 3)


# ------------------------------------------------------------------------------------------------------- stdout


def test_stdout_gets_the_bytes_and_nothing_else(emtui: Cli, volume: Path, here: Path) -> None:
    data = bytes(range(256)) * 8192
    (volume / "a").write_bytes(data)
    done = emtui.ok("files", "downlink", "a", "-o", "-")
    assert done.stdout == data
    assert done.stderr == ""
    assert tree(here) == {}
    assert emtui.ok("log").rows[-1][2] == "downlink a → stdout"


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("a", "d/a"), Exit.USAGE, "writes one file to stdout"),
        (("a", "--json"), Exit.USAGE, "--json"),
        (("d",), Exit.REFUSED, "/d is a folder"),
        (("/",), Exit.REFUSED, "/ is a folder"),
        (("nope",), Exit.NOT_FOUND, "nope"),
    ],
)
def test_what_stdout_cannot_have_is_refused(
    words: tuple[str, ...], code: Exit, told: str, emtui: Cli, volume: Path
) -> None:
    is_refused(emtui("files", "downlink", *words, "-o", "-"), code, told)


def test_a_large_file_goes_through_a_pipe_and_a_reader_that_leaves_is_no_failure(volume: Path, workspace: Path) -> None:
    piece = os.urandom(1 << 20)
    digest = hashlib.sha256()
    with (volume / "big").open("wb") as file:
        for number in range(64):
            file.write(number.to_bytes(4, "big") + piece[4:])
            digest.update(number.to_bytes(4, "big") + piece[4:])
    words = [sys.executable, "-m", "emtui", "--local", str(workspace), "--engine", "simulated"]
    words += ["files", "downlink", "big", "-o", "-"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert hashlib.file_digest(process.stdout, "sha256").digest() == digest.digest()  # type: ignore[arg-type] # a pipe reads as a file does
        assert process.wait(30) == Exit.OK
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert len(process.stdout.read(10)) == 10
        process.stdout.close()
        assert process.wait(30) == Exit.OK
        assert process.stderr.read() == b""
