"""The volume's tree: opening, selecting, filtering, refreshing, and a hundred thousand files."""

import asyncio
import time

import pytest
import ui_samples as samples
from pane_app import PaneApp
from textual.pilot import Pilot
from textual.widgets import Input
from ui_harness import HOSTILE_NAMES, MONOTONIC, NOW, screen_lines, screen_text, unsafe_characters, until

from emtui.plain import FileNode, Listing
from emtui.views import Feed
from widgets.file_rows import Orders, matching_rows, tree_rows, without_nested
from widgets.files_pane import FilesPane
from widgets.filter_bar import FilterBar


def files_app(listing: Listing | None = None) -> tuple[PaneApp, FilesPane]:
    def make() -> FilesPane:
        pane = FilesPane()
        pane.show(samples.fresh(listing if listing is not None else samples.volume()))
        return pane

    app = PaneApp(make)
    assert isinstance(app.widget, FilesPane)
    return app, app.widget


def shown(pane: FilesPane) -> list[str]:
    return [row.path for row in pane.file_tree.rows]


async def type_filter(pilot: Pilot[None], pane: FilesPane, needle: str) -> None:
    """Type a filter and wait until the pane shows it."""
    await pilot.press("slash", *needle)
    await until(lambda: pane.filter_text == needle, pilot)
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()


async def test_folders_open_and_close() -> None:
    app, pane = files_app()
    async with app.run_test(size=(80, 24)) as pilot:
        assert shown(pane)[:3] == ["", "echo-test", "fisheye"]
        await pilot.press("down", "right")
        assert shown(pane)[:4] == ["", "echo-test", "echo-test/Dockerfile", "echo-test/echo-test.sh"]
        await pilot.press("right")  # into it
        assert pane.cursor_path == "echo-test/Dockerfile"
        await pilot.press("right")  # a file has nothing to open
        assert pane.cursor_path == "echo-test/Dockerfile"
        assert pane.cursor_folder == "echo-test"
        await pilot.press("left")
        assert pane.cursor_path == "echo-test"
        await pilot.press("h")
        assert "echo-test/Dockerfile" not in shown(pane)
        await pilot.press("enter")
        assert "echo-test/Dockerfile" in shown(pane)
        await pilot.press("enter", "left", "left")
        assert shown(pane) == [""]


async def test_enter_on_a_file_is_told() -> None:
    app, pane = files_app()
    async with app.run_test(size=(80, 24)) as pilot:
        assert pane.select("fisheye/calibration/camera-1.json")
        await pilot.press("enter")
        await until(lambda: app.hear(FilesPane.Opened), pilot)
        message = app.hear(FilesPane.Opened)[0]
        assert message.control is pane
        assert (message.path, message.node.name) == ("fisheye/calibration/camera-1.json", "camera-1.json")
        assert pane.cursor_node is message.node


async def test_selection() -> None:
    app, pane = files_app()
    async with app.run_test(size=(80, 24)) as pilot:
        assert pane.selection == ()  # the root is nothing to delete
        await pilot.press("space", "down")
        assert pane.selection == ("fisheye",)
        assert pane.file_tree.marks == set()
        pane.select("echo-test/Dockerfile")
        await pilot.press("space")
        pane.select("echo-test")
        await pilot.press("space")
        pane.select("downlink.txt")
        await pilot.press("space")
        assert pane.selection == ("downlink.txt", "echo-test")
        await until(lambda: app.hear(FilesPane.SelectionChanged)[-1].paths == pane.selection, pilot)
        pane.clear_marks()
        assert len(pane.selection) == 1


def test_without_nested() -> None:
    assert without_nested(["a/b", "a", "a-b", "a/b/c", "b"]) == ("a", "a-b", "b")
    assert without_nested(["x", ""]) == ("",)
    assert without_nested([]) == ()


async def test_a_refresh_keeps_place_marks_and_open_folders() -> None:
    app, pane = files_app()
    async with app.run_test(size=(80, 24)) as pilot:
        pane.select("fisheye/run.py")
        await pilot.press("space")
        pane.select("fisheye/Dockerfile")
        await pilot.press("space")
        before = samples.volume()
        nodes = [samples.file("a-new-file"), *(node for node in before.nodes if node.name != "echo-test")]
        fisheye = next(node for node in nodes if node.name == "fisheye")
        assert fisheye.contents is not None
        smaller = samples.folder("fisheye", *(node for node in fisheye.contents if node.name != "Dockerfile"))
        nodes[nodes.index(fisheye)] = smaller
        pane.show(samples.fresh(samples.listing(*nodes, fingerprint="2")))
        assert pane.file_tree.marks == {"fisheye/run.py"}
        assert pane.cursor_path == "fisheye/run.py"
        assert "fisheye/run.py" in shown(pane)
        assert "a-new-file" in shown(pane)
        assert not pane.select("fisheye/Dockerfile")
        pane.show(Feed(error="gone"))
        assert shown(pane) == []
        assert pane.selection == ()


async def test_the_same_listing_draws_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    app, pane = files_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        drawn: list[object] = []
        monkeypatch.setattr(pane.file_tree, "render_line", drawn.append)
        monkeypatch.setattr(pane.file_tree, "set_rows", drawn.append)
        rows = pane.file_tree.rows
        for _ in range(3):
            pane.show(samples.fresh(samples.volume()))
            await pilot.pause()
        assert drawn == []
        assert pane.file_tree.rows is rows


async def test_a_tick_draws_the_edge_only_and_only_if_it_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    app, pane = files_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        regions: list[object] = []
        refresh = pane.refresh

        def spy(*args: object, **options: object) -> FilesPane:
            regions.extend(args or ["everything"])
            return refresh(*args, **options)  # type: ignore[arg-type,return-value] # passes on what came

        monkeypatch.setattr(pane, "refresh", spy)
        pane.tick(NOW, MONOTONIC)
        assert regions == []
        pane.tick(NOW.replace(second=20), MONOTONIC + 7)
        await pilot.pause()
        assert len(regions) == 2
        assert "everything" not in regions
        assert "9 s" in screen_lines(app)[0]


async def test_filter() -> None:
    app, pane = files_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await type_filter(pilot, pane, "docker")
        assert shown(pane) == ["", "echo-test", "echo-test/Dockerfile", "fisheye", "fisheye/Dockerfile"]
        assert pane.cursor_path == "echo-test/Dockerfile"
        assert "2 matches" in screen_text(app)
        await pilot.press("enter")  # back to the list, the filter stays
        assert pane.file_tree.has_focus
        assert pane.filter_text == "docker"
        await pilot.press("down", "down", "escape")
        assert not pane.query(FilterBar)
        assert pane.filter_text == ""
        assert pane.cursor_path == "fisheye/Dockerfile"
        assert "downlink.txt" in shown(pane)


async def test_filter_without_a_match_and_esc_from_it() -> None:
    app, pane = files_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await type_filter(pilot, pane, "[/]")
        assert shown(pane) == []
        assert "nothing matches [/]" in screen_text(app)
        await pilot.press("escape")
        assert pane.file_tree.has_focus
        assert "downlink.txt" in shown(pane)
        await pilot.press("slash", "down")  # opened and left again with nothing typed
        await until(lambda: not pane.query(FilterBar), pilot)


async def test_filter_stays_on_through_a_refresh() -> None:
    app, pane = files_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await type_filter(pilot, pane, "json")
        nodes = (*samples.volume().nodes, samples.file("new.json"))
        pane.show(samples.fresh(samples.listing(*nodes, fingerprint="2")))
        await pilot.app.workers.wait_for_complete()
        assert "new.json" in shown(pane)
        assert "downlink.txt" not in shown(pane)
        assert isinstance(app.focused, Input)


async def test_a_folder_opened_under_a_filter_shows_all_that_is_in_it() -> None:
    app, pane = files_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await type_filter(pilot, pane, "calib")
        assert shown(pane) == ["", "fisheye", "fisheye/calibration"]
        await pilot.press("enter", "right")
        await until(lambda: not pane.query(FilterBar), pilot)
        assert pane.cursor_path == "fisheye/calibration"
        assert "fisheye/calibration/camera-1.json" in shown(pane)
        assert pane.select("downlink.txt")


def test_matching_rows_marks_what_is_open() -> None:
    rows, count = matching_rows(samples.volume(), "e")
    opened = {row.path: row.is_open for row in rows if row.is_folder}
    assert opened["fisheye"]
    assert opened["fisheye/models"]
    assert not opened["results"]
    assert count == sum("e" in row.path.rpartition("/")[2] for row in rows if row.node)


async def test_mouse_on_the_sign_opens_a_folder() -> None:
    app, pane = files_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.click(pane.file_tree, offset=(5, 1))
        assert "echo-test/Dockerfile" in shown(pane)
        await pilot.click(pane.file_tree, offset=(5, 1))
        assert "echo-test/Dockerfile" not in shown(pane)
        await pilot.click(pane.file_tree, offset=(0, 1))
        assert pane.selection == ("echo-test",)


async def test_hostile_names_are_shown_literally_on_one_line() -> None:
    app, pane = files_app(samples.hostile_volume())
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        assert unsafe_characters(app) == []
        screen = screen_text(app)
        for literal in ("[@click=app.quit]x", "[/]", "[/_", "[red]loud", "csi\\x1b[31mred", "new\\nline", "-rf"):
            assert literal in screen
        assert all(len(line) for line in screen_lines(app))
        for _ in HOSTILE_NAMES:
            await pilot.press("down", "enter", "space")
        await until(lambda: len(app.hear(FilesPane.Opened)) > 3, pilot)
        assert set(pane.selection) <= set(HOSTILE_NAMES)
        assert app.is_running
        await type_filter(pilot, pane, "[")
        assert unsafe_characters(app) == []


@pytest.mark.parametrize("width", [10, 14, 20, 30, 45, 200])
async def test_every_line_is_as_wide_as_the_screen(width: int) -> None:
    from rich.cells import cell_len

    app, _ = files_app(samples.hostile_volume())
    async with app.run_test(size=(width, 40)) as pilot:
        await pilot.pause()
        assert {cell_len(line) for line in screen_lines(app)} == {width}


async def test_a_tree_a_thousand_deep() -> None:
    node: FileNode = samples.file("at the bottom", 1)
    for depth in range(1_000):
        node = samples.folder(f"d{depth}", node)
    app, pane = files_app(samples.listing(node))
    path = "/".join(f"d{depth}" for depth in reversed(range(1_000))) + "/at the bottom"
    async with app.run_test(size=(80, 24)) as pilot:
        assert pane.select(path)
        await pilot.pause()
        assert pane.cursor_path == path
        assert "at the bottom" in screen_text(app)
        await type_filter(pilot, pane, "bottom")
        assert pane.cursor_path == path


@pytest.mark.parametrize(("folders", "files"), [(100, 1_000), (1, 100_000)])
async def test_a_hundred_thousand_files(folders: int, files: int) -> None:
    big = samples.big_volume(folders, files)
    app, pane = files_app(Listing((), "0", 0, 0))
    async with app.run_test(size=(120, 40)) as pilot:
        started = time.perf_counter()
        pane.show(samples.fresh(big))
        assert time.perf_counter() - started < 0.25  # 5 ms; the bound is for a busy machine
        await pilot.press("down")
        started = time.perf_counter()
        pane.file_tree.post_message(pane.file_tree.Toggle(pane.file_tree, "run-0000", True))
        await until(lambda: len(pane.file_tree.rows) > files, pilot)
        assert time.perf_counter() - started < 1.0
        await pilot.press("end")
        assert pane.cursor_path == (f"run-{folders - 1:04d}" if folders > 1 else f"run-0000/frame-{files - 1:06d}.raw")
        # The loop goes on turning while a thread looks through the names.
        turns = 0
        await pilot.press("slash", *"99")
        while pane.file_tree.rows[-1].path.count("99") == 0 and turns < 10_000:
            turns += 1
            await asyncio.sleep(0.001)
        assert turns < 10_000


def test_rows_are_made_when_they_are_looked_at() -> None:
    rows = tree_rows(samples.volume(), {"", "fisheye", "fisheye/models"})
    paths = [row.path for row in rows]
    assert paths[:5] == ["", "echo-test", "fisheye", "fisheye/calibration", "fisheye/models"]
    assert [rows[index].path for index in range(len(rows))] == paths
    assert [rows.index_of(path) for path in paths] == list(range(len(paths)))
    assert rows.index_of("echo-test/Dockerfile") is None
    assert rows[-1].path == paths[-1]
    assert [row.path for row in rows[:3]] == paths[:3]
    with pytest.raises(IndexError):
        rows[len(rows)]


def test_the_order_of_a_folder_is_made_once_while_its_entries_are_the_same() -> None:
    orders = Orders()
    nodes = samples.volume().nodes
    first = orders.of("", nodes)
    assert [node.name for node in first][:4] == ["echo-test", "fisheye", "results", "downlink.txt"]
    assert orders.of("", nodes) is first
    assert orders.of("", (*nodes,)) is not first
    orders.keep(set())
    assert orders.of("", nodes) is not first


def test_closed_folders_cost_nothing() -> None:
    big = samples.big_volume()
    assert len(tree_rows(big, {""})) == 101
    assert len(tree_rows(big, {"", "run-0001", "run-0099", "no such folder"})) == 2_101
    assert len(tree_rows(big, set())) == 1
    rows = tree_rows(big, {"", "run-0001"})
    assert [row.path for row in rows[1:5]] == [
        "run-0000",
        "run-0001",
        "run-0001/frame-000000.raw",
        "run-0001/frame-000001.raw",
    ]
    assert rows[-1].path == "run-0099"
