"""The userland of a base image: a farm of links to this machine's `/usr`, and a small `/etc` of its own."""

import os
from pathlib import Path

from emtui.local.engines.sandbox.rootfs import HOST, HOST_ETC, Rootfs
from emtui.local.handles import DirHandle

_FOLDERS = {"proc": 0o755, "dev": 0o755, "sys": 0o755, "data": 0o755, "root": 0o700, "home": 0o755, "opt": 0o755,
            "srv": 0o755, "mnt": 0o755, "media": 0o755, "run": 0o755, "var": 0o755, "var/tmp": 0o1777, "var/log": 0o755,
            "var/lib": 0o755, "var/cache": 0o755, "tmp": 0o1777, "etc": 0o755, "usr": 0o755, HOST: 0o755}  # fmt: skip

# Unfolded from the start, since a RUN writes there most and cannot unfold anything itself.
_UNFOLDED = ("usr/bin", "usr/sbin", "usr/local")
_LOCAL_LEVELS = 3
_LOCAL_LINKS = 5_000

_USERS = """\
root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
bin:x:2:2:bin:/bin:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
"""
_GROUP = "root:x:0:\ndaemon:x:1:\nbin:x:2:\ntty:x:5:\nnogroup:x:65534:\n"
_FILES = {
    "passwd": _USERS,
    "group": _GROUP,
    "hosts": "127.0.0.1\tlocalhost\n::1\tlocalhost\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\nservices: files\nprotocols: files\n",
    "resolv.conf": "",
    "shells": "/bin/sh\n",
}

# What a base image has and this machine's userland may call otherwise: (base, name, what stands for it).
_ALIASES = (
    ("alpine", "ash", "sh"),
    ("busybox", "ash", "sh"),
    ("python", "python", "python3"),
)


def make_farm(folder: DirHandle, base: str) -> None:
    """Fill an empty folder with the root of the base image `base`. Raises OSError."""
    make_userland(folder)
    root = Rootfs(folder)
    for name in _UNFOLDED:
        root.open_dir(name).close()
    _unfold_local(root, "/usr/local", _LOCAL_LEVELS)
    for wanted_base, alias, program in _ALIASES:
        if base == wanted_base and not find_program(root, alias) and find_program(root, program):
            with root.open_dir("/usr/bin") as folder_bin:
                os.symlink(find_program(root, program), alias, dir_fd=folder_bin.fd)


def make_userland(folder: DirHandle) -> None:
    """Fill an empty folder with a root that commands run in, and in which nobody can write to `/usr`. Quick: it is
    some dozens of links. Raises OSError."""
    for name, mode in _FOLDERS.items():
        with folder.open_dir(tuple(name.split("/")), create=True) as made:
            os.fchmod(made.fd, mode)
    _usr(folder)
    _etc(folder)
    Rootfs(folder).ensure_mountpoints(())


def make_scratch(folder: DirHandle) -> None:
    """Fill an empty folder with the root of `FROM scratch`: what is mounted over, and nothing else. Raises OSError."""
    Rootfs(folder).ensure_mountpoints(("/proc", "/dev", "/data", "/tmp"))  # noqa: S108 - inside


def find_program(root: Rootfs, name: str) -> str:
    """Where a program of the userland is, empty where it is not."""
    for place in ("/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin"):
        if root.find(f"{place}/{name}") is not None:
            return f"{place}/{name}"
    return ""


def _usr(folder: DirHandle) -> None:
    with folder.open_dir(("usr",)) as usr:
        for entry in os.listdir("/usr"):  # noqa: PTH208 - names are wanted
            os.symlink(f"/{HOST}/usr/{entry}", entry, dir_fd=usr.fd)
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        place = Path(f"/{name}")
        if place.is_symlink():
            os.symlink(place.readlink(), name, dir_fd=folder.fd)
        elif place.is_dir():
            os.symlink(f"/{HOST}/{name}", name, dir_fd=folder.fd)


def _etc(folder: DirHandle) -> None:
    with folder.open_dir(("etc",)) as etc:
        for name, text in _FILES.items():
            with os.fdopen(etc.create_file(name, 0o644), "w") as file:
                file.write(text)
        for name in HOST_ETC:
            if not Path(f"/etc/{name}").exists():
                continue
            *folders, last = name.split("/")
            with etc.open_dir(tuple(folders), create=True) as parent:
                os.symlink(f"/{HOST}/etc/{name}", last, dir_fd=parent.fd)


def _unfold_local(root: Rootfs, path: str, levels: int) -> None:
    """Unfold `/usr/local` some levels down, so that `pip` and `make install` find folders to write to."""
    links = 0
    waiting = [(path, levels)]
    while waiting and links < _LOCAL_LINKS:
        current, left = waiting.pop()
        with root.open_dir(current) as folder:
            names = [entry.name for entry in folder.scan() if entry.type == "link"]
        links += len(names)
        if left <= 0 or links > _LOCAL_LINKS:
            continue
        for name in names:
            below = root.find(f"{current}/{name}")
            is_own = os.path.islink(f"{current}/{name}")  # noqa: PTH114 - the machine's own link stays one
            if below is not None and below.is_folder and not is_own:
                waiting.append((f"{current}/{name}", left - 1))
