"""A look at a workspace from outside: what it reads is what local mode writes, and what is not there is nothing."""

import os
from pathlib import Path

from emtui.local import glance, store
from emtui.local.glance import entries_of, names_in
from emtui.local.workspace import Workspace
from emtui.storage.sqlite import pack


def test_it_reads_what_the_store_writes(tmp_path: Path) -> None:
    assert glance._APPLICATION_ID == store._APPLICATION_ID
    assert len(store.MIGRATIONS) == glance._SCHEMA
    workspace = Workspace(tmp_path / "ws")
    try:
        with workspace.store.change() as db:
            db.execute("INSERT INTO models VALUES (?, 'b', 1, 1, 'ISO-8859-1', '')", (pack("a \udcff"),))
            db.executemany(
                "INSERT INTO datasets VALUES (?, ?)", [(b"x", pack("#b")), (b"y", pack("#b")), (b"y", pack("#a"))]
            )
            db.execute("INSERT INTO images VALUES ('client1-a:latest', 'i', 'built', '', 1, '{}', NULL)")
        assert names_in(tmp_path / "ws", "models") == ["a \udcff"]
        assert names_in(tmp_path / "ws", "tags") == ["#b", "#a"]
        assert names_in(tmp_path / "ws", "images") == ["client1-a:latest"]
    finally:
        workspace.close()


def test_what_is_not_there_is_nothing_and_is_not_made(tmp_path: Path) -> None:
    assert names_in(tmp_path / "no", "models") == []
    assert list(entries_of(tmp_path / "no", (), 10)) == []
    assert list(tmp_path.iterdir()) == []


def test_links_are_not_followed_and_devices_not_opened(tmp_path: Path) -> None:
    (tmp_path / "ws/volume/folder").mkdir(parents=True)
    (tmp_path / "ws/volume/folder/inner").touch()
    (tmp_path / "ws/volume/link").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "ws/volume/pipe")
    found = dict(entries_of(tmp_path / "ws", (), 10))
    assert found == {"folder": True, "link": False, "pipe": False}
    assert list(entries_of(tmp_path / "ws", ("folder",), 10)) == [("inner", False)]
    for way in (("link",), ("pipe",), ("..",), ("folder", "..", "..")):
        assert list(entries_of(tmp_path / "ws", way, 10)) in ([], [("volume", True)])
    assert list(entries_of(tmp_path / "ws", ("link", "ws"), 10)) == []


def test_only_so_many_are_looked_at(tmp_path: Path) -> None:
    (tmp_path / "ws/volume").mkdir(parents=True)
    for number in range(20):
        (tmp_path / f"ws/volume/{number}").touch()
    assert len(list(entries_of(tmp_path / "ws", (), 7))) == 7
