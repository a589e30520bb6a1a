"""A console with something in every pane, of fixed data: for pictures of the whole screen."""

from datetime import UTC, datetime, timedelta

from textual.app import App
from textual.screen import Screen

from emtui.console.screens.main import MainScreen
from emtui.console.theming import register_themes, variable_defaults
from emtui.models import HostedModel, Image, PodSpec, PodState, PodStatus, Running
from emtui.plain import EndpointInfo, FileNode, Listing
from emtui.views import CommandState, Feed, GridView, LinkHealth, PastPod, PodView, Stage

NOW = datetime(2026, 11, 21, 20, 47, 13, tzinfo=UTC)


def _file(name: str, size: int, minutes_ago: int) -> FileNode:
    return FileNode("file", name, size, NOW - timedelta(minutes=minutes_ago), 1)


def _folder(name: str, *contents: FileNode, minutes_ago: int = 60) -> FileNode:
    size = sum(node.size for node in contents)
    return FileNode("directory", name, size, NOW - timedelta(minutes=minutes_ago), None, contents)


LISTING = Listing(
    (
        _folder("echo-test", _file("Dockerfile", 121, 84), _file("echo-test.sh", 362, 84), minutes_ago=84),
        _folder("fisheye", _file("Dockerfile", 240, 70), _file("undistort.py", 4_812, 70), minutes_ago=70),
        _folder("telemetry", _file("2026-11-20.csv", 88_412, 1_200), _file("2026-11-21.csv", 91_377, 30)),
        _file("downlink.txt", 167, 12),
        _file("frame-0412.raw", 1_228_800, 22),
    ),
    "picture",
    8,
    121 + 362 + 240 + 4_812 + 88_412 + 91_377 + 167 + 1_228_800,
)
IMAGES = (
    Image(repository="client1-echo-test", created=(NOW - timedelta(minutes=80)).isoformat(), size="487"),
    Image(repository="client1-fisheye", created=(NOW - timedelta(minutes=66)).isoformat(), size="83886080"),
)
POD = PodView(
    PodStatus(state=PodState(running=Running(startedAt=NOW - timedelta(minutes=12, seconds=4)))),
    PodSpec(docker_image="fisheye", max_duration=30, node="FPGA"),
    NOW - timedelta(minutes=12, seconds=9),
    (PastPod("echo-test", "Completed", NOW - timedelta(minutes=37), is_good=True),),
)
GRID = GridView(
    (
        HostedModel(model_id="mnist-cnn", is_copy_allowed=True, size_bytes=1_153_434),
        HostedModel(model_id="boston-mlp", is_copy_allowed=True, size_bytes=40_960),
        HostedModel(model_id="gpt2-plan", is_copy_allowed=False),
    ),
    ("mnist", "boston"),
)
COMMANDS = (
    CommandState(
        3, "downlink", "downlink frame-0412.raw → ~/frames", Stage.EXECUTING,
        NOW - timedelta(seconds=3), NOW, done_bytes=720_000, total_bytes=1_228_800, rate_bytes_s=240_000.0,
        is_cancellable=True,
    ),
    CommandState(
        2, "run", "run fisheye on FPGA for 30 min", Stage.COMPLETE, NOW - timedelta(minutes=12, seconds=9),
        NOW - timedelta(minutes=12, seconds=8), note="Docker run scheduled successfully",
    ),
    CommandState(
        1, "uplink", "uplink fisheye → /", Stage.COMPLETE, NOW - timedelta(minutes=70),
        NOW - timedelta(minutes=70), note="2 files, 4.9 KiB, listed",
    ),
)  # fmt: skip


class PictureApp(App[None]):
    """The main screen, fed once and never asked again."""

    TITLE = "emtui"

    def get_default_screen(self) -> Screen[None]:
        return MainScreen(is_read_only=False)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return variable_defaults()

    def on_mount(self) -> None:
        register_themes(self)
        screen = self.screen
        assert isinstance(screen, MainScreen)
        screen.header.show_endpoint(EndpointInfo("local", "client1", "sandbox"))
        for endpoint, seconds in (("em", 0.004), ("grid", 0.002)):
            screen.header.show_health(LinkHealth(endpoint, is_connected=True, round_trip_s=seconds))  # type: ignore[arg-type]  # a loop over two literals
        at = NOW - timedelta(seconds=2)
        screen.files.show(Feed(LISTING, at))
        screen.files.select("echo-test/Dockerfile")
        screen.images.show(Feed(IMAGES, at))
        screen.pod.show(Feed(POD, at))
        screen.grid.show(Feed(GRID, at))
        screen.activity.show_commands(COMMANDS)
        screen.tick()
