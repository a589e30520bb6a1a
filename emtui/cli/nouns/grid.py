"""`emtui grid`: the Grid Node's models, tags and encrypted models, from a script."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Awaitable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from emtui.cli.exit_codes import Exit
from emtui.cli.named import absolute, here_option
from emtui.cli.output import Output
from emtui.cli.questions import agree
from emtui.cli.running import Call, online
from emtui.cli.to_stdout import STDOUT, fetched_to_stdout, refusal_of_stdout
from emtui.cli.told import carry_out
from emtui.cli.verb import Verb
from emtui.errors import LocalProblem, NotFound

if TYPE_CHECKING:
    from emtui.backend import GridNode
    from emtui.completing.cache import Kind

T = TypeVar("T")

_ALLOWED = {True: "yes", False: "no", None: ""}


def _id_option(text: str) -> str:
    """A model's id: free text, as it stands."""
    if not text.strip():
        raise ArgumentTypeError("model_id: is missing. Give the model's id, such as mnist-cnn")
    return text


def _add_id(parser: ArgumentParser, what: str) -> None:
    parser.add_argument(
        "model_id", metavar="ID", type=_id_option, help=f"{what}; one that begins with - stands behind --"
    )


async def _of_model(act: Awaitable[T]) -> T:
    """Ask or fetch something of one model. A wrong id is answered with where the right ones are."""
    try:
        return await act
    except NotFound as error:
        error.remedy = "emtui grid models lists the ids."
        raise


def _size(out: Output, size_bytes: int | None) -> object:
    if not out.is_terminal:
        return "" if size_bytes is None else size_bytes
    from emtui import text

    return text.size(size_bytes)


# ------------------------------------------------------------------------------------------------------- models


async def _models(call: Call) -> None:
    grid = call.session.backends.grid
    if call.out.is_json:
        found = list(await call.ask("grid", grid.models))
        await _remember(call, "models", found)
        call.out.document({"success": True, "models": found})
        return

    async def ask() -> list[tuple[str, bool | None, int | None]]:
        ids, sizes = await grid.models(), await grid.model_sizes()
        return [(model_id, await _is_allowed(grid, model_id), sizes.get(model_id)) for model_id in ids]

    rows = await call.ask("grid", ask)
    await _remember(call, "models", [model_id for model_id, _, _ in rows])
    call.out.table(
        ("ID", "COPY", "SIZE"),
        ((model_id, _ALLOWED[is_allowed], _size(call.out, size)) for model_id, is_allowed, size in rows),
        right=(2,),
    )


async def _remember(call: Call, kind: "Kind", names: Iterable[str]) -> None:
    """For the completion of a shell."""
    from emtui.completing.cache import remember
    from emtui.threads import in_thread

    await in_thread(remember, call.session.profile, kind, names)


async def _is_allowed(grid: "GridNode", model_id: str) -> bool | None:
    try:
        return await grid.is_model_copy_allowed(model_id)
    except NotFound:  # gone between the two questions
        return None


async def _show(call: Call) -> None:
    grid, model_id = call.session.backends.grid, call.options.model_id

    async def ask() -> tuple[bool, int | None]:
        return await grid.is_model_copy_allowed(model_id), (await grid.model_sizes()).get(model_id)

    is_allowed, size_bytes = await _of_model(call.ask("grid", ask))
    if call.out.is_json:
        from emtui.wire.grid import NOT_ALLOWED_TO_DOWNLOAD

        body: dict[str, Any] = {"success": is_allowed}
        if not is_allowed:
            body["error"] = NOT_ALLOWED_TO_DOWNLOAD
        call.out.document(body | {"model_id": model_id, "size": size_bytes})
        return
    call.out.table(("ID", "COPY", "SIZE"), [(model_id, _ALLOWED[is_allowed], _size(call.out, size_bytes))], right=(2,))


# ---------------------------------------------------------------------------------------------------------- get


def _configure_get(parser: ArgumentParser) -> None:
    _add_id(parser, "the model's id")
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE|DIR|-",
        type=_output_option,
        help="where to: a file, a folder (there is one, or it ends in /), or - for stdout (default: a file named "
        "after the id in the current folder, _ for each / in it)",
    )
    parser.add_argument("--yes", action="store_true", help="overwrite what is there")


def _output_option(text: str) -> str:
    if not text:
        raise ArgumentTypeError("an empty name is no path")
    return text


def _run_get(options: Namespace) -> int:
    if options.output == STDOUT and (why := refusal_of_stdout(is_json=options.json)):
        Output().say(f"emtui grid get: {why}. See emtui grid get --help.")
        return Exit.USAGE
    return online(_get)(options)


async def _get(call: Call) -> None:
    from emtui.commands import GetModel
    from emtui.threads import in_thread

    model_id, output = call.options.model_id, call.options.output

    if output == STDOUT:
        await _of_model(fetched_to_stdout(call, lambda place: GetModel(model_id, place, is_for_stdout=True)))
        return
    target, is_there = await in_thread(_target, model_id, output)
    if is_there:
        await agree(call.out, f"{target} exists. Overwrite it?", yes=call.options.yes)
    await _of_model(carry_out(call, GetModel(model_id, target, overwrite=is_there)))


def _target(model_id: str, output: str | None) -> tuple[Path, bool]:
    """Where a model goes, and whether a file is there. Absolute: a `~` in an id is no home. Blocks."""
    from emtui import files

    place = absolute(Path(output or ""))
    if not output or output.endswith("/") or place.is_dir():
        try:
            place /= files.local_name(model_id)
        except LocalProblem as error:
            error.remedy = "Give it one: -o FILE."
            raise
    return place, place.exists() and not place.is_dir()


# -------------------------------------------------------------------------------------------------------- serve


def _configure_serve(parser: ArgumentParser) -> None:
    parser.add_argument("source", metavar="FILE", type=here_option, help="the model's file here")
    parser.add_argument(
        "--id", dest="model_id", metavar="ID", type=_id_option, required=True, help="the id it gets: free text"
    )
    parser.add_argument("--allow-download", action="store_true", help="let others fetch a copy (default: nobody may)")


async def _serve(call: Call) -> None:
    from emtui.commands import ServeModel

    options = call.options
    await carry_out(call, ServeModel(absolute(options.source), options.model_id, allow_download=options.allow_download))


# ------------------------------------------------------------------------------------- tags and encrypted models


async def _tags(call: Call) -> None:
    tags = await call.ask("grid", call.session.backends.grid.dataset_tags)
    await _remember(call, "tags", tags)
    if call.out.is_json:
        call.out.document(list(tags))
    else:
        call.out.table(("TAG",), ((tag,) for tag in tags))


def _configure_search(parser: ArgumentParser) -> None:
    parser.add_argument("tag", metavar="TAG", type=_tag_option, help="a dataset's tag, as it is written there")


def _tag_option(text: str) -> str:
    if not text:
        raise ArgumentTypeError("query: is missing. Give a tag, such as mnist")
    return text


async def _search(call: Call) -> Exit:
    tag = call.options.tag
    is_found = await call.ask("grid", lambda: call.session.backends.grid.search(tag))
    if call.out.is_json:
        call.out.document({"content": is_found})
    else:
        call.out.table(("TAG", "FOUND"), [(tag, "yes" if is_found else "no")])
    return Exit.OK if is_found else Exit.NOT_FOUND


def _configure_encrypted(parser: ArgumentParser) -> None:
    _add_id(parser, "the encrypted model's id")


async def _encrypted(call: Call) -> None:
    model_id = call.options.model_id
    try:
        found = await call.ask("grid", lambda: call.session.backends.grid.search_encrypted_models(model_id))
    except NotFound as error:
        error.remedy = "Nothing lists encrypted models: ask whoever shared it for its id."
        raise
    if call.out.is_json:
        call.out.document({"workers": list(found.workers), "crypto_provider": list(found.crypto_provider)})
        return
    call.out.table(
        ("ROLE", "WHO"),
        [("worker", who) for who in found.workers] + [("crypto provider", who) for who in found.crypto_provider],
    )


VERBS = (
    Verb(
        "grid",
        "models",
        "List the models that the Grid Node hosts",
        online(_models),
        description="Id, whether a copy may be fetched, and size where the node tells it. Each model is asked about on "
        "its own;\nwith --json the ids are asked for and no more.",
        examples=("emtui grid models", "emtui grid models --json"),
        json_help="write the body of `/models`: {success, models}",
    ),
    Verb(
        "grid",
        "show",
        "Tell whether a model may be fetched, and its size",
        online(_show),
        lambda parser: _add_id(parser, "the model's id"),
        "The exit code is 0 whether or not a copy is allowed, and 5 where there is no such model.",
        ("emtui grid show mnist-cnn", "emtui grid show mnist-cnn --json"),
        json_help="write the body of `/is_model_copy_allowed/ID`, and with it model_id and size (null: not told)",
    ),
    Verb(
        "grid",
        "get",
        "Fetch a model from the Grid Node",
        _run_get,
        _configure_get,
        "The file is there whole or not at all. What is there already is asked about, and needs --yes without a "
        "terminal.\n-o - writes the model's bytes to stdout and nothing else, once all of it has come; on a terminal "
        "they are shown\nas text.",
        (
            "emtui grid get mnist-cnn",
            "emtui grid get mnist-cnn -o models/ --yes",
            "emtui grid get mnist-cnn -o - | sha256sum",
        ),
        json_help="write one document: how it ended",
    ),
    Verb(
        "grid",
        "serve",
        "Host a model on the Grid Node",
        online(_serve),
        _configure_serve,
        "An id that is taken is refused: a hosted model is never replaced.",
        ("emtui grid serve model.pt --id mnist-v2", "emtui grid serve model.pt --id mnist-v3 --allow-download --json"),
        json_help="write one document: how it ended",
    ),
    Verb(
        "grid",
        "tags",
        "List the tags of the Grid Node's datasets",
        online(_tags),
        examples=("emtui grid tags", "emtui grid tags --json"),
        json_help="write the body of `/dataset-tags`: a list of tags",
    ),
    Verb(
        "grid",
        "search",
        "Tell whether a dataset bears a tag",
        online(_search),
        _configure_search,
        "The exit code is 0 if one does, and 5 if none does.",
        ("emtui grid search mnist", "emtui grid search mnist --json"),
        json_help="write the body of `/search`: {content: true or false}",
    ),
    Verb(
        "grid",
        "encrypted",
        "Tell where an encrypted model is shared",
        online(_encrypted),
        _configure_encrypted,
        "Its workers and its crypto providers, one on a line. The exit code is 5 where there is no such model.",
        ("emtui grid encrypted mnist-cnn-shares", "emtui grid encrypted mnist-cnn-shares --json"),
        json_help="write the body of `/search-encrypted-models`: {workers, crypto_provider}",
    ),
)
