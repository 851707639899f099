"""Tiers: the one home of class breaks and colors.

A tier is a share of cells, not a value: the top 1 %, to 5 %, to 10 %, to 20 %, the rest. Cells with the same value
stay together: a tie at a border raises all of them, so the actual shares may be larger and are told. Only the lowest
value is never raised: nothing lifts those cells above any other (no risk factor is near), however many they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["TIERS", "Tier", "tier_shares", "tiers_of"]


@dataclass(frozen=True, slots=True)
class Tier:
    """One class.

    Attributes
    ----------
    number : int
        1 is the highest.
    share : float
        Cumulative share of cells down to here.
    label : str
    color : str
        ``#rrggbb``; the five are distinct for color-blind readers and darken steadily, so they print in grey.
    """

    number: int
    share: float
    label: str
    color: str


TIERS: tuple[Tier, ...] = (
    Tier(1, 0.01, "1: top 1 % of cells", "#3b0f51"),
    Tier(2, 0.05, "2: to 5 %", "#9c2160"),
    Tier(3, 0.10, "3: to 10 %", "#dd5b4a"),
    Tier(4, 0.20, "4: to 20 %", "#f6a860"),
    Tier(5, 1.00, "5: the rest", "#f3efe4"),
)


def tiers_of(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Tier of each cell, shape (n,): 1 to 5, and 0 where the value is NaN.

    Cells are ranked by value, the largest first; a cell is in the best tier that any cell of its value reaches. Cells
    with the lowest value are in the last tier.
    """
    tiers = np.zeros(values.size, np.uint8)
    known = np.flatnonzero(np.isfinite(values))
    if known.size == 0:
        return tiers
    numbers = values[known]
    # How many cells have a larger value: the rank that the first of a tie takes.
    ascending = np.sort(numbers)
    larger = known.size - np.searchsorted(ascending, numbers, side="right")
    tiers[known] = TIERS[-1].number
    for tier in reversed(TIERS[:-1]):
        cells = max(1, round(tier.share * known.size))
        tiers[known[(larger < cells) & (numbers > ascending[0])]] = tier.number
    return tiers


def tier_shares(tiers: NDArray[np.uint8]) -> dict[int, float]:
    """Actual share of cells of each tier, among cells that have one."""
    ranked = int(np.count_nonzero(tiers))
    return {tier.number: float(np.count_nonzero(tiers == tier.number) / ranked) if ranked else 0.0 for tier in TIERS}
