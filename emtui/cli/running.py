"""How a verb is carried out on an open session: opened, waited for, interrupted, and ended with its exit code."""

import asyncio
import contextlib
import os
import signal
import sys
from argparse import Namespace
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from emtui.cli.exit_codes import Exit, exit_of
from emtui.cli.output import Output
from emtui.cli.profile_options import resolved_from
from emtui.cli.questions import secret
from emtui.errors import Cancelled, EmtuiError, NotSignedIn, OutcomeNotKnown, WorkspaceInUse, fault
from emtui.storage.folder_lock import SERVE

if TYPE_CHECKING:
    from emtui.commands import Command, Endpoint
    from emtui.link.courier import Report
    from emtui.profile import Profile
    from emtui.session import Session
    from emtui.views import CommandState

T = TypeVar("T")

DEFAULT_TIMEOUT_S = 60.0
"""How long a verb waits for a busy or absent other side where `--timeout` says nothing: a script must end."""

_SIGN_IN_TRIES = 3
_IN_AN_ENGINE = ("build", "load", "run")
# After an interruption it is looked whether a request was executed. What takes longer than this is said.
_LOOKS_S = 1.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass
class Call:
    """One verb at work.

    Attributes:
        session: the open profile.
        options: what was given; `timeout_s` in it is how long to wait for a busy or absent other side, None without
            an end.
        out: where it writes.
    """

    session: "Session"
    options: Namespace
    out: Output

    async def do(
        self, command: "Command", on_state: Callable[["CommandState"], None] = lambda _state: None
    ) -> "CommandState":
        """Carry a command out, with its progress on a terminal. Raises as `Session.do` does."""
        from emtui.completing.cache import outdate

        link = self.session.link(command)

        def show(state: "CommandState") -> None:
            on_state(state)
            if not state.stage.is_final:
                self.out.progress(_progress(state))

        link.ledger.on_state, link.on_log = show, lambda _number, line: self.out.log(line)
        try:
            ended = await self._signed_in(lambda: self.session.do(command))
            if command.name in _IN_AN_ENGINE:
                await self._tell_engine()
            return ended
        finally:
            self.out.clear()
            if command.changes_remote:
                outdate(self.session.profile, command.endpoint)

    async def _tell_engine(self) -> None:
        """What a script has to know of the engine that it has just used: it would go by an end that is none."""
        info = await self.session.backends.em.info()
        for warning in info.warnings:
            self.out.say(f"emtui: {warning}")
        if info.engine == "simulated":
            self.out.say("emtui: the engine is simulated: nothing was executed")

    async def ask(self, endpoint: "Endpoint", call: Callable[[], Awaitable[T]]) -> T:
        """Ask something that changes nothing. Raises EmtuiError."""

        def show(report: "Report") -> None:
            if report.note:
                self.out.progress(report.note)

        try:
            return await self._signed_in(lambda: self.session.ask(endpoint, call, show))
        finally:
            self.out.clear()

    async def _signed_in(self, act: Callable[[], Awaitable[T]]) -> T:
        """Act; where that needs a sign-in, and somebody is there, ask for the password and act again."""
        refused: NotSignedIn | None = None
        for tries in range(1, _SIGN_IN_TRIES + 1):
            try:
                return await act()
            except NotSignedIn as error:
                if tries == _SIGN_IN_TRIES or not (sys.stdin.isatty() and self.out.talks):
                    # What was typed is to blame, where something was.
                    raise _with_remedy(refused or error) from None
                self.out.clear()
                refused = await self._sign_in(error)
        raise AssertionError("the last try returns or raises")

    async def _sign_in(self, why: NotSignedIn) -> NotSignedIn | None:
        """Ask for the password, and sign in with it. Returns the refusal, which has been told."""
        at = next(iter(self.session.needed_sign_ins or self.session.ends.sign_ins), None)
        username = self.session.ends.user
        if at is None or not username:
            raise why
        password = await secret(self.out, f"Password of {username} at {at.url}: ")
        if not password:
            raise _with_remedy(why)
        try:
            await self.session.sign_in(at, username, password)
        except NotSignedIn as error:
            self.out.say(f"emtui: {error.message}")
            return error
        return None


def _with_remedy(error: NotSignedIn) -> NotSignedIn:
    if error.remedy == NotSignedIn.default_remedy:  # else it says already what is wrong with what was given
        error.remedy = "Set EMTUI_TOKEN or EMTUI_PASSWORD, or sign in once in the console (S)."
    return error


def online(work: Callable[[Call], Awaitable[Exit | None]]) -> Callable[[Namespace], int]:
    """A verb's `run` that opens the profile and does `work` on it."""

    def run(options: Namespace) -> int:
        out = Output(is_json=getattr(options, "json", False))
        return guarded(out, lambda: _run(options, out, work))

    return run


def offline(work: Callable[[Namespace, Output], Exit | None]) -> Callable[[Namespace], int]:
    """A verb's `run` that needs no session."""

    def run(options: Namespace) -> int:
        out = Output(is_json=getattr(options, "json", False))
        return guarded(out, lambda: work(options, out) or Exit.OK)

    return run


def guarded(out: Output, act: Callable[[], int]) -> int:
    """Act; every failure is one line on stderr and an exit code. `BrokenPipeError` is a verb that has ended because
    nobody reads it any more, and no failure."""
    try:
        code = act()
        out.stdout.flush()
    except EmtuiError as error:
        out.stdout.flush()
        out.fail(error)
        return exit_of(error)
    except BrokenPipeError:
        return Exit.OK
    except KeyboardInterrupt:
        out.say("emtui: interrupted")
        return Exit.INTERRUPTED
    except Exception as error:  # noqa: BLE001 - a script reads lines and exit codes, not tracebacks
        out.fail(fault(error))
        return Exit.FAILED
    return code


def _run(options: Namespace, out: Output, work: Callable[[Call], Awaitable[Exit | None]]) -> int:
    resolved = resolved_from(options)
    for notice in resolved.profile.notices:
        out.say(f"emtui: {notice}")
    # They are told here, once.
    profile = replace(resolved.profile, notices=())
    options.timeout_s = DEFAULT_TIMEOUT_S if resolved.timeout_s is None else resolved.timeout_s or None
    return asyncio.run(_on_session(profile, options, out, work))


async def _on_session(
    profile: "Profile", options: Namespace, out: Output, work: Callable[[Call], Awaitable[Exit | None]]
) -> int:
    from emtui.session import open_session

    caught: list[int] = []
    task = asyncio.ensure_future(_work(profile, options, out, work, open_session))
    loop = asyncio.get_running_loop()

    def interrupt(number: int) -> None:
        if caught:
            os._exit(128 + number)  # once more means now
        caught.append(number)
        task.cancel()
        loop.call_later(_LOOKS_S, out.say, "emtui: interrupted: looks whether it was done; once more ends it at once")

    for number in _SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            loop.add_signal_handler(number, interrupt, number)
    try:
        return await task
    except (asyncio.CancelledError, Cancelled) as error:
        if not caught:
            raise
        how = error if isinstance(error, Cancelled) else error.__cause__
        if isinstance(how, OutcomeNotKnown):
            raise how from None
        out.say(f"emtui: interrupted: {how}" if isinstance(how, EmtuiError) else "emtui: interrupted")
        return 128 + caught[0]
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)


async def _work(
    profile: "Profile",
    options: Namespace,
    out: Output,
    work: Callable[[Call], Awaitable[Exit | None]],
    open_session: Callable[..., contextlib.AbstractAsyncContextManager["Session"]],
) -> int:
    def waits(error: WorkspaceInUse) -> None:
        if error.holder.startswith(SERVE):
            raise error  # a server stays: its address is the way
        if out.talks:
            out.say(f"emtui: waits: {error.message}")

    opening = open_session(profile, give_up_s=options.timeout_s, holder=options.words, on_wait=waits)
    async with opening as session:
        for notice in (*session.ends.notices, *session.ends.banners):
            out.say(f"emtui: {notice}")
        return await work(Call(session, options, out)) or Exit.OK


def _progress(state: "CommandState") -> str:
    from emtui import text

    words = [state.title]
    if state.total_bytes:
        words.append(f"{text.size(state.done_bytes)} of {text.size(state.total_bytes)}")
    elif state.done_bytes:
        words.append(text.size(state.done_bytes))
    if state.rate_bytes_s:
        words.append(text.rate(state.rate_bytes_s))
    if state.eta_s is not None:
        words.append(f"{text.duration(state.eta_s)} left")
    if state.note:
        words.append(state.note)
    return "  ".join(words)
