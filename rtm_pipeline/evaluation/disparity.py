"""Who bears the errors: priority area, hits, false priority and calibration by area group.

Groups are neighborhoods, census groups or council districts. A surface may rank well on the whole and still name one
group's places too often: these are the numbers that show it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ModelError
from rtm_pipeline.evaluation.measures import Ranking, top_cells

__all__ = ["Disparity", "GroupErrors", "disparity"]

_FEW_EVENTS = 5.0


@dataclass(frozen=True, slots=True)
class GroupErrors:
    """One area group.

    Attributes
    ----------
    group : str
    cells : int
    area_share : float
        Of the study area.
    incident_share : float
        Of the incidents that came.
    priority_share : float
        Of the priority area that lies in the group.
    priority_rate : float
        Share of the group's own area that is priority.
    hit_rate : float or None
        Share of the group's incidents that fell in priority cells; None without incidents.
    false_priority_rate : float or None
        Share of the group's priority cells where nothing happened; None without priority cells.
    expected, observed : float or None, float
        Incidents; expected only for surfaces in incidents.
    ratio, low, high : float or None
        Observed over expected, relative to the typical group's (the median, weighted by what is expected), with its
        interval (corrected for the number of groups). The typical group and not the total is the measure, lest one
        group's fault be laid on all others.
    miscalibrated : bool
        Whether the interval excludes 1.
    """

    group: str
    cells: int
    area_share: float
    incident_share: float
    priority_share: float
    priority_rate: float
    hit_rate: float | None
    false_priority_rate: float | None
    expected: float | None
    observed: float
    ratio: float | None
    low: float | None
    high: float | None
    miscalibrated: bool


@dataclass(frozen=True, slots=True)
class Disparity:
    """A surface by area group.

    Attributes
    ----------
    share : float
        Of cells that are priority.
    groups : tuple of GroupErrors
    level : float
        Joint level of the intervals.
    """

    share: float
    groups: tuple[GroupErrors, ...]
    level: float

    @property
    def miscalibrated(self) -> tuple[str, ...]:
        """Groups whose calibration differs from the typical group's."""
        return tuple(group.group for group in self.groups if group.miscalibrated)

    def as_rows(self) -> list[dict[str, object]]:
        """One plain row a group, for tables."""
        return [{name: getattr(group, name) for name in GroupErrors.__slots__} for group in self.groups]


def disparity(
    observed: NDArray[np.integer],
    score: NDArray[np.floating],
    groups: NDArray[np.integer],
    names: tuple[str, ...],
    *,
    exposure: NDArray[np.float64],
    expected: NDArray[np.float64] | None = None,
    variance: NDArray[np.float64] | None = None,
    excess: float = 0.0,
    share: float = 0.05,
    level: float = 0.95,
) -> Disparity:
    """Compare how a surface treats area groups.

    Parameters
    ----------
    observed : ndarray of int, shape (n,)
    score : ndarray, shape (n,)
        Ranks the cells; tied cells are priority in proportion.
    groups : ndarray of int, shape (n,)
        Index into ``names``; negative: in none (left out of the table, not of the shares).
    names : tuple of str
    exposure : ndarray of float64, shape (n,)
    expected, variance : ndarray of float64, shape (n,), optional
        Predictive mean and variance of the counts; without them calibration is not judged. Variance defaults to
        Poisson's.
    excess : float
        Usual coefficient of variation of a group's level from year to year (`calibration.excess_variation`).
    share : float
    level : float
        Of all intervals together (Bonferroni).

    Raises
    ------
    ModelError
        If lengths differ or a group has no name.
    """
    y = np.asarray(observed, np.float64)
    if not y.shape == np.shape(score) == groups.shape == exposure.shape:
        raise ModelError("Counts, scores, groups and exposure must speak of the same cells; their lengths differ.")
    if groups.size and int(groups.max()) >= len(names):
        raise ModelError(f"Group {int(groups.max())} has no name; {len(names)} names were given.")
    priority = Ranking.of(score).inclusion(top_cells(share, y.size))
    inside, size = groups >= 0, len(names)

    def total(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.bincount(groups[inside], weights=values[inside], minlength=size).astype(np.float64)

    mean = expected if expected is None else np.asarray(expected, np.float64)
    spread = mean if variance is None else variance
    facts = {
        "cells": total(np.ones(y.size)),
        "area": total(exposure),
        "events": total(y),
        "priority": total(priority * exposure),
        "flagged": total(priority),
        "false": total(priority * (y == 0)),
        "hits": total(priority * y),
    }
    whole = (float(exposure.sum()), float(y.sum()), float((priority * exposure).sum()))
    judged = [None] * size if mean is None or spread is None else _calibration(total, y, mean, spread, excess, level)
    rows = tuple(_row(names[g], {k: float(v[g]) for k, v in facts.items()}, whole, judged[g]) for g in range(size))
    return Disparity(share, rows, level)


_Judged = tuple[float, float, float, float]
_Total = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def _calibration(
    total: _Total,
    y: NDArray[np.float64],
    mean: NDArray[np.float64],
    variance: NDArray[np.float64],
    excess: float,
    level: float,
) -> list[_Judged | None]:
    """Expected, ratio, low and high of each group, on the log scale by the delta method."""
    from scipy import stats

    found, raw = total(y), total(mean)
    scale = _typical(found, raw)
    expected = raw * scale
    noise = total(variance) * scale**2 + (excess * expected) ** 2
    z = float(stats.norm.ppf(1.0 - (1.0 - level) / 2.0 / max(expected.size, 1)))
    judged: list[_Judged | None] = []
    for f, e, v in zip(found, expected, noise, strict=True):
        if e < _FEW_EVENTS:
            judged.append(None)
            continue
        ratio = (f + 0.5) / (e + 0.5)
        half = z * float(np.sqrt(v)) / e
        judged.append((float(e / scale), float(f / e), float(ratio * np.exp(-half)), float(ratio * np.exp(half))))
    return judged


def _typical(found: NDArray[np.float64], expected: NDArray[np.float64]) -> float:
    """Weighted median of the groups' ratios of observed to expected."""
    some = expected > 0
    if not some.any():
        return 1.0
    ratios, weights = found[some] / expected[some], expected[some]
    order = np.argsort(ratios, kind="stable")
    middle = int(np.searchsorted(np.cumsum(weights[order]), 0.5 * weights.sum()))
    typical = float(ratios[order][min(middle, order.size - 1)])
    return typical if typical > 0 else float(found.sum() / expected.sum()) or 1.0


def _row(name: str, facts: dict[str, float], whole: tuple[float, float, float], judged: _Judged | None) -> GroupErrors:
    area, events, priority = whole
    return GroupErrors(
        group=name,
        cells=int(facts["cells"]),
        area_share=facts["area"] / area,
        incident_share=facts["events"] / events if events else 0.0,
        priority_share=facts["priority"] / priority if priority else 0.0,
        priority_rate=facts["priority"] / facts["area"] if facts["area"] else 0.0,
        hit_rate=facts["hits"] / facts["events"] if facts["events"] else None,
        false_priority_rate=facts["false"] / facts["flagged"] if facts["flagged"] else None,
        expected=None if judged is None else judged[0],
        observed=facts["events"],
        ratio=None if judged is None else judged[1],
        low=None if judged is None else judged[2],
        high=None if judged is None else judged[3],
        miscalibrated=judged is not None and not judged[2] <= 1.0 <= judged[3],
    )
