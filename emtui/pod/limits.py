"""What a pod may use, as an operator writes it: `2G` of memory, `1.5` processors, `256` processes."""

import math
import re

LEAST_MEMORY_BYTES = 6 << 20
"""Docker's own minimum: below it no container can be made."""

LEAST_CPUS = 0.1
LEAST_PROCESSES = 4
"""A shell, what it starts, and a pipe between two of them."""

# What the kernel counts to, and more than any machine has.
_MOST_MEMORY_BYTES = 1 << 60
_MOST_CPUS = 4096.0
_MOST_PROCESSES = 1 << 22
# Digits of a number that are read: one that has more is too large in any case.
_DIGITS = 19

_SIZE = re.compile(r"(?P<number>[0-9]{1,19}(?:\.[0-9]{1,9})?) ?(?:(?P<unit>[KMGT])(?:iB|i|B)?|B)?", re.IGNORECASE)
_SHIFT = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}
_NUMBER = re.compile(r"[0-9]{1,7}(?:\.[0-9]{1,9})?")


def memory_bytes(value: object) -> int:
    """Memory in bytes of `512M`, `2G`, `1.5 GiB` or a whole number of bytes; units are IEC's, by 1,024.

    Raises:
        ValueError: with what is wrong, for people.
    """
    found = None if isinstance(value, bool) else _SIZE.fullmatch(str(value).strip())
    if found is None:
        raise ValueError(f"a size such as 512M or 2G is needed, not {_shown(value)}")
    size = math.floor(float(found["number"]) * (1 << _SHIFT[(found["unit"] or "").upper()]))
    if size < LEAST_MEMORY_BYTES:
        raise ValueError(f"at least 6M is needed, not {_shown(value)}")
    if size > _MOST_MEMORY_BYTES:
        raise ValueError(f"no machine has {_shown(value)} of memory: {_MOST_MEMORY_BYTES >> 40}T is the most")
    return size


def cpus(value: object) -> float:
    """Processors, of which a part may be one: `1.5`, 2.

    Raises:
        ValueError: with what is wrong, for people.
    """
    found = None if isinstance(value, bool) else _NUMBER.fullmatch(str(value).strip())
    number = float(found[0]) if found is not None else 0.0
    if not LEAST_CPUS <= number <= _MOST_CPUS:
        most = f" and at most {_MOST_CPUS:g}" if number > _MOST_CPUS else ""
        raise ValueError(f"a number of processors, {LEAST_CPUS:g} or more{most}, is needed, not {_shown(value)}")
    return number


def processes(value: object) -> int:
    """How many processes and threads at one time: `256`.

    Raises:
        ValueError: with what is wrong, for people.
    """
    text = "" if isinstance(value, bool) else str(value).strip()
    number = int(text[:_DIGITS]) if text.isascii() and text.isdigit() else 0
    if not LEAST_PROCESSES <= number <= _MOST_PROCESSES:
        most = f" and at most {_MOST_PROCESSES}" if number > _MOST_PROCESSES else ""
        raise ValueError(
            f"a whole number of processes, {LEAST_PROCESSES} or more{most}, is needed, not {_shown(value)}"
        )
    return number


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:39]}…"
