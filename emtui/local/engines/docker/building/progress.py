"""What a Docker Engine says while it builds, as the steps of our log: titles, places in the Dockerfile, words."""

import re
from collections.abc import Callable, Sequence

from emtui.local.engines.buildlog import MAX_LINE, Step
from emtui.local.engines.config import joined
from emtui.local.engines.docker.building.rewrite import CONTEXT_FOLDER, left_out, sent_names
from emtui.local.engines.docker.names import Names
from emtui.local.engines.dockerfile import Instruction
from emtui.local.engines.steps import RunStep, Stage
from emtui.local.engines.talk import Talk, from_title, step_title

_TITLE = re.compile(r"\[(?:(?P<label>[^\]]+) )?(?P<place>\d+)/\d+\] (?P<text>.*)", re.DOTALL)
_PREFIX = re.compile(
    r"(?:failed to solve(?: with frontend dockerfile\.v0)?: |failed to build LLB: |rpc error: code = \w+ desc = |"
    r"failed to create LLB definition: )+"
)
_BUILDKIT_RUN = re.compile(r"executor failed running \[(?P<command>.*)\]: (?P<why>.*)", re.DOTALL)
_CLASSIC_RUN = re.compile(r"The command '(?P<command>.*)' returned a non-zero code: (?P<code>\d+)", re.DOTALL)
_PODMAN_RUN = re.compile(r'building at STEP "RUN .*while running runtime: exit status (?P<code>\d+)', re.DOTALL)
_LINE = re.compile(r"(?:dockerfile parse error (?:on )?line |Dockerfile:)(\d+)", re.IGNORECASE)
_WRONG_FORMAT = re.compile(r"exec format error")

_NO_NETWORK = re.compile(
    r"bad address|network is unreachable|temporary failure in name resolution|temporary failure resolving|"
    r"could not resolve|couldn't resolve|unable to resolve|name or service not known|name does not resolve|"
    r"failed to resolve|no such host|getaddrinfo|EAI_AGAIN|network is down",
    re.IGNORECASE,
)
_FULL = re.compile(r"no space left on device|disk quota exceeded|\bENOSPC\b", re.IGNORECASE)
# Where an engine keeps a root while it works on it; what follows is the path that a Dockerfile means.
_PRIVATE = re.compile(
    r"/[^\s:'\"]*/(?:(?:overlay2?|fuse-overlayfs|aufs|btrfs|zfs|devicemapper)/[\w./-]*?(?:merged|diff|rootfs|subvolumes)"
    r"|vfs/dir/\w+|(?:buildkit-mount|docker-builder|buildah)\d+)(?=/|\b)"
)
_NOT_FOUND = re.compile(r"l?stat (/\S*): no such file or directory|\"(/[^\"]*)\" not found: not found")

FULL_REMEDY = "Free some space on the disk of the Docker Engine (docker system df, docker builder prune)."
_FULL_NOTE = "note: the disk of the Docker Engine is full"
_NETWORK_NOTE = "note: a build has no network here, as on the air-gapped EM"
_NETWORK_REMEDY = "Uplink what it needs into the build context and COPY it, or allow the network with --pod-network."

WRONG_MACHINE = (
    "note: a program is for another kind of machine; with qemu-user-static and binfmt-support installed on the "
    "machine of the Docker Engine it runs there"
)


def is_full(text: str) -> bool:
    """Whether a text of the engine's tells of a disk that is full."""
    return _FULL.search(text) is not None


class Progress:
    """Where a build is.

    Attributes:
        failed: the step that failed, once one has.
        failed_at: its instruction, None where it has none.
        exporting: the step that makes the image, once it has begun.
        remedy: what would help after a failure, empty where only the message tells.
        unpacked: called when the engine has the context; more than once.
    """

    def __init__(self, talk: Talk, stages: Sequence[Stage], names: Names, *, with_network: bool = False) -> None:
        self._talk = talk
        self._stages = stages
        self._names = names
        self._with_network = with_network
        self._sent_names = sent_names(stages)
        self._saw: dict[Step, set[re.Pattern[str]]] = {}
        self.failed: Step | None = None
        self.failed_at: Instruction | None = None
        self.exporting: Step | None = None
        self.remedy = ""
        self.unpacked: Callable[[], None] = lambda: None

    def shown(self, text: str) -> str:
        """A text of the engine's in our own names, on one line."""
        text = _PRIVATE.sub("", self._names.hide(text).replace(f"{CONTEXT_FOLDER}/", ""))
        for sent, stage in zip(self._sent_names, self._stages, strict=True):
            if sent != stage.name:
                text = text.replace(sent, stage.name)
        text = _NOT_FOUND.sub(lambda found: f'"{found[1] or found[2]}": not found', text)
        return text.replace("\r\n", "\n").strip().replace("\n", " ")

    def titled(self, name: str) -> tuple[str, Instruction | None]:
        """The title and the instruction of what BuildKit calls `[stage-1 2/5] COPY a /`."""
        matched = _TITLE.fullmatch(name)
        number = self._stage_of(matched["label"] or "") if matched is not None else None
        if matched is None or number is None:
            return self.shown(name), None
        stage = self._stages[number]
        keyword = matched["text"].partition(" ")[0].upper()
        if keyword == "FROM":
            return from_title(self._stages, number), stage.instruction
        # BuildKit counts FROM only where it is an image's.
        place = int(matched["place"]) - (2 if isinstance(stage.parent, str) else 1)
        if 0 <= place < len(stage.steps) and stage.steps[place].instruction.keyword == keyword:
            return step_title(self._stages, number, place), stage.steps[place].instruction
        return self.shown(name), None

    def _stage_of(self, label: str) -> int | None:
        name = label.rpartition(" ")[2]
        for number, sent in enumerate(self._sent_names):
            if (sent or f"stage-{number}") == name or len(self._stages) == 1:
                return number
        return None

    def begin(self, title: str, at: Instruction | None) -> Step:
        """Begin a step, and say which of its flags were not sent."""
        step = self._talk.begin(title)
        for flag in left_out(at, with_network=self._with_network) if at is not None else ():
            step.note(f"note: {flag} is left out: that is how every RUN is run here")
        return step

    def begin_export(self) -> Step:
        """The step that makes the image; the one that was begun, where it was."""
        if self.exporting is None:
            self.exporting = self._talk.begin("exporting to image")
        self._talk.step = self.exporting
        self._talk.at = None
        return self.exporting

    def output(self, step: Step, line: bytes) -> None:
        """A line that a RUN printed."""
        text = line.rstrip(b"\r").decode("utf-8", "surrogateescape")
        self._saw.setdefault(step, set()).update(_told(text))
        step.output(text)

    def _explain(self, step: Step, message: str) -> None:
        told = self._saw.get(step, set()) | _told(message)
        if _FULL in told:
            step.note(_FULL_NOTE)
            self.remedy = FULL_REMEDY
        elif _NO_NETWORK in told and not self._with_network:
            step.note(_NETWORK_NOTE)
            self.remedy = _NETWORK_REMEDY
        elif _WRONG_FORMAT in told:
            step.note(WRONG_MACHINE)

    def fail(self, message: str) -> tuple[str, int]:
        """Make the failed step the one at work. Gives the message in the words of our log, and the line to blame."""
        self._talk.step = self.failed
        self._talk.at = self.failed_at
        words = self._words(_PREFIX.sub("", message.strip(), count=1))
        if self.failed is not None:
            self._explain(self.failed, message)
        elif is_full(message):
            self.remedy = FULL_REMEDY
        named = _LINE.search(message)
        return words, int(named[1]) if named is not None and self.failed_at is None else 0

    def _words(self, message: str) -> str:
        if found := _BUILDKIT_RUN.fullmatch(message):
            return self.shown(f'process "{found["command"]}" did not complete successfully: {found["why"]}')
        if found := _CLASSIC_RUN.fullmatch(message):
            return self.shown(f'process "{found["command"]}" did not complete successfully: exit code: {found["code"]}')
        if found := _PODMAN_RUN.search(message):
            return f'process "{self._failed_command()}" did not complete successfully: exit code: {found["code"]}'
        return self.shown(message.replace("parse error line ", "parse error on line "))

    def _failed_command(self) -> str:
        for stage in self._stages:
            for step in stage.steps:
                if isinstance(step, RunStep) and step.instruction is self.failed_at:
                    return joined(step.argv)
        return ""


class Lines:
    """Cuts what comes in pieces into lines, none of them longer than `MAX_LINE` bytes."""

    def __init__(self) -> None:
        self._pending = b""

    def cut(self, text: bytes) -> list[bytes]:
        """The lines that have ended."""
        *whole, self._pending = (self._pending + text).split(b"\n")
        lines = [line[:MAX_LINE] for line in whole]
        # A line without end is given in parts.
        while len(self._pending) > MAX_LINE:
            lines.append(self._pending[:MAX_LINE])
            self._pending = self._pending[MAX_LINE:]
        return lines

    def rest(self) -> list[bytes]:
        """What has no newline at its end."""
        rest, self._pending = self._pending, b""
        return [rest] if rest else []


def _told(text: str) -> set[re.Pattern[str]]:
    """What a text tells of why a step fails, should it fail."""
    return {pattern for pattern in (_FULL, _NO_NETWORK, _WRONG_FORMAT) if pattern.search(text)}
