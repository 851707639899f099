"""Did it help, and did it only move? Counts in circles and rings around treated sites and their controls.

The weighted displacement difference (Wheeler & Ratcliffe 2018, doi 10.1186/s40163-018-0085-5) is the change in the
treated areas less that of the controls, plus the same for the rings around them; its variance is the sum of all
counts. Beside it stands the difference-in-differences of rates, with an interval from resampling matched pairs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ModelError

__all__ = [
    "Counting",
    "DidResult",
    "Incidents",
    "PairCounts",
    "WddResult",
    "count_pairs",
    "did",
    "wdd",
]

REPLICATES = 2_000


@dataclass(frozen=True, slots=True)
class Incidents:
    """Where and when: CRS units, float64, shape (m, 2); local time, datetime64, shape (m,)."""

    xy: NDArray[np.float64]
    time: NDArray[np.datetime64]


@dataclass(frozen=True, slots=True)
class Counting:
    """How incidents are counted around a site.

    Attributes
    ----------
    radius_u, ring_u : float
        Radius of the circle and outer radius of the ring, CRS units.
    days : int
        Length of the windows before and after.
    """

    radius_u: float
    ring_u: float
    days: int = 365

    def __post_init__(self) -> None:
        if not 0 < self.radius_u < self.ring_u or self.days < 1:
            raise ModelError(
                "Counting needs 0 < radius < ring and days >= 1; "
                f"found {self.radius_u!r}, {self.ring_u!r}, {self.days!r}."
            )


@dataclass(frozen=True, slots=True)
class PairCounts:
    """Incidents of each pair, int64, shape (p,): treated and control circle, and the rings around them.

    ``_0`` is before the treatment, ``_1`` after; each incident counts in one circle or ring at most.
    """

    treated_0: NDArray[np.int64]
    treated_1: NDArray[np.int64]
    control_0: NDArray[np.int64]
    control_1: NDArray[np.int64]
    treated_ring_0: NDArray[np.int64]
    treated_ring_1: NDArray[np.int64]
    control_ring_0: NDArray[np.int64]
    control_ring_1: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class WddResult:
    """Weighted displacement difference.

    Attributes
    ----------
    wdd : float
        Incidents (fewer: negative), of circles and rings together.
    se : float
        Square root of the sum of all counts.
    z : float
    p : float
        Two-sided.
    low, high : float
        95 % interval.
    local, ring : float
        The parts: change in the circles, and in the rings (positive: displaced; negative: benefits spread).
    local_se, ring_se : float
    """

    wdd: float
    se: float
    z: float
    p: float
    low: float
    high: float
    local: float
    ring: float
    local_se: float
    ring_se: float


@dataclass(frozen=True, slots=True)
class DidResult:
    """Difference-in-differences of rates in the circles.

    Attributes
    ----------
    relative_change : float
        ``(treated_1 / treated_0) / (control_1 / control_0) - 1``.
    low, high : float
        95 % interval from resampled pairs.
    log_ratio, log_se : float
        Of the rate ratio; the standard error from the same resampling.
    n_pairs : int
    """

    relative_change: float
    low: float
    high: float
    log_ratio: float
    log_se: float
    n_pairs: int


def wdd(
    treated: tuple[float, float],
    control: tuple[float, float],
    treated_ring: tuple[float, float] = (0.0, 0.0),
    control_ring: tuple[float, float] = (0.0, 0.0),
) -> WddResult:
    """Weighted displacement difference of counts (before, after).

    Examples
    --------
    >>> found = wdd(treated=(20, 10), control=(20, 20))
    >>> found.wdd, round(found.se, 4)
    (-10.0, 8.3666)
    """
    counts = (*treated, *control, *treated_ring, *control_ring)
    if min(counts) < 0 or not all(math.isfinite(count) for count in counts):
        raise ModelError(f"Counts must be finite and not negative; found {counts}.")
    local = float((treated[1] - treated[0]) - (control[1] - control[0]))
    ring = float((treated_ring[1] - treated_ring[0]) - (control_ring[1] - control_ring[0]))
    local_variance, ring_variance = sum((*treated, *control)), sum((*treated_ring, *control_ring))
    se = math.sqrt(local_variance + ring_variance)
    z = (local + ring) / se if se > 0 else 0.0
    return WddResult(
        wdd=local + ring,
        se=se,
        z=z,
        p=math.erfc(abs(z) / math.sqrt(2.0)),
        low=local + ring - 1.959963984540054 * se,
        high=local + ring + 1.959963984540054 * se,
        local=local,
        ring=ring,
        local_se=math.sqrt(local_variance),
        ring_se=math.sqrt(ring_variance),
    )


def did(counts: PairCounts, *, seed: int = 0, replicates: int = REPLICATES) -> DidResult:
    """Difference-in-differences of the circles' rates, with an interval from resampling pairs.

    Parameters
    ----------
    counts : PairCounts
    seed : int
    replicates : int

    Raises
    ------
    ModelError
        A sum is 0, so that no ratio exists, or there are fewer than five pairs.
    """
    table = np.stack([counts.treated_0, counts.treated_1, counts.control_0, counts.control_1], axis=1).astype(float)
    n = table.shape[0]
    total = table.sum(axis=0)
    if n < 5 or (total == 0).any():
        raise ModelError(
            f"A difference-in-differences needs at least 5 pairs with incidents before and after on both sides; found "
            f"{n} pairs with {total.astype(int).tolist()} incidents (treated before, after, control before, after)."
        )
    ratio = _log_ratio(total[None, :])[0]
    rng = np.random.default_rng(seed)
    weight = rng.multinomial(n, np.full(n, 1.0 / n), size=replicates).astype(np.float64)
    # half an incident in every sum keeps rare empty resamples finite
    drawn = _log_ratio(weight @ table + 0.5)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return DidResult(
        relative_change=math.expm1(ratio),
        low=math.expm1(float(low)),
        high=math.expm1(float(high)),
        log_ratio=float(ratio),
        log_se=float(drawn.std(ddof=1)),
        n_pairs=n,
    )


def _log_ratio(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    logs = np.log(sums)
    return np.asarray(logs[:, 1] - logs[:, 0] - logs[:, 3] + logs[:, 2])


def count_pairs(
    incidents: Incidents,
    treated_xy: NDArray[np.float64],
    control_xy: NDArray[np.float64],
    started: NDArray[np.datetime64],
    ended: NDArray[np.datetime64],
    counting: Counting,
    *,
    ever_treated_xy: NDArray[np.float64],
) -> PairCounts:
    """Incidents in the circles and rings of each pair, in the windows before and after its treatment.

    An incident belongs to the nearest treated site (and, apart from that, to the nearest control); rings leave out
    what lies within the radius of any site ever treated, where treatment and not displacement is at work. A control
    has the windows of its treated site, so that seasons cancel.

    Parameters
    ----------
    incidents : Incidents
    treated_xy, control_xy : ndarray of float64, shape (p, 2)
    started, ended : ndarray of datetime64[D], shape (p,)
        First day of the work, and the day after its last: windows are ``[started - days, started)`` and
        ``[ended, ended + days)``.
    counting : Counting
    ever_treated_xy : ndarray of float64, shape (q, 2)
    """
    day = incidents.time.astype("datetime64[D]")
    span = np.timedelta64(counting.days, "D")
    near_treatment = _nearest(incidents.xy, ever_treated_xy)[0] <= counting.radius_u
    sums = []
    for places in (treated_xy, control_xy):
        distance, owner = _nearest(incidents.xy, places)
        inside = distance <= counting.radius_u
        ring = ~inside & (distance <= counting.ring_u) & ~near_treatment
        before = (day >= started[owner] - span) & (day < started[owner])
        after = (day >= ended[owner]) & (day < ended[owner] + span)
        sums += [
            np.bincount(owner[where & when], minlength=places.shape[0]).astype(np.int64)
            for where in (inside, ring)
            for when in (before, after)
        ]
    return PairCounts(
        treated_0=sums[0],
        treated_1=sums[1],
        treated_ring_0=sums[2],
        treated_ring_1=sums[3],
        control_0=sums[4],
        control_1=sums[5],
        control_ring_0=sums[6],
        control_ring_1=sums[7],
    )


def _nearest(points: NDArray[np.float64], places: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    from scipy.spatial import cKDTree

    if places.shape[0] == 0:
        raise ModelError("There is no site to count incidents around.")
    if points.shape[0] == 0:
        return np.empty(0), np.empty(0, dtype=np.int64)
    distance, owner = cKDTree(places).query(points)
    return np.asarray(distance), np.asarray(owner, dtype=np.int64)
