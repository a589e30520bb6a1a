"""What a Docker Engine is given of a foreign tar: one image, under our name, and nothing else."""

import io
import json
import os
import tarfile
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from emtui.local.engines.docker.loading import archive
from emtui.local.engines.docker.loading.archive import docker_archive
from emtui.local.engines.problems import LoadProblem
from emtui.local.engines.tarball import TarImage, read_tar
from emtui.local.stopping import Stop, StopRequested
from tests.unit.engines.tars import CONFIG, GZIP_LAYER, LAYER, docker_members, link, oci_members, packed, write_tar

NAME = "emtui-0/echo:latest"


def nothing() -> None:
    """The check that never stops anything."""


def images(path: Path) -> list[TarImage]:
    with path.open("rb") as file:
        return read_tar(file.fileno(), nothing)


def made(path: Path, image: TarImage | None = None) -> dict[str, bytes]:
    """The files of the archive that is made of a tar's first image, or of `image`."""
    chosen = image or images(path)[0]
    with path.open("rb") as file:
        whole = b"".join(docker_archive(file.fileno(), chosen, NAME, nothing))
    with tarfile.open(fileobj=io.BytesIO(whole), mode="r:") as tar:
        found = [(member.name, tar.extractfile(member)) for member in tar]
    assert len({name for name, _ in found}) == len(found)
    return {name: file.read() for name, file in found if file is not None}


def manifest_of(files: dict[str, bytes]) -> Any:
    assert list(files)[-1] == "manifest.json"
    (manifest,) = json.loads(files["manifest.json"])
    return manifest


def test_only_our_name_and_the_files_of_one_image_go_out(tmp_path: Path) -> None:
    secret = packed([("secret", b"another image's")])
    manifest = [
        {"Config": "c.json", "RepoTags": ["echo:latest", "busybox:latest"], "Layers": ["l/layer.tar"]},
        {"Config": "c.json", "RepoTags": ["busybox:latest"], "Layers": ["m/layer.tar"]},
    ]
    members = [("m/layer.tar", secret), *docker_members("echo:latest")[:2], ("repositories", b'{"busybox": {}}'),
               ("manifest.json", json.dumps(manifest).encode())]  # fmt: skip
    files = made(write_tar(tmp_path / "t", members))
    assert manifest_of(files) == {"Config": "config.json", "RepoTags": [NAME], "Layers": ["0.tar"]}
    assert set(files) == {"0.tar", "config.json", "manifest.json"}
    assert files["0.tar"] == LAYER
    assert json.loads(files["config.json"])["architecture"] == "amd64"


@pytest.mark.parametrize("mode", ["w", "w:gz"])
@pytest.mark.parametrize("layout", ["docker", "oci"])
def test_it_comes_out_of_every_kind_of_tar(tmp_path: Path, mode: str, layout: str) -> None:
    members = docker_members("echo") if layout == "docker" else oci_members("echo", nested=True)
    files = made(write_tar(tmp_path / "t", members, mode))
    assert files["0.tar"] == (LAYER if layout == "docker" else GZIP_LAYER)


def test_a_layer_that_is_there_twice_is_sent_once(tmp_path: Path) -> None:
    other = packed([("other", b"o")])
    members = [*docker_members("echo"), ("o/layer.tar", other), link("m/layer.tar", "../l/layer.tar"),
               link("n/layer.tar", "../m/layer.tar")]  # fmt: skip
    layers = ["l/layer.tar", "o/layer.tar", "m/layer.tar", "n/layer.tar", "./l//layer.tar"]
    members[2] = ("manifest.json", json.dumps([{"Config": "c.json", "RepoTags": None, "Layers": layers}]).encode())
    files = made(write_tar(tmp_path / "t", members))
    assert manifest_of(files)["Layers"] == ["0.tar", "1.tar", "0.tar", "0.tar", "0.tar"]
    assert (files["0.tar"], files["1.tar"]) == (LAYER, other)


def test_of_two_entries_with_one_name_the_later_is_sent(tmp_path: Path) -> None:
    later = packed([("later", b"l")])
    files = made(write_tar(tmp_path / "t", [*docker_members("echo"), ("./l/layer.tar", later)]))
    assert files["0.tar"] == later


def test_an_image_without_layers(tmp_path: Path) -> None:
    members = docker_members("echo")
    members[2] = ("manifest.json", b'[{"Config": "c.json", "RepoTags": ["echo"]}]')
    assert manifest_of(made(write_tar(tmp_path / "t", members)))["Layers"] == []


def test_what_was_changed_between_the_two_readings_is_refused(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "t", docker_members("echo"))
    (image,) = images(path)
    for members in (
        docker_members("echo", {**CONFIG, "architecture": "arm64"}),
        docker_members("echo", CONFIG, packed([("larger", b"x" * 20_000)])),
        [("x", b""), *docker_members("echo")],
        docker_members("echo")[:1],
        [link("l/layer.tar", "c.json"), *docker_members("echo")[1:]],
    ):
        with pytest.raises(LoadProblem, match="was changed while the tar was read"):
            made(write_tar(path, members), image)
    path.write_bytes(write_tar(tmp_path / "whole", docker_members("echo")).read_bytes()[:3000])
    with pytest.raises(LoadProblem, match="truncated archive"):
        made(path, image)


def test_it_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_tar(tmp_path / "t", docker_members("echo"))
    monkeypatch.setattr(archive, "MAX_UNPACKED_BYTES", len(LAYER))
    with pytest.raises(LoadProblem, match="larger than"):
        made(path)


def test_nothing_of_a_layer_is_held_in_memory(tmp_path: Path) -> None:
    size = 256 << 20
    path = tmp_path / "t"
    info = tarfile.TarInfo("l/layer.tar")
    info.size = size
    with path.open("wb") as file:
        file.write(info.tobuf())
        file.seek(size, os.SEEK_CUR)
        file.write(packed(docker_members("echo")[1:]))
    (image,) = images(path)
    tracemalloc.start()
    try:
        with path.open("rb") as file:
            pieces = [len(piece) for piece in docker_archive(file.fileno(), image, NAME, nothing)]
        assert sum(pieces) > size
        assert max(pieces) <= 1 << 20
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_it_stops_where_it_is_told_to(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "t", docker_members("echo", CONFIG, bytes(8 << 20)), "w:gz")
    (image,) = images(path)
    stop = Stop()
    with path.open("rb") as file:
        pieces: Iterator[bytes] = docker_archive(file.fileno(), image, NAME, stop.check)
        assert [next(pieces), next(pieces)]
        stop.set()
        with pytest.raises(StopRequested):
            list(pieces)
