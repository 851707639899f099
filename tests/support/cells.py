"""Square study areas and made histories for the tests of surfaces and their evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from rtm_pipeline.grid.spec import GridSpec, StudyGrid
from rtm_pipeline.surface.history import History
from rtm_pipeline.surface.windows import Features
from rtm_pipeline.units import Window

START = date(2015, 1, 1)


def square_grid(n_rows: int, n_cols: int | None = None, cell_m: float = 76.2) -> StudyGrid:
    n_cols = n_rows if n_cols is None else n_cols
    n = n_rows * n_cols
    spec = GridSpec("EPSG:26915", 1.0, cell_m, 0, 0, n_rows, n_cols)
    return StudyGrid(spec, np.arange(n, dtype=np.int32), np.ones(n), np.zeros(n, bool))


def partial_grid(n_rows: int, n_cols: int, seed: int = 0) -> StudyGrid:
    """A grid with holes, a lone cell and border cells that are partly outside."""
    rng = np.random.default_rng(seed)
    keep = rng.random(n_rows * n_cols) > 0.25
    keep[:3] = [True, False, True]
    keep[n_cols : n_cols + 4] = False
    flat = np.flatnonzero(keep).astype(np.int32)
    exposure = np.where(rng.random(flat.size) < 0.2, rng.uniform(0.05, 1.0, flat.size), 1.0)
    spec = GridSpec("EPSG:26915", 1.0, 100.0, 3, -2, n_rows, n_cols)
    return StudyGrid(spec, flat, exposure, np.zeros(flat.size, bool))


@dataclass(frozen=True, slots=True, eq=False)
class MadeCity:
    """A city whose true rates are known."""

    grid: StudyGrid
    history: History
    vintages: tuple[Features, ...]
    cutoff: date
    rates: NDArray[np.float64]  # incidents of the year after the cut-off

    @property
    def next_year(self) -> Window:
        return Window(self.cutoff, self.cutoff + timedelta(days=365))

    def outcome(self, seed: int) -> NDArray[np.int64]:
        return np.random.default_rng(seed).poisson(self.rates)


def made_city(
    size: int = 80,
    *,
    years: int = 3,
    per_year: int = 1500,
    shape: float = 0.7,
    power: bool = False,
    hot_spots: bool = False,
    drift: float = 0.0,
    seed: int = 0,
) -> MadeCity:
    """Poisson incidents from rates that are factors x smooth surroundings x gamma differences between cells."""
    rng = np.random.default_rng(seed)
    n = size * size

    def field(sigma: float) -> NDArray[np.float64]:
        values = ndimage.gaussian_filter(rng.normal(size=(size, size)), sigma, mode="wrap")
        return (values / values.std()).ravel()

    first, second = field(4.0), field(2.0)
    base = np.exp(0.5 * first + 0.4 * second + 0.8 * field(8.0))
    shapes = shape * base / base.mean() if power else np.full(n, shape)
    differences = rng.gamma(shapes, 1.0 / shapes)
    if hot_spots:
        differences = np.where(rng.random(n) < 0.03, rng.gamma(2.0, 5.0, n), differences)
    rates = base * differences
    rates *= per_year / rates.sum()
    cells, times = [], []
    for year in range(years):
        found = np.repeat(np.arange(n), rng.poisson(rates))
        days = 365 * year + rng.integers(0, 365, found.size)
        cells.append(found)
        times.append(np.datetime64(START) + days.astype("timedelta64[D]"))
        rates = rates * np.exp(rng.normal(-(drift**2) / 2, drift, n)) if drift else rates
    cutoff = START + timedelta(days=365 * years)
    when = np.concatenate(times)
    history = History.of(np.concatenate(cells), when, when, n, observed=Window(START, cutoff))
    values = np.column_stack([first, second]).astype(np.float32)
    features = Features(START, values, ("lots_log_distance", "bars_log_distance"), ("lots", "bars"))
    return MadeCity(square_grid(size), history, (features,), cutoff, rates)
