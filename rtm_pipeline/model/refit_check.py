"""The same fit by another program: every release refits its terms with statsmodels and compares.

Imports statsmodels inside the function: it is slow to import and needed once a run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.model.design import Design
from rtm_pipeline.model.likelihood.cells import cells_of
from rtm_pipeline.model.remarks import fit_terms
from rtm_pipeline.model.terrain import FittedTerrain

__all__ = ["LARGEST_DIFFERENCE", "refit_with_statsmodels"]

LARGEST_DIFFERENCE = 1e-6
"""A larger absolute difference of any coefficient (relative for a dispersion above 1) blocks a release."""


def refit_with_statsmodels(design: Design, terrain: FittedTerrain) -> float:
    """Largest absolute difference between the engine's coefficients and statsmodels' for the terms of a terrain.

    A dispersion above 1 counts by its relative difference.

    The Poisson fit of the terms is compared with ``GLM`` on rows with equal terms, count and exposure. Where the
    terrain is a negative binomial, its coefficients and dispersion are also compared with the maximum of statsmodels'
    own likelihood (``NegativeBinomialP``, p = 1 for NB1 and 2 for NB2), found from its scores with these rows'
    numbers of cells as weights.

    Parameters
    ----------
    design : Design
        What the terrain was fitted to.
    terrain : FittedTerrain

    Returns
    -------
    float
    """
    X, counts, exposure, cells = _compressed(design, terrain)
    theirs = _glm(X, counts, exposure, cells)
    if terrain.family == "poisson":
        ours = np.array([terrain.intercept, *(term.coefficient for term in terrain.terms)])
        return float(np.abs(ours - theirs).max())
    ours = fit_terms(terrain, design, cells_of(design), "poisson").coefficients
    difference = float(np.abs(ours - theirs).max())
    if terrain.dispersion:
        difference = max(difference, _negative_binomial_difference(terrain, X, counts, exposure, cells))
    return difference


def _compressed(
    design: Design, terrain: FittedTerrain
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Distinct rows of intercept and terms, count, exposure; and the number of cells with each."""
    columns = {
        variable.name: block.bits[:, i][block.codes]
        for block in design.blocks
        for i, variable in enumerate(block.variables)
        if any(term.variable.name == variable.name for term in terrain.terms)
    }
    key = np.zeros(design.n_cells, np.int64)
    for term in terrain.terms:
        _, key = np.unique(2 * key + columns[term.variable.name], return_inverse=True)
    table = np.column_stack([key, design.counts, design.exposure])
    _, first, cells = np.unique(table, axis=0, return_index=True, return_counts=True)
    X = np.column_stack([np.ones(first.size), *(columns[term.variable.name][first] for term in terrain.terms)])
    return X, design.counts[first].astype(float), design.exposure[first], cells.astype(float)


def _glm(
    X: NDArray[np.float64], counts: NDArray[np.float64], exposure: NDArray[np.float64], cells: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Poisson coefficients by statsmodels on distinct rows of X, with summed counts and exposure."""
    import warnings

    from statsmodels.genmod.families import Poisson
    from statsmodels.genmod.generalized_linear_model import GLM
    from statsmodels.tools.sm_exceptions import PerfectSeparationWarning

    rows, row = np.unique(X, axis=0, return_inverse=True)
    total, size = np.bincount(row, counts * cells), np.bincount(row, exposure * cells)
    model = GLM(total, rows, family=Poisson(), offset=np.log(size))
    # Rows are patterns: with as many terms as patterns the model is saturated and fits them exactly. That is no fault.
    with np.errstate(invalid="ignore", divide="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", PerfectSeparationWarning)
        coefficients: NDArray[np.float64] = model.fit(tol=1e-14, maxiter=200, tol_criterion="params").params
    return coefficients


def _negative_binomial_difference(
    terrain: FittedTerrain,
    X: NDArray[np.float64],
    counts: NDArray[np.float64],
    exposure: NDArray[np.float64],
    cells: NDArray[np.float64],
) -> float:
    """Distance from the engine's estimate to the root of statsmodels' scores."""
    from statsmodels.discrete.discrete_model import NegativeBinomialP

    model: Any = NegativeBinomialP(counts, X, p=1 if terrain.family == "nb1" else 2, offset=np.log(exposure))
    estimate = np.array([terrain.intercept, *(term.coefficient for term in terrain.terms), terrain.dispersion])
    values = estimate.copy()
    for _ in range(3):
        slope = _slope(lambda at: cells @ model.score_obs(at), values)
        if not (np.linalg.eigvalsh((slope + slope.T) / 2) < 0).all():
            return float("inf")  # not a maximum
        values -= np.linalg.solve(slope, cells @ model.score_obs(values))
    # A dispersion of hundreds, where a few cells hold everything, has rounding of its own size.
    scale = np.ones(estimate.size)
    scale[-1] = max(1.0, float(estimate[-1]))
    return float((np.abs(values - estimate) / scale).max())


def _slope(score: Callable[[NDArray[np.float64]], NDArray[np.float64]], at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Derivative of the scores by central differences."""
    columns = []
    for i in range(at.size):
        step = np.zeros(at.size)
        step[i] = 1e-5 * max(abs(at[i]), 0.1)
        columns.append((score(at + step) - score(at - step)) / (2 * step[i]))
    return np.column_stack(columns)
