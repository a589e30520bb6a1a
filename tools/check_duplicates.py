"""No piece of code twice.

    python tools/check_duplicates.py FOLDER...

Two measures: `EXACT_LINES` lines that are the same to the letter, and `SHAPE_LINES` lines that are the same but for
their names, strings and numbers. Only lines that say something count: no comments, docstrings, imports, or lines of
nothing but punctuation. Exit code 1 when there is a pair.
"""

import io
import sys
import tokenize
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from keyword import iskeyword
from pathlib import Path

EXACT_LINES = 8
# Alike but for the names is how declarations look; a run counts only when it is long and its lines differ in shape.
SHAPE_LINES = 14
SHAPE_KINDS = 8

_SILENT = {tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING, tokenize.ENDMARKER}


@dataclass(frozen=True)
class Line:
    """A line that says something: its number, its text and its shape with white space folded."""

    number: int
    exact: str
    shape: str


@dataclass(frozen=True)
class Pair:
    """The same run of lines in two places."""

    kind: str
    first: Path
    first_lines: tuple[int, int]
    second: Path
    second_lines: tuple[int, int]

    def __str__(self) -> str:
        places = [
            f"{path}:{begin}-{end}"
            for path, (begin, end) in ((self.first, self.first_lines), (self.second, self.second_lines))
        ]
        return f"{places[0]} and {places[1]}: the same {self.kind}"


def _shape(token: tokenize.TokenInfo) -> str:
    if token.type == tokenize.NAME:
        return token.string if iskeyword(token.string) else "n"
    if token.type == tokenize.NUMBER:
        return "0"
    return token.string if token.type == tokenize.OP else "s"


def _statements(text: str) -> Iterator[list[tokenize.TokenInfo]]:
    statement: list[tokenize.TokenInfo] = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NEWLINE:
            yield statement
            statement = []
        elif token.type not in _SILENT:
            statement.append(token)


def significant_lines(text: str) -> list[Line]:
    """The lines of a module that count."""
    lines: list[Line] = []
    for statement in _statements(text):
        is_docstring = len(statement) == 1 and statement[0].type == tokenize.STRING
        if not statement or is_docstring or statement[0].string in ("import", "from"):
            continue
        tokens: dict[int, list[tokenize.TokenInfo]] = defaultdict(list)
        for token in statement:
            tokens[token.start[0]].append(token)
        lines += [
            Line(number, " ".join(token.string for token in on_line), " ".join(map(_shape, on_line)))
            for number, on_line in tokens.items()
            if any(token.type != tokenize.OP for token in on_line)
        ]
    return lines


def _runs(modules: dict[Path, list[Line]], kind: str, least: int, kinds: int) -> Iterator[Pair]:
    texts = {path: [getattr(line, kind) for line in lines] for path, lines in modules.items()}
    places: dict[tuple[str, ...], list[tuple[Path, int]]] = defaultdict(list)
    for path, keys in texts.items():
        for start in range(len(keys) - least + 1):
            window = tuple(keys[start : start + least])
            if len(set(window)) >= kinds:
                places[window].append((path, start))
    starts = {pair for same in places.values() for pair in combinations(same, 2)}
    for (first, i), (second, j) in sorted(starts):
        if ((first, i - 1), (second, j - 1)) in starts:
            continue  # the run began earlier
        length = least
        while ((first, i + length - least + 1), (second, j + length - least + 1)) in starts:
            length += 1
        if first == second and j < i + length:
            continue  # a run that overlaps itself is a table
        spans = [
            (modules[path][at].number, modules[path][at + length - 1].number) for path, at in ((first, i), (second, j))
        ]
        yield Pair(
            f"{length} lines" if kind == "exact" else f"shape of {length} lines", first, spans[0], second, spans[1]
        )


def duplicates(paths: Sequence[Path]) -> list[Pair]:
    """Every pair of places in the modules `paths` that hold the same code."""
    modules = {path: significant_lines(path.read_text(encoding="utf-8")) for path in paths}
    return [*_runs(modules, "exact", EXACT_LINES, 1), *_runs(modules, "shape", SHAPE_LINES, SHAPE_KINDS)]


def main(arguments: list[str]) -> int:
    pairs = duplicates([path for folder in arguments for path in sorted(Path(folder).rglob("*.py"))])
    for pair in pairs:
        print(f"{pair}: say it once")
    return 1 if pairs else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
