"""`emtui pod`: run an image as a pod and wait for its end, and tell how the pod is."""

import asyncio
import contextlib
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from emtui.cli.exit_codes import Exit
from emtui.cli.field_option import field, given
from emtui.cli.nouns.pod_status import STATUS_DESCRIPTION, configure_status, status
from emtui.cli.output import Output
from emtui.cli.questions import agree
from emtui.cli.running import Call, online
from emtui.cli.told import carry_out, state_document
from emtui.cli.verb import Verb
from emtui.errors import Cancelled, EmtuiError, InvalidField, NotSignedIn
from emtui.text import countdown, duration, safe_str, timestamp

if TYPE_CHECKING:
    from emtui.commands import RunPod
    from emtui.models import PodSpec, PodStatus
    from emtui.pod.wait import PodEnd
    from emtui.views import CommandState

_TICK_S = 1.0
_GOES_ON = "the pod goes on: emtui pod status tells how it is"
_NODES = "FPGA|GPU|MPU"

_RUN_DESCRIPTION = """\
IMAGE is the image's short name, as it was built, or that of a base image. A pod that is still active, running or
waiting, is stopped and removed first: that is asked about, and needs --yes without a terminal.

The run is accepted even if it cannot start; --wait tells. It asks for the pod's status until the pod has ended, at
the longest until its time, its minutes and three minutes of grace are over. 423 and an EM that does not answer are
waited out, the latter for --timeout. Ctrl+C ends the waiting; the pod goes on. A local workspace is in use until the
waiting ends.

An EM has one pod, and its status does not say whose it is. Of runs of this profile on this machine, in other
terminals or in the console, the one that was replaced before it was seen to start ends with 9, and so do both where
they were sent at the same time. A run of another profile, machine or person in the same moment cannot be told from
this one: let one at a time ask for pods.

With --wait the exit codes are:

   0  the pod has ended with exit code 0
  20  it has ended with another exit code
  21  it was ended because its minutes were over (DeadlineExceeded), whatever its exit code
  22  it was ended because it took too much memory (OOMKilled). The sandbox engine limits each process, not the pod:
      there a process gets no more memory, and what it makes of that is 20 as a rule
  23  it does not start: no such image, a bad name, a crash again and again (ImagePullBackOff, StartError, …)
   9  how it has ended cannot be told: another pod has taken its place, or no end came until none could come
   8  the EM did not answer for --timeout; the pod goes on
 130  Ctrl+C; the pod goes on"""

# ---------------------------------------------------------------------------------------------------------- run


def _configure_run(parser: ArgumentParser) -> None:
    parser.add_argument("image", metavar="IMAGE", type=field(_image), help="the image to run")
    parser.add_argument(
        "--node", metavar=_NODES, required=True, type=field(_node), help="the kind of node to run it on"
    )
    parser.add_argument(
        "--max-duration",
        metavar="MIN",
        required=True,
        type=field(_minutes),
        help="the minutes after which it is stopped, at most a week; 0.5 is half a minute",
    )
    parser.add_argument(
        "--at",
        metavar="WHEN",
        type=field(_moment),
        help="when to start: now, +10m, 14:30Z, or ISO 8601 with a zone (default: now)",
    )
    parser.add_argument(
        "--command",
        metavar="CMD",
        type=field(_command),
        help="what /bin/sh -c runs (default: the image's own command)",
    )
    parser.add_argument("--wait", action="store_true", help="wait for the pod's end; the exit code tells how it ended")
    parser.add_argument("--yes", action="store_true", help="replace a pod that is still active")


def _image(text: str) -> str:
    from emtui.pod.fields import parse_image_name

    return parse_image_name(text)


def _minutes(text: str) -> float:
    from emtui.pod.fields import parse_minutes

    return parse_minutes(text)


def _node(text: str) -> str:
    from emtui.models import NODES

    node = text.strip().upper()
    if node not in NODES:
        raise InvalidField("node", f"no such node: {text[:64]}", remedy=f"Choose one of {', '.join(NODES)}.")
    return node


def _moment(text: str) -> datetime | None:
    from emtui.when import parse_when

    return parse_when(given(text, "scheduled_time", "now"), datetime.now(UTC))


def _command(text: str) -> str:
    return given(text, "command", "the image's own command")


async def _run(call: Call) -> Exit | None:
    from emtui.commands import RunPod
    from emtui.models import PodSpec
    from emtui.pod.fields import parse_image_name

    options, session = call.options, call.session
    command = RunPod(
        PodSpec(
            docker_image=parse_image_name(options.image, session.ends.user),
            max_duration=options.max_duration,
            node=options.node,
            scheduled_time=options.at,
            command=options.command or "",
        )
    )
    before: PodStatus | None = None
    looked_at = datetime.now(UTC)

    async def look() -> "PodStatus":
        # Asked again where the EM was busy: what was done until then is in the answer.
        nonlocal looked_at
        looked_at = datetime.now(UTC)
        return await session.backends.em.pod_status()

    # A read-only profile refuses it, and there is nothing to be asked about first.
    if not session.profile.is_read_only and (options.wait or not options.yes):
        before = await call.ask("em", look)
        if before.state.is_active:
            from emtui.pod.fields import active_since

            question = f"A pod is active ({active_since(before.state)}). Stop and remove it, and run this one?"
            await agree(call.out, question, yes=options.yes)
    if not options.wait:
        await carry_out(call, command)
        return None
    return await _run_and_wait(call, command, before, looked_at)


async def _run_and_wait(call: Call, command: "RunPod", before: "PodStatus | None", looked_at: datetime) -> Exit:
    from emtui.pod.wait import LOCAL_POLL_S, REMOTE_POLL_S, wait_for_pod

    out, session = call.out, call.session
    asked: list[CommandState] = []
    seen: list[PodStatus] = []

    def tell_what_is_known() -> None:
        if out.is_json and asked and asked[-1].stage.is_final:
            out.document(_document(asked[-1], seen[-1] if seen else None))

    try:
        state = await call.do(command, asked.append)
        if out.talks:
            out.say(f"{state.title}: {state.note}")
        has_one_clock = session.backends.have_one_clock
        with _told(out, command.spec, seen) as note:
            end = await wait_for_pod(
                lambda: call.ask("em", session.backends.em.pod_status),
                spec=command.spec,
                # The local EM never tells of the pod before.
                before=None if has_one_clock else before,
                ahead_s=session.em.health.vitals.skew_s or 0.0,
                give_up_s=session.patience.give_up_s,
                poll_s=LOCAL_POLL_S if has_one_clock else REMOTE_POLL_S,
                on_status=note,
                rivals=None if has_one_clock else lambda: session.rivals(state.id, looked_at),
            )
    except asyncio.CancelledError:
        tell_what_is_known()
        if asked and asked[-1].stage == "complete":
            raise Cancelled(_GOES_ON) from None
        raise
    except EmtuiError as error:
        tell_what_is_known()
        if isinstance(error, NotSignedIn) and asked and asked[-1].stage == "complete":
            error.remedy = f"{error.remedy} The pod goes on."
        raise
    _tell_end(out, state, end)
    return _CODES[end.verdict]


def _tell_end(out: Output, asked: "CommandState", end: "PodEnd") -> None:
    out.clear()
    if out.is_json:
        out.document(_document(asked, end.status))
    else:
        out.line(safe_str(end.describe()))
    if end.remedy:
        out.say(f"emtui: the pod has {_WORDS[end.verdict]}. {end.remedy}")


_WORDS = {
    "failed": "failed",
    "deadline": "run until its minutes were over",
    "out of memory": "taken too much memory",
    "not started": "not started",
}
_CODES = {
    "completed": Exit.OK,
    "failed": Exit.POD_FAILED,
    "deadline": Exit.POD_DEADLINE,
    "out of memory": Exit.POD_OUT_OF_MEMORY,
    "not started": Exit.POD_NOT_STARTED,
}


def _document(asked: "CommandState", status: "PodStatus | None") -> dict[str, Any]:
    """What `pod run --wait --json` writes; no status where none was told."""
    return {"run": state_document(asked), "status": status.to_wire() if status is not None else None}


@contextlib.contextmanager
def _told(out: Output, spec: "PodSpec", seen: "list[PodStatus]") -> "Iterator[Callable[[PodStatus], None]]":
    """Progress with each status, which the caller hands over, and once a second; on a terminal only."""

    def show() -> None:
        out.progress(_progress(spec, seen[-1] if seen else None, datetime.now(UTC)))

    def note(status: "PodStatus") -> None:
        seen.append(status)
        show()

    async def tick() -> None:
        while True:
            show()
            await asyncio.sleep(_TICK_S)

    ticking = asyncio.ensure_future(tick()) if out.talks else None
    try:
        yield note
    finally:
        if ticking is not None:
            ticking.cancel()
        out.clear()


def _progress(spec: "PodSpec", status: "PodStatus | None", now: datetime) -> str:
    state = status.state if status is not None else None
    if state is not None and state.running is not None:
        ran_s = (now - state.running.started_at).total_seconds()
        return f"running  T+{duration(ran_s)} of {duration(spec.max_duration_s)}"
    due = spec.scheduled_time
    if due is not None and due > now:
        return f"waiting  {countdown((due - now).total_seconds())} until {timestamp(due)}"
    if state is not None and state.waiting is not None:
        return "  ".join(filter(None, ("waiting", state.waiting.reason, state.waiting.message)))
    return "waiting for the pod"


VERBS = (
    Verb(
        "pod",
        "run",
        "Run an image as a pod, now or at a set time",
        online(_run),
        _configure_run,
        _RUN_DESCRIPTION,
        (
            "emtui pod run echo-test --node FPGA --max-duration 30",
            "emtui pod run echo-test --node FPGA --max-duration 5 --wait --yes",
            "emtui pod run echo-test --node GPU --max-duration 5 --at +10m --yes",
            "emtui pod run alpine --node MPU --max-duration 1 --command 'date > /data/now.txt' --yes --json",
        ),
        json_help="write one document: how the run ended; with --wait {run, status}, status as of `pod status --json`",
        runs_images=True,
    ),
    Verb(
        "pod",
        "status",
        "Tell how the pod is",
        online(status),
        configure_status,
        STATUS_DESCRIPTION,
        ("emtui pod status", "emtui pod status --json", "timeout 3 emtui pod status --watch --json"),
        json_help="write the specification's `data` object (EM API §9); with --watch one on a line for each change",
    ),
)
