"""Uplinks and requests that are too large, too slow, or not what they say (B13, B21)."""

import contextlib
import shutil
import socket
import time
from pathlib import Path

import pytest
import requests

from tests.serving import Server, held_uplink, peak_bytes, served, until

LIMIT = 524_288_000


def part(name: bytes, filename: bytes | None, data: bytes) -> bytes:
    file = b'; filename="%s"' % filename if filename is not None else b""
    return b'--b\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n' % (name, file, data)


END = b"--b--\r\n"


def send(server: Server, headers: dict[str, str], body: object) -> requests.Response:
    """A body as it is, chunked where it is a generator."""
    return requests.post(
        f"{server.url}/em/files/uplink",
        data=body,  # type: ignore[arg-type]
        headers={**headers, "Content-Type": "multipart/form-data; boundary=b"},
        timeout=120,
    )


def assert_nothing_kept(server: Server) -> None:
    until(lambda: list(server.staging.iterdir()) == [], "staging is emptied")
    assert [path.name for path in server.volume.iterdir()] == []


def large(size: int) -> "object":
    """A form of one file of `size` bytes, made as it is sent."""

    def pieces():  # type: ignore[no-untyped-def]
        yield b'--b\r\nContent-Disposition: form-data; name="files"; filename="large"\r\n\r\n'
        block = bytes(1 << 20)
        for start in range(0, size, len(block)):
            yield block[: min(len(block), size - start)]
        yield b"\r\n" + END

    return pieces()


def test_an_uplink_at_the_limit_is_taken_and_one_byte_more_is_not_in_flat_memory(tmp_path: Path) -> None:
    with served(tmp_path / "dir") as server:
        headers = server.headers()
        over = send(server, headers, large(LIMIT + 1))
        assert over.status_code == 400
        assert over.json()["error"] == "MAX_UPLINK_SIZE_EXCEEDED"
        assert over.json()["message"] == "Total upload size exceeds 500 MB"
        assert_nothing_kept(server)

        assert send(server, headers, large(LIMIT)).status_code == 200
        assert (server.volume / "large").stat().st_size == LIMIT
        with requests.get(
            f"{server.url}/em/files/downlink?filepath=large", headers=headers, stream=True, timeout=60
        ) as answer:
            count = sum(len(piece) for piece in answer.iter_content(1 << 20))
        assert count > LIMIT * 4 // 3
        assert peak_bytes(server.process) < 150 << 20


@pytest.mark.parametrize(
    ("form", "status"),
    [
        (part(b"files", b"a", b"1") + part(b"files", b"a", b"2") + END, 400),
        (part(b"files", b"../a", b"1") + END, 400),
        (part(b"files", b"/etc/a", b"1") + END, 400),
        (part(b"files", b"..", b"1") + END, 400),
        (part(b"files", b".", b"1") + END, 400),
        (part(b"files", b"a\0b", b"1") + END, 400),
        (part(b"files", b"n" * 256, b"1") + END, 400),
        (part(b"files", b"", b"") + END, 400),
        (part(b"files", None, b"text") + END, 400),
        (part(b"files", b"a", b"1") + part(b"dest_path", None, b"../up") + END, 400),
        (part(b"files", b"a", b"1") + part(b"dest_path", None, b"/etc") + END, 400),
        (part(b"files", b"a", b"1") + part(b"dest_path", None, bytes(10_000_000)) + END, 400),
        (part(b"files", b"a", b"1"), 400),
        (part(b"files", b"a", b"1")[:-20], 400),
        (b"--b--\r\n", 400),
        (b"--c\r\n\r\n", 400),
        (b"", 400),
        (b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n" + END, 400),
        (b"--b\r\nX: y\r\n\r\nx\r\n" + END, 400),
        (b'--b\r\nContent-Disposition: form-data; name="files"; filename="a\r\n\r\nx\r\n' + END, 400),
        (b"--b\r\nX-Long: " + b"x" * 100_000 + b"\r\n\r\nx\r\n" + END, 400),
        (b"--b\r\n" + b"".join(b"X-%d: y\r\n" % number for number in range(100)) + b"\r\nx\r\n" + END, 400),
        (b"".join(part(b"x%d" % number, None, b"") for number in range(10_001)) + END, 400),
    ],
)
def test_forms_that_are_refused_leave_nothing(
    server: Server, headers: dict[str, str], form: bytes, status: int
) -> None:
    answer = send(server, headers, form)
    assert answer.status_code == status, answer.text
    assert set(answer.json()) >= {"error", "message"}
    assert_nothing_kept(server)


@pytest.mark.parametrize("is_first", [True, False])
def test_the_fields_of_an_uplink_do_not_count_as_files(
    server: Server, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch, is_first: bool
) -> None:
    monkeypatch.setattr("emtui.server.em.files.LOCAL_UPLINK_LIMIT_BYTES", 100)
    field = part(b"dest_path", None, b"d")
    file = part(b"files", b"a", b"x" * 100)
    try:
        answer = send(server, headers, (field + file if is_first else file + field) + END)
        assert answer.status_code == 200, answer.text
        assert (server.volume / "d/a").stat().st_size == 100
    finally:
        shutil.rmtree(server.volume / "d", ignore_errors=True)


def test_the_type_must_name_the_boundary(server: Server, headers: dict[str, str]) -> None:
    answer = requests.post(
        f"{server.url}/em/files/uplink",
        data=part(b"files", b"a", b"1") + END,
        headers={**headers, "Content-Type": "multipart/form-data"},
        timeout=30,
    )
    assert answer.status_code == 400
    assert "boundary" in answer.json()["message"]


def raw(server: Server, data: bytes) -> bytes:
    """What comes back for bytes that no library would send."""
    with server.connect() as connection:
        connection.sendall(data)
        got = b""
        with contextlib.suppress(ConnectionResetError):
            while piece := connection.recv(65536):
                got += piece
        return got


def head(server: Server, headers: dict[str, str], *more: str, path: str = "/em/files/uplink") -> bytes:
    lines = [f"POST {path} HTTP/1.1", f"Host: {server.host}", f"Authorization: {headers['Authorization']}", *more]
    return "\r\n".join((*lines, "", "")).encode()


FORM = "Content-Type: multipart/form-data; boundary=b"


def test_a_body_that_is_shorter_than_it_says_keeps_nothing(server: Server, headers: dict[str, str]) -> None:
    form = part(b"files", b"a", b"1") + END
    with server.connect() as connection:
        connection.sendall(head(server, headers, FORM, f"Content-Length: {len(form) + 100}") + form)
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1000) == b""
    until(server.is_free, "the turn comes back")
    assert_nothing_kept(server)


def test_a_client_that_goes_away_gives_the_turn_back_at_once(server: Server, headers: dict[str, str]) -> None:
    with held_uplink(server, headers) as held:
        assert not server.is_free()
        began = time.monotonic()
        held.close()
        assert time.monotonic() - began < 5
    assert_nothing_kept(server)


def test_both_length_and_chunked_is_refused(server: Server, headers: dict[str, str]) -> None:
    got = raw(server, head(server, headers, FORM, "Content-Length: 5", "Transfer-Encoding: chunked") + b"0\r\n\r\n")
    assert got.startswith(b"HTTP/1.1 400 ")
    assert b"both Content-Length and Transfer-Encoding" in got


def test_a_head_of_200_kb_is_refused_and_others_are_served(server: Server) -> None:
    got = raw(server, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"y" * 200_000 + b"\r\n\r\n")
    assert got == b"" or got.startswith(b"HTTP/1.1 400 ")
    assert requests.get(f"{server.url}/models", timeout=10).status_code == 200


@pytest.mark.parametrize(
    "data",
    [
        b"rubbish\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    ],
)
def test_a_head_that_is_none_is_refused_and_others_are_served(server: Server, data: bytes) -> None:
    got = raw(server, data)
    assert got.startswith(b"HTTP/1.1 400 ")
    assert b'"error": "BAD_REQUEST"' in got
    assert requests.get(f"{server.url}/models", timeout=10).status_code == 200


def test_slow_heads_do_not_keep_others_waiting(server: Server) -> None:
    slow = [server.connect() for _ in range(50)]
    try:
        for connection in slow:
            connection.sendall(b"GET /models HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
        began = time.monotonic()
        assert requests.get(f"{server.url}/models", timeout=10).status_code == 200
        assert time.monotonic() - began < 2
    finally:
        for connection in slow:
            connection.close()
