"""The top line: who, where, how the links are, and what time it is."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.strip import Strip
from textual.widget import Widget

from emtui import text
from emtui.views import LinkHealth
from widgets.canvas import make_strip
from widgets.cells import cut, width_of
from widgets.keys import key_map_of
from widgets.palette import Part, palette_of
from widgets.status import link_status

if TYPE_CHECKING:
    from emtui.plain import EndpointInfo

_GAP = 3
# How much is told: of the links, and of who and where.
_SIGNS, _TROUBLE, _WORDS, _ALL = range(4)
_NAME, _WITH_HOST, _WITH_ENGINE = range(3)
# The widest that a usual round trip is: `999 ms`.
_ROUND_TRIP_CELLS = 6
# A clock that differs by more can move the start of a pod, and make a token end early.
_MUCH_SKEW_S = 5.0


def round_trip(seconds: float) -> str:
    """`4 ms`, `1.2 s`."""
    return f"{seconds * 1000:.0f} ms" if seconds < 0.9995 else f"{seconds:.1f} s"


def skew(seconds: float) -> str:
    """By how much another clock is ahead: `±0 s`, `+3 s`, `-2 min`."""
    if abs(seconds) < 0.5:
        return "±0 s"
    return f"{'+' if seconds > 0 else '-'}{text.age(abs(seconds) + 0.5)}"


class HeaderBar(Widget):
    """` emtui  client1@local·sandbox   EM ● 4 ms   GRID ● 2 ms          2026-325  2026-11-21T20:47:13Z`

    Of a remote end also how long its token lives and by how much its clock is ahead: `EM ● 4 ms token 14 min
    clock +2 s`; and how long it has been busy, or has not answered.

    `show_endpoint(info)`, `show_health(health)`, `show_banners(banners)` and `tick(now)` give it what it shows; each
    draws it again only if that changed. What is needed least goes first where it is narrow.
    """

    DEFAULT_CSS = """
    HeaderBar { height: 1; background: $panel; }
    """

    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 textual's name
        super().__init__(id=id, classes=classes)
        self._endpoint: EndpointInfo | None = None
        self._health: dict[str, LinkHealth] = {}
        self._banners: tuple[str, ...] = ()
        self._now: datetime | None = None
        self._monotonic: float | None = None

    def show_endpoint(self, info: EndpointInfo) -> None:
        """Who answers."""
        if info != self._endpoint:
            self._endpoint = info
            self.refresh()

    def show_health(self, health: LinkHealth) -> None:
        """How the link to the EM, or to the Grid Node, is."""
        if health != self._health.get(health.endpoint):
            self._health[health.endpoint] = health
            self.refresh()

    def show_banners(self, banners: tuple[str, ...]) -> None:
        """What must not be overlooked: `READ-ONLY`, `SIMULATED: nothing is executed`. Up to its colon a banner
        stays, what follows goes where it is narrow."""
        if banners != self._banners:
            self._banners = banners
            self.refresh()

    def tick(self, now_utc: datetime, now_monotonic: float | None = None) -> None:
        """A second has passed."""
        if self._now is None or text.timestamp(now_utc) != text.timestamp(self._now):
            self._now, self._monotonic = now_utc, now_monotonic
            self.refresh()

    # ------------------------------------------------------------------------------------------------- drawing

    def render_line(self, y: int) -> Strip:
        del y
        width = self.size.width
        return make_strip(self._fitting(width), width, palette_of(self.app), self.visual_style.rich_style)

    def _fitting(self, width: int) -> list[Part]:
        now = self._clock
        clock = text.clock(now)
        day = f"{text.day_of_year(now)}  "
        long, short = day + text.timestamp(now), day + clock
        # From all of it to the least of it: which name, banners, chips, parts of who, and time.
        for has_name, has_long_banners, chips, who, time_shown in (
            (True, True, _ALL, _WITH_ENGINE, long),
            (True, True, _ALL, _WITH_ENGINE, short),
            (True, False, _ALL, _WITH_ENGINE, short),
            (True, False, _ALL, _WITH_HOST, short),
            (False, False, _ALL, _WITH_HOST, short),
            (True, False, _WORDS, _WITH_ENGINE, short),
            (True, False, _WORDS, _WITH_HOST, short),
            (False, False, _WORDS, _WITH_HOST, short),
            (True, False, _WORDS, _WITH_HOST, clock),
            (True, False, _TROUBLE, _WITH_HOST, clock),
            (False, False, _WORDS, _NAME, clock),
            (False, False, _TROUBLE, _NAME, clock),
            (False, False, _TROUBLE, _NAME, ""),
            (False, False, _SIGNS, _NAME, ""),
        ):
            parts = [
                *([Part(" emtui ", "key")] if has_name else []),
                *self._who(who),
                *self._chips(chips),
                *self._banner_parts(is_long=has_long_banners),
            ]
            room = width - width_of(parts) - cell_len(time_shown) - 1
            # What is shown must not come and go with the milliseconds of a round trip.
            spare = self._spare() if chips >= _WORDS else 0
            if room - spare >= (_GAP if time_shown else 0):
                break
        return [*parts, Part(" " * max(0, room)), *self._clock_parts(time_shown, day), Part(" ")]

    def _spare(self) -> int:
        """How many more cells the round trips could take."""
        trips = [health.round_trip_s for health in self._health.values() if health.round_trip_s is not None]
        return sum(max(0, _ROUND_TRIP_CELLS - cell_len(round_trip(seconds))) for seconds in trips)

    def _clock_parts(self, clock: str, day: str) -> list[Part]:
        if clock.startswith(day):
            return [Part(day, "muted"), Part(clock[len(day) :], "strong")]
        return [Part(clock, "strong")]

    def _who(self, detail: int) -> list[Part]:
        info = self._endpoint
        if info is None:
            return []
        user = cut(text.safe_str(info.user, 64), 24)
        parts = [Part(f" {user}", "strong")]
        if detail >= _WITH_HOST or not user:
            sign = "@" if user else ""
            parts.append(Part(f"{sign}{cut(text.safe_str(info.label, 128), 32)}", "text"))
        if detail >= _WITH_ENGINE and info.engine:
            parts.append(Part(f"·{cut(text.safe_str(info.engine, 32), 16)}", "muted"))
        return parts

    def _chips(self, detail: int) -> list[Part]:
        """How each link is: what is wrong with it longest, then in words, then also its token and its clock."""
        parts: list[Part] = []
        told: list[Part] = []
        for name, label in (("em", "EM"), ("grid", "GRID")):
            health = self._health.get(name)
            status = link_status(health)
            parts += [
                Part(" " * (_GAP if detail >= _WORDS else 2)),
                Part(f"{label} ", "muted"),
                Part(status.sign, status),
            ]
            if health is None or detail == _SIGNS:
                continue
            words = self._words(health) if detail >= _WORDS else self._trouble(health)
            parts.append(Part(f" {words}" if words else "", "text"))
            # Both ends are often one server: what is true of both is said once.
            vitals = self._vitals(health, is_all=detail == _ALL)
            parts += [part for part in vitals if part not in told]
            told += vitals
        return parts

    def _words(self, health: LinkHealth) -> str:
        if health.is_absent:
            return "none"
        return self._trouble(health) or (
            round_trip(health.round_trip_s) if health.round_trip_s is not None else "up" if health.is_connected else "…"
        )

    def _trouble(self, health: LinkHealth) -> str:
        """What keeps commands from being done; empty where nothing does."""
        if health.is_absent:
            return ""
        if health.is_held:
            return "held"
        if health.vitals.needs_sign_in:
            return key_map_of(self).hint("sign_in", "signs in") or "sign in"
        return self._no_answer(health)

    def _no_answer(self, health: LinkHealth) -> str:
        if health.error and health.is_connected:
            return "answers wrongly"
        if health.error:
            since = health.last_answer_at
            return "no answer" if since is None else f"no answer {text.age((self._clock - since).total_seconds())}"
        if health.busy_since is not None:
            now = time.monotonic() if self._monotonic is None else self._monotonic
            return f"busy {text.age(max(0.0, now - health.busy_since))}"
        return ""

    def _vitals(self, health: LinkHealth, *, is_all: bool) -> list[Part]:
        """How long the token lives, and the clock; where there is little room only a clock that is far off."""
        vitals = health.vitals
        parts: list[Part] = []
        if is_all and vitals.token_expires_at is not None and not vitals.needs_sign_in:
            left = (vitals.token_expires_at - self._clock).total_seconds()
            parts.append(Part(f" token {text.age(left)}" if left > 0 else " token over", "muted"))
        if vitals.skew_s is not None:
            is_much = abs(vitals.skew_s) >= _MUCH_SKEW_S
        if vitals.skew_s is not None and (is_all or is_much):
            parts.append(Part(f" clock {skew(vitals.skew_s)}", "caution" if is_much else "muted"))
        return parts

    @property
    def _clock(self) -> datetime:
        return self._now or datetime.now(UTC)

    def _banner_parts(self, *, is_long: bool) -> list[Part]:
        parts: list[Part] = []
        shorten: Callable[[str], str] = (lambda banner: banner) if is_long else (lambda banner: banner.split(":")[0])
        for banner in self._banners:
            parts += [Part("  "), Part(f" {text.safe_str(shorten(banner), 80)} ", "banner-caution")]
        return parts
