"""Images, Grid, Pod and Activity: what they answer, what they say up, and what they draw again."""

from dataclasses import replace
from datetime import timedelta

import pytest
import ui_samples as samples
from pane_app import PaneApp
from textual.message import Message
from ui_harness import HOSTILE_NAMES, MONOTONIC, NOW, screen_lines, screen_text, unsafe_characters, until

from emtui.models import HostedModel, Image, PodSpec, PodState, PodStatus, Running, Terminated, Waiting
from emtui.views import CommandState, Feed, GridView, PastPod, PodView, Stage
from widgets.activity_pane import MOST_ROWS, ActivityPane
from widgets.activity_rows import command_cells
from widgets.cells import without_host
from widgets.grid_pane import GridPane, tag_lines
from widgets.images_pane import ImagesPane, created_text
from widgets.pod_lines import pod_lines, pod_state
from widgets.pod_pane import PodPane
from widgets.status import Status


def images_app(images: tuple[Image, ...] = samples.IMAGES) -> tuple[PaneApp, ImagesPane]:
    def make() -> ImagesPane:
        pane = ImagesPane()
        pane.show(samples.fresh(images))
        return pane

    app = PaneApp(make)
    assert isinstance(app.widget, ImagesPane)
    return app, app.widget


def grid_app(view: GridView = samples.GRID) -> tuple[PaneApp, GridPane]:
    def make() -> GridPane:
        pane = GridPane()
        pane.show(samples.fresh(view))
        return pane

    app = PaneApp(make)
    assert isinstance(app.widget, GridPane)
    return app, app.widget


def activity_app(states: tuple[CommandState, ...] = samples.COMMANDS) -> tuple[PaneApp, ActivityPane]:
    def make() -> ActivityPane:
        pane = ActivityPane()
        pane.show_commands(states)
        return pane

    app = PaneApp(make)
    assert isinstance(app.widget, ActivityPane)
    return app, app.widget


# -------------------------------------------------------------------------------------------------- images, grid


async def test_images() -> None:
    app, pane = images_app()
    async with app.run_test(size=(80, 24)) as pilot:
        assert pane.selected is samples.IMAGES[0]
        await pilot.press("down", "enter")
        await until(lambda: app.hear(ImagesPane.Opened), pilot)
        message = app.hear(ImagesPane.Opened)[0]
        assert (message.image, message.control) == (samples.IMAGES[1], pane)
        await pilot.press("space")  # images are not marked
        assert not pane.image_list.marks
        await pilot.press("slash", *"echo", "enter")
        await until(lambda: [image.repository for image in pane.image_list.rows] == ["client1-echo-test"], pilot)
        await pilot.press("escape")
        assert len(pane.image_list.rows) == 3
        assert pane.select("client1-fisheye:v2.1.0-rc.1")
        assert not pane.select("other:latest")
        pane.show(Feed(error="gone"))
        assert pane.selected is None


def test_created_text() -> None:
    assert created_text("2026-11-20T14:02:00+02:00", NOW) == "11-20 12:02"
    assert created_text("2025-11-20 14:02:00", NOW) == "2025-11-20 "
    assert created_text("2 days\x1b ago", NOW) == "2 days\\x1b ago"


async def test_grid() -> None:
    app, pane = grid_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert pane.selected is samples.GRID.models[0]
        assert "#sunspots" in screen_text(app)
        await pilot.press("down", "enter")
        await until(lambda: app.hear(GridPane.Opened), pilot)
        assert app.hear(GridPane.Opened)[0].model is samples.GRID.models[1]
        assert app.hear(GridPane.Opened)[0].control is pane
        await pilot.press("slash", *"mnist", "down")
        await until(lambda: [model.model_id for model in pane.model_list.rows] == ["mnist-cnn"], pilot)
        assert pane.select("mnist-cnn")
        pane.show(samples.fresh(GridView()))
        await pilot.press("escape")
        await pilot.pause()
        assert "no models yet" in screen_text(app)
        assert not pane.tag_lines.display
        pane.show(Feed())
        assert pane.selected is None


def test_tags_that_do_not_fit_are_counted() -> None:
    lines = tag_lines(tuple(f"#tag-{index:03d}" for index in range(100)), 40)
    texts = ["".join(part.text for part in line) for line in lines]
    assert len(texts) == 3
    assert texts[-1].endswith("more")
    shown = sum(text.count("#") for text in texts)
    assert texts[-1].endswith(f"+{100 - shown} more")
    assert all(len(text) <= 40 for text in texts)
    (only,) = tag_lines(("x" * 300,), 40)
    assert len("".join(part.text for part in only)) <= 40


@pytest.mark.parametrize("width", [12, 20, 34, 60])
async def test_hostile_images_models_and_tags(width: int) -> None:
    images = tuple(Image(repository=name, tag=name, size=name, created=name) for name in HOSTILE_NAMES)
    view = GridView(tuple(HostedModel(model_id=name) for name in HOSTILE_NAMES), HOSTILE_NAMES)
    for app, _ in (images_app(images), grid_app(view)):
        async with app.run_test(size=(width, 34)) as pilot:
            await pilot.press("down", "enter")
            assert unsafe_characters(app) == []


# ----------------------------------------------------------------------------------------------------------- pod


def text_of(view: PodView, width: int = 60) -> str:
    return "\n".join("".join(part.text for part in line) for line in pod_lines(view, samples.ago(2), NOW, width))


@pytest.mark.parametrize(
    ("view", "words", "status"),
    [
        (samples.running(), "RUNNING", Status.NORMAL),
        (samples.scheduled(), "SCHEDULED", Status.STANDBY),
        (samples.back_off(), "WAITING: ImagePullBackOff", Status.SERIOUS),
        (samples.ended(), "COMPLETED", Status.NORMAL),
        (samples.ended(0, ""), "COMPLETED", Status.NORMAL),
        (samples.ended(2, "Error"), "FAILED exit 2", Status.CRITICAL),
        (samples.ended(137, "OOMKilled"), "FAILED exit 137: OOMKilled", Status.CRITICAL),
        (samples.ended(143, "DeadlineExceeded"), "STOPPED: DeadlineExceeded", Status.SERIOUS),
        (PodView(PodStatus(state=PodState(waiting=Waiting()))), "WAITING", Status.STANDBY),
        (PodView(PodStatus()), "", Status.OFF),
    ],
)
def test_pod_state(view: PodView, words: str, status: Status) -> None:
    assert pod_state(view, NOW) == (words, status)


def test_pod_lines() -> None:
    running = text_of(samples.running("Simulated: nothing is executed."))
    assert "▓▓▓" in running
    assert "T+00:12:04 of 00:30:00" in running
    assert "started 20:35:09Z" in running
    assert "polled 20:47:11Z" in running
    assert "Simulated: nothing is executed." in running
    assert "before  ● Completed 20:10Z  ◆ ImagePullBackOff 20:05Z" in running
    assert "T-00:12:31  starts 2026-11-21T20:59:44Z" in text_of(samples.scheduled())
    assert "ran 00:04:48 of 00:30:00" in text_of(samples.ended())
    assert "cat /data/in.txt | wc -c" in text_of(samples.ended())
    assert text_of(PodView(PodStatus())) == ""
    elsewhere = text_of(PodView(samples.running().status))
    assert "somebody else" in elsewhere
    assert "T+00:12:04" in elsewhere
    unfinished = PodView(PodStatus(state=PodState(terminated=Terminated(exit_code=1, started_at=NOW))))
    assert "ran" not in text_of(unfinished)
    yesterday = PodView(PodStatus(), past=(PastPod("x", "Completed", NOW - timedelta(days=1), True),))
    assert "11-20" in text_of(yesterday)
    long_ago = PodView(PodStatus(state=PodState(running=Running(started_at=NOW - timedelta(days=1)))))
    assert "started 11-20 20:47:13Z" in text_of(long_ago)


@pytest.mark.parametrize("width", [9, 12, 20, 33, 60, 200])
@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=lambda name: f"hostile-{HOSTILE_NAMES.index(name)}")
def test_pod_lines_fit_and_are_safe(name: str, width: int) -> None:
    from rich.cells import cell_len

    spec = PodSpec(docker_image=name, max_duration=1, node=name, command=name, scheduled_time=NOW)
    past = (PastPod(name, name, NOW, False),)
    for state in (
        PodState(waiting=Waiting(reason=name, message=name)),
        PodState(running=Running(started_at=NOW, message=name)),
        PodState(terminated=Terminated(exit_code=-1, reason=name, message=name, started_at=NOW, finished_at=NOW)),
    ):
        for line in text_of(PodView(PodStatus(state=state), spec, NOW, past), width).split("\n"):
            assert line.isprintable()
            assert cell_len(line) <= max(width, 26)  # the canvas cuts what a label needs in so narrow a pane


async def test_the_pods_clock_runs_and_only_its_line_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    pane = PodPane()
    app = PaneApp(lambda: pane)
    async with app.run_test(size=(80, 16)) as pilot:
        await pilot.pause()
        assert "no pod yet" not in screen_text(app)
        pane.show(samples.fresh(PodView(PodStatus())))
        await pilot.pause()
        assert "no pod yet" in screen_text(app)
        pane.show(samples.fresh(samples.running()))
        await pilot.pause()
        drawn: list[int] = []
        monkeypatch.setattr(pane.page, "line_changed", drawn.append)
        pane.tick(NOW + timedelta(seconds=1), MONOTONIC + 1)
        assert drawn == [1]
        pane.tick(NOW + timedelta(seconds=1), MONOTONIC + 1)
        assert drawn == [1]
        monkeypatch.undo()
        pane.tick(NOW + timedelta(seconds=2), MONOTONIC + 2)
        await pilot.pause()
        assert "T+00:12:06" in screen_text(app)
        assert "● RUNNING" in screen_lines(app)[0]
        pane.show(Feed(error="no answer", remedy="wait"))
        await pilot.pause()
        assert "▼ no answer" in screen_text(app)


# ------------------------------------------------------------------------------------------------------ activity


async def test_progress_of_one_command_draws_one_row() -> None:
    app, pane = activity_app()
    async with app.run_test(size=(120, 24)) as pilot:
        await pilot.pause()
        drawn: list[int] = []
        draw = pane.command_list.draw_row
        pane.command_list.draw_row = lambda row, width: (drawn.append(row.id), draw(row, width))[1]  # type: ignore[method-assign] # a spy
        transfer = samples.COMMANDS[7]
        pane.update_command(transfer)  # the same again
        pane.update_command(replace(transfer))
        await pilot.pause()
        assert drawn == []
        pane.update_command(replace(transfer, done_bytes=20_971_520))
        await pilot.pause()
        assert drawn == [8]
        assert "50%" in screen_text(app)
        pane.show_commands([*samples.COMMANDS[:7], replace(transfer, done_bytes=31_457_280), *samples.COMMANDS[8:]])
        await pilot.pause()
        assert drawn == [8, 8]
        pane.tick(NOW + timedelta(seconds=60), MONOTONIC + 60)
        await pilot.pause()
        assert set(drawn) == {7, 8, 9}  # those that are under way


async def test_activity_is_newest_first_and_bounded() -> None:
    app, pane = activity_app(())
    async with app.run_test(size=(100, 20)) as pilot:
        await pilot.pause()
        assert "nothing asked for yet" in screen_text(app)
        pane.show_commands([samples.command(number, Stage.COMPLETE, f"n {number}") for number in range(1, 1_101)])
        assert len(pane.command_list.rows) == MOST_ROWS
        assert pane.dropped == 100
        pane.update_command(samples.command(2_000, Stage.QUEUED, "the newest"))
        assert pane.dropped == 101
        assert pane.selected is not None
        assert pane.selected.id == 2_000  # the cursor was on the newest, and is
        await pilot.pause()
        assert "101 older in the journal" in screen_text(app)
        await pilot.press("down", "enter")
        await until(lambda: app.hear(ActivityPane.Opened), pilot)
        assert app.hear(ActivityPane.Opened)[0].command_id == 1_100
        assert app.hear(ActivityPane.Opened)[0].control is pane
        pane.update_command(samples.command(2_001, Stage.QUEUED, "newer"))
        assert pane.selected.id == 1_100  # it was moved away, and stays where it was put
        pane.show(Feed())
        assert pane.selected is None


async def test_failures_stand_out_until_they_are_seen() -> None:
    app, pane = activity_app(samples.COMMANDS[:4])
    async with app.run_test(size=(100, 12)) as pilot:
        await pilot.pause()
        assert "▼ 1 failure unseen" in screen_lines(app)[0]
        failed = pane.command_list.rows[0]
        assert pane.command_list.row_style(failed) == "alert"
        pane.update_command(replace(failed, acknowledged=True))
        await pilot.pause()
        assert "unseen" not in screen_text(app)
        assert pane.command_list.row_style(pane.command_list.rows[0]) == ""


@pytest.mark.parametrize("width", [8, 20, 43, 60, 100, 160])
async def test_activity_at_any_width_with_hostile_words(width: int) -> None:
    from rich.cells import cell_len

    stages = list(Stage)
    states = tuple(
        samples.command(
            number,
            stages[number % len(stages)],
            name,
            note=name if number % 3 else "",
            error=name if number % 2 else "",
            done_bytes=number,
            total_bytes=number * 3 if number % 4 else None,
            rate_bytes_s=float(number),
            is_cancellable=True,
        )
        for number, name in enumerate(HOSTILE_NAMES * 2)
    )
    app, _ = activity_app(states)
    async with app.run_test(size=(width, 60)) as pilot:
        await pilot.pause()
        assert unsafe_characters(app) == []
        assert {cell_len(line) for line in screen_lines(app)} == {width}


async def test_esc_and_a_say_what_is_wished_of_a_command() -> None:
    app, pane = activity_app()
    wished: list[tuple[str, int]] = []
    post = pane.post_message

    def listen(message: Message) -> bool:
        if isinstance(message, ActivityPane.CancelWished | ActivityPane.AgainWished):
            assert message.control is pane
            wished.append((type(message).__name__, message.command_id))
        return post(message)

    pane.post_message = listen  # type: ignore[method-assign] # a spy
    async with app.run_test(size=(100, 24)) as pilot:
        for number in (8, 1):  # one that can be cancelled, one that is done
            assert pane.command_list.move_to_key(number)
            await pilot.press("escape", "A")
        assert wished == [("CancelWished", 8), ("AgainWished", 1)]


def waiting_words(cause: str, width: int) -> str:
    state = samples.command(
        1, Stage.RELEASED, "uplink frame-0412.raw → /", note=f"{cause} for 3 min, 8th try in 4 s", is_cancellable=True
    )
    return "".join(part.text for part in command_cells(state, NOW, width))


@pytest.mark.parametrize("width", [50, 60, 80, 96, 116, 160])
@pytest.mark.parametrize("cause", ["CG2 busy", "127.0.0.1:8931: Connection refused, and some more words about it " * 2])
def test_the_next_try_is_seen_however_long_the_cause_is(cause: str, width: int) -> None:
    words = waiting_words(cause, width)
    assert "8th try in 4 s" in words
    assert len(words) <= width
    if width > 100:
        assert "Connection" in words or "CG2 busy" in words
        assert "esc cancels" in words


async def test_a_stale_pane_tells_the_cause_without_the_host_where_it_is_narrow() -> None:
    app, pane = images_app()
    error = "127.0.0.1:8997: it sends us to https://elsewhere"
    async with app.run_test(size=(70, 12)) as pilot:
        pane.show(replace(samples.stale(samples.IMAGES), error=error))
        await pilot.pause()
        assert "■ next try in 4 s · it sends us to https://elsewhere" in screen_lines(app)[-1]
    app, pane = images_app()
    async with app.run_test(size=(90, 12)) as pilot:
        pane.show(replace(samples.stale(samples.IMAGES), error=error))
        await pilot.pause()
        assert f"■ next try in 4 s · {error}" in screen_lines(app)[-1]


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("127.0.0.1:80: refused", "refused"),
        ("em.example.org: a: b", "a: b"),
        ("[::1]:8080: refused", "refused"),
        ("localhost:8080: refused", "refused"),
        ("data: a list is promised", "data: a list is promised"),
        ("no answer", "no answer"),
    ],
)
def test_the_host_before_the_cause(words: str, shown: str) -> None:
    assert without_host(words) == shown
