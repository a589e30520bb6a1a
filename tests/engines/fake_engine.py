"""A Docker Engine's socket that answers what a test wants: too old, of Windows, never, or not at all."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

VERSION = {"Version": "24.0.7", "ApiVersion": "1.43", "Arch": "amd64", "Os": "linux"}
INFO = {"OSType": "linux", "NCPU": 2, "MemoryLimit": True, "DockerRootDir": "/var/lib/docker", "SecurityOptions": []}


@contextmanager
def listening(
    path: Path, version: dict[str, Any] | None = None, info: dict[str, Any] | None = None, silent: str = "\0"
) -> Iterator[Path]:
    """A socket at `path`. Without `version` it takes connections and says nothing; nor to what has `silent` in it."""
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(str(path))
    server.listen(16)
    taken: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            taken.append(connection)
            if version is not None:
                threading.Thread(target=_answer, args=(connection, version, info or INFO, silent), daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield path
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        for connection in taken:
            connection.close()
        thread.join(5)


def _answer(connection: socket.socket, version: dict[str, Any], info: dict[str, Any], silent: str) -> None:
    with connection.makefile("rb") as file:
        while line := file.readline():
            while file.readline().strip():
                pass
            words = line.split()
            if len(words) < 2:
                continue  # what is left of a body that nobody reads
            path = words[1].decode()
            if silent in path:
                continue
            answer: Any = version if path.endswith("/version") else info
            body = json.dumps([] if "/json" in path else answer).encode()
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            try:
                connection.sendall(head.encode() + body)
            except OSError:
                return
