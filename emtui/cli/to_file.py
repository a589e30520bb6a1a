"""Text that a verb has made, on stdout or in a file that is whole under its name."""

import asyncio
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import AsyncIterator
from pathlib import Path

from emtui.cli.output import Output
from emtui.cli.profile_options import path_option
from emtui.cli.questions import agree
from emtui.errors import LocalProblem


def add_output_option(parser: ArgumentParser) -> None:
    """Let `parser` take `-o FILE` and `--yes`."""
    parser.add_argument(
        "-o", "--output", metavar="FILE", type=_file_option, help="write it to FILE; - is stdout, which is the default"
    )
    parser.add_argument("-y", "--yes", action="store_true", help="replace FILE where it exists, without a question")


def _file_option(text: str) -> Path:
    if text.endswith(("/", "/.", "/..")):
        raise ArgumentTypeError(f"a file is needed, and {text} is a folder")
    return path_option(text)


def give_text(out: Output, text: str, target: Path | None, *, yes: bool) -> None:
    """Write `text` to stdout, or to `target` in UTF-8, whole or not at all.

    Raises:
        Unconfirmed, Cancelled: there is such a file, and nobody agreed to have it replaced.
        LocalProblem: it is a folder, or the disk's.
    """
    if target is None or str(target) == "-":
        out.stdout.write(text)
        return
    if target.is_dir():
        raise LocalProblem(f"{target} is a folder", remedy="Name a file in it.")
    asyncio.run(_write(out, text.encode(), target, yes=yes))


async def _write(out: Output, data: bytes, target: Path, *, yes: bool) -> None:
    from emtui.backend import Download
    from emtui.files import existing, write_verified

    is_there = bool(existing((target,)))
    if is_there:
        await agree(out, f"{target} exists. Replace it?", yes=yes)

    async def chunks() -> AsyncIterator[bytes]:
        yield data

    await write_verified(target, Download(target.name, len(data), chunks()), overwrite=is_there)
    out.say(f"emtui: written to {target}")
