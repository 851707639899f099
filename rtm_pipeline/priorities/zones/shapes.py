"""Compact connected groups of cells with many expected incidents: how one zone is grown."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.grid.spec import StudyGrid

__all__ = ["Lattice", "compactness", "grow_zone", "is_connected"]

SEEDS = 24
"""Places from which a zone is tried; the best wins."""
SPREAD = 1.35
"""A zone stays within this many times the radius of a disc of its area: that keeps it compact."""
HOLD = 0.5
"""Weight of touching the zone already (per further neighbor) against a cell's own incidents."""


@dataclass(frozen=True, slots=True)
class Lattice:
    """The study cells as a raster with a margin, for neighbors by index arithmetic.

    Attributes
    ----------
    lookup : ndarray of int32, shape (n_rows + 2, n_cols + 2)
        Study cell, -1 outside.
    row, col : ndarray of int64, shape (n,)
        Place of each study cell in ``lookup``.
    """

    lookup: NDArray[np.int32]
    row: NDArray[np.int64]
    col: NDArray[np.int64]

    @classmethod
    def of(cls, grid: StudyGrid) -> Lattice:
        """The lattice of a study grid."""
        spec = grid.spec
        lookup = np.full((spec.n_rows + 2, spec.n_cols + 2), -1, dtype=np.int32)
        row, col = grid.rows.astype(np.int64) + 1, grid.cols.astype(np.int64) + 1
        lookup[row, col] = np.arange(grid.n_cells, dtype=np.int32)
        return cls(lookup, row, col)

    def neighbors(self, cell: int) -> list[int]:
        """Study cells that share an edge with ``cell``: north, west, east, south."""
        r, c = int(self.row[cell]), int(self.col[cell])
        near = (self.lookup[r - 1, c], self.lookup[r, c - 1], self.lookup[r, c + 1], self.lookup[r + 1, c])
        return [int(other) for other in near if other >= 0]


def is_connected(lattice: Lattice, cells: NDArray[np.int64]) -> bool:
    """Whether the cells form one piece by shared edges (no cells: no piece)."""
    members = set(cells.tolist())
    if not members:
        return False
    queue, seen = [next(iter(members))], set()
    while queue:
        cell = queue.pop()
        if cell in seen:
            continue
        seen.add(cell)
        queue += [other for other in lattice.neighbors(cell) if other in members and other not in seen]
    return len(seen) == len(members)


def compactness(lattice: Lattice, cells: NDArray[np.int64]) -> float:
    """``4 pi area / perimeter squared`` of whole cells; a square has pi / 4."""
    members = set(cells.tolist())
    inner = sum(other in members for cell in members for other in lattice.neighbors(cell))
    edge = 4 * len(members) - inner
    return float(4.0 * np.pi * len(members) / edge**2)


def grow_zone(
    lattice: Lattice,
    expected: NDArray[np.float64],
    area: NDArray[np.float64],
    free: NDArray[np.bool_],
    area_cap: float,
    cell_area: float,
) -> NDArray[np.int64]:
    """The best compact connected group of free cells within an area.

    Discs of the zone's size are summed over the raster; from the best centers a zone is grown cell by cell, always the
    cell with the most expected incidents (and a preference for filling up), never beyond `SPREAD` disc radii.

    Parameters
    ----------
    lattice : Lattice
    expected : ndarray of float64, shape (n,)
    area : ndarray of float64, shape (n,)
        Area of each cell inside the study area, square meters.
    free : ndarray of bool, shape (n,)
        Cells that may belong to it.
    area_cap : float
        Square meters.
    cell_area : float
        Area of a whole cell, square meters.

    Returns
    -------
    ndarray of int64, shape (m,)
        Ascending; empty if no free cell fits.
    """
    radius = float(np.sqrt(area_cap / cell_area / np.pi))
    best: tuple[float, NDArray[np.int64]] = (-1.0, np.empty(0, dtype=np.int64))
    for seed in _seeds(lattice, expected, free, radius):
        cells = _grow(lattice, expected, area, free, int(seed), area_cap, max(radius * SPREAD, 1.0))
        value = float(expected[cells].sum())
        if value > best[0] * (1 + 1e-12):
            best = (value, cells)
    return best[1]


def _seeds(
    lattice: Lattice, expected: NDArray[np.float64], free: NDArray[np.bool_], radius: float
) -> NDArray[np.int64]:
    """Centers of the discs with the most expected incidents, at least half a radius apart."""
    from scipy.signal import fftconvolve

    image = np.zeros(lattice.lookup.shape)
    image[lattice.row[free], lattice.col[free]] = expected[free]
    reach = int(np.ceil(radius))
    dy, dx = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disc = (dy * dy + dx * dx <= max(radius, 0.5) ** 2).astype(np.float64)
    total = fftconvolve(image, disc, mode="same")[lattice.row, lattice.col]
    # rounded, so that the transform's last bits do not order equal places
    total = np.round(total / max(float(total.max(initial=0.0)), 1e-300), 9)
    total[~free] = -1.0
    order = np.argsort(-total, kind="stable")
    order = order[total[order] >= 0]
    seeds: list[int] = []
    apart = (radius / 2.0) ** 2
    for cell in order[:5000].tolist():
        if len(seeds) == SEEDS:
            break
        r, c = lattice.row[cell], lattice.col[cell]
        if all((lattice.row[s] - r) ** 2 + (lattice.col[s] - c) ** 2 >= apart for s in seeds):
            seeds.append(cell)
    return np.array(seeds, dtype=np.int64)


def _grow(
    lattice: Lattice,
    expected: NDArray[np.float64],
    area: NDArray[np.float64],
    free: NDArray[np.bool_],
    seed: int,
    area_cap: float,
    reach: float,
) -> NDArray[np.int64]:
    """Cells from one seed, best neighbor first."""
    scale = HOLD * float(expected[seed]) if expected[seed] > 0 else HOLD
    touching: dict[int, int] = {seed: 1}
    heap: list[tuple[float, int]] = [(-float(expected[seed]), seed)]
    inside: set[int] = set()
    used = 0.0
    while heap:
        _, cell = heapq.heappop(heap)
        if cell in inside or used + area[cell] > area_cap * (1 + 1e-12):
            continue
        inside.add(cell)
        used += float(area[cell])
        for other in lattice.neighbors(cell):
            away = (lattice.row[other] - lattice.row[seed]) ** 2 + (lattice.col[other] - lattice.col[seed]) ** 2
            if other in inside or not free[other] or away > reach * reach:
                continue
            touching[other] = touching.get(other, 0) + 1
            heapq.heappush(heap, (-float(expected[other]) - scale * (touching[other] - 1), other))
    return np.array(sorted(inside), dtype=np.int64)
