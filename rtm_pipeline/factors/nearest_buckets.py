"""Square buckets of features, and the search in them for what can be nearest to somewhere in a tile."""

from __future__ import annotations

import numba
import numpy as np

__all__ = ["SLACK", "gather", "into_buckets", "larger", "nearest_others", "place_on", "squared_to"]

SLACK = 1e-9  # bounds are widened by more than they can round
_IN_BUCKET = 8.0  # features in a bucket, were they spread evenly


@numba.njit(nogil=True, cache=True, error_model="numpy")
def into_buckets(features):  # type: ignore[no-untyped-def]
    """Sort features into square buckets.

    Parameters
    ----------
    features : float64 [2, m] or [5, m], m > 0
        Points (x, y), or segments (x, y, dx, dy, 1 / (dx^2 + dy^2)).

    Returns
    -------
    features : float64 [2 or 5, m]
        The same, bucket by bucket, buckets row by row.
    start : int64 [n_buckets + 1]
        Where each bucket begins.
    frame : float64 [5]
        West, south, side of a bucket, number of columns of buckets, and half the longest segment.
    """
    rows, m = features.shape
    longest = 0.0
    x, y = features[0].copy(), features[1].copy()
    if rows == 5:  # a segment is where its middle is
        for k in range(m):
            x[k] += 0.5 * features[2, k]
            y[k] += 0.5 * features[3, k]
            longest = max(longest, features[2, k] ** 2 + features[3, k] ** 2)
    west, east, south, north = x.min(), x.max(), y.min(), y.max()
    width, height = east - west, north - south
    side = max(np.sqrt(_IN_BUCKET * width * height / m), max(width, height) * _IN_BUCKET / m, 1e-6)
    n_cols, n_rows = int(width / side) + 1, int(height / side) + 1
    bucket = np.empty(m, np.int64)
    start = np.zeros(n_cols * n_rows + 1, np.int64)
    for k in range(m):
        bucket[k] = int((y[k] - south) / side) * n_cols + int((x[k] - west) / side)
        start[bucket[k] + 1] += 1
    for k in range(n_cols * n_rows):
        start[k + 1] += start[k]
    position = start[:-1].copy()
    ordered = np.empty_like(features)
    for k in range(m):
        for row in range(rows):
            ordered[row, position[bucket[k]]] = features[row, k]
        position[bucket[k]] += 1
    return ordered, start, np.array([west, south, side, float(n_cols), 0.5 * np.sqrt(longest)])


@numba.njit(nogil=True, cache=True, error_model="numpy")
def squared_to(features, k, px, py):  # type: ignore[no-untyped-def]
    """Squared distance from one place to one feature."""
    dx, dy = features[0, k] - px, features[1, k] - py
    if features.shape[0] == 5:
        t = -(dx * features[2, k] + dy * features[3, k]) * features[4, k]
        t = min(max(t, 0.0), 1.0)
        dx, dy = dx + t * features[2, k], dy + t * features[3, k]
    return dx * dx + dy * dy


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _beyond(west, east, south, north, px, py):  # type: ignore[no-untyped-def]
    """Squared distance from a place to a rectangle."""
    dx = max(max(west - px, px - east), 0.0)
    dy = max(max(south - py, py - north), 0.0)
    return dx * dx + dy * dy


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _nearest_in_buckets(features, start, frame, mx, my, other_than):  # type: ignore[no-untyped-def]
    """The feature nearest to a place, by rings of buckets around it, one feature left out; number, squared distance."""
    side, n_cols, pad = frame[2], int(frame[3]), frame[4]
    n_rows = (start.size - 1) // n_cols
    column = int(min(max(np.floor((mx - frame[0]) / side), 0.0), n_cols - 1.0))
    row = int(min(max(np.floor((my - frame[1]) / side), 0.0), n_rows - 1.0))
    best, which = np.inf, 0
    for ring in range(max(n_cols, n_rows)):
        beyond = (ring - 1) * side - pad
        if beyond > 0.0 and beyond * beyond > best * (1.0 + SLACK):
            break
        for j in range(max(row - ring, 0), min(row + ring, n_rows - 1) + 1):
            step = 1 if abs(j - row) == ring else max(2 * ring, 1)
            south = frame[1] + j * side - pad
            for i in range(column - ring, column + ring + 1, step):
                bucket = j * n_cols + i
                if i < 0 or i >= n_cols or start[bucket] == start[bucket + 1]:
                    continue
                west = frame[0] + i * side - pad
                width = side + 2.0 * pad
                if _beyond(west, west + width, south, south + width, mx, my) > best * (1.0 + SLACK):
                    continue
                for k in range(start[bucket], start[bucket + 1]):
                    distance = squared_to(features, k, mx, my)
                    if distance < best and k != other_than:
                        best, which = distance, k
                        if best == 0.0:
                            return which, best
    return which, best


@numba.njit(nogil=True, cache=True, error_model="numpy")
def nearest_others(points, start, frame, first, last, out):  # type: ignore[no-untyped-def]
    """Squared distance of points first ... last - 1, from `into_buckets`, to the nearest other point, into ``out``."""
    for k in range(first, last):
        out[k] = _nearest_in_buckets(points, start, frame, points[0, k], points[1, k], k)[1]


@numba.njit(nogil=True, cache=True, error_model="numpy")
def gather(features, start, frame, west, east, south, north, arena):  # type: ignore[no-untyped-def]
    """Candidates of a tile to the front of the arena; the arena, perhaps a larger one, and their number.

    Besides buckets beyond reach, those are left out that are farther from all four corners than the feature nearest to
    the middle: they are farther from it everywhere in the tile.
    """
    side, n_cols, pad = frame[2], int(frame[3]), frame[4]
    n_rows = (start.size - 1) // n_cols
    mx, my = 0.5 * (west + east), 0.5 * (south + north)
    which, best = _nearest_in_buckets(features, start, frame, mx, my, -1)
    x, y = place_on(features, which, mx, my)
    dw, de, ds, dn = (x - west) ** 2, (x - east) ** 2, (y - south) ** 2, (y - north) ** 2
    diagonal2 = (east - west) ** 2 + (north - south) ** 2
    slack = SLACK * (diagonal2 + best + dw + de + ds + dn)
    reach = (np.sqrt(best) + np.sqrt(diagonal2)) * (1.0 + SLACK) + pad
    low = int(min(max(np.floor((mx - reach - frame[0]) / side), 0.0), n_cols - 1.0))
    high = int(min(max(np.floor((mx + reach - frame[0]) / side), 0.0), n_cols - 1.0))
    bottom = int(min(max(np.floor((my - reach - frame[1]) / side), 0.0), n_rows - 1.0))
    top = int(min(max(np.floor((my + reach - frame[1]) / side), 0.0), n_rows - 1.0))
    found = 0
    for j in range(bottom, top + 1):
        b0 = frame[1] + j * side - pad
        b1 = b0 + side + 2.0 * pad
        for i in range(low, high + 1):
            first, last = start[j * n_cols + i], start[j * n_cols + i + 1]
            if first == last:
                continue
            a0 = frame[0] + i * side - pad
            a1 = a0 + side + 2.0 * pad
            south_side = min(_beyond(a0, a1, b0, b1, west, south) - dw, _beyond(a0, a1, b0, b1, east, south) - de) - ds
            north_side = min(_beyond(a0, a1, b0, b1, west, north) - dw, _beyond(a0, a1, b0, b1, east, north) - de) - dn
            if min(south_side, north_side) > slack:
                continue
            if found + last - first > arena.shape[1]:
                arena = larger(arena, found, 2 * (found + last - first))
            for f in range(features.shape[0]):
                for k in range(first, last):
                    arena[f, found + k - first] = features[f, k]
            found += last - first
    return arena, found


@numba.njit(nogil=True, cache=True, error_model="numpy")
def place_on(features, k, px, py):  # type: ignore[no-untyped-def]
    """The place on one feature that is nearest to (px, py)."""
    x, y = features[0, k], features[1, k]
    if features.shape[0] == 5:
        t = min(max(-((x - px) * features[2, k] + (y - py) * features[3, k]) * features[4, k], 0.0), 1.0)
        x, y = x + t * features[2, k], y + t * features[3, k]
    return x, y


@numba.njit(nogil=True, cache=True, error_model="numpy")
def larger(arena, used, capacity):  # type: ignore[no-untyped-def]
    """A copy of the first ``used`` columns of an arena with room for ``capacity``."""
    copy = np.empty((arena.shape[0], capacity))
    for f in range(arena.shape[0]):
        for k in range(used):
            copy[f, k] = arena[f, k]
    return copy
