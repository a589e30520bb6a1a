"""BuildKit's trace on the wire, and what becomes of it in the log."""

import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emtui.local.engines.buildlog import MAX_LINE
from emtui.local.engines.docker.building.progress import Lines
from emtui.local.engines.docker.building.trace import Output, Vertex, parse_trace
from emtui.local.engines.docker.building.vertexes import IMAGE, TRACE, BuildKitProgress
from emtui.local.engines.docker.problems import DaemonProblem
from tests.unit.engines.docker_talk import Said, said

FAILED = "executor failed running [/bin/sh -c exit 7]: exit code: 7"


def varint(number: int) -> bytes:
    made = bytearray()
    while number >= 0x80:
        made.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*made, number))


def field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def vertex(name: str, *, started: bool = True, completed: bool = False, cached: bool = False, error: str = "") -> bytes:
    parts = [field(1, f"sha256:{name}".encode()), field(2, b"sha256:input"), field(3, name.encode())]
    parts += [field(4, 1)] if cached else []
    parts += [field(5, field(1, 1_700_000_000))] if started else []
    parts += [field(6, field(1, 1_700_000_001))] if completed else []
    parts += [field(7, error.encode())] if error else []
    return field(1, b"".join(parts))


def output(name: str, text: bytes, stream: int = 1) -> bytes:
    parts = (field(1, f"sha256:{name}".encode()), field(2, field(1, 1)), field(3, stream), field(4, text))
    return field(3, b"".join(parts))


def trace(*messages: bytes) -> dict[str, object]:
    return {"id": TRACE, "aux": base64.b64encode(b"".join(messages)).decode()}


def test_a_message_is_read() -> None:
    fixed = varint(9 << 3 | 1) + bytes(8) + varint(10 << 3 | 5) + bytes(4)
    found = parse_trace(
        trace(vertex("a", cached=True, completed=True, error="e"), output("a", b"x\n", 2), fixed)["aux"]
    )
    assert found.vertexes == (Vertex("sha256:a", "a", True, True, True, "e"),)
    assert found.outputs == (Output("sha256:a", 2, b"x\n"),)


@pytest.mark.parametrize("aux", [None, 7, "no base64!", "aGVsbG8", {"a": 1}])
def test_what_is_no_message_is_a_problem_of_the_daemon(aux: object) -> None:
    with pytest.raises(DaemonProblem):
        parse_trace(aux)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(DaemonProblem):
        parse_trace(base64.b64encode(data).decode())


@pytest.mark.parametrize("cut", range(1, 60))
def test_a_message_that_is_cut_off_never_crashes(cut: int) -> None:
    whole = vertex("[1/2] RUN x", completed=True) + output("[1/2] RUN x", b"text\n")
    with contextlib.suppress(DaemonProblem):
        parse_trace(base64.b64encode(whole[:-cut]).decode())
    with pytest.raises(DaemonProblem):
        parse_trace(base64.b64encode(varint(1 << 3 | 2) + varint(1 << 40) + b"x").decode())
    with pytest.raises(DaemonProblem):
        parse_trace(base64.b64encode(b"\xff" * 20).decode())


@pytest.fixture
def talk() -> Said:
    return said("FROM mine AS one\nRUN a\nFROM one\nCOPY x /\nRUN exit 7\n")


def progress(talk: Said) -> BuildKitProgress:
    return BuildKitProgress(talk.talk, talk.stages, talk.names)


def test_vertexes_are_steps_and_output_comes_in_whole_lines(talk: Said) -> None:
    at = progress(talk)
    name = "[one 2/2] RUN a"
    at.take(trace(vertex("[internal] load remote build context", completed=True), vertex("copy /context /")))
    at.take(trace(vertex("[one 1/2] FROM docker.io/emtui-0123456789ab/mine", cached=True, completed=True)))
    at.take(trace(vertex(name), output(name, b"first\r\nsec")))
    at.take(trace(output(name, b"ond\nlast")))
    at.take(trace(output(name, b"err", 2), vertex(name, completed=True)))
    at.take(trace(vertex(name, completed=True)))
    assert at.take({"id": IMAGE, "aux": {"ID": "sha256:1"}}) == "sha256:1"
    assert talk.lines() == [
        "#1 [one 1/2] FROM docker.io/library/mine:latest",
        "#1 CACHED",
        "",
        "#2 [one 2/2] RUN a",
        "#2 first",
        "#2 second",
        "#2 last",
        "#2 err",
        "#2 DONE",
        "",
    ]


def test_a_failure_belongs_to_its_step_and_its_line(talk: Said) -> None:
    at = progress(talk)
    at.take(trace(vertex("[one 2/2] RUN a"), vertex("[stage-1 2/2] RUN exit 7")))
    at.take(trace(vertex("[one 2/2] RUN a", completed=True, error="context canceled")))
    at.take(trace(vertex("[stage-1 2/2] RUN exit 7", completed=True, error=FAILED)))
    message, line = at.fail(FAILED)
    assert message == 'process "/bin/sh -c exit 7" did not complete successfully: exit code: 7'
    assert line == 0
    talk.talk.fail(message, line)
    assert "#1 CANCELED" in talk.lines()
    assert "Dockerfile:5" in talk.lines()


def test_an_internal_step_is_told_when_it_fails(talk: Said) -> None:
    at = progress(talk)
    at.take(trace(vertex("[internal] load metadata for docker.io/library/x", completed=True, error="no such host")))
    assert at.failed is not None
    assert at.failed.title == "[internal] load metadata for docker.io/library/x"


def test_a_context_that_cannot_be_taken_fails_our_own_step(talk: Said) -> None:
    at = progress(talk)
    talk.talk.begin_context()
    at.take(trace(vertex("[internal] load remote build context", completed=True, error="no space left on device")))
    assert at.failed is not None
    assert at.failed.title == "[internal] load build context"
    assert talk.lines() == ["#1 [internal] load build context"]


@pytest.mark.parametrize(
    ("message", "words", "line"),
    [
        ("failed to solve with frontend dockerfile.v0: rpc error: code = Unknown desc = nope", "nope", 0),
        ("dockerfile parse error line 3: unknown flag: x", "dockerfile parse error on line 3: unknown flag: x", 3),
        ('"/.emtui-context/dir/x" not found', '"/dir/x" not found', 0),
        ("pull access denied for docker.io/emtui-0123456789ab/a", "pull access denied for docker.io/library/a", 0),
        ("two\nlines", "two lines", 0),
        ("write /x: no space left on device", "write /x: no space left on device", 0),
    ],
)
def test_messages_in_our_words(talk: Said, message: str, words: str, line: int) -> None:
    assert progress(talk).fail(message) == (words, line)


def test_a_line_without_end_is_cut() -> None:
    lines = Lines()
    assert lines.cut(b"x" * (MAX_LINE * 2 + 1)) == [b"x" * MAX_LINE] * 2
    assert lines.cut(b"\nyy") == [b"x"]
    assert lines.rest() == [b"yy"]
    assert lines.rest() == []
