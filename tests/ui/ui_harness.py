"""Constants and helpers of the screen's tests: the moment it is, the sizes, hostile names, waiting with a deadline."""

import asyncio
import time
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime

from textual.app import App
from textual.pilot import Pilot

NOW = datetime(2026, 11, 21, 20, 47, 13, tzinfo=UTC)
MONOTONIC = 10_000.0
SIZES = [(80, 24), (120, 40), (200, 60)]

HOSTILE_NAMES = (
    "new\nline",
    "tab\tbed",
    "csi\x1b[31mred",
    "osc8\x1b]8;;http://x\x07link\x1b]8;;\x07",
    "osc52\x1b]52;c;ZXZpbA==\x07",
    "dcs\x1bP1$r\x1b\\",
    "c1\x9b31m\x90",
    "bidi\u202egnp.exe",
    "zero\u200bwidth\ufeff",
    "marks" + "\u0301" * 1000,
    "[red]loud",
    "[/]",
    "[/_",
    "[@click=app.quit]x",
    "raw\udcff\udc80bytes",
    "lone\ud800surrogate",
    "private\ue000use",
    "line\u2028separator\u2029",
    "漢字の長い名前のファイル" * 5,
    "emoji👩‍🚀🚀🇩🇪",
    "x" * 255,
    "-rf",
    "quote\"'`$(id);",
    " leading and trailing ",
    "del\x7f",
    "nul-like\x01\x02",
)
"""Names that a pod, a colleague or a server can make. All must be shown literally, on one line."""


async def until(condition: Callable[[], object], pilot: Pilot[object], deadline_s: float = 5.0) -> None:
    """Let the app work until `condition` holds. Raises AssertionError after `deadline_s`."""
    end = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("the screen never came to what was waited for")
        await pilot.pause()
        await asyncio.sleep(0.005)


def screen_lines(app: App[object]) -> list[str]:
    """What the compositor would send, as text, one string a line."""
    update = app.screen._compositor.render_strips()  # no public way leads to the strips
    return ["".join(segment.text for segment in strip) for strip in update]


def screen_text(app: App[object]) -> str:
    return "\n".join(screen_lines(app))


def unsafe_characters(app: App[object]) -> list[str]:
    """Characters on the screen that a terminal could act on. Must be empty."""
    return [
        f"U+{ord(character):04X}"
        for line in screen_lines(app)
        for character in line
        if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    ]
