"""Exact squared distance from every cell center to its nearest feature, however far.

The raster is split into ever smaller tiles. A tile keeps only the features that can be nearest to some center in it:
with D the distance from the tile's middle to the feature nearest to the middle, and r the tile's half diagonal, those
within D + 2 r of the middle. A tile with few candidates left, or of one cell, is settled by trying them all. Every
distance that decides is computed from the coordinates themselves, so the result equals brute force bit for bit and
does not depend on tiles or threads; the work is nearly proportional to features plus cells.

Candidates are rows of an arena: x, y for points; x, y, dx, dy and 1 / length^2 for segments. A tile's candidates
begin where those of the tile around it end, so the arena is a stack.
"""

from __future__ import annotations

import numba
import numpy as np

__all__ = ["nearest_rows"]

_FEW = 8  # with so few candidates, trying them all is cheaper than splitting the tile
_ROUNDING = 1.0 + 1e-9  # bounds are widened by more than they can round


@numba.njit(nogil=True, cache=True, error_model="numpy")
def nearest_rows(features, x, y, row_start, cols, first_row, last_row, out):  # type: ignore[no-untyped-def]
    """Squared distance of the cells of some rows to the nearest feature.

    Parameters
    ----------
    features : float64 [2, m] or [5, m], m > 0
        Points (x, y), or segments (x, y, dx, dy, 1 / (dx^2 + dy^2), the last 0 for segments of no length).
    x, y : float64 [n_cols], [n_rows]
        Centers of columns (west to east) and rows (north to south).
    row_start, cols : int64 [n_rows + 1], int32 [n]
        Study cells of each row.
    first_row, last_row : int
        Rows to fill.
    out : float64 [n]
        Filled for the cells of these rows, CRS units squared.
    """
    m = features.shape[1]
    arena = np.empty((features.shape[0], max(4 * m, 1024)))
    arena[:, :m] = features
    squared = np.empty(m)
    tiles = np.empty((256, 6), np.int64)  # row from, to; column from, to; candidates of the tile around it from, to
    tiles[0] = np.array([first_row, last_row, 0, x.size, 0, m])
    top = 1
    while top > 0:
        top -= 1
        r0, r1, c0, c1, start, stop = tiles[top]
        if not _any_cell(row_start, cols, r0, r1, c0, c1):
            continue
        cells = (r1 - r0) * (c1 - c0)
        if cells > 1 and stop - start > _FEW:
            if 2 * stop - start > arena.shape[1]:
                arena = _larger(arena, stop, 2 * (2 * stop - start))
            kept = _filter(arena, start, stop, x[c0], x[c1 - 1], y[r1 - 1], y[r0], squared)
            start, stop = stop, stop + kept
        if cells == 1 or stop - start <= _FEW:
            _settle(arena, start, stop, x, y, row_start, cols, r0, r1, c0, c1, out)
            continue
        top = _split(tiles, top, r0, r1, c0, c1, start, stop)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _split(tiles, top, r0, r1, c0, c1, start, stop):  # type: ignore[no-untyped-def]
    """Put the quarters of a tile on the stack; the halves, where it is much longer than wide."""
    height, width = r1 - r0, c1 - c0
    middle_r = r1 if 2 * height <= width else (r0 + r1) // 2
    middle_c = c1 if 2 * width <= height else (c0 + c1) // 2
    for quarter in range(4):
        low_r, high_r = (r0, middle_r) if quarter < 2 else (middle_r, r1)
        low_c, high_c = (c0, middle_c) if quarter % 2 == 0 else (middle_c, c1)
        if low_r < high_r and low_c < high_c:
            tiles[top, 0], tiles[top, 1], tiles[top, 2] = low_r, high_r, low_c
            tiles[top, 3], tiles[top, 4], tiles[top, 5] = high_c, start, stop
            top += 1
    return top


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _larger(arena, used, capacity):  # type: ignore[no-untyped-def]
    larger = np.empty((arena.shape[0], capacity))
    larger[:, :used] = arena[:, :used]
    return larger


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _filter(arena, start, stop, west, east, south, north, squared):  # type: ignore[no-untyped-def]
    """Copy the candidates start ... stop - 1 that a tile can need to ``stop`` and on; their number."""
    mx, my = 0.5 * (west + east), 0.5 * (south + north)
    n = stop - start
    if arena.shape[0] == 2:
        px, py = arena[0, start:stop], arena[1, start:stop]
        for k in range(n):
            dx, dy = px[k] - mx, py[k] - my
            squared[k] = dx * dx + dy * dy
    else:
        ax, ay, sx, sy = arena[0, start:stop], arena[1, start:stop], arena[2, start:stop], arena[3, start:stop]
        inverse = arena[4, start:stop]
        for k in range(n):
            rx, ry = ax[k] - mx, ay[k] - my
            t = -(rx * sx[k] + ry * sy[k]) * inverse[k]
            t = min(max(t, 0.0), 1.0)
            dx, dy = rx + t * sx[k], ry + t * sy[k]
            squared[k] = dx * dx + dy * dy
    # A minimum does not depend on its order; four at a time keep the processor busy.
    b0 = b1 = b2 = b3 = np.inf
    for k in range(0, n - 3, 4):
        b0, b1 = min(b0, squared[k]), min(b1, squared[k + 1])
        b2, b3 = min(b2, squared[k + 2]), min(b3, squared[k + 3])
    for k in range(n - n % 4, n):
        b0 = min(b0, squared[k])
    nearest = np.sqrt(min(min(b0, b1), min(b2, b3)))
    diagonal = np.sqrt((east - west) ** 2 + (north - south) ** 2)
    # Rounding of large coordinates bounds the error of any distance here by far less than 1e-9 of the tile.
    limit = ((nearest + diagonal) * _ROUNDING) ** 2
    if arena.shape[0] == 2:
        return _keep_points(arena[0], arena[1], start, n, squared, limit)
    kept = 0
    for f in range(arena.shape[0]):
        kept = _keep(arena[f], start, n, squared, limit)
    return kept


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _keep_points(x, y, start, n, squared, limit):  # type: ignore[no-untyped-def]
    kept = start + n
    for k in range(n):
        x[kept], y[kept] = x[start + k], y[start + k]
        kept += squared[k] <= limit
    return kept - start - n


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _keep(values, start, n, squared, limit):  # type: ignore[no-untyped-def]
    kept = start + n
    for k in range(n):
        values[kept] = values[start + k]
        kept += squared[k] <= limit
    return kept - start - n


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _settle(arena, start, stop, x, y, row_start, cols, r0, r1, c0, c1, out):  # type: ignore[no-untyped-def]
    """Try all candidates on all cells of a tile."""
    points = arena.shape[0] == 2
    for row in range(r0, r1):
        low = _first_at(cols, row_start[row], row_start[row + 1], c0)
        high = low
        while high < row_start[row + 1] and cols[high] < c1:
            high += 1
        at = y[row]
        best, column = out[low:high], cols[low:high]
        for i in range(best.size):
            best[i] = np.inf
        for k in range(start, stop):
            ax, ry = arena[0, k], arena[1, k] - at
            if points:
                for i in range(best.size):
                    dx = ax - x[column[i]]
                    best[i] = min(best[i], dx * dx + ry * ry)
            else:
                sx, sy, inverse = arena[2, k], arena[3, k], arena[4, k]
                for i in range(best.size):
                    rx = ax - x[column[i]]
                    t = -(rx * sx + ry * sy) * inverse
                    t = min(max(t, 0.0), 1.0)
                    dx, dy = rx + t * sx, ry + t * sy
                    best[i] = min(best[i], dx * dx + dy * dy)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _any_cell(row_start, cols, r0, r1, c0, c1):  # type: ignore[no-untyped-def]
    for row in range(r0, r1):
        k = _first_at(cols, row_start[row], row_start[row + 1], c0)
        if k < row_start[row + 1] and cols[k] < c1:
            return True
    return False


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _first_at(cols, low, high, column):  # type: ignore[no-untyped-def]
    """First position in [low, high) whose column is at least ``column``; ``high`` if there is none."""
    if low >= high or cols[high - 1] < column:
        return high
    if cols[low] >= column:
        return low
    # Columns are ascending without repeats, so the one sought is here if the row has no gap before, or further west.
    guess = min(low + column - cols[low], high - 1)
    if cols[guess] == column:
        return guess
    high = guess
    while low < high:
        middle = (low + high) >> 1
        if cols[middle] < column:
            low = middle + 1
        else:
            high = middle
    return low
