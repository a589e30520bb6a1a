"""The user's one pod: checked, recorded before it starts, replaced by the next, and told of (EM API §8, §9)."""

import json
import math
import os
import secrets
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from emtui.errors import EmtuiError, InvalidField
from emtui.local.engines.base import DEFAULT_BASE_IMAGES, Engine, PodRequest
from emtui.local.engines.other import OtherPods
from emtui.local.engines.records import wire_time
from emtui.local.engines.references import on_board
from emtui.local.images import Images
from emtui.local.names import ImageName, parse_image, with_prefix
from emtui.local.stopping import disk_errors, to_end
from emtui.local.workspace import Workspace
from emtui.models import NODES, PodSpec, PodState, PodStatus, Waiting
from emtui.threads import in_thread

MAX_DURATION_MIN = 7 * 24 * 60
"""A week: nobody means more, and a slip of the keyboard would keep the node for years."""

PAST_TOLERANCE = timedelta(minutes=1)
"""A time that has passed while the request was written and sent is still meant as now."""

PULL_BACKOFF_AFTER = timedelta(seconds=5)
"""`ErrImagePull` turns into `ImagePullBackOff` when the first try has failed."""

# The kernel takes no longer argument (MAX_ARG_STRLEN), less the NUL at its end.
_MAX_COMMAND_BYTES = 131_071

_MINUTES_REMEDY = "Give the minutes after which the pod is stopped."


class Pods:
    """One user's pods, of which the last is the one that counts.

    Args:
        workspace: theirs.
        engine: the one at work.
        images: the user's.
        user: their name.
        base_images: the names of the base images that are to be on board.
    """

    def __init__(
        self,
        workspace: Workspace,
        engine: Engine,
        images: Images,
        user: str,
        base_images: Sequence[str] = DEFAULT_BASE_IMAGES,
    ) -> None:
        self._store = workspace.store
        self._engine = engine
        self._others = OtherPods(workspace.blobs / "pods")
        self._images = images
        self._user = user
        self._base_images = tuple(base_images)

    async def run(self, spec: PodSpec) -> None:
        """Replace the pod by a new one.

        The previous pod is stopped first, and has its grace period, whichever engine has started it. Each of the two
        steps goes to its end even where the caller is cancelled: there is never a pod that nobody knows.

        Raises:
            InvalidField: a field is not acceptable.
            LocalProblem: the engine is away; the previous pod goes on.
        """
        name, node = check_spec(spec, datetime.now(UTC))
        # Asked first: an engine that is away must not cost the pod that runs.
        reference = await self._images.find(name)
        await to_end(self._stop_previous())
        await to_end(self._start(spec, name, node, reference))

    async def _stop_previous(self) -> None:
        previous = await in_thread(self._last)
        if previous is None or previous["reference"] is None:
            return
        pod_id, engine = previous["pod_id"], previous["engine"]
        if self._is_ours(previous):
            await self._engine.stop(pod_id)
            await self._keep_final(previous, await self._engine.state(pod_id))
        elif previous["final_state"] is None:
            with disk_errors("stop"):
                await in_thread(self._others.stop, pod_id, engine)
            state, _ = await in_thread(self._others.state, pod_id, engine)
            await self._keep_final(previous, PodState.model_validate(state))

    async def _start(self, spec: PodSpec, name: ImageName, node: str, reference: str | None) -> None:
        pod_id = await in_thread(self._record, spec, reference)
        if reference is None:
            return
        request = PodRequest(
            pod_id=pod_id,
            name=with_prefix(ImageName("", name.repository, name.tag), self._user).repository.replace("/", "-"),
            reference=reference,
            node=node,
            command=spec.command,
            max_duration_s=spec.max_duration_s,
            scheduled_time=spec.scheduled_time,
        )
        try:
            await self._engine.start(request)
        except (EmtuiError, OSError) as error:
            # Accepted all the same; only the status tells (EM API §9).
            await in_thread(
                self._save, pod_id, PodState(waiting=Waiting(reason="CreateContainerError", message=str(error)))
            )

    async def status(self) -> PodStatus:
        """How the pod is; `state` is empty before any run."""
        row = await in_thread(self._last)
        if row is None:
            return PodStatus()
        if row["final_state"] is not None:
            return PodStatus(state=PodState.model_validate(json.loads(row["final_state"])))
        if row["reference"] is None:
            return PodStatus(state=self._not_pulled(row))
        if not self._is_ours(row):
            return PodStatus(state=await self._of_other_engine(row))
        state = await self._engine.state(row["pod_id"])
        await self._keep_final(row, state)
        return PodStatus(state=state)

    def _is_ours(self, row: sqlite3.Row) -> bool:
        return bool(row["engine"] == self._engine.name)

    async def _keep_final(self, row: sqlite3.Row, state: PodState) -> None:
        """A state that stays outlives the engine's own files."""
        if state.terminated is not None and row["final_state"] is None:
            await in_thread(self._save, row["pod_id"], state)

    def _last(self) -> sqlite3.Row | None:
        rows = self._store.read("SELECT * FROM pods WHERE username = ? ORDER BY number DESC LIMIT 1", (self._user,))
        return rows[0] if rows else None

    def _record(self, spec: PodSpec, reference: str | None) -> str:
        with self._store.change() as db:
            (number,) = db.execute("SELECT coalesce(max(number), 0) + 1 FROM pods").fetchone()
            pod_id = f"{self._user}-{number}-{secrets.token_hex(3)}"
            db.execute(
                "INSERT INTO pods (pod_id, username, spec, reference, engine, asked_at) VALUES (?, ?, ?, ?, ?, ?)",
                (pod_id, self._user, _spec_json(spec), reference, self._engine.name, datetime.now(UTC).isoformat()),
            )
        return pod_id

    def _save(self, pod_id: str, state: PodState) -> None:
        # json escapes lone surrogates, which a reason or a message may hold.
        text = json.dumps(PodStatus(state=state).to_wire()["state"])
        with self._store.change() as db:
            db.execute("UPDATE pods SET final_state = ? WHERE pod_id = ?", (text, pod_id))

    def _not_pulled(self, row: sqlite3.Row) -> PodState:
        """What Kubernetes says of an image that is nowhere, at first and later."""
        spec = json.loads(row["spec"])
        due = datetime.fromisoformat(spec["scheduled_time"] or row["asked_at"])
        asked = datetime.fromisoformat(row["asked_at"])
        waited = datetime.now(UTC) - max(due, asked)
        if waited < timedelta(0):
            told = f"starts at {wire_time(due.timestamp())}"
            return PodState(waiting=Waiting(reason="Scheduled", message=told))
        name = parse_image(spec["docker_image"], "docker_image")
        named = name if name.registry else with_prefix(name, self._user)
        shown = named.full_repository if named.reference.endswith(":latest") else named.reference
        full = named.reference if named.registry else f"docker.io/library/{named.reference}"
        error = (
            f'rpc error: code = NotFound desc = failed to pull and unpack image "{full}": '
            f'failed to resolve reference "{full}": {full}: not found{self._of_base_image(name)}'
        )
        if waited < PULL_BACKOFF_AFTER:
            return PodState(waiting=Waiting(reason="ErrImagePull", message=error))
        return PodState(
            waiting=Waiting(
                reason="ImagePullBackOff", message=f'Back-off pulling image "{shown}": ErrImagePull: {error}'
            )
        )

    def _of_base_image(self, name: ImageName) -> str:
        """What is added where a base image was meant: the name with the user's prefix would mislead."""
        base = on_board(name.reference, self._base_images)
        if base is None:
            return ""
        return f"; the base image {base}:{name.tag} is not on board either, and nothing is ever pulled: put it there"

    async def _of_other_engine(self, row: sqlite3.Row) -> PodState:
        found, is_final = await in_thread(self._others.state, row["pod_id"], row["engine"])
        state = PodState.model_validate(found)
        if is_final:
            await self._keep_final(row, state)
        return state


def check_spec(spec: PodSpec, now: datetime) -> tuple[ImageName, str]:
    """The image's name and the node of a pod that can be accepted.

    Raises:
        InvalidField: `docker_image`, `max_duration`, `node`, `scheduled_time` or `command` is not acceptable.
    """
    name = parse_image(spec.docker_image, "docker_image")
    if not math.isfinite(spec.max_duration):
        raise InvalidField("max_duration", f"a number is needed, not {spec.max_duration:g}", remedy=_MINUTES_REMEDY)
    if not 0 < spec.max_duration <= MAX_DURATION_MIN:
        problem = f"more than 0 and at most {MAX_DURATION_MIN} minutes, not {spec.max_duration:g}"
        raise InvalidField("max_duration", problem, remedy=_MINUTES_REMEDY)
    node = spec.node.upper()
    if node not in NODES:
        problem = f"no such node: {spec.node}" if node else "This field is required."
        raise InvalidField("node", problem, remedy=f"Choose one of {', '.join(NODES)}.")
    if spec.scheduled_time is not None:
        _check_time(spec.scheduled_time, now)
    _check_command(spec.command)
    return name, node


def _check_time(scheduled: datetime, now: datetime) -> None:
    if scheduled.tzinfo is None or scheduled.utcoffset() is None:
        raise InvalidField(
            "scheduled_time", "without a zone", remedy="Write Z for UTC or the offset: 2025-05-22T12:10:00+02:00."
        )
    if now - scheduled > PAST_TOLERANCE:
        raise InvalidField(
            "scheduled_time", f"in the past: {scheduled.isoformat()}", remedy="Give a later time, or none for now."
        )


def _check_command(command: str) -> None:
    try:
        length = len(os.fsencode(command))
    except UnicodeEncodeError:
        raise InvalidField("command", "a lone surrogate stands for no byte", remedy="Type it again.") from None
    if "\0" in command:
        raise InvalidField("command", "a NUL character cannot be in it", remedy="Remove it.")
    if length > _MAX_COMMAND_BYTES:
        raise InvalidField(
            "command", f"longer than {_MAX_COMMAND_BYTES:,} bytes", remedy="Uplink it as a script and run that."
        )


def _spec_json(spec: PodSpec) -> str:
    """The PodSpec for the store. json escapes lone surrogates, which the command may hold."""
    return json.dumps(
        {
            "docker_image": spec.docker_image,
            "max_duration": spec.max_duration,
            "node": spec.node,
            "scheduled_time": spec.scheduled_time.isoformat() if spec.scheduled_time else None,
            "command": spec.command,
        }
    )
