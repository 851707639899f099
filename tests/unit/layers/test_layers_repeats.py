"""Repeat requests belong to the incident of the first report, and leave the count of a factor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import numpy as np
import pyarrow as pa
from support.cells import square_grid

from rtm_pipeline import factors
from rtm_pipeline.factors.spec import FactorSpec
from rtm_pipeline.layers.layer import LayerResult
from rtm_pipeline.layers.repeats import repeat_of
from rtm_pipeline.layers.spec import Categories, DateSpec, KnownAt, LayerSpec

COLUMNS = {
    "x": ["360000", "360030", "360030", "360000", "360000", "360200"],
    "y": ["4325000"] * 6,
    "when": ["2019-01-01", "2019-01-11", "2019-01-12", "2019-02-20", "2019-01-05", "2019-01-02"],
    "kind": ["dumping", "dumping", "graffiti", "dumping", "dumping", "dumping"],
}


def requests(site: Callable[..., LayerSpec], **more: object) -> LayerSpec:
    return site(
        kind="requests",
        date=DateSpec("when", ("%Y-%m-%d",)),
        known_at=KnownAt(),
        categories=Categories(("kind",), {"dumping": ("dumping",), "graffiti": ("graffiti",)}),
        **more,
    )


def test_repeats_share_the_incident_of_the_first_report(
    read: Callable[..., LayerResult], snapshot: Callable[..., pa.Table], site: Callable[..., LayerSpec]
) -> None:
    found = read(requests(site), snapshot(COLUMNS))
    # Of one kind, within 50 m and 30 days: rows 1 and 4 repeat row 0; another kind, 50 days later, 200 m off do not.
    assert repeat_of(found.layer).tolist() == [-1, 0, -1, -1, 0, -1]
    assert found.notes["repeats"] == 2
    assert found.counts.kept == 6


def test_other_layers_are_let_be(
    read: Callable[..., LayerResult], snapshot: Callable[..., pa.Table], site: Callable[..., LayerSpec]
) -> None:
    events = read(replace(requests(site), kind="events"), snapshot(COLUMNS))
    assert repeat_of(events.layer).tolist() == [-1] * 6
    assert "repeats" not in events.notes


def test_repeats_leave_the_count_of_a_factor(
    read: Callable[..., LayerResult], snapshot: Callable[..., pa.Table], site: Callable[..., LayerSpec]
) -> None:
    layer = read(requests(site), snapshot(COLUMNS)).layer
    grid = square_grid(12, cell_m=100.0)
    spec = FactorSpec("things", "things", "density", (200.0,))
    counted = factors.at(layer, grid, spec, date(2019, 6, 1))
    every = factors.at(layer, grid, replace(spec, unit="row"), date(2019, 6, 1))
    assert (counted.n_features, every.n_features) == (4, 6)
    # On 3 January only the first report and the one far off had been made.
    assert factors.at(layer, grid, spec, date(2019, 1, 3)).n_features == 2


def test_no_rows_have_no_repeats(
    read: Callable[..., LayerResult], snapshot: Callable[..., pa.Table], site: Callable[..., LayerSpec]
) -> None:
    empty = read(requests(site), snapshot({name: values[:0] for name, values in COLUMNS.items()}))
    assert repeat_of(empty.layer).size == 0
    assert np.array_equal(np.unique(empty.layer.incident), np.zeros(0))
