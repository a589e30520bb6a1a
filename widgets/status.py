"""Status as a shape and a colour, after Astro UXDS: readable with either of them gone."""

from enum import StrEnum

from emtui.views import LinkHealth, Stage


class Status(StrEnum):
    """How well something is. The value is the style's name in the palette."""

    CRITICAL = "critical"
    SERIOUS = "serious"
    CAUTION = "caution"
    NORMAL = "normal"
    STANDBY = "standby"
    OFF = "off"
    UNKNOWN = "unknown"

    @property
    def sign(self) -> str:
        """The shape, one cell wide."""
        return _SIGNS[self]


_SIGNS = {
    Status.CRITICAL: "▼",
    Status.SERIOUS: "◆",
    Status.CAUTION: "■",
    Status.NORMAL: "●",
    Status.STANDBY: "◎",
    Status.OFF: "•",
    Status.UNKNOWN: "?",
}

_OF_STAGE = {
    Stage.QUEUED: Status.OFF,
    Stage.HELD: Status.CAUTION,
    Stage.RELEASED: Status.STANDBY,
    Stage.SENT: Status.STANDBY,
    Stage.ACCEPTED: Status.STANDBY,
    Stage.EXECUTING: Status.STANDBY,
    Stage.COMPLETE: Status.NORMAL,
    Stage.FAILED: Status.CRITICAL,
    Stage.CANCELLED: Status.OFF,
    Stage.UNKNOWN: Status.UNKNOWN,
}


def stage_status(stage: Stage, note: str = "") -> Status:
    """The status of a command at `stage`. One that is released and has something to say waits for a busy EM."""
    if stage is Stage.RELEASED and note:
        return Status.CAUTION
    return _OF_STAGE[stage]


def link_status(health: LinkHealth | None) -> Status:
    """The status of a link: off before the first try, standby while held, critical when it never answered."""
    if health is None or health.is_absent:
        return Status.OFF
    if health.vitals.needs_sign_in:
        return Status.SERIOUS
    if health.is_held:
        return Status.STANDBY
    if health.error:
        return Status.CRITICAL if health.last_answer_at is None else Status.SERIOUS
    if health.busy_since is not None:
        return Status.CAUTION
    return Status.NORMAL if health.is_connected else Status.OFF
