"""Ask the Grid Node: does a dataset bear this tag, and where is this encrypted model shared?

It changes nothing, so `enter` and `ctrl+s` ask, the answer stands in the words, and the next question can follow.
"""

from collections.abc import Awaitable, Callable, Sequence

from textual import work
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Static

from emtui.console.screens.dialog import Dialog
from emtui.console.screens.form import Words, told
from emtui.errors import EmtuiError
from emtui.text import safe_text
from emtui.views import SearchAnswer
from widgets.fields import TextField

QUERY = "query"


class SearchDialog(Dialog[None]):
    """One field, for a tag or the id of an encrypted model. `search` asks the node; `tags` are those it told."""

    dialog_title = "Search the Grid Node"
    verb = "Search"

    def __init__(self, search: Callable[[str], Awaitable[SearchAnswer]], tags: Sequence[str] = ()) -> None:
        super().__init__()
        self._search = search
        self._answer: SearchAnswer | None = None
        self._field = TextField(
            QUERY, "Tag or id", placeholder="a dataset's tag, or an encrypted model's id", choices=tuple(tags)
        )

    def compose_fields(self) -> ComposeResult:
        yield self._field

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#hint", Static).update(Content("enter asks"))

    def words(self) -> Words:
        answer = self._answer
        if answer is None or answer.query != self._field.value:
            return [
                Content.styled(
                    "Tells whether a dataset bears the tag, and where an encrypted model is shared.", "$em-muted"
                )
            ]
        name = safe_text(answer.query, "bold", limit=200)
        found = Content.assemble(("● ", "$em-normal"), "a dataset bears the tag ", name)
        missing = Content.assemble(("• ", "$em-off"), "no dataset bears the tag ", name)
        lines = [found if answer.has_tag else missing]
        if answer.encrypted is None:
            lines.append(Content.assemble(("• ", "$em-off"), "no encrypted model has this id"))
        else:
            lines.append(Content.assemble(("● ", "$em-normal"), "an encrypted model has this id"))
            for label, entries in (
                ("workers", answer.encrypted.workers),
                ("crypto provider", answer.encrypted.crypto_provider),
            ):
                lines += [
                    Content.assemble(
                        (f"    {label if index == 0 else '':<16}", "$em-muted"), safe_text(entry, limit=200)
                    )
                    for index, entry in enumerate(entries)
                ]
        return lines

    @work(group="submit")
    async def _submit(self) -> None:
        query = self._field.value
        try:
            if query:
                self._answer = await self._search(query)
            self.show_words()
        except EmtuiError as error:
            self.say(told(error))
        finally:
            self._is_busy = False

    def action_go_on(self) -> None:
        self.action_submit()
