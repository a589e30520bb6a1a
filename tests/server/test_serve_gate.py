"""Who may talk to the server: names, pages, tokens, passwords (B14, B15, B19)."""

import base64
import json
import os
import re
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests

from emtui.errors import NotSignedIn
from emtui.server.users.tokens import Tokens
from tests.serving import PASSWORD, Server, served, served_here


def get(server: Server, path: str, **headers: str) -> requests.Response:
    return requests.get(server.url + path, headers=headers, timeout=10)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:1", "[::1]:8000", "10.0.0.7", "LocalHost.:80"])
def test_own_names_and_addresses_are_served(server: Server, host: str) -> None:
    assert get(server, "/models", Host=host).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "a@localhost", "localhost:x", "::1", ""],
)
@pytest.mark.parametrize("path", ["/models", "/em/files/list", "/auth/", "/schema/", "/socket.io/?EIO=4"])
def test_other_names_are_refused_before_anything_else(server: Server, host: str, path: str) -> None:
    answer = get(server, path, Host=host)
    assert answer.status_code == 403
    assert answer.json()["error"] == "FORBIDDEN"


@pytest.mark.parametrize(
    "origin", ["null", "http://evil.example", "https://{host}", "http://localhost:1", "{host}", "file://"]
)
@pytest.mark.parametrize("path", ["/models", "/em/files/list", "/socket.io/?EIO=4&transport=polling"])
def test_pages_from_elsewhere_are_refused(server: Server, origin: str, path: str) -> None:
    answer = get(server, path, Origin=origin.format(host=server.host))
    assert answer.status_code == 403
    assert "Origin" in answer.json()["message"]
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_a_form_of_a_page_from_elsewhere_is_refused(server: Server) -> None:
    answer = requests.post(
        f"{server.url}/serve_model",
        data={"model_id": "x", "model": "y"},
        headers={"Origin": "http://evil.example"},
        timeout=10,
    )
    assert answer.status_code == 403


def test_its_own_page_is_served(server: Server) -> None:
    assert get(server, "/schema/", Origin=f"http://{server.host}").status_code == 200


def test_a_websocket_from_elsewhere_is_refused(server: Server) -> None:
    for more in ({"Host": "evil.example"}, {"Origin": "null"}):
        answer = get(
            server,
            "/socket.io/?EIO=4&transport=websocket",
            **{
                "Connection": "Upgrade",
                "Upgrade": "websocket",
                "Sec-WebSocket-Version": "13",
                "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
                **more,
            },
        )
        assert answer.status_code == 403


def test_an_allowed_origin_and_host_are_served(tmp_path: Path) -> None:
    with served_here(
        tmp_path / "dir", allowed_origins=("https://pages.example",), allowed_hosts=("em.example",)
    ) as server:
        answer = get(server, "/models", Origin="https://pages.example:443", Host="em.example")
        assert answer.status_code == 200
        assert answer.headers["Access-Control-Allow-Origin"] == "https://pages.example:443"
        asked = requests.options(f"{server.url}/em/files/list", headers={"Origin": "https://pages.example"}, timeout=10)
        assert asked.status_code == 204
        assert "authorization" in asked.headers["Access-Control-Allow-Headers"]


# ---------------------------------------------------------------------------------------------------- tokens


EM_PATHS = [
    ("GET", "/em/files/list"),
    ("GET", "/em/files/downlink?filepath=x"),
    ("GET", "/em/image/list"),
    ("GET", "/em/pod/status"),
    ("POST", "/em/files/uplink"),
    ("POST", "/em/files/delete"),
    ("POST", "/em/pod/image/build"),
    ("POST", "/em/image/load"),
    ("POST", "/em/pod/execution"),
]


@pytest.mark.parametrize(("method", "path"), EM_PATHS)
@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer x", "Basic eDp5", "Token x.y.z"])
def test_no_call_of_the_em_without_a_token(server: Server, method: str, path: str, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = requests.request(method, server.url + path, headers=headers, data=b"rubbish", timeout=10)
    assert answer.status_code == 401
    assert set(answer.json()) >= {"detail", "error", "message"}
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_wrong_passwords_are_told_as_in_the_field(server: Server) -> None:
    for username, password in (
        ("client1", "wrong"),
        ("nobody", PASSWORD),
        ("client1", "x" * 5000),
        ("\ud800", "\udfff"),
    ):
        answer = requests.post(
            f"{server.url}/auth/",
            data=json.dumps({"username": username, "password": password}),
            headers={"Content-Type": "application/json"},
            timeout=10,
        )
        assert answer.status_code == 401
        assert answer.json()["detail"] == "No active account found with the given credentials"
    assert requests.post(f"{server.url}/auth/", data={"username": "client1"}, timeout=10).status_code == 400


@pytest.mark.parametrize("path", ["/auth/", "/auth", "//auth//"])
@pytest.mark.parametrize("kind", ["json", "data", "files"])
def test_the_ways_to_sign_in(server: Server, path: str, kind: str) -> None:
    fields: dict[str, Any] = {"username": "client1", "password": PASSWORD}
    if kind == "files":
        fields = {name: (None, value) for name, value in fields.items()}
    answer = requests.post(server.url + path, timeout=10, **{kind: fields})  # type: ignore[arg-type]
    assert set(answer.json()) == {"access", "refresh"}
    for again in ("/auth/refresh", "/auth/refresh/"):
        refreshed = requests.post(server.url + again, json={"refresh": answer.json()["refresh"]}, timeout=10)
        assert set(refreshed.json()) == {"access"}
        token = refreshed.json()["access"]
        assert get(server, "/em/pod/status", Authorization=f"Bearer {token}").status_code == 200


def test_a_refresh_token_is_no_access_token_nor_the_reverse(server: Server) -> None:
    tokens = requests.post(f"{server.url}/auth/", json={"username": "client1", "password": PASSWORD}, timeout=10).json()
    assert get(server, "/em/pod/status", Authorization=f"Bearer {tokens['refresh']}").status_code == 401
    answer = requests.post(f"{server.url}/auth/refresh", json={"refresh": tokens["access"]}, timeout=10)
    assert answer.status_code == 401
    assert answer.json()["detail"] == "Token is invalid or expired"


KEY = b"k" * 64


@pytest.fixture
def tokens() -> Tokens:
    return Tokens(KEY, {"client1": "mark"}.get, access_s=60, refresh_s=600)


def claims(**changes: object) -> dict[str, object]:
    now = int(time.time())
    whole: dict[str, object] = {"sub": "client1", "iat": now, "exp": now + 60, "type": "access", "mark": "mark"}
    return {name: value for name, value in {**whole, **changes}.items() if value is not None}


def test_a_good_token_is_taken(tokens: Tokens) -> None:
    assert tokens.user_of(tokens.issue("client1", "access"), "access") == "client1"
    assert tokens.user_of(jwt.encode(claims(), KEY, "HS256"), "access") == "client1"


NOW = int(time.time())


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(jwt.encode(claims(), None, "none"), id="no algorithm"),
        pytest.param(jwt.encode(claims(), b"o" * 64, "HS256"), id="another key"),
        pytest.param(jwt.encode(claims(), KEY, "HS512"), id="another algorithm"),
        pytest.param(jwt.encode(claims(exp=None), KEY, "HS256"), id="no expiry"),
        pytest.param(jwt.encode(claims(iat=None), KEY, "HS256"), id="no beginning"),
        pytest.param(jwt.encode(claims(sub=None), KEY, "HS256"), id="nobody"),
        pytest.param(jwt.encode(claims(sub=5), KEY, "HS256"), id="a number for a user"),
        pytest.param(jwt.encode(claims(mark=None), KEY, "HS256"), id="no mark"),
        pytest.param(jwt.encode(claims(exp=NOW - 1), KEY, "HS256"), id="expired"),
        pytest.param(jwt.encode(claims(nbf=NOW + 6000), KEY, "HS256"), id="not yet valid"),
        pytest.param(jwt.encode(claims(iat=NOW + 6000), KEY, "HS256"), id="from the future"),
        pytest.param(jwt.encode(claims(exp="soon"), KEY, "HS256"), id="expiry that is no time"),
        pytest.param(jwt.encode(claims(type="refresh"), KEY, "HS256"), id="refresh"),
        pytest.param(jwt.encode(claims(type=None), KEY, "HS256"), id="no type"),
        pytest.param(jwt.encode(claims(sub="client2"), KEY, "HS256"), id="unknown user"),
        pytest.param(jwt.encode(claims(mark="older"), KEY, "HS256"), id="older password"),
        pytest.param(jwt.encode(claims(), KEY, "HS256")[:-2], id="cut short"),
        pytest.param("", id="empty"),
        pytest.param("..", id="dots"),
        pytest.param("a.b.c", id="rubbish"),
        pytest.param("é.é.é", id="no ASCII"),
        pytest.param(base64.urlsafe_b64encode(b"[" * 3000).decode() + ".e30.x", id="deep"),
        pytest.param("x" * 100_000, id="long"),
    ],
)
def test_tokens_that_are_none_of_ours_or_no_longer(tokens: Tokens, token: str) -> None:
    with pytest.raises(NotSignedIn) as caught:
        tokens.user_of(token, "access")
    assert caught.value.message == "Given token not valid for any token type"


def test_a_changed_password_ends_the_tokens_of_before(tmp_path: Path) -> None:
    with served(tmp_path / "dir") as server:
        before = server.headers()
        assert server.stop() == 0
    with served(tmp_path / "dir") as server:
        assert get(server, "/em/pod/status", **before).status_code == 200, "the same password: still good"
        assert server.stop() == 0
    with served(tmp_path / "dir", environment={"EMTUI_PASSWORD": "another"}) as server:
        assert get(server, "/em/pod/status", **before).status_code == 401
        assert get(server, "/em/pod/status", **server.headers(password="another")).status_code == 200


def test_no_secret_is_written_anywhere(tmp_path: Path) -> None:
    password = "canary-Geheim-7731"
    with served(tmp_path / "dir", environment={"EMTUI_PASSWORD": password}) as server:
        answer = requests.post(f"{server.url}/auth/", data={"username": "client1", "password": password}, timeout=10)
        tokens = answer.json()
        for path in (f"/em/files/list?token={tokens['access']}", f"/nothing?password={password}"):
            get(server, path, Authorization=f"Bearer {tokens['access']}")
        get(server, "/em/pod/status", Authorization=f"Bearer {tokens['access']}x")
        requests.post(
            f"{server.url}/auth/", data=f"{{{password}", headers={"Content-Type": "application/json"}, timeout=10
        )
        requests.post(f"{server.url}/auth/refresh", json={"refresh": tokens["refresh"] + "x"}, timeout=10)
        assert server.stop() == 0
        said = server.errors
    kept = b"".join(path.read_bytes() for path in (tmp_path / "dir").rglob("*") if path.is_file())
    for secret in (password, tokens["access"], tokens["refresh"], tokens["access"].rpartition(".")[2]):
        assert secret not in said
        assert secret.encode() not in kept
    assert re.search(
        r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ 127\.0\.0\.1 client1 POST /auth/ 200 \d+ \d+\.\d{3}$", said, re.M
    )
    assert " - GET /nothing 404 " in said


def test_what_is_kept_is_for_the_owner_only(tmp_path: Path) -> None:
    with served(tmp_path / "dir") as server:
        server.token()
        folder = tmp_path / "dir/serve"
        assert folder.stat().st_mode & 0o777 == 0o700
        for path in folder.iterdir():
            assert path.stat().st_mode & 0o077 == 0
        assert b"$argon2id$" in (folder / "accounts.db").read_bytes() + (folder / "accounts.db-wal").read_bytes()


def test_the_grid_asks_for_a_token_where_it_is_told_to(tmp_path: Path) -> None:
    with served_here(tmp_path / "dir", has_grid_auth=True) as server:
        assert get(server, "/models").status_code == 401
        assert get(server, "/models", Authorization="Bearer x").status_code == 401
        assert get(server, "/models", **server.headers()).status_code == 200
