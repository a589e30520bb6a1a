"""`emtui files`: the volume, from a script."""

from argparse import ArgumentParser
from pathlib import Path

from emtui.cli.running import Call, online
from emtui.cli.told import carry_out
from emtui.cli.verb import Verb
from emtui.commands import Uplink
from emtui.errors import NotFound
from emtui.plain import FileNode, Listing


def _configure_list(parser: ArgumentParser) -> None:
    parser.add_argument("path", metavar="PATH", nargs="?", default="", help="a folder or a file (default: the volume)")


async def _list(call: Call) -> None:
    listing = await call.ask("em", call.session.backends.em.list_files)
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


def _below(listing: Listing, path: str) -> tuple[tuple[FileNode, ...], str]:
    """What is at `path`, and what stands before its names. Raises NotFound."""
    clean = path.strip("/")
    if clean in ("", "."):
        return listing.nodes, ""
    node = listing.find(clean)
    if node is None:
        raise NotFound(f"the volume does not list {clean}", remedy="emtui files list shows what there is.")
    if node.is_directory:
        return node.contents or (), f"{clean}/"
    folder = clean.rpartition("/")[0]
    return (node,), f"{folder}/" if folder else ""


def _configure_uplink(parser: ArgumentParser) -> None:
    parser.add_argument("sources", metavar="SRC", nargs="+", type=Path, help="a file or a folder here")
    parser.add_argument("--dest", metavar="PATH", default="", help="a folder of the volume, made where it is missing")


async def _uplink(call: Call) -> None:
    await carry_out(call, Uplink(tuple(call.options.sources), call.options.dest))


VERBS = (
    Verb(
        "files",
        "list",
        "List the volume, or a folder of it",
        online(_list),
        _configure_list,
        "Size, time (UTC) and path of each entry; a folder's size is the sum below it.",
        ("emtui files list", "emtui files list echo-test --json"),
        json_help="write the specification's `data` list (EM API §2)",
    ),
    Verb("files", "uplink", "Send files or whole folders to the volume", online(_uplink), _configure_uplink),
)
