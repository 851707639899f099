"""Poisson regression with an offset and a ridge, by iteratively reweighted least squares in a fixed order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ModelError
from rtm_pipeline.surface.sums import gram, row_sums, weighted_sums

__all__ = ["best_ridge", "poisson_deviance", "poisson_ridge"]

_LIMIT = 30.0


def poisson_ridge(
    columns: NDArray[np.floating],
    counts: NDArray[np.float64],
    offset: NDArray[np.float64],
    ridge: float,
    *,
    weight: NDArray[np.float64] | None = None,
    start: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Coefficients, intercept first (not penalized), of a Poisson regression with log link.

    Parameters
    ----------
    columns : ndarray, shape (m, q)
    counts, offset : ndarray of float64, shape (m,)
        ``offset`` is added to the linear predictor.
    ridge : float
        Penalty ``ridge / 2 * sum(coefficients ** 2)``, positive where columns may be collinear.
    weight : ndarray of float64, shape (m,), optional
    start : ndarray of float64, shape (q + 1,), optional

    Returns
    -------
    ndarray of float64, shape (q + 1,)

    Raises
    ------
    ModelError
        If there is no event, or Newton's method does not settle.
    """
    w = np.ones(counts.size) if weight is None else weight
    total = float(np.sum(w * counts))
    if total <= 0:
        raise ModelError("A regression of the outcome needs at least one incident before the cut-off; found none.")
    q = columns.shape[1]
    beta = np.zeros(q + 1)
    beta[0] = np.log(total / float(np.sum(w * np.exp(offset))))
    if start is not None:
        beta = start.copy()
    penalty = np.r_[0.0, np.full(q, ridge)]
    value, gradient, hessian = _step(columns, counts, offset, w, beta, penalty)
    for _ in range(60):
        move = np.linalg.solve(hessian, gradient)
        factor = 1.0
        while factor > 1e-6:
            trial = _step(columns, counts, offset, w, beta + factor * move, penalty)
            if np.isfinite(trial[0]) and trial[0] >= value - 1e-9 * abs(value):
                break
            factor *= 0.5
        beta = beta + factor * move
        value, gradient, hessian = trial
        if float(np.abs(factor * move).max()) < 1e-7:
            return np.asarray(beta)
    raise ModelError(
        "The regression of the outcome on the factors did not settle in 60 steps. Check for absurd values."
    )


def _step(
    columns: NDArray[np.floating],
    counts: NDArray[np.float64],
    offset: NDArray[np.float64],
    w: NDArray[np.float64],
    beta: NDArray[np.float64],
    penalty: NDArray[np.float64],
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    eta = np.clip(offset + beta[0] + row_sums(columns, beta[1:]), -_LIMIT, _LIMIT)
    mean = w * np.exp(eta)
    rest = w * counts - mean
    value = float(np.sum(w * counts * eta) - np.sum(mean) - 0.5 * np.sum(penalty * beta**2))
    gradient = np.r_[rest.sum(), weighted_sums(columns, rest)] - penalty * beta
    hessian = np.empty((beta.size, beta.size))
    hessian[0, 0] = mean.sum()
    hessian[0, 1:] = hessian[1:, 0] = weighted_sums(columns, mean)
    hessian[1:, 1:] = gram(columns, mean)
    hessian[np.diag_indices_from(hessian)] += penalty + 1e-10
    return value, gradient, hessian


def poisson_deviance(
    counts: NDArray[np.float64], means: NDArray[np.float64], weight: NDArray[np.float64] | None = None
) -> float:
    """Twice the gap in log likelihood to a perfect fit, ``2 sum(y log(y / m) - y + m)``."""
    from scipy import special

    means = np.maximum(means, 1e-300)
    terms = special.xlogy(counts, counts / means) - counts + means
    return float(2.0 * np.sum(terms if weight is None else weight * terms))


def best_ridge(
    columns: NDArray[np.floating],
    counts: NDArray[np.float64],
    offset: NDArray[np.float64],
    folds: NDArray[np.integer],
    candidates: tuple[float, ...],
    weight: NDArray[np.float64] | None = None,
) -> float:
    """The penalty with the lowest deviance on folds that were left out; the larger one on a tie.

    Folds should be whole spatial blocks, or the deviance is flattered by neighbors.
    """
    w = np.ones(counts.size) if weight is None else weight
    loss = dict.fromkeys(candidates, 0.0)
    for fold in np.unique(folds):
        train = folds != fold
        test = ~train
        if float(np.sum(w[train] * counts[train])) <= 0:
            continue
        start = None
        for ridge in sorted(candidates, reverse=True):
            start = poisson_ridge(columns[train], counts[train], offset[train], ridge, weight=w[train], start=start)
            means = np.exp(np.clip(offset[test] + start[0] + row_sums(columns[test], start[1:]), -_LIMIT, _LIMIT))
            loss[ridge] += poisson_deviance(counts[test], means, w[test])
    return min(sorted(candidates, reverse=True), key=lambda ridge: loss[ridge])
