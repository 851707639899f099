"""How fast neighborhoods report: 311 repeats of one incident, and what they say about the incidents never reported.

When one broken door is reported twice within days, the second report tells how fast people there report. From the
first report on, further reports come at the neighborhood's rate whatever the number of incidents, so repeats identify
the rate without knowing how much went unreported (Liu, Bhandaram & Garg, arXiv 2204.08620).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ModelError
from rtm_pipeline.layers.repeats import REPEAT_DAYS

__all__ = ["ReportingRates", "reporting_rates"]

_LEAST_REPEATS = 50
_LEAST_INCIDENTS = 200
_DETECTED = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class ReportingRates:
    """Reporting rates by group, shrunk to the city's.

    Attributes
    ----------
    rate_per_day : ndarray of float64, shape (g,)
        Further reports a day of an incident already reported; the city's where a group has none.
    reported : ndarray of float64, shape (g,)
        Chance that an incident that lasts ``lifetime_days`` is reported at all.
    weight : ndarray of float64, shape (g,)
        What a reported incident counts in a corrected run: 1 / reported, scaled so that the mean incident counts 1.
        All 1 where there is no correction.
    incidents, repeats : ndarray of int64, shape (g,)
    lifetime_days : float
    p_value : float or None
        Of equal rates everywhere (score test of overdispersion); None without repeats enough.
    corrected : bool
    reason : str
        Why there is a correction, or none: for the model card.
    """

    rate_per_day: NDArray[np.float64]
    reported: NDArray[np.float64]
    weight: NDArray[np.float64]
    incidents: NDArray[np.int64]
    repeats: NDArray[np.int64]
    lifetime_days: float
    p_value: float | None
    corrected: bool
    reason: str

    @property
    def differs(self) -> bool:
        """Whether groups report at different rates beyond chance."""
        return self.p_value is not None and self.p_value < _DETECTED

    @property
    def spread(self) -> float:
        """Highest over lowest rate among groups that have incidents."""
        rates = self.rate_per_day[self.incidents > 0]
        return float(rates.max() / rates.min()) if rates.size and rates.min() > 0 else 1.0


def reporting_rates(
    repeat_of: NDArray[np.int64],
    time: NDArray[np.datetime64],
    group: NDArray[np.integer],
    n_groups: int,
    known_until: date,
    *,
    ceased: NDArray[np.datetime64] | None = None,
    kind: NDArray[np.integer] | None = None,
    days: float = REPEAT_DAYS,
    lifetime_days: float = REPEAT_DAYS,
) -> ReportingRates:
    """Rate at which each group reports, from repeats.

    Parameters
    ----------
    repeat_of : ndarray of int64, shape (m,)
        From `rtm_pipeline.layers.repeats.link_repeats`.
    time : ndarray of datetime64, shape (m,)
    group : ndarray of int, shape (m,)
        Neighborhood of each request; negative: none.
    n_groups : int
    known_until : date
        An incident is watched until then at most.
    ceased : ndarray of datetime64, shape (m,), optional
        When the incident of a first report was closed; NaT while open. It is not watched longer.
    kind : ndarray of int, shape (m,), optional
        Kind of each request. Some kinds are reported again more often than others; a neighborhood with many of them
        is measured against the city's rates of these kinds, not taken for one that reports fast.
    days : float
        Longest watch, as in `rtm_pipeline.layers.repeats.link_repeats`.
    lifetime_days : float
        For the chance of being reported at all.

    Raises
    ------
    ModelError
        If lengths differ.
    """
    if not repeat_of.shape == time.shape == group.shape:
        raise ModelError("Repeats, times and groups must speak of the same requests; their lengths differ.")
    first = np.flatnonzero((repeat_of < 0) & (group >= 0) & ~np.isnat(time))
    watched = _watched(time, first, known_until, ceased, days)
    place = np.full(time.size, -1, np.int64)
    place[first] = group[first]
    origin = repeat_of[repeat_of >= 0]
    when = time[repeat_of >= 0]
    end = np.full(time.size, np.datetime64("NaT"), "datetime64[s]")
    end[first] = time[first].astype("datetime64[s]") + (watched * 86400).astype("timedelta64[s]")
    counted = (place[origin] >= 0) & (when <= end[origin])
    repeats = np.bincount(place[origin[counted]], minlength=n_groups)
    incidents = np.bincount(group[first], minlength=n_groups)
    if kind is not None:
        watched = watched * _relative_rates(kind, first, origin[counted], watched)
    exposure = np.bincount(group[first], weights=watched, minlength=n_groups).astype(np.float64)
    return _shrunk(repeats.astype(np.int64), incidents.astype(np.int64), exposure, lifetime_days)


def _relative_rates(
    kind: NDArray[np.integer], first: NDArray[np.intp], repeated: NDArray[np.int64], watched: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Rate of each first report's kind over the rate of all kinds, shape (len(first),)."""
    number = np.unique(kind, return_inverse=True)[1].reshape(-1)
    size = int(number.max(initial=-1)) + 1
    repeats = np.bincount(number[repeated], minlength=size)
    days = np.bincount(number[first], weights=watched, minlength=size)
    total = float(days.sum())
    if repeats.sum() == 0 or total <= 0:
        return np.ones(first.size)
    city = repeats.sum() / total
    rates = np.where(days > 0, repeats / np.maximum(days, 1e-9), city)
    return np.asarray((rates / city)[number[first]])


def _watched(
    time: NDArray[np.datetime64],
    first: NDArray[np.intp],
    known_until: date,
    ceased: NDArray[np.datetime64] | None,
    days: float,
) -> NDArray[np.float64]:
    start = time[first]
    watched = np.minimum((np.datetime64(known_until) - start) / np.timedelta64(1, "D"), days)
    if ceased is not None:
        closed = ceased[first]
        ended = ~np.isnat(closed)
        watched[ended] = np.minimum(watched[ended], (closed[ended] - start[ended]) / np.timedelta64(1, "D"))
    return np.asarray(np.maximum(watched, 0.0))


def _shrunk(
    repeats: NDArray[np.int64], incidents: NDArray[np.int64], exposure: NDArray[np.float64], lifetime: float
) -> ReportingRates:
    from scipy import stats

    total, days = int(repeats.sum()), float(exposure.sum())
    n = int(incidents.sum())
    if total < _LEAST_REPEATS or n < _LEAST_INCIDENTS:
        flat = np.full(repeats.size, total / days if days > 0 else 0.0)
        reason = (
            f"{total} repeats of {n} incidents; at least {_LEAST_REPEATS} of {_LEAST_INCIDENTS} are needed: "
            "no correction"
        )
        ones = np.ones(repeats.size)
        return ReportingRates(
            flat, 1 - np.exp(-flat * lifetime), ones, incidents, repeats, lifetime, None, False, reason
        )
    city = total / days
    expected = city * exposure
    seen = expected > 0
    excess = float(np.sum((repeats[seen] - expected[seen]) ** 2 - repeats[seen]))
    score = excess / float(np.sqrt(2.0 * np.sum(expected[seen] ** 2)))
    p_value = float(stats.norm.sf(score))
    spread = max(excess / float(np.sum(expected[seen] ** 2)), 1e-6)  # squared coefficient of variation of the rates
    shape = 1.0 / spread
    rate = (repeats + shape) / (exposure + shape / city)
    reported = 1.0 - np.exp(-rate * lifetime)
    weight = 1.0 / reported
    weight *= n / float(np.sum(weight * incidents))
    reason = f"rates from {total} repeats of {n} incidents, lifetime {lifetime:g} days assumed"
    return ReportingRates(rate, reported, weight, incidents, repeats, lifetime, p_value, True, reason)
