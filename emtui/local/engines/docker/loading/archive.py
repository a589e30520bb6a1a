"""A tar that a Docker Engine may load: one image of a foreign tar, under one name of ours.

An engine gives every name that a tar holds to what the tar has under it, on the whole machine: a foreign tar could
replace a base image, or another user's. So it never gets a foreign tar, but one that is made here as it is sent: the
configuration and the layers of the one image that was asked for, and a `manifest.json` of ours.
"""

import hashlib
import json
import tarfile
from collections.abc import Callable, Generator, Iterable

from emtui.local.engines.problems import LoadProblem
from emtui.local.engines.tarball import TarImage
from emtui.local.engines.tarstream import MAX_UNPACKED_BYTES, Entry, Member, members

_CONFIG = "config.json"
_MANIFEST = "manifest.json"
# Two blocks of zeros are the end of a tar.
_END = bytes(2 * tarfile.BLOCKSIZE)


def docker_archive(fd: int, image: TarImage, name: str, check: Callable[[], None]) -> Generator[bytes, None, None]:
    """The pieces of a tar with `image` in it, named `name`; none is empty, none larger than 1 MiB, or a manifest.

    `image` is what `read_tar` found in `fd`, which is read once more from its start to the last entry that is needed.
    Blocks while it looks for the next piece: for a thread. A layer that the image has twice is sent once. The manifest
    comes last, so that a tar that is cut off anywhere is an image nowhere.

    Raises:
        LoadProblem: the file was changed since, or is too large.
    """
    wanted = {entry.number: entry for entry in (*image.layer_entries, image.config_entry)}
    size = sum(entry.size for entry in wanted.values())
    if size > MAX_UNPACKED_BYTES:
        raise LoadProblem(f"the image is larger than {MAX_UNPACKED_BYTES} bytes")
    names = {number: f"{place}.tar" for place, number in enumerate(wanted)}
    names[image.config_entry.number] = _CONFIG
    with members(fd, check) as found:
        for member in found:
            entry = wanted.pop(member.entry.number, None)
            if entry is not None:
                yield from _file(names[entry.number], entry, member, image)
            if not wanted:
                break
    if wanted:
        raise _changed(next(iter(wanted.values())))
    manifest = json.dumps(
        [{"Config": _CONFIG, "RepoTags": [name], "Layers": [names[entry.number] for entry in image.layer_entries]}]
    ).encode()
    yield _header(_MANIFEST, len(manifest))
    yield from _padded([manifest], len(manifest))
    yield _END


def _file(name: str, entry: Entry, member: Member, image: TarImage) -> Iterable[bytes]:
    if member.entry != entry or not member.info.isfile():
        raise _changed(entry)
    content: Iterable[bytes] = member.read()
    if name == _CONFIG:
        config = b"".join(content)
        if hashlib.sha256(config).hexdigest() != image.config_digest:
            raise _changed(entry)
        content = [config]
    yield _header(name, entry.size)
    yield from _padded(content, entry.size)


def _padded(content: Iterable[bytes], size: int) -> Iterable[bytes]:
    yield from content
    padding = -size % tarfile.BLOCKSIZE
    if padding:
        yield bytes(padding)


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = size
    # The one format of which every engine reads sizes of more than 8 GiB.
    return info.tobuf(tarfile.GNU_FORMAT)


def _changed(entry: Entry) -> LoadProblem:
    return LoadProblem(f"{entry.name!r} was changed while the tar was read; load it again when it is whole")
