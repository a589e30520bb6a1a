"""Build, load and run: the very commands that come of them."""

from datetime import timedelta
from typing import Any

import pytest
from dialogs_harness import (
    ACTIVE,
    SIZE,
    WAITING,
    DialogApp,
    field,
    finished,
    focused_field,
    problem,
    run_dialog,
    write,
)
from ui_harness import NOW, screen_text, until

from emtui.commands import BuildImage, LoadImage, RunPod
from emtui.console.screens.build import BuildDialog
from emtui.console.screens.confirm import ConfirmDialog
from emtui.console.screens.dialog import Dialog
from emtui.console.screens.load import LoadDialog
from emtui.console.screens.run import RunDialog
from emtui.models import PodSpec


async def test_build_as_the_cursor_stood() -> None:
    app = DialogApp(lambda: BuildDialog("echo-test/Dockerfile", "echo-test", "echo-test", ("echo-test/Dockerfile",)))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        assert "image client1-echo-test of /echo-test with /echo-test/Dockerfile" in app.words
        await pilot.press("ctrl+s")
        assert await finished(pilot) == BuildImage("echo-test/Dockerfile", "echo-test", "echo-test")


async def test_dockerfile_and_name_follow_the_context_until_they_are_written() -> None:
    dockerfiles = ("Dockerfile", "echo-test/Dockerfile", "Fish Eye/Dockerfile.space")
    app = DialogApp(lambda: BuildDialog("", "", "", dockerfiles, user="team7"))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("down")
        await pilot.pause()
        assert field(app, "context").value == "Fish Eye"
        assert field(app, "dockerfile").value == "Fish Eye/Dockerfile.space"
        assert field(app, "image_name").value == "fish-eye"
        await pilot.press("down")
        await pilot.pause()
        assert field(app, "dockerfile").value == "echo-test/Dockerfile"
        field(app, "image_name").focus_control()
        await pilot.press("end")
        await write(pilot, "-2")
        field(app, "context").focus_control()
        await pilot.press("ctrl+u")
        await pilot.pause()
        assert field(app, "dockerfile").value == "Dockerfile"
        assert field(app, "image_name").value == "echo-test-2"
        assert "team7-echo-test-2" in app.words
        await pilot.press("ctrl+s")
        assert await finished(pilot) == BuildImage("Dockerfile", ".", "echo-test-2")


async def test_each_wrong_field_says_so_at_once() -> None:
    app = DialogApp(lambda: BuildDialog("", "../x", "My Image", ()))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("ctrl+s")
        await until(lambda: problem(app, "image_name"), pilot)
        assert "leaves the volume" in problem(app, "context")
        assert "is missing" in problem(app, "dockerfile")
        assert "my-image" in problem(app, "image_name")
        assert focused_field(app) == "context"
        assert "Nothing is done yet" in app.words


async def test_a_field_says_what_is_wrong_when_it_is_left() -> None:
    app = DialogApp(run_dialog)
    async with app.run_test(size=SIZE) as pilot:
        field(app, "max_duration").focus_control()
        await write(pilot, "x")
        assert "Minutes: is not a number" in app.words
        assert not problem(app, "max_duration")
        await pilot.press("tab")
        await pilot.pause()
        assert "Give minutes" in problem(app, "max_duration")
        assert "Nothing is done yet" in app.words


async def test_load() -> None:
    tarfiles = ("images/fisheye.tar", "images/Other One.tar.gz")
    app = DialogApp(lambda: LoadDialog("images/fisheye.tar", tarfiles=tarfiles))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        assert "image fisheye from /images/fisheye.tar" in app.words
        await pilot.press("down")
        await pilot.pause()
        assert field(app, "image").value == "other-one"
        await write(pilot, "x")
        assert "lists no such tar file" in app.words
        await pilot.press("ctrl+s")
        assert await finished(pilot) == LoadImage("images/Other One.tar.gzx", "other-one-tar-gzx")


async def test_run_with_every_field() -> None:
    app = DialogApp(lambda: run_dialog(node="GPU", max_duration=12.5))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("tab", "m", "tab", "tab")
        await write(pilot, "sh -c 'a | b' > /data/x")
        await pilot.press("tab")
        await write(pilot, "+10m")
        assert "2026-11-21T20:57:13Z" in app.words
        assert "T-00:10:00" in app.words
        assert "here Sat 21:57:13 CET" in app.words
        await pilot.press("ctrl+s")
        assert await finished(pilot) == RunPod(
            PodSpec(
                docker_image="echo-test",
                max_duration=12.5,
                node="MPU",
                scheduled_time=NOW + timedelta(minutes=10),
                command="sh -c 'a | b' > /data/x",
            )
        )


async def test_run_now() -> None:
    app = DialogApp(run_dialog)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        assert "Starts now, ends by 21:17:13Z" in app.words
        await pilot.press("ctrl+s")
        assert await finished(pilot) == RunPod(PodSpec(docker_image="echo-test", max_duration=30, node="FPGA"))


async def test_the_countdown_lives() -> None:
    moments = iter(range(10_000))
    app = DialogApp(lambda: RunDialog((), "x", now=lambda: NOW + timedelta(seconds=next(moments))))
    async with app.run_test(size=SIZE) as pilot:
        field(app, "scheduled_time").focus_control()
        await write(pilot, "2026-11-22T00:00Z")
        before = app.words
        assert "T-03:1" in before
        await until(lambda: app.words != before, pilot)


async def test_images_are_chosen_with_the_arrows_and_completed() -> None:
    app = DialogApp(run_dialog)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("down")
        assert field(app, "docker_image").value == "fisheye"
        await pilot.press("up", "up")
        assert field(app, "docker_image").value == "busybox"
        await pilot.press("ctrl+u")
        await write(pilot, "fi")
        await pilot.press("right")
        assert field(app, "docker_image").value == "fisheye"
        await write(pilot, "x")
        assert "No image of this name is listed" in app.words


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("0", "not more than 0"),
        ("-5", "not more than 0"),
        ("99999999", "more than a week"),
        ("1" * 400, "not a number"),
        ("abc", "not a number"),
        ("nan", "not a number"),
        ("1e9", "not a number"),
        ("", "is missing"),
    ],
)
async def test_wrong_minutes(typed: str, told: str) -> None:
    app = DialogApp(run_dialog)
    async with app.run_test(size=SIZE) as pilot:
        field(app, "max_duration").input.value = typed
        await pilot.pause()
        await pilot.press("ctrl+s")
        await until(lambda: problem(app, "max_duration"), pilot)
        assert told in problem(app, "max_duration")
        assert app.results == []


async def test_a_time_without_zone_is_refused_with_the_remedy() -> None:
    app = DialogApp(run_dialog)
    async with app.run_test(size=SIZE) as pilot:
        field(app, "scheduled_time").focus_control()
        await write(pilot, "21:30")
        await pilot.press("ctrl+s")
        await until(lambda: problem(app, "scheduled_time"), pilot)
        assert "21:30Z for UTC" in problem(app, "scheduled_time")
        await write(pilot, "Z")
        assert not problem(app, "scheduled_time")
        await pilot.press("ctrl+s")
        assert isinstance(await finished(pilot), RunPod)


@pytest.mark.parametrize(
    ("active", "told"), [(ACTIVE, "fisheye, running since 20:35:13Z"), (WAITING, "waiting: ImagePullBackOff")]
)
async def test_replacing_an_active_pod_is_said_and_asked(active: Any, told: str) -> None:
    app = DialogApp(lambda: run_dialog(active=active))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        assert "Replaces" in app.words
        assert told in app.words
        dialog = app.screen
        assert isinstance(dialog, Dialog)
        await pilot.press("ctrl+s")
        await until(lambda: isinstance(app.screen, ConfirmDialog), pilot)
        await pilot.pause()
        assert told in screen_text(app)
        assert focused_field(app) == "cancel"
        await pilot.press("escape")
        await until(lambda: app.screen is dialog, pilot)
        assert app.results == []
        await pilot.press("ctrl+s")
        await until(lambda: isinstance(app.screen, ConfirmDialog), pilot)
        await pilot.pause()
        await pilot.press("tab", "enter")
        assert isinstance(await finished(pilot), RunPod)


async def test_a_question_that_nobody_can_have_read_is_not_answered() -> None:
    app = DialogApp(lambda: run_dialog(active=ACTIVE))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("ctrl+s")
        await until(lambda: isinstance(app.screen, ConfirmDialog), pilot)
        question = app.screen
        assert isinstance(question, ConfirmDialog)
        await pilot.pause()
        question.is_read = False
        question.action_submit()
        await pilot.pause()
        assert app.screen is question
        assert app.results == []


async def test_the_mouse_chooses_a_node() -> None:
    app = DialogApp(run_dialog)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        await pilot.click("Segments", offset=(11, 0))
        await pilot.press("ctrl+s")
        result = await finished(pilot)
        assert isinstance(result, RunPod)
        assert result.spec.node == "GPU"


async def test_arrows_choose_a_node_and_an_unknown_one_is_kept() -> None:
    app = DialogApp(lambda: run_dialog(node="TPU"))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("tab")
        assert "on TPU" in app.words
        await pilot.press("right")
        assert "on FPGA" in app.words
        await pilot.press("left", "left")
        assert "on MPU" in app.words


async def test_pasted_lines_are_refused_where_one_is_meant() -> None:
    app = DialogApp(run_dialog)
    async with app.run_test(size=SIZE) as pilot:
        field(app, "command").focus_control()
        await pilot.pause()
        field(app, "command").input.take("one\ntwo\n")
        await pilot.pause()
        assert "2 lines were pasted" in problem(app, "command")
        assert field(app, "command").value == ""
        field(app, "command").input.take("one\n")
        await pilot.pause()
        assert field(app, "command").value == "one"
