"""The planted risk terrain: cells, variables by brute force, and the counts drawn from them.

Nothing here is shared with the package: distances and kernels come from k-d trees over the clean rows, exposure from
shapely. A cell's count in a year is negative binomial of the NB1 kind (variance = mean * (1 + dispersion)), made of two
independent parts: one from a gamma field that stays (cells that are worse than their features tell), one anew each
year. The staying part is the quantile of a uniform number that a cell keeps, so that it is exactly gamma in every year
while the mean follows the features.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.special import gammaincinv
from shapely.geometry.base import BaseGeometry

from maker.places import City
from maker.plan import (
    CELL_FT,
    NB1_DISPERSION,
    PERSISTENT_SHARE,
    PLANTED,
    TOTAL_PER_YEAR,
    VINTAGES,
    YEARS,
    Planted,
    stream,
)

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Cells:
    """Cells that meet the study area; (column, row) are multiples of the cell size of the south-west corner."""

    column: NDArray[np.int64]
    row: NDArray[np.int64]
    exposure: Floats

    @property
    def x(self) -> Floats:
        """X of the cell centers."""
        return (self.column + 0.5) * CELL_FT

    @property
    def y(self) -> Floats:
        """Y of the cell centers."""
        return (self.row + 0.5) * CELL_FT

    def find(self, x: Floats, y: Floats) -> NDArray[np.int64]:
        """Index of the cell that holds each point; -1 outside all."""
        book = {key: at for at, key in enumerate(zip(self.column.tolist(), self.row.tolist(), strict=True))}
        column, row = np.floor(x / CELL_FT).astype(int), np.floor(y / CELL_FT).astype(int)
        return np.array([book.get(key, -1) for key in zip(column.tolist(), row.tolist(), strict=True)], dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Terrain:
    """The truth per cell."""

    cells: Cells
    x: dict[date, NDArray[np.int64]]
    intercept: dict[int, float]
    mean: dict[int, Floats]
    count: dict[int, NDArray[np.int64]]
    cutoff: dict[date, dict[str, float]]


def make_cells(study: BaseGeometry) -> Cells:
    """Cells on multiples of the cell size, with the share of each that lies in the study area."""
    west, south, east, north = study.bounds
    columns = np.arange(np.floor(west / CELL_FT), np.ceil(east / CELL_FT)).astype(np.int64)
    rows = np.arange(np.floor(south / CELL_FT), np.ceil(north / CELL_FT)).astype(np.int64)
    column, row = (part.ravel() for part in np.meshgrid(columns, rows))
    x, y = column * CELL_FT, row * CELL_FT
    shapely.prepare(study)
    share = shapely.area(shapely.intersection(shapely.box(x, y, x + CELL_FT, y + CELL_FT), study)) / CELL_FT**2
    meets = share > 0
    return Cells(column[meets], row[meets], np.minimum(share[meets], 1.0))


def proximity(cells: Cells, x: Floats, y: Floats, radius: float) -> NDArray[np.int64]:
    """1 where the nearest feature is within the radius of the cell center."""
    nearest, _ = cKDTree(np.column_stack([x, y])).query(np.column_stack([cells.x, cells.y]))
    return (nearest <= radius).astype(np.int64)


def quartic(cells: Cells, x: Floats, y: Floats, radius: float) -> Floats:
    """Sum of quartic kernels at the cell centers."""
    places = np.column_stack([x, y])
    centers = np.column_stack([cells.x, cells.y])
    near = cKDTree(centers).sparse_distance_matrix(cKDTree(places), radius, output_type="coo_matrix").tocoo()
    weight = 3.0 / (np.pi * radius**2) * (1.0 - (near.data / radius) ** 2) ** 2
    return np.bincount(near.row, weights=weight, minlength=cells.column.size)


def standing(city: City, planted: Planted, at: date) -> tuple[Floats, Floats]:
    """Clean rows of the planted variable's layer that count at a date."""
    when = np.datetime64(at)
    if planted.layer == "requests":
        year_before = np.datetime64(at.replace(year=at.year - 1)) if at.year > 2021 else np.datetime64("2021-01-01")
        last = when if at.year > 2021 else np.datetime64("2022-01-01")  # the first year of requests stands in for 2020
        rows = city.requests
        rows = rows[(rows.kind == "illegal_dumping") & ~rows.repeat]
        rows = rows[(rows.opened >= year_before) & (rows.opened < last)]
    else:
        rows = getattr(city, planted.layer)
        start, end = {
            "vacant_lots": ("listed", "removed"),
            "dilapidated": ("opened", "closed"),
            "liquor": ("issued", "ended"),
            "bus_stops": ("", ""),
        }[planted.layer]
        if start:
            rows = rows[(rows[start] <= when) & (rows[end].isna() | (rows[end] > when))]
    return rows.x.to_numpy(), rows.y.to_numpy()


def _variables(city: City, cells: Cells, at: date) -> tuple[NDArray[np.int64], dict[str, float]]:
    columns, cutoffs = [], {}
    for planted in PLANTED:
        x, y = standing(city, planted, at)
        if planted.operationalization == "proximity":
            columns.append(proximity(cells, x, y, planted.radius_ft))
        else:
            density = quartic(cells, x, y, planted.radius_ft)
            cutoffs[planted.name] = float(density.mean() + 2.0 * density.std())
            columns.append((density > cutoffs[planted.name]).astype(np.int64))
    return np.column_stack(columns), cutoffs


def make_terrain(city: City, study: BaseGeometry) -> Terrain:
    """Draw the counts of every year."""
    cells = make_cells(study)
    beta = np.array([planted.beta for planted in PLANTED])
    rng = stream("incidents")
    kept_luck = rng.random(cells.column.size)
    x: dict[date, NDArray[np.int64]] = {}
    cutoff: dict[date, dict[str, float]] = {}
    for at in VINTAGES:
        x[at], cutoff[at] = _variables(city, cells, at)
    intercept, mean, count = {}, {}, {}
    for year in YEARS:
        relative = cells.exposure * np.exp(x[date(year, 1, 1)] @ beta)
        intercept[year] = round(float(np.log(TOTAL_PER_YEAR[year] / relative.sum())), 4)
        mean[year] = relative * np.exp(intercept[year])
        kept = NB1_DISPERSION * gammaincinv(PERSISTENT_SHARE * mean[year] / NB1_DISPERSION, kept_luck)
        fresh = rng.gamma((1.0 - PERSISTENT_SHARE) * mean[year] / NB1_DISPERSION, NB1_DISPERSION)
        count[year] = rng.poisson(kept + fresh)
    return Terrain(cells, x, intercept, mean, count, cutoff)


def season(rng: np.random.Generator, year: int, size: int) -> NDArray[np.datetime64]:
    """Moments of incidents in a year: more in summer, at weekends and at night."""
    days = np.array(
        [date(year, 1, 1) + timedelta(days=n) for n in range((date(year + 1, 1, 1) - date(year, 1, 1)).days)]
    )
    month = np.array([0.86, 0.80, 0.92, 0.98, 1.10, 1.15, 1.20, 1.16, 1.06, 1.02, 0.90, 0.85])
    weekday = np.array([0.95, 0.92, 0.93, 0.95, 1.03, 1.14, 1.08])
    weight = np.array([month[day.month - 1] * weekday[day.weekday()] for day in days])
    day = rng.choice(days.size, size, p=weight / weight.sum())
    clock = np.array([6, 5, 4.5, 3, 2, 1.5, 1.5, 2, 2.5, 3, 3, 3.5, 4, 4, 4, 4.5, 5, 5, 5.5, 5.5, 6, 6.5, 7, 7])
    hour = rng.choice(24, size, p=clock / clock.sum())
    minute = np.where(rng.random(size) < 0.35, rng.choice([0, 15, 30, 45], size), rng.integers(0, 60, size))
    start = np.datetime64(date(year, 1, 1)).astype("datetime64[m]")
    return np.asarray(start + (day * 1440 + hour * 60 + minute).astype("timedelta64[m]"))


def table(terrain: Terrain) -> pd.DataFrame:
    """The truth per cell as a table: position, exposure, variables at each vintage, mean and count of each year."""
    cells = terrain.cells
    columns: dict[str, NDArray[np.generic]] = {
        "column": cells.column,
        "row": cells.row,
        "exposure": np.round(cells.exposure, 9),
    }
    for at, values in terrain.x.items():
        for number, planted in enumerate(PLANTED):
            columns[f"{planted.name}@{at.isoformat()}"] = values[:, number]
    for year in YEARS:
        columns[f"mean_{year}"] = np.round(terrain.mean[year], 8)
        columns[f"count_{year}"] = terrain.count[year]
    return pd.DataFrame(columns)
