"""Where a cell is. One frozen spec, anchored to multiples of the cell size, so that every night's grid is the same.

A cell is closed at its west and south edge and open at its east and north edge: a point on a shared edge belongs to
one cell only. Row 0 is the northernmost, as in a raster.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import GridError

__all__ = ["GridSpec", "StudyGrid"]

_LARGEST = 2**31 - 1  # raster positions are int32


@dataclass(frozen=True, slots=True)
class GridSpec:
    """A rectangle of square cells.

    Attributes
    ----------
    crs : str
        Authority code of a projected CRS, such as ``ESRI:102696``.
    unit_m : float
        Meters in one CRS unit.
    cell_size_u : float
        Side of a cell in CRS units.
    west_index, south_index : int
        The western and southern edge as multiples of the cell size (plus the offset).
    n_rows, n_cols : int
    offset_x_u, offset_y_u : float
        Shift of the anchor; zero but for stability studies over grid origins.

    Raises
    ------
    GridError
        The cell size is not a positive number, or there are no cells, or more than an int32 can number.
    """

    crs: str
    unit_m: float
    cell_size_u: float
    west_index: int
    south_index: int
    n_rows: int
    n_cols: int
    offset_x_u: float = 0.0
    offset_y_u: float = 0.0

    def __post_init__(self) -> None:
        if not (self.cell_size_u > 0 and np.isfinite(self.cell_size_u)):
            raise GridError(f"The cell size must be a positive number; found {self.cell_size_u!r}.")
        if self.n_rows < 1 or self.n_cols < 1:
            raise GridError(f"A grid needs at least one cell; found {self.n_rows} rows x {self.n_cols} columns.")
        if self.n_rows * self.n_cols > _LARGEST:
            raise GridError(
                f"A raster of {self.n_rows:,} rows x {self.n_cols:,} columns has more cells than can be numbered "
                f"({_LARGEST:,}). Choose a larger cell size."
            )

    @property
    def cell_size_m(self) -> float:
        """Side of a cell in meters."""
        return self.cell_size_u * self.unit_m

    @property
    def west_u(self) -> float:
        """X of the western edge, CRS units."""
        return self.west_index * self.cell_size_u + self.offset_x_u

    @property
    def south_u(self) -> float:
        """Y of the southern edge, CRS units."""
        return self.south_index * self.cell_size_u + self.offset_y_u

    @property
    def north_u(self) -> float:
        """Y of the northern edge, CRS units."""
        return (self.south_index + self.n_rows) * self.cell_size_u + self.offset_y_u

    @property
    def east_u(self) -> float:
        """X of the eastern edge, CRS units."""
        return (self.west_index + self.n_cols) * self.cell_size_u + self.offset_x_u

    @property
    def column_centers_u(self) -> NDArray[np.float64]:
        """X of the centers of the columns, west to east, CRS units, shape (n_cols,)."""
        column = np.arange(self.n_cols, dtype=np.float64)
        return (self.west_index + column + 0.5) * self.cell_size_u + self.offset_x_u

    @property
    def row_centers_u(self) -> NDArray[np.float64]:
        """Y of the centers of the rows, north to south, CRS units, shape (n_rows,)."""
        south_row = self.n_rows - 1 - np.arange(self.n_rows, dtype=np.float64)
        return (self.south_index + south_row + 0.5) * self.cell_size_u + self.offset_y_u


@dataclass(frozen=True, slots=True, eq=False)
class StudyGrid:
    """The cells of a grid that meet the study area, in raster order (row by row from the north-west).

    Attributes
    ----------
    spec : GridSpec
    flat : ndarray of int32, shape (n,)
        Index of each cell in the flattened (n_rows, n_cols) raster, ascending.
    exposure : ndarray of float64, shape (n,)
        Share of each cell inside the study area, in (0, 1].
    border : ndarray of bool, shape (n,)
        Cells whose surroundings are not all covered by sources (a state line); they are flagged in products.
    perimeter_u : float
        Length of the study area's boundary, CRS units, wiggles below the cell size left out; 0 where unknown.
    """

    spec: GridSpec
    flat: NDArray[np.int32]
    exposure: NDArray[np.float64]
    border: NDArray[np.bool_]
    perimeter_u: float = 0.0

    @property
    def n_cells(self) -> int:
        """Number of cells in the study area."""
        return int(self.flat.size)

    @property
    def area_u2(self) -> float:
        """Area of the study area, square CRS units."""
        return float(np.sum(self.exposure)) * self.spec.cell_size_u**2

    @property
    def rows(self) -> NDArray[np.int32]:
        """Raster row of each cell, 0 at the north."""
        return self.flat // np.int32(self.spec.n_cols)

    @property
    def cols(self) -> NDArray[np.int32]:
        """Raster column of each cell, 0 at the west."""
        return self.flat % np.int32(self.spec.n_cols)

    @property
    def row_start(self) -> NDArray[np.int64]:
        """Where each raster row begins among the cells, shape (n_rows + 1,); row r ends where r + 1 begins."""
        first = np.arange(self.spec.n_rows + 1, dtype=np.int64) * self.spec.n_cols
        return np.searchsorted(self.flat, first).astype(np.int64)

    @property
    def center_x_u(self) -> NDArray[np.float64]:
        """X of the cell centers, CRS units."""
        return self.spec.column_centers_u[self.cols]

    @property
    def center_y_u(self) -> NDArray[np.float64]:
        """Y of the cell centers, CRS units."""
        return self.spec.row_centers_u[self.rows]
