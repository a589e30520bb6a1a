"""The only door by which foreign text reaches the screen, and the way numbers and times are written."""

import subprocess
import sys
import unicodedata
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.content import Content

from emtui import text

ANY_TEXT = st.text(st.characters(exclude_categories=[]), max_size=200)
HARMFUL = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@pytest.mark.parametrize(
    ("foreign", "shown"),
    [
        ("plain name.txt", "plain name.txt"),
        ("", ""),
        ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\x1b]52;c;aGk=\x07", "\\x1b]52;c;aGk=\\x07"),
        ("\x1bP+q\x1b\\", "\\x1bP+q\\x1b\\"),
        ("\x9b31m\x90", "\\x9b31m\\x90"),
        ("\x7f\x00", "\\x7f\\x00"),
        ("caf\udce9", "caf\\xe9"),
        ("\ud800", "\\ud800"),
        ("a\u202eb\u200bc\ufeff", "a\\u202eb\\u200bc\\ufeff"),
        ("\u2028\u2029", "\\u2028\\u2029"),
        ("\ue000", "\\ue000"),
        ("\U000e0001\U0010ffff", "\\U000e0001\\U0010ffff"),
        ("[@click=app.quit]x", "[@click=app.quit]x"),
        ("žluťoučký 🛰 日本", "žluťoučký 🛰 日本"),
        ("e\u0301", "e\u0301"),
        ("e" + "\u0301" * 6, "e" + "\u0301" * 4 + "\\u0301\\u0301"),
        ("e" + "\u20dd" * 5, "e" + "\u20dd" * 4 + "\\u20dd"),
        (7, "7"),
        (None, "None"),
    ],
    ids=ascii,
)
def test_what_a_terminal_could_act_on_is_written_out(foreign: object, shown: str) -> None:
    assert text.safe_str(foreign) == shown


@given(ANY_TEXT)
def test_no_harmful_character_is_left(foreign: str) -> None:
    shown = text.safe_str(foreign)
    assert not {unicodedata.category(character) for character in shown} & HARMFUL
    shown.encode("utf-8")
    assert len(shown.splitlines()) <= 1


@given(ANY_TEXT)
def test_a_widget_gets_the_text_and_no_markup(foreign: str) -> None:
    for content in (text.safe_text(foreign), text.safe_text(foreign, "bold")):
        assert isinstance(content, Content)
        assert content.plain == text.safe_str(foreign)
    assert text.safe_text(foreign).spans == []


@pytest.mark.parametrize("foreign", ["[red]x", "a[/]b", "[/_", "[@click=app.quit]x", "\\[b]"])
def test_markup_is_shown_literally(foreign: str) -> None:
    assert text.safe_text(foreign).plain == foreign
    assert text.safe_text(foreign, "bold").plain == foreign


def test_what_is_too_long_is_cut_before_it_is_read() -> None:
    assert text.safe_str("x" * 10_000_000) == "x" * text.DEFAULT_LIMIT + "…"
    assert text.safe_str("abc", limit=2) == "ab…"
    assert text.safe_str("ab", limit=2) == "ab"


def test_a_headless_run_does_not_import_textual() -> None:
    code = "import sys, emtui.text as t; t.safe_str('a\\x1b'); t.size(1); sys.exit('textual' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


@pytest.mark.parametrize(
    ("size_bytes", "shown"),
    [
        (None, "–"),
        (0, "0 B"),
        (487, "487 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1229, "1.2 KiB"),
        (10_189, "10 KiB"),
        (80 << 20, "80 MiB"),
        ((1 << 20) - 1, "1.0 MiB"),
        (1 << 30, "1.0 GiB"),
        (1 << 40, "1.0 TiB"),
        (1 << 70, "1024 EiB"),
    ],
)
def test_sizes(size_bytes: int | None, shown: str) -> None:
    assert text.size(size_bytes) == shown


@given(st.integers(0, 1 << 70))
def test_a_size_has_at_most_four_digits(size_bytes: int) -> None:
    number, _, unit = text.size(size_bytes).partition(" ")
    assert len(number.replace(".", "")) <= 4
    assert unit in ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def test_rates_and_counts() -> None:
    assert text.rate(12.4 * (1 << 20)) == "12 MiB/s"
    assert [text.count(number, "file") for number in (0, 1, 3, 12_000)] == [
        "0 files",
        "1 file",
        "3 files",
        "12,000 files",
    ]
    assert text.count(2, "entry", "entries") == "2 entries"


MOMENT = datetime(2026, 11, 21, 22, 47, 13, 999_999, tzinfo=timezone(timedelta(hours=2)))


def test_times_are_utc() -> None:
    assert text.clock(MOMENT) == "20:47:13Z"
    assert text.timestamp(MOMENT) == "2026-11-21T20:47:13Z"
    assert text.day_of_year(MOMENT) == "2026-325"
    assert text.short_date(MOMENT, MOMENT) == "11-21 20:47"
    assert text.short_date(MOMENT.replace(year=2024), MOMENT).rstrip() == "2024-11-21"
    assert len(text.short_date(MOMENT.replace(year=2024), MOMENT)) == len("11-21 20:47")


def test_a_new_year_in_another_zone_is_not_yet_one() -> None:
    east = datetime(2027, 1, 1, 1, 0, tzinfo=timezone(timedelta(hours=2)))
    assert text.short_date(east, datetime(2026, 12, 31, tzinfo=UTC)) == "12-31 23:00"


def test_the_edges_of_the_calendar_do_not_stop_the_console() -> None:
    first = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))
    last = datetime.max.replace(tzinfo=timezone(timedelta(hours=-12)))
    for moment in (first, last):
        assert text.clock(moment).endswith("Z")
        assert text.timestamp(moment).endswith("Z")
        assert text.day_of_year(moment)
        assert text.short_date(moment, MOMENT)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "00:00:00"),
        (0.9, "00:00:00"),
        (724, "00:12:04"),
        (86_399, "23:59:59"),
        (86_400, "1d 00:00:00"),
        (2 * 86_400 + 10_800, "2d 03:00:00"),
        (-5, "00:00:00"),
        (float("nan"), "00:00:00"),
        (float("inf"), "1157407d 09:46:40"),
    ],
)
def test_durations(seconds: float, shown: str) -> None:
    assert text.duration(seconds) == shown


def test_countdowns() -> None:
    assert text.countdown(751) == "T-00:12:31"
    assert text.countdown(0) == "T+00:00:00"
    assert text.countdown(-4) == "T+00:00:04"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-1, "0 s"),
        (2.7, "2 s"),
        (99, "99 s"),
        (100, "1 min"),
        (5_999, "99 min"),
        (6_000, "1 h"),
        (172_799, "47 h"),
        (172_800, "2 d"),
    ],
)
def test_ages(seconds: float, shown: str) -> None:
    assert text.age(seconds) == shown
