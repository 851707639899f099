"""Which earlier periods a forecast may learn from, and from when on their factors had to be known."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ModelError
from rtm_pipeline.surface.history import DAYS_PER_YEAR, History, refuse_known_after
from rtm_pipeline.units import Duration, Window

__all__ = ["Features", "features_for", "training_windows"]

_MOST_WINDOWS = 3
_YEAR = Duration(1, "y")
_LEAST_DAYS = 56
_LEAST_EVENTS = 30


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """Continuous forms of the risk factors as they were known at a date.

    Attributes
    ----------
    known_at : date
        Rows known by the local midnight that begins this day made the values.
    values : ndarray of float32, shape (n, p)
        Such as log distance and log density; NaN where the factor is unknown (outside its coverage).
    names : tuple of str, length p
    factors : tuple of str, length p
        The risk factor that each column belongs to; its columns make one contribution.
    """

    known_at: date
    values: NDArray[np.float32]
    names: tuple[str, ...]
    factors: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or not (self.values.shape[1] == len(self.names) == len(self.factors)):
            raise ModelError(
                f"Features need one name and one factor a column; found values of shape {self.values.shape}, "
                f"{len(self.names)} names and {len(self.factors)} factors."
            )
        if bool(np.isinf(self.values).any()):
            raise ModelError("Features must be finite or NaN (unknown); found infinite values. Bound the logarithms.")

    def refuse_known_after(self, cutoff: date) -> None:
        """Raise ModelError if the features were made with what was known only after the cut-off."""
        when = np.array([self.known_at], "datetime64[D]")
        refuse_known_after(when, cutoff, f"The features {', '.join(dict.fromkeys(self.factors)) or '(none)'}")


def training_windows(history: History, cutoff: date) -> tuple[Window, ...]:
    """Periods before the cut-off whose outcome tunes the forecast, the newest first.

    Years that end at the last observed day, at most three, each with at least half a year of history before it. With
    less than one and a half years on record the second half of it is the one window. Windows without history enough,
    or with fewer than 30 incidents in the window or before it, are left out; none may be left.

    Factors should be known at the start of each window: see `features_for`.
    """
    past = history.known_by(cutoff)
    start, end = past.observed.start, past.observed.end
    found: list[Window] = []
    if (end - start).days >= 1.5 * DAYS_PER_YEAR - 1:
        last = end
        for _ in range(_MOST_WINDOWS):
            first = _YEAR.before(last)
            if (first - start).days < DAYS_PER_YEAR / 2 - 1:
                break
            found.append(Window(first, last))
            last = first
    elif (end - start).days >= 2 * _LEAST_DAYS:
        found.append(Window(start + timedelta(days=(end - start).days // 2), end))
    return tuple(window for window in found if _enough(past, window))


def _enough(past: History, window: Window) -> bool:
    if not past.covers(window):
        return False
    before = past.known_by(window.start)
    earlier = int(before.usable().sum())
    return earlier >= _LEAST_EVENTS and int(past.rows(window).sum()) >= _LEAST_EVENTS


def features_for(vintages: tuple[Features, ...], day: date) -> Features | None:
    """The newest features that were known at ``day``; None where there are none."""
    known = [features for features in vintages if features.known_at <= day]
    return max(known, key=lambda features: features.known_at) if known else None
