"""Text of values: one form for each value, and an encoding that a digest can rest on."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rtm_pipeline.sources.portals.json_text import parse, text_of
from rtm_pipeline.sources.values import as_text, json_text, stripped


def texts(values, kind) -> list[str | None]:
    return as_text(pa.chunked_array([pa.array(values, kind)])).to_pylist()


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        ([1, None, -7], pa.int32(), ["1", None, "-7"]),
        ([2**62], pa.int64(), [str(2**62)]),
        ([1.0, 2.5, -0.0, None], pa.float64(), ["1", "2.5", "0", None]),
        ([10019000015.0, 1e15, 1e300], pa.float64(), ["10019000015", "1000000000000000", "1e+300"]),
        ([float("nan"), float("inf")], pa.float64(), [None, "inf"]),
        ([0.1, 16777216.0], pa.float32(), ["0.1", "16777216"]),
        ([True, False, None], pa.bool_(), ["true", "false", None]),
        ([0, None], pa.date32(), ["1970-01-01", None]),
        ([0, 86_399_000], pa.time32("ms"), ["00:00:00.000", "23:59:59.000"]),
        ([0, 1_500_000], pa.timestamp("us"), ["1970-01-01T00:00:00", "1970-01-01T00:00:01.500000"]),
        ([0], pa.timestamp("s", "America/Chicago"), ["1970-01-01T00:00:00Z"]),
        ([None], pa.null(), [None]),
        ([b"\x00\xff"], pa.binary(), ["00ff"]),
        ([{"b": 1, "a": [1.5]}], pa.struct([("b", pa.int64()), ("a", pa.list_(pa.float64()))]), ['{"a":[1.5],"b":1}']),
        (["x"], pa.large_string(), ["x"]),
    ],
)
def test_text_of_every_type(values, kind, expected):
    assert texts(values, kind) == expected


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False)))
def test_floats_read_back_the_same(values):
    assert [float(text) for text in texts(values, pa.float64())] == values


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32)))
def test_short_floats_read_back_the_same(values):
    assert [np.float32(text) for text in texts(values, pa.float32())] == [np.float32(value) for value in values]


def test_stripped():
    column = pa.chunked_array([[" a ", "", None], ["NA", "\u00a0b\t", " NA "], []], pa.string())
    assert stripped(column).to_pylist() == ["a", None, None, "NA", "b", "NA"]
    assert stripped(column, ("NA",)).to_pylist() == ["a", None, None, None, "b", None]
    assert stripped(pa.chunked_array([], pa.string())).to_pylist() == []


def test_json_text_is_stable():
    assert json_text({"b": 1, "a": {"d": None, "c": "é"}}) == '{"a":{"c":"é","d":null},"b":1}'


def test_numbers_of_portals_keep_their_digits():
    value = parse(b'{"x": 1.50, "y": 123456789012345678901, "z": 1e3, "t": true, "o": {"n": 0.10}}')
    assert isinstance(value, dict)
    assert {name: text_of(item) for name, item in value.items()} == {
        "x": "1.50",
        "y": "123456789012345678901",
        "z": "1e3",
        "t": "true",
        "o": '{"n":0.1}',
    }


@pytest.mark.parametrize("data", [b"", b"{", b'{"a": NaN}', b"[" * 100_000, b"\xff", b'"' + b"x" * 50])
def test_json_that_is_none_says_nothing_of_its_content(data):
    with pytest.raises(ValueError, match="JSON that can't be read") as caught:
        parse(data)
    assert "xxx" not in str(caught.value)
