"""Exact squared distance from every cell center to its nearest feature, however far.

The raster is split into tiles. A tile keeps only the features that can be nearest to some center in it. One with many
candidates is split into quarters, which choose among them; one with few, or of one cell, is settled by trying them
all. Every distance that decides is computed from the coordinates themselves, so the result equals brute force bit for
bit and does not depend on tiles or threads. The work is nearly proportional to features plus cells, whether features
are spread out or crowded.

The first tiles find their candidates through square buckets of features, searched ring by ring: with D the distance
from the tile's middle to the feature nearest to it, those within D plus the tile's diagonal. Candidates are columns
of an arena, rows x, y for points and x, y, dx, dy, 1 / length^2 for segments. Those of a tile begin where those of the
tile around it end, so the arena is a stack.
"""

from __future__ import annotations

import numba
import numpy as np

from rtm_pipeline.factors.nearest_buckets import SLACK, gather, larger, place_on, squared_to

__all__ = ["nearest_rows"]

_FEW = 8  # with so few candidates, trying them all is cheaper than splitting the tile
_IN_TILE = 8.0  # features in a first tile, were they spread evenly
_CROWD = 32  # so many segments are worth the dearer test


@numba.njit(nogil=True, cache=True, error_model="numpy")
def nearest_rows(features, start, frame, x, y, row_start, cols, first_row, last_row, out):  # type: ignore[no-untyped-def]
    """Squared distance of the cells of some rows to the nearest feature.

    Parameters
    ----------
    features, start, frame
        From `rtm_pipeline.factors.nearest_buckets.into_buckets`.
    x, y : float64 [n_cols], [n_rows]
        Centers of columns (west to east) and rows (north to south).
    row_start, cols : int64 [n_rows + 1], int32 [n]
        Study cells of each row.
    first_row, last_row : int
        Rows to fill.
    out : float64 [n]
        Filled for the cells of these rows, CRS units squared.
    """
    size = abs(x[1] - x[0]) if x.size > 1 else (abs(y[1] - y[0]) if y.size > 1 else 1.0)
    # As large as a bucket; larger where features crowd in a part of the raster, for there tiles are split anyway.
    even = np.sqrt(_IN_TILE * x.size * y.size / features.shape[1])
    side = int(min(max(frame[2] / size, even, 1.0), 4096.0))
    arena = np.empty((features.shape[0], 4096))
    tiles = np.empty((256, 6), np.int64)  # row from, to; column from, to; candidates of the tile around it from, to
    for r0 in range(first_row, last_row, side):
        r1 = min(r0 + side, last_row)
        for c0 in range(0, x.size, side):
            c1 = min(c0 + side, x.size)
            if _any_cell(row_start, cols, r0, r1, c0, c1):
                arena, found = gather(features, start, frame, x[c0], x[c1 - 1], y[r1 - 1], y[r0], arena)
                arena = _tile(arena, found, tiles, x, y, row_start, cols, r0, r1, c0, c1, out)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _tile(arena, found, tiles, x, y, row_start, cols, r0, r1, c0, c1, out):  # type: ignore[no-untyped-def]
    """Settle a first tile, whose candidates are the first ``found`` of the arena; the arena, perhaps a larger one."""
    scratch = np.empty(found)
    tiles[0, 0], tiles[0, 1], tiles[0, 2], tiles[0, 3], tiles[0, 4], tiles[0, 5] = r0, r1, c0, c1, 0, found
    top = 1
    while top > 0:
        top -= 1
        r0, r1, c0, c1, start, stop = tiles[top]
        if not _any_cell(row_start, cols, r0, r1, c0, c1):
            continue
        cells = (r1 - r0) * (c1 - c0)
        if cells > 1 and stop - start > _FEW:
            if 2 * stop - start > arena.shape[1]:
                arena = larger(arena, stop, 2 * (2 * stop - start))
            kept = _filter(arena, start, stop, x[c0], x[c1 - 1], y[r1 - 1], y[r0], scratch)
            start, stop = stop, stop + kept
        if cells == 1 or stop - start <= _FEW:
            _settle(arena, start, stop, x, y, row_start, cols, r0, r1, c0, c1, out)
            continue
        top = _split(tiles, top, r0, r1, c0, c1, start, stop)
    return arena


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
def _filter(arena, start, stop, west, east, south, north, scratch):  # type: ignore[no-untyped-def]
    """Copy the candidates start ... stop - 1 that can be nearest somewhere in a tile to ``stop`` and on; their number.

    Let p be the place, on the feature nearest to the middle, that is nearest to it. Where p is nearer than another
    feature is an intersection of half planes, hence convex: a feature that is farther than p from all four corners of
    the tile is farther everywhere in it. Distances must differ by more than they can round.
    """
    n = stop - start
    x, y = _nearest_place(arena, start, stop, 0.5 * (west + east), 0.5 * (south + north), scratch)
    dw, de, ds, dn = (x - west) ** 2, (x - east) ** 2, (y - south) ** 2, (y - north) ** 2
    sw, se, nw, ne = dw + ds, de + ds, dw + dn, de + dn
    slack = SLACK * ((east - west) ** 2 + (north - south) ** 2)
    less = 1.0 - SLACK
    if arena.shape[0] == 2:
        px, py = arena[0, start:stop], arena[1, start:stop]
        for k in range(n):
            dw, de, ds, dn = (px[k] - west) ** 2, (px[k] - east) ** 2, (py[k] - south) ** 2, (py[k] - north) ** 2
            south_side = min((dw + ds) * less - sw, (de + ds) * less - se)
            north_side = min((dw + dn) * less - nw, (de + dn) * less - ne)
            scratch[k] = min(south_side, north_side)
        return _keep_points(arena[0], arena[1], start, n, scratch, slack)
    middle = np.sqrt((x - 0.5 * (west + east)) ** 2 + (y - 0.5 * (south + north)) ** 2)
    reach = (middle + np.sqrt((east - west) ** 2 + (north - south) ** 2)) * (1.0 + SLACK)
    kept = _keep(arena, start, stop, n, scratch, reach * reach)
    if kept <= _CROWD:
        return kept
    for k in range(kept):
        at = stop + k
        south_side = min(squared_to(arena, at, west, south) * less - sw, squared_to(arena, at, east, south) * less - se)
        north_side = min(squared_to(arena, at, west, north) * less - nw, squared_to(arena, at, east, north) * less - ne)
        scratch[k] = min(south_side, north_side)
    return _keep(arena, stop, stop, kept, scratch, slack)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _nearest_place(arena, start, stop, mx, my, scratch):  # type: ignore[no-untyped-def]
    """The place on any candidate that is nearest to (mx, my)."""
    n = stop - start
    if arena.shape[0] == 2:
        px, py = arena[0, start:stop], arena[1, start:stop]
        for k in range(n):
            dx, dy = px[k] - mx, py[k] - my
            scratch[k] = dx * dx + dy * dy
    else:
        for k in range(n):
            scratch[k] = squared_to(arena, start + k, mx, my)
    # A minimum does not depend on its order; four at a time keep the processor busy.
    b0 = b1 = b2 = b3 = np.inf
    for k in range(0, n - 3, 4):
        b0, b1 = min(b0, scratch[k]), min(b1, scratch[k + 1])
        b2, b3 = min(b2, scratch[k + 2]), min(b3, scratch[k + 3])
    for k in range(n - n % 4, n):
        b0 = min(b0, scratch[k])
    least, best = min(min(b0, b1), min(b2, b3)), 0
    while scratch[best] > least:
        best += 1
    return place_on(arena, start + best, mx, my)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _keep_points(x, y, start, n, values, limit):  # type: ignore[no-untyped-def]
    kept = start + n
    for k in range(n):
        x[kept], y[kept] = x[start + k], y[start + k]
        kept += values[k] <= limit
    return kept - start - n


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _keep(arena, start, to, n, values, limit):  # type: ignore[no-untyped-def]
    kept = 0
    for f in range(arena.shape[0]):
        row = arena[f]
        kept = to
        for k in range(n):
            row[kept] = row[start + k]
            kept += values[k] <= limit
    return kept - to


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
