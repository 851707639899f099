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

__all__ = ["REPEAT_DAYS", "REPEAT_RADIUS_M", "ReportingRates", "link_repeats", "reporting_rates"]

REPEAT_RADIUS_M = 50.0
REPEAT_DAYS = 30.0
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


def link_repeats(
    x_u: NDArray[np.float64],
    y_u: NDArray[np.float64],
    time: NDArray[np.datetime64],
    category: NDArray[np.integer],
    *,
    unit_m: float,
    radius_m: float = REPEAT_RADIUS_M,
    days: float = REPEAT_DAYS,
) -> NDArray[np.int64]:
    """Which earlier request of the same kind each request repeats.

    A request repeats an incident if the incident's **first** report is of the same kind, lies within ``radius_m`` and
    came at most ``days`` before. The nearest such incident is taken, the earlier one on a tie. A request that repeats
    none begins an incident. Requests of one instant are taken in row order.

    Parameters
    ----------
    x_u, y_u : ndarray of float64, shape (m,)
        CRS units; rows without a place (not finite) repeat none.
    time : ndarray of datetime64, shape (m,)
        Rows without a date repeat none and begin nothing.
    category : ndarray of int, shape (m,)
    unit_m : float
        Meters in a CRS unit.
    radius_m, days : float

    Returns
    -------
    ndarray of int64, shape (m,)
        Row of the first report (``repeat_of``), -1 for first reports.
    """
    link = np.full(time.size, -1, np.int64)
    usable = np.flatnonzero(np.isfinite(x_u) & np.isfinite(y_u) & ~np.isnat(time))
    earlier, later, distance = _pairs(x_u[usable], y_u[usable], time[usable], category[usable], radius_m / unit_m, days)
    # A request begins an incident once all its earlier neighbors are known to be repeats; it repeats as soon as one of
    # them is known to begin one. Every round settles at least the earliest open request of each neighborhood.
    n = usable.size
    begins, repeats = np.ones(n, bool), np.zeros(n, bool)
    begins[later] = False
    while True:
        repeats_now = np.zeros(n, bool)
        repeats_now[later[begins[earlier]]] = True
        repeats |= repeats_now
        waiting = np.zeros(n, bool)
        waiting[later[~repeats[earlier]]] = True
        begins_now = ~waiting & ~repeats & ~begins
        if not begins_now.any():
            break
        begins |= begins_now
    good = repeats[later] & begins[earlier]
    order = np.lexsort((earlier[good], distance[good], later[good]))
    rows, sources = later[good][order], earlier[good][order]
    first = np.concatenate([[True], rows[1:] != rows[:-1]]) if rows.size else np.zeros(0, bool)
    link[usable[rows[first]]] = usable[sources[first]]
    return link


def _pairs(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    time: NDArray[np.datetime64],
    category: NDArray[np.integer],
    radius_u: float,
    days: float,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Pairs (earlier, later, distance) of one kind within reach of one another in space and time."""
    from scipy.spatial import cKDTree

    seconds = time.astype("datetime64[s]").astype(np.int64)
    found: list[NDArray[np.int64]] = []
    for kind in np.unique(category):
        mine = np.flatnonzero(category == kind)
        mine = mine[np.argsort(seconds[mine], kind="stable")]
        # Time as a third coordinate, squeezed so that the limit in days is just inside the radius, prunes the search.
        depth = (seconds[mine] - seconds[mine].min()) / (days * 86400.0) * radius_u
        tree = cKDTree(np.column_stack([x[mine], y[mine], depth]))
        local = tree.query_pairs(radius_u * np.sqrt(2.0) * (1 + 1e-9), output_type="ndarray")
        if local.size:
            found.append(mine[np.sort(local, axis=1)])
    if not found:
        nothing = np.zeros(0, np.int64)
        return nothing, nothing, np.zeros(0)
    pairs = np.concatenate(found)
    earlier, later = pairs[:, 0], pairs[:, 1]
    distance = np.hypot(x[earlier] - x[later], y[earlier] - y[later])
    near = (distance <= radius_u) & (seconds[later] - seconds[earlier] <= days * 86400.0)
    return earlier[near].astype(np.int64), later[near].astype(np.int64), distance[near]


def reporting_rates(
    repeat_of: NDArray[np.int64],
    time: NDArray[np.datetime64],
    group: NDArray[np.integer],
    n_groups: int,
    known_until: date,
    *,
    ceased: NDArray[np.datetime64] | None = None,
    days: float = REPEAT_DAYS,
    lifetime_days: float = REPEAT_DAYS,
) -> ReportingRates:
    """Rate at which each group reports, from repeats.

    Parameters
    ----------
    repeat_of : ndarray of int64, shape (m,)
        From `link_repeats`.
    time : ndarray of datetime64, shape (m,)
    group : ndarray of int, shape (m,)
        Neighborhood of each request; negative: none.
    n_groups : int
    known_until : date
        An incident is watched until then at most.
    ceased : ndarray of datetime64, shape (m,), optional
        When the incident of a first report was closed; NaT while open. It is not watched longer.
    days : float
        Longest watch, as in `link_repeats`.
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
    exposure = np.bincount(group[first], weights=watched, minlength=n_groups).astype(np.float64)
    return _shrunk(repeats.astype(np.int64), incidents.astype(np.int64), exposure, lifetime_days)


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
