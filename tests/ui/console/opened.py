"""The console on a workspace of its own, with the settings that a test gives it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from textual.pilot import Pilot
from ui_harness import until

from emtui.console.app import EmtuiApp
from emtui.profile import Profile
from emtui.settings import ConsoleSettings


@asynccontextmanager
async def console(
    root: Path, settings: ConsoleSettings, size: tuple[int, int] = (120, 40)
) -> AsyncIterator[tuple[EmtuiApp, Pilot[None]]]:
    app = EmtuiApp(Profile(root, engine="simulated"), settings)
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(lambda: app.conductor is not None and "pod" in app.conductor.pollers, pilot, 15)
        try:
            yield app, pilot
        finally:
            app.leave()
            await until(lambda: app.conductor is None, pilot)


def with_keys(**keys: str) -> ConsoleSettings:
    return ConsoleSettings(keys={name.replace("__", "."): key for name, key in keys.items()})


def top(app: EmtuiApp) -> object:
    return app.screen_stack[-1]
