"""Was it done? Asked of the local EM and Grid Node in every case."""

import os
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from emtui.commands import BuildImage, Delete, Downlink, GetModel, LoadImage, RunPod, ServeModel, Uplink
from emtui.files import MemorySource
from emtui.link.reconcile import Clock, reconcile
from emtui.models import Image, PodSpec, PodState, PodStatus, Terminated, Waiting
from tests.unit.local_pair import Pair, local_pair

NOW = datetime.now(UTC)
RUN = RunPod(PodSpec(docker_image="alpine", max_duration=1, node="FPGA"))


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    async with local_pair(tmp_path / "ws") as made:
        yield made


async def test_uplink(pair: Pair, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    command = Uplink((tmp_path / "a", tmp_path / "b"), "x")
    assert (await reconcile(pair.session.backends, command, NOW))[0] == "not done"
    (pair.volume / "x").mkdir()
    (pair.volume / "x/a").write_text("a")
    assert await reconcile(pair.session.backends, command, NOW) == ("not done", "1 of 2 files are missing, x/b first")
    (pair.volume / "x/b").write_text("b")
    assert (await reconcile(pair.session.backends, command, NOW))[0] == "done"
    (tmp_path / "b").unlink()
    assert (await reconcile(pair.session.backends, command, NOW))[0] == "cannot tell"


async def test_an_older_file_of_the_same_size_is_not_this_one(pair: Pair, tmp_path: Path) -> None:
    (tmp_path / "conf").write_text("mode=B")
    (pair.volume / "conf").write_text("mode=A")
    os.utime(pair.volume / "conf", (NOW.timestamp() - 30, NOW.timestamp() - 30))
    command = Uplink((tmp_path / "conf",))
    assert (await reconcile(pair.session.backends, command, NOW))[0] == "not done"
    elsewhere = replace(pair.session.backends, have_one_clock=False)
    assert (await reconcile(elsewhere, command, NOW))[0] == "not done"


async def test_what_was_made_just_before_is_not_this_one(pair: Pair) -> None:
    before = (NOW - timedelta(seconds=5)).isoformat()
    pair.engine.made["client1-echo:latest"] = Image(repository="client1-echo", created=before)
    command = BuildImage("Dockerfile", ".", "echo")
    assert (await reconcile(pair.session.backends, command, NOW))[0] == "not done"
    elsewhere = replace(pair.session.backends, have_one_clock=False)
    assert (await reconcile(elsewhere, command, NOW))[0] == "cannot tell"


async def test_delete(pair: Pair) -> None:
    (pair.volume / "a").write_text("a")
    assert (await reconcile(pair.session.backends, Delete(("a",)), NOW))[0] == "not done"
    assert (await reconcile(pair.session.backends, Delete(("gone",)), NOW))[0] == "done"


@pytest.mark.parametrize(
    "command", [BuildImage("Dockerfile", ".", "echo"), LoadImage("x.tar", "echo")], ids=["build", "load"]
)
@pytest.mark.parametrize(
    ("created", "verdict"),
    [
        (NOW.isoformat(), "done"),
        (NOW.replace(tzinfo=None).isoformat(), "done"),
        ((NOW - timedelta(hours=1)).isoformat(), "not done"),
        ("long ago", "cannot tell"),
    ],
    ids=["now", "now without a zone", "an hour ago", "unreadable"],
)
async def test_images(pair: Pair, command: BuildImage | LoadImage, created: str, verdict: str) -> None:
    assert (await reconcile(pair.session.backends, command, NOW))[0] == "not done"
    pair.engine.made["client1-echo:latest"] = Image(repository="client1-echo", created=created)
    assert (await reconcile(pair.session.backends, command, NOW))[0] == verdict


async def test_run(pair: Pair) -> None:
    assert (await reconcile(pair.session.backends, RUN, NOW))[0] == "not done"
    await pair.em.run_pod(RUN.spec)
    assert (await reconcile(pair.session.backends, RUN, NOW))[0] == "done"
    assert (await reconcile(pair.session.backends, RUN, NOW + timedelta(hours=1)))[0] == "not done"
    pair.engine.pods[pair.engine.requests[0].pod_id] = PodState(waiting=Waiting(reason="ContainerCreating"))
    assert (await reconcile(pair.session.backends, RUN, NOW))[0] == "cannot tell"


async def test_serve_model(pair: Pair, tmp_path: Path) -> None:
    command = ServeModel(tmp_path / "m", "mnist")
    assert (await reconcile(pair.session.backends, command, NOW))[0] == "not done"
    await pair.grid.serve_model(MemorySource("m", b"x"), "mnist", allow_download=True)
    assert (await reconcile(pair.session.backends, command, NOW))[0] == "done"


async def test_what_a_killed_downlink_left_is_removed(pair: Pair, tmp_path: Path) -> None:
    (pair.volume / "big").write_text("x")
    left, other = tmp_path / ".big.0123456789abcdef.part", tmp_path / ".other.0123456789abcdef.part"
    for path in (left, other):
        path.write_text("half")
    assert (await reconcile(pair.session.backends, Downlink(("big",), tmp_path, is_folder=True), NOW))[0] == "not done"
    assert other.exists()
    assert not left.exists()
    left.write_text("half")
    assert (await reconcile(pair.session.backends, GetModel("m", tmp_path / "big"), NOW))[0] == "not done"
    assert not left.exists()


async def test_what_changes_nothing(pair: Pair, tmp_path: Path) -> None:
    assert (await reconcile(pair.session.backends, Downlink(("a",), tmp_path), NOW))[0] == "not done"


async def test_elsewhere_the_bytes_tell_which_file_it_is(pair: Pair, tmp_path: Path) -> None:
    """A listing has minutes, and another clock: what was just sent looks like an older file."""
    elsewhere = replace(pair.session.backends, have_one_clock=False)
    (tmp_path / "conf").write_text("mode=B")
    (pair.volume / "conf").write_text("mode=B")
    os.utime(pair.volume / "conf", (NOW.timestamp() - 30, NOW.timestamp() - 30))
    assert await reconcile(elsewhere, Uplink((tmp_path / "conf",)), NOW) == ("done", "the volume holds the same bytes")
    with (tmp_path / "large").open("wb") as file:
        file.truncate(20 << 20)
    with (pair.volume / "large").open("wb") as file:
        file.truncate(20 << 20)
    os.utime(pair.volume / "large", (NOW.timestamp() - 30, NOW.timestamp() - 30))
    assert (await reconcile(elsewhere, Uplink((tmp_path / "large",)), NOW))[0] == "cannot tell"


async def test_a_pod_without_its_times_tells_nothing(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = PodState(terminated=Terminated(exitCode=0, reason="Completed"))

    async def status() -> PodStatus:
        return PodStatus(state=ended)

    monkeypatch.setattr(pair.em, "pod_status", status)
    assert (await reconcile(pair.session.backends, RUN, NOW))[0] == "cannot tell"


async def test_what_the_pod_is_now_does_not_tell_of_a_run_that_is_to_come(pair: Pair) -> None:
    spec = RUN.spec.model_copy(update={"scheduled_time": datetime.now(UTC) + timedelta(hours=2)})
    assert (await reconcile(pair.session.backends, RunPod(spec), NOW))[0] == "cannot tell"


SENT = datetime(2026, 11, 25, 12, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("clock", "seconds", "is_since"),
    [
        (Clock(), 100, None),
        (Clock(), -100, None),
        (Clock(), 130, True),
        (Clock(), -130, False),
        (Clock(lambda: 0.0), 4, None),
        (Clock(lambda: 0.0), 6, True),
        (Clock(lambda: 0.0), -6, False),
        (Clock(lambda: 3600.0), 3606, True),
        (Clock(lambda: 3600.0), 100, False),
        # As an EM tells it whose times have minutes only: the minute in which it left.
        (Clock(lambda: 0.0), -30, None),
        (Clock(lambda: 0.0), -90, False),
        (Clock(lambda: 0.0, is_here=True), 0, True),
        (Clock(lambda: 0.0, is_here=True), -2, None),
        (Clock(lambda: 0.0, is_here=True), -4, False),
        (Clock(lambda: None, is_here=True), 4, None),
        (Clock(lambda: 90.0, is_here=True), 90, None),
    ],
)
def test_the_clocks_say_what_came_after_a_command(clock: Clock, seconds: int, is_since: bool | None) -> None:
    assert clock.is_since(SENT + timedelta(seconds=seconds), SENT) is is_since


async def test_on_this_machine_what_was_made_half_a_minute_before_is_not_this_one(pair: Pair) -> None:
    """An answer by another clock would be in doubt for two minutes."""
    elsewhere = replace(pair.session.backends, have_one_clock=False)
    before = (NOW - timedelta(seconds=30)).isoformat()
    pair.engine.made["client1-echo:latest"] = Image(repository="client1-echo", created=before)
    command = BuildImage("Dockerfile", ".", "echo")
    here = Clock(lambda: 0.0, is_here=True)
    assert (await reconcile(elsewhere, command, NOW, here))[0] == "not done"
    assert (await reconcile(elsewhere, command, NOW))[0] == "cannot tell"
