"""`emtui files sync`: send what is new or changed, folder by folder, and remember what was sent."""

import asyncio
from contextlib import suppress
from typing import Any

from emtui import text
from emtui.cli.named import absolute
from emtui.cli.running import Call
from emtui.cli.told import state_document, tell_skipped
from emtui.commands import Uplink
from emtui.errors import EmtuiError
from emtui.files.sync import Change, SyncPlan, plan_sync
from emtui.files.synced import Synced
from emtui.views import CommandState

# Of what is newer in the volume, so many are named.
_MOST_TOLD = 10


async def sync(call: Call) -> None:
    """Carry it out, or with `--dry-run` tell what it would do."""
    dest = call.options.dest or ""
    source = absolute(call.options.source)
    folder = call.session.ends.folder
    list_files = call.session.backends.em.list_files
    listing = await call.ask("em", list_files)
    ahead_s = call.session.em.health.vitals.skew_s or 0.0

    def compare() -> tuple[Synced, SyncPlan]:
        synced = Synced.read(folder)
        return synced, plan_sync(source, dest, listing, synced, ahead_s)

    synced, plan = await asyncio.to_thread(compare)
    tell_skipped(call, plan.skipped)
    _tell_newer(call, plan)
    if call.options.dry_run:
        _tell_changes(call, plan)
        return
    ended: list[CommandState] = []
    try:
        await _send(call, plan, ended)
    except BaseException:
        _tell_end(call, plan, ended, is_done=False)
        raise
    _tell_end(call, plan, ended, is_done=True)
    if plan.changes:
        # It has been sent, and listed; without a memory the next sync has the times to go by.
        with suppress(EmtuiError):
            listing = await call.ask("em", list_files)

    def remember() -> None:
        synced.remember(plan.all(), listing)
        synced.write(folder)

    await asyncio.to_thread(remember)


async def _send(call: Call, plan: SyncPlan, ended: list[CommandState]) -> None:
    """One uplink for each folder of the volume. `ended` gets how each went, a failed one too."""
    for dest_path, paths in plan.folders():
        last: list[CommandState] = []
        try:
            ended.append(await call.do(Uplink(paths, dest_path), last.append))
        except BaseException:
            ended += [state for state in last[-1:] if state.stage.is_final]
            raise


def _tell_newer(call: Call, plan: SyncPlan) -> None:
    for path in plan.newer[:_MOST_TOLD]:
        call.out.say(f"emtui: left as it is: /{path} was changed in the volume since it was synced")
    if len(plan.newer) > _MOST_TOLD:
        call.out.say(f"emtui: and {len(plan.newer) - _MOST_TOLD:,} more left as they are")


def _tell_changes(call: Call, plan: SyncPlan) -> None:
    if call.out.is_json:
        call.out.document([_change(change) for change in plan.changes])
        return
    is_terminal = call.out.is_terminal
    call.out.table(
        ("SIZE", "WHY", "PATH"),
        (
            (text.size(one.source.size_bytes) if is_terminal else one.source.size_bytes, one.reason, one.path)
            for one in plan.changes
        ),
        right=(0,),
    )
    if call.out.talks:
        call.out.say(f"emtui: would send {_counted(plan)}")


def _tell_end(call: Call, plan: SyncPlan, ended: list[CommandState], *, is_done: bool) -> None:
    if call.out.is_json:
        call.out.document(
            {
                "stage": str(ended[-1].stage) if ended and not is_done else "complete" if is_done else "failed",
                "changes": [_change(change) for change in plan.changes],
                "same": len(plan.same),
                "newer": list(plan.newer),
                "skipped": list(plan.skipped),
                "commands": [state_document(state) for state in ended],
            }
        )
    elif is_done:
        call.out.line(f"sync: sent {_counted(plan)}")


def _counted(plan: SyncPlan) -> str:
    count = text.count(len(plan.changes), "file")
    return f"{count}, {text.size(plan.size_bytes)}; {len(plan.same):,} are there already"


def _change(change: Change) -> dict[str, Any]:
    return {"path": change.path, "size_bytes": change.source.size_bytes, "reason": change.reason}
