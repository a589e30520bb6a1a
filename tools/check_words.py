"""Nothing in the repository that belongs to one machine: no registry's address, no path of somebody's home.

    python tools/check_words.py

Reads the files that git tracks or would track. Exit code 1 when something is found.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

_RULES = {
    "the address of a package registry": re.compile(
        r"(?:https?://[^\s\"']*(?:pypi|pythonhosted|/simple\b|artifactory|devpi|nexus))|file:///\S*(?:simple|wheel|pypi)|"
        r"--(?:extra-)?index-url|--find-links|PIP_INDEX_URL|UV_INDEX"
    ),
    "a path of somebody's home": re.compile(r"(?<![\w.])/(?:home|Users)/[A-Za-z][\w.-]*/[\w.]"),
    "work that is left": re.compile(r"\b(?:TODO|FIXME|XXX)\b"),
}
# What this file itself has to name.
_EXEMPT = {"tools/check_words.py"}


def tracked(root: Path) -> list[str]:
    """The files that git tracks, and those that it would."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, check=True, capture_output=True).stdout
    return sorted({name for name in listed.decode().split("\0") if name})


def faults(name: str, text: str, root: Path) -> Iterator[str]:
    """What is wrong in one file, as `name:line: what`."""
    here = str(root.resolve())
    for number, line in enumerate(text.splitlines(), 1):
        for what, pattern in _RULES.items():
            if found := pattern.search(line):
                yield f"{name}:{number}: {what}: {found.group()}"
        # A short path such as /src would be found in every second file.
        if here.count("/") > 1 and re.search(rf"{re.escape(here)}(?![\w-])", line):
            yield f"{name}:{number}: the path of this checkout"


def main() -> int:
    root = Path(__file__).parents[1]
    found: list[str] = []
    for name in tracked(root):
        path = root / name
        if name in _EXEMPT or not path.is_file() or path.is_symlink():
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # not a text
        found += faults(name, text, root)
    print("\n".join(found) if found else "no words of one machine")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
