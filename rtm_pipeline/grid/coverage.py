"""Exact share of every cell that polygons cover.

The share comes from a sum over the edges of the boundary (Green's theorem, cell by cell): along a raster row each
piece of an edge adds what it covers of the cell it passes through, and its full height to the cells further east. A
running sum along the row gives the shares, in time proportional to the cells that edges pass plus those of the
raster. No cell is cut out geometrically, so a boundary of any length costs little.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import shapely
from numpy.typing import NDArray

__all__ = ["Rings", "covered_share", "rings_of", "sparse_shares"]

_EPS = 1e-12  # of a cell: rounding of sums of a few thousand edge pieces stays far below


@dataclass(frozen=True, slots=True)
class Rings:
    """Rings of polygons as flat arrays; exteriors run counterclockwise, holes clockwise.

    Attributes
    ----------
    x, y : ndarray of float64
        Vertices; the last of a ring repeats its first.
    start : ndarray of int64, shape (n_rings + 1,)
        Where each ring begins among the vertices.
    polygon : ndarray of int64, shape (n_rings,)
        To which input polygon (or multipolygon) the ring belongs, ascending.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    start: NDArray[np.int64]
    polygon: NDArray[np.int64]


def rings_of(polygons: Any) -> Rings:
    """Rings of valid shapely polygons and multipolygons (an array of n, or one); None and empty ones have none."""
    parts, owner = shapely.get_parts(np.atleast_1d(np.asarray(polygons, dtype=object)), return_index=True)
    keep = ~shapely.is_empty(parts)
    parts, owner = shapely.orient_polygons(parts[keep]), owner[keep]
    rings, part = shapely.get_rings(parts, return_index=True)
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    start = np.searchsorted(ring, np.arange(len(rings) + 1)).astype(np.int64)
    return Rings(
        np.ascontiguousarray(xy[:, 0]),
        np.ascontiguousarray(xy[:, 1]),
        start,
        owner[part].astype(np.int64) if len(rings) else np.zeros(0, np.int64),
    )


def covered_share(rings: Rings, first_row: int, last_row: int, n_cols: int) -> NDArray[np.float64]:
    """Share of each cell that lies in the polygons, for a band of rows.

    Parameters
    ----------
    rings : Rings
        In cell units from the south-west corner of the raster: cell (j, i) is [i, i+1) x [j, j+1), j to the north.
        No vertex lies west of 0 or east of ``n_cols``.
    first_row, last_row : int
        Rows of the band, counted from the south; the last is not included.
    n_cols : int

    Returns
    -------
    ndarray of float64, shape (last_row - first_row, n_cols)
        In [0, 1]; exactly 0 or 1 in cells that no edge passes through.
    """
    share = np.zeros((last_row - first_row, n_cols + 2))
    touched = np.zeros((last_row - first_row, n_cols + 2), np.bool_)
    _add_edges(rings.x, rings.y, rings.start, 0, rings.start.size - 1, first_row, last_row, 0, share, touched)
    _run_sums(share, touched)
    return share[:, :n_cols]


def sparse_shares(
    rings: Rings, n_rows: int, n_cols: int, *, smallest: float = 1e-9
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Share of each cell in each of many polygons.

    Parameters
    ----------
    rings : Rings
        As for `covered_share`.
    n_rows, n_cols : int
    smallest : float
        Shares below it are left out.

    Returns
    -------
    polygon, flat : ndarray of int64, shape (m,)
        Which polygon, and which cell of the raster (row 0 at the north).
    share : ndarray of float64, shape (m,)
    """
    result: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]] = _sparse(
        rings.x, rings.y, rings.start, rings.polygon, n_rows, n_cols, smallest
    )
    return result


@numba.njit(nogil=True, cache=True)
def _add_edges(x, y, start, ring_from, ring_to, first_row, last_row, west, share, touched):  # type: ignore[no-untyped-def]
    """Add each edge's cover to ``share`` (a raster row a row, column 0 at ``west``) and mark the cells it passes."""
    for ring in range(ring_from, ring_to):
        for k in range(start[ring], start[ring + 1] - 1):
            if y[k] == y[k + 1]:
                row = int(np.floor(y[k]))  # covers nothing itself, but the cells it passes are cut
                if first_row <= row < last_row and y[k] > row:
                    for column in range(
                        int(np.floor(min(x[k], x[k + 1]) - west)), int(np.ceil(max(x[k], x[k + 1]) - west))
                    ):
                        touched[row - first_row, column] = True
                continue
            # d is positive where the inside lies east of the edge: where the boundary runs south.
            if y[k] < y[k + 1]:
                sign, xa, ya, xb, yb = -1.0, x[k], y[k], x[k + 1], y[k + 1]
            else:
                sign, xa, ya, xb, yb = 1.0, x[k + 1], y[k + 1], x[k], y[k]
            slope = (xb - xa) / (yb - ya)
            low, high = min(xa, xb), max(xa, xb)
            for row in range(max(first_row, int(np.floor(ya))), min(last_row, int(np.ceil(yb)))):
                bottom, top = max(ya, float(row)), min(yb, row + 1.0)
                if top <= bottom:
                    continue
                at_bottom = xa if bottom == ya else min(max(xa + (bottom - ya) * slope, low), high)
                at_top = xb if top == yb else min(max(xa + (top - ya) * slope, low), high)
                _add_piece(
                    min(at_bottom, at_top) - west,
                    max(at_bottom, at_top) - west,
                    sign * (top - bottom),
                    share[row - first_row],
                    touched[row - first_row],
                )


@numba.njit(nogil=True, cache=True)
def _add_piece(left, right, height, share, touched):  # type: ignore[no-untyped-def]
    """One piece of an edge within one raster row, from ``left`` to ``right``, covering ``height`` of it."""
    first = int(np.floor(left))
    last = max(int(np.ceil(right)), first + 1)
    for column in range(first, last):
        touched[column] = True
    if last == first + 1:
        west = 0.5 * (left + right) - first  # share of the row's height in this cell that lies west of the piece
        share[first] += height * (1.0 - west)
        share[first + 1] += height * west
        return
    per_column = 1.0 / (right - left)
    before = 0.0
    for column in range(first, last):
        # Share of the cell east of the piece: the part of the height reached west of the cell counts whole.
        a, b = max(left, float(column)), min(right, column + 1.0)
        passed = (a - left) * per_column + (b - a) * per_column * (column + 1.0 - 0.5 * (a + b))
        share[column] += height * (passed - before)
        before = passed
    share[last] += height * (1.0 - before)


@numba.njit(nogil=True, cache=True)
def _run_sums(share, touched):  # type: ignore[no-untyped-def]
    """Running sums along the rows; what no edge passes is wholly in or out."""
    for row in range(share.shape[0]):
        total = 0.0
        for column in range(share.shape[1]):
            total += share[row, column]
            value = total
            if not touched[row, column]:
                value = np.rint(value)
            if value < _EPS:
                value = 0.0
            elif value > 1.0 - _EPS:
                value = 1.0
            share[row, column] = value


@numba.njit(nogil=True, cache=True)
def _longer(values):  # type: ignore[no-untyped-def]
    longer = np.empty(2 * values.size)
    longer[: values.size] = values
    return longer


@numba.njit(nogil=True, cache=True)
def _longer_ints(values):  # type: ignore[no-untyped-def]
    longer = np.empty(2 * values.size, np.int64)
    longer[: values.size] = values
    return longer


@numba.njit(nogil=True, cache=True)
def _sparse(x, y, start, polygon, n_rows, n_cols, smallest):  # type: ignore[no-untyped-def]
    capacity = 1024
    owner, flat, found = np.empty(capacity, np.int64), np.empty(capacity, np.int64), np.empty(capacity)
    n = 0
    ring = 0
    while ring < polygon.size:
        ring_to = ring
        while ring_to < polygon.size and polygon[ring_to] == polygon[ring]:
            ring_to += 1
        x_low, x_high, y_low, y_high = np.inf, -np.inf, np.inf, -np.inf
        for k in range(start[ring], start[ring_to]):
            x_low, x_high = min(x_low, x[k]), max(x_high, x[k])
            y_low, y_high = min(y_low, y[k]), max(y_high, y[k])
        west, east = max(0, int(np.floor(x_low))), min(n_cols, int(np.ceil(x_high)))
        south, north = max(0, int(np.floor(y_low))), min(n_rows, int(np.ceil(y_high)))
        width = max(east - west, 0)
        band = max(1, 1_000_000 // (width + 2))
        for first in range(south, north, band):
            last = min(north, first + band)
            share = np.zeros((last - first, width + 2))
            touched = np.zeros((last - first, width + 2), np.bool_)
            _add_edges(x, y, start, ring, ring_to, first, last, west, share, touched)
            _run_sums(share, touched)
            for j in range(last - first):
                for i in range(width):
                    if share[j, i] < smallest:
                        continue
                    if n == capacity:
                        capacity *= 2
                        owner, flat, found = _longer_ints(owner), _longer_ints(flat), _longer(found)
                    owner[n] = polygon[ring]
                    flat[n] = (n_rows - 1 - first - j) * n_cols + west + i
                    found[n] = share[j, i]
                    n += 1
        ring = ring_to
    return owner[:n].copy(), flat[:n].copy(), found[:n].copy()
