"""What is typed ahead lands where it was meant to land."""

import asyncio

from textual.app import ComposeResult
from textual.pilot import Pilot
from textual.widgets import Input
from ui_harness import until

from emtui.console.ordered import OrderedApp
from emtui.console.screens.form import Form
from emtui.console.theming import register_themes, variable_defaults
from emtui.errors import InvalidField
from widgets.fields import TextField


class SlowForm(Form[str]):
    """A form that takes its time to look at what was typed."""

    dialog_title = "Slow"
    verb = "Do"

    def __init__(self) -> None:
        super().__init__()
        self.looked = asyncio.Event()
        self.field = TextField("name", "Name")
        self.refuses = False

    def compose_fields(self) -> ComposeResult:
        yield self.field

    async def make(self) -> str:
        await self.looked.wait()
        if self.refuses:
            raise InvalidField("name", "is wrong")
        return self.field.value


class SmallApp(OrderedApp[None]):
    """A field behind a form."""

    def __init__(self) -> None:
        super().__init__()
        self.form = SlowForm()
        self.behind = Input(id="behind")
        self.results: list[str | None] = []

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return variable_defaults()

    def compose(self) -> ComposeResult:
        yield self.behind

    def on_mount(self) -> None:
        register_themes(self, "dark")
        self.push_screen(self.form, self.results.append)


async def type_ahead(pilot: Pilot[None], *keys: str) -> None:
    """Press keys as a script sends them: nobody waits for one to be taken."""
    await asyncio.wait_for(pilot._app._press_keys(keys), 10)


async def test_what_follows_ctrl_s_is_for_what_comes_behind_the_dialog() -> None:
    app = SmallApp()
    async with app.run_test() as pilot:
        await pilot.pause()
        await type_ahead(pilot, "a", "ctrl+s", "b")
        await pilot.pause(0.1)
        assert app.form.field.value == "a"
        app.form.looked.set()
        await until(lambda: app.results == ["a"] and app.behind.value == "b", pilot)


async def test_a_form_that_refuses_gets_the_keys_that_waited() -> None:
    app = SmallApp()
    app.form.refuses = True
    async with app.run_test() as pilot:
        await pilot.pause()
        await type_ahead(pilot, "a", "ctrl+s", "b")
        app.form.looked.set()
        await until(lambda: app.form.field.value == "ab", pilot)
        assert app.results == []


async def test_escape_leads_out_of_a_form_that_takes_too_long() -> None:
    app = SmallApp()
    async with app.run_test() as pilot:
        await pilot.pause()
        await type_ahead(pilot, "a", "ctrl+s", "escape")
        await until(lambda: app.results == [None], pilot)


async def test_a_form_that_never_ends_keeps_keys_for_two_seconds_only() -> None:
    app = SmallApp()
    async with app.run_test() as pilot:
        await pilot.pause()
        await type_ahead(pilot, "a", "ctrl+s", "b")
        await until(lambda: app.form.field.value == "ab", pilot)
