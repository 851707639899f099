"""Tables of counts from which no small count can be told: small ones are held back, and others to protect them.

Whoever reads a table also knows its margins: the count of each neighborhood, and of each hour in the city. So holding
back a count alone is not enough; what is left of a margin would give it away. Here enough others are held back that
every count that was held back for its smallness could still be any of several numbers, given all that is told
(complementary suppression, checked by bounding each count from all margins).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["LEAST_COUNT", "LEAST_DOUBT", "bounds", "held_back", "protect_table"]

LEAST_COUNT = 5
"""Counts below it are small."""
LEAST_DOUBT = 3
"""A small count must be able to lie anywhere in a range at least so wide (four different numbers)."""
_ROUNDS = 20
Counts = NDArray[np.float64]
Mask = NDArray[np.bool_]


def held_back(values: Counts, more: Mask) -> Mask:
    """Which counts of one column are not told, if the sum of all may be known.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
        Counts; NaN where not known.
    more : ndarray of bool, shape (n,)
        Held back for another reason.

    Returns
    -------
    ndarray of bool, shape (n,)
        Counts below 5, and ``more``; if that holds back any, then the next smallest as well until there are at least
        two whose sum is at least 5.
    """
    known = np.isfinite(values)
    hidden = known & ((values < LEAST_COUNT) | more)
    if not hidden.any():
        return hidden
    for at in np.argsort(np.where(known & ~hidden, values, np.inf), kind="stable"):
        if hidden[at] or not known[at]:
            break
        if np.count_nonzero(hidden) >= 2 and values[hidden].sum() >= LEAST_COUNT:
            break
        hidden[at] = True
    return hidden


def protect_table(counts: NDArray[np.int64], row_sums: Mask, column_sums: Mask) -> Mask:
    """Which cells of a table are not told, if the sums of rows and of columns are told elsewhere.

    Parameters
    ----------
    counts : ndarray of int64, shape (rows, columns)
    row_sums, column_sums : ndarray of bool, shape (rows,) and (columns,)
        Whose sums are told.

    Returns
    -------
    ndarray of bool, shape (rows, columns)
        All counts below 5, and so many others that in every row and column those held back are at least two with a sum
        of at least 5, and that no small count can be bounded to a range narrower than `LEAST_DOUBT`.
    """
    small = counts < LEAST_COUNT
    hidden = small.copy()
    while True:
        before = int(np.count_nonzero(hidden))
        hidden = _complete(counts, hidden)
        hidden = _complete(counts.T, hidden.T).T
        if np.count_nonzero(hidden) > before:
            continue
        low, high = bounds(counts, hidden, row_sums, column_sums)
        exposed = small & (high - low < LEAST_DOUBT)
        if not exposed.any() or not _hide_more(counts, hidden, exposed):
            return hidden


def bounds(counts: NDArray[np.int64], hidden: Mask, row_sums: Mask, column_sums: Mask) -> tuple[Counts, Counts]:
    """Least and greatest value that each count can have for a reader who knows the sums told and what is not hidden."""
    values = counts.astype(np.float64)
    rows = np.where(row_sums, values.sum(axis=1), np.nan)[:, None]
    columns = np.where(column_sums, values.sum(axis=0), np.nan)[None, :]
    low, high = np.where(hidden, 0.0, values), np.where(hidden, np.inf, values)
    for _ in range(_ROUNDS):
        before = low.copy(), high.copy()
        for axis, total in ((0, columns), (1, rows)):
            high = np.fmin(high, total - (low.sum(axis=axis, keepdims=True) - low))
            low = np.fmax(low, total - _sum_but_one(high, axis))
        if np.array_equal(before[0], low) and np.array_equal(before[1], high):
            break
    return low, high


def _sum_but_one(values: Counts, axis: int) -> Counts:
    """Sum along an axis without the cell itself, where some may be infinite."""
    endless = np.isinf(values)
    finite = np.where(endless, 0.0, values)
    rest = finite.sum(axis=axis, keepdims=True) - finite
    others = endless.sum(axis=axis, keepdims=True) - endless
    return np.where(others > 0, np.inf, rest)


def _complete(counts: NDArray[np.int64], hidden: Mask) -> Mask:
    """In each row that hides any, the smallest others too, until those hidden are two with a sum of at least 5."""
    hidden = hidden.copy()
    while True:
        few = hidden.sum(axis=1) < 2
        little = np.where(hidden, counts, 0).sum(axis=1) < LEAST_COUNT
        rows = np.flatnonzero(hidden.any(axis=1) & (few | little) & ~hidden.all(axis=1))
        if not rows.size:
            return hidden
        shown = np.where(hidden[rows], np.iinfo(np.int64).max, counts[rows])
        hidden[rows, np.argmin(shown, axis=1)] = True


def _hide_more(counts: NDArray[np.int64], hidden: Mask, exposed: Mask) -> bool:
    """Hide the smallest told cell in the rows of exposed cells, or else in their columns; False: there is none."""
    rows = np.flatnonzero(exposed.any(axis=1) & ~hidden.all(axis=1))
    columns = np.flatnonzero(exposed.any(axis=0) & ~hidden.all(axis=0))
    most = np.iinfo(np.int64).max
    hidden[rows, np.argmin(np.where(hidden, most, counts), axis=1)[rows]] = True
    hidden[np.argmin(np.where(hidden, most, counts), axis=0)[columns], columns] = True
    return bool(rows.size or columns.size)
