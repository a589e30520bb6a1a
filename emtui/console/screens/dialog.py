"""A form that gives a command, and asks before something is lost."""

from typing import Generic, TypeVar

from emtui.console.screens.confirm import ConfirmDialog, Question
from emtui.console.screens.form import Form

ResultT = TypeVar("ResultT")


class Dialog(Form[ResultT], Generic[ResultT]):
    """Base of the dialogs. Where `question` gives one, it is asked between `make` and the end."""

    async def question(self, command: ResultT) -> Question | None:  # noqa: ARG002  # for those that ask
        """What to ask before `command` is given, None where nothing can be lost."""
        return None

    async def is_sure(self, command: ResultT) -> bool:
        question = await self.question(command)
        if question is None:
            return True
        answer = await self.app.push_screen_wait(ConfirmDialog(question))
        return answer is True
