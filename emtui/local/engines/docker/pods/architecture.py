"""Which architectures a machine can run: its own, and those that its kernel hands to an emulator (binfmt_misc)."""

import sys
from dataclasses import dataclass
from pathlib import Path

from emtui.local.engines.loading import architecture_name

HANDLERS = Path("/proc/sys/fs/binfmt_misc")

# Processors that run the code of an older one besides their own.
_SIBLINGS = {("386", "amd64"), ("arm", "arm64")}

# How an ELF file begins: its class (1: 32 bits, 2: 64), its order of bytes (1: little endian, 2: big), its machine.
_ELF = {
    "386": (1, 1, 0x03),
    "amd64": (2, 1, 0x3E),
    "arm": (1, 1, 0x28),
    "arm64": (2, 1, 0xB7),
    "loong64": (2, 1, 0x102),
    "mips64le": (2, 1, 0x08),
    "ppc64le": (2, 1, 0x15),
    "riscv64": (2, 1, 0xF3),
    "s390x": (2, 2, 0x16),
}
_MAGIC = b"\x7fELF"
_MACHINE_AT = 18


@dataclass(frozen=True, slots=True)
class _Handler:
    """An entry of binfmt_misc. `is_fixed`: its interpreter is held open, so that a container needs none inside."""

    name: str
    is_fixed: bool
    elf: tuple[int, int, int]


def runs_here(image: str, engine: str, has_local_kernel: bool, handlers: Path = HANDLERS) -> str:
    """Whether an engine on a machine of architecture `engine` can run an image for `image` (`arm64`, `arm/v7`, …).

    Empty where it can, and where that cannot be told: an architecture that is not said, or an engine with another
    kernel than this one. Else why not, with the remedy, as a sentence for the pod's state. `handlers` is the folder
    of binfmt_misc. Blocks for as long as a few small files take.
    """
    wanted, machine = _plain(image), _plain(engine)
    if not wanted or not machine or wanted == machine or (wanted, machine) in _SIBLINGS:
        return ""
    if not has_local_kernel or sys.platform != "linux" or wanted not in _ELF:
        return ""
    able = [handler for handler in _enabled(handlers) if handler.elf == _ELF[wanted]]
    if any(handler.is_fixed for handler in able):
        return ""
    why = (
        f" (its handler {able[0].name} lacks the flag F, without which a container does not see the emulator)"
        if able
        else ""
    )
    return (
        f"the image is for {image}, this engine's machine is {engine} and cannot run it{why}: install qemu-user-static "
        f"with binfmt support (your distribution's package, or docker run --rm --privileged tonistiigi/binfmt "
        f"--install {wanted}), or build for {machine}"
    )


def _plain(architecture: str) -> str:
    """Without its variant and in the words of images."""
    name = architecture.strip().lower().removeprefix("linux/").partition("/")[0]
    return "" if name == "unknown" else architecture_name(name)


def _enabled(folder: Path) -> list[_Handler]:
    try:
        if (folder / "status").read_text(encoding="ascii").strip() != "enabled":
            return []
        entries = sorted(entry for entry in folder.iterdir() if entry.name not in ("status", "register"))
    except (OSError, UnicodeDecodeError):
        return []  # not mounted: no handler can have been registered
    found = (_read(entry) for entry in entries)
    return [handler for handler in found if handler is not None]


def _read(entry: Path) -> _Handler | None:
    """A handler that is enabled and goes by how an ELF file begins; None for any other."""
    try:
        first, *lines = entry.read_text(encoding="utf-8", errors="replace").splitlines()
        fields = dict(line.partition(" ")[::2] for line in lines)
        magic = bytes.fromhex(fields.get("magic", ""))
    except (OSError, ValueError):
        return None
    if first != "enabled" or fields.get("offset", "0") != "0":
        return None
    if not magic.startswith(_MAGIC) or len(magic) < _MACHINE_AT + 2:
        return None
    machine = int.from_bytes(magic[_MACHINE_AT : _MACHINE_AT + 2], "big" if magic[5] == 2 else "little")
    return _Handler(entry.name, "F" in fields.get("flags:", ""), (magic[4], magic[5], machine))
