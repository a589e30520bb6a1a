"""In which line each key of a configuration stands."""

import tomllib
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emtui.config.positions import Path, positions


def _paths(value: object, before: Path = ()) -> set[Path]:
    """Every key, table and element of what TOML's own reader gave."""
    pairs: list[tuple[str | int, Any]] = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    found = {(*before, key) for key, _ in pairs}
    for key, inner in pairs:
        found |= _paths(inner, (*before, key))
    return found


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("a = 1\nb.c = 2\n", {("a",): 1, ("b",): 2, ("b", "c"): 2}),
        ("\n[ profile . em ] # x\n'user name' = 1\n", {("profile", "em"): 2, ("profile", "em", "user name"): 3}),
        ('["a.b"."c\\u0064"]\nx = 1', {("a.b", "cd"): 1, ("a.b", "cd", "x"): 2}),
        ("a = [\n  1, # ]\n  [2,\n 3],\n]\nb = 1", {("a", 0): 2, ("a", 1): 3, ("a", 1, 1): 4, ("b",): 6}),
        ("a = { b = 1, c = { d = '}' } }\ne = 1", {("a", "c", "d"): 1, ("e",): 2}),
        ('a = """\n[x]\nb = 1\n"""\nc = 2', {("a",): 1, ("c",): 5}),
        ("a = '''x\n''''\nc = \"\\\"#\" # y\nd = 1", {("c",): 3, ("d",): 4}),
        ('a = """""x"""""\nb = 1', {("b",): 2}),
        ("[[a]]\nx = 1\n[[a]]\nx = 2\n[a.b]\ny = 3", {("a", 0, "x"): 2, ("a", 1, "x"): 4, ("a", 1, "b", "y"): 6}),
        ("a = 1979-05-27 07:32:00\r\nb = 2\r\n", {("b",): 2}),
        ("\t# only\n\n  a\t=\t1\n", {("a",): 3}),
    ],
)
def test_each_key_has_its_line(text: str, lines: Mapping[Path, int]) -> None:
    found = positions(text)
    assert found.stop is None
    assert {path: found.lines.get(path) for path in lines} == lines
    assert _paths(tomllib.loads(text)) <= found.lines.keys()


def test_what_has_no_line_of_its_own_has_that_of_what_it_is_in() -> None:
    found = positions("\n[a]\nb = 'x'\n")
    assert found.line(("a", "b", 3, "c")) == 3
    assert found.line(("a", "none")) == 2
    assert found.line(("none",)) is None


@pytest.mark.parametrize(
    ("text", "twice"),
    [
        ("a = 1\n\na = 2\n", (("a",), 1, 3)),
        ("[a]\nb = 1\n[c]\n[a]\n", (("a",), 1, 4)),
        ("a = { x = 1,\n x = 2 }\n", (("a", "x"), 1, 2)),
        ("a.b = 1\n[a]\nc = 2\n", (("a",), 1, 2)),
        ("a = 1\n[a.b]\n", (("a",), 1, 2)),
        ("a = 1\n[a]\n", (("a",), 1, 2)),
        ("a = 1\n[[a]]\n", (("a",), 1, 2)),
        ("a = 1\na.b = 1\n", (("a",), 1, 2)),
    ],
)
def test_a_key_that_is_there_twice_is_found(text: str, twice: tuple[Path, int, int]) -> None:
    with pytest.raises(tomllib.TOMLDecodeError):
        tomllib.loads(text)
    assert twice in positions(text).twice


@pytest.mark.parametrize(
    ("text", "stop"),
    [
        ("a = 1\nb = \n", (("b",), 2)),
        ('a = 1\nb = "x\nc = 1', (("b",), 2)),
        ("a = [1,\n2\n b = 1\n", (("a",), 3)),
        ("[a\n", ((), 1)),
        ("x = " + "[" * 5000, (("x",), 1)),
        (".".join(["a"] * 5000) + " = 1", ((), 1)),
    ],
)
def test_it_stops_where_it_cannot_go_on(text: str, stop: tuple[Path, int]) -> None:
    assert positions(text).stop == stop


# ------------------------------------------------------------------------------------------------ made documents

_NAMES = st.one_of(
    st.text("ab-_1", min_size=1, max_size=3),
    st.text("ab .#\"'\\[]={}é\t", max_size=4).map(
        lambda name: '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    ),
    st.text('ab .#"\\[]={}é', max_size=4).map(lambda name: f"'{name}'"),
)
_SPACES = st.sampled_from(["", " ", "\t "])
_STRINGS = st.one_of(
    st.text("a#[]{}=,'\n", max_size=6).map(lambda text: f'"""{text}"""'),
    st.text('a#[]{}=,"\\\n', max_size=6).map(lambda text: f"'''{text}'''"),
    st.text("a#[]{}=,'", max_size=6).map(lambda text: f'"{text}\\""'),
)
_SCALARS = st.one_of(_STRINGS, st.sampled_from(["1", "-0.5", "true", "1979-05-27 07:32:00", "inf", "0x1f"]))
_BREAKS = st.sampled_from(["", "\n", " # ] } =\n", "\n\n  "])


def _array(items: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(st.lists(st.tuples(_BREAKS, items, _BREAKS), max_size=3), st.booleans()).map(
        lambda made: "[" + ",".join("".join(item) for item in made[0]) + ("," if made[1] and made[0] else "") + "]"
    )


def _inline(items: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pairs = st.lists(st.tuples(_NAMES, _SPACES, items).map(lambda pair: f"{pair[0]}{pair[1]}= {pair[2]}"), max_size=3)
    return pairs.map(lambda made: "{ " + ", ".join(made) + " }")


_VALUES = st.recursive(_SCALARS, lambda items: _array(items) | _inline(items), max_leaves=5)
_KEYS = st.lists(_NAMES, min_size=1, max_size=3).flatmap(
    lambda names: _SPACES.map(lambda space: f"{space}.{space}".join(names))
)
_LINES = st.one_of(
    st.tuples(_SPACES, _KEYS, _VALUES, st.sampled_from(["", " # x = 1"])).map(
        lambda made: f"{made[0]}{made[1]} = {made[2]}{made[3]}"
    ),
    _KEYS.map(lambda key: f"[{key}]"),
    _KEYS.map(lambda key: f"[[ {key} ]]"),
    st.sampled_from(["", "# [x]", "  "]),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(_LINES, max_size=6), st.sampled_from(["\n", "\r\n"]))
def test_it_finds_what_tomls_own_reader_finds(lines: list[str], end: str) -> None:
    text = end.join(lines)
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        positions(text)
        return
    found = positions(text)
    assert found.stop is None
    assert found.twice == []
    assert found.lines.keys() == _paths(values)


@given(st.text("a.=[]{}\"'\\#, \n", max_size=40))
def test_it_ends_on_any_text(text: str) -> None:
    found = positions(text)
    assert all(1 <= line <= text.count("\n") + 1 for line in found.lines.values())
