"""`grid.toml`: read, registered, and refused with the key that is wrong."""

from pathlib import Path

import pytest

from emtui.errors import ConfigProblem
from emtui.local.grid import LocalGrid
from emtui.local.grid_registry import GridRegistry, read_registry, register
from emtui.local.workspace import Workspace

GOOD = """
[[dataset]]
name = "digits"
tags = ["mnist", "#grey 🛰"]

[[encrypted_model]]
id = "shares/1"
workers = ["alice", "bob"]
crypto_provider = ["carol"]
"""


async def test_what_is_in_it_is_registered_once(tmp_path: Path) -> None:
    (tmp_path / "grid.toml").write_text(GOOD, "utf-8")
    workspace = Workspace(tmp_path / "ws")
    grid = LocalGrid(workspace)
    for _ in range(2):
        await register(grid, read_registry(tmp_path / "grid.toml"))
    assert sorted(await grid.dataset_tags()) == ["#grey 🛰", "mnist"]
    assert await grid.search("#grey 🛰")
    assert (await grid.search_encrypted_models("shares/1")).workers == ("alice", "bob")
    await grid.aclose()
    workspace.close()


def test_none_is_an_empty_one(tmp_path: Path) -> None:
    assert read_registry(tmp_path / "grid.toml") == GridRegistry()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"[[dataset]\n", "line 1"),
        (b'[[dataset]]\nname = "x"\n', "dataset.0.tags"),
        (b'[[dataset]]\nname = "x"\ntags = []\n', "dataset.0.tags"),
        (b'[[datasets]]\nname = "x"\n', "datasets"),
        (b'[[encrypted_model]]\nid = ""\n', "encrypted_model.0.id"),
        (b"\xff\xfe", "utf-8"),
        (b"#" * (2 << 20), "over 1 MiB"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: bytes, words: str) -> None:
    (tmp_path / "grid.toml").write_bytes(text)
    with pytest.raises(ConfigProblem, match=words) as caught:
        read_registry(tmp_path / "grid.toml")
    assert str(tmp_path / "grid.toml") in caught.value.message
    assert caught.value.remedy


def test_a_folder_in_its_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "grid.toml").mkdir()
    with pytest.raises(ConfigProblem, match="directory"):
        read_registry(tmp_path / "grid.toml")
