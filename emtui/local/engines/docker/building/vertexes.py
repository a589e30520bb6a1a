"""A build by BuildKit: its vertexes as the steps of our log."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from emtui.local.engines.buildlog import Step
from emtui.local.engines.docker.building.progress import Lines, Progress
from emtui.local.engines.docker.building.trace import Output, Vertex, parse_trace
from emtui.local.engines.docker.names import Names
from emtui.local.engines.dockerfile import Instruction
from emtui.local.engines.steps import Stage
from emtui.local.engines.talk import Talk

TRACE = "moby.buildkit.trace"
IMAGE = "moby.image.id"

# What it does for itself, and what we have said already.
_UNPACKING = "copy /context /"
_INTERNAL = ("[internal] ", _UNPACKING)
_CONTEXT = ("[internal] load remote build context", _UNPACKING)
_EXPORT = "exporting to image"
_CANCELED = "context canceled"


@dataclass(slots=True)
class _Open:
    step: Step
    at: Instruction | None
    lines: dict[int, Lines] = field(default_factory=dict)


class BuildKitProgress(Progress):
    """Follows `moby.buildkit.trace`."""

    def __init__(self, talk: Talk, stages: Sequence[Stage], names: Names, *, with_network: bool = False) -> None:
        super().__init__(talk, stages, names, with_network=with_network)
        self._opened: dict[str, _Open] = {}
        self._closed: set[str] = set()

    def take(self, document: dict[str, object]) -> str:
        """One line of the answer. Gives the image's id where it has it, else nothing.

        Raises:
            DaemonProblem: it cannot be read.
        """
        if document.get("id") == IMAGE:
            return image_id_of(document.get("aux"))
        if document.get("id") != TRACE:
            return ""
        trace = parse_trace(document.get("aux"))
        for vertex in trace.vertexes:
            self._begin(vertex)
        for output in trace.outputs:
            self._output(output)
        for vertex in trace.vertexes:
            self._end(vertex)
        return ""

    def _begin(self, vertex: Vertex) -> None:
        if vertex.name == _UNPACKING and vertex.has_completed and not vertex.error:
            self.unpacked()
        if vertex.digest in self._closed or vertex.digest in self._opened:
            return
        if vertex.name == _EXPORT and vertex.has_started:
            self.begin_export()
        is_ours = vertex.name != _EXPORT and not vertex.name.startswith(_INTERNAL)
        has_failed = bool(vertex.error) and _CANCELED not in vertex.error
        if (is_ours and vertex.has_started) or has_failed:
            title, at = self.titled(vertex.name)
            of_context = self._talk.context_step
            if vertex.name == _EXPORT:
                self._opened[vertex.digest] = _Open(self.begin_export(), None)
            elif vertex.name in _CONTEXT and of_context is not None:
                self._opened[vertex.digest] = _Open(of_context, None)
            else:
                self._opened[vertex.digest] = _Open(self.begin(title, at), at)

    def _output(self, output: Output) -> None:
        opened = self._opened.get(output.vertex)
        if opened is not None:
            for line in opened.lines.setdefault(output.stream, Lines()).cut(output.text):
                self.output(opened.step, line)

    def _end(self, vertex: Vertex) -> None:
        opened = self._opened.get(vertex.digest)
        if opened is None or not (vertex.has_completed or vertex.error):
            return
        del self._opened[vertex.digest]
        self._closed.add(vertex.digest)
        for lines in opened.lines.values():
            for line in lines.rest():
                self.output(opened.step, line)
        if not vertex.error:
            opened.step.cached() if vertex.is_cached else opened.step.done()
        elif _CANCELED in vertex.error:
            opened.step.canceled()
        elif self.failed is None:
            self.failed, self.failed_at = opened.step, opened.at


def image_id_of(aux: object) -> str:
    """The id in an answer's `aux`, empty for none."""
    found = aux.get("ID") if isinstance(aux, dict) else None
    return found if isinstance(found, str) else ""
