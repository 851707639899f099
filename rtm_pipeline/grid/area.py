"""The cells that meet the study area, each with its exact share inside."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ConfigError, GridError
from rtm_pipeline.grid.boundary import polygonal, study_area
from rtm_pipeline.grid.crs import CrsInfo, resolve_crs
from rtm_pipeline.grid.spec import GridSpec, StudyGrid

__all__ = ["CrsInfo", "resolve_crs", "study_area", "study_grid", "with_border"]

MAX_CELLS = 20_000_000
SLIVER = 1e-9  # a smaller share of a cell is rounding, not area
_BAND_CELLS = 1_000_000


def study_grid(
    area: Any,
    *,
    crs: str,
    cell_size_u: float,
    exclude: Sequence[Any] = (),
    offset_x_u: float = 0.0,
    offset_y_u: float = 0.0,
    max_cells: int = MAX_CELLS,
) -> StudyGrid:
    """Cells that meet the study area, each with its exact share of area inside.

    Parameters
    ----------
    area : shapely polygon
        Study area in ``crs``.
    crs : str
        Code of the projected CRS.
    cell_size_u : float
        Side of a cell, CRS units. Cells are anchored at multiples of it, so the grid of a city never moves.
    exclude : sequence of shapely polygons
        Water, airfields: area that does not count, in ``crs``.
    offset_x_u, offset_y_u : float
        Shift of the anchor, for stability studies.
    max_cells : int
        Refuse to make more cells than this.

    Returns
    -------
    StudyGrid
        A cell belongs if more than 1e-9 of it lies inside. ``border`` is False everywhere; see `with_border`.

    Raises
    ------
    GridError
        No area is left, or the cells would be too many.
    """
    import shapely

    info = resolve_crs(crs)
    if not (cell_size_u > 0 and math.isfinite(cell_size_u)):
        raise GridError(f"The cell size must be a positive number; found {cell_size_u!r}.")
    left = area.difference(shapely.union_all(list(exclude))) if len(exclude) else area
    left = polygonal(left if left.is_valid else shapely.make_valid(left))
    if left.is_empty:
        raise GridError(
            "The exclusion masks cover the whole study area; nothing is left to study. Check area.exclude."
            if len(exclude)
            else "The study area is empty."
        )
    _check_size(left.area, cell_size_u, max_cells)
    spec = _spec_around(left.bounds, info, cell_size_u, offset_x_u, offset_y_u)
    flat, exposure = _cells(left, spec)
    if flat.size == 0:
        raise GridError(f"The study area is smaller than a billionth of a cell of {cell_size_u:g} {info.unit_name}.")
    perimeter = float(shapely.length(shapely.simplify(left, cell_size_u / 2)))
    return StudyGrid(spec, flat, exposure, np.zeros(flat.size, np.bool_), perimeter)


def _check_size(area: float, cell_size_u: float, max_cells: int) -> None:
    expected = area / cell_size_u**2
    if expected > max_cells:
        needed = math.sqrt(area / max_cells)
        raise GridError(
            f"Cells of {cell_size_u:g} CRS units would make about {expected:,.0f} cells; the limit is {max_cells:,}. "
            f"Choose area.cell_size of at least {needed:.4g} CRS units."
        )


def _spec_around(
    bounds: tuple[float, float, float, float], info: CrsInfo, size: float, offset_x: float, offset_y: float
) -> GridSpec:
    west, south, east, north = bounds
    first_col, first_row = math.floor((west - offset_x) / size), math.floor((south - offset_y) / size)
    last_col, last_row = math.ceil((east - offset_x) / size), math.ceil((north - offset_y) / size)
    return GridSpec(
        crs=info.code,
        unit_m=info.unit_m,
        cell_size_u=float(size),
        west_index=first_col,
        south_index=first_row,
        n_rows=max(last_row - first_row, 1),
        n_cols=max(last_col - first_col, 1),
        offset_x_u=float(offset_x),
        offset_y_u=float(offset_y),
    )


def _cells(area: Any, spec: GridSpec) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Raster positions and shares of the cells inside, found band by band so that the raster is never whole."""
    from rtm_pipeline.grid.coverage import covered_share, rings_of

    rings = in_cell_units(rings_of(area), spec)
    band = max(1, _BAND_CELLS // spec.n_cols)
    found: list[tuple[NDArray[np.int32], NDArray[np.float64]]] = []
    for last in range(spec.n_rows, 0, -band):  # northern bands first: raster order
        first = max(0, last - band)
        share = covered_share(rings, first, last, spec.n_cols)[::-1].ravel()
        inside = np.flatnonzero(share > SLIVER)
        found.append(((inside + (spec.n_rows - last) * spec.n_cols).astype(np.int32), share[inside]))
    return np.concatenate([flat for flat, _ in found]), np.concatenate([share for _, share in found])


def in_cell_units(rings: Any, spec: GridSpec) -> Any:
    """Rings with vertices in cells from the south-west corner of the raster, held within its columns."""
    from rtm_pipeline.grid.coverage import Rings

    x = (rings.x - spec.offset_x_u) / spec.cell_size_u - spec.west_index
    y = (rings.y - spec.offset_y_u) / spec.cell_size_u - spec.south_index
    return Rings(np.clip(x, 0.0, float(spec.n_cols)), y, rings.start, rings.polygon)


def with_border(grid: StudyGrid, reach: Any, influence_u: float) -> StudyGrid:
    """Flag the cells whose surroundings the sources do not cover, as along a state line.

    Parameters
    ----------
    grid : StudyGrid
    reach : shapely polygon
        Where the sources have data, in the grid's CRS.
    influence_u : float
        The largest spatial influence in use, CRS units.

    Returns
    -------
    StudyGrid
        ``border`` is True where the cell center lies outside ``reach`` or nearer to its edge than ``influence_u``.
    """
    import shapely

    if influence_u < 0:
        raise ConfigError(f"The influence must not be negative; found {influence_u:g}.")
    safe = reach.buffer(-influence_u, quad_segs=64) if influence_u else reach
    shapely.prepare(safe)
    covered = shapely.intersects_xy(safe, grid.center_x_u, grid.center_y_u)
    return StudyGrid(grid.spec, grid.flat, grid.exposure, ~covered, grid.perimeter_u)
