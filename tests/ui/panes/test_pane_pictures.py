"""Pictures of every pane in every state, and of all of them together."""

from collections.abc import Callable
from typing import Any

import pytest
import ui_samples as samples
from pane_app import ConsoleApp, PaneApp
from textual.pilot import Pilot
from textual.widget import Widget
from ui_harness import MONOTONIC, NOW

from emtui.models import PodStatus
from emtui.plain import Listing
from emtui.views import Feed, GridView, LinkHealth, PodView
from widgets.activity_pane import ActivityPane
from widgets.files_pane import FilesPane
from widgets.grid_pane import GridPane
from widgets.header_bar import HeaderBar
from widgets.images_pane import ImagesPane
from widgets.key_bar import KeyBar
from widgets.pane import Pane
from widgets.pod_pane import PodPane

Compare = Callable[..., bool]

EMPTY_LISTING = Listing((), "0", 0, 0)


def showing(kind: type[Pane[Any]], feed: Feed[Any], theme: str = "dark") -> PaneApp:
    """An app with one pane that shows `feed`."""

    def make() -> Pane[Any]:
        pane = kind()
        pane.show(feed)
        return pane

    return PaneApp(make, theme)


STATES = {
    "loading": Feed(),
    "held-before-anything": Feed(is_held=True),
    "failed": samples.FAILED,
}
EMPTY: dict[type[Pane[Any]], object] = {
    FilesPane: EMPTY_LISTING,
    ImagesPane: (),
    PodPane: PodView(PodStatus()),
    GridPane: GridView(),
}
FULL: dict[type[Pane[Any]], object] = {
    FilesPane: samples.volume(),
    ImagesPane: samples.IMAGES,
    PodPane: samples.running(),
    GridPane: samples.GRID,
}
KINDS = pytest.mark.parametrize("kind", list(FULL), ids=lambda kind: kind.__name__)


@KINDS
@pytest.mark.parametrize("state", [*STATES, "empty", "stale", "held"])
def test_state(snap_compare: Compare, kind: type[Pane[Any]], state: str) -> None:
    if state == "empty":
        feed: Feed[Any] = samples.fresh(EMPTY[kind])
    elif state == "stale":
        feed = samples.stale(FULL[kind])
    elif state == "held":
        feed = Feed(value=FULL[kind], at=samples.ago(40), is_held=True)
    else:
        feed = STATES[state]
    assert snap_compare(showing(kind, feed), terminal_size=(60, 14))


@KINDS
def test_sizes(snap_compare: Compare, kind: type[Pane[Any]], terminal_size: tuple[int, int]) -> None:
    assert snap_compare(showing(kind, samples.fresh(FULL[kind])), terminal_size=terminal_size)


@pytest.mark.parametrize("theme", ["dark", "light", "contrast"])
def test_all_panes(snap_compare: Compare, theme: str) -> None:
    assert snap_compare(ConsoleApp(theme), terminal_size=(120, 40))


def test_all_panes_wide(snap_compare: Compare) -> None:
    assert snap_compare(ConsoleApp(), terminal_size=(200, 60))


def test_no_color(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert snap_compare(ConsoleApp(), terminal_size=(120, 40))


POD_VIEWS = {
    "scheduled": samples.scheduled(),
    "back-off": samples.back_off(),
    "completed": samples.ended(),
    "failed": samples.ended(2, "Error", "sh: 1: fisheye: not found"),
    "killed": samples.ended(137, "OOMKilled"),
    "deadline": samples.ended(143, "DeadlineExceeded"),
    "simulated": samples.running("Simulated: nothing is executed here, only the states are gone through."),
    "elsewhere": PodView(samples.running().status),
    "only-past": PodView(PodStatus(), past=samples.PAST),
}


@pytest.mark.parametrize("name", list(POD_VIEWS))
def test_pod(snap_compare: Compare, name: str) -> None:
    assert snap_compare(showing(PodPane, samples.fresh(POD_VIEWS[name])), terminal_size=(64, 14))


def test_narrow_pod(snap_compare: Compare) -> None:
    assert snap_compare(showing(PodPane, samples.fresh(POD_VIEWS["back-off"])), terminal_size=(30, 14))


def activity() -> ActivityPane:
    pane = ActivityPane()
    pane.show_commands(samples.COMMANDS)
    return pane


def test_activity(snap_compare: Compare, terminal_size: tuple[int, int]) -> None:
    assert snap_compare(PaneApp(activity), terminal_size=terminal_size)


@pytest.mark.parametrize("columns", [20, 40, 60])
def test_narrow_activity(snap_compare: Compare, columns: int) -> None:
    assert snap_compare(PaneApp(activity), terminal_size=(columns, 16))


def test_activity_with_nothing_in_it(snap_compare: Compare) -> None:
    assert snap_compare(PaneApp(ActivityPane), terminal_size=(80, 10))


def test_marks_and_cursor(snap_compare: Compare) -> None:
    app = showing(FilesPane, samples.fresh(samples.volume()))
    assert snap_compare(app, press=["down", "space", "right", "down", "space", "down"], terminal_size=(60, 18))


def test_filter(snap_compare: Compare) -> None:
    app = showing(FilesPane, samples.fresh(samples.volume()))

    async def type_it(pilot: Pilot[None]) -> None:
        await pilot.press("slash", *"docker")
        await pilot.pause(0.3)
        await pilot.app.workers.wait_for_complete()

    assert snap_compare(app, run_before=type_it, terminal_size=(60, 18))


def test_hostile_names(snap_compare: Compare) -> None:
    assert snap_compare(showing(FilesPane, samples.fresh(samples.hostile_volume())), terminal_size=(80, 32))


def header(*, banners: tuple[str, ...] = (), is_down: bool = False) -> HeaderBar:
    bar = HeaderBar()
    bar.show_endpoint(samples.ENDPOINT)
    bar.show_health(samples.EM_HEALTH)
    bar.show_health(
        LinkHealth("grid", last_answer_at=NOW, error="refused") if is_down else LinkHealth("grid", is_held=True)
    )
    bar.show_banners(banners)
    bar.tick(NOW)
    return bar


@pytest.mark.parametrize("columns", [30, 60, 80, 120, 200])
def test_header(snap_compare: Compare, columns: int) -> None:
    assert snap_compare(PaneApp(header), terminal_size=(columns, 3))


@pytest.mark.parametrize("columns", [60, 80, 120, 200])
def test_header_with_banners(snap_compare: Compare, columns: int) -> None:
    banners = ("READ-ONLY", "SIMULATED: nothing is executed")
    assert snap_compare(PaneApp(lambda: header(banners=banners, is_down=True)), terminal_size=(columns, 3))


@pytest.mark.parametrize("columns", [30, 80, 120])
def test_key_bar(snap_compare: Compare, columns: int) -> None:
    def make() -> Widget:
        bar = KeyBar()
        bar.show_context(("uplink", "downlink", "delete"), ("uplink", "delete"))
        return bar

    assert snap_compare(PaneApp(make), terminal_size=(columns, 3))


def test_ages_go_on(snap_compare: Compare) -> None:
    """A minute later the same data is a minute older, and the countdown is over."""
    app = showing(FilesPane, samples.stale(samples.volume()))

    async def later(pilot: Pilot[None]) -> None:
        widget = app.widget
        assert isinstance(widget, FilesPane)
        widget.tick(NOW.replace(minute=48), MONOTONIC + 60)

    assert snap_compare(app, run_before=later, terminal_size=(60, 14))
