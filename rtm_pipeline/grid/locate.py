"""Points, values and areas on the study cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import GridError
from rtm_pipeline.grid.spec import GridSpec, StudyGrid

__all__ = ["AreaShares", "area_shares", "cells_of", "count", "to_raster"]

Coordinates = NDArray[np.float64]


def cells_of(grid: StudyGrid, x: Coordinates, y: Coordinates) -> NDArray[np.int32]:
    """Which study cell each point lies in.

    Parameters
    ----------
    grid : StudyGrid
    x, y : ndarray of float64, shape (m,)
        CRS units.

    Returns
    -------
    ndarray of int32, shape (m,)
        Index into the study cells; -1 outside them, and for coordinates that are not finite. Cells are half-open: the
        cell with index i reaches from ``i * cell_size + offset`` (included) to ``(i + 1) * cell_size + offset`` (not
        included), as these numbers round in float64, so a point on an edge has exactly one cell.

    Examples
    --------
    >>> import numpy as np
    >>> from rtm_pipeline.grid.spec import GridSpec, StudyGrid
    >>> spec = GridSpec("EPSG:26915", 1.0, 100.0, 0, 0, 1, 2)
    >>> grid = StudyGrid(spec, np.arange(2, dtype=np.int32), np.ones(2), np.zeros(2, bool))
    >>> cells_of(grid, np.array([0.0, 100.0, 200.0]), np.array([0.0, 0.0, 0.0])).tolist()
    [0, 1, -1]
    """
    spec = grid.spec
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    column, inside_x = _axis_index(x, spec.west_index, spec.n_cols, spec.cell_size_u, spec.offset_x_u)
    row, inside_y = _axis_index(y, spec.south_index, spec.n_rows, spec.cell_size_u, spec.offset_y_u)
    flat = np.where(inside_x & inside_y, (spec.n_rows - 1 - row) * spec.n_cols + column, -1)
    position = np.searchsorted(grid.flat, flat)
    position[position == grid.n_cells] = 0
    return np.where(grid.flat[position] == flat, position, -1).astype(np.int32)


def _axis_index(
    value: Coordinates, first: int, n: int, size: float, offset: float
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Index from the first edge along one axis, and whether it is one of n; agrees with the edges as they round."""
    finite = np.isfinite(value)
    index = np.floor((np.where(finite, value, 0.0) - offset) / size)
    # A quotient may round across an edge; the edge itself decides.
    index -= value < index * size + offset
    index += value >= (index + 1.0) * size + offset
    index -= first
    inside = finite & (index >= 0) & (index < n)
    return np.where(inside, index, 0).astype(np.int64), inside


def count(
    grid: StudyGrid, x: Coordinates, y: Coordinates, weights: NDArray[Any] | None = None
) -> NDArray[np.int64] | NDArray[np.float64]:
    """Points in each study cell, or the sum of their weights; points outside are left out.

    Parameters
    ----------
    grid : StudyGrid
    x, y : ndarray of float64, shape (m,)
    weights : ndarray, shape (m,), optional

    Returns
    -------
    ndarray of int64, or of float64 where weights are given, shape (n,)
    """
    cell = cells_of(grid, x, y)
    inside = cell >= 0
    if weights is None:
        return np.bincount(cell[inside], minlength=grid.n_cells).astype(np.int64)
    return _sums(cell[inside], np.asarray(weights, np.float64)[inside], grid.n_cells)


def _sums(group: NDArray[np.int32], values: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    # numpy gives integers where there is nothing to sum.
    return np.bincount(group, weights=values, minlength=n).astype(np.float64, copy=False)


def to_raster(grid: StudyGrid, values: NDArray[Any], fill: Any) -> NDArray[Any]:
    """Values of the study cells as an image, row 0 at the north.

    Parameters
    ----------
    grid : StudyGrid
    values : ndarray, shape (n,)
    fill : scalar
        Outside the study area; must fit the dtype of ``values``.

    Returns
    -------
    ndarray, shape (n_rows, n_cols), dtype of ``values``
    """
    values = np.asarray(values)
    if values.shape != (grid.n_cells,):
        raise GridError(f"A raster needs one value a study cell, {grid.n_cells:,}; found shape {values.shape}.")
    image = np.full(grid.spec.n_rows * grid.spec.n_cols, fill, values.dtype)
    image[grid.flat] = values
    return image.reshape(grid.spec.n_rows, grid.spec.n_cols)


@dataclass(frozen=True, slots=True, eq=False)
class AreaShares:
    """How the study cells fall to the polygons of an areas layer (neighborhoods, districts).

    Attributes
    ----------
    largest : ndarray of int32, shape (n,)
        The polygon with the largest share of the cell (the first, where shares are equal); -1: none.
    center : ndarray of int32, shape (n,)
        The polygon that the cell's center lies in (the first, where several do); -1: none.
    cell, area : ndarray of int32, shape (m,)
        Pairs of a study cell and a polygon that overlap, by cell, then polygon.
    share : ndarray of float64, shape (m,)
        Share of the cell's full square that lies in the polygon, in (0, 1].
    n_areas : int
    """

    largest: NDArray[np.int32]
    center: NDArray[np.int32]
    cell: NDArray[np.int32]
    area: NDArray[np.int32]
    share: NDArray[np.float64]
    n_areas: int

    def totals(self, values: NDArray[Any], by: str = "largest") -> NDArray[np.float64]:
        """Sum of ``values`` (n,) over the cells of each polygon.

        Parameters
        ----------
        values : ndarray, shape (n,)
        by : str
            ``largest`` or ``center``: each cell counts whole in one polygon. ``share``: each cell's value is split in
            proportion to its shares, so that what lies in any polygon is counted once in all.

        Returns
        -------
        ndarray of float64, shape (n_areas,)
        """
        values = np.asarray(values, np.float64)
        if by == "share":
            whole = _sums(self.cell, self.share, values.size)
            part = values[self.cell] * self.share / whole[self.cell]
            return _sums(self.area, part, self.n_areas)
        if by not in ("largest", "center"):
            raise GridError(f"Cells are rolled up by 'largest', 'center' or 'share'; found {by!r}.")
        owner = self.largest if by == "largest" else self.center
        has = owner >= 0
        return _sums(owner[has], values[has], self.n_areas)


def area_shares(grid: StudyGrid, polygons: Sequence[Any]) -> AreaShares:
    """Share of each study cell in each polygon of an areas layer, exactly.

    Parameters
    ----------
    grid : StudyGrid
    polygons : sequence of shapely polygons, length n_areas
        Valid, in the grid's CRS; None and empty ones get no cell.

    Returns
    -------
    AreaShares
    """
    import shapely

    from rtm_pipeline.grid.area import in_cell_units
    from rtm_pipeline.grid.coverage import rings_of, sparse_shares

    spec = grid.spec
    shapes = np.empty(len(polygons), dtype=object)
    shapes[:] = list(polygons)
    clipped = _clipped(shapes, spec)
    owner, flat, share = sparse_shares(in_cell_units(rings_of(clipped), spec), spec.n_rows, spec.n_cols)
    position = np.minimum(np.searchsorted(grid.flat, flat), grid.n_cells - 1)
    kept = np.flatnonzero(grid.flat[position] == flat)
    kept = kept[np.lexsort((owner[kept], position[kept]))]
    cell, area, share = position[kept].astype(np.int32), owner[kept].astype(np.int32), share[kept]
    largest = np.full(grid.n_cells, -1, np.int32)
    by_share = np.lexsort((-area, share, cell))  # the last of a cell is its largest share, then its first polygon
    largest[cell[by_share]] = area[by_share]
    center = np.full(grid.n_cells, -1, np.int32)
    points = shapely.points(grid.center_x_u, grid.center_y_u)
    which, hit = shapely.STRtree(points).query(shapes, predicate="intersects")
    order = np.lexsort((-which, hit))
    center[hit[order]] = which[order]
    return AreaShares(largest, center, cell, area, share, len(shapes))


def _clipped(shapes: NDArray[np.object_], spec: GridSpec) -> NDArray[np.object_]:
    """Polygons within the raster's rectangle; the parts beyond it are no cell's."""
    import shapely

    frame = shapely.box(spec.west_u, spec.south_u, spec.east_u, spec.north_u)
    beyond = ~shapely.covers(frame, shapes) & ~shapely.is_missing(shapes)
    clipped = shapes.copy()
    clipped[beyond] = shapely.intersection(shapes[beyond], frame)
    parts, owner = shapely.get_parts(clipped, return_index=True)
    flat = shapely.get_dimensions(parts) < 2
    for index in np.unique(owner[flat]):  # a polygon that touches the frame leaves lines; few do
        clipped[index] = shapely.union_all(parts[(owner == index) & ~flat])
    return clipped
