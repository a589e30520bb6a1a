"""`emtui files`: the volume, from a script."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from emtui.cli.field_option import field, given
from emtui.cli.named import ROOT, absolute, entries, here_option, not_the_volume, remote_option
from emtui.cli.profile_options import path_option
from emtui.cli.questions import agree
from emtui.cli.running import Call, online
from emtui.cli.told import carry_out, tell_skipped
from emtui.cli.verb import Verb
from emtui.errors import BadRequest, LocalProblem
from emtui.plain import FileNode, Listing

if TYPE_CHECKING:
    from emtui.commands import Downlink
    from emtui.files import UplinkPlan


# As in emtui.cli.to_stdout, which costs time to import.
_STDOUT = "-"


# --------------------------------------------------------------------------------------------------------- list


def _configure_list(parser: ArgumentParser) -> None:
    parser.add_argument(
        "path", metavar="PATH", nargs="?", default="/", type=_list_option, help="a folder or a file (default: all)"
    )


def _list_option(text: str) -> str:
    return text or "/"


async def _list(call: Call) -> None:
    from emtui.completing.cache import remember_listing
    from emtui.threads import in_thread

    listing = await call.ask("em", call.session.backends.em.list_files)
    await in_thread(remember_listing, call.session.profile, listing)
    nodes, prefix = _below(listing, call.options.path)
    if call.out.is_json:
        from emtui.wire.listing import listing_json

        call.out.stdout.writelines(listing_json(nodes))
        call.out.line("")
        return
    from emtui import text

    def size(node: FileNode) -> object:
        return text.size(node.size) if call.out.is_terminal else node.size

    call.out.table(
        ("SIZE", "TIME", "PATH"),
        (
            (size(node), text.timestamp(node.time), f"{prefix}{path}{'/' if node.is_directory else ''}")
            for path, node in Listing(nodes, "", 0, 0).walk()
        ),
        right=(0,),
    )


def _below(listing: Listing, word: str) -> tuple[tuple[FileNode, ...], str]:
    """What is at the path `word`, and what stands before its names. Raises as `entries` does."""
    [(path, node)] = entries(listing, (word,))
    if node is None:
        return listing.nodes, ""
    if node.is_directory:
        return node.contents or (), f"{path}/"
    folder = path.rpartition("/")[0]
    return (node,), f"{folder}/" if folder else ""


# ------------------------------------------------------------------------------------------------------- uplink


def _configure_uplink(parser: ArgumentParser) -> None:
    parser.add_argument("sources", metavar="SRC", nargs="+", type=here_option, help="a file or a folder here")
    _add_dest(parser)
    parser.add_argument("--yes", action="store_true", help="replace files of the volume without a question")


def _add_dest(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--dest",
        metavar="PATH",
        type=field(_dest),
        help="a folder of the volume, made where it is missing (default: /)",
    )


def _dest(text: str) -> str:
    from emtui.paths import check_volume_path

    return check_volume_path("dest_path", given(text, "dest_path", "the volume itself"), "a folder")


async def _uplink(call: Call) -> None:
    import asyncio

    from emtui.commands import Uplink
    from emtui.files import plan_uplink

    dest = call.options.dest or ""
    sources = tuple(absolute(source) for source in call.options.sources)
    plan = await asyncio.to_thread(plan_uplink, sources, dest)
    plan.check_folders()
    tell_skipped(call, plan.skipped)
    if not call.options.yes:
        listing = await call.ask("em", call.session.backends.em.list_files)
        await _agree_to_replace(call, await asyncio.to_thread(_replaced, plan, listing), "of the volume")
    await carry_out(call, Uplink(sources, dest))


def _replaced(plan: "UplinkPlan", listing: Listing) -> list[str]:
    listed = {path for path, node in listing.walk() if not node.is_directory}
    return [f"/{path}" for path, _ in plan.remote() if path in listed]


async def _agree_to_replace(call: Call, names: Sequence[str], where: str) -> None:
    from emtui import text

    if names:
        what = names[0] if len(names) == 1 else text.count(len(names), "file")
        await agree(call.out, f"Replace {what} {where}?", yes=call.options.yes, names=tuple(names))


# ----------------------------------------------------------------------------------------------------- downlink


def _configure_downlink(parser: ArgumentParser) -> None:
    parser.add_argument(
        "paths",
        metavar="REMOTE",
        nargs="+",
        type=remote_option,
        help="a file or a folder of the volume; / is all of it",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="DIR|FILE|-",
        default="./",
        type=_output_option,
        help="where to: a folder, a new name for one file, or - for stdout (default: the folder that this runs in). A "
        "new folder for several files, or for a folder, is made; if the name ends in /, those above it are made too",
    )
    parser.add_argument("--yes", action="store_true", help="replace files here without a question")
    parser.set_defaults(refuse=parser.error)


def _output_option(text: str) -> str:
    path_option(text)
    return text


def _run_downlink(options: Namespace) -> int:
    if options.output == _STDOUT:
        from emtui.cli.to_stdout import refusal_of_stdout

        if why := refusal_of_stdout(is_json=options.json, count=len(options.paths)):
            options.refuse(why)
    return online(_downlink)(options)


async def _downlink(call: Call) -> None:
    import asyncio
    from dataclasses import replace

    from emtui.commands import Downlink

    listing = await call.ask("em", call.session.backends.em.list_files)
    named = entries(listing, call.options.paths)
    output: str = call.options.output
    if output == _STDOUT:
        await _to_stdout(call, *named[0])
        return
    if any(path == ROOT for path, _ in named):
        named = [(node.name, node) for node in listing.nodes]
    command = Downlink(
        tuple(path for path, _ in named),
        absolute(Path(output)),
        overwrite=call.options.yes,
        is_folder=output.endswith(("/", "/.")),
    )
    taken = await asyncio.to_thread(_taken, command, listing)
    await _agree_to_replace(call, taken, "here")
    await carry_out(call, replace(command, overwrite=command.overwrite or bool(taken)))


def _taken(command: "Downlink", listing: Listing) -> list[str]:
    """The files here that would be replaced. Raises `LocalProblem` for a file where a folder is needed. Blocks."""
    from emtui.files import existing
    from emtui.link.perform import directory_among, downlink_targets

    needs_folder = command.is_folder or len(command.paths) > 1 or directory_among(command.paths, listing)
    if needs_folder and command.target.exists() and not command.target.is_dir():
        raise LocalProblem(f"{command.target} is a file", remedy="Name a folder: what is wanted goes into one.")
    found = existing(place for _, _, place in downlink_targets(command, listing))
    return [str(place) for place in found if place.is_symlink() or not place.is_dir()]


async def _to_stdout(call: Call, path: str, node: FileNode | None) -> None:
    from emtui.cli.to_stdout import fetched_to_stdout
    from emtui.commands import Downlink

    if node is None or node.is_directory:
        raise BadRequest(f"/{path} is a folder, and stdout takes one file", remedy="Name a file, or a folder with -o.")
    await fetched_to_stdout(call, lambda place: Downlink((path,), place, is_for_stdout=True))


# ------------------------------------------------------------------------------------------------------- delete


def _configure_delete(parser: ArgumentParser) -> None:
    parser.add_argument(
        "paths", metavar="REMOTE", nargs="+", type=remote_option, help="a file or a folder of the volume"
    )
    parser.add_argument("--yes", action="store_true", help="delete without a question")


async def _delete(call: Call) -> None:
    from emtui import text
    from emtui.commands import Delete

    named = entries(await call.ask("em", call.session.backends.em.list_files), call.options.paths)
    not_the_volume(named, "deleted")
    files = _files_in(node for _, node in named)
    names = tuple(f"/{path}" for path, _ in named)
    what = names[0] if len(names) == 1 else text.count(len(names), "entry", "entries")
    size = text.size(sum(node.size for _, node in named if node is not None))
    inside = (
        f" with {text.count(files, 'file')}" if any(node is not None and node.is_directory for _, node in named) else ""
    )
    await agree(
        call.out, f"Delete {what}{inside}, {size}, from the volume for good?", yes=call.options.yes, names=names
    )
    await carry_out(call, Delete(tuple(path for path, _ in named)))


def _files_in(nodes: Iterable[FileNode | None]) -> int:
    """Files in entries of the volume; a file is one."""
    return sum(not node.is_directory for top in nodes if top for _, node in Listing((top,), "", 0, 0).walk())


# --------------------------------------------------------------------------------------------------------- sync


def _configure_sync(parser: ArgumentParser) -> None:
    parser.add_argument("source", metavar="SRC", type=here_option, help="a folder or a file here")
    _add_dest(parser)
    parser.add_argument("--dry-run", action="store_true", help="say what would be sent, and send nothing")


async def _sync(call: Call) -> None:
    from emtui.cli.nouns.sync import sync

    await sync(call)


VERBS = (
    Verb(
        "files",
        "list",
        "List the volume, or a folder of it",
        online(_list),
        _configure_list,
        "Size, time (UTC) and path of each entry; a folder's size is the sum below it. In a pipe sizes are bytes, and\n"
        "control characters of a name are written as escapes; --json has the names as they are.",
        ("emtui files list", "emtui files list echo-test --json"),
        json_help="write the specification's `data` list (EM API §2)",
    ),
    Verb(
        "files",
        "uplink",
        "Send files or whole folders to the volume",
        online(_uplink),
        _configure_uplink,
        "A folder keeps its name and its tree. Links in it, empty folders and devices are left out, and it says so. A\n"
        "file of the volume that would be replaced is asked about; without a terminal that needs --yes. A file is\n"
        "500 MB at most (EM API §1); more than that in all becomes several requests.",
        ("emtui files uplink echo-test", "emtui files uplink data.bin --dest echo-test --yes"),
    ),
    Verb(
        "files",
        "downlink",
        "Fetch files or whole folders from the volume",
        _run_downlink,
        _configure_downlink,
        "Each file is verified before it gets its name. A file here that would be replaced is asked about; without a\n"
        "terminal that needs --yes. With -o - one file goes to stdout, once all of it has come and is verified; on a\n"
        "terminal its control characters are written as escapes.",
        (
            "emtui files downlink downlink.txt --yes",
            "emtui files downlink echo-test -o results/ --yes",
            "emtui files downlink downlink.txt -o - | wc -c",
        ),
    ),
    Verb(
        "files",
        "delete",
        "Remove files or folders from the volume",
        online(_delete),
        _configure_delete,
        "A folder goes with all that is in it. It is asked about always; without a terminal it needs --yes. Nothing\n"
        "is deleted when one of the names is not there.",
        ("emtui files delete downlink.txt --yes",),
    ),
    Verb(
        "files",
        "sync",
        "Send what is new or changed of a folder",
        online(_sync),
        _configure_sync,
        "Files go where an uplink would put them: folder X to X in the volume, or below --dest. A file is sent\n"
        "  - when the volume has none of that path, or one of another size;\n"
        "  - when it is new here, or was changed here since it was last synced from here: unless the volume lists the\n"
        "    hash of what it holds;\n"
        "  - when the volume's was changed since it was synced: if its time here is not before the volume's, which\n"
        "    the EM tells in whole minutes. One that is newer there is left, and it says so.\n"
        "The hashes of local mode and of emtui serve can be compared. Another EM's may be of another kind: in doubt a\n"
        "file is sent, once. Nothing is deleted, and nothing is asked: replacing is what it is for, also of what a\n"
        "pod has written there to another size. Each folder of the volume is one uplink.",
        ("emtui files sync echo-test --dry-run", "emtui files sync echo-test"),
        json_help="write what was sent as one document; with --dry-run a list of what would be sent",
    ),
)
