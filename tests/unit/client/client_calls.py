"""What the EM answers to each call, servers that have only some of them, and the calls themselves."""

import re
from collections.abc import Callable
from typing import Any

from emtui.client.em.backend import HttpEM
from emtui.models import PodSpec
from tests.wire_server import Asked, answer

LISTED = {"message": "Successfully listed files", "data": []}
IMAGES = {"message": "Successfully loaded list of docker images", "data": ["client1-echo-test:latest"]}
STATUS = {"message": "Successfully fetched DPhi Pod status", "data": {"state": {}}}
RAN = {"message": "Docker run scheduled successfully"}
BUILT = {"message": "Docker Image built successfully"}
LOADED = {"message": "Tar file loaded successfully"}
DELETED = {"message": "File deleted successfully"}
UPLINKED = {"message": "Successfully uplinked files", "data": {"file_count": 1, "total_size_kb": 0.01}}
SPEC = PodSpec(docker_image="echo-test", max_duration=30, node="FPGA")

OK: dict[str, Any] = {
    "/em/files/uplink": UPLINKED,
    "/em/files/list": LISTED,
    "/em/files/delete": DELETED,
    "/em/pod/image/build": BUILT,
    "/em/image/load": LOADED,
    "/em/pod/image/load": LOADED,
    "/em/image/list": IMAGES,
    "/em/pod/image/list": IMAGES,
    "/em/pod/execution": RAN,
    "/em/pod/run": RAN,
    "/em/pod/status": STATUS,
    "/em/pvc/list": {"data": [{"name": "client1-pvc"}]},
}


def only(*lines: str) -> Callable[[Asked], bytes]:
    """A server that has these methods and paths and no other."""

    def reply(asked: Asked) -> bytes:
        path = asked.target.partition("?")[0]
        if f"{asked.method} {path}" in lines:
            return answer(200, OK[path])
        is_known = any(line.endswith(f" {path}") for line in lines)
        return answer(405 if is_known else 404, raw=b"<h1>Not Found</h1>", kind="text/html")

    return reply


def parts_of(asked: Asked) -> list[tuple[bytes, bytes]]:
    """The heads and contents of a multipart body."""
    boundary = re.fullmatch(r"multipart/form-data; boundary=(\S+)", asked.headers["content-type"])
    assert boundary is not None
    assert len(asked.body) == int(asked.headers["content-length"])
    first, *parts, last = asked.body.split(b"--" + boundary[1].encode())
    assert (first, last) == (b"", b"--\r\n")
    heads_and_contents = [part[2:-2].split(b"\r\n\r\n", 1) for part in parts]
    return [(head, content) for head, content in heads_and_contents]


async def delete(em: HttpEM) -> object:
    return await em.delete("a b/ü")


async def build(em: HttpEM) -> object:
    return await em.build_image("echo-test/Dockerfile", "echo-test", "echo-test")


async def load(em: HttpEM) -> object:
    return await em.load_image("test.tar", "fisheye")


async def run(em: HttpEM) -> object:
    return await em.run_pod(SPEC)
