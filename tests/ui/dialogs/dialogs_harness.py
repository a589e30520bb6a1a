"""An app with one dialog in it, and the dialogs that the tests open."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from textual.app import App
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Static
from ui_harness import NOW, until

from emtui.console.screens.run import RunDialog
from emtui.console.theming import register_themes, variable_defaults
from emtui.errors import NotSignedIn
from emtui.keys.keymap import KeyMap
from emtui.models import Image, PodSpec, PodState, PodStatus, Running, Waiting
from emtui.views import CommandState, PodView, Stage
from widgets.fields import Field, TextField

KEYS = {"/": "slash", " ": "space", "+": "plus", ":": "colon", "-": "minus", ".": "full_stop", "~": "tilde"}


class DialogApp(App[None]):
    """Opens a dialog and keeps what it is dismissed with."""

    def __init__(
        self, make_dialog: Callable[[], Screen[Any]], theme: str = "dark", keys: Mapping[str, str] | None = None
    ) -> None:
        super().__init__()
        self.key_map = KeyMap(keys)
        self._make_dialog = make_dialog
        self._theme_name = theme
        self.results: list[object] = []

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return variable_defaults()

    def on_mount(self) -> None:
        self.set_keymap(self.key_map.for_textual())
        register_themes(self, self._theme_name)
        self.push_screen(self._make_dialog(), self.results.append)

    @property
    def words(self) -> str:
        """What the dialog says will happen."""
        return str(self.screen.query_one("#words", Static).content)


async def settle(pilot: Pilot[Any]) -> None:
    """Until the disk has been read and everything that was counted is said."""
    groups = {"read", "count", "look"}
    await pilot.pause()
    await until(
        lambda: not any(worker.group in groups and not worker.is_finished for worker in pilot.app.workers), pilot
    )
    await pilot.pause()
    await pilot.pause()


async def write(pilot: Pilot[Any], text: str) -> None:
    """Type `text`, a key for each character."""
    await pilot.press(*(KEYS.get(character, character) for character in text))
    await settle(pilot)


async def finished(pilot: Pilot[Any]) -> object:
    """The dialog's result, once there is one."""
    app = pilot.app
    assert isinstance(app, DialogApp)
    await until(lambda: app.results, pilot)
    await pilot.pause()
    assert len(app.results) == 1
    return app.results[0]


def make_disk(home: Path) -> Path:
    """A home with a folder `work` as an operator has it. Returns `work`."""
    work = home / "desk"
    (work / "echo-test").mkdir(parents=True)
    (work / "echo-test" / "Dockerfile").write_bytes(b"FROM busybox\n" + b"#" * 108)
    (work / "echo-test" / "echo-test.sh").write_bytes(b"#" * 362)
    (work / "docs").mkdir()
    (work / "docs" / "link").symlink_to("/etc/passwd")
    (work / "docs" / "notes.txt").write_bytes(b"n" * 1500)
    (work / ".hidden").write_bytes(b"h")
    for number in range(1, 13):
        (work / f"frame-{number:02d}.raw").write_bytes(bytes(number * 100_000))
    (work / "two words.txt").write_bytes(b"w" * 167)
    (work / "esc\x1b[31mname").write_bytes(b"e")
    (home / "downlinks").mkdir()
    (home / "downlinks" / "downlink.txt").write_bytes(b"old")
    return work


IMAGES = (Image(repository="client1-echo-test"), Image(repository="client1-fisheye"), Image(repository="busybox"))

ACTIVE = PodView(
    status=PodStatus(state=PodState(running=Running(started_at=NOW - timedelta(minutes=12)))),
    spec=PodSpec(docker_image="fisheye", max_duration=30, node="GPU"),
)

WAITING = PodView(status=PodStatus(state=PodState(waiting=Waiting(reason="ImagePullBackOff", message="no"))))

FAILED = CommandState(
    id=3,
    name="build",
    title="build echo-test of /echo-test",
    stage=Stage.FAILED,
    asked_at=NOW,
    changed_at=NOW + timedelta(seconds=4),
    error="Docker build failed",
    remedy="Read the log's last lines, mend the Dockerfile or its context, uplink it and build again.",
    log_tail=tuple(f"#{number} 0.{number} RUN make step-{number} \x1b[31m[red]failed[/]\n" for number in range(1, 60)),
)

HELP = tuple(
    ("Everywhere" if number < 10 else "Files", key, f"does what {key} does")
    for number, key in enumerate(
        ("1", "2", "3", "tab", "hjkl", "/", "?", "ctrl+p", "q", "R", "u", "d", "x", "enter", "space", "y", "p")
    )
)


async def refuse_sign_in(_username: str, _password: str) -> None:
    raise NotSignedIn(
        "No active account found with the given credentials \x1b[31m", remedy="Check the user and the password."
    )


def make_dialogs(work: Path) -> dict[str, tuple[Callable[[], Screen[Any]], tuple[str, ...]]]:
    """Each dialog by the name of its picture, with the keys that come before it is taken."""
    from emtui.console.screens.build import BuildDialog
    from emtui.console.screens.delete import DeleteDialog
    from emtui.console.screens.detail import DetailScreen
    from emtui.console.screens.downlink import DownlinkDialog
    from emtui.console.screens.get_model import GetModelDialog
    from emtui.console.screens.help import HelpScreen
    from emtui.console.screens.load import LoadDialog
    from emtui.console.screens.serve_model import ServeModelDialog
    from emtui.console.screens.sign_in import SignInDialog
    from emtui.console.screens.uplink import UplinkDialog

    downlinks = work.parent / "downlinks"
    dockerfiles = ("echo-test/Dockerfile", "fisheye/Dockerfile.space")
    folders = ("echo-test", "images")

    def run(active: PodView | None = None) -> Screen[Any]:
        return RunDialog(IMAGES, "client1-echo-test:latest", active=active, now=lambda: NOW)

    return {
        "uplink": (lambda: UplinkDialog("echo-test", folders, work), ()),
        "uplink marked": (
            lambda: UplinkDialog("echo-test", folders, work),
            ("down", "space", "space", "down", "down", "space"),
        ),
        "uplink error": (lambda: UplinkDialog("", folders, work), (*"nowhere", "ctrl+s")),
        "downlink": (lambda: DownlinkDialog(("echo-test/result.bin",), 1_234_567, downlinks), ()),
        "downlink several": (lambda: DownlinkDialog(("a/one.bin", "a/two.bin", "downlink.txt"), 300, downlinks), ()),
        "downlink overwrite": (lambda: DownlinkDialog(("downlink.txt",), 167, downlinks), ("ctrl+s",)),
        "downlink error": (
            lambda: DownlinkDialog(("a", "b"), 167, downlinks / "downlink.txt"),
            ("backspace", "ctrl+s"),
        ),
        "delete": (lambda: DeleteDialog(("echo-test", "downlink.txt", "evil\x1b]52;c;x\x07"), 12, 1_300_000), ()),
        "build": (lambda: BuildDialog("echo-test/Dockerfile", "echo-test", "echo-test", dockerfiles), ()),
        "build error": (
            lambda: BuildDialog("echo-test/Dockerfile", "echo-test", "echo-test", dockerfiles),
            ("tab", "tab", "home", "M", "y", "space", "ctrl+s"),
        ),
        "load": (lambda: LoadDialog("images/fisheye.tar"), ()),
        "load error": (lambda: LoadDialog("", ""), ("ctrl+s",)),
        "run": (run, ()),
        "run scheduled": (lambda: run(ACTIVE), (*["tab"] * 4, "plus", "1", "0", "m")),
        "run error": (run, ("tab", "tab", *["backspace"] * 2, *"abc", "tab", "tab", *"14", "colon", *"30", "ctrl+s")),
        "run replace": (lambda: run(ACTIVE), ("ctrl+s",)),
        "serve model": (lambda: ServeModelDialog(work), ("down", *["down"] * 5, "enter")),
        "serve model error": (lambda: ServeModelDialog(work), ("ctrl+s",)),
        "get model": (lambda: GetModelDialog("mnist/cnn #1", 1_153_434, downlinks), ()),
        "get model error": (lambda: GetModelDialog("..", None, downlinks), ("ctrl+s",)),
        "sign in": (lambda: SignInDialog(refuse_sign_in, "https://em.example.org", "client1"), (*"secret",)),
        "sign in refused": (
            lambda: SignInDialog(refuse_sign_in, "https://em.example.org", "client1"),
            (*"secret", "enter"),
        ),
        "help": (lambda: HelpScreen(HELP), ()),
        "help filtered": (lambda: HelpScreen(HELP), ("slash", *"space")),
        "detail": (lambda: DetailScreen(FAILED), ()),
    }


SIZE = (120, 40)


def field(app: DialogApp, wire: str) -> TextField:
    return app.screen.query_one(f"#field-{wire}", TextField)


def problem(app: DialogApp, wire: str) -> str:
    found = app.screen.query_one(f"#field-{wire}", Field).problem
    return f"{found.message} {found.remedy}" if found else ""


def run_dialog(**more: Any) -> RunDialog:
    return RunDialog(IMAGES, "client1-echo-test:latest", now=lambda: NOW, **more)


def focused_field(app: DialogApp) -> str:
    for candidate in app.screen.query(Field):
        if app.focused is candidate.control_widget():
            return candidate.wire
    return str(app.focused.id) if app.focused else ""
