"""What completion keeps: short-lived, for its owner alone, and nobody's loss."""

import json
import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import time_machine

from emtui.completing.asking import known_names, remember_images, run_name
from emtui.completing.cache import (
    FAILED_S,
    FRESH_S,
    Recalled,
    outdate,
    recall,
    remember,
    remember_failure,
    remember_listing,
)
from emtui.models import Image
from emtui.plain import FileNode, Listing
from emtui.profile import Profile, Remote

EM = Profile(
    Path("/nowhere"),
    em=Remote("http://127.0.0.1:9", username="client1"),
    grid=Remote("http://127.0.0.1:9"),
    has_local=False,
)
NOW = datetime(2026, 11, 21, 20, 47, 13, tzinfo=UTC)


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


def kept(own_home: Path) -> list[Path]:
    return sorted((own_home / ".cache/emtui/completion").iterdir())


def test_names_come_back_as_they_were(own_home: Path) -> None:
    names = ("a b", "new\nline", "\x1b[31m", "\udcff", "ü🛰", "")
    remember(EM, "models", names)
    assert recall(EM, "models").names == names
    assert recall(EM, "models").is_fresh
    assert recall(EM, "tags").names == ()


def test_what_has_been_changed_is_asked_for_anew_and_taken_where_no_answer_comes(own_home: Path) -> None:
    remember(EM, "files", ["a"])
    remember(EM, "images", ["b"])
    remember(EM, "models", ["c"])
    outdate(EM, "em")
    assert (recall(EM, "files"), recall(EM, "images")) == (Recalled(("a",)), Recalled(("b",)))
    assert recall(EM, "models").is_fresh
    remember_failure(EM, "files")
    assert recall(EM, "files").names == ("a",)
    outdate(EM, "em")
    assert not recall(EM, "files").is_fresh


def test_what_is_not_kept_is_not_outdated(own_home: Path) -> None:
    outdate(EM, "grid")
    assert not (own_home / ".cache").exists()


def test_they_are_readable_by_their_owner_alone(own_home: Path) -> None:
    remember(EM, "models", ["a"])
    (file,) = kept(own_home)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert "client1" not in file.name
    remember(EM, "models", ["b"])
    assert kept(own_home) == [file]


def test_they_are_fresh_for_a_minute_and_known_for_longer(own_home: Path, clock: time_machine.Traveller) -> None:
    remember(EM, "models", ["a"])
    clock.shift(FRESH_S - 1)
    assert recall(EM, "models").is_fresh
    clock.shift(2)
    assert recall(EM, "models") == Recalled(("a",), is_fresh=False)
    clock.move_to(NOW.replace(hour=1))
    assert not recall(EM, "models").is_fresh  # written by a clock that was ahead


def test_a_failure_keeps_the_names_and_is_not_repeated_at_once(own_home: Path, clock: time_machine.Traveller) -> None:
    remember(EM, "models", ["a"])
    clock.shift(FRESH_S + 1)
    remember_failure(EM, "models")
    assert (recall(EM, "models").names, recall(EM, "models").is_fresh) == (("a",), True)
    clock.shift(FAILED_S + 1)
    assert not recall(EM, "models").is_fresh


@pytest.mark.parametrize(
    ("profile", "is_same"),
    [
        (EM, True),
        (Profile(Path("/other"), em=EM.em, label="em", has_local=False), True),
        (Profile(Path("/nowhere"), em=Remote("http://127.0.0.1:9", username="client2"), has_local=False), False),
        (Profile(Path("/nowhere"), em=Remote("http://127.0.0.1:10", username="client1"), has_local=False), False),
        (Profile(Path("/nowhere"), em=Remote("http://127.0.0.1:9", "client1", pvc_name="x"), has_local=False), False),
        (Profile(Path("/nowhere")), False),
    ],
)
def test_names_belong_to_the_address_and_the_user(profile: Profile, is_same: bool, own_home: Path) -> None:
    remember(EM, "images", ["a"])
    assert (recall(profile, "images").names == ("a",)) is is_same


@pytest.mark.parametrize(
    "spoil",
    [
        lambda file: file.chmod(0o644),
        lambda file: file.write_bytes(b"{"),
        lambda file: file.write_text("[]"),
        lambda file: file.write_text(json.dumps({"names": 7, "at": "now"})),
        lambda file: file.write_text("[" * 100_000),
        lambda file: file.write_bytes(b"\xff\xfe"),
        lambda file: (file.unlink(), file.mkdir()),
        lambda file: (file.unlink(), os.mkfifo(file, 0o600)),
        lambda file: (file.rename(file.with_name("x")), file.symlink_to(file.with_name("x"))),
    ],
)
def test_what_is_not_as_it_was_written_is_not_there(spoil: object, own_home: Path) -> None:
    remember(EM, "models", ["a"])
    (file,) = kept(own_home)
    spoil(file)  # type: ignore[operator] # a table of functions
    assert recall(EM, "models").names == ()
    assert not recall(EM, "models").is_fresh


def test_names_that_are_none_are_left_out(own_home: Path) -> None:
    remember(EM, "models", ["a"])
    (file,) = kept(own_home)
    file.write_text(json.dumps({"names": ["a", 7, None], "at": 0}))
    assert recall(EM, "models").names == ("a",)


def test_a_cache_that_cannot_be_written_is_nobodys_loss(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (own_home / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(own_home / "file"))
    remember(EM, "models", ["a"])
    remember_failure(EM, "models")
    assert recall(EM, "models").names == ()


def test_only_so_much_is_kept(own_home: Path) -> None:
    remember(EM, "models", (f"{number}" for number in range(100_000)))
    assert len(recall(EM, "models").names) == 20_000
    remember(EM, "models", ("\U0001f6f0" * 1000 for _ in range(5_000)))
    assert 0 < len(recall(EM, "models").names) < 5_000
    assert kept(own_home)[0].stat().st_size <= 4 << 20


def test_a_remote_volume_is_kept_with_its_folders_marked(own_home: Path) -> None:
    inner = FileNode("file", "b", 1, NOW)
    listing = Listing((FileNode("directory", "a", 1, NOW, contents=(inner,)), FileNode("file", "c", 1, NOW)), "", 2, 2)
    remember_listing(EM, listing)
    assert recall(EM, "files").names == ("a/", "a/b", "c")
    remember_listing(Profile(Path("/nowhere")), listing)
    assert len(kept(own_home)) == 1


@pytest.mark.parametrize(
    ("reference", "user", "expected"),
    [
        ("client1-echo-test:latest", "client1", "echo-test"),
        ("client1-echo-test:v2", "client1", "echo-test:v2"),
        ("alpine:latest", "client1", "alpine"),
        ("client1-:latest", "client1", "client1-"),
        ("client1-x:latest", "", "client1-x"),
        ("localhost:5000/a:latest", "client1", "localhost:5000/a"),
    ],
)
def test_an_image_is_kept_as_a_run_names_it(reference: str, user: str, expected: str) -> None:
    assert run_name(reference, user) == expected


def test_images_are_kept_once(own_home: Path) -> None:
    images = [Image(repository="client1-a"), Image(repository="a"), Image(repository="b", tag="2")]
    remember_images(EM, images)
    assert recall(EM, "images").names == ("a", "b:2")


def test_an_end_that_is_absent_has_no_names() -> None:
    only_grid = Profile(Path("/nowhere"), grid=EM.grid, has_local=False)
    assert known_names(only_grid, "files") == ()


def test_who_does_not_answer_is_asked_once_in_a_while(own_home: Path) -> None:
    """Nothing listens on port 9: refused at once."""
    remember(EM, "models", ["a"])
    (file,) = kept(own_home)
    file.write_text(json.dumps({"names": ["a"], "at": 0}))
    assert known_names(EM, "models") == ("a",)
    told = json.loads(file.read_text())
    assert told["names"] == ["a"]
    assert told["failed_at"] > 0
    assert recall(EM, "models").is_fresh
