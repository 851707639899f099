"""How far the prior means themselves may be off, and how cells differ once that is taken out.

A cell's prior mean comes from incidents around it, and where few lie around it is a rough guess. The forecast needs
the best guess only; an interval of the rate must also allow for the guess being off. Given the incidents ``o`` seen at
a bandwidth and the strength ``k`` that holds its ratio at 1 (`surface.cascade`), the ratio is gamma distributed with
shape ``k + o``: its relative variance is ``1 / (k + o)``, and the ratios multiply. What is left between cells is less
spread than with all of it blamed on the cells, so spread and its growth with the mean are fitted once more.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.grid.spec import StudyGrid
from rtm_pipeline.surface.cascade import around
from rtm_pipeline.surface.heterogeneity import CellPosterior, CellPrior
from rtm_pipeline.surface.likelihood import Fit, TrainingRows, gamma_poisson, shape_penalty
from rtm_pipeline.surface.sums import row_sums

__all__ = ["interval_posterior", "interval_prior", "mean_variance"]

_AT = np.array([-np.sqrt(3.0), 0.0, np.sqrt(3.0)])  # Gauss-Hermite nodes of a standard normal
_SHARE = np.array([1.0, 4.0, 1.0]) / 6.0
_LOG_SHAPE_LIMIT = 13.0
_POWER = (-0.5, 2.0)
_LOG_SHAPE = (-8.0, 8.0)
_Array = NDArray[np.float64]


def mean_variance(
    grid: StudyGrid, past: _Array, ladder: tuple[float, ...], strengths: tuple[float, ...], powers: tuple[float, ...]
) -> _Array:
    """Variance of the log of each cell's prior mean, shape (n,), from what was seen around it.

    Parameters
    ----------
    grid : StudyGrid
    past : ndarray of float64, shape (n,)
        (Decayed) incidents of the past.
    ladder, strengths, powers : tuple of float
        Bandwidths in cells, their pseudo-incidents, and the exponents of their ratios.
    """
    total = np.zeros(grid.n_cells)
    for sigma, strength, power in zip(ladder, strengths, powers, strict=True):
        total += power**2 * np.log1p(1.0 / (strength + around(grid, past, sigma)))
    return total


def interval_prior(rows: TrainingRows, fit: Fit, variance: _Array) -> CellPrior:
    """Spread of the cells around prior means that may be off, by the likelihood of the future given the past.

    Parameters
    ----------
    rows : TrainingRows
    fit : Fit
        What the forecast uses: its means, credence, and share of hot spots are kept.
    variance : ndarray of float64, shape (m,)
        Of the log prior mean of each row.

    Returns
    -------
    CellPrior
    """
    from scipy import optimize

    shift = fit.intercept + row_sums(rows.corrections, fit.coefficients)
    data = replace(rows, log_mean=rows.log_mean + shift, log_relative=rows.log_relative + shift)
    start = np.array([fit.prior.power, *fit.prior.log_shape])
    result = optimize.minimize(
        _objective,
        start,
        args=(data, fit.prior, _displacements(variance)),
        jac=True,
        method="L-BFGS-B",
        bounds=[_POWER] + [_LOG_SHAPE] * fit.prior.components,
        options={"maxiter": 60, "ftol": 1e-8, "gtol": 1e-2},
    )
    return _with(fit.prior, np.asarray(result.x))


def interval_posterior(
    prior: CellPrior, prior_mean: _Array, counts: _Array, average: float, variance: _Array
) -> CellPosterior:
    """As `CellPrior.posterior`, with prior means that may be off: three times as many components.

    Parameters
    ----------
    prior : CellPrior
        Of `interval_prior`.
    prior_mean, counts : ndarray of float64, shape (n,)
    average : float
        Mean of ``prior_mean`` over the study area.
    variance : ndarray of float64, shape (n,)
        Of the log prior mean.
    """
    from scipy import special

    log_mean = np.log(prior_mean)
    weights, shapes, rates = [], [], []
    for log_weight, log_k, log_rate in _components(
        prior, log_mean, log_mean - np.log(average), _displacements(variance)
    ):
        k, rate = np.exp(log_k), np.exp(log_rate)
        post_k, post_rate = k + prior.credence * counts, rate + prior.credence
        log_marginal = log_weight + k * log_rate - post_k * np.log(post_rate)
        seen = np.flatnonzero(counts > 0)
        log_marginal[seen] += special.gammaln(post_k[seen]) - special.gammaln(k[seen])
        weights.append(log_marginal)
        shapes.append(post_k)
        rates.append(post_rate)
    _, shares = _mix(weights)
    return CellPosterior(shares, np.stack(shapes), np.stack(rates))


def _with(prior: CellPrior, t: _Array) -> CellPrior:
    return replace(prior, power=float(t[0]), log_shape=tuple(float(value) for value in t[1:]))


def _displacements(variance: _Array) -> _Array:
    """Log of the factors, shape (3, n), by which the mean may be off; their weighted mean is 1."""
    logs = np.sqrt(variance)[None, :] * _AT[:, None]
    return np.asarray(logs - np.log(np.einsum("in,i->n", np.exp(logs), _SHARE)))


def _components(
    prior: CellPrior, log_mean: _Array, log_relative: _Array, displacements: _Array
) -> list[tuple[float, _Array, _Array]]:
    """Log weight, log shape and log rate of each component."""
    found = []
    for weight, mean, log_shape in zip(prior.weights, prior.means, prior.log_shape, strict=True):
        for share, off in zip(_SHARE, displacements, strict=True):
            log_k = np.clip(log_shape + prior.power * (log_relative + off), -_LOG_SHAPE_LIMIT, _LOG_SHAPE_LIMIT)
            found.append((float(np.log(weight * share)), log_k, log_k - log_mean - off - np.log(mean)))
    return found


def _mix(logs: list[_Array]) -> tuple[_Array, _Array]:
    """Log of the sum of exponentials, shape (m,), and the share of each, shape (components, m)."""
    stacked = np.stack(logs)
    highest = stacked.max(axis=0)
    parts = np.exp(stacked - highest)
    total = parts.sum(axis=0)
    return np.asarray(highest + np.log(total)), np.asarray(parts / total)


def _objective(t: _Array, rows: TrainingRows, base: CellPrior, displacements: _Array) -> tuple[float, _Array]:
    """Negative penalized log likelihood by power and log shapes, and its slope."""
    prior = _with(base, t)
    past = prior.credence * rows.past
    both = past + rows.future
    seen_past, seen_both = np.flatnonzero(past > 0), np.flatnonzero(both > 0)
    before, after, by_before, by_after = [], [], [], []
    for log_weight, log_k, log_rate in _components(prior, rows.log_mean, rows.log_relative, displacements):
        first = gamma_poisson(log_k, log_rate, past, prior.credence, seen_past)
        second = gamma_poisson(log_k, log_rate, both, prior.credence + rows.ratio, seen_both)
        before.append(log_weight + first[0])
        after.append(log_weight + second[0])
        by_before.append(first[1] + first[2])
        by_after.append(second[1] + second[2])
    value_before, shares_before = _mix(before)
    value_after, shares_after = _mix(after)
    by_log_k = rows.weight * (shares_after * np.stack(by_after) - shares_before * np.stack(by_before))
    by_log_k = by_log_k.reshape(prior.components, _AT.size, -1)
    gradient = np.array(
        [(by_log_k * (rows.log_relative + displacements)[None]).sum(), *by_log_k.sum(axis=(1, 2))], np.float64
    )
    penalty, slope = shape_penalty(t)
    return penalty - float(np.sum(rows.weight * (value_after - value_before))), slope - gradient
