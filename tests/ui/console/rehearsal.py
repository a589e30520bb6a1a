"""The console on a rehearsal that has gone on for a while: what the pictures of the documentation show.

The program is the real one, on a real workspace with a real journal. Only what differs from run to run is held fast:
the clock, which stands and is moved on by hand, the engine, which executes nothing and always takes as long, and the
round trips.
"""

import os
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine
from textual.pilot import Pilot
from ui_harness import screen_text, until

from emtui.backend import LogSink
from emtui.commands import BuildImage, Command, Downlink, RunPod, Uplink
from emtui.console.app import EmtuiApp
from emtui.errors import BuildFailed
from emtui.link.gauge import Gauge
from emtui.local import demo_files
from emtui.local.engines.base import BuildRequest
from emtui.local.workspace import Workspace
from emtui.models import Image, PodSpec
from emtui.profile import Profile
from emtui.session import Session, open_session
from emtui.settings import ConsoleSettings
from emtui.views import Stage
from tests.unit.local.fake_engine import FakeEngine

NOW = datetime(2026, 11, 21, 20, 47, 12, tzinfo=UTC)
"""When the console is opened. The pictures are taken two seconds later."""

WIDE = (120, 36)
DEADLINE_S = 20.0
# Long enough that no poll comes by itself: whatever is asked for, is asked for by a key.
_POLL_S = 3_600.0

_FONTS = "Fira Code, DejaVu Sans Mono, Menlo, Consolas, monospace"

_FAILING = "./undistort.sh --self-test"
_LOG = """\
#1 [internal] load build definition from Dockerfile
#1 transferring dockerfile: 121B done
#1 DONE 0.0s

#2 [internal] load metadata for docker.io/library/alpine:3.20
#2 DONE 0.0s

#3 [internal] load .dockerignore
#3 transferring context: 2B done
#3 DONE 0.0s

#4 [internal] load build context
#4 transferring context: 218B done
#4 DONE 0.0s

#5 [1/4] FROM docker.io/library/alpine:3.20
#5 DONE 0.4s

#6 [2/4] WORKDIR /app
#6 DONE 0.0s

#7 [3/4] COPY undistort.sh .
#7 DONE 0.0s

#8 [4/4] RUN ./undistort.sh --self-test
#8 0.067 /bin/sh: 1: ./undistort.sh: Permission denied
#8 ERROR: process "/bin/sh -c ./undistort.sh --self-test" did not complete successfully: exit code: 126
------
 > [4/4] RUN ./undistort.sh --self-test:
0.067 /bin/sh: 1: ./undistort.sh: Permission denied
------
Dockerfile:4
--------------------
   2 |     WORKDIR /app
   3 |     COPY undistort.sh .
   4 | >>> RUN ./undistort.sh --self-test
   5 |     ENTRYPOINT ["/app/undistort.sh"]
   6 |
--------------------
failed to solve: process "/bin/sh -c ./undistort.sh --self-test" did not complete successfully: exit code: 126
"""
"""What the sandbox says of this very build."""

CALIBRATE = {
    "Dockerfile": (
        "FROM alpine:3.20\nWORKDIR /app\nCOPY undistort.sh .\n"
        f'RUN {_FAILING}\nENTRYPOINT ["/app/undistort.sh"]\n'
    ),
    "undistort.sh": "#!/bin/sh\nset -eu\n# Straightens every frame in /data/frames, with the lens table of /data.\n"
    "for frame in /data/frames/*.raw; do\n    undistort --lens /data/lens.csv \"$frame\"\ndone\n",
}  # fmt: skip


_CELL = 12.2
_FACES = re.compile(r"[ ]*@font-face \{.*?\}\n", re.DOTALL)
_BLANKS_FIRST = re.compile(r' x="([\d.]+)"( y="[\d.]+") textLength="([\d.]+)"([^>]*)>((?:&#160;)+)')


def portable(svg: str) -> str:
    """A picture that needs nothing from another host, and that is the same wherever it is drawn.

    Some programs leave out the blanks that a text begins with.
    """

    def begin_later(found: re.Match[str]) -> str:
        moved = _CELL * (len(found[5]) // len("&#160;"))
        x, length = float(found[1]) + moved, float(found[3]) - moved
        return f' x="{x:.1f}"{found[2]} textLength="{length:.1f}"{found[4]}>'

    without_faces = _FACES.sub("", svg).replace("font-family: Fira Code, monospace", f"font-family: {_FONTS}")
    return _BLANKS_FIRST.sub(begin_later, without_faces)


class PictureEngine(FakeEngine):
    """Builds what it is told, always in as many seconds. `takes` moves the clock on."""

    name = "sandbox"
    notes = ()

    def __init__(self, takes: Callable[[float], None]) -> None:
        super().__init__()
        self._takes = takes

    async def build(self, request: BuildRequest, log: LogSink) -> Image:
        self._takes(8.4)
        if _FAILING in request.dockerfile:
            for line in _LOG.splitlines(keepends=True):
                log(line)
            raise BuildFailed(
                remedy="Read the log's last lines, mend the Dockerfile or its context, uplink it and build again."
            )
        image = await super().build(request, log)
        image = image.model_copy(
            update={"created": datetime.now(UTC).isoformat(), "size": str(len(request.dockerfile) * 40_960)}
        )
        self.made[request.reference] = image
        return image


class Rehearsal:
    """A workspace with a history, and the console on it.

    Attributes:
        home: of the operator; the console is started in it.
        clock: stands, until somebody moves it.
        engine, other_engine: of the workspace, and of one that is served.
    """

    def __init__(self, home: Path, clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch) -> None:
        self.home, self.clock = home, clock
        self.engine = PictureEngine(self.takes)
        self.other_engine = PictureEngine(self.takes)
        self.other_engine.name = ""  # an EM does not tell what runs its images
        self.round_trips_s = {"em": 0.004, "grid": 0.002}
        self._is_living = False
        home.mkdir(parents=True, exist_ok=True)
        monkeypatch.setenv("EMTUI_NO_KEYRING", "1")
        for variable in ("EMTUI_TOKEN", "EMTUI_PASSWORD"):
            monkeypatch.delenv(variable, raising=False)
        monkeypatch.chdir(home)

        async def choose(workspace: Workspace, *_values: object, **_more: object) -> PictureEngine:
            return self.engine if workspace.path == self.workspace else self.other_engine

        measured = Gauge.answered

        def answered(gauge: Gauge, _seconds: float) -> None:
            if self._is_living:
                self.takes(0.4)
            measured(gauge, self.round_trips_s[gauge.health.endpoint])

        monkeypatch.setattr("emtui.local.engines.choose.choose_engine", choose)
        monkeypatch.setattr(Gauge, "answered", answered)

    @property
    def workspace(self) -> Path:
        return self.home / "bench"

    def takes(self, seconds: float) -> None:
        """Let so much time pass."""
        self.clock.shift(timedelta(seconds=seconds))

    def put(self, name: str, content: bytes) -> None:
        """A file of the operator's."""
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def at(self, clock: str) -> None:
        """Move the clock to a time of that day."""
        hours, minutes, seconds = map(int, clock.split(":"))
        self.clock.move_to(NOW.replace(hour=hours, minute=minutes, second=seconds), tick=False)

    @property
    def volume(self) -> Path:
        return self.workspace / "volume"

    @contextmanager
    def living(self) -> Iterator[None]:
        """What is done meanwhile has been done before the console is opened. Each answer takes its time."""
        self._is_living = True
        yield
        self._is_living = False
        self.clock.move_to(NOW, tick=False)

    def date_files(self, volume: Path) -> None:
        """Give what has just come into a volume the clock's time; the disk has another one."""
        moment = datetime.now(UTC).timestamp()
        for path in sorted(volume.rglob("*"), reverse=True):
            if path.stat().st_mtime > NOW.timestamp() or path.stat().st_mtime < NOW.timestamp() - 7 * 86_400:
                os.utime(path, (moment, moment))

    async def do(self, session: Session, clock: str, command: Command) -> None:
        """Carry a command out at a time of that day."""
        self.at(clock)
        await session.do(command)

    @property
    def profile(self) -> Profile:
        """Both ends are the workspace's."""
        return Profile(self.workspace)

    def fill_home(self) -> None:
        """What the operator has on his disk."""
        for number in (411, 412, 413):
            self.put(f"frames/frame-0{number}.raw", bytes(409_600))
        for name, content in demo_files.volume()["fisheye"].items():
            self.put(f"fisheye/{name}", content)
        for name, text in CALIBRATE.items():
            self.put(f"calibrate/{name}", text.encode())

    async def live(self) -> None:
        """What has happened in the workspace before the console is opened."""
        self.fill_home()
        self.at("19:02:10")
        with self.living():
            async with open_session(Profile(self.workspace, is_demo=True)) as session:
                self.date_files(self.volume)
                await self.do(session, "19:31:05", Uplink((self.home / "frames",)))
                self.date_files(self.volume)
                await self.do(session, "20:08:41", BuildImage("fisheye/Dockerfile", "fisheye", "fisheye"))
                echo = PodSpec(docker_image="echo-test", max_duration=5, node="GPU")
                await self.do(session, "20:24:00", RunPod(echo))
                self.at("20:24:07")
                self.engine.end(self.engine.requests[-1].pod_id)
                await session.ask("em", session.backends.em.pod_status)
                await self.do(session, "20:26:12", Downlink(("README.txt",), Path("results"), is_folder=True))
                fisheye = PodSpec(docker_image="fisheye", max_duration=30, node="FPGA")
                await self.do(session, "20:35:03", RunPod(fisheye))

    @asynccontextmanager
    async def console(self, size: tuple[int, int], profile: Profile, theme: str) -> AsyncIterator["Console"]:
        settings = ConsoleSettings(theme=theme, poll_s=_POLL_S, active_pod_poll_s=_POLL_S)
        app = EmtuiApp(profile, settings)
        async with app.run_test(size=size) as pilot:
            console = Console(app, pilot, self)
            try:
                await console.until_answered()
                yield console
            finally:
                app.leave()
                await until(lambda: app.conductor is None, pilot, DEADLINE_S)


class Console:
    """The console of a picture."""

    def __init__(self, app: EmtuiApp, pilot: Pilot[None], rehearsal: Rehearsal) -> None:
        self.app, self.pilot, self.rehearsal = app, pilot, rehearsal

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def type(self, text: str) -> None:
        await self.pilot.press(*({" ": "space", "\t": "tab"}.get(character, character) for character in text))

    async def until(self, is_so: Callable[[], object]) -> None:
        try:
            await until(is_so, self.pilot, DEADLINE_S)
        except AssertionError as error:
            raise AssertionError(f"{error}:\n{screen_text(self.app)}") from None

    async def until_text(self, text: str) -> None:
        await self.until(lambda: text in screen_text(self.app))

    async def until_answered(self) -> None:
        """Until each pane has had its first answer, and the header says who answers."""
        app = self.app
        await self.until(lambda: app.conductor is not None and app.conductor.info is not None)
        conductor = app.conductor
        assert conductor is not None
        await self.until(lambda: all(poller.answered.is_set() for poller in conductor.pollers.values()))

    async def until_stage(self, name: str, stage: Stage) -> None:
        rows = self.app.main.activity.canvas
        await self.until(lambda: any(row.name == name and row.stage is stage for row in rows.rows))

    async def pass_time(self, seconds: float) -> None:
        self.rehearsal.takes(seconds)
        self.app.main.tick()
        await self.pilot.pause()

    async def drawn(self) -> str:
        """The picture."""
        self.app.clear_notifications()
        for _ in range(3):
            await self.pilot.pause()
        return portable(self.app.export_screenshot(title="emtui", simplify=True))
