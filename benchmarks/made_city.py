"""The made benchmark city: an irregular city of 319 square miles, 30 layers of 392,960 points, a planted outcome.

Deterministic (fixed seeds), in US feet in the plane of ESRI:102696, so that coordinates have realistic magnitudes. The
point layers lie along a lattice of streets and cluster about centers, as addresses do; they range from 120,000 points
to 60. Used by the benchmarks of factors, model and engine:

    from made_city import LADDER_U, layers, outcome, study_grid_at

``python benchmarks/made_city.py`` prints what is in it.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.factors import Factor, FactorSpec, Features, operationalize
from rtm_pipeline.grid.area import study_grid
from rtm_pipeline.grid.spec import StudyGrid

CRS = "ESRI:102696"
CENTER = (900_000.0, 1_000_000.0)
SQUARE_MILE = 5280.0**2
AREA = 319 * SQUARE_MILE
LADDER_U = (213.0, 426.0, 639.0, 852.0, 1065.0, 1278.0)  # half blocks of 426 ft, up to three blocks
SIZES = (120_000, 80_000, 50_000, 30_000, 20_000, 15_000, 12_000, 10_000, 8_000, 7_000, 6_000, 5_000, 4_500, 4_000,
         3_500, 3_000, 2_500, 2_200, 2_000, 1_800, 1_500, 1_200, 1_000, 800, 600, 500, 400, 250, 150, 60)  # fmt: skip
STREETS = np.array([426.0, 330.0])
STRETCH = np.array([0.78, 1 / 0.78])
ENCLAVES = ((6000.0, 30000.0, 7000.0), (-12000.0, -22000.0, 5000.0))
EVENTS = 20_000
#: (layer, operationalization, rung of the ladder) -> log of the relative risk value
PLANTED = {
    (0, "density", 3): 0.9,
    (1, "proximity", 5): 0.7,
    (3, "proximity", 1): 0.8,
    (5, "density", 2): 0.6,
    (8, "proximity", 4): 0.5,
    (13, "proximity", 0): 1.0,
    (17, "proximity", 5): 0.45,
    (22, "density", 3): 0.6,
    (26, "proximity", 1): 1.2,
}
DISPERSION = 0.7  # gamma shape of a 250 ft cell; in proportion to the area of a cell

Points = NDArray[np.float64]


def _wobble() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rng = np.random.default_rng(20240131)
    return rng.normal(0, 1, 7) * 0.22 / np.arange(2, 9), rng.uniform(0, 2 * np.pi, 7)


def _radius(theta: NDArray[np.float64]) -> NDArray[np.float64]:
    """Outline in polar coordinates, before stretching, for a mean radius of about 1."""
    amplitude, phase = _wobble()
    harmonics = np.arange(2, 9)
    return 1 + (amplitude * np.cos(np.multiply.outer(theta, harmonics) + phase)).sum(axis=-1)


@lru_cache(maxsize=1)
def _scale() -> float:
    theta = np.linspace(0, 2 * np.pi, 20_001)
    half = 0.5 * _radius(theta) ** 2
    unit_area = ((half[1:] + half[:-1]) / 2 * np.diff(theta)).sum()
    return float(np.sqrt((AREA + sum(np.pi * r * r for *_, r in ENCLAVES)) / unit_area))


def inside(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which points, relative to the center, lie in the city."""
    u, v = x / STRETCH[0], y / STRETCH[1]
    within = np.hypot(u, v) <= _scale() * _radius(np.arctan2(v, u))
    for cx, cy, r in ENCLAVES:
        within &= (x - cx) ** 2 + (y - cy) ** 2 > r * r
    return within


@lru_cache(maxsize=1)
def boundary() -> object:
    """The city as a shapely polygon with two holes, CRS units."""
    import shapely

    theta = np.linspace(0, 2 * np.pi, 4_001)[:-1]
    rim = _scale() * _radius(theta)[:, None] * np.column_stack([np.cos(theta), np.sin(theta)]) * STRETCH
    circle = np.column_stack([np.cos(theta[::8]), np.sin(theta[::8])])
    holes = [np.array([cx, cy]) + r * circle + CENTER for cx, cy, r in ENCLAVES]
    return shapely.Polygon(rim + CENTER, holes)


@lru_cache(maxsize=3)
def study_grid_at(cell_size_u: float) -> StudyGrid:
    """Cells that meet the city: about 144,000 at 250 ft, 894,000 at 100 ft, 3,567,000 at 50 ft."""
    return study_grid(boundary(), crs=CRS, cell_size_u=cell_size_u)


@lru_cache(maxsize=1)
def layers() -> tuple[Points, ...]:
    """The point layers, each (n, 2), CRS units to a tenth of a foot."""
    rng = np.random.default_rng(7)
    suburbs = np.column_stack(
        [rng.uniform(-30_000, 30_000, 14), rng.uniform(-50_000, 50_000, 14), rng.uniform(3_000, 8_000, 14)]
    )
    hubs = np.vstack([[0.0, -3_000.0, 12_000.0], suburbs, [0.0, 0.0, 40_000.0]])
    return tuple(_layer(rng, size, hubs) for size in SIZES)


def _around_hubs(rng: np.random.Generator, n: int, hubs: Points, weights: NDArray[np.float64]) -> Points:
    hub = rng.choice(len(hubs), n, p=weights)
    return hubs[hub, :2] + rng.normal(0, 1, (n, 2)) * hubs[hub, 2:3]


def _layer(rng: np.random.Generator, size: int, hubs: Points) -> Points:
    weights = rng.dirichlet(np.concatenate([[6.0], np.full(14, 0.7), [2.0]]))
    n_parents = max(5, int(size**0.7))
    parents = _around_hubs(rng, n_parents, hubs, weights)
    popularity = rng.gamma(0.6, 1, n_parents)
    popularity /= popularity.sum()
    spread = rng.choice([250.0, 700.0, 2000.0], n_parents, p=[0.3, 0.4, 0.3])
    found = np.empty((0, 2))
    while len(found) < size:
        parent = rng.choice(n_parents, 2 * size, p=popularity)
        near = parents[parent] + rng.normal(0, 1, (2 * size, 2)) * spread[parent, None]
        free = _around_hubs(rng, 2 * size, hubs, weights)
        places = np.where(rng.random(2 * size)[:, None] < 0.75, near, free)
        street = rng.integers(0, 2, 2 * size)  # which coordinate lies along a street line
        row = np.arange(2 * size)
        line = np.round(places[row, street] / STREETS[street]) * STREETS[street]
        places[row, street] = line + rng.choice([-35, 35], 2 * size) + rng.normal(0, 8, 2 * size)
        places[row, 1 - street] = np.round(places[row, 1 - street] / 45) * 45 + 11  # frontages of 45 ft
        found = np.vstack([found, places[inside(places[:, 0], places[:, 1])]])
    return np.round(found[:size] + CENTER, 1)


def factor_spec(layer: int, **settings: object) -> FactorSpec:
    """Both operationalizations at all six bands; ``settings`` override the fields."""
    name = f"layer{layer:02d}"
    return FactorSpec(name, name, "both", LADDER_U, **settings)  # type: ignore[arg-type]


def factors_at(cell_size_u: float, *, threads: int | None = None, **settings: object) -> tuple[Factor, ...]:
    """All 30 layers as factors: 360 candidates, but for bandwidths below the cell size and columns hardly any 1."""
    import datetime

    grid, when = study_grid_at(cell_size_u), datetime.date(2024, 1, 1)
    return tuple(
        operationalize(Features.of_points(*points.T), grid, factor_spec(k, **settings), when, threads=threads)
        for k, points in enumerate(layers())
    )


def outcome(factors: tuple[Factor, ...], cell_size_u: float, *, seed: int = 11) -> NDArray[np.int64]:
    """About 20,000 events, negative binomial (NB2) around the planted risk terrain times the exposure of each cell."""
    grid = study_grid_at(cell_size_u)
    score = np.zeros(grid.n_cells)
    for (layer, kind, rung), effect in PLANTED.items():
        factor = factors[layer]
        (column,) = [
            j
            for j, variable in enumerate(factor.variables)
            if variable.operationalization == kind and variable.spatial_influence_u == LADDER_U[rung]
        ]
        score += effect * factor.column(column)
    mean = np.exp(score) * grid.exposure
    mean *= EVENTS / mean.sum()
    shape = DISPERSION * (cell_size_u / 250.0) ** 2
    rng = np.random.default_rng(seed)
    return rng.poisson(mean * rng.gamma(shape, 1 / shape, mean.size)).astype(np.int64)


if __name__ == "__main__":
    print(f"{sum(map(len, layers())):,} points in {len(SIZES)} layers")
    for size in (250.0, 100.0, 50.0):
        cells = study_grid_at(size)
        print(f"{size:g} ft: {cells.n_cells:,} cells, {cells.area_u2 / SQUARE_MILE:.2f} square miles")
    made = factors_at(250.0)
    counts = outcome(made, 250.0)
    print(f"{sum(len(factor.variables) for factor in made)} variables at 250 ft, {counts.sum():,} events")
    for factor in made:
        for variable, reason in factor.dropped:
            print(f"  without {variable.name}: {reason}")
