"""Folds for cross-validation: the same number of incidents and of cells in each, or whole spatial blocks.

Incidents are rare and clustered. Folds drawn blindly differ in incidents by several per cent, which goes straight
into the held-out deviance; folds dealt by count do not.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ModelError

__all__ = ["balanced_folds", "block_folds"]

MOST_FOLDS = 255


def balanced_folds(counts: NDArray[np.integer], k: int, seed: int) -> NDArray[np.uint8]:
    """Deal cells to folds so that the folds have equal incidents and equal cells.

    Cells are dealt from the highest count to the lowest, each to the fold with the fewest incidents so far that still
    has room; cells with equal counts are in random order. Folds hold ``floor(n / k)`` or ``ceil(n / k)`` cells.
    Incidents differ by at most the count of one cell as long as cells without incidents are left to fill the room,
    and by at most 1 where there are enough cells with one incident, as in any city.

    Parameters
    ----------
    counts : ndarray of int, shape (n,)
        Incidents in each cell, not negative.
    k : int
        Number of folds, 2 to 255.
    seed : int

    Returns
    -------
    ndarray of uint8, shape (n,)
        Fold of each cell, ``0 .. k - 1``.

    Raises
    ------
    ModelError
        If k is not 2 to 255, there are fewer cells than folds, or a count is negative.
    """
    values = _whole(counts)
    _check_folds(k, values.size, "cells")
    rng = np.random.default_rng(seed)
    n = values.size
    order = np.lexsort((rng.random(n), -values))
    preference = rng.permutation(k)
    room = np.full(k, n // k, np.int64)
    room[preference[: n % k]] += 1
    totals = np.zeros(k, np.int64)
    folds = np.empty(n, np.uint8)
    levels, first = np.unique(-values[order], return_index=True)
    bounds = np.append(first, n)
    for level, start, stop in zip(-levels, bounds[:-1], bounds[1:], strict=True):
        shares = _pour(totals, room, int(level), int(stop - start), preference)
        folds[order[start:stop]] = np.repeat(np.arange(k), shares)
        totals += level * shares
        room -= shares
    return folds


def block_folds(block_id: NDArray[np.integer], counts: NDArray[np.integer], k: int, seed: int) -> NDArray[np.uint8]:
    """Deal whole spatial blocks to folds so that the folds have about equal incidents.

    Blocks go from the one with most incidents to the one with fewest, each to the fold with the fewest incidents so
    far; blocks without incidents go to the fold with the fewest cells. Neighbors stay together, so the held-out
    deviance is not flattered by autocorrelation (Roberts et al. 2017).

    Parameters
    ----------
    block_id : ndarray of int, shape (n,)
        Block of each cell; any integers.
    counts : ndarray of int, shape (n,)
        Incidents in each cell, not negative.
    k : int
        Number of folds, 2 to 255.
    seed : int
        Orders blocks that tie.

    Returns
    -------
    ndarray of uint8, shape (n,)
        Fold of each cell, ``0 .. k - 1``; all cells of a block share it.

    Raises
    ------
    ModelError
        If k is not 2 to 255, there are fewer blocks than folds, lengths differ, or a count is negative.
    """
    values = _whole(counts)
    blocks = np.asarray(block_id)
    if blocks.shape != values.shape:
        raise ModelError(
            f"Blocks and counts must speak of the same cells: found {blocks.shape} block numbers and {values.shape} "
            "counts. Pass one block number a cell."
        )
    names, inverse = np.unique(blocks, return_inverse=True)
    _check_folds(k, names.size, "spatial blocks")
    incidents = np.zeros(names.size, np.int64)
    np.add.at(incidents, inverse, values)
    cells = np.bincount(inverse, minlength=names.size)
    rng = np.random.default_rng(seed)
    fold_of_block = np.empty(names.size, np.uint8)
    ties = rng.permutation(k)
    held_incidents, held_cells = np.zeros(k, np.int64), np.zeros(k, np.int64)
    for block in np.lexsort((rng.random(names.size), -cells, -incidents)):
        first = held_incidents if incidents[block] else np.zeros(k, np.int64)
        fold = np.lexsort((ties, held_cells, first))[0]
        fold_of_block[block] = fold
        held_incidents[fold] += incidents[block]
        held_cells[fold] += cells[block]
    return fold_of_block[inverse]


def _whole(counts: NDArray[np.integer]) -> NDArray[np.int64]:
    values = np.asarray(counts)
    if values.ndim != 1 or not np.issubdtype(values.dtype, np.integer):
        raise ModelError(
            f"Counts must be a vector of whole numbers: found shape {values.shape} and type {values.dtype}. "
            "Count incidents a cell before dealing folds."
        )
    if values.size and values.min() < 0:
        raise ModelError(
            f"Counts can't be negative: found {values.min()} in cell {int(values.argmin())}. Correct the counts."
        )
    return values.astype(np.int64)


def _check_folds(k: int, available: int, what: str) -> None:
    if not 2 <= k <= MOST_FOLDS:
        raise ModelError(f"The number of folds is {k}; expected 2 to {MOST_FOLDS}. Set `folds`, 5 is usual.")
    if available < k:
        raise ModelError(
            f"{k} folds need at least {k} {what}: found {available}. Ask for fewer folds or smaller blocks."
        )


def _pour(
    totals: NDArray[np.int64], room: NDArray[np.int64], value: int, items: int, preference: NDArray[np.intp]
) -> NDArray[np.int64]:
    """How many of `items` equal cells each fold gets if each goes to the fold with the lowest total with room.

    The same as handing them out one by one, found as a water level: a fold takes its j-th cell when the level reaches
    ``total + j * value``. `items` never exceeds the room of all folds.
    """
    if value == 0:
        return _fill(room, items)
    low, high = int(totals.min()) - 1, int(totals.max()) + value * (items + 1)
    while high - low > 1:  # the highest level at which no more than `items` cells are taken
        level = (low + high) // 2
        if int(_taken(totals, room, value, level).sum()) <= items:
            low = level
        else:
            high = level
    shares = _taken(totals, room, value, low)
    left = items - int(shares.sum())
    next_level = _taken(totals, room, value, low + 1)
    willing = [fold for fold in preference if next_level[fold] > shares[fold]]
    shares[willing[:left]] += 1
    return shares


def _taken(totals: NDArray[np.int64], room: NDArray[np.int64], value: int, level: int) -> NDArray[np.int64]:
    """Cells that each fold has taken while every total below `level` was topped up."""
    wanted = -((totals - level) // value)  # ceil((level - total) / value)
    return np.clip(wanted, 0, room)


def _fill(room: NDArray[np.int64], items: int) -> NDArray[np.int64]:
    """Share out cells without incidents: they come last and are exactly the room that is left."""
    if int(room.sum()) != items:
        raise ModelError(f"{items} cells without incidents do not fill the room of {int(room.sum())} in the folds.")
    return room.copy()
