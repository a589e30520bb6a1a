"""What an operator writes for a pod, checked: the console's dialog and the command line ask the same."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from emtui.errors import InvalidField
from emtui.text import clock, timestamp

if TYPE_CHECKING:
    from emtui.models import PodState

MAX_MINUTES = 60 * 24 * 7
"""A week: longer is a slip of the keyboard, and the pod would hold the node for all of it."""

_LONGEST_NUMBER = 32


def short_image(reference: str, user: str) -> str:
    """The name that a run gives: without the user's prefix, which the EM puts before it, and without `:latest`."""
    return reference.removeprefix(f"{user}-").removesuffix(":latest")


def parse_image_name(text: str, user: str = "", *, remedy: str = "Name an image.") -> str:
    """The image to run. Raises `InvalidField` of `docker_image` where there is none; `remedy` is its."""
    image = short_image(text.strip(), user)
    if not image:
        raise InvalidField("docker_image", "is missing", remedy=remedy)
    return image


def parse_minutes(text: str) -> float:
    """Minutes, more than 0; a fraction is accepted. Raises `InvalidField` of `max_duration`."""
    written = text.strip().replace(",", ".")
    if not written:
        raise InvalidField("max_duration", "is missing", remedy="Give the minutes that the pod may run, such as 30.")
    bare = written.removeprefix("-")
    if len(bare) > _LONGEST_NUMBER or not bare.isascii() or not bare.replace(".", "", 1).isdigit():
        raise InvalidField("max_duration", "is not a number", remedy="Give minutes, such as 30 or 0.5.")
    minutes = float(written)
    if minutes <= 0:
        raise InvalidField("max_duration", "is not more than 0", remedy="Give minutes, such as 30 or 0.5.")
    if minutes > MAX_MINUTES:
        raise InvalidField("max_duration", "is more than a week", remedy=f"At most {MAX_MINUTES:,} minutes.")
    return minutes


def active_since(state: PodState, scheduled_time: datetime | None = None) -> str:
    """How an active pod is, for the question whether it is to be replaced. May hold foreign text.

    `scheduled_time` is its own, where that is known.
    """
    if state.running is not None:
        return f"running since {clock(state.running.started_at)}"
    if scheduled_time is not None:
        return f"waiting for {timestamp(scheduled_time)}"
    return f"waiting: {state.waiting.reason}" if state.waiting is not None and state.waiting.reason else "waiting"
