"""A load under both forms of a name: what its log holds while it lasts."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from emtui.errors import LoadFailed
from emtui.local.em import LocalEM
from emtui.local.engines.simulated import SimulatedEngine
from emtui.local.workspace import Workspace
from tests.unit.engines.tars import CONFIG, docker_members, write_tar


@pytest.fixture
async def em(workspace: Workspace) -> AsyncIterator[LocalEM]:
    made = LocalEM(workspace, SimulatedEngine(workspace))
    yield made
    await made.aclose()


async def test_the_log_of_a_load_that_goes_well_has_no_failure_in_it(em: LocalEM, volume: Path) -> None:
    foreign = {**CONFIG, "architecture": "s390x"}
    write_tar(volume / "x.tar", docker_members("client1-echo:v1", foreign))
    log: list[str] = []

    await em.load_image("x.tar", "echo:v1", on_log=log.append)

    assert log[0].startswith("note: the image is for s390x")
    assert log[1] == "Loaded image: client1-echo:v1\n"
    assert not any("Error" in line for line in log)


async def test_the_name_that_was_given_is_the_one_that_is_not_there(em: LocalEM, volume: Path) -> None:
    write_tar(volume / "x.tar", docker_members("other:v1"))
    log: list[str] = []

    with pytest.raises(LoadFailed) as failed:
        await em.load_image("x.tar", "echo:v1", on_log=log.append)

    assert log == ["Error processing tar file: no image echo:v1 in it; it holds other:v1\n"]
    assert failed.value.log_tail == tuple(log)


async def test_what_is_wrong_with_the_image_that_was_found_is_said(em: LocalEM, volume: Path) -> None:
    manifest = json.dumps([{"Config": "c.json", "RepoTags": ["client1-echo:v1"], "Layers": ["none.tar"]}])
    write_tar(volume / "x.tar", [("c.json", b"{}"), ("manifest.json", manifest.encode())])
    log: list[str] = []

    with pytest.raises(LoadFailed) as failed:
        await em.load_image("x.tar", "echo:v1", on_log=log.append)

    assert len(log) == 1
    assert "none.tar" in log[0]
    assert failed.value.log_tail == tuple(log)
