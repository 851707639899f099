"""Which cells a site reaches: a sparse site-cell incidence, enumerated on the grid itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ConfigError
from rtm_pipeline.grid.locate import cells_of
from rtm_pipeline.grid.spec import StudyGrid

__all__ = ["Reach", "areas_at", "reach"]


@dataclass(frozen=True, slots=True)
class Reach:
    """Cells within a radius of each site, as compressed rows.

    Attributes
    ----------
    radius_u : float
        CRS units.
    indptr : ndarray of int64, shape (n_sites + 1,)
    cells : ndarray of int32, shape (indptr[-1],)
        Index into the study grid, ascending within a site.
    """

    radius_u: float
    indptr: NDArray[np.int64]
    cells: NDArray[np.int32]

    @property
    def n_sites(self) -> int:
        """Number of sites."""
        return int(self.indptr.size - 1)

    def sums(self, values: NDArray[np.float64], rows: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
        """Sum of a cell value over the cells that each site (or each of ``rows``) reaches; float64."""
        from rtm_pipeline.priorities.kernels import row_sums

        every = np.arange(self.n_sites, dtype=np.int64) if rows is None else rows
        return row_sums(every, self.indptr, self.cells, np.ascontiguousarray(values, dtype=np.float64))


def areas_at(
    grid: StudyGrid, area_of_cell: NDArray[np.int32], x: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.int32]:
    """Area (neighborhood, district) of the cell that each point lies in, -1 outside the study area; int32, (n,)."""
    cell = cells_of(grid, x, y)
    return np.where(cell >= 0, area_of_cell[cell], -1).astype(np.int32)


def reach(grid: StudyGrid, x: NDArray[np.float64], y: NDArray[np.float64], radius_u: float) -> Reach:
    """Cells whose center lies within ``radius_u`` (included) of each site.

    A site whose circle holds no center reaches the cell it stands in, so that radii below half a cell's diagonal
    don't lose sites; a site outside the study area may reach nothing.

    Parameters
    ----------
    grid : StudyGrid
    x, y : ndarray of float64, shape (n,)
        CRS units.
    radius_u : float
        CRS units.
    """
    from rtm_pipeline.priorities.kernels import count_near, fill_near

    if not radius_u > 0:
        raise ConfigError(f"An influence radius must be positive; found {radius_u!r}.")
    spec = grid.spec
    center_x = (spec.west_index + np.arange(spec.n_cols, dtype=np.float64) + 0.5) * spec.cell_size_u + spec.offset_x_u
    south_row = spec.n_rows - 1.0 - np.arange(spec.n_rows, dtype=np.float64)
    center_y = (spec.south_index + south_row + 0.5) * spec.cell_size_u + spec.offset_y_u
    lookup = np.full(spec.n_rows * spec.n_cols, -1, dtype=np.int32)
    lookup[grid.flat] = np.arange(grid.n_cells, dtype=np.int32)
    x, y = np.ascontiguousarray(x, np.float64), np.ascontiguousarray(y, np.float64)
    own = cells_of(grid, x, y)
    radius, size = float(radius_u), float(spec.cell_size_u)
    counts = count_near(x, y, radius, center_x, center_y, size, lookup, own)
    indptr = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
    return Reach(radius, indptr, fill_near(x, y, radius, center_x, center_y, size, lookup, own, indptr))
