"""Images' tar files are read, bounded, and never extracted."""

import gzip
import json
import os
import tarfile
from pathlib import Path

import pytest

from emtui.local.engines import tarstream
from emtui.local.engines.problems import LoadProblem
from emtui.local.engines.tarball import TarImage, read_tar
from tests.unit.engines.tars import CONFIG, GZIP_LAYER, LAYER, blob, docker_members, link, oci_members, write_tar


def nothing() -> None:
    """The check that never stops anything."""


def read(path: Path) -> list[TarImage]:
    fd = os.open(path, os.O_RDONLY)
    try:
        return read_tar(fd, nothing)
    finally:
        os.close(fd)


def refused(path: Path) -> str:
    with pytest.raises(LoadProblem) as caught:
        read(path)
    return str(caught.value)


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_docker_save(tmp_path: Path, mode: str) -> None:
    (image,) = read(write_tar(tmp_path / "t", docker_members("docker.io/library/echo:1"), mode))
    assert [reference.familiar for reference in image.references] == ["echo:1"]
    assert image.config.entrypoint == ("/bin/sh",)
    assert image.config.env["A"] == "b=c"
    assert (image.config.workdir, image.config.user, image.config.architecture) == ("/app", "app", "amd64")
    assert (image.config.labels, image.config.ports) == ({"l": "v"}, ("80/tcp",))
    assert image.size_bytes == len(LAYER)


@pytest.mark.parametrize("nested", [False, True])
def test_oci(tmp_path: Path, nested: bool) -> None:
    (image,) = read(write_tar(tmp_path / "t", oci_members("docker.io/library/echo:latest", nested=nested)))
    assert [reference.familiar for reference in image.references] == ["echo:latest"]
    assert image.size_bytes == len(GZIP_LAYER)


def test_old_layout_with_links_inside(tmp_path: Path) -> None:
    members = [*docker_members("echo"), link("m/layer.tar", "../l/layer.tar")]
    manifest = [{"Config": "c.json", "RepoTags": None, "Layers": ["l/layer.tar", "m/layer.tar"]}]
    members[2] = ("manifest.json", json.dumps(manifest).encode())
    (image,) = read(write_tar(tmp_path / "t", members))
    assert (image.references, image.size_bytes) == ((), 2 * len(LAYER))


@pytest.mark.parametrize(
    ("extra", "named"),
    [
        (("../x", b""), "leads out"),
        (("/etc/passwd", b""), "leads out"),
        (("a/../../x", b""), "leads out"),
        (link("a", "/etc/passwd"), "leads out"),
        (link("a", "../x"), "leads out"),
        (link("a", "../x", tarfile.LNKTYPE), "leads out"),
        (link("a", "", tarfile.CHRTYPE), "device"),
        (link("a", "", tarfile.FIFOTYPE), "device"),
    ],
)
def test_hostile_entries(tmp_path: Path, extra: tuple[str | tarfile.TarInfo, bytes], named: str) -> None:
    assert named in refused(write_tar(tmp_path / "t", [extra, *docker_members("echo")]))


@pytest.mark.parametrize(
    ("manifest", "named"),
    [
        (b"{", "invalid JSON"),
        (b"[" * 200_000, "invalid JSON"),
        (b"{}", "a list is needed"),
        (b"[1]", "an object is needed"),
        (b'[{"Config": 1}]', "text is needed"),
        (b'[{"Config": "../c.json"}]', "leads out"),
        (b'[{"Config": "none.json"}]', "no such file"),
        (b'[{"Config": "c.json", "Layers": ["none"]}]', "a layer is missing"),
        (b'[{"Config": "c.json", "RepoTags": "x"}]', "a list is needed"),
    ],
)
def test_hostile_manifest(tmp_path: Path, manifest: bytes, named: str) -> None:
    members = docker_members("echo")
    members[2] = ("manifest.json", manifest)
    assert named in refused(write_tar(tmp_path / "t", members))


def test_hostile_config(tmp_path: Path) -> None:
    for config in ({"config": {"Env": [1]}}, {"config": {"Cmd": "x"}}, {"config": {"User": "a\0"}}, {"config": 1}):
        assert "needed" in refused(write_tar(tmp_path / "t", docker_members("echo", config)))


def test_oci_that_points_nowhere_or_round(tmp_path: Path) -> None:
    def index(*manifests: object) -> tuple[str, bytes]:
        return "index.json", json.dumps({"manifests": manifests}).encode()

    assert "no such file" in refused(write_tar(tmp_path / "a", [index({"digest": "sha256:" + "0" * 64})]))
    assert "invalid digest" in refused(write_tar(tmp_path / "b", [index({"digest": "sha256:../x"})]))
    inner = b'{"manifests": []}'
    many = [index(*[{"digest": blob(inner)[1]}] * 200), (blob(inner)[0], inner)]
    assert "more than" in refused(write_tar(tmp_path / "c", many))


def test_no_image(tmp_path: Path) -> None:
    assert "neither" in refused(write_tar(tmp_path / "t", [("a", b"{}")]))
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "text").write_bytes(b"not a tar" * 200)
    (tmp_path / "gzip").write_bytes(gzip.compress(b"not a tar" * 200))
    (tmp_path / "torn").write_bytes(gzip.compress(b"not a tar" * 200)[:20])
    for name in ("empty", "text", "gzip", "torn"):
        assert refused(tmp_path / name)


def test_truncated(tmp_path: Path) -> None:
    whole = write_tar(tmp_path / "t", docker_members("echo", CONFIG, b"x" * 100_000)).read_bytes()
    (tmp_path / "cut").write_bytes(whole[:50_000])
    assert "truncated" in refused(tmp_path / "cut")


def test_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_tar(tmp_path / "t", docker_members("echo", CONFIG, b"x" * 100_000), "w:gz")
    monkeypatch.setattr(tarstream, "MAX_UNPACKED_BYTES", 50_000)
    assert "larger than" in refused(path)
    monkeypatch.setattr(tarstream, "MAX_ENTRIES", 1)
    assert "entries" in refused(write_tar(tmp_path / "u", docker_members("echo")))


def test_header_of_gigabytes(tmp_path: Path) -> None:
    info = tarfile.TarInfo("pax")
    info.type, info.size = tarfile.XHDTYPE, 6 << 30
    (tmp_path / "t").write_bytes(info.tobuf() + b"\0" * 2048)
    assert "header" in refused(tmp_path / "t")
