"""Which engine a workspace gets, and why not another."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from emtui.errors import ConfigProblem
from emtui.local.engines import choose
from emtui.local.engines.choice import Findings, Probe
from emtui.local.engines.choose import CANDIDATES, choose_engine, examine, probe_isolation
from emtui.local.stopping import Stop
from emtui.local.workspace import Workspace
from tests.engines.conftest import names_in

BROKEN = tuple(
    replace(candidate, probe=lambda *_: Probe("it is broken")) if candidate.family == "sandbox" else candidate
    for candidate in CANDIDATES
)


async def test_the_first_that_works(workspace: Workspace) -> None:
    findings = Findings()
    engine = await choose_engine(workspace, candidates=BROKEN, findings=findings)
    assert engine.name == "simulated"
    assert [(found.name, found.reason) for found in findings.found] == [
        ("docker", "DOCKER_HOST: there is no such socket"),
        ("sandbox(bwrap)", "it is broken"),
        ("sandbox(unshare)", "it is broken"),
        ("simulated", ""),
    ]
    assert "DOCKER_HOST" in findings.found[0].remedy
    assert findings.found[1].remedy


async def test_a_named_one(workspace: Workspace) -> None:
    assert (await choose_engine(workspace, "simulated")).name == "simulated"
    with pytest.raises(ConfigProblem, match="it is broken") as caught:
        await choose_engine(workspace, "sandbox", candidates=BROKEN)
    assert "Install bubblewrap" in caught.value.remedy
    with pytest.raises(ConfigProblem, match="no engine is called vmware") as caught:
        await choose_engine(workspace, "vmware")
    assert caught.value.remedy == "Choose one of docker, sandbox, simulated."


async def test_the_base_images_are_the_callers(workspace: Workspace) -> None:
    engine = await choose_engine(workspace, "simulated", ("mine",))
    assert await engine.find("mine:1")
    assert not await engine.find("alpine")


async def test_every_engine_is_examined(workspace: Workspace) -> None:
    found = await examine(workspace)
    assert [finding.name for finding in found] == [candidate.name for candidate in CANDIDATES]
    assert all(finding.is_available or (finding.reason and finding.remedy) for finding in found)
    assert names_in(workspace.path / "staging") == []
    for finding in found:
        if finding.is_available:
            engine = await choose_engine(workspace, finding.name)
            assert finding.name.startswith(engine.name)
            await engine.aclose()


@pytest.mark.parametrize("isolation", ["bwrap", "unshare"])
async def test_a_missing_program_is_named(
    workspace: Workspace, isolation: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from emtui.local.engines.sandbox import runstep
    from emtui.local.engines.spawn import python_command

    def without_programs(module: str, *arguments: str) -> tuple[list[str], dict[str, str]]:
        command, env = python_command(module, *arguments)
        return command, {**env, "PATH": str(tmp_path)}

    monkeypatch.setattr(runstep, "python_command", without_programs)
    reason = await asyncio.to_thread(probe_isolation, workspace, isolation, Stop())
    assert "is not installed" in reason


async def test_a_probe_that_hangs(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(_workspace: Workspace, stop: Stop, _base_images: object) -> Probe:
        while True:
            stop.check()

    monkeypatch.setattr(choose, "_PROBE_S", 0.05)
    (finding, *_) = await examine(workspace, [replace(CANDIDATES[0], probe=hang)])
    assert "did not answer" in finding.reason
