"""Tar files of images, made for tests."""

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

CONFIG = {
    "architecture": "amd64",
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


def write_tar(path: Path, members: Iterable[tuple[str | tarfile.TarInfo, bytes]], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload] # the mode is text
        for name, data in members:
            info = tarfile.TarInfo(name) if isinstance(name, str) else name
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def blob(data: bytes) -> tuple[str, str]:
    digest = hashlib.sha256(data).hexdigest()
    return f"blobs/sha256/{digest}", f"sha256:{digest}"


def docker_members(
    tag: str, config: Any = CONFIG, layer: bytes = b"layer"
) -> list[tuple[str | tarfile.TarInfo, bytes]]:
    manifest = [{"Config": "c.json", "RepoTags": [tag], "Layers": ["l/layer.tar"]}]
    return [
        ("l/layer.tar", layer),
        ("c.json", json.dumps(config).encode()),
        ("manifest.json", json.dumps(manifest).encode()),
    ]


def oci_members(name: str, *, nested: bool = False) -> list[tuple[str | tarfile.TarInfo, bytes]]:
    config, layer = json.dumps(CONFIG).encode(), b"layer bytes"
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
