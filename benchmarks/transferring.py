"""One transfer, timed: python -m benchmarks.transferring emtui|requests up|down URL PATH

Prints `{"seconds": s, "bytes": b}`: the time of the transfer, imports left out, and the peak memory of the process.
"""

import asyncio
import base64
import hashlib
import json
import sys
import time
from pathlib import Path


def peak_bytes() -> int:
    """Of this process alone; in ru_maxrss a child has what its parent had."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


async def with_emtui(direction: str, url: str, path: Path) -> None:
    from emtui.client.em.backend import HttpEM
    from emtui.client.http.address import Address
    from emtui.files import FileSource, write_verified

    em = HttpEM(Address.parse(url))
    if direction == "up":
        await em.uplink([FileSource(path)])
    else:
        async with em.downlink("file.bin") as download:
            await write_verified(path.with_name("copy.bin"), download, overwrite=True)
    await em.aclose()


def with_requests(direction: str, url: str, path: Path) -> None:
    """As the EM's users do it today: files in a form, JSON read whole, base64 decoded whole."""
    import requests

    if direction == "up":
        with path.open("rb") as file:
            requests.post(f"{url}/em/files/uplink", files=[("files", file)], data={"dest_path": ""}).raise_for_status()
        return
    answer = requests.get(f"{url}/em/files/downlink", params={"filepath": "file.bin"}).json()
    data = base64.b64decode(answer["content"])
    assert hashlib.sha256(data).hexdigest() == answer["hash"]
    path.with_name("copy.bin").write_bytes(data)


def main() -> None:
    sender, direction, url, name = sys.argv[1:]
    path = Path(name)
    if sender == "emtui":
        import emtui.client.em.backend  # noqa: F401 - measured is the transfer, not what it needs to be there
    else:
        import requests  # noqa: F401
    began = time.monotonic()
    if sender == "emtui":
        asyncio.run(with_emtui(direction, url, path))
    else:
        with_requests(direction, url, path)
    print(json.dumps({"seconds": time.monotonic() - began, "bytes": peak_bytes()}))


if __name__ == "__main__":
    main()
