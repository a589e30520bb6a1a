"""What any backend can do: two Protocols, `EM` and `GridNode`, and the streams that they take and give.

A backend does one thing for each call of its API and nothing else: it does not queue, repeat, or wait for a lock.
That is the Link's work. Every call may raise, besides what its own docstring names:

    NotSignedIn: no token, or one that is not accepted.
    Locked: the EM is at work on another request; nothing was executed (EM API, Shared Behaviors).
    Unreachable: no answer; `may_have_run` tells whether the request can have been executed.
    RemoteFailed: the other side failed inside.
    ContractViolation: the answer is not what the specification promises.

A cancelled call (asyncio cancellation) undoes what it began, or leaves it whole.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from emtui.errors import BadRequest, LocalProblem

if TYPE_CHECKING:
    from emtui.models import EncryptedModel, Image, PodSpec, PodStatus, UplinkResult
    from emtui.plain import EndpointInfo, Listing


CHUNK_BYTES = 1 << 20
"""The largest chunk that a stream gives: big enough that the cost of a chunk does not count, small in memory."""

MAX_UPLINK_BYTES = 500_000_000
"""What a client sends in one uplink call at most (EM API §1: 500 MB)."""

MAX_UPLINK_FILES = 100
"""What a client sends in one uplink call at most: usual servers take no more files of one form."""

LOCAL_UPLINK_LIMIT_BYTES = 524_288_000
"""What the local EM takes in one uplink call at most, counted while it reads."""

LogSink = Callable[[str], None]
"""Takes one log line with its newline, as soon as it is known. Called on the event loop's thread."""


class Source(Protocol):
    """A file to be sent. It can be opened again, so that a request which was not executed can be repeated."""

    @property
    def name(self) -> str:
        """The base name it gets on the other side."""
        ...

    @property
    def size_bytes(self) -> int:
        """How many bytes `open` will give. A source that gives another number raises `LocalProblem`."""
        ...

    def open(self) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """A fresh stream from the first byte, in chunks of at most `CHUNK_BYTES`."""
        ...


@dataclass(frozen=True, slots=True)
class Download:
    """A file or model on its way.

    Attributes:
        name: its base name on the other side; foreign.
        size_bytes: how many bytes `chunks` will give, None where the other side does not say, or says it last.
        chunks: at most `CHUNK_BYTES` each. When the last one has been read, size and SHA-256 have been checked
            against what the other side promised; `ContractViolation` is raised instead of the end if they differ.
        sha256: hex, lower case, as promised by the other side; empty where it promises none (a model), or last.
        is_hashed: a SHA-256 is promised last, and checked by `chunks`.
    """

    name: str
    size_bytes: int | None
    chunks: AsyncIterator[bytes]
    sha256: str = ""
    is_hashed: bool = False


class EM(Protocol):
    """The Engineering Model: one user's volume, images and pod.

    Paths are relative to the volume, `/` between folders. One that leaves it raises `Forbidden`, one that is
    not a path (empty, NUL, `.`) `BadRequest`, before the file system is touched.
    """

    async def uplink(self, files: Sequence[Source], dest_path: str = "") -> UplinkResult:
        """Store files in the folder `dest_path` (EM API §1), which is made where it is missing. All or none.

        Raises:
            BadRequest: `NO_FILES`, or `MAX_UPLINK_SIZE_EXCEEDED` (counted while it is read; nothing is kept).
            Forbidden: `dest_path` or a name leaves the volume.
            LocalProblem: a source cannot be read, or changed while it was read; nothing is kept.
        """
        ...

    async def list_files(self) -> Listing:
        """The whole volume (EM API §2)."""
        ...

    def downlink(self, path: str) -> AbstractAsyncContextManager[Download]:
        """Open a file of the volume for reading (EM API §3). The request ends with the context.

        Raises:
            BadRequest: it is a directory, or no path.
            Forbidden: the path leaves the volume, or it is a link, device, FIFO or socket.
            NotFound: no such file.
            ContractViolation: size, base64 or SHA-256 is not what the answer promised, or the file changed while
                it was read.
        """
        ...

    async def delete(self, path: str) -> str:
        """Remove a file, or a folder with all that is in it (EM API §4). Links are removed, never followed.

        Returns: the message, `File deleted successfully`.

        Raises:
            BadRequest: no such file, or the volume itself.
            Forbidden: the path leaves the volume.
        """
        ...

    async def build_image(self, dockerfile: str, context: str, image_name: str, on_log: LogSink | None = None) -> str:
        """Build an image of a folder of the volume (EM API §5). The user's name is put before `image_name`.

        Returns: the message, `Docker Image built successfully`.

        Raises:
            BuildFailed: with the last 100 lines of the log.
            Forbidden: a path leaves the volume.
            InvalidField: `image_name` is not a valid name of an image.
        """
        ...

    async def load_image(self, tarfile: str, image: str, on_log: LogSink | None = None) -> str:
        """Load an image from a tar file of the volume (EM API §6). `image` must be the name that it holds.

        Returns: the message, `Tar file loaded successfully`.

        Raises:
            LoadFailed: with the log.
            Forbidden: the path leaves the volume.
        """
        ...

    async def list_images(self) -> Sequence[Image]:
        """The user's images, built and loaded (EM API §7)."""
        ...

    async def run_pod(self, spec: PodSpec) -> str:
        """Run a pod, now or at `spec.scheduled_time`, in the place of the one before (EM API §8).

        It is accepted even if it cannot start: only `pod_status` tells.

        Returns: the message, `Docker run scheduled successfully`.

        Raises:
            InvalidField: `max_duration`, `node`, `scheduled_time` or `docker_image` is not acceptable.
        """
        ...

    async def pod_status(self) -> PodStatus:
        """How the pod is (EM API §9). `state` is empty before any run."""
        ...

    async def info(self) -> EndpointInfo:
        """Who answers. Never refused, never `Locked`: it asks the backend itself, not the EM."""
        ...

    async def aclose(self) -> None:
        """Let go of files, sockets and locks. Pods go on."""
        ...


class GridNode(Protocol):
    """A PyGrid node: hosted models, tagged datasets, encrypted models."""

    async def models(self) -> Sequence[str]:
        """The ids of the hosted models (`/models`)."""
        ...

    async def is_model_copy_allowed(self, model_id: str) -> bool:
        """Whether the model may be downloaded (`/is_model_copy_allowed/<model_id>`).

        Raises:
            NotFound: `Model not found.`
        """
        ...

    def get_model(self, model_id: str) -> AbstractAsyncContextManager[Download]:
        """Download a model (`/get_model/<model_id>`).

        Raises:
            Forbidden: `You're not allowed to download this model.`
            NotFound: `Model not found.`
        """
        ...

    async def serve_model(
        self, source: Source, model_id: str, *, allow_download: bool, encoding: str = "ISO-8859-1"
    ) -> str:
        """Host a model (`/serve_model`). Whole or not at all.

        Returns: the message, `Model saved with id: <model_id>`.

        Raises:
            Conflict: `Model id already exists.`
            InvalidField: the id is empty.
        """
        ...

    async def dataset_tags(self) -> Sequence[str]:
        """The tags of the node's datasets (`/dataset-tags`)."""
        ...

    async def search(self, query: str) -> bool:
        """Whether a dataset bears the tag (`/search`).

        Raises:
            BadRequest: no tag (the specification's answer is an empty object).
        """
        ...

    async def search_encrypted_models(self, model_id: str) -> EncryptedModel:
        """Where an encrypted model is shared (`/search-encrypted-models`).

        Raises:
            BadRequest: `Invalid payload format`.
            NotFound: `Model ID not found!`
        """
        ...

    async def model_sizes(self) -> dict[str, int]:
        """Bytes of the models whose size the node knows, by id; empty where it says none (it is not specified)."""
        ...

    async def info(self) -> EndpointInfo:
        """Who answers."""
        ...

    async def aclose(self) -> None:
        """Let go of files and sockets."""
        ...


@dataclass(frozen=True, slots=True)
class Backends:
    """The two ends that commands talk to. `have_one_clock`: they tell the time by this machine's."""

    em: EM
    grid: GridNode
    have_one_clock: bool = False


def no_files() -> BadRequest:
    """What an uplink of nothing is (EM API §1)."""
    return BadRequest("No files were provided for uplink!", code="NO_FILES", remedy="Choose at least one file.")


def too_large() -> BadRequest:
    """What an uplink over the limit is (EM API §1)."""
    return BadRequest(
        "Total upload size exceeds 500 MB",
        code="MAX_UPLINK_SIZE_EXCEEDED",
        remedy="Send the files in several calls. Nothing was kept.",
    )


def changed(source: Source) -> LocalProblem:
    """What a source is that does not give as many bytes as it said."""
    return LocalProblem(f"{source.name}: changed while it was read", remedy="Nothing was kept. Send it again.")
