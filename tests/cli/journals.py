"""A journal as an emtui leaves it, with a command of each kind and end."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from emtui.commands import BuildImage, Command, Delete, Downlink, GetModel, LoadImage, RunPod, ServeModel, Uplink
from emtui.journal.journal import Journal
from emtui.models import PodSpec
from emtui.views import Stage

BUILD_LOG = ("#1 [internal] load\n", "a ``` fence, <script> and a | pipe\n", "\x1b[31mred\x1b[0m\n")


def kinds() -> list[Command]:
    """One command of each kind."""
    return [
        Uplink((Path("/here/Dockerfile"), Path("/here/run.sh")), "echo-test"),
        BuildImage("echo-test/Dockerfile", "echo-test", "echo-test"),
        LoadImage("fisheye.tar", "fisheye"),
        RunPod(
            PodSpec(
                docker_image="echo-test",
                max_duration=1.5,
                node="FPGA",
                scheduled_time=datetime(2026, 11, 21, 20, tzinfo=UTC),
                command="sh run.sh | tee log",
            )
        ),
        Downlink(("downlink.txt",), Path("/here/results")),
        Delete(("old", "older")),
        ServeModel(Path("/here/m.bin"), "mnist-cnn"),
        GetModel("mnist-cnn", Path("/here/m2.bin")),
    ]


class Written:
    """A journal in `folder` that is written to; its commands are a minute apart, the last one a minute ago."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "journal.db"
        self.journal = Journal(self.path)
        self._count = 0

    def add(
        self,
        command: Command,
        stage: Stage = Stage.COMPLETE,
        *,
        ago: timedelta = timedelta(minutes=1),
        note: str = "",
        error: str = "",
        remedy: str = "",
        log_tail: tuple[str, ...] = (),
        sent_bytes: int = 0,
        sha256: Mapping[str, str] | None = None,
    ) -> int:
        """Write a command and its end, 2.5 s after it was asked for."""
        asked_at = datetime.now(UTC) - ago
        number = self.journal.begin(command, "operator", "em", asked_at)
        self.journal.advance(number, Stage.SENT, asked_at + timedelta(seconds=0.5))
        if stage.is_final:
            end = asked_at + timedelta(seconds=2.5)
            self.journal.finish(
                number,
                stage,
                end,
                note=note,
                error=error,
                remedy=remedy,
                log_tail=log_tail,
                sent_bytes=sent_bytes,
                sha256=sha256,
            )
        return number
