"""Does a record feed on the surface that it feeds? A loop shows where flagged places outgrow their equals.

If being flagged draws patrols or inspectors, and they record what they meet, then places that were flagged rise in the
next period against places that were their equals and just missed being flagged. Chance and regression to the mean
move both alike. `feedback_at_the_line` is for a forecast that was published: cells on both sides of the line of the
priority area are equals but for the line. `feedback` is for flags that were given with some chance.

References
----------
Ensign et al. 2018 (runaway feedback loops).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ModelError
from rtm_pipeline.evaluation.measures import Ranking, top_cells

__all__ = ["Feedback", "feedback", "feedback_at_the_line"]

_DETECTED = 0.01
_LEAST = 30


@dataclass(frozen=True, slots=True)
class Feedback:
    """Growth of flagged places against their equals.

    Attributes
    ----------
    ratio : float or None
        Growth of flagged places over that of their unflagged equals; None: too few incidents.
    p_value : float or None
        One-sided: that it is no more than 1.
    incidents : int
        Incidents after, in the places compared.
    """

    ratio: float | None
    p_value: float | None
    incidents: int

    @property
    def detected(self) -> bool:
        """Whether flagged places outgrow their equals beyond chance."""
        return self.p_value is not None and self.p_value < _DETECTED


def feedback(flagged: NDArray[np.bool_], before: NDArray[np.integer], after: NDArray[np.integer]) -> Feedback:
    """Compare flagged cells with unflagged ones that had equally many incidents before.

    Several periods may be stacked: one entry for each cell and period.

    Parameters
    ----------
    flagged : ndarray of bool, shape (m,)
        Whether the cell was flagged between the two periods.
    before, after : ndarray of int, shape (m,)
        Incidents recorded in the period that led to the flag, and in the next one.

    Raises
    ------
    ModelError
        If lengths differ.
    """
    if not flagged.shape == before.shape == after.shape:
        raise ModelError("Flags and counts must speak of the same cells; their lengths differ.")
    size = int(before.max()) + 1 if before.size else 1
    groups = (flagged, ~flagged)
    n = [np.bincount(before[g], minlength=size).astype(np.float64) for g in groups]
    total = [np.bincount(before[g], weights=after[g], minlength=size).astype(np.float64) for g in groups]
    squares = [np.bincount(before[g], weights=after[g] ** 2.0, minlength=size).astype(np.float64) for g in groups]
    both = (n[0] > 1) & (n[1] > 1)
    both[0] = False  # places without any incident before are flagged for what surrounds them
    compared = int(sum(t[both].sum() for t in total))
    if compared < _LEAST:
        return Feedback(None, None, compared)
    # Mantel-Haenszel: in each stratum, what the flagged had against what they would have had at the others' mean.
    weight = n[0][both] * n[1][both] / (n[0][both] + n[1][both])
    means = [t[both] / c[both] for t, c in zip(total, n, strict=True)]
    variances = [
        np.maximum(q[both] / c[both] - m**2, 0.0) / (c[both] - 1.0) for q, c, m in zip(squares, n, means, strict=True)
    ]
    top, bottom = float(weight @ means[0]), float(weight @ means[1])
    if bottom <= 0 or top <= 0:
        return Feedback(None, None, compared)
    noise = float(weight**2 @ variances[0]) / top**2 + float(weight**2 @ variances[1]) / bottom**2
    z = math.log(top / bottom) / math.sqrt(max(noise, 1e-12))
    return Feedback(top / bottom, 0.5 * math.erfc(z / math.sqrt(2.0)), compared)


def feedback_at_the_line(published: NDArray[np.floating], after: NDArray[np.integer], share: float = 0.05) -> Feedback:
    """Compare the cells just above the line of the priority area with those just below it.

    Of the flagged cells the lower half is taken, of the others as many next in rank; what was recorded afterwards is
    divided by what the forecast had expected, so that the slope of the ranking is no growth. Were nothing but the
    world at work, the quotient would pass the line without a step.

    Parameters
    ----------
    published : ndarray, shape (n,)
        The forecast as it was published, in any unit; NaN where it had no value.
    after : ndarray of int, shape (n,)
        Incidents recorded since.
    share : float
        Of cells that were flagged.

    Raises
    ------
    ModelError
        If lengths differ.
    """
    if published.shape != after.shape:
        raise ModelError("The published forecast and the counts since must speak of the same cells; lengths differ.")
    known = np.isfinite(published) & (np.asarray(published) > 0)
    expected, found = np.asarray(published, np.float64)[known], np.asarray(after, np.float64)[known]
    line = top_cells(share, expected.size)
    half = line // 2
    order = Ranking.of(expected).order
    sides = (order[line - half : line], order[line : line + half])
    observed = [float(found[side].sum()) for side in sides]
    compared = int(sum(observed))
    if half < 2 or compared < _LEAST or min(observed) == 0:
        return Feedback(None, None, compared)
    rates = [o / float(expected[side].sum()) for o, side in zip(observed, sides, strict=True)]
    # Cells differ beyond Poisson: the spread within each side says by how much.
    excess = 0.0
    for rate, side in zip(rates, sides, strict=True):
        mean = rate * expected[side]
        excess += float(np.sum((found[side] - mean) ** 2 / mean)) / (2.0 * (half - 1))
    noise = max(excess, 1.0) * sum(1.0 / o for o in observed)
    z = math.log(rates[0] / rates[1]) / math.sqrt(noise)
    return Feedback(rates[0] / rates[1], 0.5 * math.erfc(z / math.sqrt(2.0)), compared)
