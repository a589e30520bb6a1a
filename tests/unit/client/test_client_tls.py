"""Whom the client trusts, and where its token does not go (B17, B18)."""

import asyncio
from pathlib import Path

import pytest

from emtui.client.em.backend import HttpEM
from emtui.client.http.address import Address
from emtui.client.http.sign_in import Credentials
from emtui.errors import ConfigProblem, Untrusted
from emtui.models import PodSpec
from tests.certificates import certificate
from tests.wire_server import answer, wire_server

LISTED = answer(200, {"data": []})
TOKEN = "canary-token"


async def asked(url: str, **options: object) -> None:
    em = HttpEM(Address.parse(url), Credentials(token=TOKEN), **options)  # type: ignore[arg-type]
    try:
        await em.list_files()
    finally:
        await em.aclose()


async def test_a_certificate_that_the_ca_file_vouches_for_is_good(tmp_path: Path) -> None:
    made = certificate(tmp_path)
    async with wire_server(LISTED, made.context) as server:
        await asked(server.url, ca_file=str(made.pem))

    assert server.asked[0].token == TOKEN


@pytest.mark.parametrize(
    ("options", "is_given", "cause", "remedy"),
    [
        ({}, False, "self-signed", "CA file"),
        ({"host": "em.example.org"}, True, "for another host", "certificate"),
        ({"ends": -1}, True, "expired", "renew"),
        ({"starts": 1}, True, "not yet valid", "clock"),
    ],
)
async def test_a_certificate_that_is_not_good_is_named_and_nothing_is_sent(
    tmp_path: Path, options: dict[str, object], is_given: bool, cause: str, remedy: str
) -> None:
    made = certificate(tmp_path, **options)  # type: ignore[arg-type]
    async with wire_server(LISTED, made.context) as server:
        with pytest.raises(Untrusted, match=cause) as caught:
            await asked(server.url, ca_file=str(made.pem) if is_given else None)

    assert remedy in caught.value.remedy
    assert server.asked == []


async def test_https_to_a_server_of_plain_http_is_said() -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(plain, "127.0.0.1", 0)
    with pytest.raises(Untrusted, match="TLS failed") as caught:
        await asked(f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}")
    listening.close()

    assert "https" in caught.value.remedy


async def test_a_ca_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("no certificate")
    for path, reason in ((empty, "no certificate in it"), (tmp_path / "missing.pem", "No such file")):
        with pytest.raises(ConfigProblem, match=reason):
            await asked("https://127.0.0.1:1", ca_file=str(path))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    ("location", "where"),
    [
        ("https://evil.example.org/em/files/list?token=x", "https://evil.example.org"),
        ("http://user:secret@evil.example.org/", "http://evil.example.org"),
        ("//evil.example.org/", "http://evil.example.org"),
        ("/login", "http://127.0.0.1"),
        ("", "http://127.0.0.1"),
        ("http://[evil", "an address that is none"),
    ],
)
async def test_a_redirect_is_named_and_not_followed(status: int, location: str, where: str) -> None:
    async with wire_server(answer(status, {}, headers={"Location": location})) as server:
        em = HttpEM(Address.parse(server.url), Credentials(token=TOKEN))
        for call in (em.list_files(), em.run_pod(PodSpec(docker_image="i", max_duration=1, node="GPU"))):
            with pytest.raises(Untrusted) as caught:
                await call
            assert f"it sends us to {where}" in caught.value.message
            assert "secret" not in caught.value.message
        await em.aclose()

    assert len(server.asked) == 2


async def test_a_redirect_to_another_server_takes_no_token_there() -> None:
    async with (
        wire_server(LISTED) as other,
        wire_server(answer(307, {}, headers={"Location": f"{other.url}/em/files/list"})) as server,
    ):
        with pytest.raises(Untrusted, match=f"127.0.0.1:{other.port}"):
            await asked(server.url)

    assert other.connections == 0
