"""No module over 400 lines: one that grows towards it has two subjects.

    python tools/check_modules.py FOLDER...

Exit code 1 when a module is too long.
"""

import sys
from pathlib import Path

MOST_LINES = 400


def too_long(folders: list[Path], most_lines: int = MOST_LINES) -> list[tuple[Path, int]]:
    """The modules below `folders` with more than `most_lines` lines, each with its length."""
    lengths = (
        (path, len(path.read_text(encoding="utf-8").splitlines()))
        for folder in folders
        for path in sorted(folder.rglob("*.py"))
    )
    return [(path, length) for path, length in lengths if length > most_lines]


def main(arguments: list[str]) -> int:
    found = too_long([Path(argument) for argument in arguments])
    for path, length in found:
        print(f"{path}: {length} lines, {MOST_LINES} at most: split it by subject")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
