"""Screening: an elastic-net Poisson regression over a path of penalties, with cross-validation.

The penalized fit minimizes, over an intercept b0 and coefficients b of the 0/1 columns x,

    (1/n) sum_i [ mu_i - y_i log(mu_i) ] + penalty * ( alpha |b|_1 + (1 - alpha) / 2 |b|_2^2 ),
    log(mu_i) = b0 + x_i b + log(exposure_i),

with columns as they are (not standardized), an intercept that is not penalized, and coefficients that are all >= 0
(aggravating), all <= 0 (protective) or free (both). This is the parametrization of R's glmnet with ``family =
"poisson"``, ``offset = log(exposure)``, ``standardize = FALSE`` and ``lower.limits = 0`` or ``upper.limits = 0``:
the same penalties give the same coefficients. Cross-validated deviance and its standard error are those of cv.glmnet.

Every fit, of the full data and of every fold, satisfies the Karush-Kuhn-Tucker conditions to `KKT_TOLERANCE`
relative to ``penalty * alpha``; the violation that is left is reported for each penalty. (glmnet's default threshold
leaves violations of one to four per cent.)

References
----------
Zou & Hastie 2005 (elastic net); Friedman, Hastie & Tibshirani 2010, doi 10.18637/jss.v033.i01 (glmnet); Lee, Sun &
Saunders 2014, doi 10.1137/130921428 (proximal Newton-type methods); Tibshirani et al. 2012 (strong rules).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from rtm_pipeline.model.design import Design
from rtm_pipeline.model.penalized.path import Deviances, Path, walk
from rtm_pipeline.model.penalized.problem import LANES, Batch, Problem
from rtm_pipeline.model.penalized.solver import Penalty
from rtm_pipeline.model.screening_checks import (
    check_design,
    check_folds,
    check_incidents,
    check_penalties,
    check_spec,
    signs,
)
from rtm_pipeline.model.spec import ModelSpec

__all__ = ["KKT_TOLERANCE", "Screening", "screen"]

KKT_TOLERANCE = 1e-4

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Screening:
    """A path of penalized fits and the penalty that cross-validation chose.

    L penalties, K columns of the design.

    Attributes
    ----------
    penalties : ndarray of float64, shape (L,)
        Descending. A single 0 if no column is associated with the incidents in an allowed direction.
    cv_deviance, cv_se : ndarray of float64, shape (L,)
        Held-out Poisson deviance a cell, averaged over folds in proportion to their cells, and its standard error.
    n_nonzero : ndarray of int64, shape (L,)
        Variables with a coefficient other than zero.
    deviance_explained : ndarray of float64, shape (L,)
        1 - deviance / deviance of the null model, of the full data.
    kkt_violation : ndarray of float64, shape (L,)
        Largest violation of the optimality conditions in the fits of the full data and of all folds, relative to
        ``penalty * alpha``.
    chosen : int
        Index of the chosen penalty.
    rule : str
        ``min``: the penalty of least cross-validated deviance. ``one_se``: the largest penalty within one standard
        error of it.
    alpha : float
        Mixing of the elastic net.
    direction : str
    folds : int
    intercept : float
    coefficients : ndarray of float64, shape (K,)
        At the chosen penalty. Shrunken: for screening, not for reporting.
    kept : ndarray of intp
        Columns with a coefficient other than zero at the chosen penalty, ascending.
    path_columns : ndarray of intp, shape (C,)
        Columns with a coefficient other than zero anywhere on the path.
    path_intercepts : ndarray of float64, shape (L,)
    path_coefficients : ndarray of float64, shape (L, C)
    stopped : str
        Why the path ends where it does.
    """

    penalties: NDArray[np.float64]
    cv_deviance: NDArray[np.float64]
    cv_se: NDArray[np.float64]
    n_nonzero: NDArray[np.int64]
    deviance_explained: NDArray[np.float64]
    kkt_violation: NDArray[np.float64]
    chosen: int
    rule: str
    alpha: float
    direction: str
    folds: int
    intercept: float
    coefficients: NDArray[np.float64]
    kept: NDArray[np.intp]
    path_columns: NDArray[np.intp]
    path_intercepts: NDArray[np.float64]
    path_coefficients: NDArray[np.float64]
    stopped: str

    @property
    def penalty(self) -> float:
        """The chosen penalty."""
        return float(self.penalties[self.chosen])


def screen(
    design: Design,
    spec: ModelSpec,
    folds: NDArray[np.uint8],
    *,
    penalties: NDArray[np.float64] | None = None,
    tolerance: float = KKT_TOLERANCE,
    threads: int | None = None,
) -> Screening:
    """Screen the variables of a design.

    The path has 100 penalties from the smallest that keeps nothing, evenly spaced in the logarithm, to 1e-4 of it
    (1e-2 with more columns than cells). It ends early ten penalties past the minimum of the cross-validated deviance,
    or when the deviance explained passes 0.999 or has risen by less than 1e-5 of itself over five penalties. Columns
    that are constant in the training cells of a fold are left out in that fold. With ``alpha = 1`` and columns that
    repeat each other the coefficients are not unique; one of the solutions is returned, always the same.

    Parameters
    ----------
    design : Design
    spec : ModelSpec
        `alpha`, `direction` and `penalty_rule` are used.
    folds : ndarray of uint8, shape (n,)
        From `balanced_folds` or `block_folds`. Any number of folds.
    penalties : ndarray of float64, optional
        Fit these instead, descending, without early stops.
    tolerance : float
        Largest violation of the optimality conditions, relative to ``penalty * alpha``.
    threads : int, optional
        All cores if not given. The result does not depend on it.

    Returns
    -------
    Screening

    Raises
    ------
    ModelError
        If the design, folds or settings can't be used, a training set has no incidents, or a fit does not converge.
    """
    check_spec(spec)
    check_design(design)
    groups = check_folds(folds, design.n_cells)
    wanted = None if penalties is None else check_penalties(penalties)
    low, high = signs(spec)
    with Problem(design, groups, threads) as problem:
        batches = _fold_batches(problem, int(groups.max()) + 1)
        check_incidents(batches, "What is left without fold {0} (counted from 1)")
        deviances = _deviances(problem, groups)
        path = walk(problem, batches, Penalty(0.0, spec.alpha, low, high), wanted, deviances, tolerance)
        screening = _screening(path, batches, spec, problem.intercept_shift)
    log.info(
        "screening kept %d of %d variables at penalty %.6g (%d penalties; %s)",
        screening.kept.size,
        screening.coefficients.size,
        screening.penalty,
        screening.penalties.size,
        screening.stopped,
    )
    return screening


def _fold_batches(problem: Problem, k: int) -> list[Batch]:
    """Lane 0 is the full data, lane f + 1 leaves out fold f; eight lanes to a batch."""
    inside = np.hstack([np.ones((k, 1)), 1.0 - np.eye(k)])
    cuts = range(0, k + 1, LANES)
    return [problem.batch(inside[:, cut : cut + LANES], 1.0 - inside[:, cut : cut + LANES]) for cut in cuts]


def _deviances(problem: Problem, groups: NDArray[np.int32]) -> Deviances:
    y = problem.counts
    constant = np.bincount(groups, weights=xlogy(y, y / problem.exposure) - y)
    return Deviances(constant.astype(np.float64))


def _screening(path: Path, batches: list[Batch], spec: ModelSpec, shift: float) -> Screening:
    size = np.concatenate([batch.outside_size[: batch.lanes] for batch in batches])[1:]
    share = size / size.sum()
    fold_deviance = np.array([point.fold_deviance for point in path.points])
    mean = (fold_deviance * share).sum(axis=1)
    se = np.sqrt(((fold_deviance - mean[:, None]) ** 2 * share).sum(axis=1) / (size.size - 1))
    best = int(mean.argmin())
    chosen = best if spec.penalty_rule == "min" else int(np.flatnonzero(mean <= mean[best] + se[best])[0])
    b = np.array([point.b for point in path.points])
    columns = np.flatnonzero((b[:, 1:] != 0).any(axis=0))
    return Screening(
        penalties=np.array([point.penalty for point in path.points]),
        cv_deviance=mean,
        cv_se=se,
        n_nonzero=(b[:, 1:] != 0).sum(axis=1),
        deviance_explained=np.array([point.explained for point in path.points]),
        kkt_violation=np.array([point.violation for point in path.points]),
        chosen=chosen,
        rule=spec.penalty_rule,
        alpha=spec.alpha,
        direction=spec.direction,
        folds=size.size,
        intercept=float(b[chosen, 0]) + shift,
        coefficients=b[chosen, 1:].copy(),
        kept=np.flatnonzero(b[chosen, 1:]),
        path_columns=columns,
        path_intercepts=b[:, 0] + shift,
        path_coefficients=b[:, 1:][:, columns],
        stopped=path.stopped,
    )
