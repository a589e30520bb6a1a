"""`emtui image` in a pipe."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from emtui.cli.exit_codes import Exit
from emtui.models import Image
from tests.cli.harness import Cli
from tests.cli.refused import is_refused
from tests.cli.wired import wired
from tests.serving import served_here
from tests.unit.engines.tars import docker_members, write_tar
from tests.wire_server import Asked, Conversation, Script, answer


@pytest.fixture
def volume(workspace: Path) -> Path:
    made = workspace / "volume"
    (made / "echo-test").mkdir(parents=True)
    (made / "echo-test/Dockerfile").write_text('FROM alpine\nCMD ["echo", "hello"]\n')
    (made / "echo-test/Dockerfile.broken").write_text("FROM no-such-base\n")
    return made


@pytest.mark.parametrize("context", ["echo-test", "/echo-test/", "./echo-test"])
def test_an_image_is_built_and_listed(context: str, emtui: Cli, volume: Path) -> None:
    done = emtui.ok("image", "build", "--context", context, "echo-test")
    assert done.text.endswith(": Docker Image built successfully\n")
    assert done.stderr == "emtui: the engine is simulated: nothing was executed\n"
    [row] = emtui.ok("image", "list").rows
    assert row[:2] == ["client1-echo-test", "latest"]
    assert row[3].endswith("Z")
    assert row[4].isdigit()


@pytest.mark.parametrize("context", ["/", ".", "./"])
def test_all_of_the_volume_can_be_the_context(context: str, emtui: Cli, volume: Path) -> None:
    emtui.ok("image", "build", "--context", context, "--dockerfile", "/echo-test/Dockerfile", "whole")
    assert [row[0] for row in emtui.ok("image", "list").rows] == ["client1-whole"]


def test_the_list_in_json_is_what_the_local_server_answers(
    emtui: Cli, volume: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert emtui.ok("image", "list", "--json").json == []
    assert emtui.ok("image", "list").stdout == b""
    emtui.ok("image", "build", "--context", "echo-test", "echo-test")
    images = emtui.ok("image", "list", "--json").json
    assert [set(image) for image in images] == [{"repository", "tag", "id", "created", "size"}]
    assert Image.model_validate(images[0]).reference == "client1-echo-test:latest"
    with served_here(workspace) as server:
        monkeypatch.setenv("EMTUI_TOKEN", server.token())
        remote = Cli(monkeypatch, "--em-url", server.url, "--username", "client1")
        assert remote.ok("image", "list", "--json").json == images


def test_a_build_that_fails_tells_the_last_lines_of_its_log(emtui: Cli, volume: Path) -> None:
    done = emtui("image", "build", "--context", "nope", "x")
    assert done.code == Exit.REFUSED
    assert done.stdout == b""
    first, *_, last = done.stderr.splitlines()
    assert "unable to prepare context" in first
    assert last.startswith("emtui: Docker build failed.")


def test_json_has_the_log_of_a_build_that_failed(emtui: Cli, volume: Path) -> None:
    words = ("image", "build", "--context", "echo-test", "--dockerfile", "echo-test/Dockerfile.broken", "x", "--json")
    done = emtui(*words)
    assert done.code == Exit.REFUSED
    assert (done.json["stage"], done.json["code"]) == ("failed", "BUILD_FAILED")
    assert any("no-such-base" in line for line in done.json["log_tail"])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("build", "--context", "c", "Not A Name"), "NAME: is no name for an image"),
        (("build", "--context", "c", ""), "NAME: is missing"),
        (("build", "--context", "../c", "x"), "--context: leaves the volume"),
        (("build", "--context", "c", "--dockerfile", "../../etc/passwd", "x"), "--dockerfile: leaves the volume"),
        (("build", "--context", "c", "--dockerfile", "/", "x"), "--dockerfile: is the volume itself"),
        (("load", "../x.tar", "x"), "TARFILE: leaves the volume"),
        (("load", "/", "x"), "TARFILE: is the volume itself"),
        (("load", "x.tar", "-"), "NAME: is no name for an image"),
    ],
)
def test_a_wrong_field_is_a_wrong_use_and_nothing_is_opened(
    words: tuple[str, ...], told: str, emtui: Cli, workspace: Path
) -> None:
    is_refused(emtui("image", *words), Exit.USAGE, told)
    assert not workspace.exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("build", "x"), "required: --context"),
        (("build", "--context", "", "x"), "an empty name"),
        (("build", "--context", "c"), "required: NAME"),
        (("load",), "required: TARFILE"),
        (("load", ""), "an empty name"),
    ],
)
def test_what_is_missing_is_a_wrong_use(words: tuple[str, ...], told: str, emtui: Cli) -> None:
    is_refused(emtui("image", *words), Exit.USAGE, told)


def test_a_tar_of_the_volume_is_loaded_by_the_name_in_it(emtui: Cli, volume: Path) -> None:
    for name in ("echo", "other"):
        write_tar(volume / f"{name}.tar", docker_members(name))
    assert (
        emtui.ok("image", "load", "/echo.tar", "echo").text
        == "load echo from /echo.tar: Tar file loaded successfully\n"
    )
    emtui.ok("image", "load", "other.tar")
    assert sorted(row[0].removeprefix("client1-") for row in emtui.ok("image", "list").rows) == ["echo", "other"]


def test_a_load_that_fails_tells_why(emtui: Cli, volume: Path) -> None:
    done = emtui("image", "load", "nope.tar", "--json")
    assert done.code == Exit.REFUSED
    assert (done.json["title"], done.json["code"]) == ("load nope from /nope.tar", "IMAGE_LOAD_FAILED")
    assert any("No such file" in line for line in done.json["log_tail"])


def test_read_only_builds_and_loads_nothing(emtui: Cli, volume: Path) -> None:
    for words in (("build", "--context", "echo-test", "x"), ("load", "a.tar", "x")):
        assert emtui("image", *words, "--read-only").code == Exit.REFUSED
    assert emtui.ok("image", "list", "--read-only").stdout == b""


def test_what_a_remote_tells_of_its_images_is_harmless(monkeypatch: pytest.MonkeyPatch) -> None:
    items = ["plain:1.0", {"Repository": "\x1b[31mred\nline", "Tag": "t\tab", "ID": "\u202e", "Size": "80MB"}]

    def replies(asked: Asked) -> bytes:
        return answer(200, {"message": "Successfully loaded list of docker images", "data": items})

    with wired(replies) as server:
        remote = Cli(monkeypatch, "--em-url", server.url)
        rows = remote.ok("image", "list").rows
        assert [row[0] for row in rows] == ["plain", "\\x1b[31mred\\nline"]
        assert all(len(row) == 5 and "".join(row).isprintable() for row in rows)
        assert rows[1][4] == "80MB"
        assert [image["repository"] for image in remote.ok("image", "list", "--json").json] == [
            "plain",
            "\x1b[31mred\nline",
        ]


@pytest.mark.parametrize(("has_date", "code"), [(True, Exit.UNREACHABLE), (False, Exit.UNKNOWN)])
def test_an_em_on_this_machine_tells_by_its_clock_that_an_image_is_the_one_of_before(
    has_date: bool, code: Exit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMTUI_TOKEN", "token")
    made = datetime.now(UTC) - timedelta(seconds=30)

    async def cut(talk: Conversation) -> None:
        talk.cut()

    def replies(asked: Asked) -> bytes | Script:
        if asked.target.startswith("/em/pod/image/build"):
            return cut
        image = {"Repository": "client1-x", "Tag": "latest", "ID": "1", "CreatedAt": made.isoformat(), "Size": "1MB"}
        headers = {"Date": format_datetime(datetime.now(UTC), usegmt=True)} if has_date else {}
        return answer(200, {"message": "Successfully loaded list of docker images", "data": [image]}, headers=headers)

    with wired(replies) as server:
        done = Cli(monkeypatch, "--em-url", server.url, "--api", "2025-11")("image", "build", "--context", "c", "x")
    assert done.code == code
    assert "client1-x:latest is listed, made" in done.stderr
