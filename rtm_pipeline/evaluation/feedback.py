"""Does a record feed on the surface that it feeds? A loop shows where flagged places outgrow their equals.

If being flagged draws patrols or inspectors, and they record what they meet, then places that were flagged rise in the
next period against places that were their equals and just missed being flagged. Chance and regression to the mean
move both alike. Cells on both sides of the line of the priority area are equals but for the line.

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

__all__ = ["Feedback", "feedback_at_the_line"]

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
