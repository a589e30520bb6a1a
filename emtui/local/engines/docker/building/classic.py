"""A build without BuildKit: the stream of the classic builder and of Podman's as the steps of our log."""

import re
from collections.abc import Sequence

from emtui.local.engines.buildlog import Step
from emtui.local.engines.docker.building.progress import Lines, Progress
from emtui.local.engines.docker.building.vertexes import image_id_of
from emtui.local.engines.docker.names import Names
from emtui.local.engines.dockerfile import Instruction
from emtui.local.engines.steps import Stage
from emtui.local.engines.talk import Talk, from_title, step_title

# `Step 1/3 : FROM x` of Docker; `STEP 1/3: FROM x`, or `[1/2] STEP 1/3: FROM x`, of Podman.
_STEP = re.compile(r"(?:\[\d+/\d+\] )?(?:Step|STEP) \d+(?:/\d+)? ?: (?P<keyword>\S+).*")
_CACHED = re.compile(r"(?: ---> Using cache|--> Using cache [0-9a-f]+)")
_TALK = re.compile(
    r" ---> (?:Running in )?[0-9a-f]{12}|--> [0-9a-f]{11,64}|--> Pushing cache .*|COMMIT(?: .*)?|[0-9a-f]{64}|"
    r"Removing intermediate container [0-9a-f]{12}|# Executing \d+ build triggers?|"
    r"(?:Successfully built|Successfully tagged) \S+"
)
_STDERR = ("\x1b[91m", "\x1b[0m")


class ClassicProgress(Progress):
    """Follows `{"stream": …}`."""

    def __init__(self, talk: Talk, stages: Sequence[Stage], names: Names, *, with_network: bool = False) -> None:
        super().__init__(talk, stages, names, with_network=with_network)
        self._lines = Lines()
        self._next = 0
        self._step: Step | None = None
        self._is_cached = False
        self._ends_later = False
        self._titles: dict[int, str] = {}
        for number, stage in enumerate(self._stages):
            self._titles[stage.instruction.first_line] = from_title(self._stages, number)
            for place, step in enumerate(stage.steps):
                if not step.instruction.is_trigger:
                    self._titles[step.instruction.first_line] = step_title(self._stages, number, place)

    def take(self, document: dict[str, object]) -> str:
        """One line of the answer. Gives the image's id where it has it, else nothing."""
        self.unpacked()  # it takes the whole context before it says anything
        stream = document.get("stream")
        if isinstance(stream, str):
            # The colour that the classic builder gives to stderr is none of the command's own.
            if stream.startswith(_STDERR[0]) and stream.endswith(_STDERR[1]):
                stream = stream.removeprefix(_STDERR[0]).removesuffix(_STDERR[1])
            self._take(stream)
        return image_id_of(document.get("aux"))

    def _take(self, stream: str) -> None:
        text = stream.rstrip("\n")
        if self._ends_later and not text:
            self._ends_later = False
        elif _is_builders(text):
            # It comes by itself, also behind an output that has no newline at its end.
            self._flush()
            self._ends_later = not stream.endswith("\n")
            self._line(text.encode("utf-8", "surrogatepass"))
        else:
            for line in self._lines.cut(stream.encode("utf-8", "surrogatepass")):
                self._line(line)

    def _flush(self) -> None:
        for line in self._lines.rest():
            self._line(line)

    def fail(self, message: str) -> tuple[str, int]:
        """As every progress does, after what was printed last."""
        self._flush()
        return super().fail(message)

    def _line(self, raw: bytes) -> None:
        text = raw.decode("utf-8", "replace").rstrip("\r")
        if matched := _STEP.fullmatch(text):
            self.close()
            self._begin(matched["keyword"].upper())
        elif _CACHED.fullmatch(text):
            self._is_cached = True
        elif self._step is not None and not _TALK.fullmatch(text):
            self.output(self._step, raw)

    def _begin(self, keyword: str) -> None:
        at = self._following(keyword)
        self._talk.at = at
        title = self._titles.get(at.first_line) if at is not None else None
        self._step = self.begin(title, at) if title is not None else None
        # It stops at the first failure, so that the one at work is the one that fails.
        self.failed, self.failed_at = self._step, at

    def _following(self, keyword: str) -> Instruction | None:
        """The next instruction of this kind: the builders count them each in its own way."""
        dockerfile = self._talk.dockerfile
        instructions = dockerfile.instructions if dockerfile is not None else ()
        for number in range(self._next, len(instructions)):
            if instructions[number].keyword == keyword:
                self._next = number + 1
                return instructions[number]
        return None

    def close(self) -> None:
        """End the step at work."""
        self._flush()
        if self._step is not None:
            self._step.cached() if self._is_cached else self._step.done()
        self._step = None
        self._is_cached = False


def _is_builders(text: str) -> bool:
    return any(pattern.fullmatch(text) for pattern in (_STEP, _CACHED, _TALK))
