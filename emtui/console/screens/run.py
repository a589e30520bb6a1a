"""Run an image as a pod, now or at a set time."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from textual.app import ComposeResult
from textual.content import Content

from emtui.commands import RunPod
from emtui.console.screens.confirm import Question
from emtui.console.screens.dialog import Dialog
from emtui.console.screens.form import Words
from emtui.models import NODES, Image, PodSpec
from emtui.pod.fields import active_since, parse_image_name, parse_minutes, short_image
from emtui.text import clock, count, countdown, duration, safe_text, timestamp
from emtui.views import PodView
from emtui.when import parse_when
from widgets.fields import ChoiceField, TextField
from widgets.keys import key_map_of

_TICK_S = 1.0


class RunDialog(Dialog[RunPod]):
    """Image, node, minutes, command, when.

    `active` is the pod that the EM tells of, None where it tells of none; one that is still active would be replaced,
    which is said and asked. `now` gives the present moment, aware.
    """

    dialog_title = "Run a pod"
    verb = "Run"

    def __init__(
        self,
        images: Sequence[Image],
        image: str = "",
        *,
        node: str = "",
        max_duration: float = 30,
        command: str = "",
        active: PodView | None = None,
        user: str = "client1",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__()
        self._known = tuple(dict.fromkeys(short_image(item.reference, user) for item in images))
        self._active = active if active is not None and active.status.state.is_active else None
        self._user = user
        self._now = now
        self._image_field = TextField(
            "docker_image",
            "Image",
            short_image(image, user),
            placeholder="echo-test",
            choices=self._known,
            check=self._image_name,
        )
        self._node_field = ChoiceField("node", "Node", NODES, node)
        self._minutes_field = TextField(
            "max_duration", "Minutes", f"{max_duration:g}", placeholder="30", check=parse_minutes
        )
        self._command_field = TextField(
            "command", "Command", command, placeholder="the image's own; else for /bin/sh -c"
        )
        self._when_field = TextField(
            "scheduled_time",
            "When",
            placeholder="now, +10m, 14:30Z, 2026-11-21T20:00:00+02:00",
            check=lambda text: parse_when(text, self._now()),
        )

    def compose_fields(self) -> ComposeResult:
        yield self._image_field
        yield self._node_field
        yield self._minutes_field
        yield self._command_field
        yield self._when_field

    def on_mount(self) -> None:
        super().on_mount()
        self.set_interval(_TICK_S, self._tick)

    def _tick(self) -> None:
        if self._when_field.value.strip():
            self.show_words()

    # ----------------------------------------------------------------------------------------------- words

    def words(self) -> Words:
        spec = self._command().spec
        own = "its own command" if not spec.command else "a command of yours"
        lines = [
            Content.assemble(
                "Runs ",
                safe_text(spec.docker_image, "bold", limit=120),
                f" on {spec.node} with {own}, for {_minutes(spec.max_duration)} at most",
            ),
            self._when(spec),
        ]
        if self._known and spec.docker_image not in self._known:
            lines.append(
                Content.assemble(
                    ("■ ", "$em-caution"), "No image of this name is listed; the pod may wait for it in vain."
                )
            )
        if self._active is not None:
            lines.append(Content.assemble(("▼ ", "$em-critical"), "Replaces ", _pod(self._active)))
        return lines

    def _when(self, spec: PodSpec) -> Content:
        now = self._now()
        if spec.scheduled_time is None:
            return Content(f"Starts now, ends by {clock(now + timedelta(minutes=spec.max_duration))}")
        local = spec.scheduled_time.astimezone()
        return Content.assemble(
            "Starts ",
            (timestamp(spec.scheduled_time), "bold"),
            f"  {countdown((spec.scheduled_time - now).total_seconds())}",
            (f"   here {local:%a %H:%M:%S} ", "$em-muted"),
            safe_text(local.tzname() or "", "$em-muted"),
        )

    # ---------------------------------------------------------------------------------------------- command

    def _command(self) -> RunPod:
        image = self._image_name(self._image_field.value)
        minutes = parse_minutes(self._minutes_field.value)
        moment = parse_when(self._when_field.value, self._now())
        return RunPod(
            PodSpec(
                docker_image=image,
                max_duration=minutes,
                node=self._node_field.value,
                scheduled_time=moment,
                command=self._command_field.value.strip(),
            )
        )

    def _image_name(self, text: str) -> str:
        keys = key_map_of(self)
        ways = ", ".join(filter(None, (keys.hint("build", "builds one"), keys.hint("load", "loads one"))))
        return parse_image_name(text, self._user, remedy=f"Name an image; {ways}." if ways else "Name an image.")

    async def make(self) -> RunPod:
        return self._command()

    async def question(self, command: RunPod) -> Question | None:
        if self._active is None:
            return None
        old = self._active.spec.docker_image if self._active.spec else "a pod that was started elsewhere"
        return Question(
            title="Replace 1 pod that is active",
            verb="Replace",
            targets=(f"{old}, {_since(self._active)}",),
            consequence=f"It is stopped and removed; {command.spec.docker_image} takes its place.",
        )


def _minutes(minutes: float) -> str:
    return count(int(minutes), "minute") if minutes.is_integer() else f"{duration(minutes * 60)}"


def _pod(view: PodView) -> Content:
    name = safe_text(view.spec.docker_image, "bold", limit=120) if view.spec else Content("a pod started elsewhere")
    return Content.assemble(name, ", ", safe_text(_since(view), limit=120))


def _since(view: PodView) -> str:
    return active_since(view.status.state, view.spec.scheduled_time if view.spec is not None else None)
