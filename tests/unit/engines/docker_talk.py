"""A build's log and plan for tests that play the Docker Engine's part."""

import re
from dataclasses import dataclass, field

from emtui.local.engines.base import BuildRequest
from emtui.local.engines.config import ImageConfig
from emtui.local.engines.dialect import whole
from emtui.local.engines.docker.names import Names
from emtui.local.engines.dockerfile import parse_dockerfile
from emtui.local.engines.plan import make_plan
from emtui.local.engines.steps import Stage
from emtui.local.engines.talk import Talk
from emtui.local.handles import DirHandle

DIALECT = whole("linux/amd64", "")
IMAGES = {"mine:latest": ImageConfig(), "busybox:latest": ImageConfig()}


@dataclass
class Said:
    """A log with its plan."""

    talk: Talk
    stages: list[Stage]
    names: Names = field(default_factory=lambda: Names("0123456789ab"))
    log: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The log's lines without their times."""
        return [re.sub(r"^(#\d+) (?:\d+\.\d{3} |(DONE) .*)", r"\1 \2", line).rstrip() for line in self.log]


def said(dockerfile: str) -> Said:
    """The log of a build of this Dockerfile, whose steps are still to come."""
    log: list[str] = []
    # Its context is never opened.
    request = BuildRequest(DirHandle(-1), dockerfile, "Dockerfile", "client1-a:latest")
    talk = Talk(request, log.append)
    talk.dockerfile = parse_dockerfile(dockerfile, DIALECT)
    return Said(talk, make_plan(talk.dockerfile, (), IMAGES.get, DIALECT), log=log)
