"""Process 1 of a pod that `unshare` has put into new namespaces: makes its world, runs the command, reaps.

Started as `python -m … CONTROL STATUS`, two descriptors. The first line of CONTROL is the `Jail` as JSON. It ends with
the command's code (128 + signal), or tells STATUS why the command could not be executed.

The pod can see process 1 in its /proc, so it gives up its own capabilities, forbids to be traced or read, holds no
descriptor of this machine's files, and stands in the pod's own root. All modules are loaded before the root changes.
"""

import ctypes
import errno
import fcntl
import json
import os
import re
import select
import signal
import socket
import struct
import sys
from pathlib import Path

from emtui.local.engines.sandbox.jail import PROC_MASKED, PROC_READ_ONLY, SHM, VOLUME, Jail, heeds, present_in_proc
from emtui.local.engines.sandbox.limits import lower

_LIBC = ctypes.CDLL(None, use_errno=True)

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_NOATIME, MS_NODIRATIME, MS_BIND, MS_REC = 32, 1024, 2048, 4096, 16384
MS_PRIVATE, MS_RELATIME = 1 << 18, 1 << 21
MNT_DETACH = 2
PR_SET_DUMPABLE, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT = 4, 24, 38, 47
PR_CAP_AMBIENT_CLEAR_ALL = 4
_CAPABILITY_VERSION_3 = 0x20080522
_SIOCSIFFLAGS, _IFF_UP_RUNNING = 0x8914, 0x41
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_KEPT_FLAGS = (
    (os.ST_NOSUID, MS_NOSUID),
    (os.ST_NODEV, MS_NODEV),
    (os.ST_NOEXEC, MS_NOEXEC),
    (os.ST_NOATIME, MS_NOATIME),
    (os.ST_NODIRATIME, MS_NODIRATIME),
    (os.ST_RELATIME, MS_RELATIME),
)


def _checked(result: int, what: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


def _mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    _checked(
        _LIBC.mount(os.fsencode(source), os.fsencode(target), kind.encode(), ctypes.c_ulong(flags), data.encode()),
        f"mount {target}",
    )


def _flags_of(target: str) -> int:
    """What a mount of another namespace is locked to; a remount must keep it."""
    have = os.statvfs(target).f_flag
    return sum(mount_flag for flag, mount_flag in _KEPT_FLAGS if have & flag)


def _bind(source: str, target: str, extra: int) -> None:
    """Mount a folder or file of this machine in the new root, with all that is mounted below it."""
    _mount(source, target, "", MS_BIND | MS_REC)
    real = os.path.realpath(target)
    for place in [*_mounts_below(real), real]:
        _mount("", place, "", MS_BIND | MS_REMOUNT | extra | _flags_of(place))


def _mounts_below(folder: str) -> list[str]:
    found = []
    for line in Path("/proc/self/mountinfo").read_text(errors="surrogateescape").splitlines():
        place = re.sub(r"\\([0-7]{3})", lambda matched: chr(int(matched[1], 8)), line.split(" ")[4])
        if place.startswith(f"{folder}/"):
            found.append(place)
    return found


def _make_world(jail: Jail) -> None:
    _mount("none", "/", "", MS_REC | MS_PRIVATE)
    root = jail.root
    _mount(root, root, "", MS_BIND)
    for source, target in jail.read_only_binds():
        _bind(source, root + target, MS_RDONLY | MS_NOSUID | MS_NODEV)
    _make_proc(f"{root}/proc")
    _make_dev(f"{root}/dev", jail.shm, root + SHM)
    if jail.volume:
        _bind(jail.volume, root + VOLUME, MS_NOSUID | MS_NODEV)
    os.chdir(root)
    _mount("", ".", "", MS_BIND | MS_REMOUNT | MS_NOSUID | MS_NODEV | _flags_of("."))
    _checked(_LIBC.pivot_root(b".", b"."), "pivot_root")
    _checked(_LIBC.umount2(b".", MNT_DETACH), "umount")
    os.chdir("/")
    socket.sethostname(jail.hostname)
    _loopback_up()


def _make_proc(proc: str) -> None:
    _mount("proc", proc, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    for path, source in [
        *((place, "") for place in present_in_proc(PROC_READ_ONLY)),
        *((place, "/dev/null") for place in present_in_proc(PROC_MASKED)),
    ]:
        place = proc + path.removeprefix("/proc")
        _mount(source or place, place, "", MS_BIND)
        _mount("", place, "", MS_BIND | MS_REMOUNT | MS_RDONLY | _flags_of(place))


def _make_dev(dev: str, shm: str, shm_target: str) -> None:
    _mount("tmpfs", dev, "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=755,size=64k")
    for name in _DEVICES:
        if Path(f"/dev/{name}").is_char_device():
            os.close(os.open(f"{dev}/{name}", os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o666))
            _mount(f"/dev/{name}", f"{dev}/{name}", "", MS_BIND)
    for name, target in (("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"), ("stdout", "/proc/self/fd/1"),
                         ("stderr", "/proc/self/fd/2"), ("ptmx", "pts/ptmx")):  # fmt: skip
        Path(f"{dev}/{name}").symlink_to(target)
    Path(f"{dev}/pts").mkdir()
    _mount("devpts", f"{dev}/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620")
    Path(shm_target).mkdir()
    _bind(shm, shm_target, MS_NOSUID | MS_NODEV)
    _mount("", dev, "", MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NOEXEC, "mode=755,size=64k")


def _loopback_up() -> None:
    """Programs talk to themselves over localhost; there is nothing else in the pod's network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        fcntl.ioctl(channel, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", _IFF_UP_RUNNING))


def _drop_capabilities() -> None:
    for capability in range(64):
        if _LIBC.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            break  # one past the last capability of this kernel
    _LIBC.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    header = struct.pack("Ii", _CAPABILITY_VERSION_3, 0)
    _checked(_LIBC.capset(header, bytes(24)), "capset")
    _checked(_LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")


def _execute(jail: Jail, status: int) -> None:
    """In the child: the command, or why not. Never returns."""
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGPIPE, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        os.chdir(jail.cwd)
        lower(0, jail.limits)
        _drop_capabilities()
        os.execve(jail.argv[0], jail.argv, jail.env)  # noqa: S606 - the pod's command, as it is
    except OSError as error:
        why = os.strerror(error.errno).lower() if error.errno else str(error)
        os.write(status, json.dumps({"error": f"exec {jail.argv[0]}: {why}"}).encode())
    finally:
        os._exit(127)


def _read_line(control: int) -> bytes:
    line = bytearray()
    while not line.endswith(b"\n"):
        byte = os.read(control, 1)
        if not byte:
            raise EOFError
        line += byte
    return bytes(line)


def _watch(command: int, control: int, woken: int) -> int:
    """Reap until the command ends; pass SIGTERM on. The end of CONTROL means that nobody is left to ask."""
    watched = [control, woken]
    while True:
        while True:
            try:
                pid, code = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return 255
            if pid == 0:
                break
            if pid == command:
                ended = os.waitstatus_to_exitcode(code)
                return 128 - ended if ended < 0 else ended
        ready, _, _ = select.select(watched, [], [])
        if woken in ready:
            os.read(woken, 4096)
        if control in ready:
            order = os.read(control, 64)
            if not order:
                return 137
            if b"T" in order and heeds(command, signal.SIGTERM):
                os.kill(command, signal.SIGTERM)


def main(control: int, status: int) -> int:
    """Make the world, run, reap; the exit code."""
    jail = Jail.from_json(_read_line(control).decode())
    try:
        _make_world(jail)
        _LIBC.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    except OSError as error:
        os.write(status, json.dumps({"error": f"sandbox: {error.strerror or error}"}).encode())
        return 126
    woken, wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    for descriptor in (control, status):
        os.set_inheritable(descriptor, False)
    command = os.fork()
    if command == 0:
        _execute(jail, status)
    try:
        _drop_capabilities()
    except OSError as error:
        if error.errno != errno.EPERM:
            raise
    return _watch(command, control, woken)


if __name__ == "__main__":
    code = main(int(sys.argv[1]), int(sys.argv[2]))
    os._exit(code)
