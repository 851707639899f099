"""Compiled passes over planes of cells: rounding, sums in fixed blocks, thresholds, states; and over sorted points."""

from __future__ import annotations

import numba
import numpy as np

__all__ = [
    "BLOCK",
    "block_squares",
    "block_sums",
    "mark_above",
    "mark_levels",
    "relabel",
    "round_plane",
    "sort_ties",
    "tally",
]

BLOCK = 65536  # cells of one partial sum: fixed, so that sums do not depend on how work is shared out
_SPLIT = 8388609.0  # 2^23 + 1: Veltkamp's splitting keeps 53 - 23 = 30 bits


@numba.njit(nogil=True, cache=True, error_model="numpy")
def round_plane(values, first, last):  # type: ignore[no-untyped-def]
    """Round values [n] to 30 significant bits (5e-10 of themselves) in place."""
    for i in range(first, last):
        shifted = _SPLIT * values[i]
        values[i] = shifted - (shifted - values[i])


@numba.njit(nogil=True, cache=True, error_model="numpy")
def block_sums(values, known, first, last, sums):  # type: ignore[no-untyped-def]
    """Sums over blocks first ... last - 1 of ``BLOCK`` cells; over known cells only, where ``known`` is not empty."""
    for block in range(first, last):
        start, stop = block * BLOCK, min(values.size, (block + 1) * BLOCK)
        s0 = s1 = s2 = s3 = 0.0
        if known.size:
            for i in range(start, stop):
                s0 += values[i] if known[i] else 0.0
        else:
            for i in range(start, stop - 3, 4):
                s0 += values[i]
                s1 += values[i + 1]
                s2 += values[i + 2]
                s3 += values[i + 3]
            for i in range(stop - (stop - start) % 4, stop):
                s0 += values[i]
        sums[block] = (s0 + s1) + (s2 + s3)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def block_squares(values, known, mean, first, last, sums):  # type: ignore[no-untyped-def]
    """Sums of squared deviations from ``mean``, otherwise as `block_sums`."""
    for block in range(first, last):
        start, stop = block * BLOCK, min(values.size, (block + 1) * BLOCK)
        s0 = s1 = s2 = s3 = 0.0
        if known.size:
            for i in range(start, stop):
                s0 += (values[i] - mean) ** 2 if known[i] else 0.0
        else:
            for i in range(start, stop - 3, 4):
                s0 += (values[i] - mean) ** 2
                s1 += (values[i + 1] - mean) ** 2
                s2 += (values[i + 2] - mean) ** 2
                s3 += (values[i + 3] - mean) ** 2
            for i in range(stop - (stop - start) % 4, stop):
                s0 += (values[i] - mean) ** 2
        sums[block] = (s0 + s1) + (s2 + s3)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def mark_levels(squared, limits, raw, distance, first, last):  # type: ignore[no-untyped-def]
    """``raw`` = how many of the ascending squared ``limits`` the squared distance exceeds; ``distance`` = its root."""
    for i in range(first, last):
        level = 0
        for k in range(limits.size):
            level += squared[i] > limits[k]
        raw[i] = level
        distance[i] = np.sqrt(squared[i])


@numba.njit(nogil=True, cache=True, error_model="numpy")
def mark_above(values, threshold, bit, raw, first, last):  # type: ignore[no-untyped-def]
    """Set ``bit`` (a power of two) of ``raw`` where a value exceeds the threshold."""
    for i in range(first, last):
        raw[i] += bit if values[i] > threshold else 0


@numba.njit(nogil=True, cache=True, error_model="numpy")
def tally(raw, known, all_cells, known_cells):  # type: ignore[no-untyped-def]
    """Count the raw states, over all cells and over those known (all, where ``known`` is empty)."""
    for i in range(raw.size):
        all_cells[raw[i]] += 1
    if known.size:
        for i in range(raw.size):
            known_cells[raw[i]] += known[i]
    else:
        known_cells[:] = all_cells


@numba.njit(nogil=True, cache=True, error_model="numpy")
def relabel(raw, table, codes, first, last):  # type: ignore[no-untyped-def]
    """``codes = table[raw]``."""
    for i in range(first, last):
        codes[i] = table[raw[i]]


@numba.njit(nogil=True, cache=True, error_model="numpy")
def sort_ties(x, y):  # type: ignore[no-untyped-def]
    """Sort x in place within runs of equal y (Shell's sort): as runs are short, faster than sorting by two keys."""
    first = 0
    while first < y.size:
        last = first + 1
        while last < y.size and y[last] == y[first]:
            last += 1
        gap = 1
        while gap < (last - first) // 3:
            gap = 3 * gap + 1
        while gap > 0:
            for i in range(first + gap, last):
                value, j = x[i], i
                while j >= first + gap and x[j - gap] > value:
                    x[j] = x[j - gap]
                    j -= gap
                x[j] = value
            gap //= 3
        first = last
