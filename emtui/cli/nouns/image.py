"""`emtui image`: the images of the EM, from a script."""

from argparse import ArgumentParser

from emtui.cli.field_option import field
from emtui.cli.named import remote_option
from emtui.cli.running import Call, online
from emtui.cli.told import carry_out
from emtui.cli.verb import Verb
from emtui.errors import InvalidField

_NAME_HELP = "the image's name, without the user's name, which the EM puts before it"


def _configure_build(parser: ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", type=field(_image_name), help=_NAME_HELP)
    parser.add_argument(
        "--context", metavar="P", required=True, type=field(_context), help="a folder of the volume; / is all of it"
    )
    parser.add_argument(
        "--dockerfile", metavar="P", type=field(_dockerfile), help="a file of the volume (default: CONTEXT/Dockerfile)"
    )


def _image_name(text: str) -> str:
    from emtui.image_names import check_image_name

    return check_image_name("image_name", text)


def _context(text: str) -> str:
    from emtui.paths import check_volume_path

    context = check_volume_path("context", remote_option(text), "a folder")
    return "" if context == "." else context


def _dockerfile(text: str) -> str:
    return _file("dockerfile", text, "a file", "Give its path in the volume.")


def _tarfile(text: str) -> str:
    return _file("tarfile", text, "a tar file", "Give its path in the volume; uplink it first.")


def _file(name: str, text: str, what: str, remedy: str) -> str:
    from emtui.paths import check_volume_path

    path = check_volume_path(name, remote_option(text), what)
    if not path:
        raise InvalidField(name, "is the volume itself", remedy=remedy)
    return path


async def _build(call: Call) -> None:
    from emtui.commands import BuildImage

    options = call.options
    usual = f"{options.context}/Dockerfile" if options.context else "Dockerfile"
    await carry_out(call, BuildImage(options.dockerfile or usual, options.context or ".", options.name))


def _configure_load(parser: ArgumentParser) -> None:
    parser.add_argument("tarfile", metavar="TARFILE", type=field(_tarfile), help="a tar file of the volume")
    parser.add_argument(
        "name",
        metavar="NAME",
        nargs="?",
        type=field(_loaded_name),
        help="the name that the image has in it (default: what the file is called)",
    )


def _loaded_name(text: str) -> str:
    from emtui.image_names import check_image_name

    return check_image_name("image", text)


async def _load(call: Call) -> None:
    from emtui.commands import LoadImage
    from emtui.image_names import check_image_name, image_of_tar

    tarfile = call.options.tarfile
    name = call.options.name or check_image_name("image", image_of_tar(tarfile))
    await carry_out(call, LoadImage(tarfile, name))


# As much of it as Docker's own client shows.
_SHORT_ID = 12


async def _list(call: Call) -> None:
    from emtui import text
    from emtui.completing.asking import remember_images
    from emtui.threads import in_thread

    images = await call.ask("em", call.session.backends.em.list_images)
    await in_thread(remember_images, call.session.profile, images)
    if call.out.is_json:
        call.out.document([image.model_dump(mode="json") for image in images])
        return

    def size(given: str, size_bytes: int | None) -> str:
        return text.size(size_bytes) if call.out.is_terminal and size_bytes is not None else given

    def id_(given: str) -> str:
        return given.removeprefix("sha256:")[:_SHORT_ID] if call.out.is_terminal else given

    call.out.table(
        ("IMAGE", "TAG", "ID", "CREATED", "SIZE"),
        (
            (image.repository, image.tag, id_(image.id), image.created, size(image.size, image.size_bytes))
            for image in images
        ),
        right=(4,),
    )


VERBS = (
    Verb(
        "image",
        "build",
        "Build an image of a folder of the volume",
        online(_build),
        _configure_build,
        "Uplink the folder first. On a terminal the log is shown while it is built; elsewhere only its last lines,\n"
        "when the build fails. With --json they are in log_tail.",
        ("emtui image build --context echo-test echo-test",),
        runs_images=True,
    ),
    Verb(
        "image",
        "load",
        "Load an image from a tar file of the volume",
        online(_load),
        _configure_load,
        "The tar file is what docker save has written. Uplink it first.",
        ("emtui image load fisheye.tar fisheye",),
        runs_images=True,
    ),
    Verb(
        "image",
        "list",
        "List the images that were built and loaded",
        online(_list),
        description="Name, tag, id, time and size of each, as the EM tells them. In a pipe sizes are bytes, and ids\n"
        "are whole.",
        examples=("emtui image list", "emtui image list --json"),
        json_help="write the specification's `data` list (EM API §7)",
    ),
)
