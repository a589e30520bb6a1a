"""How a command has ended, as a line for people and as a document for programs."""

from typing import TYPE_CHECKING, Any

from emtui.text import safe_str

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emtui.cli.running import Call
    from emtui.commands import Command
    from emtui.views import CommandState

# Of what a folder leaves out, so many are named.
_MOST_TOLD = 10


async def carry_out(call: "Call", command: "Command") -> "CommandState":
    """Do a command, and tell how it ended: one line, or with `--json` one document, of a failure too.

    Raises:
        EmtuiError: it has not been completed.
    """
    last: list[CommandState] = []
    try:
        state = await call.do(command, last.append)
    except BaseException:
        # One that was interrupted may have been completed all the same.
        if last and last[-1].stage.is_final and (call.out.is_json or last[-1].stage == "complete"):
            _tell(call, last[-1])
        raise
    _tell(call, state)
    return state


def _tell(call: "Call", state: "CommandState") -> None:
    if call.out.is_json:
        call.out.document(state_document(state))
    else:
        call.out.line(safe_str(f"{state.title}: {state.note}"))


def state_document(state: "CommandState") -> dict[str, Any]:
    """A command's end for `--json`: the fields of `CommandState`, times in ISO 8601, UTC."""
    return {
        "id": state.id,
        "command": state.name,
        "endpoint": state.endpoint,
        "title": state.title,
        "stage": str(state.stage),
        "note": state.note,
        "error": state.error,
        "code": state.failure.code if state.failure is not None else "",
        "remedy": state.remedy,
        "log_tail": list(state.log_tail),
        "bytes": state.done_bytes,
        "asked_at": state.asked_at.isoformat(),
        "ended_at": state.changed_at.isoformat(),
    }


def tell_skipped(call: "Call", skipped: "Sequence[str]") -> None:
    """Say what of a folder is not sent, and why."""
    for line in skipped[:_MOST_TOLD]:
        call.out.say(f"emtui: left out: {line}")
    if len(skipped) > _MOST_TOLD:
        call.out.say(f"emtui: and {len(skipped) - _MOST_TOLD:,} more left out")
