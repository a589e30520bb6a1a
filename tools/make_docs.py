"""Writes the parts of the documentation that come out of the program itself.

    python tools/make_docs.py [--check]

A page holds the name of such a part between two comments:

    <!-- generated: exit codes -->
    <!-- end of generated -->

What stands between them is replaced. `--check` writes nothing: it says which pages are out of date, and ends with 1
where there are any.
"""

import re
import sys
from collections.abc import Callable
from pathlib import Path

import docs_commands
from docs_markdown import code, prose, table

ROOT = Path(__file__).parents[1]
COMMAND = "make generated"

_PART = re.compile(r"(<!-- generated: ([a-z ]+) -->\n).*?(<!-- end of generated -->)", re.DOTALL)
_BEGIN = re.compile(r"<!-- generated\b")


def configuration() -> str:
    """Every key of the configuration, with its variable and its option."""
    from emtui.config.reference import markdown

    return markdown()


def keys() -> str:
    """Every key of the console, by where it works."""
    from emtui.keys.keymap import reference_rows

    rows = [
        (prose(row.group), ", ".join(code(key) for key in row.keys.split(", ")), prose(row.meaning), code(row.id))
        for row in reference_rows()
    ]
    return table(("where", "key", "what it does", "id"), rows)


PARTS: dict[str, Callable[[], str]] = {
    "commands": docs_commands.commands,
    "common options": docs_commands.common_options,
    "exit codes": docs_commands.exit_codes,
    "configuration": configuration,
    "keys": keys,
}


def renewed(name: str, text: str) -> str:
    """A page with its parts as they are now. Raises SystemExit for one that is not known, or has no end."""

    def part(found: "re.Match[str]") -> str:
        if found[2] not in PARTS:
            raise SystemExit(f"{name}: there is no part {found[2]!r}; there are {', '.join(PARTS)}")
        return f"{found[1]}\n{PARTS[found[2]]().strip()}\n\n{found[3]}"

    if len(_BEGIN.findall(text)) != len(_PART.findall(text)):
        raise SystemExit(f"{name}: a generated part has no `<!-- end of generated -->`")
    return _PART.sub(part, text)


def main(arguments: list[str]) -> int:
    is_check = "--check" in arguments
    stale: list[str] = []
    for path in (*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))):
        name = str(path.relative_to(ROOT))
        before = path.read_text(encoding="utf-8")
        after = renewed(name, before)
        if after != before:
            stale.append(name)
            if not is_check:
                path.write_text(after, encoding="utf-8")
    if stale:
        print(f"{'out of date' if is_check else 'written'}: {', '.join(stale)}")
    if stale and is_check:
        print(f"{COMMAND} writes them anew")
    return 1 if stale and is_check else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
