"""How it starts, what it says when it cannot, and how it ends (P1, P8)."""

import contextlib
import json
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from emtui.cli.exit_codes import Exit
from tests.serving import END_S, PASSWORD, Held, Served, served, started, until


def said(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    """Exit code, stdout and stderr of one that ends by itself."""
    out, errors = process.communicate(timeout=END_S)
    return process.returncode, out, errors


def assert_refused(process: "subprocess.Popen[str]", what: str, remedy: str, code: Exit = Exit.CONFIG) -> None:
    ended, out, errors = said(process)
    assert (ended, out) == (code, "")
    assert errors.startswith("emtui serve: ")
    assert errors.count("\n") == 1
    assert what in errors
    assert remedy in errors


def test_the_first_line_is_the_address_and_requests_are_answered(tmp_path: Path) -> None:
    with served(tmp_path / "dir") as server:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", server.url)
        assert requests.get(f"{server.url}/schema/", timeout=5).status_code == 200


def test_an_ipv6_address_is_in_brackets(tmp_path: Path) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    with served(tmp_path / "dir", "--host", "::1") as server:
        assert server.url.startswith("http://[::1]:")
        assert requests.get(f"{server.url}/models", timeout=5).status_code == 200


def test_a_port_in_use_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        assert_refused(started(tmp_path / "dir", "--port", port), "in use", "--port")
    assert not (tmp_path / "dir").exists()


def test_a_directory_in_use_is_told(tmp_path: Path) -> None:
    with served(tmp_path / "dir") as server:
        who = f"(process {server.process.pid}: serve {server.url})"
        assert_refused(
            started(tmp_path / "dir"), f"in use by another emtui {who}", f"--em-url {server.url}", Exit.LOCKED
        )


def test_the_workspace_of_each_user_says_where_it_is_served(tmp_path: Path) -> None:
    with served(tmp_path / "dir", "--username", "one", "--username", "two") as server:
        for workspace in (tmp_path / "dir", tmp_path / "dir/users/two"):
            assert_refused(started(workspace), f": serve {server.url})", f"--grid-url {server.url}", Exit.LOCKED)


def test_a_server_on_all_addresses_is_told_by_one_that_reaches_it(tmp_path: Path) -> None:
    with served(tmp_path / "dir", "--host", "0.0.0.0", "--insecure") as server:
        url = server.url.replace("0.0.0.0", "127.0.0.1")
        assert_refused(started(tmp_path / "dir"), f": serve {url})", f"--em-url {url}", Exit.LOCKED)
        assert requests.get(f"{url}/models", timeout=5).status_code == 200


def test_a_directory_that_is_no_workspace_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "photo").touch()
    assert_refused(started(tmp_path), "not a workspace", "--local")
    assert [path.name for path in tmp_path.iterdir()] == ["photo"]


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (["--host", "0.0.0.0"], "--tls-cert"),
        (["--host", "no.such.host.invalid"], "no such address"),
        (["--username", "Upper"], "user: "),
        (["--username", "../up"], "user: "),
        (["--tls-cert", "missing.pem"], "belong together"),
        (["--tls-cert", "missing.pem", "--tls-key", "missing.pem"], "No such file"),
        (["--engine", "sandbox(magic)"], "no engine is called sandbox(magic)"),
        (["--password-file", "missing"], "No such file"),
    ],
)
def test_options_that_cannot_be_are_told_with_the_remedy(tmp_path: Path, options: list[str], what: str) -> None:
    assert_refused(started(tmp_path / "dir", *options), what, ". ")


@pytest.mark.parametrize(
    "options",
    [
        ["--port", "x"],
        ["--port", "65536"],
        ["--nonsense"],
        ["--access-minutes", "0"],
        ["--engine", "magic"],
        ["--engine", ""],
        ["--allow-origin", "evil"],
        ["--allow-origin", "https://a.example/path"],
        ["--base-images", "a b"],
        ["--base-images", "alpine,Upper"],
        ["--base-images", "alpine:3"],
    ],
)
def test_wrong_usage(tmp_path: Path, options: list[str]) -> None:
    code, out, errors = said(started(tmp_path / "dir", *options))
    assert (code, out) == (2, "")
    assert errors.startswith("emtui serve: ")
    assert "See emtui serve --help." in errors


def test_insecure_is_said(tmp_path: Path) -> None:
    with served(tmp_path / "dir", "--host", "0.0.0.0", "--insecure") as server:
        assert requests.get(f"http://127.0.0.1:{server.url.rpartition(':')[2]}/models", timeout=5).status_code == 200
        assert server.stop() == 0
        assert server.errors.startswith("emtui serve: --insecure: ")


def test_tls(tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)],
        check=True, capture_output=True,
    )  # fmt: skip
    with served(tmp_path / "dir", "--tls-cert", str(cert), "--tls-key", str(key)) as server:
        assert server.url.startswith("https://127.0.0.1:")
        answer = requests.post(
            f"{server.url}/auth/", data={"username": "client1", "password": PASSWORD}, verify=cert, timeout=10
        )
        assert answer.status_code == 200
        same = requests.get(f"{server.url}/models", headers={"Origin": server.url}, verify=cert, timeout=10)
        assert same.status_code == 200
    assert_refused(started(tmp_path / "dir", "--tls-cert", str(cert), "--tls-key", str(cert)), "--tls-cert", "PEM")


# ------------------------------------------------------------------------------------------------- passwords


def test_a_password_that_was_made_is_shown_once_and_stays(tmp_path: Path) -> None:
    with served(tmp_path / "dir", environment={"EMTUI_PASSWORD": ""}) as server:
        until(lambda: "\n" in server.errors, "the password is shown")
        shown = re.fullmatch(r"emtui serve: the password of client1 is (\S{23}) \(.*\)\n", server.errors)
        assert shown is not None
        server.token(password=shown[1])
        assert server.stop() == 0
    with served(tmp_path / "dir", environment={"EMTUI_PASSWORD": ""}) as server:
        server.token(password=shown[1])
        assert server.stop() == 0
        assert "the password of" not in server.errors


def test_users_of_earlier_starts_stay_and_the_first_keeps_the_directory(tmp_path: Path) -> None:
    with served(tmp_path / "dir", "--username", "ann") as server:
        server.token("ann")
    with served(tmp_path / "dir", "--username", "bob") as server:
        for name in ("ann", "bob"):
            requests.post(
                f"{server.url}/em/files/uplink",
                files={"files": (f"of-{name}", b"x")},
                headers=server.headers(name),
                timeout=10,
            ).raise_for_status()
    assert (tmp_path / "dir/volume/of-ann").exists()
    assert (tmp_path / "dir/users/bob/volume/of-bob").exists()


def test_a_program_reads_the_address_and_a_password_that_was_made(tmp_path: Path) -> None:
    process = started(tmp_path / "dir", "--json", environment={"EMTUI_PASSWORD": ""})
    try:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        asked = {"username": "client1", "password": told["made_passwords"]["client1"]}
        assert requests.post(f"{told['url']}/auth/", data=asked, timeout=10).status_code == 200
    finally:
        process.terminate()
    out, errors = process.communicate(timeout=END_S)
    assert out == ""
    assert asked["password"] not in errors, "a program reads it, and no log has it"


def test_where_nobody_is_named_nobody_new_is_made(tmp_path: Path) -> None:
    with served(tmp_path / "dir", "--username", "ann") as server:
        server.token("ann")
    with served(tmp_path / "dir") as server:
        server.token("ann")
        asked = {"username": "client1", "password": PASSWORD}
        assert requests.post(f"{server.url}/auth/", data=asked, timeout=10).status_code == 401


def test_a_password_file_of_lines(tmp_path: Path) -> None:
    file = tmp_path / "passwords"
    file.write_text("ann:one\nbob:t:wo\n")
    file.chmod(0o600)
    with served(tmp_path / "dir", "--password-file", str(file)) as server:
        server.token("ann", "one")
        server.token("bob", "t:wo")


def test_a_password_file_of_one_line_goes_before_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("from:file\n")
    file.chmod(0o600)
    with served(tmp_path / "dir", "--username", "client1", "--password-file", str(file)) as server:
        server.token("client1", "from:file")


def test_a_password_file_of_one_line_may_name_its_user(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("ann:t:wo\n")
    file.chmod(0o600)
    with served(tmp_path / "dir", "--password-file", str(file)) as server:
        server.token("ann", "t:wo")


def test_a_password_file_that_others_can_read_or_that_is_a_link_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("canary\n")
    file.chmod(0o644)
    assert_refused(started(tmp_path / "dir", "--password-file", str(file)), "others can read it", "chmod 600")
    file.chmod(0o600)
    (tmp_path / "link").symlink_to(file)
    assert_refused(started(tmp_path / "dir", "--password-file", str(tmp_path / "link")), "link", "Name the file")


# ------------------------------------------------------------------------------------------------------- end


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_told_to_stop_it_finishes_the_request_at_work(tmp_path: Path, number: signal.Signals) -> None:
    with served(tmp_path / "dir") as server:
        with held_uplink_until_end(server) as held:
            server.process.send_signal(number)
            until(lambda: is_refused(server), "it accepts no more")
            assert server.process.poll() is None
            assert held.finish() == 200
        assert server.ended() == 0
        assert (server.volume / "held").read_bytes() == b"held"
    assert_clean(tmp_path / "dir")


def test_a_second_signal_breaks_off_and_undoes(tmp_path: Path) -> None:
    with served(tmp_path / "dir") as server, held_uplink_until_end(server):
        server.process.send_signal(signal.SIGTERM)
        until(lambda: is_refused(server), "it accepts no more")
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert server.ended() == 0
        assert time.monotonic() - began < 10
    assert_clean(tmp_path / "dir")
    assert list((tmp_path / "dir/volume").iterdir()) == []


def test_open_connections_do_not_keep_it_from_ending(tmp_path: Path) -> None:
    with served(tmp_path / "dir") as server:
        idle = server.connect()
        polling = requests.get(f"{server.url}/socket.io/?EIO=4&transport=polling", timeout=10)
        assert polling.status_code == 200
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 10
        idle.close()


def test_a_long_poll_of_a_client_that_never_connected_does_not_keep_it_from_ending(tmp_path: Path) -> None:
    with served(tmp_path / "dir") as server:
        address = f"{server.url}/socket.io/?EIO=4&transport=polling"
        sid = json.loads(requests.get(address, timeout=10).text[1:])["sid"]
        waiting = server.connect()
        waiting.sendall(
            f"GET /socket.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        )
        requests.get(f"{server.url}/models", timeout=10)
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 10
        assert b" 200 " in waiting.recv(1000)
        waiting.close()


def test_under_nohup_it_outlives_its_terminal(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process = started(tmp_path / "dir", environment={"EMTUI_PASSWORD": PASSWORD})
    finally:
        signal.signal(signal.SIGHUP, before)
    try:
        server = Served(process, tmp_path / "dir")
        process.send_signal(signal.SIGHUP)
        assert requests.get(f"{server.url}/models", timeout=10).status_code == 200
        assert server.stop() == 0
    finally:
        process.kill()


def test_killed_in_an_uplink_nothing_half_made_is_left(tmp_path: Path) -> None:
    with served(tmp_path / "dir") as server:
        (server.volume / "held").write_bytes(b"old")
        with held_uplink_until_end(server):
            server.kill()
    with served(tmp_path / "dir") as server:
        assert list(server.staging.iterdir()) == []
        assert [path.name for path in server.volume.iterdir()] == ["held"]
        assert (server.volume / "held").read_bytes() == b"old"
        assert server.is_free()


def is_refused(server: Served) -> bool:
    try:
        server.connect().close()
    except OSError:
        return True
    return False


def assert_clean(directory: Path) -> None:
    assert list((directory / "staging").iterdir()) == []
    assert not (directory / "emtui.db-wal").exists(), "the workspace was closed"


@contextlib.contextmanager
def held_uplink_until_end(server: Served) -> Iterator[Held]:
    held = Held(server, server.headers())
    try:
        yield held
    finally:
        held.connection.close()
