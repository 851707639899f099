"""Would zones have been in the right places: hits of past periods, against zones of the same make from a baseline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ModelError
from rtm_pipeline.grid.locate import cells_of
from rtm_pipeline.grid.spec import StudyGrid
from rtm_pipeline.priorities.spec import ZoneSpec
from rtm_pipeline.priorities.zones.zones import make_zones

__all__ = ["ZoneTrial", "period_starts", "zone_trial"]

Surface = Callable[[date], NDArray[np.float64]]
REPLICATES = 2_000
_BLOCK = 8  # periods: about a month


@dataclass(frozen=True, slots=True)
class ZoneTrial:
    """Hits by period and their paired difference.

    Attributes
    ----------
    starts : tuple of date
    hits, baseline_hits, incidents : ndarray of int64, shape (p,)
        Incidents inside the zones, inside the baseline's zones, and in the city.
    moves, baseline_moves : int
        Zones that moved over all periods.
    difference : float
        Mean hits per period, zones less baseline.
    low, high : float
        95 % interval from resampling blocks of eight periods (about a month), so that neighbors in time stay together.
    """

    starts: tuple[date, ...]
    hits: NDArray[np.int64]
    baseline_hits: NDArray[np.int64]
    incidents: NDArray[np.int64]
    moves: int
    baseline_moves: int
    difference: float
    low: float
    high: float


def period_starts(first: date, last: date, hours: int) -> list[date]:
    """First days of the non-overlapping periods of ``hours`` (whole days) that end by ``last``."""
    if hours % 24:
        raise ModelError(f"Periods begin at local midnight: hours must be a multiple of 24; found {hours}.")
    step = hours // 24
    days = (last - first).days
    return [date.fromordinal(first.toordinal() + at) for at in range(0, days - step + 1, step)]


def zone_trial(
    grid: StudyGrid,
    spec: ZoneSpec,
    starts: Sequence[date],
    surface: Surface,
    baseline: Surface,
    incidents_xy: NDArray[np.float64],
    incidents_time: NDArray[np.datetime64],
    *,
    seed: int = 0,
) -> ZoneTrial:
    """Make zones for every period from both surfaces, each with its own hysteresis, and count what they held.

    Parameters
    ----------
    grid : StudyGrid
    spec : ZoneSpec
        Both sides get zones of the same number, area and make.
    starts : sequence of date
        First days of the periods, which last ``spec.hours``.
    surface, baseline : callable
        From the first day of a period to expected incidents by cell, known before it begins.
    incidents_xy, incidents_time : ndarray of float64, shape (m, 2), and of datetime64, shape (m,)
    seed : int

    Raises
    ------
    ModelError
        There are fewer than 16 periods.
    """
    if len(starts) < 2 * _BLOCK:
        raise ModelError(f"A trial of zones needs at least {2 * _BLOCK} periods; found {len(starts)}.")
    cell = cells_of(grid, incidents_xy[:, 0], incidents_xy[:, 1])
    inside = cell >= 0
    cell, when = cell[inside], incidents_time[inside]
    span = np.timedelta64(spec.hours, "h")
    table = np.zeros((3, len(starts)), dtype=np.int64)
    moves = [0, 0]
    previous: list[list[NDArray[np.int64]]] = [[], []]
    for period, day in enumerate(starts):
        start = np.datetime64(day).astype("datetime64[s]")
        now = cell[(when >= start) & (when < start + span)]
        table[2, period] = now.size
        for side, expected in enumerate((surface(day), baseline(day))):
            zones, _ = make_zones(grid, expected, spec, day, previous[side])
            previous[side] = [zone.cells for zone in zones]
            moves[side] += sum(zone.decision == "moved" for zone in zones)
            flag = np.zeros(grid.n_cells, dtype=bool)
            for zone in zones:
                flag[zone.cells] = True
            table[side, period] = int(flag[now].sum())
    difference = (table[0] - table[1]).astype(np.float64)
    low, high = _interval(difference, seed)
    return ZoneTrial(
        tuple(starts), table[0], table[1], table[2], moves[0], moves[1], float(difference.mean()), low, high
    )


def _interval(difference: NDArray[np.float64], seed: int) -> tuple[float, float]:
    """95 % interval of a mean over time, by a circular block bootstrap."""
    n = difference.size
    rng = np.random.default_rng(seed)
    pieces = -(-n // _BLOCK)
    first = rng.integers(0, n, size=(REPLICATES, pieces))
    index = (first[:, :, None] + np.arange(_BLOCK)) % n
    means = difference[index.reshape(REPLICATES, -1)[:, :n]].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)
