"""Header and key bar, the themes' contrast, what a theme file may not hold, and a screen without colour."""

from dataclasses import replace
from datetime import timedelta

import pytest
import ui_samples as samples
from pane_app import ConsoleApp, PaneApp
from textual.color import Color
from ui_harness import HOSTILE_NAMES, MONOTONIC, NOW, screen_lines, unsafe_characters, until

from emtui.commands import REGISTRY
from emtui.console.theming import load_theme
from emtui.errors import ConfigProblem
from emtui.plain import EndpointInfo, Vitals
from emtui.theme_files import STATUS_KEYS, parse, theme_names
from emtui.views import LinkHealth
from widgets.cells import bar, cut, cut_left, left, right, wrap
from widgets.frame import edge
from widgets.header_bar import HeaderBar, round_trip, skew
from widgets.key_bar import FIXED, OF_PANES, KeyBar, hints
from widgets.palette import Part
from widgets.status import Status, link_status

# ---------------------------------------------------------------------------------------------------- header


async def test_header_shows_what_it_is_given_and_draws_only_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    header = HeaderBar()
    app = PaneApp(lambda: header)
    async with app.run_test(size=(120, 3)) as pilot:
        header.show_endpoint(samples.ENDPOINT)
        header.show_health(samples.EM_HEALTH)
        header.tick(NOW)
        await pilot.pause()
        line = screen_lines(app)[0]
        assert " emtui  client1@local·sandbox   EM ● 4 ms   GRID •" in line
        assert line.rstrip().endswith("2026-325  2026-11-21T20:47:13Z")
        drawn: list[str] = []
        monkeypatch.setattr(header, "refresh", lambda *_: drawn.append("header"))
        header.show_endpoint(replace(samples.ENDPOINT))
        header.show_health(replace(samples.EM_HEALTH))
        header.show_banners(())
        header.tick(NOW + timedelta(milliseconds=300))
        assert drawn == []
        header.tick(NOW + timedelta(seconds=1))
        header.show_banners(("READ-ONLY",))
        assert drawn == ["header"] * 2


@pytest.mark.parametrize("width", [1, 5, 20, 40, 80, 120])
async def test_hostile_header(width: int) -> None:
    from rich.cells import cell_len

    header = HeaderBar()
    app = PaneApp(lambda: header)
    async with app.run_test(size=(width, 2)) as pilot:
        for name in HOSTILE_NAMES:
            header.show_endpoint(EndpointInfo(label=name, user=name, engine=name))
            header.show_banners((name,))
            await pilot.pause()
            assert unsafe_characters(app) == []
            assert cell_len(screen_lines(app)[0]) == width


@pytest.mark.parametrize(
    ("health", "status"),
    [
        (None, Status.OFF),
        (LinkHealth("em"), Status.OFF),
        (LinkHealth("em", is_connected=True), Status.NORMAL),
        (LinkHealth("em", error="refused"), Status.CRITICAL),
        (LinkHealth("em", error="refused", last_answer_at=NOW), Status.SERIOUS),
        (LinkHealth("em", is_connected=True, is_held=True), Status.STANDBY),
        (LinkHealth("em", is_connected=True, busy_since=1.0), Status.CAUTION),
        (LinkHealth("em", is_connected=True, vitals=Vitals(needs_sign_in=True)), Status.SERIOUS),
        (LinkHealth("grid", is_absent=True, error="none"), Status.OFF),
    ],
)
def test_link_status(health: LinkHealth | None, status: Status) -> None:
    assert link_status(health) is status


@pytest.mark.parametrize(
    ("health", "words"),
    [
        (LinkHealth("em", is_absent=True), "EM • none"),
        (LinkHealth("em", is_connected=True, busy_since=MONOTONIC - 12.0), "EM ■ busy 12 s"),
        (LinkHealth("em", error="refused", last_answer_at=NOW - timedelta(minutes=3)), "EM ◆ no answer 3 min"),
        (LinkHealth("em", error="refused"), "EM ▼ no answer  "),
        (LinkHealth("em", is_connected=True, vitals=Vitals(needs_sign_in=True)), "EM ◆ S signs in"),
        (LinkHealth("em", is_connected=True, error="text/html came", last_answer_at=NOW), "EM ◆ answers wrongly"),
        (
            LinkHealth("em", is_connected=True, round_trip_s=0.004, vitals=Vitals(NOW + timedelta(minutes=14), 0.0)),
            "EM ● 4 ms token 14 min clock ±0 s",
        ),
        (
            LinkHealth("em", is_connected=True, round_trip_s=0.004, vitals=Vitals(NOW - timedelta(minutes=1), -75.0)),
            "EM ● 4 ms token over clock -75 s",
        ),
    ],
)
async def test_a_chip_tells_how_a_remote_end_is(health: LinkHealth, words: str) -> None:
    header = HeaderBar()
    app = PaneApp(lambda: header)
    async with app.run_test(size=(120, 2)) as pilot:
        header.show_endpoint(samples.ENDPOINT)
        header.show_health(health)
        header.tick(NOW, MONOTONIC)
        await pilot.pause()
        assert words in screen_lines(app)[0]


@pytest.mark.parametrize("width", [60, 80, 100])
async def test_token_and_clock_go_first_where_it_is_narrow(width: int) -> None:
    header = HeaderBar()
    app = PaneApp(lambda: header)
    vitals = Vitals(NOW + timedelta(minutes=14), 0.0)
    async with app.run_test(size=(width, 2)) as pilot:
        header.show_endpoint(EndpointInfo("em.example.org:8443", "client1", "sandbox"))
        for endpoint in ("em", "grid"):
            header.show_health(LinkHealth(endpoint, True, 0.12, NOW, vitals=vitals))
        header.tick(NOW, MONOTONIC)
        await pilot.pause()
        line = screen_lines(app)[0]
        assert "EM ●" in line
        assert "GRID ●" in line
        assert "token" not in line
        assert "47:13Z" in line


@pytest.mark.parametrize(("width", "chip"), [(120, "EM ● 120 ms token 14 min"), (100, "EM ● 120 ms"), (80, "EM ●")])
async def test_a_banner_does_not_take_the_links_words_where_there_is_room(width: int, chip: str) -> None:
    header = HeaderBar()
    app = PaneApp(lambda: header)
    async with app.run_test(size=(width, 2)) as pilot:
        header.show_endpoint(EndpointInfo("em.example.org:8443", "client1", "sandbox"))
        vitals = Vitals(NOW + timedelta(minutes=14), 0.0)
        header.show_health(LinkHealth("em", True, 0.12, NOW, vitals=vitals))
        header.show_health(LinkHealth("grid", True, 0.002, NOW))
        header.show_banners(("INSECURE: plain http, everybody on the way can read and change it",))
        header.tick(NOW, MONOTONIC)
        await pilot.pause()
        line = screen_lines(app)[0]
        assert chip in line
        assert "INSECURE" in line


@pytest.mark.parametrize("width", [60, 80, 100, 120])
async def test_a_clock_that_is_far_off_is_told_at_every_width(width: int) -> None:
    header = HeaderBar()
    app = PaneApp(lambda: header)
    async with app.run_test(size=(width, 2)) as pilot:
        header.show_endpoint(EndpointInfo("em.example.org:8443", "client1", "sandbox"))
        header.show_health(LinkHealth("em", True, 0.12, NOW, vitals=Vitals(NOW, -75.0)))
        header.show_health(LinkHealth("grid", True, 0.002, NOW))
        header.tick(NOW, MONOTONIC)
        await pilot.pause()
        assert "clock -75 s" in screen_lines(app)[0]


@pytest.mark.parametrize(
    ("banners", "error"),
    [((), ""), (("INSECURE: plain http, everybody on the way can read it",), ""), (("READ-ONLY",), "refused")],
)
async def test_the_day_of_the_year_is_there_with_a_remote_end_at_120_columns(
    banners: tuple[str, ...], error: str
) -> None:
    header = HeaderBar()
    app = PaneApp(lambda: header)
    async with app.run_test(size=(120, 2)) as pilot:
        header.show_endpoint(EndpointInfo("em.example.org:8443", "client1", "sandbox"))
        vitals = Vitals(NOW + timedelta(minutes=14), 0.0)
        since = NOW - timedelta(minutes=3)
        for endpoint in ("em", "grid"):
            header.show_health(LinkHealth(endpoint, not error, 0.12, since, error, vitals=vitals))
        header.show_banners(banners)
        header.tick(NOW, MONOTONIC)
        await pilot.pause()
        assert screen_lines(app)[0].rstrip().endswith("   2026-325  20:47:13Z")


async def test_the_milliseconds_of_a_round_trip_move_nothing() -> None:
    header = HeaderBar()
    app = PaneApp(lambda: header)
    async with app.run_test(size=(116, 2)) as pilot:
        header.show_endpoint(EndpointInfo("em.example.org:8443", "client1", "sandbox"))
        shown = set()
        for seconds in (0.002, 0.02, 0.2):
            header.show_health(LinkHealth("em", True, seconds, NOW, vitals=Vitals(NOW + timedelta(minutes=14), 0.0)))
            header.tick(NOW, MONOTONIC)
            await pilot.pause()
            shown.add(" ".join(screen_lines(app)[0].partition("GRID")[2].split()))
        assert len(shown) == 1


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.0, "±0 s"), (0.49, "±0 s"), (-0.49, "±0 s"), (2.6, "+3 s"), (-2.6, "-3 s"), (7200.0, "+2 h")],
)
def test_skew(seconds: float, words: str) -> None:
    assert skew(seconds) == words


def test_round_trip() -> None:
    assert (round_trip(0.004), round_trip(1.24)) == ("4 ms", "1.2 s")


# --------------------------------------------------------------------------------------------------- key bar


def test_key_bar_has_every_command() -> None:
    assert [hint.name for hint in hints()] == [*REGISTRY, *OF_PANES, *FIXED]
    wide = [hint.name for hint in KeyBar().shown(200)]
    assert wide == [*REGISTRY, "help", "palette"], "all panes are there to be seen"
    assert "panes" in [hint.name for hint in KeyBar().shown(80)]


@pytest.mark.parametrize("width", [80, 120, 200])
def test_the_key_bar_keeps_the_keys_of_the_pane_that_matter_there(width: int) -> None:
    key_bar = KeyBar()
    own = {"activity.cancel", "activity.again", "hold_queue", "copy"}
    key_bar.show_context(own, (), own)
    told = {hint.name: f"{hint.key} {hint.title}" for hint in key_bar.shown(width)}
    assert {told.get(name) for name in own} == {"esc Cancel", "A Again", "H Hold back", "y Copy"}
    assert "pane.filter" not in told, "there is no filter"


@pytest.mark.parametrize("width", range(10, 130, 10))
def test_key_bar_fits_and_keeps_the_help_and_what_matters(width: int) -> None:
    key_bar = KeyBar()
    key_bar.show_context(("get_model", "serve_model"), ())
    shown = key_bar.shown(width)
    assert 1 + sum(hint.width + 2 for hint in shown) <= width + 1 or len(shown) == 1
    names = [hint.name for hint in shown]
    assert "help" in names
    if width >= 40:
        assert {"get_model", "serve_model"} <= set(names)


async def test_a_click_on_a_key_is_told() -> None:
    key_bar = KeyBar()
    app = PaneApp(lambda: key_bar)
    async with app.run_test(size=(120, 2)) as pilot:
        key_bar.show_context((), ("delete",))
        await pilot.pause()
        line = screen_lines(app)[0]
        await pilot.click(key_bar, offset=(line.index("Downlink"), 0))
        await pilot.click(key_bar, offset=(line.index("Delete"), 0))  # off
        await pilot.click(key_bar, offset=(119, 0))  # nothing there
        await pilot.click(key_bar, offset=(line.index("Help"), 0))
        await until(lambda: len(app.hear(KeyBar.Pressed)) == 2, pilot)
        assert [message.name for message in app.hear(KeyBar.Pressed)] == ["downlink", "help"]
        assert app.hear(KeyBar.Pressed)[0].control is key_bar


# ---------------------------------------------------------------------------------------------------- themes


@pytest.mark.parametrize("name", theme_names())
def test_a_theme_can_be_read(name: str) -> None:
    theme = load_theme(name)
    variables = theme.variables
    least = 7.0 if name == "contrast" else 4.5
    texts = {f"em-{key}" for key in (*STATUS_KEYS, "muted", "folder", "link")}
    for background in (theme.background, variables["em-cursor-blurred"]):
        assert background is not None
        for key in texts:
            assert contrast(variables[key], background) >= (least if background == theme.background else 4.0), key
        assert theme.foreground is not None
        assert contrast(theme.foreground, background) >= 7.0
    for background in (variables["em-cursor"], variables["em-alert"]):
        assert contrast(theme.foreground or "", background) >= 7.0
        for key in STATUS_KEYS:
            assert contrast(variables[f"em-{key}"], background) >= 3.0, (key, background)
    assert contrast(variables["em-faint"], theme.background or "") >= 3.0


def contrast(one: str, other: str) -> float:
    """The contrast ratio after WCAG 2."""

    def luminance(color: str) -> float:
        channels = [channel / 255 for channel in Color.parse(color).rgb]
        red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_dark_has_the_colours_of_astro() -> None:
    variables = load_theme("dark").variables
    assert [variables[f"em-{key}"] for key in STATUS_KEYS] == [
        "#ff3838",
        "#ffb302",
        "#fce83a",
        "#56f000",
        "#2dccff",
        "#a4abb6",
    ]
    assert "".join(status.sign for status in Status) == "▼◆■●◎•?"


def theme_text() -> str:
    from importlib.resources import files

    return (files("themes") / "dark.toml").read_text("utf-8")


@pytest.mark.parametrize(
    ("before", "after", "message", "remedy"),
    [
        ('primary = "#4dacff"', 'primry = "#4dacff"', "[colors]: primry: unknown key", "primary"),
        ('primary = "#4dacff"', 'primary = "blueish"', "[colors] primary: 'blueish' is not a colour", "#rrggbb"),
        ('primary = "#4dacff"\n', "", "[colors]: primary: is missing", ""),
        ('name = "dark"', "name = 1", "name: is not a text", ""),
        ("dark = true", 'dark = "yes"', "dark: is not a truth value", ""),
        ("[status]", "[statuss]", "statuss: unknown key", "status"),
        ('name = "dark"', "name = ", "t.toml: ", ""),
    ],
)
def test_a_wrong_theme_file_says_what_is_wrong(before: str, after: str, message: str, remedy: str) -> None:
    text = theme_text()
    assert before in text
    with pytest.raises(ConfigProblem) as raised:
        parse(text.replace(before, after, 1), "t.toml")
    assert message in raised.value.message
    assert raised.value.message.startswith("t.toml: ")
    assert remedy in raised.value.remedy


def test_a_table_must_be_one() -> None:
    with pytest.raises(ConfigProblem, match="colors: is not a table"):
        parse('name = "x"\ndark = true\ncolors = 1\nstatus = 1\nconsole = 1\n', "t.toml")


def test_an_unknown_theme_is_refused_with_a_suggestion() -> None:
    with pytest.raises(ConfigProblem) as raised:
        load_theme("drak")
    assert "dark" in raised.value.remedy
    with pytest.raises(ConfigProblem) as raised:
        load_theme("zzz")
    assert "light" in raised.value.remedy
    assert theme_names()[0] == "dark"


async def test_the_theme_can_change_while_it_runs() -> None:
    app = ConsoleApp()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        before = colors(app)
        app.theme = "light"
        await pilot.pause()
        await pilot.pause()
        assert colors(app) & before == set()
        app.theme = "textual-dark"  # one that is not ours has no variables for the panes
        await pilot.pause()
        assert colors(app)


def colors(app: ConsoleApp) -> set[str]:
    """Every colour that is sent to the terminal."""
    found: set[str] = set()
    for strip in app.screen._compositor.render_strips():  # no public way leads to the strips
        for segment in strip:
            for color in (segment.style.color, segment.style.bgcolor) if segment.style else ():
                if color is not None:
                    found.add(color.name)
    return found


async def test_no_color_is_no_colour_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "")
    app = ConsoleApp()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        assert colors(app) == set()
        assert "┏━ 1 Files" in screen_lines(app)[1]  # the focus is still to be seen
        await pilot.press("slash", *"x")
        await pilot.pause()
        assert colors(app) == set()


# ----------------------------------------------------------------------------------------------- small pieces


def test_cutting_by_cells() -> None:
    assert cut("漢字漢字", 5) == "漢字…"
    assert cut("漢字漢字", 4) == "漢…"
    assert cut("abc", 0) == ""
    assert cut_left("/a/long/path", 7) == "…g/path"
    assert cut_left("漢字漢字", 4) == "…字"
    assert cut_left("abc", 5) == "abc"
    assert cut_left("abc", 0) == ""
    assert (left("ab", 4), right("ab", 4)) == ("ab  ", "  ab")


def test_wrapping() -> None:
    assert wrap("one two three", 7) == ["one two", "three"]
    assert wrap("x" * 10, 4) == ["xxxx", "xxxx", "xx"]
    assert wrap("漢字漢字漢", 4) == ["漢字", "漢字", "漢"]
    assert wrap("a b c d e f", 1, 3) == ["a", "b", "…"]
    assert wrap("one two three", 5, 2) == ["one", "two…"]
    assert wrap("x" * 100_000, 10, 2) == ["x" * 10, "x" * 9 + "…"]
    assert wrap("", 5) == []
    assert wrap("x", 0) == []


@pytest.mark.parametrize(
    ("fraction", "picture"), [(-1, "░░░░"), (0, "░░░░"), (0.01, "▓░░░"), (0.5, "▓▓░░"), (0.999, "▓▓▓░"), (2, "▓▓▓▓")]
)
def test_bar(fraction: float, picture: str) -> None:
    assert "".join(part.text for part in bar(fraction, 4)) == picture


def test_edge_of_any_width() -> None:
    words = ((Part("12"),), (Part("1.2 MiB"),), (Part("2 s"),))
    for width in range(2, 60):
        line = "".join(part.text for part in edge((Part("1 "), Part("Files")), words, width))
        assert len(line) == width
        assert (line[0], line[-1]) == ("╭", "╮")
    assert line.startswith("╭─ 1 Files ──")
    assert line.endswith("── 12 · 1.2 MiB · 2 s ─╮")
    assert "".join(part.text for part in edge((), (), 10, at_top=False)) == "╰────────╯"
