"""The virtual list: cursor, marks and scrolling, and that only what is seen is drawn."""

import time
from collections.abc import Hashable

from pane_app import PaneApp
from textual.pilot import Pilot
from ui_harness import screen_lines, unsafe_characters, until

from widgets.cells import Line
from widgets.palette import Part
from widgets.row_list import RowList


class Words(RowList[str]):
    is_markable = True

    def __init__(self) -> None:
        super().__init__()
        self.drawn: list[str] = []
        self.said: list[tuple[str, Hashable]] = []

    def key_of(self, row: str) -> str:
        return row

    def draw_row(self, row: str, width: int) -> Line:
        self.drawn.append(row)
        return (Part(row[:width]),)

    def on_row_list_highlighted(self, event: RowList.Highlighted) -> None:
        self.said.append(("highlighted", event.key))

    def on_row_list_opened(self, event: RowList.Opened) -> None:
        assert event.control is self
        self.said.append(("opened", event.row))

    def on_row_list_marked(self, event: RowList.Marked) -> None:
        self.said.append(("marked", event.marks))


def words(count: int) -> list[str]:
    return [f"word {index:06d}" for index in range(count)]


def listed(rows: list[str]) -> tuple[PaneApp, Words]:
    def make() -> Words:
        widget = Words()
        widget.set_rows(rows)
        return widget

    app = PaneApp(make)
    assert isinstance(app.widget, Words)
    return app, app.widget


async def drawn(pilot: Pilot[None]) -> None:
    await pilot.pause()


async def test_keys_move_the_cursor() -> None:
    app, rows = listed(words(100))
    async with app.run_test(size=(40, 10)) as pilot:
        rows.focus()
        for key, expected in (
            ("down", 1),
            ("j", 2),
            ("k", 1),
            ("up", 0),
            ("up", 0),
            ("pagedown", 9),
            ("pageup", 0),
            ("end", 99),
            ("down", 99),
            ("home", 0),
            ("G", 99),
        ):
            await pilot.press(key)
            assert rows.cursor == expected, key
        assert "word 000099" in "\n".join(screen_lines(app))
        assert ("highlighted", "word 000099") in rows.said


async def test_cursor_and_marks_stay_with_their_rows() -> None:
    app, rows = listed(words(50))
    async with app.run_test(size=(40, 10)) as pilot:
        rows.focus()
        await pilot.press("down", "space", "space", "down")
        assert rows.marks == {"word 000001", "word 000002"}
        assert rows.cursor_key == "word 000004"
        rows.set_rows(["a new one", *words(50)])
        assert rows.cursor_key == "word 000004"
        assert rows.cursor == 5
        rows.set_rows(words(3))  # its row is gone
        assert rows.cursor == 2
        rows.set_rows([])
        assert rows.cursor_row is None
        assert rows.cursor_key is None
        await pilot.press("enter", "space", "down", "end")
        assert not [what for what, _ in rows.said if what == "opened"]


async def test_what_is_seen_stays_in_place_when_rows_come_above() -> None:
    app, rows = listed(words(500))
    async with app.run_test(size=(40, 10)) as pilot:
        rows.move_to(250)
        await pilot.pause()
        top = rows.scroll_offset.y
        rows.set_rows([*(f"new {index}" for index in range(20)), *words(500)])
        await pilot.pause()
        assert rows.scroll_offset.y == top + 20
        assert rows.cursor_key == "word 000250"


async def test_a_row_that_moved_far_is_found() -> None:
    app, rows = listed(words(5_000))
    async with app.run_test(size=(40, 10)):
        rows.move_to(3)
        rows.set_rows(list(reversed(words(5_000))))
        assert rows.cursor_key == "word 000003"
        assert rows.move_to_key("word 004000")
        assert not rows.move_to_key("no such word")
        assert rows.cursor_key == "word 004000"


async def test_mouse() -> None:
    app, rows = listed(words(50))
    async with app.run_test(size=(40, 10)) as pilot:
        await pilot.click(rows, offset=(10, 4))
        assert rows.cursor == 4
        assert not [what for what, _ in rows.said if what == "opened"]
        await pilot.click(rows, offset=(0, 5))
        assert rows.marks == {"word 000005"}
        await pilot.click(rows, offset=(10, 3), times=2)
        await until(lambda: ("opened", "word 000003") in rows.said, pilot)
        rows.set_rows(words(2))
        await pilot.click(rows, offset=(10, 8))  # below the last one
        assert rows.cursor == 1


async def test_only_what_is_seen_is_drawn() -> None:
    app, rows = listed(words(100_000))
    async with app.run_test(size=(40, 10)) as pilot:
        rows.focus()
        await pilot.pause()
        assert len(set(rows.drawn)) <= 10
        rows.drawn.clear()
        await pilot.press("down")
        await pilot.pause()
        # The row that lost the cursor and the row that got it.
        assert sorted(set(rows.drawn)) == ["word 000000", "word 000001"]
        rows.drawn.clear()
        rows.line_changed(50_000)
        await pilot.pause()
        assert rows.drawn == []


async def test_a_hundred_thousand_rows_are_set_at_once() -> None:
    app, rows = listed([])
    many = words(100_000)
    async with app.run_test(size=(40, 10)) as pilot:
        started = time.perf_counter()
        rows.set_rows(many)
        # It takes microseconds; the bound is for a busy machine.
        assert time.perf_counter() - started < 0.05
        await pilot.pause()
        assert "word 000000" in "\n".join(screen_lines(app))


async def test_resizing_keeps_the_cursor_in_view() -> None:
    app, rows = listed(words(100))
    async with app.run_test(size=(40, 30)) as pilot:
        rows.focus()
        rows.move_to(25)
        for size in ((40, 5), (3, 2), (1, 1), (80, 24)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
        await pilot.resize_terminal(40, 5)
        await pilot.pause()
        assert "word 000025" in "\n".join(screen_lines(app))
        assert rows.has_focus


async def test_the_last_door_escapes_what_a_subclass_forgot() -> None:
    app, _ = listed(["\x1b]52;c;x\x07", "bell\x07", "\udcff"])
    async with app.run_test(size=(40, 10)) as pilot:
        await pilot.pause()
        assert "\\x1b]52;c;x\\x07" in "\n".join(screen_lines(app))
        assert unsafe_characters(app) == []
