"""What the next period says about prior means and heterogeneity: the held-out likelihood and its gradient.

A row is one cell of one training window: ``past`` incidents before the window, ``future`` incidents in it. Given the
past, the future is a mixture of negative binomials. Because past and future share one gamma, its log is a difference
of two gamma-Poisson terms, ``G(past + future) - G(past)``, each with a simple gradient.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.surface.heterogeneity import CellPrior
from rtm_pipeline.surface.sums import row_sums, weighted_sums

__all__ = ["Fit", "TrainingRows", "fit_prior", "gamma_poisson", "shape_penalty"]

_SHAPE_SD = 2.0
_SHAPE_MEAN = -0.5
_POWER_MEAN, _POWER_SD = 0.7, 0.4
_ODDS_MEAN, _ODDS_SD = -2.0, 1.5
_RATIO_MEAN, _RATIO_SD = 1.0, 1.0
_POWER_LIMIT = 1.5
_CREDENCE_SD = 0.3
_LOG_CREDENCE = (-2.5, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class TrainingRows:
    """Stacked cells of the training windows.

    Attributes
    ----------
    log_mean : ndarray of float64, shape (m,)
        Log of the prior mean before correction, in expected incidents of the observed past.
    log_relative : ndarray of float64, shape (m,)
        The same relative to the average cell of its window.
    past, future : ndarray of float64, shape (m,)
    ratio : ndarray of float64, shape (m,)
        Incidents of the window over (decayed) incidents of the past, all cells: the exposure of ``future``.
    corrections : ndarray of float64, shape (m, q)
        Columns whose coefficients correct the log prior mean.
    weight : ndarray of float64, shape (m,)
        1, or the inverse of the chance with which a row was drawn.
    """

    log_mean: NDArray[np.float64]
    log_relative: NDArray[np.float64]
    past: NDArray[np.float64]
    future: NDArray[np.float64]
    ratio: NDArray[np.float64]
    corrections: NDArray[np.float64]
    weight: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """A fitted prior.

    Attributes
    ----------
    intercept : float
    coefficients : ndarray of float64, shape (q,)
        Of the corrections.
    prior : CellPrior
    log_likelihood : float
        Of the future given the past, without the constant of the factorials.
    """

    intercept: float
    coefficients: NDArray[np.float64]
    prior: CellPrior
    log_likelihood: float


def fit_prior(rows: TrainingRows, ridge: float, *, hot_spots: bool, start: Fit | None = None) -> Fit:
    """Maximize the penalized likelihood of the future given the past.

    Parameters
    ----------
    rows : TrainingRows
    ridge : float
        Penalty ``ridge / 2 * sum(coefficients ** 2)``.
    hot_spots : bool
        Two components instead of one.
    start : Fit, optional
        Where to begin.
    """
    from scipy import optimize

    q = rows.corrections.shape[1]
    guess = _guess(q, hot_spots, start)
    bounds = [(None, None)] * (q + 1) + [(0.0, _POWER_LIMIT), _LOG_CREDENCE] + [(-8.0, 8.0)] * (guess.size - q - 3)
    seen = _seen(rows)
    result = optimize.minimize(
        _objective,
        guess,
        args=(rows, ridge, seen),
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"maxiter": 150, "ftol": 1e-8, "gtol": 1e-2},
    )
    best = np.asarray(result.x)
    likelihood = -_objective(best, rows, 0.0, seen, penalize=False)[0]
    return Fit(float(best[0]), best[1 : q + 1], _prior_of(best[q + 1 :]), float(likelihood))


def _guess(q: int, hot_spots: bool, start: Fit | None) -> NDArray[np.float64]:
    if start is None:
        head, power, worth = np.zeros(q + 1), _POWER_MEAN, 0.0
        shapes: tuple[float, ...] = (-1.0,)
    else:
        head = np.concatenate([[start.intercept], start.coefficients])
        power, worth, shapes = start.prior.power, float(np.log(start.prior.credence)), start.prior.log_shape
    tail = [power, worth, *shapes[: 2 if hot_spots else 1]]
    if hot_spots and start is not None and start.prior.components == 2:
        tail += [start.prior.hot_log_odds, start.prior.hot_log_ratio]
    elif hot_spots:
        tail = [power, worth, shapes[0] + 0.7, shapes[0], _ODDS_MEAN, _RATIO_MEAN]
    return np.concatenate([head, tail])


def _seen(rows: TrainingRows) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    return np.flatnonzero(rows.past > 0), np.flatnonzero(rows.past + rows.future > 0)


def _prior_of(tail: NDArray[np.float64]) -> CellPrior:
    power, credence = float(tail[0]), float(np.exp(tail[1]))
    if tail.size == 3:
        return CellPrior((float(tail[2]),), power, credence)
    return CellPrior((float(tail[2]), float(tail[3])), power, credence, float(tail[4]), float(tail[5]))


def _objective(
    t: NDArray[np.float64],
    rows: TrainingRows,
    ridge: float,
    seen: tuple[NDArray[np.intp], NDArray[np.intp]],
    *,
    penalize: bool = True,
) -> tuple[float, NDArray[np.float64]]:
    q = rows.corrections.shape[1]
    prior = _prior_of(t[q + 1 :])
    shift = t[0] + row_sums(rows.corrections, t[1 : q + 1])
    log_mean, log_relative = rows.log_mean + shift, rows.log_relative + shift
    past = prior.credence * rows.past
    both = past + rows.future
    terms = []
    for j in range(prior.components):
        log_k = np.clip(prior.log_shape[j] + prior.power * log_relative, -13.0, 13.0)
        log_rate = log_k - log_mean - np.log(prior.means[j])
        past_term = gamma_poisson(log_k, log_rate, past, prior.credence, seen[0])
        both_term = gamma_poisson(log_k, log_rate, both, prior.credence + rows.ratio, seen[1])
        terms.append((past_term, both_term))
    log_w = np.log(prior.weights)
    before, p_before = _mix([log_w[j] + terms[j][0][0] for j in range(prior.components)])
    after, p_after = _mix([log_w[j] + terms[j][1][0] for j in range(prior.components)])
    value = float(np.sum(rows.weight * (after - before + rows.future * np.log(rows.ratio))))
    gradient = _gradient(prior, rows, log_relative, terms, p_before, p_after, seen)
    if penalize:
        penalty, slope = _penalty(t, q, ridge)
        return -(value - penalty), -(gradient - slope)
    return -value, -gradient


def _mix(logs: list[NDArray[np.float64]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Log of the sum of one or two exponentials, and the share of each."""
    if len(logs) == 1:
        return logs[0], np.ones((1, logs[0].size))
    total = np.logaddexp(logs[0], logs[1])
    second = np.exp(logs[1] - total)
    return total, np.stack([1.0 - second, second])


_Term = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


def gamma_poisson(
    log_k: NDArray[np.float64],
    log_rate: NDArray[np.float64],
    counts: NDArray[np.float64],
    exposure: float | NDArray[np.float64],
    seen: NDArray[np.intp],
) -> _Term:
    """Log marginal of ``counts`` and its derivatives: by log shape, log rate, counts (seen cells) and exposure."""
    from scipy import special

    k, rate = np.exp(log_k), np.exp(log_rate)
    total = rate + exposure
    gap = log_rate - np.log(total)
    value = k * gap - counts * np.log(total)
    by_shape = k * gap
    some = k[seen]
    value[seen] += special.gammaln(some + counts[seen]) - special.gammaln(some)
    by_shape[seen] += some * (special.digamma(some + counts[seen]) - special.digamma(some))
    by_rate = k - (k + counts) * rate / total
    by_counts = special.digamma(some + counts[seen]) - np.log(total[seen])
    by_exposure = -(k + counts) / total
    return value, by_shape, by_rate, by_counts, by_exposure


def _gradient(
    prior: CellPrior,
    rows: TrainingRows,
    log_relative: NDArray[np.float64],
    terms: list[tuple[_Term, _Term]],
    p_before: NDArray[np.float64],
    p_after: NDArray[np.float64],
    seen: tuple[NDArray[np.intp], NDArray[np.intp]],
) -> NDArray[np.float64]:
    by_log_k = np.zeros((prior.components, log_relative.size))
    by_rate = np.zeros_like(by_log_k)
    for j, (before, after) in enumerate(terms):
        by_rate[j] = rows.weight * (p_after[j] * after[2] - p_before[j] * before[2])
        by_log_k[j] = rows.weight * (p_after[j] * after[1] - p_before[j] * before[1]) + by_rate[j]
    by_credence = sum(
        float(np.sum(sign * weight * part[4]) * prior.credence)
        + float(np.sum((sign * weight * prior.credence * rows.past)[cells] * part[3]))
        for j, pair in enumerate(terms)
        for sign, part, cells, weight in (
            (1.0, pair[1], seen[1], rows.weight * p_after[j]),
            (-1.0, pair[0], seen[0], rows.weight * p_before[j]),
        )
    )
    by_mean = prior.power * by_log_k.sum(axis=0) - by_rate.sum(axis=0)
    by_power = float((by_log_k.sum(axis=0) * log_relative).sum())
    head = np.concatenate([[by_mean.sum()], weighted_sums(rows.corrections, by_mean), [by_power, by_credence]])
    shape_part = by_log_k.sum(axis=1)
    if prior.components == 1:
        return np.concatenate([head, shape_part])
    by_log_ratio = -by_rate.sum(axis=1)  # by the log of each component's mean
    hot, ratio = prior.weights[1], np.exp(prior.hot_log_ratio)
    base = prior.means[0]
    by_odds_mean = -hot * (1.0 - hot) * (ratio - 1.0) * base
    by_ratio_mean = -hot * ratio * base
    membership = (rows.weight * (p_after - p_before)).sum(axis=1)
    by_odds = membership[1] * (1.0 - hot) - membership[0] * hot + by_log_ratio.sum() * by_odds_mean
    by_ratio = by_log_ratio.sum() * by_ratio_mean + by_log_ratio[1]
    return np.concatenate([head, shape_part, [by_odds, by_ratio]])


def _penalty(t: NDArray[np.float64], q: int, ridge: float) -> tuple[float, NDArray[np.float64]]:
    centers = np.zeros(t.size)
    precision = np.zeros(t.size)
    precision[1 : q + 1] = ridge
    tail_centers = [_POWER_MEAN, 0.0, _SHAPE_MEAN, _SHAPE_MEAN, _ODDS_MEAN, _RATIO_MEAN]
    tail_sd = [_POWER_SD, _CREDENCE_SD, _SHAPE_SD, _SHAPE_SD, _ODDS_SD, _RATIO_SD]
    m = t.size - q - 1
    centers[q + 1 :] = tail_centers[:m]
    precision[q + 1 :] = 1.0 / np.square(tail_sd[:m])
    gap = t - centers
    return float(0.5 * np.sum(precision * gap**2)), precision * gap


def shape_penalty(t: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    """Penalty of a power and the log shapes after it, as `fit_prior` has it, and its slope."""
    centers = np.array([_POWER_MEAN, *[_SHAPE_MEAN] * (t.size - 1)])
    precision = 1.0 / np.square([_POWER_SD, *[_SHAPE_SD] * (t.size - 1)])
    gap = t - centers
    return float(0.5 * np.sum(precision * gap**2)), precision * gap
