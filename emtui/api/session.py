"""An open session as scripts use it: commands, questions, the journal and the sign-in."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from emtui import arguments
from emtui.api.words import in_python, renamed
from emtui.commands import Command, Endpoint, RunPod
from emtui.errors import ConfigProblem, InvalidField, OutcomeNotKnown
from emtui.session import Session as Opened
from emtui.text import safe_str
from emtui.views import CommandState, Stage

if TYPE_CHECKING:
    from emtui.journal.journal import Entry
    from emtui.models import EncryptedModel, HostedModel, Image, PodSpec, PodStatus
    from emtui.plain import Listing
    from emtui.pod.trace import PodEnd, Rivals

T = TypeVar("T")

OnState = Callable[[CommandState], None]
OnLog = Callable[[str], None]
OnStatus = Callable[["PodStatus"], None]

_CLOSED = (
    "this session is closed: open another one. It is open within its async with, or while an AsyncExitStack holds it."
)
_NOT_DONE = (Stage.FAILED, Stage.CANCELLED)
# So many commands back the last run is looked for.
_LOOKED_AT = 1000


class Session:
    """An open profile. Made by `open_session`.

    Every call raises `EmtuiError`s, and `TypeError` for an argument of another kind; those that are always possible:

        ConfigProblem: the profile has no such end.
        NotSignedIn: no token, or one that is not accepted: `sign_in`, or EMTUI_TOKEN or EMTUI_PASSWORD.
        Locked, Unreachable: the other side was busy or away until `timeout_s` was over.
        ContractViolation: the answer is not what the specification promises.

    Attributes:
        profile: what is open.
        notices: what is odd about the configuration, or went otherwise than meant while it was opened.
    """

    def __init__(self, opened: Opened) -> None:
        self.profile = opened.profile
        self.notices = tuple(renamed(notice) for notice in (*opened.ends.notices, *opened.ends.banners))
        self._opened = opened
        self._loop = asyncio.get_running_loop()
        self._is_closed = False
        self._states: dict[tuple[Endpoint, int], OnState] = {}
        self._logs: dict[tuple[Endpoint, int], OnLog] = {}
        for link in (opened.em, opened.grid):
            link.ledger.on_state = self._tell_state
            link.on_log = self._log_teller(link.endpoint)

    def __repr__(self) -> str:
        return f"<emtui session {safe_str(self.profile.name)!r}{' (closed)' if self._is_closed else ''}>"

    # ------------------------------------------------------------------------------------------------ commands

    async def do(
        self, command: Command, *, on_state: OnState | None = None, on_log: OnLog | None = None
    ) -> CommandState:
        """Carry a command out and wait for its end. Nothing is asked: what is there is replaced.

        `on_state` gets every change (stage, bytes, rate), `on_log` every line of a build's or load's log, both on the
        event loop. Commands of one end are done one after the other, in the order in which they were given.

        A cancelled call cancels the command and waits until that is undone; then `CancelledError` goes on, and its
        `__cause__` says how the command ended, unless it was complete. Of the `TimeoutError` of an `asyncio.timeout`
        it is `__cause__.__cause__`.

        Returns: how it ended: `stage` complete, `note` the result in words.

        Raises:
            BadRequest, Forbidden, NotFound, Conflict, RemoteFailed: refused, as the specification has it, which knows
                no NotFound for a `Delete`: what is not there is a BadRequest (EM API §4).
            BuildFailed, LoadFailed: with `log_tail`.
            LocalProblem: a file of this machine is in the way, or missing.
            VerificationFailed: a file that came is not the promised one. Nothing was kept of it.
            OutcomeNotKnown: it may have been done, and is not repeated. Look first.
        """
        opened = self._usable()
        link = opened.link(arguments.instance(Command)("command", command))
        keys: list[tuple[Endpoint, int]] = []

        def begun(number: int) -> None:
            keys.append((link.endpoint, number))
            if on_log is not None:
                self._logs[keys[0]] = on_log
            if on_state is not None:
                self._states[keys[0]] = on_state
                self._tell_state(link.states[number])

        try:
            with in_python():
                return await opened.do(command, begun)
        finally:
            for key in keys:
                self._states.pop(key, None)
                self._logs.pop(key, None)

    # ---------------------------------------------------------------------------------------------- the EM asked

    async def list_files(self) -> "Listing":
        """The whole volume (EM API §2): `walk()` and `find(path)` give its entries."""
        return await self._ask("em", self._opened.backends.em.list_files)

    async def list_images(self) -> "Sequence[Image]":
        """The images, built and loaded (EM API §7)."""
        return await self._ask("em", self._opened.backends.em.list_images)

    async def pod_status(self) -> "PodStatus":
        """How the pod is (EM API §9). None of the three states is set before any run."""
        return await self._ask("em", self._opened.backends.em.pod_status)

    # --------------------------------------------------------------------------------------------------- the pod

    async def run_pod(self, spec: "PodSpec", *, on_status: OnStatus | None = None) -> "PodEnd":
        """Run a pod, in the place of the one before, and wait for its end: `do(RunPod(spec))` and `wait_for_pod`.

        Returns: how it ended; a pod that fails is no error. A cancelled call leaves a pod that was accepted running.

        Raises:
            InvalidField: the EM does not take the image, the node, the time or the duration.
            OutcomeNotKnown: another pod has taken its place, or nothing was heard of it until its time was over.
        """
        command, looked_at = RunPod(spec), datetime.now(UTC)
        before = await self.pod_status() if self.profile.em_kind == "remote" else None
        state = await self.do(command)
        opened = self._usable()
        return await self._wait(command.spec, before, on_status, lambda: opened.rivals(state.id, looked_at))

    async def wait_for_pod(
        self, spec: "PodSpec | None" = None, *, before: "PodStatus | None" = None, on_status: OnStatus | None = None
    ) -> "PodEnd":
        """Wait until the pod has ended, or is known not to start. 423 and an absent EM are waited out.

        `spec` is what was run; with it the waiting has an end: the scheduled time, `max_duration` and three minutes.
        A status names no pod (EM API §9): one that somebody else has run meanwhile may be taken for it.
        `before` is the status from before the run, by which a remote EM's last pod is not taken for this one.
        `on_status` gets each status.

        Returns: how it ended: `verdict`, `exit_code`, `ran_s`, `describe()`.

        Raises:
            NotFound: there is no pod.
            OutcomeNotKnown: another pod has taken its place, by what is told or by this journal, or nothing was heard
                of it until its time was over.
        """
        if spec is not None:
            await self._check_run(RunPod(spec))
        return await self._wait(spec, before, on_status)

    async def _check_run(self, meant: RunPod) -> None:
        """Raise where the journal knows of a later run, of another image."""
        from emtui.pod.fields import short_image

        opened = self._usable()
        entries = await asyncio.to_thread(opened.journal.recent, _LOOKED_AT)
        runs = (entry.command for entry in entries if entry.sent_at is not None and entry.stage not in _NOT_DONE)
        last = next((run for run in runs if isinstance(run, RunPod)), meant)
        names = [short_image(run.spec.docker_image, opened.ends.user) for run in (last, meant)]
        if names[0] != names[1]:
            raise OutcomeNotKnown(
                f"another pod has taken its place: {names[0]} was run last from here, not {names[1]}",
                remedy="Give what was run, or nothing to wait for whatever pod there is.",
            )

    async def _wait(
        self,
        spec: "PodSpec | None",
        before: "PodStatus | None",
        on_status: OnStatus | None,
        rivals: "Callable[[], Awaitable[Rivals]] | None" = None,
    ) -> "PodEnd":
        from emtui.pod import wait as pod_wait

        opened = self._usable()
        look = opened.backends.em.pod_status
        is_remote = self.profile.em_kind == "remote"
        with in_python():
            return await pod_wait.wait_for_pod(
                lambda: opened.em.poll("wait-for-pod", look),
                spec=spec,
                before=before,
                ahead_s=opened.em.health.vitals.skew_s or 0.0,
                give_up_s=opened.patience.give_up_s,
                poll_s=pod_wait.REMOTE_POLL_S if is_remote else pod_wait.LOCAL_POLL_S,
                on_status=lambda status: self._tell(on_status, status),
                rivals=rivals,
            )

    # --------------------------------------------------------------------------------------- the Grid Node asked

    async def list_models(self) -> "Sequence[HostedModel]":
        """The hosted models, with their size where the node tells it; `model` says whether one may be fetched."""
        from emtui.models import HostedModel

        grid = self._opened.backends.grid
        ids = await self._ask("grid", grid.models)
        sizes = await self._ask("grid", grid.model_sizes) if ids else {}
        return tuple(HostedModel(model_id=one, size_bytes=sizes.get(one)) for one in ids)

    async def model(self, model_id: str) -> "HostedModel":
        """One hosted model: whether it may be fetched, and its size in bytes where the node tells it.

        Raises:
            NotFound: there is none with that id.
        """
        from emtui.models import HostedModel

        arguments.text("model_id", model_id)
        grid = self._opened.backends.grid
        is_allowed = await self._ask("grid", lambda: grid.is_model_copy_allowed(model_id))
        sizes = await self._ask("grid", grid.model_sizes)
        return HostedModel(model_id=model_id, is_copy_allowed=is_allowed, size_bytes=sizes.get(model_id))

    async def dataset_tags(self) -> Sequence[str]:
        """The tags of the node's datasets."""
        return await self._ask("grid", self._opened.backends.grid.dataset_tags)

    async def search(self, tag: str) -> bool:
        """Whether a dataset bears the tag.

        Raises:
            InvalidField: it is empty.
        """
        if not arguments.text("tag", tag):
            raise InvalidField("tag", "is missing", remedy="Give a tag, such as mnist.")
        return await self._ask("grid", lambda: self._opened.backends.grid.search(tag))

    async def encrypted_model(self, model_id: str) -> "EncryptedModel":
        """Where an encrypted model is shared: its workers and its crypto provider.

        Raises:
            NotFound: there is none with that id.
        """
        arguments.text("model_id", model_id)
        return await self._ask("grid", lambda: self._opened.backends.grid.search_encrypted_models(model_id))

    # ---------------------------------------------------------------------------------------------------- journal

    async def log(self, since: datetime | timedelta | None = None) -> "Sequence[Entry]":
        """The journal: what was asked, by whom, and how it ended, oldest first; from the console and scripts alike.

        `since` is a time with a zone, or how long ago; None is everything that is kept.
        """
        opened = self._usable()
        if since is not None:
            arguments.instance(datetime, timedelta)("since", since)
        at = datetime.now(UTC) - since if isinstance(since, timedelta) else since
        return await asyncio.to_thread(opened.journal.entries, at)

    # ---------------------------------------------------------------------------------------------------- sign-in

    async def sign_in(self, password: str, *, username: str = "", at: Endpoint | None = None) -> None:
        """Sign in. Not needed where EMTUI_TOKEN or EMTUI_PASSWORD is set, or a keyring has the password.

        `username` empty is the profile's. `at` is for profiles whose two ends sign in at different addresses: without
        it, the one that needs it, else the EM. The password goes there and nowhere else, and is not kept.

        Raises:
            NotSignedIn: refused, with what the other side says.
            ConfigProblem: there is nothing to sign in at, or nobody is named.
        """
        opened = self._usable()
        places = opened.needed_sign_ins or opened.ends.sign_ins
        if at is not None:
            places = tuple(place for place in opened.ends.sign_ins if at in place.endpoints)
        if not places:
            raise ConfigProblem("there is nothing to sign in at", remedy="Only a remote EM or Grid Node asks for it.")
        if not (username or opened.ends.user):
            raise ConfigProblem("nobody is named to sign in", remedy="Give username, here or to open_session.")
        with in_python():
            await opened.sign_in(places[0], username or opened.ends.user, arguments.text("password", password))

    # -------------------------------------------------------------------------------------------------- within

    def _usable(self) -> Opened:
        if self._is_closed:
            raise RuntimeError(_CLOSED)
        if asyncio.get_running_loop() is not self._loop:
            raise RuntimeError("this session belongs to another event loop: use asyncio.run_coroutine_threadsafe")
        return self._opened

    async def _ask(self, endpoint: Endpoint, call: Callable[[], Awaitable[T]]) -> T:
        with in_python():
            return await self._usable().ask(endpoint, call)

    def end(self) -> None:
        """Refuse everything from now on; `open_session` calls it when it closes the profile."""
        self._is_closed = True

    def _tell_state(self, state: CommandState) -> None:
        self._tell(self._states.get((state.endpoint, state.id)), state)

    def _log_teller(self, endpoint: Endpoint) -> Callable[[int, str], None]:
        return lambda number, line: self._tell(self._logs.get((endpoint, number)), line)

    def _tell(self, listener: Callable[[T], None] | None, value: T) -> None:
        """A listener that fails must not take the command along: asyncio's own handler tells it."""
        if listener is None:
            return
        try:
            listener(value)
        except Exception as error:  # noqa: BLE001 - whatever the caller's function raises
            self._loop.call_exception_handler({"message": "a listener of emtui failed", "exception": error})
