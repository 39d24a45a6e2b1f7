"""JSON documents: read as the standard library reads them, and refused where I-JSON says so."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import MalformedJson
from gateway.transcoding import documents

TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=("Cs",)), max_size=20)
JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


@given(value=JSON_VALUES, indent=st.sampled_from([None, 2]), ascii_only=st.booleans())
def test_every_document_is_read_as_the_standard_library_reads_it(
    value: Any, indent: int | None, *, ascii_only: bool
) -> None:
    raw = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode()
    assert documents.load(raw) == value


@given(
    around=st.dictionaries(TEXT, JSON_VALUES, max_size=3),
    name=TEXT,
    values=st.tuples(JSON_VALUES, JSON_VALUES),
)
def test_a_name_given_twice_is_refused_wherever_it_is(
    around: dict[str, Any], name: str, values: tuple[Any, Any]
) -> None:
    marks = {"here": 0}
    twice = ",".join(f"{json.dumps(name)}:{json.dumps(value)}" for value in values)
    raw = json.dumps([around, marks]).replace('"here": 0', twice, 1)
    if json.loads(raw)[1].keys() == {name}:
        with pytest.raises(MalformedJson):
            documents.load(raw.encode())


def test_nesting_is_bounded() -> None:
    assert documents.load(b"[" * 32 + b"]" * 32) is not None
    for depth in (33, 5_000):
        with pytest.raises(MalformedJson):
            documents.load(b"[" * depth + b"]" * depth)


def test_numbers_beyond_floats_are_refused() -> None:
    for raw in (b"1e999", b"-1e999", b"NaN", b"Infinity"):
        with pytest.raises(MalformedJson):
            documents.load(raw)
    assert math.isfinite(documents.load(b"1e308"))
