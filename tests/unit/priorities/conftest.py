"""A small square city for the priorities' tests: no file, no randomness but the seed that a test names."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from rtm_pipeline.grid.spec import GridSpec, StudyGrid
from rtm_pipeline.priorities.benefit import Kind
from rtm_pipeline.priorities.outcome import CellForecast
from rtm_pipeline.priorities.sites import Sites, make_sites


def square_grid(n_rows: int, n_cols: int, cell: float = 250.0) -> StudyGrid:
    spec = GridSpec("ESRI:102696", 0.3048006096012192, cell, 4, 8, n_rows, n_cols)
    n = n_rows * n_cols
    return StudyGrid(spec, np.arange(n, dtype=np.int32), np.ones(n), np.zeros(n, bool))


@pytest.fixture
def grid() -> StudyGrid:
    return square_grid(20, 24)


@pytest.fixture
def make_city() -> Callable[..., tuple[StudyGrid, Sites, CellForecast]]:
    """City of (n_lots, n_buildings, seed): uniform sites, gamma risk, four districts by quadrant."""

    def make(n_lots: int, n_buildings: int, seed: int, size: int = 12) -> tuple[StudyGrid, Sites, CellForecast]:
        rng = np.random.default_rng(seed)
        grid = square_grid(size, size)
        spec, n = grid.spec, n_lots + n_buildings
        x = spec.west_u + rng.uniform(0, 1, n) * size * spec.cell_size_u
        y = spec.south_u + rng.uniform(0, 1, n) * size * spec.cell_size_u
        half_x, half_y = spec.west_u + size * 125.0, spec.south_u + size * 125.0
        district = ((x > half_x).astype(np.int32) + 2 * (y > half_y)).astype(np.int32)
        target = (np.arange(n) >= n_lots).astype(np.int8)
        sites = make_sites([f"s{i:04d}" for i in range(n)], x, y, target, district=district, neighborhood=district)
        expected = rng.gamma(0.5, 1.0, grid.n_cells)
        return (
            grid,
            sites,
            CellForecast("firearm", expected, shape=expected * 4 + 0.1, rate=np.full(expected.size, 4.0)),
        )

    return make


@pytest.fixture
def kinds() -> tuple[Kind, ...]:
    return (
        Kind("greening", 0, "greening_shootings", 0.068, 500.0, 2140.0, crew_days=2.0),
        Kind("mowing", 0, "mowing_shootings", 0.092, 500.0, 3000.0, crew_days=1.0),
        Kind("repair", 1, "repair_mixed", 0.0655, 500.0, 2500.0, crew_days=3.0),
        Kind("demolition", 1, "demolition_firearm_mixed", 0.055, 500.0, 12500.0, crew_days=4.0),
    )
