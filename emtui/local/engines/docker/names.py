"""What is ours in a Docker Engine: the labels of its containers and images, and the names of its images.

An engine is shared by everybody on its machine, and two workspaces may both have a `client1-echo-test`. So each
workspace's images are in a namespace of its own there, `emtui-<id>/client1-echo-test:latest`, and nobody sees it here.
"""

import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from emtui.local.engines.references import parse_reference

LABEL_WORKSPACE = "space.dphi.emtui.workspace"
LABEL_POD = "space.dphi.emtui.pod"
LABEL_NODE = "space.dphi.emtui.node"
LABEL_NAME = "space.dphi.emtui.name"
LABEL_PROBE = "space.dphi.emtui.probe"
LABEL_BUILD = "space.dphi.emtui.build"
"""A build's number. Labels are inherited by what others make of an image, so no label says that something is ours."""

MAX_REPOSITORY = 255
"""The longest name of a repository that a Docker Engine takes."""

_ID = re.compile(r"[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one workspace. `workspace_id` is 12 hexadecimal digits; `build` is the number of one build."""

    workspace_id: str
    build: str = ""

    def there(self, reference: str) -> str | None:
        """The name that the engine knows an image of ours by; None where it would be too long.

        `client1-a:v1` is `emtui-<id>/client1-a:v1`, `host:5000/a/b:v1` is `emtui-<id>-at/host/5000/a/b:v1`.
        """
        taken = parse_reference(reference)
        if taken is None:
            return None
        if taken.registry:
            host, _, port = taken.registry.lower().partition(":")
            repository = f"emtui-{self.workspace_id}-at/{host}/{port or 0}/{taken.repository}"
        else:
            repository = f"emtui-{self.workspace_id}/{taken.repository}"
        return f"{repository}:{taken.tag}" if len(repository) <= MAX_REPOSITORY else None

    def here(self, name: str) -> str | None:
        """The reference of an image that the engine calls `name`; None where it is not ours. Undoes `there`."""
        # Podman writes the registry that it means in front.
        name = name.removeprefix("localhost/").removeprefix("docker.io/")
        plain = f"emtui-{self.workspace_id}/"
        if name.startswith(plain):
            return name.removeprefix(plain)
        at = f"emtui-{self.workspace_id}-at/"
        if not name.startswith(at):
            return None
        host, _, rest = name.removeprefix(at).partition("/")
        port, _, repository = rest.partition("/")
        return f"{host}{'' if port == '0' else f':{port}'}/{repository}"

    def hide(self, text: str) -> str:
        """A line of the engine's with our own names in the place of its."""
        text = re.sub(rf"(?:localhost|docker\.io)/(?=emtui-{self.workspace_id})", "docker.io/library/", text)
        text = text.replace(f"emtui-{self.workspace_id}/", "")
        return re.sub(
            rf"(?:docker\.io/library/)?emtui-{self.workspace_id}-at/([^/\s]+)/(\d+)/",
            lambda found: f"{found[1]}{'' if found[2] == '0' else f':{found[2]}'}/",
            text,
        )

    @property
    def labels(self) -> dict[str, str]:
        """What everything of ours bears."""
        return {LABEL_WORKSPACE: self.workspace_id, **({LABEL_BUILD: self.build} if self.build else {})}


def names_of(blobs: Path) -> Names:
    """The names of the workspace with these blobs; its number is made at the first time. Blocks. Raises OSError."""
    path = blobs / "engine-id"
    try:
        found = path.read_text(encoding="ascii").strip()
        if _ID.fullmatch(found):
            return Names(found)
    except (FileNotFoundError, UnicodeDecodeError):
        pass
    made = secrets.token_hex(6)
    temporary = path.with_name(".engine-id.new")
    with temporary.open("w", encoding="ascii") as file:
        file.write(f"{made}\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    return Names(made)
