"""A server that takes an uplink and gives a downlink, and does nothing else: python -m benchmarks.sink BYTES

Prints its address, then answers until it is ended.
"""

import base64
import hashlib
import socketserver
import sys
from typing import ClassVar

PIECE = bytes(3 << 18)


class Handler(socketserver.StreamRequestHandler):
    """One connection."""

    size: ClassVar[int] = 0
    sha256: ClassVar[str] = ""

    def handle(self) -> None:
        while line := self.rfile.readline():
            headers = {}
            while (header := self.rfile.readline()) not in (b"\r\n", b""):
                name, _, value = header.decode("latin-1").partition(":")
                headers[name.lower()] = value.strip()
            if line.startswith(b"POST"):
                left = int(headers["content-length"])
                buffer = bytearray(1 << 20)
                while left:
                    left -= self.rfile.readinto(memoryview(buffer)[: min(left, len(buffer))])
                kilobytes = self.size // 1024
                self._send(b'{"message": "ok", "data": {"file_count": 1, "total_size_kb": %d}}' % kilobytes)
            else:
                self._give()

    def _send(self, body: bytes) -> None:
        self.wfile.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        )

    def _give(self) -> None:
        start = b'{"content": "'
        end = b'", "filename": "file.bin", "size": %d, "hash": "%s"}' % (self.size, self.sha256.encode())
        encoded = (self.size + 2) // 3 * 4
        self.wfile.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
            % (len(start) + encoded + len(end), start)
        )
        piece = base64.b64encode(PIECE)
        whole, rest = divmod(self.size, len(PIECE))
        for _ in range(whole):
            self.wfile.write(piece)
        self.wfile.write(base64.b64encode(PIECE[:rest]) + end)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


def main() -> None:
    Handler.size = int(sys.argv[1])
    digest = hashlib.sha256()
    for start in range(0, Handler.size, len(PIECE)):
        digest.update(PIECE[: Handler.size - start])
    Handler.sha256 = digest.hexdigest()
    with Server(("127.0.0.1", 0), Handler) as server:
        print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
