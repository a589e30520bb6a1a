"""Sign-ins that fail, help nothing, or are said back: no loop, no blame for the call, and no secret (X15, B15)."""

import pytest

from emtui.client.em.backend import HttpEM
from emtui.client.http import sign_in
from emtui.client.http.address import Address
from emtui.client.http.secrets import Secrets
from emtui.client.http.sign_in import Credentials
from emtui.errors import ConfigProblem, EmtuiError, NotSignedIn, RemoteFailed, Unreachable
from emtui.models import PodSpec
from emtui.plain import Vitals
from tests.wire_server import Asked, Conversation, Script, answer, em_on

CANARY = "canary-PASSWORD ü9&f"
LISTED = answer(200, {"data": []})
ISSUED = answer(200, {"access": "opaque-access-1", "refresh": "opaque-refresh-1"})
REFUSED = answer(401, {"detail": "not valid"})
SPEC = PodSpec(docker_image="i", max_duration=1, node="GPU")


async def password() -> str:
    return CANARY


ME = Credentials("me", password=password)


async def cut(talk: Conversation) -> None:
    talk.cut()


async def test_a_401_that_stays_is_signed_in_for_once_and_then_left_to_the_operator(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[Vitals] = []
    refuses = True

    def reply(asked: Asked) -> bytes:
        if asked.target.startswith("/auth"):
            return ISSUED
        return REFUSED if refuses else LISTED

    async with em_on(reply, credentials=ME, on_vitals=seen.append) as (em, server):
        with pytest.raises(NotSignedIn, match=r"signed in, and refused all the same \(not valid\)"):
            await em.run_pod(SPEC)
        assert server.lines == ["POST /auth/", "POST /em/pod/execution", "POST /auth/refresh", "POST /em/pod/execution"]
        assert seen[-1].needs_sign_in

        for _ in range(20):  # polls
            with pytest.raises(NotSignedIn):
                await em.list_files()
        assert [line for line in server.lines[4:] if "auth" in line] == []
        assert len(server.lines) == 24
        assert seen[-1].needs_sign_in

        await em.sign_in("me", CANARY)
        assert not seen[-1].needs_sign_in
        with pytest.raises(NotSignedIn):
            await em.list_files()
        assert server.lines[24:] == ["POST /auth/", "GET /em/files/list", "POST /auth/refresh", "GET /em/files/list"]

        refuses = False
        await em.list_files()
        assert seen[-1].needs_sign_in  # one call that is served does not wake the one that is not
        monkeypatch.setattr(em._channel._sign_in, "_rests_until", 0.0)  # minutes have passed
        await em.list_files()
        assert not seen[-1].needs_sign_in


async def test_a_token_that_was_just_issued_is_not_renewed_for_whoever_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = NotSignedIn("no")
    async with em_on(ISSUED, credentials=ME) as (em, server):
        channel = em._channel
        await channel.renew(await channel.token(), refused)
        with pytest.raises(NotSignedIn):
            await channel.renew(await channel.token(), refused)
        assert len(server.lines) == 2
        monkeypatch.setattr(sign_in, "_FRESH_S", 0.0)
        channel._sign_in._rests_until = 0.0
        await channel.renew(await channel.token(), refused)  # it was good for a while
        assert len(server.lines) == 3


@pytest.mark.parametrize("how", ["lost", 502, 503, 500])
async def test_a_failed_sign_in_is_not_the_calls_fault(how: str | int) -> None:
    failures = [how] * (2 if how == 500 else 1)  # 500: the form is tried too

    def reply(asked: Asked) -> bytes | Script:
        if asked.target == "/auth/" and failures:
            failures.pop()
            return cut if how == "lost" else answer(int(how), {"message": "oh"})
        return ISSUED if asked.target == "/auth/" else answer(200, {"message": "scheduled"})

    async with em_on(reply, credentials=ME) as (em, server):
        with pytest.raises(Unreachable, match="the sign-in failed, so that nothing was sent") as caught:
            await em.run_pod(SPEC)
        assert not caught.value.may_have_run
        assert "POST /em/pod/execution" not in server.lines

        assert await em.run_pod(SPEC) == "scheduled"
        assert server.asked[-1].token == "opaque-access-1"


async def test_what_the_operators_own_sign_in_meets_is_said_as_it_is() -> None:
    async with em_on(answer(500, {"message": "oh"})) as (em, _):
        with pytest.raises(RemoteFailed, match="oh"):
            await em.sign_in("me", CANARY)


@pytest.mark.parametrize("has_password", [True, False])
async def test_a_refresh_that_fails_inside_gives_way_to_the_password(has_password: bool) -> None:
    valid = ["opaque-access-0"]

    def reply(asked: Asked) -> bytes:
        if asked.target == "/auth/refresh":
            return answer(500, {"detail": "oh"})
        if asked.target == "/auth/":
            valid.append(f"opaque-access-{len(valid)}")
            return answer(200, {"access": valid[-1], "refresh": "opaque-refresh-1"})
        return LISTED if asked.token == valid[-1] else REFUSED

    async with em_on(reply, credentials=ME if has_password else Credentials("me")) as (em, server):
        await em.sign_in("me", CANARY)
        valid.append("another")
        if has_password:
            await em.list_files()
            assert server.lines[1:] == ["GET /em/files/list", "POST /auth/refresh", "POST /auth/", "GET /em/files/list"]
        else:
            with pytest.raises(Unreachable, match="the sign-in failed") as caught:
                await em.list_files()
            assert not caught.value.may_have_run


@pytest.mark.parametrize("refusal", [400, 401, 415, 422, 500])
async def test_a_sign_in_that_reads_forms_only_is_found_whatever_it_says_to_json(refusal: int) -> None:
    def reply(asked: Asked) -> bytes:
        if asked.target != "/auth/":
            return LISTED
        return ISSUED if "form" in asked.headers["content-type"] else answer(refusal, {"detail": "No active account"})

    async with em_on(reply) as (em, server):
        await em.sign_in("me", CANARY)
        await em.sign_in("me", CANARY)

    assert ["form" in asked.headers["content-type"] for asked in server.asked] == [False, True, True]
    assert server.asked[-1].form == {"username": "me", "password": CANARY}


# ------------------------------------------------------------------------------------------------------ no secret


def echo(asked: Asked) -> str:
    return f"dump: {asked.headers} {asked.body.decode()} {asked.token or CANARY}"


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 423, 500, 503])
@pytest.mark.parametrize("kind", ["json", "log", "html", "ok"])
@pytest.mark.parametrize("place", ["/auth", "/em"])
async def test_what_a_server_says_back_of_our_secrets_is_not_shown(status: int, kind: str, place: str) -> None:
    def reply(asked: Asked) -> bytes:
        if not asked.target.startswith(place):
            return ISSUED if asked.target.startswith("/auth") else LISTED
        if kind == "html":
            return answer(status, raw=f"<p>{echo(asked)}".encode(), kind="text/html")
        if kind == "log":
            return answer(status, {"error": "BUILD_FAILED", "message": "", "log_tail": [echo(asked)]})
        return answer(status, {"message": echo(asked), "detail": echo(asked), "remedy": echo(asked)})

    shown = ""
    async with em_on(reply, credentials=ME) as (em, _):
        try:
            shown = await em.build_image("d", "c", "i")
        except EmtuiError as error:
            shown = f"{error} {error!r} {error.message} {error.remedy} {getattr(error, 'log_tail', '')}"

    for secret in (CANARY, "canary-PASSWORD", "opaque-access", "opaque-refresh"):
        assert secret not in shown


def test_a_secret_is_taken_out_in_each_form_and_nothing_else_is() -> None:
    secrets = Secrets()
    for secret in ('a"long <ü> one', "image", "x"):
        secrets.add(secret)

    assert secrets.clean('a"long <ü> one, a%22long+%3C%C3%BC%3E+one and a\\"long <\\u00fc> one') == (
        "[secret], [secret] and [secret]"
    )
    assert secrets.clean("image: no such images, x") == "[secret]: no such images, x"
    assert secrets.clean_all({"a": [{"b": "image"}], "n": 1}) == {"a": [{"b": "[secret]"}], "n": 1}
    assert "image" not in repr(secrets)


@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1/?token=TOKEN", "http://127.0.0.1/#TOKEN", "ftp://x?TOKEN", "http://x:0?TOKEN", "?TOKEN\x07"],
)
def test_a_query_in_an_address_is_not_shown(address: str) -> None:
    with pytest.raises(ConfigProblem) as caught:
        HttpEM(Address.parse(address))

    assert "TOKEN" not in caught.value.message + caught.value.remedy
