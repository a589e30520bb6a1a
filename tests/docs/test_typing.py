"""A script that uses the Python API passes mypy --strict, and gets the types that it is promised."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, read_page
from tests.docs.running import is_cell

SCRIPT = """
from pathlib import Path

import emtui
from emtui import PodSpec, RunPod, Session, Uplink, open_session


async def work(session: Session) -> None:
    reveal_type(await session.do(Uplink((Path("a"),))))
    reveal_type(await session.list_files())
    reveal_type(await session.list_images())
    reveal_type(await session.pod_status())
    reveal_type(await session.run_pod(PodSpec(docker_image="a", max_duration=1, node="FPGA")))
    reveal_type(await session.list_models())
    reveal_type(await session.model("a"))
    reveal_type(await session.search("a"))
    reveal_type(await session.encrypted_model("a"))
    reveal_type(await session.log())
    reveal_type(emtui.BuildFailed().log_tail)


async def main() -> None:
    async with open_session("em", timeout_s=5) as session:
        reveal_type(session)
        await work(session)
"""
REVEALED = [
    "CommandState",
    "Listing",
    "Sequence[Image]",
    "PodStatus",
    "PodEnd",
    "Sequence[HostedModel]",
    "HostedModel",
    "bool",
    "EncryptedModel",
    "Sequence[Entry]",
    "tuple[str, ...]",
    "Session",
]

WRONG = """
import asyncio

from emtui import Upllink, Uplink, open_session


async def main() -> None:
    async with open_session(em_ulr="https://em.example.org") as session:
        await session.do("uplink")
        Uplink("a")
    await open_session().list_files()
"""


def _mypy(folder: Path, *files: str) -> subprocess.CompletedProcess[str]:
    # Its cache makes the second run quick; it belongs to this test alone.
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--no-error-summary",
        "--cache-dir",
        str(folder / "cache"),
        *files,
    ]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)


@pytest.mark.slow
def test_scripts_pass_mypy_strict_and_wrong_ones_do_not(tmp_path: Path) -> None:
    page = read_page(ROOT / "docs/python.md")
    files = ["script.py"]
    (tmp_path / "script.py").write_text(SCRIPT)
    for block in page.blocks:
        if block.language == "python" and not is_cell(block.text):
            name = f"line_{block.line}.py"
            (tmp_path / name).write_text(block.text)
            files.append(name)
    assert len(files) >= 6
    done = _mypy(tmp_path, *files)
    assert done.returncode == 0, done.stdout + done.stderr
    revealed = re.findall(r'Revealed type is "(.*)"', done.stdout)
    assert [re.sub(r"\b\w+\.", "", one) for one in revealed] == REVEALED

    (tmp_path / "wrong.py").write_text(WRONG)
    wrong = _mypy(tmp_path, "wrong.py")
    assert wrong.returncode == 1
    for word in (
        '"Upllink"',
        '"em_ulr"',
        'incompatible type "str"; expected "Command"',
        'expected "tuple[Path, ...]"',
        '"Opening" has no attribute "list_files"',
    ):
        assert word in wrong.stdout
