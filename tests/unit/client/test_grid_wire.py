"""The Grid Node's words and packets: what one side writes, the other reads."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emtui.errors import (
    BadRequest,
    Conflict,
    ContractViolation,
    EmtuiError,
    Forbidden,
    InvalidField,
    LocalProblem,
    NotFound,
    NotSignedIn,
    RemoteFailed,
)
from emtui.wire.grid import (
    COPIES_NOT_ALLOWED_REMEDY,
    ENCRYPTED_NOT_FOUND,
    ID_TAKEN,
    MODEL_NOT_FOUND,
    NOT_ALLOWED_TO_DOWNLOAD,
    NOT_SIGNED_IN,
    bytes_of_model,
    error_of,
    json_text,
    quote_id,
    refusal,
    served_error,
    text_of_model,
    unquote_id,
)
from emtui.wire.grid_packets import UNREADABLE, GridPacket

ERRORS: list[EmtuiError] = [
    NotFound(MODEL_NOT_FOUND),
    NotFound(ENCRYPTED_NOT_FOUND),
    Forbidden(NOT_ALLOWED_TO_DOWNLOAD, remedy=COPIES_NOT_ALLOWED_REMEDY),
    NotSignedIn(NOT_SIGNED_IN),
    Conflict(ID_TAKEN),
    InvalidField("model_id", "a model needs an id", remedy="Give it one; any text will do."),
    InvalidField("model", "is missing"),
    BadRequest("not a form", remedy="Send one."),
    ContractViolation("the file changed", remedy="Again."),
    RemoteFailed("the file of model m cannot be read", remedy="Serve it again."),
]


@pytest.mark.parametrize("has_status", [True, False], ids=["HTTP", "Socket.IO"])
@pytest.mark.parametrize("key", ["error", "message"])
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: f"{type(error).__name__} {error.message[:12]}")
def test_an_error_is_the_same_on_the_other_side(error: EmtuiError, key: str, has_status: bool) -> None:
    if key == "message" and isinstance(error, NotFound | Forbidden):
        return  # a served model is not looked for
    status, body = refusal(error, key)
    read = error_of if key == "error" else served_error
    found = read({"success": False, **body}, status if has_status else None)
    assert found is not None
    assert (type(found), found.message, found.remedy) == (type(error), error.message, error.remedy)


def test_what_is_specified_is_said_and_no_more() -> None:
    assert refusal(NotFound(MODEL_NOT_FOUND), "error") == (404, {"error": MODEL_NOT_FOUND})
    assert refusal(Conflict(ID_TAKEN), "message") == (409, {"message": ID_TAKEN})


def test_a_full_disk_over_there_is_no_problem_of_this_machine() -> None:
    status, body = refusal(LocalProblem("the workspace: No space left on device", remedy="Free some space."), "message")
    error = served_error({"success": False, **body})
    assert status == 500
    assert isinstance(error, RemoteFailed)
    assert error.remedy == "Free some space."


@given(st.text(st.characters(codec=None), max_size=50))
def test_any_id_survives_an_address(model_id: str) -> None:
    quoted = quote_id(model_id)
    assert quoted.isascii()
    assert quoted not in (".", "..")
    assert "/" not in quoted
    assert unquote_id(quoted.encode("ascii")) == model_id


@given(st.recursive(st.none() | st.booleans() | st.text(st.characters(codec=None)), st.lists))
def test_any_text_survives_a_packet(value: object) -> None:
    encoded = GridPacket(2, data=["/x", value], id=7).encode()
    encoded.encode()
    assert GridPacket(encoded_packet=encoded).data == ["/x", value]
    assert json_text(value).encode()


@given(st.text(max_size=30) | st.binary(max_size=30))
def test_no_packet_breaks_the_reader(packet: str | bytes) -> None:
    read = GridPacket(encoded_packet=packet)
    assert read.packet_type in range(7)
    assert read.packet_type not in (2, 5) or read.data == [UNREADABLE] or isinstance(read.data[0], str)


@given(st.binary(max_size=100))
def test_any_bytes_are_a_model(data: bytes) -> None:
    assert bytes_of_model(text_of_model(data, "ISO-8859-1"), "ISO-8859-1") == data


@pytest.mark.parametrize(
    "encoding", ["", "no such", "hex", "idna", "punycode", "undefined", "a\0b", "utf\n8", "x" * 5000]
)
def test_what_is_no_encoding_of_text_is_refused(encoding: str) -> None:
    for call in (lambda: text_of_model(b"x", encoding), lambda: bytes_of_model("x", encoding)):
        with pytest.raises(InvalidField) as caught:
            call()
        assert caught.value.field == "encoding"
        assert "ISO-8859-1" in caught.value.remedy


def test_bytes_that_an_encoding_cannot_hold_are_refused() -> None:
    with pytest.raises(InvalidField):
        text_of_model(b"\xff", "utf-8")
    with pytest.raises(InvalidField):
        text_of_model(b"a\0", "utf-16")
