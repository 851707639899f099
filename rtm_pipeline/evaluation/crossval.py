"""Cross-validation in space that keeps every cell: each is predicted once, by a model that never saw its group.

Groups are neighborhoods (leave one out: does the model carry over to places it does not know?) or whole spatial blocks
dealt to folds. Scores are of all cells together; no cell is dropped because its group was hard.

References
----------
Roberts et al. 2017 (block cross-validation); Steif 2021 (leave one neighborhood out).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ModelError
from rtm_pipeline.evaluation.calibration import poisson_deviance_of
from rtm_pipeline.evaluation.measures import SurfaceMeasures, measure
from rtm_pipeline.grid.spec import StudyGrid
from rtm_pipeline.model.folds import block_folds
from rtm_pipeline.surface.forecast import expected_shares
from rtm_pipeline.surface.forecast_model import ForecastModel
from rtm_pipeline.surface.history import History
from rtm_pipeline.surface.tuning import tune
from rtm_pipeline.surface.windows import Features, features_for

__all__ = ["CrossValidation", "cross_validate", "leave_blocks_out_forecast", "leave_group_out_terrain"]


@dataclass(frozen=True, slots=True, eq=False)
class CrossValidation:
    """Predictions of cells by models that did not see their group.

    Attributes
    ----------
    kind : str
        Such as ``leave one neighborhood out`` or ``spatial blocks``.
    groups : int
    predicted : ndarray of float64, shape (n,)
        Expected incidents, every cell once.
    deviance : float
        Poisson deviance, all cells.
    null_deviance : float
        Of a constant rate.
    mean_absolute_error : float
    measures : SurfaceMeasures
    group_errors : tuple of (float, float)
        Observed and predicted incidents of each group.
    """

    kind: str
    groups: int
    predicted: NDArray[np.float64]
    deviance: float
    null_deviance: float
    mean_absolute_error: float
    measures: SurfaceMeasures
    group_errors: tuple[tuple[float, float], ...]

    def as_json(self) -> dict[str, object]:
        """Plain values, without the predictions."""
        return {
            "kind": self.kind,
            "groups": self.groups,
            "cells": int(self.predicted.size),
            "deviance": self.deviance,
            "null_deviance": self.null_deviance,
            "mean_absolute_error": self.mean_absolute_error,
            **{key: value for key, value in self.measures.as_json().items() if key in ("pai", "pei", "hit_rate")},
        }


def cross_validate(
    observed: NDArray[np.integer],
    groups: NDArray[np.integer],
    fit_predict: Callable[[NDArray[np.bool_]], NDArray[np.float64]],
    kind: str,
    exposure: NDArray[np.float64] | None = None,
) -> CrossValidation:
    """Predict every group from the others.

    Parameters
    ----------
    observed : ndarray of int, shape (n,)
    groups : ndarray of int, shape (n,)
        Group of each cell. Cells in no group (negative) make one group of their own: they are kept.
    fit_predict : callable
        Takes the cells to learn from, bool (n,), returns expected incidents of all cells, float64 (n,).
    kind : str
    exposure : ndarray of float64, shape (n,), optional

    Raises
    ------
    ModelError
        If there are fewer than two groups, or a prediction is missing or not positive.
    """
    y = np.asarray(observed)
    names, number = np.unique(np.where(groups < 0, -1, groups), return_inverse=True)
    if names.size < 2:
        raise ModelError(f"Cross-validation ({kind}) needs at least two groups of cells; found {names.size}.")
    predicted = np.full(y.size, np.nan)
    for group in range(names.size):
        held = number == group
        predicted[held] = fit_predict(~held)[held]
    return _score(y, number, predicted, kind, exposure)


def _score(
    y: NDArray[np.integer],
    number: NDArray[np.intp],
    predicted: NDArray[np.float64],
    kind: str,
    exposure: NDArray[np.float64] | None,
) -> CrossValidation:
    if not bool(np.all(predicted > 0)):
        raise ModelError(f"Cross-validation ({kind}): every cell must have a positive prediction; some have none.")
    area = np.ones(y.size) if exposure is None else exposure
    counts = y.astype(np.float64)
    sums = np.bincount(number, weights=counts), np.bincount(number, weights=predicted)
    return CrossValidation(
        kind=kind,
        groups=int(number.max()) + 1,
        predicted=predicted,
        deviance=poisson_deviance_of(counts, predicted),
        null_deviance=poisson_deviance_of(counts, area * (max(counts.sum(), 1e-9) / area.sum())),
        mean_absolute_error=float(np.mean(np.abs(counts - predicted))),
        measures=measure(y, predicted, exposure=exposure, in_incidents=True),
        group_errors=tuple((float(a), float(b)) for a, b in zip(*sums, strict=True)),
    )


def leave_blocks_out_forecast(
    grid: StudyGrid,
    history: History,
    vintages: tuple[Features, ...],
    model: ForecastModel,
    observed: NDArray[np.integer],
    blocks: NDArray[np.integer],
    *,
    folds: int = 5,
    seed: int = 0,
) -> CrossValidation:
    """Tune the forecast without whole spatial blocks, and forecast them.

    Everything that is fitted (coefficients, powers, heterogeneity) is fitted on the other blocks' outcomes; the past of
    the blocks left out is seen, as it would be when forecasting. Totals are those observed: this judges places.

    Parameters
    ----------
    grid, history, vintages : as in `rtm_pipeline.surface.tuning.tune`
    model : ForecastModel
        Tuned on all blocks; where the search for the others starts.
    observed : ndarray of int, shape (n,)
        What came after the cut-off.
    blocks : ndarray of int, shape (n,)
    folds, seed : int
        Blocks are dealt to folds with about equal incidents of the past.
    """
    past = history.rows(history.observed)
    fold = block_folds(blocks, past, folds, seed).astype(np.int64)
    features = features_for(vintages, model.cutoff)
    total = max(float(observed.sum()), 0.5)

    def fit_predict(train: NDArray[np.bool_]) -> NDArray[np.float64]:
        fitted = tune(grid, history, vintages, model.cutoff, cells=train, start=model, seed=seed)
        return total * expected_shares(fitted, grid, history, features)

    return cross_validate(observed, fold, fit_predict, "spatial blocks", grid.exposure)


def leave_group_out_terrain(
    columns: NDArray[np.uint8],
    observed: NDArray[np.integer],
    exposure: NDArray[np.float64],
    groups: NDArray[np.integer],
    kind: str = "leave one neighborhood out",
) -> CrossValidation:
    """Refit the selected terms of a risk terrain without each group in turn, and predict it.

    Cells with the same 0/1 pattern are counted together, so a refit costs as much as there are patterns.

    Parameters
    ----------
    columns : ndarray of uint8, shape (n, k)
        The selected variables.
    observed, exposure, groups : ndarray, shape (n,)
    """
    names, number = np.unique(np.where(groups < 0, -1, groups), return_inverse=True)
    patterns, of_cell = np.unique(columns, axis=0, return_inverse=True)
    of_cell = of_cell.reshape(-1)
    size = len(patterns)
    key = number.astype(np.int64) * size + of_cell
    shape = (names.size, size)
    events = np.bincount(key, weights=observed, minlength=names.size * size).reshape(shape)
    area = np.bincount(key, weights=exposure, minlength=names.size * size).reshape(shape)
    design = np.concatenate([np.ones((size, 1)), patterns.astype(np.float64)], axis=1)

    def fit_predict(train: NDArray[np.bool_]) -> NDArray[np.float64]:
        held = number[int(np.argmin(train))]
        beta = _poisson(design, events.sum(axis=0) - events[held], area.sum(axis=0) - area[held])
        return np.asarray(exposure * np.exp(design @ beta)[of_cell])

    return cross_validate(observed, groups, fit_predict, kind, exposure)


def _poisson(
    design: NDArray[np.float64], events: NDArray[np.float64], area: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Poisson regression on patterns, by Newton steps; a trace of ridge keeps terms that a group alone carried at 0."""
    if events.sum() <= 0:
        raise ModelError("Without this group there is no incident left to learn from.")
    penalty = np.full(design.shape[1], 1e-6)
    beta = np.zeros(design.shape[1])
    beta[0] = np.log(events.sum() / area.sum())
    for _ in range(100):
        mean = area * np.exp(np.clip(design @ beta, -30.0, 30.0))
        gradient = design.T @ (events - mean) - penalty * beta
        hessian = (design.T * mean) @ design + np.diag(penalty)
        step = np.clip(np.linalg.solve(hessian, gradient), -2.0, 2.0)
        beta = beta + step
        if float(np.abs(step).max()) < 1e-9:
            return np.asarray(beta)
    raise ModelError("The refit of the risk terrain without one group did not settle in 100 steps.")
