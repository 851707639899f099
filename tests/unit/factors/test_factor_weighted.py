"""Weighted points against kernel sums by brute force."""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa
import pytest
import shapely
from support.cells import square_grid

from rtm_pipeline import factors
from rtm_pipeline.errors import ModelError
from rtm_pipeline.factors.spec import FactorSpec
from rtm_pipeline.factors.weighted import weighted_at
from rtm_pipeline.layers.layer import Layer

GRID = square_grid(25, cell_m=100.0)
SPEC = FactorSpec("calls", "calls", "density", (200.0, 300.0))
DAY = date(2020, 1, 1)
RNG = np.random.default_rng(0)
X, Y = RNG.uniform(0, 2500, 150), RNG.uniform(0, 2500, 150)


def layer_of(geometry: object = None) -> Layer:
    n = X.size
    nat = np.full(n, np.datetime64("NaT"), "datetime64[s]")
    return Layer(
        name="calls",
        kind="requests",
        origin="resident",
        crs="EPSG:26915",
        x=X,
        y=Y,
        geometry=geometry,  # type: ignore[arg-type]
        time=nat,
        known_at=np.full(n, np.datetime64("2019-01-01"), "datetime64[s]"),
        until=nat,
        category=np.full(n, -1, np.int16),
        category_names=(),
        incident=np.arange(n),
        flags={},
        attributes=pa.table({"_file": [0] * n, "_row": np.arange(n)}),
    )


def east_counts_double(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.where(x > 1250, 2.0, 1.0)


def test_density_is_the_weighted_sum_of_kernels():
    like = factors.at(layer_of(), GRID, SPEC, DAY, keep_density="all")
    found = weighted_at(layer_of(), GRID, SPEC, DAY, east_counts_double, like)
    d2 = (GRID.center_x_u[:, None] - X) ** 2 + (GRID.center_y_u[:, None] - Y) ** 2
    for row, band in enumerate((200.0, 300.0)):
        kernel = np.where(d2 < band**2, (1 - d2 / band**2) ** 2, 0.0)
        np.testing.assert_allclose(found.density[row], 10 * kernel @ east_counts_double(X, Y), rtol=1e-5, atol=1e-4)
    np.testing.assert_array_equal(found.distance_u, like.distance_u)
    assert found.operationalization == like.operationalization


def test_equal_weights_change_nothing_that_is_compared():
    like = factors.at(layer_of(), GRID, SPEC, DAY, keep_density="all")
    same = weighted_at(layer_of(), GRID, SPEC, DAY, lambda x, y: np.ones(x.size), like)
    np.testing.assert_array_equal(same.codes, like.codes)
    np.testing.assert_allclose(factors.continuous(same).columns, factors.continuous(like).columns, rtol=1e-5, atol=1e-5)


def test_shapes_are_refused():
    like = factors.at(layer_of(), GRID, SPEC, DAY)
    lines = shapely.linestrings(np.column_stack([X, Y, X + 9, Y]).reshape(-1, 2, 2))
    with pytest.raises(ModelError, match="only points can be weighted"):
        weighted_at(layer_of(lines), GRID, SPEC, DAY, east_counts_double, like)
