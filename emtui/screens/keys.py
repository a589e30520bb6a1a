"""The rows of the help: every key of the console, read from the registry and from the bindings themselves."""

from collections.abc import Iterable

from textual.binding import Binding, BindingType

from emtui.commands import REGISTRY, Significance
from emtui.screens.help import Row
from emtui.screens.main import MainScreen
from widgets.activity_pane import ActivityPane
from widgets.files_pane import FileTree
from widgets.pane import Pane
from widgets.row_list import RowList

_SIGNS = {"question_mark": "?", "slash": "/", "escape": "esc", "ctrl+p": "ctrl+p"}


def help_rows() -> list[Row]:
    """Group, key and meaning of each key."""
    rows: list[Row] = []
    for command in REGISTRY.values():
        asks = " (asks first)" if command.significance is Significance.CRITICAL else ""
        rows.append(("Commands", command.key, f"{command.title}: {command.help}{asks}"))
    rows += _rows("Console", (one for one in MainScreen.BINDINGS if not _is_wish(one)))
    rows.append(("Console", "ctrl+p", "Palette: everything by name, themes too"))
    rows += _rows("In a pane", [*RowList.BINDINGS, *Pane.BINDINGS])
    rows += _rows("In Files", FileTree.BINDINGS)
    rows += _rows("In Activity", ActivityPane.BINDINGS)
    rows += [
        ("In a dialog", "tab, enter", "Next field"),
        ("In a dialog", "ctrl+s", "Do it"),
        ("In a dialog", "esc", "Leave, nothing is done"),
    ]
    return rows


def _is_wish(binding: BindingType) -> bool:
    return isinstance(binding, Binding) and binding.action.startswith("app.wish(")


def _rows(group: str, bindings: Iterable[BindingType]) -> list[Row]:
    return [
        (group, ", ".join(_SIGNS.get(key, key) for key in binding.key.split(",")), binding.description)
        for binding in bindings
        if isinstance(binding, Binding)
    ]
