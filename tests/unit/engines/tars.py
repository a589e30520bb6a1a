"""Tar files of images, made for tests."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

CONFIG = {
    "architecture": "amd64",
    "os": "linux",
    "config": {
        "Cmd": ["-c", "echo loaded > /data/loaded.txt"],
        "Entrypoint": ["/bin/sh"],
        "Env": ["PATH=/usr/bin:/bin", "A=b=c"],
        "WorkingDir": "/app",
        "User": "app",
        "Labels": {"l": "v"},
        "ExposedPorts": {"80/tcp": {}},
    },
}


def _add(tar: tarfile.TarFile, members: Iterable[tuple[str | tarfile.TarInfo, bytes]]) -> None:
    for name, data in members:
        info = tarfile.TarInfo(name) if isinstance(name, str) else name
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))


def packed(members: Iterable[tuple[str | tarfile.TarInfo, bytes]]) -> bytes:
    """A tar in memory."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        _add(tar, members)
    return made.getvalue()


LAYER = packed([("hello.txt", b"hello")])
GZIP_LAYER = gzip.compress(LAYER, mtime=0)
"""What `docker_members` and `oci_members` have as their layer."""


def with_layers(config: Any, *layers: bytes) -> Any:
    """A configuration that says which layers it has, without which no Docker Engine takes it. Gzip ones count as what
    they unpack to."""
    if not isinstance(config, dict) or "rootfs" in config:
        return config
    plain = [gzip.decompress(layer) if layer.startswith(b"\x1f\x8b") else layer for layer in layers]
    return {**config, "rootfs": {"type": "layers", "diff_ids": [blob(layer)[1] for layer in plain]}}


def write_tar(path: Path, members: Iterable[tuple[str | tarfile.TarInfo, bytes]], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload] # the mode is text
        _add(tar, members)
    return path


def blob(data: bytes) -> tuple[str, str]:
    digest = hashlib.sha256(data).hexdigest()
    return f"blobs/sha256/{digest}", f"sha256:{digest}"


def docker_members(tag: str, config: Any = CONFIG, layer: bytes = LAYER) -> list[tuple[str | tarfile.TarInfo, bytes]]:
    manifest = [{"Config": "c.json", "RepoTags": [tag], "Layers": ["l/layer.tar"]}]
    return [
        ("l/layer.tar", layer),
        ("c.json", json.dumps(with_layers(config, layer)).encode()),
        ("manifest.json", json.dumps(manifest).encode()),
    ]


def oci_members(name: str, *, nested: bool = False) -> list[tuple[str | tarfile.TarInfo, bytes]]:
    layer = GZIP_LAYER
    config = json.dumps(with_layers(CONFIG, layer)).encode()
    manifest = json.dumps({"config": {"digest": blob(config)[1]}, "layers": [{"digest": blob(layer)[1]}]}).encode()
    members: list[tuple[str | tarfile.TarInfo, bytes]] = [(blob(data)[0], data) for data in (config, layer, manifest)]
    top = {"digest": blob(manifest)[1], "annotations": {"io.containerd.image.name": name}}
    if nested:
        index = json.dumps({"manifests": [{"digest": blob(manifest)[1]}]}).encode()
        members.append((blob(index)[0], index))
        top["digest"] = blob(index)[1]
    return [*members, ("oci-layout", b"{}"), ("index.json", json.dumps({"manifests": [top]}).encode())]


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info, b""
