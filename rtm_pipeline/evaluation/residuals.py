"""Moran's I of what a surface leaves unexplained, with the eight (queen) neighbors of the lattice, by array shifts.

With k nearest neighbors a lattice ties, and which of the tied cells count is an accident of the order; queen neighbors
have no ties.

References
----------
Cliff & Ord 1981; agrees with `moran.test` of the R package spdep (style W and B, with and without randomisation).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ModelError
from rtm_pipeline.grid.locate import to_raster
from rtm_pipeline.grid.spec import StudyGrid

__all__ = ["Moran", "moran", "pearson_residuals"]

_QUEEN = ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1))


@dataclass(frozen=True, slots=True)
class Moran:
    """Moran's I and its test.

    Attributes
    ----------
    statistic, expectation, variance : float
        Under randomisation.
    z : float
    p_normal : float
        One-sided (positive autocorrelation), by the normal approximation.
    p_permutation : float or None
        One-sided, by permuting the cells: (as many at least as large + 1) / (permutations + 1).
    permutations : int
    cells : int
        Cells with at least one neighbor.
    """

    statistic: float
    expectation: float
    variance: float
    z: float
    p_normal: float
    p_permutation: float | None
    permutations: int
    cells: int


def pearson_residuals(
    observed: NDArray[np.integer] | NDArray[np.floating],
    expected: NDArray[np.float64],
    variance: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """(observed - expected) / sd, shape (n,); the variance is Poisson's unless given."""
    spread = expected if variance is None else variance
    if not bool(np.all(spread > 0)):
        raise ModelError("Pearson residuals need a positive variance in every cell.")
    return np.asarray((observed - expected) / np.sqrt(spread))


def moran(
    grid: StudyGrid,
    values: NDArray[np.floating],
    *,
    row_standardized: bool = True,
    permutations: int = 99,
    seed: int = 0,
) -> Moran:
    """Moran's I over queen neighbors in the study area.

    Parameters
    ----------
    grid : StudyGrid
    values : ndarray, shape (n,)
        Residuals, without missing values.
    row_standardized : bool
        Every cell's neighbors share a weight of 1 (spdep's style W); else each neighbor has weight 1 (style B).
    permutations : int
        0: none.
    seed : int

    Raises
    ------
    ModelError
        If a value is missing, all are equal, no cell has a neighbor, or every cell is a neighbor of every other.
    """
    x = np.asarray(values, np.float64)
    if x.shape != (grid.n_cells,) or not bool(np.all(np.isfinite(x))):
        raise ModelError(f"Moran's I needs one finite value a cell ({grid.n_cells}); found shape {x.shape} or gaps.")
    lattice = _Lattice.of(grid, row_standardized)
    z = x - x.mean()
    if not float(np.abs(z).max()) > 0:
        raise ModelError("Moran's I is not defined: all values are equal.")
    n = lattice.cells
    statistic = lattice.index(z)
    expectation = -1.0 / (n - 1)
    variance = lattice.variance(z) - expectation**2
    if not variance > 1e-12 * expectation**2:
        raise ModelError(f"Moran's I has no spread among {n} cells that are all neighbors of each other.")
    score = (statistic - expectation) / math.sqrt(variance)
    rng = np.random.default_rng(seed)
    larger = sum(lattice.index(rng.permutation(z)) >= statistic for _ in range(permutations))
    return Moran(
        statistic=statistic,
        expectation=expectation,
        variance=variance,
        z=score,
        p_normal=0.5 * math.erfc(score / math.sqrt(2.0)),
        p_permutation=(larger + 1) / (permutations + 1) if permutations else None,
        permutations=permutations,
        cells=n,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Lattice:
    """Neighbors as shifts of a raster with a margin of one; sums of weights as spdep needs them."""

    grid: StudyGrid
    weight: NDArray[np.float64]  # of each neighbor, by the cell that looks
    cells: int
    s0: float
    s1: float
    s2: float

    @classmethod
    def of(cls, grid: StudyGrid, row_standardized: bool) -> _Lattice:
        degree = _around(grid, np.ones(grid.n_cells))
        cells = int(np.count_nonzero(degree))
        if cells < 3:
            raise ModelError(f"Moran's I needs cells with neighbors; {cells} of {grid.n_cells} cells have any.")
        weight = np.where(degree > 0, 1.0 / np.maximum(degree, 1.0), 0.0) if row_standardized else np.ones(degree.size)
        out = weight * degree  # row sums
        into = _around(grid, weight)  # column sums
        # sum over pairs of (w_ij + w_ji)^2 = 2 sum w_ij^2 + 2 sum w_ij w_ji
        squares = float(np.sum(weight**2 * degree))
        cross = float(np.sum(weight * into))
        return cls(grid, weight, cells, float(out.sum()), squares + cross, float(np.sum((out + into) ** 2)))

    def index(self, z: NDArray[np.float64]) -> float:
        lag = self.weight * _around(self.grid, z)
        return self.cells / self.s0 * float(np.sum(z * lag)) / float(np.sum(z * z))

    def variance(self, z: NDArray[np.float64]) -> float:
        """Second moment under randomisation."""
        n = self.cells
        kurtosis = z.size * float(np.sum(z**4)) / float(np.sum(z**2)) ** 2
        first = n * ((n**2 - 3 * n + 3) * self.s1 - n * self.s2 + 3 * self.s0**2)
        second = kurtosis * (n * (n - 1) * self.s1 - 2 * n * self.s2 + 6 * self.s0**2)
        return (first - second) / ((n - 1) * (n - 2) * (n - 3) * self.s0**2)


def _around(grid: StudyGrid, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum of the eight neighbors' values, shape (n,)."""
    image = np.pad(to_raster(grid, values, 0.0), 1)
    rows, cols = grid.spec.n_rows, grid.spec.n_cols
    total = np.zeros((rows, cols))
    for down, right in _QUEEN:
        total += image[1 + down : 1 + down + rows, 1 + right : 1 + right + cols]
    return np.asarray(total.reshape(-1)[grid.flat])
