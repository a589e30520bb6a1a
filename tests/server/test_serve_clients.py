"""Clients that were not written for this server: scripts of the EM's own users, and curl."""

import base64
import concurrent.futures
import hashlib
import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.serving import PASSWORD, Server, held_uplink, served, until

curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


class UserScript:
    """How a user of the EM writes a client: a base address that ends in a slash, form bodies, and a 401 that makes it
    sign in again and repeat the call once."""

    def __init__(self, base: str, username: str, password: str) -> None:
        self.base = base + "/"
        self.credentials = {"username": username, "password": password}
        self.token = ""
        self.sign_ins = 0

    def call(self, method: str, path: str, **more: Any) -> requests.Response:
        for _ in range(2):
            answer = requests.request(
                method, self.base + path, headers={"Authorization": f"Bearer {self.token}"}, timeout=30, **more
            )
            if answer.status_code != 401:
                return answer
            signed_in = requests.post(self.base + "/auth/", data=self.credentials, timeout=30)
            self.token = signed_in.json()["access"]
            self.sign_ins += 1
        return answer


@pytest.fixture
def script(server: Server) -> UserScript:
    return UserScript(server.url, "client1", PASSWORD)


def test_a_users_script_rehearses_a_whole_operation(script: UserScript, tmp_path: Path) -> None:
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text('FROM fpga.dphi.space:5000/alpine:latest\nCOPY echo.sh /echo.sh\nCMD ["/echo.sh"]\n')
    program = tmp_path / "echo.sh"
    program.write_text("#!/bin/sh\necho hello\n")

    assert script.call("GET", "/em/files/list").status_code == 200  # the first 401: a file is not read twice
    with dockerfile.open("rb") as one, program.open("rb") as two:
        sent = script.call(
            "POST", "/em/files/uplink", files=[("files", one), ("files", two)], data={"dest_path": "echo-test"}
        )
    assert sent.json() == {
        "message": "Successfully uplinked files",
        "data": {
            "file_count": 2,
            "total_size_kb": round((dockerfile.stat().st_size + program.stat().st_size) / 1024, 2),
        },
    }
    listed = script.call("GET", "/em/files/list").json()
    assert listed["message"] == "Successfully listed files"
    (folder,) = [node for node in listed["data"] if node["name"] == "echo-test"]
    assert [node["name"] for node in folder["contents"]] == ["Dockerfile", "echo.sh"]
    built = script.call(
        "POST",
        "/em/pod/image/build",
        data={"dockerfile": "echo-test/Dockerfile", "context": "echo-test", "image": "echo-test"},
    )
    assert (built.status_code, built.json()) == (200, {"message": "Docker Image built successfully"})
    images = script.call("GET", "/em/pod/image/list").json()
    assert images["message"] == "Successfully loaded list of docker images"
    assert [(item["repository"], item["tag"]) for item in images["data"]] == [("client1-echo-test", "latest")]
    run = script.call(
        "POST",
        "/em/pod/run",
        data={"image": "echo-test", "max_duration": "1", "node": "FPGA", "scheduled_time": "", "command": ""},
    )
    assert (run.status_code, run.json()) == (200, {"message": "Docker run scheduled successfully"})
    status = script.call("GET", "/em/pod/status").json()
    assert status["message"] == "Successfully fetched DPhi Pod status"
    assert len(status["data"]["state"]) == 1
    down = script.call("GET", "/em/files/downlink", params={"filepath": "echo-test/echo.sh"}).json()
    assert list(down) == ["content", "filename", "size", "hash"]
    assert base64.b64decode(down["content"], validate=True) == program.read_bytes()
    assert down["filename"] == "echo.sh"
    assert down["size"] == program.stat().st_size
    assert down["hash"] == hashlib.sha256(program.read_bytes()).hexdigest()
    deleted = script.call("POST", "/em/files/delete", data={"filepath": "echo-test"})
    assert (deleted.status_code, deleted.json()) == (200, {"message": "File deleted successfully"})
    assert script.sign_ins == 1


def test_a_token_that_ends_in_the_middle_makes_a_script_sign_in_again(tmp_path: Path) -> None:
    with served(tmp_path / "dir", "--access-minutes", "0.02") as server:
        script = UserScript(server.url, "client1", PASSWORD)
        assert script.call("GET", "/em/files/list").status_code == 200
        assert script.sign_ins == 1
        mine = {"Authorization": f"Bearer {script.token}"}
        status = f"{server.url}/em/pod/status"
        until(lambda: requests.get(status, headers=mine, timeout=10).status_code == 401, "the token ends")
        assert requests.get(status, headers=mine, timeout=10).headers["WWW-Authenticate"] == 'Bearer realm="em"'
        assert script.call("GET", "/em/files/list").status_code == 200
        assert script.sign_ins == 2


def test_two_users_at_once_are_served_one_after_the_other(server: Server) -> None:
    one, two = server.headers("client1"), server.headers("client2")
    with held_uplink(server, one) as first:
        answer = requests.get(f"{server.url}/em/files/list", headers=two, timeout=5)
        assert answer.status_code == 423
        assert answer.json()["error"] == "LOCKED"
        assert answer.json()["message"] == "CG2 is busy"
        assert first.finish() == 200
    assert requests.get(f"{server.url}/em/files/list", headers=two, timeout=5).status_code == 200
    assert (server.volume / "held").read_bytes() == b"held"


def test_of_many_users_at_once_each_ends_well(server: Server) -> None:
    headers = {name: server.headers(name) for name in ("client1", "client2")}

    def send(number: int) -> int:
        name = f"client{number % 2 + 1}"
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            answer = requests.post(
                f"{server.url}/em/files/uplink",
                headers=headers[name],
                files=[("files", (f"{number}.bin", os.urandom(200_000)))],
                data={"dest_path": "many"},
                timeout=30,
            )
            if answer.status_code != 423:
                assert answer.status_code == 200, answer.text
                return answer.status_code
        raise AssertionError("never its turn")

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert list(pool.map(send, range(12))) == [200] * 12
    assert len(list((server.volume / "many").iterdir())) == 6
    assert len(list((server.directory / "users/client2/volume/many").iterdir())) == 6


def test_a_large_upload_to_a_busy_server_reads_the_423(server: Server, headers: dict[str, str]) -> None:
    with held_uplink(server, server.headers("client2")):
        for extra in ({}, {"Connection": "close"}):
            answer = requests.post(
                f"{server.url}/em/files/uplink",
                headers={**headers, **extra},
                files=[("files", ("large", bytes(50_000_000)))],
                timeout=60,
            )
            assert answer.status_code == 423
    answer = requests.post(f"{server.url}/em/files/uplink", files=[("files", ("large", bytes(50_000_000)))], timeout=60)
    assert answer.status_code == 401
    assert not (server.volume / "large").exists()
    assert list(server.staging.iterdir()) == []


@curl
def test_curl_sends_and_fetches_any_name(server: Server, headers: dict[str, str], tmp_path: Path) -> None:
    name = 'a "quoted" név; %20 [x]'
    local = tmp_path / "content"
    local.write_bytes(os.urandom(3_000_000))
    token = ["-H", f"Authorization: {headers['Authorization']}", "--silent", "--show-error", "--fail-with-body"]
    quoted = name.replace('"', '\\"')

    subprocess.run(
        [
            "curl",
            *token,
            "-F",
            f'files=@{local};filename="{quoted}"',
            "-F",
            "dest_path=curl",
            f"{server.url}/em/files/uplink",
        ],
        check=True,
        capture_output=True,
        timeout=30,
    )
    got = subprocess.run(
        ["curl", *token, "--get", "--data-urlencode", f"filepath=curl/{name}", f"{server.url}/em/files/downlink"],
        check=True,
        capture_output=True,
        timeout=30,
    )

    answer = json.loads(got.stdout)
    assert answer["filename"] == name
    assert base64.b64decode(answer["content"]) == local.read_bytes()


@curl
def test_curl_that_asks_first_is_told_no_before_it_sends(server: Server, tmp_path: Path) -> None:
    local = tmp_path / "content"
    local.write_bytes(bytes(5_000_000))

    got = subprocess.run(
        ["curl", "-sS", "-H", "Expect: 100-continue", "-F", f"files=@{local}", "-w", "%{http_code} %{size_upload}",
         "-o", "/dev/null", f"{server.url}/em/files/uplink"],
        check=True, capture_output=True, text=True, timeout=30,
    )  # fmt: skip

    status, sent = got.stdout.split()
    assert status == "401"
    assert int(sent) < 1_000_000
