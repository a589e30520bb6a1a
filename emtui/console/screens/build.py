"""Build an image of a folder of the volume."""

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.content import Content

from emtui.commands import BuildImage
from emtui.console.screens.dialog import Dialog
from emtui.console.screens.form import Words
from emtui.errors import InvalidField
from emtui.image_names import check_image_name, suggest_image_name
from emtui.paths import check_volume_path
from emtui.text import safe_text
from widgets.fields import Field, TextField


def _check_dockerfile(path: str) -> str:
    bare = check_volume_path("dockerfile", path, "a file")
    if not bare:
        raise InvalidField("dockerfile", "is missing", remedy="Give its path in the volume.")
    return bare


class BuildDialog(Dialog[BuildImage]):
    """Context, Dockerfile, name of the image.

    The Dockerfile and the name follow the context until the operator writes them. `dockerfiles` are those that the
    volume holds; `user` is put before the image's name by the EM.
    """

    dialog_title = "Build an image"
    verb = "Build"

    def __init__(
        self, dockerfile: str, context: str, image_name: str, dockerfiles: Sequence[str] = (), user: str = "client1"
    ) -> None:
        super().__init__()
        self._dockerfiles = tuple(dockerfiles)
        self._user = user
        contexts = sorted({path.rpartition("/")[0] for path in dockerfiles} - {""})
        self._context_field = TextField(
            "context",
            "Context",
            context,
            placeholder="folder of the volume, / for all of it",
            choices=contexts,
            check=lambda text: check_volume_path("context", text, "a folder"),
        )
        self._dockerfile_field = TextField(
            "dockerfile",
            "Dockerfile",
            dockerfile,
            placeholder="path in the volume",
            choices=self._dockerfiles,
            check=_check_dockerfile,
        )
        self._name_field = TextField(
            "image_name",
            "Image name",
            image_name,
            placeholder="echo-test",
            check=lambda text: check_image_name("image_name", text),
        )

    def compose_fields(self) -> ComposeResult:
        yield self._context_field
        yield self._dockerfile_field
        yield self._name_field

    def on_field_changed(self, event: Field.Changed) -> None:
        if event.field is not self._context_field or not self._context_field.is_touched:
            return
        context = self._context_field.value.strip("/")
        if not self._dockerfile_field.is_touched:
            inside = [path for path in self._dockerfiles if path.rpartition("/")[0] == context]
            usual = f"{context}/Dockerfile" if context else "Dockerfile"
            self._dockerfile_field.set_value(usual if usual in inside or not inside else inside[0])
        if not self._name_field.is_touched:
            self._name_field.set_value(suggest_image_name(context.rpartition("/")[2]))

    def words(self) -> Words:
        command = self._command()
        lines = [
            Content.assemble(
                "Builds image ",
                safe_text(f"{self._user}-{command.image_name}", "bold", limit=200),
                " of /",
                safe_text(command.context, limit=200),
                " with /",
                safe_text(command.dockerfile, limit=200),
            )
        ]
        if self._dockerfiles and command.dockerfile not in self._dockerfiles:
            lines.append(Content.assemble(("■ ", "$em-caution"), "The volume lists no such Dockerfile."))
        return lines

    def _command(self) -> BuildImage:
        context = check_volume_path("context", self._context_field.value, "a folder")
        dockerfile = _check_dockerfile(self._dockerfile_field.value)
        return BuildImage(dockerfile, context or ".", check_image_name("image_name", self._name_field.value))

    async def make(self) -> BuildImage:
        return self._command()
