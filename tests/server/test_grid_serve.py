"""emtui's own client of the Grid Node against emtui's own server, with a token where one is asked for."""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from emtui.client.grid.backend import RemoteGrid
from emtui.client.grid.over_socketio import SocketIOGrid
from emtui.client.http.address import Address
from emtui.client.http.channel import Channel
from emtui.client.http.sign_in import Credentials
from emtui.errors import NotSignedIn, Untrusted
from emtui.files import MemorySource
from emtui.plain import Vitals
from emtui.server.settings import Settings
from tests.certificates import certificate
from tests.serving import PASSWORD, serving_here

DEADLINE_S = 20


async def password() -> str:
    return PASSWORD


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    settings = Settings(
        tmp_path / "dir", usernames=("client1", "client2"), password=PASSWORD, has_grid_auth=True, access_s=1.5
    )
    async with serving_here(settings) as serving:
        yield serving.url


async def test_a_token_that_ends_is_renewed_without_a_word(url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    seen: list[Vitals] = []
    times: list[int] = []
    grid = RemoteGrid(
        Address.parse(url),
        Credentials("client1", password=password),
        on_vitals=seen.append,
        on_connect=lambda: times.append(1),
    )
    try:
        await grid.serve_model(MemorySource("m", b"x"), "m", allow_download=True)
        assert (await grid.info()).details["transport"] == "Socket.IO"
        assert (await grid.info()).user == "client1"
        first = seen[-1].token_expires_at
        async with asyncio.timeout(DEADLINE_S):
            while len(times) < 2:
                assert list(await grid.models()) == ["m"]
                await asyncio.sleep(0.1)
        assert list(await grid.models()) == ["m"]
        assert first is not None
        assert (seen[-1].token_expires_at or first) > first
    finally:
        await grid.aclose()
    assert PASSWORD not in caplog.text


@pytest.mark.parametrize(
    ("options", "cause"),
    [({}, None), ({"host": "other.example"}, "for another host"), ({"starts": -3, "ends": -1}, "expired")],
)
async def test_a_certificate_is_looked_at_before_the_token_leaves(
    tmp_path: Path, options: dict[str, Any], cause: str | None
) -> None:
    made = certificate(tmp_path, **options)
    settings = Settings(
        tmp_path / "dir", password=PASSWORD, has_grid_auth=True, tls_cert=made.pem, tls_key=tmp_path / "key.pem"
    )
    async with serving_here(settings) as serving:
        address = Address.parse(serving.url)
        for ca_file in (None, str(made.pem)):
            channel = Channel(address, Credentials(token="canary"), ca_file=ca_file)
            grid = SocketIOGrid(channel, ca_file=ca_file)
            is_trusted = ca_file is not None and cause is None
            with pytest.raises(NotSignedIn if is_trusted else Untrusted) as caught:
                await asyncio.wait_for(grid.models(), DEADLINE_S)
            await grid.aclose()
            await channel.aclose()
            assert "canary" not in caught.value.message
            if ca_file is not None and cause is not None:
                assert cause in caught.value.message


async def test_users_see_their_own_models(url: str) -> None:
    grids = [RemoteGrid(Address.parse(url), Credentials(name, password=password)) for name in ("client1", "client2")]
    try:
        for number, grid in enumerate(grids):
            await grid.serve_model(MemorySource("m", b"x"), f"m{number}", allow_download=True)
            large = MemorySource("m", bytes([number]) * 2_000_000)
            await grid.serve_model(large, f"large{number}", allow_download=True)
        for number, grid in enumerate(grids):
            assert list(await grid.models()) == [f"m{number}", f"large{number}"]
    finally:
        for grid in grids:
            await grid.aclose()


@pytest.mark.parametrize("credentials", [None, Credentials("client1"), Credentials(token="a.b.c")])
async def test_without_a_token_it_is_said_that_one_is_needed(url: str, credentials: Any) -> None:
    grid = RemoteGrid(Address.parse(url), credentials)
    try:
        for _ in range(2):
            with pytest.raises(NotSignedIn) as caught:
                await asyncio.wait_for(grid.models(), DEADLINE_S)
            assert caught.value.remedy
        if credentials is not None and credentials.username:
            await grid.sign_in("client1", PASSWORD)
            assert list(await grid.models()) == []
    finally:
        await grid.aclose()
