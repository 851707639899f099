"""Are as many incidents found as were expected: by decile, by neighborhood, and in the whole distribution."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ModelError
from rtm_pipeline.surface.heterogeneity import CellPosterior

__all__ = [
    "Calibration",
    "Decile",
    "GroupTotal",
    "calibrate",
    "deciles",
    "excess_variation",
    "log_score",
    "neighborhood_totals",
    "poisson_deviance_of",
    "randomized_pit",
]

_PIT_BINS = 10
_Z90 = 1.6448536269514722


@dataclass(frozen=True, slots=True)
class Decile:
    """Tenth of the cells by forecast, 1 the lowest.

    Attributes
    ----------
    number, cells : int
    expected, observed : float
        Incidents.
    low, high : float
        90 % interval of the observed number if the forecast is right, from the spread between cells.
    """

    number: int
    cells: int
    expected: float
    observed: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class GroupTotal:
    """A neighborhood's expected and observed incidents, with the 90 % interval of the number to be observed."""

    group: int
    expected: float
    observed: float
    low: float
    high: float

    @property
    def covered(self) -> bool:
        """Whether the observed number lies in the interval."""
        return self.low <= self.observed <= self.high


@dataclass(frozen=True, slots=True)
class Calibration:
    """How a forecast agrees with what came.

    Attributes
    ----------
    expected, observed : float
        Incidents of the study area.
    deciles : tuple of Decile
    pit : tuple of float, length 10
        Share of cells in each tenth of the randomized probability integral transform; 0.1 each is right.
    pit_statistic : float
        Largest distance of its distribution function from the diagonal.
    deviance : float
        Poisson deviance of the cells.
    log_score : float
        Mean log probability of a cell's count.
    mean_absolute_error : float
        Mean of |observed - expected| over cells.
    """

    expected: float
    observed: float
    deciles: tuple[Decile, ...]
    pit: tuple[float, ...]
    pit_statistic: float
    deviance: float
    log_score: float
    mean_absolute_error: float

    def as_json(self) -> dict[str, object]:
        """Plain values."""
        return {
            "expected": self.expected,
            "observed": self.observed,
            "deciles": [
                {
                    "decile": d.number,
                    "cells": d.cells,
                    "expected": d.expected,
                    "observed": d.observed,
                    "low": d.low,
                    "high": d.high,
                }
                for d in self.deciles
            ],
            "pit": list(self.pit),
            "pit_statistic": self.pit_statistic,
            "deviance": self.deviance,
            "log_score": self.log_score,
            "mean_absolute_error": self.mean_absolute_error,
        }


def calibrate(observed: NDArray[np.integer], posterior: CellPosterior, factor: float, *, seed: int = 0) -> Calibration:
    """Compare counts with the predictive distribution of a forecast.

    Parameters
    ----------
    observed : ndarray of int, shape (n,)
        Distinct incidents of the horizon in each cell.
    posterior : CellPosterior
        Of the cells' means (`Forecast.posterior`).
    factor : float
        From these means to incidents of the horizon (``Forecast.scale / Forecast.rows_per_incident``).
    seed : int
        Of the randomized transform.
    """
    y = np.asarray(observed, np.float64)
    expected = posterior.mean() * factor
    variance = expected + (posterior.sd() * factor) ** 2
    pit = randomized_pit(observed, posterior, factor, seed=seed)
    heights = np.histogram(pit, bins=_PIT_BINS, range=(0.0, 1.0))[0] / pit.size
    return Calibration(
        expected=float(expected.sum()),
        observed=float(y.sum()),
        deciles=deciles(y, expected, variance),
        pit=tuple(float(height) for height in heights),
        pit_statistic=_distance_from_uniform(pit),
        deviance=poisson_deviance_of(y, expected),
        log_score=log_score(observed, posterior, factor),
        mean_absolute_error=float(np.mean(np.abs(y - expected))),
    )


def deciles(
    observed: NDArray[np.floating], expected: NDArray[np.float64], variance: NDArray[np.float64]
) -> tuple[Decile, ...]:
    """Expected and observed incidents by tenth of the cells, the lowest forecasts first.

    Parameters
    ----------
    observed, expected : ndarray, shape (n,)
    variance : ndarray of float64, shape (n,)
        Predictive variance of each cell's count.
    """
    order = np.argsort(expected, kind="stable")
    found = []
    for number, part in enumerate(np.array_split(order, 10), start=1):
        total = float(expected[part].sum())
        half = _Z90 * float(np.sqrt(variance[part].sum()))
        found.append(
            Decile(number, part.size, total, float(observed[part].sum()), max(total - half, 0.0), total + half)
        )
    return tuple(found)


def randomized_pit(
    observed: NDArray[np.integer], posterior: CellPosterior, factor: float, *, seed: int = 0
) -> NDArray[np.float64]:
    """Randomized probability integral transform of every count, shape (n,): uniform if the forecast is calibrated.

    Each value is drawn between the predictive distribution function just below the count and at it (Smith 1985;
    Czado, Gneiting & Held 2009).
    """
    counts = np.asarray(observed, np.int64)
    below, at = _distribution(counts - 1, posterior, factor), _distribution(counts, posterior, factor)
    u = np.random.default_rng(seed).random(counts.size)
    return np.asarray(below + u * (at - below))


def log_score(observed: NDArray[np.integer], posterior: CellPosterior, factor: float) -> float:
    """Mean log predictive probability of the counts; higher is better."""
    from scipy import special

    y = np.asarray(observed, np.float64)
    success = posterior.rates / (posterior.rates + factor)
    logs = posterior.shapes * np.log(success) + special.xlog1py(y, -success) - special.gammaln(y + 1.0)
    seen = np.flatnonzero(y > 0)
    logs[:, seen] += special.gammaln(posterior.shapes[:, seen] + y[seen]) - special.gammaln(posterior.shapes[:, seen])
    with np.errstate(divide="ignore"):
        return float(np.mean(special.logsumexp(logs + np.log(posterior.weights), axis=0)))


def poisson_deviance_of(observed: NDArray[np.floating], expected: NDArray[np.float64]) -> float:
    """``2 sum(y log(y / m) - y + m)``; infinite where something happened that was held impossible."""
    from scipy import special

    impossible = (expected <= 0) & (observed > 0)
    if bool(impossible.any()):
        return float("inf")
    means = np.where(expected > 0, expected, 1.0)
    terms = special.xlogy(observed, observed / means) - observed + expected
    return float(2.0 * np.sum(terms))


def excess_variation(
    observed: NDArray[np.floating],
    expected: NDArray[np.float64],
    groups: NDArray[np.integer],
    variance: NDArray[np.float64] | None = None,
) -> float:
    """Coefficient of variation of group totals beyond what their cells explain, by moments; 0 if there is none.

    Neighborhoods rise and fall as a whole from year to year. Estimated on a window before the cut-off
    (`ForecastModel.fitted` against `History.incidents`) it makes the intervals of `neighborhood_totals` honest.

    Parameters
    ----------
    observed, expected : ndarray, shape (n,)
    groups : ndarray of int, shape (n,)
        Group of each cell; negative: none.
    variance : ndarray of float64, shape (n,), optional
        Predictive variance of the counts; default: Poisson.
    """
    y, m, v = _by_group(observed, expected, expected if variance is None else variance, groups)
    large = m > 0
    excess = np.sum((y[large] - m[large]) ** 2 - v[large])
    return float(np.sqrt(max(float(excess) / float(np.sum(m[large] ** 2)), 0.0))) if large.any() else 0.0


def neighborhood_totals(
    observed: NDArray[np.floating],
    expected: NDArray[np.float64],
    variance: NDArray[np.float64],
    groups: NDArray[np.integer],
    *,
    excess: float = 0.0,
    total_excess: float = 0.0,
) -> tuple[GroupTotal, ...]:
    """Expected and observed incidents of each neighborhood, with a 90 % predictive interval (negative binomial).

    Parameters
    ----------
    observed, expected, variance : ndarray, shape (n,)
        Counts, their predictive means and variances.
    groups : ndarray of int, shape (n,)
        From 0 on; negative: in none.
    excess : float
        Coefficient of variation of a neighborhood's level (`excess_variation`).
    total_excess : float
        Coefficient of variation of the city's level from year to year.
    """
    from scipy import stats

    y, m, v = _by_group(observed, expected, variance, groups)
    v = v + (excess**2 + total_excess**2) * m**2
    spread = np.maximum(v - m, 1e-9)
    shape = m**2 / spread
    chance = shape / (shape + m)
    low, high = stats.nbinom.ppf(0.05, shape, chance), stats.nbinom.ppf(0.95, shape, chance)
    bounds = np.stack([np.asarray(low), np.asarray(high)])
    return tuple(
        GroupTotal(group, float(m[group]), float(y[group]), float(bounds[0, group]), float(bounds[1, group]))
        for group in range(m.size)
        if m[group] > 0
    )


def _by_group(
    observed: NDArray[np.floating],
    expected: NDArray[np.float64],
    variance: NDArray[np.float64],
    groups: NDArray[np.integer],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    if not observed.shape == expected.shape == variance.shape == groups.shape:
        raise ModelError(
            f"Counts, forecasts and groups must speak of the same cells; found {observed.shape}, {expected.shape}, "
            f"{variance.shape} and {groups.shape}."
        )
    inside = groups >= 0
    size = int(groups.max()) + 1 if inside.any() else 0
    sums: list[NDArray[np.float64]] = [
        np.bincount(groups[inside], weights=values[inside], minlength=size).astype(np.float64)
        for values in (observed, expected, variance)
    ]
    return sums[0], sums[1], sums[2]


def _distribution(counts: NDArray[np.int64], posterior: CellPosterior, factor: float) -> NDArray[np.float64]:
    from scipy import special

    result = np.zeros(counts.size)
    some = np.flatnonzero(counts >= 0)
    shapes, rates = posterior.shapes[:, some], posterior.rates[:, some]
    parts = special.betainc(shapes, counts[some] + 1.0, rates / (rates + factor))
    result[some] = (posterior.weights[:, some] * parts).sum(axis=0)
    return result


def _distance_from_uniform(values: NDArray[np.float64]) -> float:
    ordered = np.sort(values)
    n = ordered.size
    steps = np.arange(n)
    return float(max(np.max((steps + 1) / n - ordered), np.max(ordered - steps / n)))
