"""Errors on the wire: what is written is read again, and what others write is understood."""

import json
from typing import Any

import pytest

from emtui.errors import (
    BadRequest,
    BuildFailed,
    Conflict,
    ContractViolation,
    EmtuiError,
    Forbidden,
    InvalidField,
    LoadFailed,
    LocalProblem,
    Locked,
    NotFound,
    NotSignedIn,
    RemoteFailed,
    Unreachable,
)
from emtui.wire.errors import error_from_wire, error_to_wire


@pytest.mark.parametrize(
    "error",
    [
        BadRequest("No files were provided for uplink!", code="NO_FILES", remedy="Choose at least one file."),
        BadRequest("Total upload size exceeds 500 MB", code="MAX_UPLINK_SIZE_EXCEEDED"),
        InvalidField("node", "no such node: \x1b[31m", remedy="Choose one of FPGA, GPU, MPU."),
        BuildFailed(["one\n", "two \udc80\n"]),
        LoadFailed(["sh: line 1: /clients/client1-pvc/test2.tar: No such file or directory\n"]),
        NotSignedIn("no token"),
        Forbidden("filepath: it leaves the volume: ../x"),
        NotFound("no such file: x"),
        Conflict("Model id already exists."),
        Locked("CG2 is busy"),
        RemoteFailed("it broke"),
        ContractViolation("x: changed while it was read"),
    ],
)
def test_an_error_makes_the_round_trip(error: EmtuiError) -> None:
    status, body = error_to_wire(error)
    read = error_from_wire(status, json.loads(json.dumps(body)))
    assert type(read) is type(error)
    assert (read.message, read.code, read.status, read.remedy) == (
        error.message,
        error.code,
        error.status,
        error.remedy,
    )
    assert getattr(read, "log_tail", None) == getattr(error, "log_tail", None)
    assert getattr(read, "field", None) == getattr(error, "field", None)


def test_a_problem_of_the_servers_own_disk_is_a_failure_inside() -> None:
    status, body = error_to_wire(LocalProblem("uplink: No space left on device"))
    assert (status, body["error"]) == (500, "INTERNAL_ERROR")
    assert isinstance(error_from_wire(status, body), RemoteFailed)


@pytest.mark.parametrize(
    ("status", "body", "kind", "message"),
    [
        (401, {"detail": "Given token not valid for any token type"}, NotSignedIn, "Given token not valid"),
        (400, {"image": ["This field is required."]}, BadRequest, "image: This field is required."),
        (400, {"error": "BUILD_FAILED", "message": "Docker build failed", "log_tail": "a\nb\n"}, BuildFailed, "Docker"),
        (400, {"error": "BUILD_FAILED", "log_tail": 7}, BuildFailed, "Docker build failed"),
        (413, "<html><h1>413 Request Entity Too Large</h1></html>", BadRequest, "413 with: <html><h1>413 Request"),
        (423, "", Locked, "it answered 423"),
        (429, {"detail": "slow down"}, Locked, "slow down"),
        (500, "\x1b[31mTraceback", RemoteFailed, "\\x1b[31mTraceback"),
        (500, None, RemoteFailed, "it answered 500 and no more"),
        (404, {"error": "not an identifier"}, NotFound, "not an identifier"),
        (418, [1, 2], BadRequest, "it answered 418"),
    ],
)
def test_what_others_answer_is_understood(status: int, body: Any, kind: type[EmtuiError], message: str) -> None:
    error = error_from_wire(status, body)
    assert type(error) is kind
    assert message in error.message


@pytest.mark.parametrize(("status", "may_have_run"), [(502, True), (503, False), (504, True)])
def test_a_gateway_tells_whether_a_request_can_have_been_executed(status: int, may_have_run: bool) -> None:
    error = error_from_wire(status, "busy", retry_after_s=7.0)
    assert isinstance(error, Unreachable)
    assert (error.may_have_run, error.retry_after_s) == (may_have_run, 7.0)


def test_a_long_answer_is_cut() -> None:
    assert len(error_from_wire(400, {"message": "x" * 1_000_000}).message) == 4096
    assert len(error_from_wire(500, "y" * 1_000_000).message) < 200
