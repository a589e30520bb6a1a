"""Signing in, refreshing, being refused; and that no secret is seen anywhere (B14, B15)."""

import asyncio
import base64
import json
import logging
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from emtui.client.http.address import Address
from emtui.client.http.channel import Channel
from emtui.client.http.sign_in import Credentials
from emtui.client.http.token_store import Tokens, TokenStore
from emtui.client.http.vitals import VitalsBook, expires_at
from emtui.errors import ConfigProblem, EmtuiError, NotSignedIn, Unreachable
from emtui.files.source import MemorySource
from emtui.plain import Vitals
from tests.wire_server import Asked, answer, em_on

LISTED = answer(200, {"data": []})
UPLINKED = answer(200, {"data": {"file_count": 1, "total_size_kb": 1}})
REFUSED = answer(401, {"detail": "Given token not valid for any token type"})
WRONG = answer(401, {"detail": "No active account found with the given credentials"})
CANARY = "canary-PASSWORD-9f"


def jwt(name: str, **claims: Any) -> str:
    def part(fields: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(fields).encode()).rstrip(b"=").decode()

    return f"{part({'alg': 'none'})}.{part({'sub': name, **claims})}.{name}"


class Office:
    """A server that issues tokens and takes only the last one of each user."""

    def __init__(self) -> None:
        self.passwords = {"me": CANARY, "you": "other"}
        self.takes_refresh = True
        self.refresh_path = "/auth/refresh"
        self.forms_only = False
        self.valid: set[str] = set()
        self.count = 0
        self.life_s = 900.0

    def revoke(self) -> None:
        self.valid.clear()

    def issue(self, user: str) -> str:
        self.count += 1
        now = time.time()
        token = jwt(f"{user}-{self.count}", iat=now, exp=now + self.life_s)
        self.valid = {token}
        return token

    def __call__(self, asked: Asked) -> bytes:
        if asked.target == "/auth/":
            if self.forms_only and "form" not in asked.headers["content-type"]:
                return answer(415, {"detail": "Unsupported media type"})
            fields = asked.form if "form" in asked.headers["content-type"] else asked.json
            if self.passwords.get(fields["username"]) != fields["password"]:
                return WRONG
            return answer(200, {"access": self.issue(fields["username"]), "refresh": f"refresh-{fields['username']}"})
        if asked.target == self.refresh_path:
            if not self.takes_refresh or not asked.json["refresh"].startswith("refresh-"):
                return answer(401, {"detail": "Token is invalid or expired"})
            return answer(200, {"access": self.issue(asked.json["refresh"].removeprefix("refresh-"))})
        if asked.target.startswith("/auth"):
            return answer(404, raw=b"", kind="text/html")
        if asked.token not in self.valid:
            return REFUSED
        return UPLINKED if asked.target == "/em/files/uplink" else LISTED


def knows(*passwords: str | None) -> tuple[Callable[[], Any], list[int]]:
    """A provider of these passwords, one after the other, and how often it was asked."""
    asked: list[int] = []

    async def password() -> str | None:
        asked.append(len(asked))
        return passwords[min(len(asked), len(passwords)) - 1]

    return password, asked


async def test_a_user_is_signed_in_once_before_the_first_call() -> None:
    password, asked = knows(CANARY)
    seen: list[Vitals] = []
    async with em_on(Office(), credentials=Credentials("me", password=password), on_vitals=seen.append) as (em, server):
        for _ in range(3):
            await em.list_files()
        assert (await em.info()).user == "me"

    assert server.lines == ["POST /auth/"] + ["GET /em/files/list"] * 3
    assert server.asked[0].json == {"username": "me", "password": CANARY}
    assert len(asked) == 1
    assert seen[-1].token_expires_at is not None
    assert abs(seen[-1].token_expires_at - datetime.now(UTC) - timedelta(seconds=900)) < timedelta(seconds=5)
    assert not seen[-1].needs_sign_in


async def test_a_server_that_reads_forms_only_is_signed_in_to_by_a_form() -> None:
    office = Office()
    office.forms_only = True
    async with em_on(office, credentials=Credentials("me", password=knows(CANARY)[0])) as (em, server):
        await em.list_files()

    assert server.lines == ["POST /auth/", "POST /auth/", "GET /em/files/list"]


@pytest.mark.parametrize("path", ["/auth/refresh", "/auth/refresh/"])
async def test_a_refused_token_is_refreshed_and_the_call_repeated_once(path: str) -> None:
    office = Office()
    office.refresh_path = path
    async with em_on(office, credentials=Credentials("me", password=knows(CANARY)[0])) as (em, server):
        await em.list_files()
        office.revoke()
        await em.uplink([MemorySource("a", b"whole again")])

    lines = server.lines[2:]
    assert lines == [
        "POST /em/files/uplink",
        *(["POST /auth/refresh"] if path[-1] == "/" else []),
        f"POST {path}",
        lines[0],
    ]
    uplinks = [asked for asked in server.asked if asked.target == "/em/files/uplink"]
    assert all(b"whole again" in asked.body for asked in uplinks)


async def test_where_a_refresh_is_refused_the_password_is_asked_for_again() -> None:
    office = Office()
    office.takes_refresh = False
    password, asked = knows(CANARY)
    async with em_on(office, credentials=Credentials("me", password=password)) as (em, server):
        await em.list_files()
        office.revoke()
        await em.list_files()

    assert server.lines[2:] == ["GET /em/files/list", "POST /auth/refresh", "POST /auth/", "GET /em/files/list"]
    assert len(asked) == 2


async def test_calls_that_are_refused_together_sign_in_once() -> None:
    office = Office()
    async with em_on(office, credentials=Credentials("me", password=knows(CANARY)[0])) as (em, server):
        await em.list_files()
        office.revoke()
        await asyncio.gather(*(em.list_files() for _ in range(5)))

    assert server.lines.count("POST /auth/refresh") == 1
    assert server.lines.count("POST /auth/") == 1


async def test_a_token_that_is_about_to_end_is_refreshed_before_the_call() -> None:
    office = Office()
    office.life_s = 2  # a quarter of it is the margin
    async with em_on(office, credentials=Credentials("me", password=knows(CANARY)[0])) as (em, server):
        await em.list_files()
        office.life_s = 900
        await asyncio.sleep(1.6)
        await em.list_files()

    assert server.lines == ["POST /auth/", "GET /em/files/list", "POST /auth/refresh", "GET /em/files/list"]


async def test_a_call_that_is_refused_twice_is_not_repeated_again() -> None:
    office = Office()
    async with em_on(
        lambda asked: office(asked) if asked.target.startswith("/auth") else REFUSED,
        credentials=Credentials("me", password=knows(CANARY)[0]),
    ) as (em, server):
        with pytest.raises(NotSignedIn, match="not valid"):
            await em.list_files()

    assert server.lines.count("GET /em/files/list") == 2


async def test_a_wrong_password_is_said_and_not_tried_again_by_itself() -> None:
    password, _ = knows("wrong")
    seen: list[Vitals] = []
    async with em_on(Office(), credentials=Credentials("me", password=password), on_vitals=seen.append) as (em, server):
        with pytest.raises(NotSignedIn, match=r"127.0.0.1:\d+: No active account found with the given cred") as caught:
            await em.list_files()
        assert caught.value.remedy == "Check the user, and the password in EMTUI_PASSWORD or in the keyring."
        for _ in range(3):
            with pytest.raises(NotSignedIn):
                await em.list_files()

        assert server.lines.count("POST /auth/") == 2  # in JSON, and as a form
        assert seen[-1].needs_sign_in
        await em.sign_in("me", CANARY)
        assert not seen[-1].needs_sign_in
        await em.list_files()


async def test_without_a_password_the_operator_is_needed() -> None:
    seen: list[Vitals] = []
    async with em_on(Office(), credentials=Credentials("me"), on_vitals=seen.append) as (em, server):
        with pytest.raises(NotSignedIn, match="nobody is signed in") as caught:
            await em.list_files()

        assert "EMTUI_TOKEN" in caught.value.remedy
        assert seen[-1].needs_sign_in
        assert server.lines == ["GET /em/files/list"]


async def test_a_password_without_a_user_says_what_is_missing() -> None:
    async with em_on(Office(), credentials=Credentials(password=knows(CANARY)[0])) as (em, _):
        with pytest.raises(NotSignedIn, match="nobody is signed in") as caught:
            await em.list_files()

        assert "EMTUI_USERNAME" in caught.value.remedy


async def test_what_the_server_says_of_a_missing_sign_in_stands_in_brackets_without_its_full_stop() -> None:
    reply = answer(401, {"detail": "Authentication credentials were not provided."})
    async with em_on(reply, credentials=Credentials("me")) as (em, _):
        with pytest.raises(NotSignedIn) as caught:
            await em.list_files()

        assert caught.value.message.endswith("nobody is signed in (Authentication credentials were not provided)")


async def test_the_operator_signs_in_as_somebody_else() -> None:
    async with em_on(Office(), credentials=Credentials("me", password=knows(CANARY)[0])) as (em, server):
        await em.list_files()
        with pytest.raises(NotSignedIn, match="No active account"):
            await em.sign_in("you", "wrong")
        assert (await em.info()).user == "me"
        await em.sign_in("you", "other")
        await em.list_files()

        assert (await em.info()).user == "you"
        assert "you-2" in server.asked[-1].token


async def test_a_given_token_is_used_as_it_is() -> None:
    seen: list[Vitals] = []
    token = jwt("given", exp=1e10)
    async with em_on(Office(), credentials=Credentials(token=token), on_vitals=seen.append) as (em, server):
        with pytest.raises(NotSignedIn, match="the given token is refused") as caught:
            await em.list_files()

    assert "EMTUI_TOKEN" in caught.value.remedy
    assert server.lines == ["GET /em/files/list"]
    assert server.asked[0].token == token
    assert seen[0].token_expires_at == datetime.fromtimestamp(1e10, UTC)
    assert seen[-1].needs_sign_in


async def test_after_a_sign_in_by_hand_the_given_token_is_forgotten_and_the_new_one_renewed() -> None:
    office = Office()
    async with em_on(office, credentials=Credentials(token=jwt("given", exp=1e10))) as (em, server):
        with pytest.raises(NotSignedIn):
            await em.list_files()
        await em.sign_in("me", CANARY)
        await em.list_files()
        office.revoke()
        await em.list_files()

    assert server.lines.count("POST /auth/refresh") == 1


@pytest.mark.parametrize("token", ["", "a b", "a\r\nX: 1", "ü", "a\0"])
def test_a_given_token_that_no_header_can_hold_is_refused_unshown(token: str) -> None:
    with pytest.raises(ConfigProblem) as caught:
        Credentials(token=token + "canary" if token else "")

    assert "canary" not in str(caught.value) + repr(caught.value)


async def test_an_endpoint_without_sign_in_is_simply_asked() -> None:
    def office(asked: Asked) -> bytes:
        return answer(404, raw=b"") if asked.target.startswith("/auth") else LISTED

    async with em_on(office) as (em, server):
        await em.list_files()
        assert "authorization" not in server.asked[0].headers
    async with em_on(office, credentials=Credentials("me", password=knows(CANARY)[0])) as (em, server):
        await em.list_files()
        await em.list_files()
        assert server.lines == ["POST /auth/", "GET /em/files/list", "GET /em/files/list"]
        with pytest.raises(ConfigProblem, match="no sign-in"):
            await em.sign_in("me", CANARY)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (answer(200, {}), Unreachable),
        (answer(200, []), Unreachable),
        (answer(200, {"access": 3}), Unreachable),
        (answer(200, {"access": "a\r\nX-Evil: 1"}), Unreachable),
        (answer(200, raw=b"<html>", kind="text/html"), Unreachable),
        (answer(500, {"message": "oh"}), Unreachable),
        (answer(503, {}), Unreachable),
        (answer(400, {"detail": "which user?"}), NotSignedIn),
    ],
)
async def test_a_sign_in_that_answers_nonsense_is_an_error(reply: bytes, kind: type[EmtuiError]) -> None:
    async with em_on(reply, credentials=Credentials("me", password=knows(CANARY)[0])) as (em, server):
        with pytest.raises(kind) as caught:
            await em.list_files()

    assert CANARY not in str(caught.value)
    assert set(server.lines) == {"POST /auth/"}
    if isinstance(caught.value, Unreachable):
        assert not caught.value.may_have_run
        assert caught.value.message.startswith("the sign-in failed, so that nothing was sent: ")


# ------------------------------------------------------------------------------------------------------- the store


async def test_tokens_are_kept_between_two_starts(tmp_path: Path) -> None:
    office = Office()
    path = tmp_path / "state" / "tokens.json"
    async with em_on(office, credentials=Credentials("me", password=knows(CANARY)[0], store=TokenStore(path))) as (
        em,
        server,
    ):
        await em.list_files()
        again = Channel(Address.parse(server.url), Credentials("me", store=TokenStore(path)))
        assert await again.token() == server.asked[-1].token
        other = Channel(Address.parse(server.url), Credentials("you", store=TokenStore(path)))
        assert await other.token() is None

    assert CANARY not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600


async def test_kept_tokens_that_have_ended_are_refreshed(tmp_path: Path) -> None:
    office = Office()
    store = TokenStore(tmp_path / "tokens.json")
    async with em_on(office, credentials=Credentials("me", store=store)) as (em, server):
        await store.save(f"me@{server.url}", Tokens(jwt("old", exp=time.time() - 5), "refresh-me"))
        await em.list_files()

    assert server.lines == ["POST /auth/refresh", "GET /em/files/list"]


# -------------------------------------------------------------------------------------------------------- no secret


async def test_no_secret_is_seen_in_logs_errors_and_reprs(
    caplog: pytest.LogCaptureFixture, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    office = Office()
    given = f"canary.{CANARY}.token"
    shown: list[str] = []
    credentials = Credentials("me", password=knows(CANARY)[0], store=TokenStore(tmp_path / "tokens.json"))
    async with em_on(office, credentials=credentials) as (em, server):
        await em.list_files()
        office.revoke()
        await em.list_files()
        await em.sign_in("me", CANARY)
        tokens = [asked.token for asked in server.asked if asked.token]
        shown += [repr(em), repr(em.__dict__), repr(credentials), repr(vars(em._channel)), repr(await em.info())]
        shown += [repr(vars(em._channel._sign_in._credentials.store))]
    for reply in (REFUSED, answer(500, {}), answer(302, {}, headers={"Location": "http://x/"}), answer(200, raw=b"no")):
        async with em_on(reply, credentials=Credentials(token=given)) as (em, _):
            with pytest.raises(EmtuiError) as caught:
                await em.list_files()
            shown += ["".join(traceback.format_exception(caught.value)), repr(caught.value), caught.value.remedy]
    shown += [repr(Credentials(token=given)), repr(Tokens(given, CANARY))]
    shown += [record.getMessage() for record in caplog.records]
    shown += capfd.readouterr()

    assert len(caplog.records) > 10
    for secret in (CANARY, given, "refresh-me", *tokens):
        assert [text for text in shown if secret in text] == []


# ----------------------------------------------------------------------------------------------------------- vitals


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a",
        "a.b.c",
        "a.b",
        jwt("x"),
        jwt("x", exp="soon"),
        jwt("x", exp=True),
        jwt("x", exp=1e300),
        "a.W10.c",
        "a.é.c",
    ],
)
def test_a_token_that_tells_no_end_has_none(token: str) -> None:
    assert expires_at(token) is None


def at(seconds: float) -> str:
    return format_datetime(datetime.fromtimestamp(int(seconds), UTC), usegmt=True)


def test_the_servers_clock_is_compared_and_the_number_does_not_flicker() -> None:
    seen: list[Vitals] = []
    book = VitalsBook(seen.append)
    start = 1_700_000_000.0
    for step in range(100):
        now = start + step * 5.37
        book.learn_date(at(now + 60), now + 0.1, 0.1)
    assert book.now.skew_s == pytest.approx(60, abs=1)
    assert len(seen) <= 3

    for step in range(5):
        book.learn_date(at(start + 1_000 + step), start + 1_000 + step, 0.0)  # a clock was set
    assert book.now.skew_s == 0.0


def test_a_date_that_tells_nothing_is_passed_over() -> None:
    book = VitalsBook()
    for date in (None, "", "now", "Thu, 99 Foo 2024 00:00:00 GMT"):
        book.learn_date(date, 1_700_000_000, 0.1)
    book.learn_date(at(0), 1_700_000_000, 60.0)  # an answer that took a minute

    assert book.now == Vitals()
