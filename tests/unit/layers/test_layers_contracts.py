from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from rtm_pipeline.errors import SchemaError
from rtm_pipeline.layers.contracts import check_layer
from rtm_pipeline.layers.layer import Layer, LayerResult
from rtm_pipeline.layers.spec import Categories, DateSpec, LayerSpec


@pytest.fixture
def layer(read: Callable[..., LayerResult], site: Callable[..., LayerSpec], snapshot: Callable[..., pa.Table]) -> Layer:
    columns = {"x": ["360000"] * 3, "y": ["4325000"] * 3, "when": ["2020-01-01"] * 3, "code": ["a", "b", "a"]}
    spec = site(kind="events", date=DateSpec("when"), categories=Categories(("code",), {"a": ("a",), "b": ("b",)}))
    return read(spec, snapshot(columns)).layer


def changed(values: np.ndarray, index: int, value: object) -> np.ndarray:
    copy = values.copy()
    copy[index] = value
    return copy


def test_a_good_layer_passes(layer: Layer) -> None:
    check_layer(layer, dated=True)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("x", np.nan, r"breaks the contract of events .*: x not_nullable \(row 1"),
        ("y", np.inf, r"y is finite \(row 1: inf\)"),
        ("time", np.datetime64("NaT", "s"), r"time not_nullable"),
        ("known_at", np.datetime64("NaT", "s"), "known_at not_nullable"),
        ("known_at", np.datetime64("2020-01-01T00:00:00", "s"), "known_after_it_happened is so"),
        ("category", -2, r"category greater_than_or_equal_to\(-1\)"),
        ("category", 2, "has a category beyond the 2 declared"),
        ("incident", -1, r"incident greater_than_or_equal_to\(0\)"),
    ],
)
def test_a_bad_value_is_named(layer: Layer, name: str, value: object, message: str) -> None:
    bad = replace(layer, **{name: changed(getattr(layer, name), 1, value)})  # type: ignore[arg-type]
    with pytest.raises(SchemaError, match=message):
        check_layer(bad, dated=True)
    with pytest.raises(SchemaError, match=message):
        check_layer(replace(layer, withdrawn=bad), dated=True)


def test_wrong_types_and_lengths(layer: Layer) -> None:
    with pytest.raises(SchemaError, match=r"time must be datetime64\[s\]; found datetime64\[ns\]"):
        check_layer(replace(layer, time=layer.time.astype("datetime64[ns]")))
    with pytest.raises(SchemaError, match=r"has 3 rows, but \{'until': 2\} differ"):
        check_layer(replace(layer, until=layer.until[:2]))
