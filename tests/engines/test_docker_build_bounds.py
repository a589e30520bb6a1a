"""Builds by a real Docker Engine: what no Dockerfile may reach, and what is said when one of its wishes is refused."""

import re
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from emtui.errors import BuildFailed
from emtui.local.engines.docker.engine import DockerEngine
from emtui.local.workspace import Workspace
from emtui.profile import PodPolicy
from tests.engines.conftest import Bench
from tests.engines.docker_here import BASE, need_docker, remove_all
from tests.engines.test_docker_build import build, built, daemon_of

__all__ = ["built"]


@pytest.fixture
async def secret(docker: Bench) -> AsyncIterator[str]:
    """The repository of an image that the engine has, with a file that nobody here may see."""
    docker.write("secret", "this was hidden")
    image = await docker.build(f"FROM busybox\nCOPY secret /secret\nENV N={time.monotonic_ns()}\n")
    images = daemon_of(docker).docker.images
    name = f"secret-{time.monotonic_ns()}"
    await images.tag(image.id, name)
    yield name
    await images.delete(name)


@pytest.mark.parametrize(
    "flag",
    [
        r"--mount=type=bind,from=a,target=/m,id='\' ,from={}:latest'",
        "--mount=type=bind,target=/m\x1c--mount=from={},target=/m",
        "--mount=type=bind,target=/m\u0085--mount=from={},target=/m",
        "--mount=from={},target=/m",
        "--mount=from=${{S}},target=/m",
        "--mount=type=cache,from={},target=/m",
    ],
)
@pytest.mark.parametrize("escape", ["\\", "`"])
async def test_no_mount_shows_an_image_that_is_not_on_the_list(
    docker: Bench, secret: str, flag: str, escape: str
) -> None:
    flag = flag.format(secret)
    with pytest.raises(BuildFailed):
        await docker.build(
            f"# escape={escape}\nFROM busybox AS a\nFROM busybox\nARG S={secret}\nRUN {flag} cat /m/secret\n"
        )
    assert "this was hidden" not in "".join(docker.log)


@pytest.mark.parametrize("end", ["--network=host", "--security=insecure"])
async def test_no_quote_hides_a_flag(docker: Bench, end: str) -> None:
    with pytest.raises(BuildFailed):
        await docker.build(f"FROM busybox\nRUN --mount=type=tmpfs,target=/m,id='\\' x' {end} ip link\n")
    assert "builders differ in how they read that" in docker.log[-1]
    assert "   2 | >>> RUN" in "".join(docker.log)


async def test_an_image_that_is_there_but_not_on_the_list(docker: Bench, secret: str) -> None:
    for dockerfile in (f"FROM {secret}\n", f"FROM busybox\nRUN --mount=from={secret},target=/m true\n"):
        with pytest.raises(BuildFailed) as failed:
            await docker.build(dockerfile)
        assert f"the Docker Engine has {secret}:latest, but it is none of the base images" in "".join(docker.log)
        assert f",busybox,debian,ubuntu,python,{secret}` makes it one" in failed.value.remedy
        assert "AS a-name" not in "".join(docker.log)
    # What another workspace has is nobody's business here.
    there = (await daemon_of(docker).docker.images.inspect(f"{secret}:latest"))["RepoTags"]
    foreign = next(name for name in there if name.startswith("emtui-"))
    with pytest.raises(BuildFailed):
        await docker.build(f"FROM {foreign}\n")
    assert "the Docker Engine has" not in "".join(docker.log)


async def test_another_digest_is_called_that(docker: Bench) -> None:
    with pytest.raises(BuildFailed) as failed:
        await docker.build(f"FROM busybox@sha256:{'0' * 64}\n")
    has = (await daemon_of(docker).docker.images.inspect(BASE))["Id"]
    assert failed.value.remedy.startswith("The digest differs: busybox:latest is on board, with ")
    assert has in failed.value.remedy
    assert "note: the digest differs" in "".join(docker.log)
    assert "docker pull" not in "".join(docker.log)


async def test_a_cache_is_shared_in_one_workspace_only(docker: Bench, tmp_path: Path) -> None:
    name = f"/cache-{time.monotonic_ns()}"
    await build(docker, f"FROM busybox\nRUN --mount=type=cache,target={name} echo kept > {name}/f\n")
    reading = f"FROM busybox\nRUN --mount=type=cache,id={name},target=/c cat /c/f || echo empty\n"
    await build(docker, reading)
    assert any(line.endswith(" kept\n") for line in docker.log)

    other = Workspace(tmp_path / "other")
    found = need_docker()
    bench = Bench(other, make := lambda: DockerEngine(other, found), make())
    try:
        await build(bench, reading)
        assert any(line.endswith(" empty\n") for line in bench.log)
        for guess in (f"emtui-{(docker.workspace.blobs / 'engine-id').read_text().strip()}-{name}", f"../{name}"):
            await build(bench, reading.replace(f"id={name}", f"id={guess}"))
            assert any(line.endswith(" empty\n") for line in bench.log)
    finally:
        await bench.engine.aclose()
        await remove_all(other)
        other.close()


async def test_a_mount_never_goes_above_the_context(docker: Bench) -> None:
    docker.write("dir/a", "bound")
    await build(
        docker,
        "FROM busybox\nARG UP=../../dir\nRUN --mount=source=../,target=/m ls -A /m\n"
        "RUN --mount=source=$UP,target=/m cat /m/a\nRUN --mount=source=dir/../..,target=/m ls -A /m/dir\n",
    )
    text = "".join(docker.log)
    assert re.search(r"\d bound\n", text)
    assert not re.search(r"^#\d+ [\d.]+ .*(?:emtui|Dockerfile)", text, re.MULTILINE)


async def test_stages_with_one_name(built: Bench) -> None:
    await build(
        built,
        "FROM busybox AS one\nRUN echo first > /s\nFROM busybox AS one\nRUN echo second > /s\n"
        "FROM one AS last\nCOPY --from=one /s /copied\nCOPY --from=0 /s /older\nRUN cat /copied /older\n",
    )
    text = "".join(built.log)
    assert re.search(r"\d second\n.*\d first\n", text)
    assert "[one 2/2] RUN echo second > /s\n" in text
    assert "[last 4/4] RUN cat /copied /older\n" in text or "[last 4/5] RUN cat" in text
    assert "emtui-" not in text


async def test_a_mount_of_a_stage_whose_name_comes_twice(docker: Bench) -> None:
    await build(
        docker,
        "FROM busybox AS one\nRUN echo first > /s\nFROM busybox AS one\nRUN echo second > /s\nFROM busybox\n"
        "RUN --mount=from=ONE,target=/m cat /m/s\n",
    )
    assert any(line.endswith(" second\n") for line in docker.log)
    with pytest.raises(BuildFailed):
        await docker.build("FROM busybox AS one\nFROM busybox AS one\nFROM busybox\nCOPY --from=one /no/such /m\n")
    assert "emtui-" not in "".join(docker.log)


async def test_a_full_disk_is_named_in_any_case(built: Bench) -> None:
    with pytest.raises(BuildFailed) as failed:
        await build(built, "FROM busybox\nRUN echo 'write: No space left on device' >&2; exit 1\n")
    assert "docker builder prune" in failed.value.remedy
    assert any(line.endswith(" note: the disk of the Docker Engine is full\n") for line in built.log)


@pytest.mark.parametrize("command", ["ping -c 1 10.1.2.3", "echo \"wget: bad address 'a.b'\"; exit 4"])
async def test_a_run_that_wants_the_network(built: Bench, command: str) -> None:
    with pytest.raises(BuildFailed) as failed:
        await build(built, f"FROM busybox\nRUN {command}\n")
    assert any("note: a build has no network here" in line for line in built.log)
    assert "--pod-network" in failed.value.remedy
    assert "Uplink what it needs" in failed.value.remedy


async def test_a_run_that_fails_for_another_reason_is_not_explained(built: Bench) -> None:
    with pytest.raises(BuildFailed) as failed:
        await build(built, "FROM busybox\nRUN echo bad address\nRUN ls /nothere\n")
    assert "--pod-network" not in failed.value.remedy
    assert "note: a build" not in "".join(built.log)


async def test_a_run_without_the_network(docker: Bench, workspace: Workspace) -> None:
    await build(
        docker, "FROM busybox\nRUN --network=none --security=sandbox echo one\nRUN --network=default echo two\n"
    )
    text = "".join(docker.log)
    assert re.search(r"\d one\n", text)
    assert re.search(r"\d two\n", text)
    assert "note: --network=none is left out" in text
    assert "note: --security=sandbox is left out" in text
    facts = await daemon_of(docker).facts()
    if int(facts.version.split(".")[0]) >= 23:
        return
    found = need_docker()
    bench = Bench(
        workspace, make := lambda: DockerEngine(workspace, found, policy=PodPolicy(with_network=True)), make()
    )
    with pytest.raises(BuildFailed):
        await bench.build("FROM busybox\nRUN --network=none true\n")
    assert "RUN --network=none needs Docker 23 or newer" in bench.log[-1]
    await bench.engine.aclose()


@pytest.mark.parametrize("kind", ["secret", "ssh"])
async def test_no_secrets_are_given_to_a_build(docker: Bench, kind: str) -> None:
    with pytest.raises(BuildFailed):
        await docker.build(f"FROM busybox\nRUN --mount=type={kind},id=a true\n")
    assert f"RUN --mount=type={kind}: no secrets or keys can be given to a build here" in docker.log[-1]


async def test_the_engines_own_folders_are_not_shown(docker: Bench) -> None:
    for dockerfile in (
        "FROM busybox AS a\nFROM busybox\nCOPY --from=a nothere /\n",
        "FROM busybox\nRUN --mount=source=nothere,target=/m true\n",
    ):
        with pytest.raises(BuildFailed):
            await docker.build(dockerfile)
        assert docker.log[-1].endswith('"/nothere": not found\n')
        assert "/var/lib" not in "".join(docker.log)
    with pytest.raises(BuildFailed):
        await docker.build("FROM busybox\nWORKDIR /etc/passwd/x\n")
    assert "/etc/passwd/x: not a directory" in docker.log[-1]
    assert "overlay2" not in "".join(docker.log)


@pytest.mark.parametrize("second", ["RUN " + "x" * 30_000 + " \\\n " + "y" * 31_000, "RUN --network=host true"])
async def test_what_is_refused_before_it_is_sent_blames_no_other_step(docker: Bench, second: str) -> None:
    with pytest.raises(BuildFailed):
        await docker.build(f"FROM busybox\n{second}\n")
    assert not any("ERROR" in line for line in docker.log)
    assert "Dockerfile:2\n" in docker.log
    assert docker.log[-1].startswith("failed to solve: ")


async def test_a_large_context_is_told_while_it_is_sent_and_unpacked(
    built: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    from emtui.local.engines.docker.building import upload

    monkeypatch.setattr(upload, "_TELL_S", 0.02)
    monkeypatch.setattr(upload, "_TELL_UNPACKING_S", (0.02,))
    with built.write("large").open("wb") as file:
        file.truncate(300 << 20)
    await build(built, "FROM busybox\nCOPY large /\n")
    context = [line.split(" ", 1)[1] for line in built.log if line.startswith("#4 ")]
    assert context[0] == "[internal] load build context\n"
    sent = [line for line in context if re.fullmatch(r"transferring context: [\d.]+ [KMG]?i?B / 300 MiB\n", line)]
    assert sent
    assert context[-1].startswith("DONE ")
    rest = context[len(sent) + 1 : -1]
    assert rest[0] == f"transferring context: {300 << 20}B done\n"
    assert set(rest[1:]) <= {"unpacking the context\n"}
    # The classic builder unpacks while it reads.
    assert rest[1:] or not (await daemon_of(built).facts()).has_buildkit
