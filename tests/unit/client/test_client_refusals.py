"""What is said again in other words and what is not: only what surely did nothing is followed by another try."""

from collections.abc import Awaitable, Callable

import pytest
from client_calls import OK, build, delete, load, run

from emtui.client.em.backend import HttpEM
from emtui.client.em.refusals import is_unspecific, missing
from emtui.errors import BadRequest, ConfigProblem, NotFound, Unreachable
from tests.wire_server import Asked, answer, em_on

Call = Callable[[HttpEM], Awaitable[object]]
FLASK = (
    "<!doctype html>\n<html lang=en>\n<title>400 Bad Request</title>\n<h1>Bad Request</h1>\n"
    "<p>The browser (or proxy) sent a request that this server could not understand.</p>\n"
)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (build, "Docker build failed: base image not found in the onboard registry"),
        (build, "image is missing from the registry"),
        (build, "missing image"),
        (load, "Docker Image tarfile failed to load: image ld not found in tarfile"),
        (delete, "File delete failed: filepath must not be a mount point"),
        (run, "node must be one of FPGA, GPU"),
        (run, "image required by this node is not on board"),
    ],
)
@pytest.mark.parametrize("code", ["FAILED", "BAD_REQUEST", None])
async def test_a_failure_that_names_a_field_is_not_sent_again(call: Call, said: str, code: str | None) -> None:
    body = {"message": said} if code is None else {"error": code, "message": said}
    async with em_on(answer(400, body)) as (em, server):
        with pytest.raises(BadRequest) as caught:
            await call(em)

    assert caught.value.message == said
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "said",
    [
        "image is required",
        "Missing required field: image",
        "missing field 'image'",
        "image and tarfile are required.",
        "No image provided",
        "image: This field is required.",
        "'image'",
        "KeyError: 'image'",
        "The parameter image must be given",
    ],
)
def test_a_sentence_that_says_only_that_a_field_is_missing_is_understood(said: str) -> None:
    assert "image" in missing({"error": "BAD_REQUEST", "message": said}, ("image", "tarfile"))
    assert "image" in missing(said, ("image",))
    assert not missing({"error": "BUILD_FAILED", "message": said}, ("image",))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (FLASK, True),
        ("", True),
        ("Bad Request", True),
        ("<h1>Bad Request (400)</h1>", True),
        ("<html><head><title>400 Bad Request</title></head><body><h1>400 Bad Request</h1><hr>nginx/1.2</body>", True),
        ({"message": "Invalid request"}, True),
        ({}, True),
        (FLASK.replace("The browser (or proxy) sent", "There is no such context, so that it is"), False),
        ("base image not found", False),
        ({"message": "no such context"}, False),
        ({"image_name": ["Not a valid image name."]}, False),
        ({"error": "DELETE_FAILED", "message": "Bad Request"}, False),
    ],
)
def test_a_page_that_gives_no_reason_is_told_from_one_that_does(body: object, expected: bool) -> None:
    assert is_unspecific(body) is expected


@pytest.mark.parametrize(
    "refusal", [answer(400, raw=FLASK.encode(), kind="text/html"), answer(400, {"message": "Invalid request"})]
)
@pytest.mark.parametrize("call", [build, load, run, delete])
async def test_a_server_that_reads_forms_only_and_says_nothing_of_it_gets_a_form(refusal: bytes, call: Call) -> None:
    def reply(asked: Asked) -> bytes:
        return answer(200, OK[asked.target]) if "form" in asked.headers["content-type"] else refusal

    async with em_on(reply) as (em, server):
        await call(em)
        await call(em)

    assert ["form" in asked.headers["content-type"] for asked in server.asked] == [False, True, True]


async def test_a_form_only_server_with_another_name_is_found_too() -> None:
    refusal = answer(400, raw=FLASK.encode(), kind="text/html")

    def reply(asked: Asked) -> bytes:
        is_right = "form" in asked.headers["content-type"] and "image" in asked.form
        return answer(200, OK[asked.target]) if is_right else refusal

    async with em_on(reply) as (em, server):
        await build(em)
        await build(em)

    assert len(server.asked) == 4


async def test_a_refusal_without_a_reason_ends_after_each_way_was_tried_once() -> None:
    async with em_on(answer(400, {"message": "Invalid request"})) as (em, server):
        with pytest.raises(BadRequest, match="Invalid request"):
            await build(em)

    assert len(server.asked) == 3


async def test_what_json_was_answered_counts_where_a_form_is_not_read() -> None:
    def reply(asked: Asked) -> bytes:
        if "form" in asked.headers["content-type"]:
            return answer(422, {"detail": [{"loc": ["body", "filepath"], "type": "missing", "msg": "Field required"}]})
        return answer(400, raw=FLASK.encode(), kind="text/html")

    async with em_on(reply) as (em, _):
        with pytest.raises(BadRequest, match="Bad Request"):
            await delete(em)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (delete, "z.txt does not exist"),
        (build, "context x not found"),
        (load, "no such tarfile"),
        (run, "node FPGA is not available"),
    ],
)
@pytest.mark.parametrize("key", ["message", "error", "detail"])
async def test_a_404_in_the_ems_own_words_is_the_answer(call: Call, said: str, key: str) -> None:
    async with em_on(answer(404, {key: said})) as (em, server):
        with pytest.raises(NotFound) as caught:
            await call(em)

    assert caught.value.message == said
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "body",
    [
        {"detail": "Not Found"},
        {"detail": "Not found."},
        {"message": "The requested URL was not found on the server. If you entered it manually, check it."},
        {"error": "Not Found", "status": 404},
        {"message": "Cannot POST /em/image/load", "error": "Not Found", "statusCode": 404},
        {"error": "NOT_FOUND", "message": "no such path"},
        {"message": "No static resource em/image/load."},
        {},
    ],
)
async def test_a_404_in_a_frameworks_words_is_a_path_that_is_not_served(body: dict[str, object]) -> None:
    def reply(asked: Asked) -> bytes:
        return answer(404, body) if asked.target == "/em/image/load" else answer(200, OK[asked.target])

    async with em_on(reply, dialect="2025-11") as (em, server):
        await load(em)

    assert server.lines == ["POST /em/image/load", "POST /em/pod/image/load"]


@pytest.mark.parametrize(
    "refusal", [{"pod_name": ["This field is required."]}, {"message": "pod_name: This field is required."}]
)
async def test_auto_finds_2026_03_by_a_pod_that_is_missed(refusal: dict[str, object]) -> None:
    def reply(asked: Asked) -> bytes:
        if asked.target == "/em/pod/execution":
            return answer(404, raw=b"<h1>Not Found</h1>", kind="text/html")
        if asked.target == "/em/pod/run" and "pod_name" not in asked.json:
            return answer(400, refusal)
        return answer(200, OK[asked.target])

    async with em_on(reply) as (em, server):
        await run(em)
        assert (await em.info()).details == {"dialect": "2026-03"}

    assert server.asked[-1].json["pod_name"] == "emtui"


async def test_volumes_that_cannot_be_asked_for_are_not_the_calls_fault() -> None:
    async with em_on(answer(502, raw=b""), dialect="2026-03") as (em, _):
        with pytest.raises(Unreachable, match="asking for the volumes failed") as caught:
            await run(em)
    assert not caught.value.may_have_run

    async with em_on(answer(200, {"data": [{"metadata": {}}]}), dialect="2026-03") as (em, _):
        with pytest.raises(ConfigProblem, match=r"pvc_name: data\[0\]") as problem:
            await run(em)
    assert "pvc_name" in problem.value.remedy
