"""The pictures of the documentation: what is done in the console until each of them is there."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from emtui.views import Stage
from tests.ui.console.rehearsal import WIDE, Console, Rehearsal

SMALL = (80, 24)


async def main(console: Console) -> None:
    """Files open and marked, a pod at work."""
    await console.pass_time(2)
    await console.press("down", "down", "right", "down", "space", "down", "space", "down")


async def uplink(console: Console) -> None:
    await console.pass_time(2)
    await console.press("u")
    await console.type("frames/")
    await console.until_text("frame-0413.raw")
    await console.press("tab", "space", "down", "space")
    await console.press("tab")
    await console.type("incoming")
    await console.until_text("2 files, 800 KiB")


async def run_at_a_set_time(console: Console) -> None:
    await console.pass_time(2)
    await console.press("2", "down", "r")
    await console.until_text("Run a pod")
    await console.press("tab", "right", "tab", "ctrl+u")
    await console.type("12\t")
    await console.type("BEND=40 sh /app/fisheye.sh\t22:15Z")
    await console.until_text("T-01:27:46")


async def pod(console: Console) -> None:
    """One has ended, and the next one has been started here."""
    engine = console.rehearsal.engine
    console.rehearsal.takes(-312)
    engine.end(engine.requests[-1].pod_id)
    await console.press("R")
    await console.until_text("COMPLETED")
    console.rehearsal.takes(41)
    await console.press("2", "r")
    await console.until_text("Run a pod")
    await console.press("ctrl+s")
    await console.until_text("RUNNING")
    console.rehearsal.takes(271)
    await console.press("3", "R")
    await console.until_text("polled 20:47:12Z")
    await console.pass_time(2)


async def build_failed(console: Console) -> None:
    await console.press("u")
    await console.type("calibrate")
    await console.until_text("2 files,")
    await console.press("ctrl+s")
    await console.until_text("calibrate/")
    await console.press("b")
    await console.until_text("Build an image")
    await console.press("ctrl+u")
    await console.type("calibrate")
    await console.press("ctrl+s")
    await console.until_stage("build", Stage.FAILED)
    await console.pass_time(2)
    await console.press("5", "home", "enter")
    await console.until_text("failed to solve")
    await console.press("end")


async def replace(console: Console) -> None:
    await console.pass_time(2)
    await console.press("2", "r")
    await console.until_text("Run a pod")
    await console.press("ctrl+s")
    await console.until_text("Replace 1 pod")


async def delete(console: Console) -> None:
    await console.pass_time(2)
    await console.press("down", "space", "down", "down", "space", "x")
    await console.until_text("no way back")


async def show_help(console: Console) -> None:
    await console.pass_time(2)
    await console.press("question_mark")
    await console.until_text("Send files")


async def palette(console: Console) -> None:
    await console.pass_time(2)
    await console.press("ctrl+p")
    await console.until_text("Hold back commands")


@dataclass(frozen=True)
class Scene:
    """A picture: `act` brings the console to where it is taken."""

    act: Callable[[Console], Awaitable[None]]
    size: tuple[int, int] = WIDE
    theme: str = "dark"


SCENES: dict[str, Scene] = {
    "main": Scene(main),
    "light": Scene(main, theme="light"),
    "small": Scene(main, SMALL),
    "uplink": Scene(uplink),
    "run": Scene(run_at_a_set_time),
    "pod": Scene(pod),
    "build-failed": Scene(build_failed),
    "replace": Scene(replace),
    "delete": Scene(delete),
    "help": Scene(show_help),
    "palette": Scene(palette),
}


async def draw(name: str, rehearsal: Rehearsal) -> str:
    """Take the picture of a scene: an SVG."""
    scene = SCENES[name]
    await rehearsal.live()
    async with rehearsal.console(scene.size, rehearsal.profile, scene.theme) as console:
        await scene.act(console)
        return await console.drawn()
