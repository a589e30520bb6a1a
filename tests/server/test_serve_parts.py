"""The parts of the server that decide at its start: passwords, addresses, TLS files, the pages."""

import contextlib
import os
import socket
import time
from pathlib import Path

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from emtui.__main__ import main
from emtui.cli.nouns import serve as command
from emtui.errors import ConfigProblem, WorkspaceProblem
from emtui.local.workspace import Workspace
from emtui.server.description import pages
from emtui.server.http.edges import Unexpected
from emtui.server.http.listening import check_tls, listening_socket, url_of
from emtui.server.http.log import Log
from emtui.server.settings import Settings
from emtui.server.users.accounts import Accounts
from emtui.server.users.passwords import made_password, read_password_file


def private(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    path.chmod(0o600)
    return path


@pytest.mark.parametrize(
    ("content", "passwords", "password"),
    [
        (b"secret", {}, "secret"),
        (b"secret\n", {}, "secret"),
        (b"\xef\xbb\xbfsecret\r\n\r\n", {}, "secret"),
        (b" with spaces \n", {}, " with spaces "),
        (b"a:b\n", {}, "a:b"),
        (b"client1:b\n", {"client1": "b"}, None),
        (b"client1:\n", {}, "client1:"),
        (b"ann:1\nbob:2:3\n", {"ann": "1", "bob": "2:3"}, None),
    ],
)
def test_what_a_password_file_says(
    tmp_path: Path, content: bytes, passwords: dict[str, str], password: str | None
) -> None:
    assert read_password_file(private(tmp_path / "p", content), ("client1",)) == (passwords, password)


@pytest.mark.parametrize(
    ("content", "passwords", "password"),
    [
        (b"ann:b:c\n", {"ann": "b:c"}, None),
        (b"client1:b\n", {"client1": "b"}, None),
        (b"No user:b\n", {}, "No user:b"),
        (b":b\n", {}, ":b"),
        (b"ann:\n", {}, "ann:"),
        (b"secret\n", {}, "secret"),
    ],
)
def test_one_line_names_a_user_where_nobody_was_named(
    tmp_path: Path, content: bytes, passwords: dict[str, str], password: str | None
) -> None:
    assert read_password_file(private(tmp_path / "p", content), ()) == (passwords, password)


def test_a_password_that_nobody_could_sign_in_with_is_refused_at_the_start(tmp_path: Path) -> None:
    with contextlib.closing(Accounts(tmp_path)) as accounts:
        for passwords, password in (({"bob": "x" * 1025}, None), ({}, "x" * 1025)):
            with pytest.raises(ConfigProblem, match=r"the password of (ann|bob) has over 1,024 characters") as caught:
                accounts.settle(("ann", "bob"), passwords, password)
            assert caught.value.remedy
        assert accounts.usernames == ()
        accounts.settle(("ann",), {}, "x" * 1024)
        assert accounts.is_password("ann", "x" * 1024)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xff\xfe", b"a:1\nb\n", b"a:1\ncanary word:2\n", b"x" * 100_000])
def test_a_password_file_that_is_wrong_is_refused_without_its_content(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ConfigProblem) as caught:
        read_password_file(private(tmp_path / "p", content), ("client1",))
    assert "canary" not in caught.value.message
    assert caught.value.remedy


def test_a_password_file_that_is_none(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo", 0o600)
    (tmp_path / "link").symlink_to(private(tmp_path / "p", b"x"))
    (tmp_path / "p").chmod(0o640)
    for name, what in (("fifo", "not a file"), ("link", "a link"), ("missing", "No such file"), ("p", "others")):
        with pytest.raises(ConfigProblem, match=what):
            read_password_file(tmp_path / name, ())


def test_made_passwords_can_be_typed_and_differ() -> None:
    made = {made_password() for _ in range(100)}
    assert len(made) == 100
    for password in made:
        assert [len(group) for group in password.split("-")] == [5, 5, 5, 5]
        assert not set(password) & set("l1o0i")


def test_accounts_in_a_folder_that_is_a_link_are_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "serve").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(WorkspaceProblem):
        Accounts(tmp_path)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_accounts_that_are_damaged_are_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "serve").mkdir(mode=0o700)
    (tmp_path / "serve/accounts.db").write_bytes(b"rubbish" * 1000)
    with pytest.raises(WorkspaceProblem, match="not a sound database"):
        Accounts(tmp_path)
    assert (tmp_path / "serve/accounts.db").read_bytes() == b"rubbish" * 1000


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "127.1.2.3"])
def test_loopback_needs_no_tls(tmp_path: Path, name: str) -> None:
    with listening_socket(Settings(tmp_path, host=name, port=0)) as sock:
        assert sock.getsockname()[1] > 0


def test_an_address_that_others_reach_needs_tls_or_the_word(tmp_path: Path) -> None:
    with pytest.raises(ConfigProblem) as caught:
        listening_socket(Settings(tmp_path, host="0.0.0.0", port=0))
    assert "--insecure" in caught.value.remedy
    listening_socket(Settings(tmp_path, host="0.0.0.0", port=0, is_insecure=True)).close()


def test_addresses_that_cannot_be_had(tmp_path: Path) -> None:
    with pytest.raises(ConfigProblem, match="no such address"):
        listening_socket(Settings(tmp_path, host="no.such.host.invalid"))
    with pytest.raises(ConfigProblem, match="no such address"):
        listening_socket(Settings(tmp_path, host="x" * 300))
    with pytest.raises(ConfigProblem, match=r"192\.0\.2\.1"):
        listening_socket(Settings(tmp_path, host="192.0.2.1", is_insecure=True))
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(ConfigProblem, match="in use"):
        listening_socket(Settings(tmp_path, port=other.getsockname()[1]))


def test_tls_files_are_tried_before_anything_is_opened(tmp_path: Path) -> None:
    check_tls(Settings(tmp_path))
    rubbish = private(tmp_path / "rubbish.pem", b"rubbish")
    for cert, key, what in (
        (rubbish, None, "belong together"),
        (None, rubbish, "belong together"),
        (rubbish, rubbish, "--tls-cert, --tls-key"),
        (tmp_path / "missing", rubbish, "No such file"),
    ):
        with pytest.raises(ConfigProblem, match=what):
            check_tls(Settings(tmp_path, tls_cert=cert, tls_key=key))


def test_the_address_as_a_client_writes_it(tmp_path: Path) -> None:
    assert url_of(Settings(tmp_path, host="::1"), 80) == "http://[::1]:80"
    assert url_of(Settings(tmp_path, host="em.local", tls_cert=tmp_path), 443) == "https://em.local:443"


def test_without_the_bundle_there_is_a_plain_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "_bundle", lambda: None)
    calls = pages.Pages(has_grid_auth=False).calls()
    assert ("/swagger/start.js", "GET") not in calls
    page = pages.plain_page(pages.document(has_grid_auth=False))
    assert "POST /em/files/uplink" in page
    assert "<script" not in page
    assert pages.plain_page({"info": {"title": "<b>"}, "paths": {}}).count("<b>") == 0


def test_secrets_are_in_no_repr(tmp_path: Path) -> None:
    assert "canary" not in repr(Settings(tmp_path, password="canary", passwords={"a": "canary"}))


# ---------------------------------------------------------------------------------------------- the command


def test_without_the_extra_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "find_spec", lambda _name: None)
    assert main(["serve"]) == 3
    assert capsys.readouterr().err == "emtui serve needs the extra: pip install 'emtui[serve]'\n"


def test_the_options_become_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Settings] = []

    async def serve(settings: Settings, on_started: object) -> None:
        given.append(settings)

    monkeypatch.setattr("emtui.server.run.serve", serve)
    monkeypatch.setenv("EMTUI_PASSWORD", "of all")
    file = private(tmp_path / "p", b"ann:1\nbob:2\n")
    assert main(["serve"]) == 0
    options = ["--local", str(tmp_path), "--port", "0", "--username", "eve", "--password-file", str(file)]
    assert main(["serve", *options, "--base-images", "alpine, mine", "--access-minutes", "2"]) == 0

    plain, full = given
    assert (plain.directory.name, plain.host, plain.port, plain.usernames) == ("local", "127.0.0.1", 8000, ())
    assert (plain.password, plain.access_s, plain.refresh_s) == ("of all", 900, 604_800)
    assert (full.directory, full.port, full.usernames) == (tmp_path, 0, ("eve", "ann", "bob"))
    assert (full.passwords, full.password) == ({"ann": "1", "bob": "2"}, "of all")
    assert (full.base_images, full.access_s) == (("alpine", "mine"), 120)


def test_the_password_of_its_users_belongs_to_no_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given: list[Settings] = []

    async def serve(settings: Settings, on_started: object) -> None:
        given.append(settings)

    monkeypatch.setattr("emtui.server.run.serve", serve)
    monkeypatch.setenv("EMTUI_EM_URL", "https://em.example.org")
    monkeypatch.setenv("EMTUI_PASSWORD", "of all")
    assert main(["serve", "--local", str(tmp_path)]) == 0
    assert given[0].password == "of all"
    assert capsys.readouterr().err == "emtui serve: EMTUI_EM_URL is not obeyed: --local names what to open\n"


def test_an_error_is_one_line_with_its_remedy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--local", str(tmp_path), "--host", "0.0.0.0", "--port", "0"]) == 3
    said = capsys.readouterr().err
    assert said.startswith("emtui serve: --host 0.0.0.0: ")
    assert said.endswith("--insecure.\n")
    assert said.count("\n") == 1


def test_a_workspace_in_use_has_the_exit_code_for_that(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    held = Workspace(tmp_path)
    try:
        assert main(["serve", "--local", str(tmp_path), "--port", "0"]) == 7
        assert main(["--timeout", "0.1", "serve", "--local", str(tmp_path), "--port", "0"]) == 7
    finally:
        held.close()
    assert capsys.readouterr().err.count("in use by another emtui") == 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--read-only", "serve"), "read-only: whoever signs in could change what is served"),
        (("serve", "--em-url", "http://127.0.0.1:1"), "the EM is not local"),
        (("--grid-url", "http://127.0.0.1:1", "serve"), "the Grid Node is not local"),
    ],
)
def test_what_all_commands_take_is_refused_with_the_reason(
    words: tuple[str, ...], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--local", str(tmp_path), "--port", "0"]) == 3
    assert told in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------------------------------------------ edges


async def test_what_nobody_expected_is_told_to_the_log_and_not_to_the_client(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("what is inside")

    transport = httpx.ASGITransport(app=Unexpected(broken))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.get("/em/files/list?secret=canary", headers={"Authorization": "Bearer canary"})

    assert answer.status_code == 500
    assert answer.json()["error"] == "INTERNAL_ERROR"
    assert "what is" not in answer.text
    assert "RuntimeError: what is inside" in caplog.text
    assert "canary" not in caplog.text


def test_lines_that_nobody_reads_are_dropped_and_never_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emtui.server.http.log._LAST_LINES_S", 0.1)
    reading, writing = os.pipe()
    stream = open(writing, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - a descriptor, closed below
    began = time.monotonic()
    with Log(stream) as log:
        for _ in range(20_000):
            log.write("x" * 100)
    assert time.monotonic() - began < 2
    assert os.read(reading, 101) == b"x" * 100 + b"\n"
    os.close(reading)
    with contextlib.suppress(BrokenPipeError):
        stream.close()
