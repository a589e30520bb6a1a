"""How else servers of 2025-11 were seen to speak: the client finds it out, remembers it, and executes nothing twice."""

from collections.abc import Awaitable, Callable

import pytest
from client_calls import DELETED, LOADED, OK, RAN, build, delete, load, only, run

from emtui.client.em.backend import HttpEM
from emtui.errors import BadRequest, BuildFailed, ConfigProblem, InvalidField, NotFound
from tests.wire_server import Asked, answer, em_on

# ------------------------------------------------------------------------------------------------- what else is seen


async def test_a_server_with_the_other_paths_is_found_and_remembered() -> None:
    served = only("POST /em/pod/image/load", "GET /em/pod/image/list", "POST /em/pod/run")
    async with em_on(served, dialect="2025-11") as (em, server):
        for _ in range(2):
            assert await load(em) == LOADED["message"]
            assert len(await em.list_images()) == 1
            assert await run(em) == RAN["message"]

    assert server.lines == [
        "POST /em/image/load",
        "POST /em/pod/image/load",
        "GET /em/image/list",
        "GET /em/pod/image/list",
        "POST /em/pod/execution",
        "POST /em/pod/run",
        "POST /em/pod/image/load",
        "GET /em/pod/image/list",
        "POST /em/pod/run",
    ]
    assert server.asked[-1].json == {"image": "echo-test", "max_duration": 30, "node": "FPGA"}


@pytest.mark.parametrize(
    ("call", "form"), [(delete, {"filepath": "a b/ü"}), (load, {"tarfile": "test.tar", "image": "fisheye"})]
)
async def test_a_server_that_reads_forms_only_gets_forms(
    call: Callable[[HttpEM], Awaitable[object]], form: dict[str, str]
) -> None:
    def reply(asked: Asked) -> bytes:
        if asked.headers["content-type"] != "application/x-www-form-urlencoded":
            return answer(415, {"detail": 'Unsupported media type "application/json" in request.'})
        return answer(200, OK[asked.target])

    async with em_on(reply) as (em, server):
        await call(em)
        await call(em)

    assert [asked.headers["content-type"] for asked in server.asked] == [
        "application/json",
        "application/x-www-form-urlencoded",
        "application/x-www-form-urlencoded",
    ]
    assert server.asked[-1].form == form


async def test_a_form_only_server_that_finds_no_field_in_json_gets_a_form() -> None:
    def reply(asked: Asked) -> bytes:
        if "form" not in asked.headers["content-type"]:
            detail = [{"loc": ["body", "filepath"], "msg": "Field required", "type": "missing"}]
            return answer(422, {"detail": detail})
        return answer(200, DELETED)

    async with em_on(reply) as (em, server):
        assert await delete(em) == DELETED["message"]

    assert server.asked[-1].form == {"filepath": "a b/ü"}


@pytest.mark.parametrize(
    "refusal",
    [
        answer(400, {"image": ["This field is required."]}),
        answer(422, {"detail": [{"loc": ["body", "image"], "msg": "Field required", "type": "missing"}]}),
        answer(400, {"error": "BAD_REQUEST", "message": "The field image is missing"}),
        answer(400, {"detail": "'image' is required"}),
    ],
)
@pytest.mark.parametrize(("call", "specified"), [(build, "image_name"), (run, "docker_image")])
async def test_a_server_that_calls_the_image_otherwise_gets_its_name(
    refusal: bytes, call: Callable[[HttpEM], Awaitable[object]], specified: str
) -> None:
    async with em_on(lambda asked: answer(200, OK[asked.target]) if "image" in asked.json else refusal) as (em, server):
        await call(em)
        await call(em)

    bodies = [asked.json for asked in server.asked]
    assert [specified in body for body in bodies] == [True, False, False]
    assert [body.get("image") for body in bodies] == [None, "echo-test", "echo-test"]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"error": "BUILD_FAILED", "message": "Docker build failed", "log_tail": ["image is required\n"]}, BuildFailed),
        ({"error": "INVALID_FIELD", "field": "image_name", "message": "image_name: image must be short"}, InvalidField),
        ({"error": "BAD_REQUEST", "message": "no such context"}, BadRequest),
        ({"image_name": ["Not a valid image name."]}, BadRequest),
    ],
)
async def test_a_refusal_of_what_was_understood_is_not_tried_otherwise(body: object, kind: type[BadRequest]) -> None:
    async with em_on(answer(400, body)) as (em, server):
        with pytest.raises(kind):
            await build(em)

    assert len(server.asked) == 1


async def test_a_server_that_has_no_way_to_a_call_is_said_so_and_asked_afresh_next_time() -> None:
    async with em_on(answer(404, raw=b"<h1>Not Found</h1>", kind="text/html"), dialect="2025-11") as (em, server):
        for _ in range(2):
            with pytest.raises(ConfigProblem, match="POST /em/image/load is not served there") as caught:
                await load(em)
            assert "--api" in caught.value.remedy

    assert server.lines == ["POST /em/image/load", "POST /em/pod/image/load"] * 2


async def test_a_missing_file_is_not_taken_for_a_path_that_is_not_served() -> None:
    async with em_on(answer(404, raw=b"gone", kind="text/plain")) as (em, server):
        with pytest.raises(NotFound, match="gone"):
            async with em.downlink("x"):
                pass

    assert len(server.asked) == 1


async def test_a_log_comes_line_by_line_with_a_failed_build() -> None:
    lines: list[str] = []
    body = {"error": "BUILD_FAILED", "message": "Docker build failed", "log_tail": ["#1 load\n", "failed\n"]}
    async with em_on(answer(400, body)) as (em, _):
        with pytest.raises(BuildFailed) as caught:
            await em.build_image("d", "c", "i", lines.append)

    assert lines == list(caught.value.log_tail) == ["#1 load\n", "failed\n"]
