"""500 MB up and down through the whole chain, and what it takes of memory on both sides."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from emtui.backend import MAX_UPLINK_BYTES
from tests.serving import PASSWORD, peak_bytes, served

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

MOST_BYTES = 150 << 20

# A session as the console has it: the same commands, the same Link, the same journal.
PROGRAM = """
import asyncio, sys
from pathlib import Path
from emtui.commands import Downlink, GetModel, ServeModel, Uplink
from emtui.profile import Profile, Remote
from emtui.session import open_session
from emtui.views import Stage

url, folder = sys.argv[1], Path(sys.argv[2])

async def main():
    end = Remote(url, "client1")
    async with open_session(Profile(folder / "state", em=end, grid=end, has_local=False)) as session:
        for command in (
            Uplink((folder / "up.bin",), "deep/down"),
            Downlink(("deep/down/up.bin",), folder / "down.bin"),
            ServeModel(folder / "up.bin", "large", allow_download=True),
            GetModel("large", folder / "model.bin"),
        ):
            ended = await session.link(command).finished(await session.submit(command))
            assert ended.stage is Stage.COMPLETE, (command.name, ended.error, ended.remedy)

asyncio.run(main())
# Not ru_maxrss, in which a child has what its parent had.
print(*[line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM:")])
"""


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def test_500_mb_up_and_down(tmp_path: Path) -> None:
    piece = os.urandom(1 << 20)
    with (tmp_path / "up.bin").open("wb") as file:
        for number in range(MAX_UPLINK_BYTES // len(piece)):
            file.write(number.to_bytes(4, "big") + piece[4:])
        file.write(piece[: MAX_UPLINK_BYTES % len(piece)])
    with served(tmp_path / "served") as server:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, server.url, str(tmp_path)],
            check=False,
            capture_output=True,
            text=True,
            env={**os.environ, "EMTUI_PASSWORD": PASSWORD, "EMTUI_NO_KEYRING": "1"},
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        assert peak_bytes(server.process) < MOST_BYTES
    assert int(done.stdout) * 1024 < MOST_BYTES
    wanted = sha256(tmp_path / "up.bin")
    for copy in ("served/volume/deep/down/up.bin", "down.bin", "model.bin"):
        assert sha256(tmp_path / copy) == wanted, copy
    for path in tmp_path.rglob("*.bin"):
        path.unlink()  # nobody keeps 2 GB for a look at them
