"""An app with the keys and the theme that the configuration asks for."""

import asyncio
from collections.abc import Sequence

from textual.app import ReturnType
from textual.filter import LineFilter

from emtui.console.ordered import OrderedApp
from emtui.console.theming import line_filters, register_themes, theme_of, variable_defaults
from emtui.errors import ConfigProblem
from emtui.keys.keymap import KeyMap
from emtui.settings import ConsoleSettings
from emtui.theme_files import read_own_themes


class DressedApp(OrderedApp[ReturnType]):
    """Keys by the ids of `emtui.keys.keymap`, themes by name. Raises ConfigProblem for keys that cannot be."""

    def __init__(self, settings: ConsoleSettings) -> None:
        super().__init__()
        self.settings = settings
        self.key_map = KeyMap(settings.keys)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return variable_defaults()

    def get_line_filters(self) -> Sequence[LineFilter]:
        return line_filters(self, super().get_line_filters())

    def dress(self) -> None:
        """What the first frame needs. Raises ConfigProblem for a theme that does not exist."""
        self.set_keymap(self.key_map.for_textual())
        register_themes(self, self.settings.theme)

    async def add_own_themes(self) -> tuple[ConfigProblem, ...]:
        """The operator's own themes, to be chosen. What is wrong with one is returned, and it is left out."""
        themes, problems = await asyncio.to_thread(read_own_themes)
        for theme in themes:
            self.register_theme(theme_of(theme))
        return problems

    def put_on(self, theme: str) -> None:
        self.theme = theme
