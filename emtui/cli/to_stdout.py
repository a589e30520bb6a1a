"""`-o -`: what is fetched goes to stdout, once it is complete and verified in a temporary folder."""

import asyncio
import contextlib
import fcntl
import io
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from emtui.errors import LocalProblem
from emtui.text import safe_str

if TYPE_CHECKING:
    from emtui.cli.output import Output
    from emtui.cli.running import Call
    from emtui.commands import Command

STDOUT = "-"
"""What `-o` is given for it."""

_CHUNK_BYTES = 1 << 20
_PREFIX = "emtui-stdout-"
_UNLOCKED = "emtui-new-"
# A line of text on a terminal is cut into pieces of so many characters; none is left out.
_PIECE = 1024


def refusal_of_stdout(*, is_json: bool, count: int = 1) -> str:
    """Why `-o -` cannot be had so, as a sentence without a full stop; empty where it can."""
    if is_json:
        return "-o - writes the bytes to stdout, and --json would write there too"
    return f"-o - writes one file to stdout, not {count}" if count > 1 else ""


async def fetched_to_stdout(call: "Call", command_for: Callable[[Path], "Command"]) -> None:
    """Carry out the command that fetches to the path which `command_for` is given, and write its bytes to stdout.

    Nothing is written before all of it has come and has been verified. On a terminal it is shown as text, its control
    characters as escapes; anywhere else it is the bytes as they are. A reader that goes away ends it as
    `BrokenPipeError`, which is no failure.

    Raises:
        EmtuiError: it could not be fetched; stdout is empty.
        LocalProblem: there is no room in the temporary folder, or none where stdout leads.
    """
    await asyncio.to_thread(_sweep)
    with _temporary_folder() as folder:
        place = folder / "fetched"
        try:
            await call.do(command_for(place))
        except LocalProblem as error:
            error.remedy = f"It is fetched to {folder.parent} first: set TMPDIR to a folder with room. {error.remedy}"
            raise
        call.out.stdout.flush()
        try:
            await _in_daemon(lambda: _write(place, call.out))
        except BrokenPipeError:
            raise
        except OSError as error:
            raise LocalProblem(f"stdout: {error.strerror}", remedy="Give it another place.") from error


@contextlib.contextmanager
def _temporary_folder() -> Iterator[Path]:
    """A folder that is locked until it is removed: one without a lock is what a killed emtui has left."""
    with contextlib.ExitStack() as stack:
        try:
            made = Path(tempfile.mkdtemp(prefix=_UNLOCKED))
            stack.callback(shutil.rmtree, made, ignore_errors=True)
            stack.enter_context(_locked(made))
            # It gets the name that others look for once it is locked.
            folder = made.rename(made.with_name(f"{_PREFIX}{made.name.removeprefix(_UNLOCKED)}"))
        except OSError as error:
            raise LocalProblem(
                f"no temporary folder can be made: {error.strerror}", remedy="Set TMPDIR to a folder with room."
            ) from error
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        yield folder


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Raises BlockingIOError where another process has it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _sweep() -> None:
    """Remove what killed runs have left in the temporary folder. What belongs to others stays."""
    with contextlib.suppress(OSError):
        for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
            with contextlib.suppress(OSError):
                if folder.lstat().st_uid == os.getuid():
                    with _locked(folder):
                        shutil.rmtree(folder)


def _write(place: Path, out: "Output") -> None:
    write = _writer(out.stdout)
    with place.open("rb") as file:
        if out.is_terminal:
            for line in file:
                write(_shown(line).encode(out.stdout.encoding, "backslashreplace"))
            return
        while chunk := file.read(_CHUNK_BYTES):
            write(chunk)


def _writer(stdout: TextIO) -> Callable[[bytes], object]:
    """What writes to the descriptor itself: a write that waits must not lock the stream for whoever ends emtui."""
    try:
        descriptor = stdout.fileno()
    except io.UnsupportedOperation:
        return stdout.buffer.write

    def write(data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]

    return write


def _shown(raw: bytes) -> str:
    line = raw.decode("utf-8", "surrogateescape").removesuffix("\n").removesuffix("\r").expandtabs()
    return "".join(safe_str(line[at : at + _PIECE]) for at in range(0, len(line), _PIECE)) + "\n"


async def _in_daemon(work: Callable[[], None]) -> None:
    """Do it in a thread that nobody waits for: a reader that never reads must not keep Ctrl+C from ending emtui."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def tell(error: BaseException | None) -> None:
        if done.done():
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    def run() -> None:
        error: BaseException | None = None
        try:
            work()
        except BaseException as problem:  # noqa: BLE001 - it is raised where it is awaited
            error = problem
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(tell, error)

    threading.Thread(target=run, name="to-stdout", daemon=True).start()
    await done
