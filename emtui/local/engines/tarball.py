"""An image's tar file, read and never extracted: `docker save` (old and new layout) or an OCI layout.

One pass over the headers; only small JSON files are read. A gzip-compressed tar is accepted.
"""

import hashlib
import json
import posixpath
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from emtui.local.engines.config import ImageConfig
from emtui.local.engines.problems import LoadProblem
from emtui.local.engines.references import Reference, parse_reference
from emtui.local.engines.tarstream import Entry, Member, inside, members

MAX_JSON_BYTES = 4 << 20
MAX_JSON_TOTAL_BYTES = 64 << 20
_MAX_BLOBS_FOLLOWED = 100
_MAX_LINKS_FOLLOWED = 40


@dataclass(frozen=True, slots=True)
class TarImage:
    """An image of a tar file.

    Attributes:
        references: its names.
        config: what its configuration says about running it.
        config_digest: the SHA-256 (hex) of the configuration's bytes.
        config_entry: where the configuration is.
        layer_entries: where the layers are, the lowest first; one entry may be there more than once.
    """

    references: tuple[Reference, ...]
    config: ImageConfig
    config_digest: str
    config_entry: Entry
    layer_entries: tuple[Entry, ...]

    @property
    def size_bytes(self) -> int:
        """The sum of its layers as they are in the tar."""
        return sum(entry.size for entry in self.layer_entries)


def read_tar(fd: int, check: Callable[[], None]) -> list[TarImage]:
    """The images of a tar file. `fd` stays the caller's and is read from its start.

    Raises:
        LoadProblem: it is not an image's tar, it is truncated, or it holds what no image's does.
    """
    with members(fd, check) as found:
        return _Archive(found).images()


class _Archive:
    def __init__(self, found: Iterator[Member]) -> None:
        self._files: dict[str, Entry] = {}
        self._links: dict[str, str] = {}
        self._json: dict[str, bytes] = {}
        self._kept_bytes = 0
        for member in found:
            self._take(member)

    def _take(self, member: Member) -> None:
        """Of two entries with one name the later counts, as where they are extracted."""
        name, info = member.entry.name, member.info
        if info.isdir():
            return
        for names in (self._files, self._links, self._json):
            names.pop(name, None)
        if info.issym() or info.islnk():
            base = posixpath.dirname(name) if info.issym() else ""
            if info.linkname.startswith("/"):
                raise LoadProblem(f"link {info.name!r} leads out of the image: {info.linkname!r}")
            self._links[name] = inside(posixpath.join(base, info.linkname))
        elif info.isfile():
            self._files[name] = member.entry
            if member.entry.size <= MAX_JSON_BYTES and self._kept_bytes < MAX_JSON_TOTAL_BYTES:
                self._keep_json(member)
        else:
            raise LoadProblem(f"{info.name!r} is a device or FIFO, which no image's tar holds")

    def _keep_json(self, member: Member) -> None:
        content = member.read()
        start = next(content, b"")
        if start in (b"{", b"["):
            data = start + b"".join(content)
            self._kept_bytes += len(data)
            self._json[member.entry.name] = data

    # ------------------------------------------------------------------------------------------------------

    def images(self) -> list[TarImage]:
        if "manifest.json" in self._json:
            return [self._docker(item) for item in _list(self._read("manifest.json"), "manifest.json")]
        if "index.json" in self._json:
            return self._oci()
        raise LoadProblem("open manifest.json: no such file or directory: neither a docker save nor an OCI tar")

    def _followed(self, name: str) -> str:
        """The name of the file that a name stands for: `docker save` links equal layers."""
        for _ in range(_MAX_LINKS_FOLLOWED):
            if name not in self._links:
                return name
            name = self._links[name]
        raise LoadProblem(f"open {name}: too many links")

    def _bytes(self, name: str) -> bytes:
        name = self._followed(name)
        data = self._json.get(name)
        if data is None:
            raise LoadProblem(f"open {name}: no such file or directory, or not JSON of at most {MAX_JSON_BYTES} bytes")
        return data

    def _read(self, name: str) -> Any:
        try:
            return json.loads(self._bytes(name))
        except (ValueError, RecursionError) as error:
            raise LoadProblem(f"{name}: invalid JSON: {type(error).__name__}") from error

    def _content(self, descriptor: dict[str, Any]) -> str:
        """The name of a blob that is read here, once its content has been found to be what its digest says."""
        name = _blob(descriptor)
        algorithm, digest = name.split("/")[1:]
        if (
            algorithm in ("sha256", "sha512")
            and hashlib.new(algorithm, self._bytes(name)).hexdigest() != digest.lower()
        ):
            raise LoadProblem(f"{name}: its content is not what its digest says")
        return name

    def _entry(self, name: str) -> Entry:
        entry = self._files.get(self._followed(name))
        if entry is None:
            raise LoadProblem(f"open {name}: no such file or directory: a layer is missing")
        return entry

    def _docker(self, item: Any) -> TarImage:
        fields = _dict(item, "manifest.json")
        config_name = inside(_text(fields.get("Config"), "Config"))
        layers = [inside(_text(layer, "Layers")) for layer in _list(fields.get("Layers") or [], "Layers")]
        tags = [_text(tag, "RepoTags") for tag in _list(fields.get("RepoTags") or [], "RepoTags")]
        return self._image(tags, config_name, layers)

    def _oci(self) -> list[TarImage]:
        found = []
        waiting = [(item, "") for item in _list(_dict(self._read("index.json"), "index.json").get("manifests") or [],
                                                "manifests")]  # fmt: skip
        followed = 0
        while waiting:
            followed += 1
            if followed > _MAX_BLOBS_FOLLOWED:
                raise LoadProblem(f"more than {_MAX_BLOBS_FOLLOWED} manifests")
            item, inherited = waiting.pop(0)
            fields = _dict(item, "manifests")
            notes = _dict(fields.get("annotations") or {}, "annotations")
            name = notes.get("io.containerd.image.name") or notes.get("org.opencontainers.image.ref.name") or inherited
            manifest = _dict(self._read(self._content(fields)), "manifest")
            if "manifests" in manifest:
                waiting += [(below, name) for below in _list(manifest["manifests"], "manifests")]
                continue
            layers = [_blob(_dict(layer, "layers")) for layer in _list(manifest.get("layers") or [], "layers")]
            found.append(self._image([_text(name, "ref.name")] if name else [],
                                     self._content(_dict(manifest.get("config"), "config")), layers))  # fmt: skip
        return found

    def _image(self, tags: list[str], config_name: str, layers: list[str]) -> TarImage:
        config = _config(_dict(self._read(config_name), config_name))
        return TarImage(
            references=tuple(reference for tag in tags if (reference := parse_reference(tag)) is not None),
            config=config,
            config_digest=hashlib.sha256(self._bytes(config_name)).hexdigest(),
            config_entry=self._entry(config_name),
            layer_entries=tuple(self._entry(layer) for layer in layers),
        )


def _config(document: dict[str, Any]) -> ImageConfig:
    fields = _dict(document.get("config") or {}, "config")
    env = {}
    for line in _texts(fields.get("Env"), "Env") or ():
        name, _, value = line.partition("=")
        if name:
            env[name] = value
    workdir = _text(fields.get("WorkingDir") or "/", "WorkingDir")
    return ImageConfig(
        entrypoint=_texts(fields.get("Entrypoint"), "Entrypoint"),
        cmd=_texts(fields.get("Cmd"), "Cmd"),
        env=env,
        workdir=posixpath.normpath("/" + workdir.lstrip("/")),
        user=_text(fields.get("User") or "", "User"),
        labels={str(name): str(value) for name, value in _dict(fields.get("Labels") or {}, "Labels").items()},
        ports=tuple(_dict(fields.get("ExposedPorts") or {}, "ExposedPorts")),
        architecture=_text(document.get("architecture") or "", "architecture"),
    )


def _blob(descriptor: dict[str, Any]) -> str:
    algorithm, _, digest = _text(descriptor.get("digest"), "digest").partition(":")
    if not algorithm.isalnum() or not digest.isalnum():
        raise LoadProblem(f"invalid digest {descriptor.get('digest')!r}")
    return f"blobs/{algorithm}/{digest}"


def _dict(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise LoadProblem(f"{what}: an object is needed")
    return value


def _list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise LoadProblem(f"{what}: a list is needed")
    return value


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise LoadProblem(f"{what}: text is needed")
    return value


def _texts(value: Any, what: str) -> tuple[str, ...] | None:
    return None if value is None else tuple(_text(item, what) for item in _list(value, what))
