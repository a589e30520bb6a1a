"""The fields of a run as what is to be run (EM API §8)."""

import contextlib
import re
from datetime import datetime

from emtui.errors import InvalidField
from emtui.models import PodSpec
from emtui.server.http.fields import Fields

_NUMBER = re.compile(r"-?[0-9]{1,9}(?:\.[0-9]{1,9})?")


def pod_spec(fields: Fields) -> PodSpec:
    """What a run asks for (EM API §8). Whether the image, the node and the times are acceptable is the EM's to say.

    Raises:
        InvalidField: `max_duration` is no number, or `scheduled_time` no time with a zone.
    """
    return PodSpec(
        docker_image=fields.text("docker_image", "image", "image_name"),
        max_duration=_minutes(fields.value("max_duration")),
        node=fields.text("node"),
        scheduled_time=_moment(fields.text("scheduled_time")),
        command=fields.text("command"),
    )


def _minutes(value: object) -> float:
    remedy = "Give the minutes after which the pod is stopped."
    if value is None:
        raise InvalidField("max_duration", "This field is required.", remedy=remedy)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number or (isinstance(value, str) and _NUMBER.fullmatch(value)):
        with contextlib.suppress(OverflowError):
            return float(value)  # type: ignore[arg-type]  # is_number says what it is
    raise InvalidField("max_duration", "a number is needed", remedy=remedy)


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidField(
            "scheduled_time",
            "not a time that exists",
            remedy="Write ISO 8601 with a zone: 2025-05-22T12:10:00+02:00.",
        ) from None
    if moment.tzinfo is None:
        raise InvalidField(
            "scheduled_time", "without a zone", remedy="Write Z for UTC or the offset: 2025-05-22T12:10:00+02:00."
        )
    return moment
