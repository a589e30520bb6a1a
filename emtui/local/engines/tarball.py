"""An image's tar file, read and never extracted: `docker save` (old and new layout) or an OCI layout.

One pass over the headers; only small JSON files are read. A gzip-compressed tar is accepted. Every number is bounded:
entries, the size of a header, of a JSON file, of what a compressed file grows to.
"""

import gzip
import hashlib
import io
import json
import os
import posixpath
import tarfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any

from emtui.local.engines.config import ImageConfig
from emtui.local.engines.problems import LoadProblem
from emtui.local.engines.references import Reference, parse_reference

MAX_ENTRIES = 100_000
MAX_JSON_BYTES = 4 << 20
MAX_JSON_TOTAL_BYTES = 64 << 20
MAX_UNPACKED_BYTES = 64 << 30
_MAX_BLOBS_FOLLOWED = 100
_GZIP = b"\x1f\x8b"

_TAR_FAULTS = (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, ValueError, OverflowError, RecursionError)


@dataclass(frozen=True, slots=True)
class TarImage:
    """An image of a tar file. `config_digest` is the SHA-256 (hex) of its configuration's bytes, `size_bytes` the sum
    of its layers as they are in the tar."""

    references: tuple[Reference, ...]
    config: ImageConfig
    config_digest: str
    size_bytes: int


class _Bounded(io.RawIOBase):
    """A reader that refuses to read much at once, to seek past a bound, and asks `check` now and then."""

    def __init__(self, file: IO[bytes], check: Callable[[], None]) -> None:
        self._file = file
        self._check = check

    def read(self, size: int = -1) -> bytes:
        if size < 0 or size > MAX_JSON_BYTES:
            raise LoadProblem(f"an entry's header of {size} bytes is larger than an image's can be")
        self._check()
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        if offset > MAX_UNPACKED_BYTES:
            raise LoadProblem(f"larger than {MAX_UNPACKED_BYTES} bytes when unpacked")
        position = self._file.tell()
        # A compressed file is unpacked on the way; in steps, so that it can be cancelled.
        while whence == 0 and isinstance(self._file, gzip.GzipFile) and position < offset:
            self._check()
            step = len(self._file.read(min(1 << 20, offset - position)))
            if not step:
                break
            position += step
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


def read_tar(fd: int, check: Callable[[], None]) -> list[TarImage]:
    """The images of a tar file. `fd` stays the caller's and is read from its start.

    Raises:
        LoadProblem: it is not an image's tar, it is truncated, or it holds what no image's does.
    """
    with os.fdopen(os.dup(fd), "rb") as raw:
        raw.seek(0)
        is_gzip = raw.read(2) == _GZIP
        raw.seek(0)
        try:
            if is_gzip:
                with gzip.GzipFile(fileobj=raw) as unpacked:
                    archive = _Archive(_Bounded(unpacked, check))  # type: ignore[arg-type] # GzipFile is a reader
            else:
                archive = _Archive(_Bounded(raw, check))
            return archive.images()
        except _TAR_FAULTS as error:
            raise LoadProblem(f"invalid tar header or truncated archive: {error}") from error


class _Archive:
    def __init__(self, file: _Bounded) -> None:
        self._sizes: dict[str, int] = {}
        self._links: dict[str, str] = {}
        self._json: dict[str, bytes] = {}
        kept = 0
        # tarfile wants a file object; this one has all that it uses.
        with tarfile.open(fileobj=file, mode="r:") as tar:
            for count, member in enumerate(tar):
                # The archive keeps every header otherwise.
                tar.members.clear()  # type: ignore[attr-defined] # the stubs leave it out
                if count >= MAX_ENTRIES:
                    raise LoadProblem(f"more than {MAX_ENTRIES} entries")
                name = _inside(member.name)
                if member.issym() or member.islnk():
                    base = posixpath.dirname(name) if member.issym() else ""
                    if member.linkname.startswith("/"):
                        raise LoadProblem(f"link {member.name!r} leads out of the image: {member.linkname!r}")
                    self._links[name] = _inside(posixpath.join(base, member.linkname))
                elif member.isfile():
                    self._sizes[name] = member.size
                    if member.size <= MAX_JSON_BYTES and kept < MAX_JSON_TOTAL_BYTES:
                        kept += self._keep_json(tar, member, name)
                elif not member.isdir():
                    raise LoadProblem(f"{member.name!r} is a device or FIFO, which no image's tar holds")

    def _keep_json(self, tar: tarfile.TarFile, member: tarfile.TarInfo, name: str) -> int:
        file = tar.extractfile(member)
        if file is None:
            return 0
        start = file.read(1)
        if start not in (b"{", b"["):
            return 0
        data = start
        while chunk := file.read(1 << 20):
            data += chunk
        self._json[name] = data
        return len(data)

    # ------------------------------------------------------------------------------------------------------

    def images(self) -> list[TarImage]:
        if "manifest.json" in self._json:
            return [self._docker(item) for item in _list(self._read("manifest.json"), "manifest.json")]
        if "index.json" in self._json:
            return self._oci()
        raise LoadProblem("open manifest.json: no such file or directory: neither a docker save nor an OCI tar")

    def _bytes(self, name: str) -> bytes:
        name = self._links.get(name, name)
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

    def _size(self, name: str) -> int:
        name = self._links.get(name, name)
        size = self._sizes.get(name)
        if size is None:
            raise LoadProblem(f"open {name}: no such file or directory: a layer is missing")
        return size

    def _docker(self, item: Any) -> TarImage:
        fields = _dict(item, "manifest.json")
        config_name = _inside(_text(fields.get("Config"), "Config"))
        layers = [_inside(_text(layer, "Layers")) for layer in _list(fields.get("Layers") or [], "Layers")]
        tags = [_text(tag, "RepoTags") for tag in _list(fields.get("RepoTags") or [], "RepoTags")]
        return self._image(tags, config_name, sum(self._size(layer) for layer in layers))

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
            layers = _list(manifest.get("layers") or [], "layers")
            size = sum(self._size(_blob(_dict(layer, "layers"))) for layer in layers)
            found.append(self._image([_text(name, "ref.name")] if name else [],
                                     self._content(_dict(manifest.get("config"), "config")), size))  # fmt: skip
        return found

    def _image(self, tags: list[str], config_name: str, size: int) -> TarImage:
        references = tuple(reference for tag in tags if (reference := parse_reference(tag)) is not None)
        config = _config(_dict(self._read(config_name), config_name))
        return TarImage(references, config, hashlib.sha256(self._bytes(config_name)).hexdigest(), size)


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


def _inside(name: str) -> str:
    """A path of the archive in its plain form. Raises LoadProblem where it leads out of it."""
    path = posixpath.normpath(name)
    if name.startswith("/") or path == ".." or path.startswith("../") or "\0" in name:
        raise LoadProblem(f"entry {name!r} leads out of the image")
    return path


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
