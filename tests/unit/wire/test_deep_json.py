"""JSON that is too deep for Python's own reader, and what is no JSON."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emtui.wire.deep_json import MAX_DEPTH, loads

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=30,
)
TOO_DEEP_FOR_PYTHON = 3000


@given(value=VALUES, indent=st.sampled_from([None, 1]))
def test_what_is_deep_is_read_as_python_reads_what_is_not(value: Any, indent: int | None) -> None:
    text = json.dumps(value, indent=indent)
    deep = loads("[" * TOO_DEEP_FOR_PYTHON + text + "]" * TOO_DEEP_FOR_PYTHON)
    for _ in range(TOO_DEEP_FOR_PYTHON):
        (deep,) = deep
    assert deep == loads(text) == value


@pytest.mark.parametrize(
    "text",
    ["[", "[1,]", '{"a": 1,}', '{"a" 1}', "[1 2]", "{1: 2}", "nul", "[1]]", '"a', "NaN", "[-Infinity]", "01",
     "1" * 6000],
)  # fmt: skip
@pytest.mark.parametrize("depth", [0, TOO_DEEP_FOR_PYTHON])
def test_what_is_no_json_is_refused(text: str, depth: int) -> None:
    with pytest.raises(ValueError):
        loads("[" * depth + text + "]" * depth)


def test_nothing_is_no_json() -> None:
    with pytest.raises(ValueError, match="Expecting value"):
        loads(b"")


def test_there_is_a_bound() -> None:
    assert loads("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    with pytest.raises(ValueError, match="deeper"):
        loads("[" * 100_000 + "]" * 100_000)


def test_a_byte_order_mark_and_lone_surrogates_are_read() -> None:
    assert loads(b'\xef\xbb\xbf["\\udce9"]') == ["\udce9"]
    with pytest.raises(ValueError, match="codec"):
        loads(b'["caf\xe9"]')
