"""Every answer of the specification, to the letter, and every variant of a call that is seen in the field."""

import json
import os
import urllib.parse
from typing import Any

import pytest
import requests
import urllib3

from emtui.errors import Forbidden, Locked
from emtui.wire.errors import error_from_wire
from tests.serving import Server, held_uplink


@pytest.fixture
def em(server: Server, headers: dict[str, str]) -> "EM":
    return EM(server.url, headers)


class EM:
    """Calls by path, with a token."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self.url = url
        self.headers = headers

    def get(self, path: str, **query: str) -> requests.Response:
        return requests.get(self.url + path, params=query, headers=self.headers, timeout=30)

    def post(self, path: str, **more: Any) -> requests.Response:
        return requests.post(self.url + path, headers=self.headers, timeout=30, **more)

    def uplink(self, files: dict[str, bytes], dest_path: str = "") -> None:
        parts = [("files", (name, data)) for name, data in files.items()]
        assert self.post("/em/files/uplink", files=parts, data={"dest_path": dest_path}).status_code == 200


def said(answer: requests.Response) -> tuple[int, str, str]:
    body = answer.json()
    return answer.status_code, body["error"], body["message"]


# ---------------------------------------------------------------------------------------------------- uplink


@pytest.mark.parametrize("body", [{}, {"data": {"dest_path": "x"}}, {"json": {}}, {"files": {"other": ("a", b"1")}}])
def test_an_uplink_without_files(em: EM, body: dict[str, Any]) -> None:
    assert said(em.post("/em/files/uplink", **body)) == (400, "NO_FILES", "No files were provided for uplink!")


def test_the_folder_may_come_after_the_files(em: EM, server: Server) -> None:
    form = (
        b'--b\r\nContent-Disposition: form-data; name="files"; filename="late"\r\n\r\nhere\r\n'
        b'--b\r\nContent-Disposition: form-data; name="dest_path"\r\n\r\nwhere/to\r\n--b--\r\n'
    )
    answer = requests.post(
        f"{em.url}/em/files/uplink",
        data=form,
        headers={**em.headers, "Content-Type": "multipart/form-data; boundary=b"},
        timeout=30,
    )
    assert answer.json() == {
        "message": "Successfully uplinked files",
        "data": {"file_count": 1, "total_size_kb": 0.0},
    }
    assert (server.volume / "where/to/late").read_bytes() == b"here"


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        (b'filename="a%22b%0D%0Ac"', 'a"b\r\nc'),
        (b'filename="a\\"b\\\\c"', 'a"b\\c'),
        (b'filename="a\\b"', "a\\b"),
        (b'filename="n\xc3\xa9v"', "név"),
        (b'filename="n\xe9v"', "n\udce9v"),
        (b"filename=plain", "plain"),
        (b"filename=\"wrong\"; filename*=UTF-8''%e2%82%ac%ff%22", '€\udcff"'),
        (b'filename="semi;colon=x"', "semi;colon=x"),
    ],
)
def test_names_of_files_as_clients_write_them(em: EM, server: Server, disposition: bytes, name: str) -> None:
    form = b'--b\r\nContent-Disposition: form-data; name="files"; %s\r\n\r\nx\r\n--b--' % disposition
    answer = requests.post(
        f"{em.url}/em/files/uplink",
        data=form,
        headers={**em.headers, "Content-Type": 'multipart/form-data; boundary="b"'},
        timeout=30,
    )
    assert answer.status_code == 200, answer.text
    assert (server.volume / name).read_bytes() == b"x"
    listed = [node["name"] for node in em.get("/em/files/list").json()["data"]]
    assert os.fsencode(name) in [each.encode("utf-8", "surrogateescape") for each in listed]
    quoted = urllib.parse.quote(os.fsencode(name))
    down = requests.get(f"{em.url}/em/files/downlink?filepath={quoted}", headers=em.headers, timeout=30)
    assert down.json()["filename"] == name
    (server.volume / name).unlink()


def test_a_name_that_is_not_utf8_can_be_deleted_as_it_is_listed(em: EM, server: Server) -> None:
    (server.volume / "n\udce9").write_bytes(b"x")
    as_json = requests.post(
        f"{em.url}/em/files/delete",
        data=json.dumps({"filepath": "n\udce9"}),
        headers={**em.headers, "Content-Type": "application/json"},
        timeout=30,
    )
    assert as_json.status_code == 200
    (server.volume / "n\udce9").write_bytes(b"x")
    as_form = requests.post(
        f"{em.url}/em/files/delete",
        data="filepath=n%E9",
        headers={**em.headers, "Content-Type": "application/x-www-form-urlencoded"},
        timeout=30,
    )
    assert as_form.status_code == 200
    assert not (server.volume / "n\udce9").exists()


# ------------------------------------------------------------------------------------------ list and downlink


def test_the_listing_is_as_specified(em: EM) -> None:
    em.uplink({"downlink.txt": b"x" * 167})
    em.uplink({"Dockerfile": b"d" * 121, "echo-test.sh": b"s" * 366}, "listed")

    answer = em.get("/em/files/list")

    assert answer.headers["Content-Type"] == "application/json"
    nodes = {node["name"]: node for node in answer.json()["data"]}
    assert list(nodes["downlink.txt"]) == ["type", "name", "size", "time", "hash"]
    assert nodes["downlink.txt"]["size"] == "167"
    assert list(nodes["listed"]) == ["type", "name", "size", "time", "contents"]
    assert nodes["listed"]["size"] == "487"
    assert isinstance(nodes["downlink.txt"]["hash"], int)


def test_a_large_listing_comes_whole(em: EM, server: Server) -> None:
    folder = server.volume / "large-listing"
    folder.mkdir()
    for number in range(5000):
        (folder / f"{number:04}-{'n' * 60}").touch()
    nodes = {node["name"]: node for node in em.get("/em/files/list").json()["data"]}
    assert len(nodes["large-listing"]["contents"]) == 5000
    em.post("/em/files/delete", json={"filepath": "large-listing"})


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400),
        ("filepath=", 400),
        ("filepath=.", 400),
        ("filepath=missing", 404),
        ("filepath=../x", 403),
        ("filepath=a/../../x", 403),
        ("filepath=/etc/passwd", 403),
        ("filepath=//x", 403),
        ("filepath=%2e%2e%2fx", 403),
        ("filepath=%252e%252e%252fx", 403),
        ("filepath=..%5Cx", 403),
        ("filepath=C:%5Cx", 403),
        ("filepath=%20..%20/x", 403),
        ("filepath=a%00b", 400),
        ("filepath=" + "n" * 300, 400),
    ],
)
def test_paths_that_are_none_or_leave_the_volume(em: EM, query: str, status: int) -> None:
    answer = requests.get(f"{em.url}/em/files/downlink?{query}", headers=em.headers, timeout=30)
    assert answer.status_code == status
    assert set(answer.json()) >= {"error", "message"}


def test_a_path_that_leaves_the_volume_is_forbidden_by_the_body_and_a_400_where_no_403_is_specified(em: EM) -> None:
    calls: list[tuple[str, dict[str, Any]]] = [
        ("/em/files/uplink", {"files": {"files": ("f", b"x")}, "data": {"dest_path": "../up"}}),
        ("/em/files/delete", {"json": {"filepath": "../up"}}),
        ("/em/pod/image/build", {"json": {"dockerfile": "Dockerfile", "context": "../up", "image_name": "x"}}),
        ("/em/pod/image/load", {"json": {"tarfile": "../up", "image": "x"}}),
    ]
    document = em.get("/schema/").json()
    for path, given in calls:
        assert said(em.post(path, **given))[:2] == (400, "FORBIDDEN"), path
        assert "403" not in document["paths"][path]["post"]["responses"]
    assert said(em.get("/em/files/downlink", filepath="../up"))[:2] == (403, "FORBIDDEN")
    assert "403" in document["paths"]["/em/files/downlink"]["get"]["responses"]


def test_what_is_told_of_a_busy_server_is_true_for_every_client(server: Server, em: EM) -> None:
    with held_uplink(server, em.headers):
        answer = em.get("/em/files/list")
    assert said(answer)[:2] == (423, "LOCKED")
    assert answer.json()["remedy"] == "Try again in a moment."
    assert error_from_wire(423, answer.json()).remedy == Locked.default_remedy, "emtui's own client does it by itself"


def test_a_forbidden_path_is_one_for_the_client_whatever_the_status(em: EM) -> None:
    answer = em.post("/em/files/delete", json={"filepath": "../up"})
    error = error_from_wire(answer.status_code, answer.json())
    assert (type(error), error.status) == (Forbidden, 403)
    assert error.message == answer.json()["message"]


def test_a_400_does_not_repeat_all_that_was_sent(em: EM) -> None:
    answer = requests.get(f"{em.url}/em/files/downlink?filepath={'a' * 30_000}", headers=em.headers, timeout=30)
    assert answer.status_code == 400
    message = answer.json()["message"]
    assert len(message) <= 1000
    assert message.endswith("…")
    assert len(answer.content) < 4000


def test_a_file_that_changes_while_it_is_sent_is_cut_off_with_the_reason(em: EM, server: Server) -> None:
    path = server.volume / "changes"
    path.write_bytes(bytes(40_000_000))
    answer = requests.get(f"{em.url}/em/files/downlink?filepath=changes", headers=em.headers, stream=True, timeout=30)
    pieces = answer.raw.stream(1 << 16, decode_content=False)
    got = next(pieces)
    path.write_bytes(b"other")
    is_broken = False
    try:
        for piece in pieces:
            got = (got + piece)[-4000:]
    except urllib3.exceptions.ProtocolError:
        is_broken = True
    assert is_broken
    told = json.loads("{" + got.decode().partition('", ')[2])
    assert told["error"] == "CONTRACT_VIOLATION"
    assert told["message"] == "changes: changed while it was read"
    path.unlink()


# ------------------------------------------------------------------------------------------ delete and images


def test_delete_of_what_is_not_there(em: EM) -> None:
    assert em.post("/em/files/delete", json={"filepath": "missing"}).status_code == 400
    for body in ({}, {"filepath": ""}, {"filepath": None}):
        assert em.post("/em/files/delete", json=body).status_code == 400
    assert said(em.post("/em/files/delete", json={"filepath": 5}))[1] == "INVALID_FIELD"


def test_a_build_with_a_wrong_context_is_as_specified(em: EM) -> None:
    answer = em.post(
        "/em/pod/image/build", json={"dockerfile": "Dockerfile", "context": "new-software", "image_name": "x"}
    )
    assert answer.status_code == 400
    body = answer.json()
    assert body["error"] == "BUILD_FAILED"
    assert body["message"] == "Docker build failed"
    assert body["log_tail"] == ['unable to prepare context: path "/clients/client1-pvc/new-software" not found\n']


@pytest.mark.parametrize("path", ["/em/image/load", "/em/pod/image/load"])
@pytest.mark.parametrize("kind", ["json", "data"])
def test_a_load_of_a_missing_tar_is_as_specified(em: EM, path: str, kind: str) -> None:
    answer = em.post(path, **{kind: {"tarfile": "test2.tar", "image": "x"}})
    assert answer.status_code == 400
    body = answer.json()
    assert body["error"] == "IMAGE_LOAD_FAILED"
    assert body["message"] == "Docker Image tarfile failed to load"
    assert body["log_tail"] == ["sh: line 1: /clients/client1-pvc/test2.tar: No such file or directory\n"]


# -------------------------------------------------------------------------------------------------------- pod


@pytest.mark.parametrize("path", ["/em/pod/execution", "//em/pod/execution/", "/em/pod/run", "//em//pod//run/"])
@pytest.mark.parametrize("name", ["docker_image", "image"])
@pytest.mark.parametrize("kind", ["json", "data", "files"])
def test_a_run_is_accepted_even_if_it_cannot_start(em: EM, path: str, name: str, kind: str) -> None:
    fields: dict[str, Any] = {name: "client1-echo-test12", "max_duration": 30, "node": "FPGA"}
    if kind == "files":
        fields = {key: (None, str(value)) for key, value in fields.items()}
    answer = em.post(path, **{kind: fields})
    assert (answer.status_code, answer.json()) == (200, {"message": "Docker run scheduled successfully"})
    state = em.get("/em/pod/status").json()["data"]["state"]
    assert list(state) == ["waiting"]
    assert state["waiting"]["reason"] in ("ErrImagePull", "ImagePullBackOff")


@pytest.mark.parametrize("nothing", ["", None])
def test_empty_and_null_are_not_given(em: EM, nothing: object) -> None:
    answer = em.post(
        "/em/pod/execution",
        json={
            "docker_image": "alpine",
            "image": nothing,
            "max_duration": "0.5",
            "node": "GPU",
            "scheduled_time": nothing,
            "command": nothing,
            "pvc_name": "unknown fields do not count",
        },
    )
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_duration", 0),
        ("max_duration", -1),
        ("max_duration", 1e9),
        ("max_duration", "ten"),
        ("max_duration", True),
        ("max_duration", None),
        ("node", "CPU"),
        ("node", None),
        ("docker_image", ""),
        ("docker_image", "UPPER"),
        ("docker_image", ["a"]),
        ("scheduled_time", "2020-01-01T00:00:00Z"),
        ("scheduled_time", "2030-01-01T00:00:00"),
        ("scheduled_time", "2030-01-01T00:00:60Z"),
        ("scheduled_time", "tomorrow"),
        ("command", 5),
        ("command", "a\0b"),
    ],
)
def test_a_run_with_a_wrong_field_names_it(em: EM, field: str, value: object) -> None:
    good = {"docker_image": "alpine", "max_duration": 1, "node": "GPU"}
    answer = em.post("/em/pod/execution", json={**good, field: value})
    assert answer.status_code == 400
    body = answer.json()
    assert (body["error"], body["field"]) == ("INVALID_FIELD", field)
    assert body["message"].startswith(f"{field}: ")


# --------------------------------------------------------------------------------------------- bodies and paths


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/json", b"{", 400),
        ("application/json", b"[1]", 400),
        ("application/json", b'"text"', 400),
        ("application/json", b'{"filepath": NaN}', 400),
        ("application/json", b"[" * 200_000, 400),
        ("application/json", b'{"filepath": ' + b"9" * 5000 + b"}", 400),
        ("application/json", b'{"filepath": "\xff"}', 400),
        ("application/json", b'\xef\xbb\xbf{"filepath": "missing"}', 400),
        ("text/plain", b"filepath=a", 415),
        ("", b"filepath=a", 415),
        ("multipart/form-data", b"--b\r\n", 400),
        ("multipart/form-data; boundary=b", b"rubbish", 400),
        ("application/x-www-form-urlencoded", b"&".join(b"a%d=1" % number for number in range(1000)), 400),
        ("application/json", b'{"filepath": "' + b"x" * 1_100_000 + b'"}', 400),
    ],
)
def test_bodies_that_cannot_be_read(em: EM, content_type: str, body: bytes, status: int) -> None:
    answer = requests.post(
        f"{em.url}/em/files/delete", data=body, headers={**em.headers, "Content-Type": content_type}, timeout=30
    )
    assert answer.status_code == status
    assert set(answer.json()) >= {"error", "message", "remedy"}


def test_unknown_paths_and_methods(em: EM) -> None:
    assert said(em.get("/em/files/nothing"))[:2] == (404, "NOT_FOUND")
    wrong = requests.put(f"{em.url}/em/files/list", headers=em.headers, timeout=30)
    assert said(wrong)[:2] == (405, "METHOD_NOT_ALLOWED")
    assert wrong.headers["Allow"] == "GET"
    assert said(em.get("/em/files/uplink"))[:2] == (405, "METHOD_NOT_ALLOWED")
    assert said(em.get("/serve_model"))[:2] == (405, "METHOD_NOT_ALLOWED")


@pytest.mark.parametrize(
    "path", ["/models//", "//models", "//dataset-tags//", "/socket.io//?EIO=4&transport=polling",
             "//socket.io/?EIO=4&transport=polling"]
)  # fmt: skip
def test_doubled_slashes_do_not_count_for_the_grid_node_either(server: Server, path: str) -> None:
    assert requests.get(f"{server.url}{path}", timeout=30).status_code == 200


def test_the_slashes_of_an_id_are_its_own(server: Server) -> None:
    fields = {"model_id": "/a//b/", "model": "x", "allow_download": True}
    posted = requests.post(f"{server.url}//serve_model//", json=fields, timeout=30)
    assert posted.json()["success"] is True, posted.text
    assert requests.get(f"{server.url}//get_model//a//b/", timeout=30).json() == {"serialized_model": "x"}
    assert requests.get(f"{server.url}/get_model/a/b", timeout=30).status_code == 404


def test_users_are_kept_apart(server: Server) -> None:
    one, two = EM(server.url, server.headers("client1")), EM(server.url, server.headers("client2"))
    one.uplink({"of-one": b"1", "Dockerfile": b"FROM alpine\n"})
    two.uplink({"of-two": b"2"})
    one.post("/em/pod/image/build", json={"dockerfile": "Dockerfile", "context": "", "image_name": "apart"})

    assert "of-one" not in {node["name"] for node in two.get("/em/files/list").json()["data"]}
    assert "of-two" not in {node["name"] for node in one.get("/em/files/list").json()["data"]}
    assert two.get("/em/files/downlink", filepath="of-one").status_code == 404
    assert two.get("/em/image/list").json()["data"] == []
    assert "client1-apart" in {item["repository"] for item in one.get("/em/image/list").json()["data"]}
    assert (server.directory / "users/client2/volume/of-two").read_bytes() == b"2"
    for name, owner in (("m1", one), ("m2", two)):
        served = requests.post(
            f"{server.url}/serve_model", json={"model_id": name, "model": "x"}, headers=owner.headers, timeout=30
        )
        assert served.json()["success"] is True, served.text
    assert "m2" not in requests.get(f"{server.url}/models", timeout=30).json()["models"]
    assert requests.get(f"{server.url}/models", headers=two.headers, timeout=30).json()["models"] == ["m2"]


def test_the_engine_is_told(em: EM) -> None:
    assert em.get("/em/image/list").headers["X-Emtui-Engine"] == "simulated"


def test_the_document_and_the_page_come_from_here(server: Server) -> None:
    document = requests.get(f"{server.url}/schema/", timeout=30).json()
    assert document["openapi"].startswith("3.0")
    page = requests.get(f"{server.url}/swagger/", timeout=30)
    assert "http" not in page.text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    for name in ("swagger-ui.css", "swagger-ui-bundle.js", "start.js", "favicon-32x32.png"):
        assert requests.get(f"{server.url}/swagger/{name}", timeout=30).status_code == 200
    assert {"/em/files/uplink", "/em/pod/run", "/auth/", "/models"} <= set(document["paths"])
