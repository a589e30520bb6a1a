"""The console on a remote EM that somebody else keeps busy: what the picture of it shows.

The EM is a served workspace behind TLS in this process. Only its name is another one: `em.example.org`.
"""

import socket
import ssl
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from emtui.client.http import early
from emtui.client.http.sockets import SocketStream
from emtui.commands import BuildImage, RunPod, Uplink
from emtui.link.patience import Patience
from emtui.models import PodSpec
from emtui.profile import Profile, Remote
from emtui.session import open_session
from tests.certificates import certificate
from tests.serving import PASSWORD, Held, Server, served_here
from tests.ui.console.rehearsal import WIDE, Console, Rehearsal

HOST = "em.example.org"
BUSY_S = 12.0
# The wait before the second try; of it `BUSY_S` have passed when the picture is taken.
_WAIT_S = BUSY_S + 4.2


class _Tls(Server):
    """The server behind TLS, without its name."""

    def connect(self) -> socket.socket:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context.wrap_socket(super().connect())

    def is_free(self) -> bool:
        return True  # it is not used again


class _Stopwatch:
    """The time by which a command waits; it stands until it is moved on."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


class RemoteRehearsal:
    """A remote EM with something in it.

    Attributes:
        rehearsal: the operator, with the Grid Node of his own workspace.
    """

    def __init__(self, rehearsal: Rehearsal, server: Server, ca_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rehearsal, self.server = rehearsal, _Tls(server.url, server.directory)
        self._ca_file = ca_file
        self._stopwatch = _Stopwatch()
        connect, (_, _, port) = early.connect, server.host.rpartition(":")

        async def connect_here(host: str, _port: int, options: Iterable[Any]) -> SocketStream:
            assert host == HOST
            return await connect("127.0.0.1", int(port), options)

        monkeypatch.setattr(early, "connect", connect_here)
        monkeypatch.setattr("emtui.link.courier.time", self._stopwatch)
        monkeypatch.setattr(Patience, "wait_s", lambda *_values: _WAIT_S)
        monkeypatch.setenv("EMTUI_PASSWORD", PASSWORD)

    @property
    def profile(self) -> Profile:
        """The EM is over there, the Grid Node here."""
        return Profile(self.rehearsal.workspace, em=Remote(f"https://{HOST}", "client1", ca_file=self._ca_file))

    async def live(self) -> None:
        """What has happened at the EM before the console is opened."""
        rehearsal, volume = self.rehearsal, self.server.volume
        rehearsal.fill_home()
        with rehearsal.living():
            async with open_session(Profile(rehearsal.workspace, is_demo=True)):
                pass  # the Grid Node has its models
            async with open_session(self.profile) as session:
                for source, clock in (("fisheye", "19:48:20"), ("frames", "20:03:05")):
                    await rehearsal.do(session, clock, Uplink((rehearsal.home / source,)))
                    rehearsal.date_files(volume)
                await rehearsal.do(session, "20:11:41", BuildImage("fisheye/Dockerfile", "fisheye", "fisheye"))
                pod = PodSpec(docker_image="fisheye", max_duration=30, node="FPGA")
                await rehearsal.do(session, "20:35:03", RunPod(pod))

    @contextmanager
    def somebody_uplinks(self) -> Iterator[None]:
        """Keep the EM busy."""
        held = Held(self.server, {"Authorization": f"Bearer {self.server.token()}"})
        try:
            yield
        finally:
            held.connection.close()

    async def wait_in_vain(self, console: Console) -> None:
        """The operator's uplink waits."""
        await console.press("down", "down", "right", "1", "u")
        await console.press("ctrl+u")
        await console.type("calibrate")
        await console.until_text("2 files,")
        await console.press("ctrl+s")
        await console.until_text("busy for 0 s")
        self._stopwatch.now += BUSY_S
        await console.until_text(f"busy for {BUSY_S:.0f} s")
        await console.pass_time(BUSY_S)
        header = console.app.main.header
        busy = replace(header._health["em"], busy_since=time.monotonic() - BUSY_S - 0.5)
        header.show_health(busy)


async def draw_busy(rehearsal: Rehearsal, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Take the picture of a busy EM: an SVG."""
    rehearsal.round_trips_s["em"] = 0.038
    # TLS knows the true time, not the one that stands here.
    made = certificate(folder, host=HOST, starts=-3_650, ends=36_500)
    tls = {"tls_cert": made.pem, "tls_key": folder / "key.pem"}
    with served_here(folder / "served", **tls, allowed_hosts=(HOST,), access_s=45 * 60) as server:
        remote = RemoteRehearsal(rehearsal, server, made.pem, monkeypatch)
        await remote.live()
        async with rehearsal.console(WIDE, remote.profile, "dark") as console:
            with remote.somebody_uplinks():
                await remote.wait_in_vain(console)
                return await console.drawn()
