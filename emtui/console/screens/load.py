"""Load an image from a tar file of the volume."""

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.content import Content

from emtui.commands import LoadImage
from emtui.console.screens.dialog import Dialog
from emtui.console.screens.form import Words
from emtui.errors import InvalidField
from emtui.image_names import check_image_name, image_of_tar
from emtui.paths import check_volume_path
from emtui.text import safe_text
from widgets.fields import Field, TextField


def _check_tarfile(path: str) -> str:
    bare = check_volume_path("tarfile", path, "a tar file")
    if not bare:
        raise InvalidField("tarfile", "is missing", remedy="Give its path in the volume; uplink it first.")
    return bare


class LoadDialog(Dialog[LoadImage]):
    """Tar file and name of the image. The name follows the tar file until the operator writes it.

    `tarfiles` are those that the volume holds.
    """

    dialog_title = "Load an image"
    verb = "Load"

    def __init__(self, tarfile: str, image: str = "", tarfiles: Sequence[str] = ()) -> None:
        super().__init__()
        self._tarfiles = tuple(tarfiles)
        self._tarfile = TextField(
            "tarfile",
            "Tar file",
            tarfile,
            placeholder="path in the volume, as docker save wrote it",
            choices=tarfiles,
            check=_check_tarfile,
        )
        self._image = TextField(
            "image",
            "Image name",
            image or image_of_tar(tarfile),
            placeholder="the name in the tar file, such as fisheye",
            hint="The name that the tar file holds: the one it was built with.",
            check=lambda text: check_image_name("image", text),
        )

    def compose_fields(self) -> ComposeResult:
        yield self._tarfile
        yield self._image

    def on_field_changed(self, event: Field.Changed) -> None:
        if event.field is self._tarfile and self._tarfile.is_touched and not self._image.is_touched:
            self._image.set_value(image_of_tar(self._tarfile.value))

    def words(self) -> Words:
        command = self._command()
        lines = [
            Content.assemble(
                "Loads image ",
                safe_text(command.image, "bold", limit=200),
                " from /",
                safe_text(command.tarfile, limit=200),
            )
        ]
        if self._tarfiles and command.tarfile not in self._tarfiles:
            lines.append(Content.assemble(("■ ", "$em-caution"), "The volume lists no such tar file."))
        return lines

    def _command(self) -> LoadImage:
        return LoadImage(_check_tarfile(self._tarfile.value), check_image_name("image", self._image.value))

    async def make(self) -> LoadImage:
        return self._command()
