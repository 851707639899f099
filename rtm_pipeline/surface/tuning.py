"""Choosing everything that a forecast needs on outcomes before the cut-off.

The order is: decay; coefficients of the factors (ridge Poisson, penalty by held-out spatial blocks); strength of each
surrounding (`cascade`); then, together, corrections of all these, and how much cells differ (`likelihood`), so that
what was known before each training window forecasts the window best. Nothing is set for a particular city.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.grid.blocks import spatial_blocks
from rtm_pipeline.grid.spec import StudyGrid
from rtm_pipeline.model.folds import block_folds
from rtm_pipeline.surface.cascade import CascadeWindow, bandwidth_ladder, cascade, fit_strengths
from rtm_pipeline.surface.columns import Columns, usable_columns
from rtm_pipeline.surface.forecast_model import ForecastModel
from rtm_pipeline.surface.heterogeneity import CellPrior
from rtm_pipeline.surface.history import History
from rtm_pipeline.surface.likelihood import Fit, TrainingRows, fit_prior
from rtm_pipeline.surface.mean_error import interval_prior, mean_variance
from rtm_pipeline.surface.past import choose_decay
from rtm_pipeline.surface.regression import best_ridge, poisson_ridge
from rtm_pipeline.surface.sums import row_sums
from rtm_pipeline.surface.windows import Features, features_for, training_windows
from rtm_pipeline.units import Window

__all__ = ["prior_mean", "tune"]

_log = logging.getLogger(__name__)
_CORRECTION_RIDGE = 100.0  # a prior: corrections of the log mean are about 0.1 a standard deviation of their column
_RIDGES = (5.0, 25.0, 125.0, 625.0, 3125.0)
_DEFAULT_STRENGTH = 3.0
_DEFAULT_PRIOR = CellPrior((-1.2,), 0.8, 0.9)
_FOLDS = 4
_BLOCK_M = 1000.0
_BLOCK_CELLS = 8
_MOST_ROWS = 120_000


@dataclass(frozen=True, slots=True, eq=False)
class _Training:
    window: Window
    past: NDArray[np.float64]
    future: NDArray[np.float64]
    z: NDArray[np.float32]
    sample: NDArray[np.intp]
    weight: NDArray[np.float64]


def tune(
    grid: StudyGrid,
    history: History,
    vintages: tuple[Features, ...],
    cutoff: date,
    *,
    decay: tuple[float, str] | None = None,
    seed: int = 0,
    cells: NDArray[np.bool_] | None = None,
    start: ForecastModel | None = None,
    ridge: float | None = None,
) -> ForecastModel:
    """Fit the forecast on outcomes before the cut-off.

    Parameters
    ----------
    grid : StudyGrid
    history : History
        Rows known by the cut-off.
    vintages : tuple of Features
        The factors as known at the cut-off and at earlier dates; each training window uses the newest that was known
        when it began. May be empty.
    cutoff : date
    decay : (float, str), optional
        A decay chosen before, with the reason.
    seed : int
        Of folds and of the sample of empty cells on grids over 120,000 rows.
    cells : ndarray of bool, shape (n,), optional
        Only the outcomes of these cells are learned from (cross-validation); the past around them is seen all the same.
    start : ForecastModel, optional
        A model with the same columns whose penalty, decay, number of components and spread for intervals are taken
        over and whose other values are the starting point.
    ridge : float, optional
        A penalty of the factors chosen before; by default it is chosen on held-out spatial blocks.

    Raises
    ------
    ModelError
        If any input was known only after the cut-off.
    """
    history.refuse_known_after(cutoff)
    for features in vintages:
        features.refuse_known_after(cutoff)
    if start is not None:
        decay = (start.decay, start.decay_reason)
    chosen, reason = decay if decay is not None else choose_decay(history, cutoff)
    windows = training_windows(history, cutoff)
    columns, windows = usable_columns(vintages, windows, cutoff)
    rng = np.random.default_rng(seed)
    training = tuple(_training(history, vintages, columns, window, chosen, len(windows), rng) for window in windows)
    if cells is not None:
        training = tuple(_only(item, cells) for item in training)
    ladder = bandwidth_ladder(grid)
    if not training or any(item.future[item.sample].sum() == 0 for item in training):
        _log.info("no period before %s to tune the forecast on; defaults are used", cutoff)
        return _default(cutoff, chosen, reason, ladder, columns)
    penalty, beta = _fit_factors(grid, training, seed, ridge if start is None else start.ridge)
    means = [prior_mean(grid, item.z, beta, float(item.past.sum())) for item in training]
    cascades = tuple(CascadeWindow(m, item.past, item.future) for m, item in zip(means, training, strict=True))
    strengths = fit_strengths(grid, cascades, ladder) if start is None else start.strengths
    around = [cascade(grid, m, item.past, ladder, strengths) for m, item in zip(means, training, strict=True)]
    rows = _stack(training, around)
    fit = _fit(rows, _CORRECTION_RIDGE, start)
    steps = len(ladder)
    return ForecastModel(
        cutoff=cutoff,
        decay=chosen,
        decay_reason=reason,
        ladder=ladder,
        strengths=strengths,
        powers=tuple(float(1.0 + value) for value in fit.coefficients[:steps]),
        columns=columns,
        coefficients=beta,
        corrections=fit.coefficients[steps:],
        intercept=fit.intercept,
        ridge=penalty,
        prior=fit.prior,
        interval_prior=_interval_prior(grid, training, rows, fit, ladder, strengths, start),
        windows=windows,
        log_likelihood=fit.log_likelihood,
        fitted=_fitted(training[0], *around[0], fit),
    )


def _only(item: _Training, cells: NDArray[np.bool_]) -> _Training:
    chosen = cells[item.sample]
    return replace(item, sample=item.sample[chosen], weight=item.weight[chosen])


def _fitted(item: _Training, mean: NDArray[np.float64], logs: NDArray[np.float64], fit: Fit) -> NDArray[np.float64]:
    """What the model says of its newest training window, scaled to that window's total."""
    shift = fit.intercept + row_sums(np.concatenate([logs, item.z], axis=1), fit.coefficients)
    posterior = fit.prior.posterior(mean * np.exp(shift), item.past, float(item.past.sum()) / item.past.size)
    updated = posterior.mean()
    return np.asarray(updated * (item.future.sum() / updated.sum()))


def prior_mean(
    grid: StudyGrid, z: NDArray[np.float32], coefficients: NDArray[np.float64], total: float
) -> NDArray[np.float64]:
    """Expected incidents by exposure and factors alone, shape (n,), that sum to ``total``."""
    mean = grid.exposure * np.exp(row_sums(z, coefficients))
    return np.asarray(mean * (max(total, 1e-6) / mean.sum()))


def _training(
    history: History,
    vintages: tuple[Features, ...],
    columns: Columns,
    window: Window,
    decay: float,
    n_windows: int,
    rng: np.random.Generator,
) -> _Training:
    past = history.decayed(window.start, decay).counts
    future = history.incidents(window).astype(np.float64)
    z = columns.standardized(features_for(vintages, window.start), history.n_cells)
    sample, weight = _sample(past, future, _MOST_ROWS // n_windows, rng)
    return _Training(window, past, future, z, sample, weight)


def _sample(
    past: NDArray[np.float64], future: NDArray[np.float64], most: int, rng: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """All cells, or all with incidents and enough of the empty ones, these weighted up."""
    n = past.size
    if n <= most:
        return np.arange(n), np.ones(n)
    busy = past + future > 0
    full, empty = np.flatnonzero(busy), np.flatnonzero(~busy)
    size = min(empty.size, max(most - full.size, most // 3))
    drawn = np.sort(rng.choice(empty, size, replace=False))
    rows = np.concatenate([full, drawn])
    weight = np.r_[np.ones(full.size), np.full(drawn.size, empty.size / max(size, 1))]
    order = np.argsort(rows, kind="stable")
    return rows[order], weight[order]


def _folds(grid: StudyGrid, future: NDArray[np.float64], seed: int) -> NDArray[np.uint8] | None:
    """Whole spatial blocks dealt to folds; None where the study area has too few blocks."""
    blocks = spatial_blocks(grid, max(_BLOCK_M / grid.spec.unit_m, _BLOCK_CELLS * grid.spec.cell_size_u))
    if int(blocks.max()) + 1 < 2 * _FOLDS:
        return None
    return block_folds(blocks, future.astype(np.int64), _FOLDS, seed)


def _choose_ridge(
    columns: NDArray[np.floating],
    future: NDArray[np.float64],
    offset: NDArray[np.float64],
    training: tuple[_Training, ...],
    folds: NDArray[np.uint8] | None,
    weight: NDArray[np.float64],
) -> float:
    if folds is None:
        return _RIDGES[-2]
    stacked = np.concatenate([folds[item.sample] for item in training])
    return best_ridge(columns, future, offset, stacked, _RIDGES, weight)


def _fit_factors(
    grid: StudyGrid, training: tuple[_Training, ...], seed: int, ridge: float | None
) -> tuple[float, NDArray[np.float64]]:
    """Penalty and coefficients of the factors, from all windows together."""
    p = training[0].z.shape[1]
    if p == 0:
        return math.inf, np.zeros(0)
    z = np.concatenate([item.z[item.sample] for item in training])
    future = np.concatenate([item.future[item.sample] for item in training])
    weight = np.concatenate([item.weight for item in training])
    share = np.log(grid.exposure / grid.exposure.sum())
    offset = np.concatenate([share[item.sample] + math.log(item.future.sum()) for item in training])
    if ridge is None:
        folds = _folds(grid, training[0].future, seed)
        ridge = _choose_ridge(z, future, offset, training, folds, weight)
    return ridge, poisson_ridge(z, future, offset, ridge, weight=weight)[1:]


def _stack(
    training: tuple[_Training, ...], around: list[tuple[NDArray[np.float64], NDArray[np.float64]]]
) -> TrainingRows:
    parts = []
    for item, (mean, logs) in zip(training, around, strict=True):
        s = item.sample
        log_mean = np.log(mean[s])
        parts.append(
            (
                log_mean,
                log_mean - math.log(float(item.past.sum()) / item.past.size),
                item.past[s],
                item.future[s],
                np.full(s.size, float(item.future.sum() / item.past.sum())),
                np.concatenate([logs[s], item.z[s]], axis=1),
                item.weight,
            )
        )
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return TrainingRows(*columns)


def _fit(rows: TrainingRows, ridge: float, start: ForecastModel | None) -> Fit:
    """One kind of cell, or ordinary cells and hot spots if the windows clearly say so (BIC: three parameters more)."""
    if start is not None:
        coefficients = np.concatenate([np.asarray(start.powers) - 1.0, start.corrections])
        warm = Fit(start.intercept, coefficients, start.prior, start.log_likelihood)
        return fit_prior(rows, ridge, hot_spots=start.prior.components == 2, start=warm)
    single = fit_prior(rows, ridge, hot_spots=False)
    double = fit_prior(rows, ridge, hot_spots=True, start=single)
    events = float(np.sum(rows.weight * rows.future))
    gain = double.log_likelihood - single.log_likelihood
    return double if gain > 1.5 * math.log(max(events, 3.0)) else single


def _interval_prior(
    grid: StudyGrid,
    training: tuple[_Training, ...],
    rows: TrainingRows,
    fit: Fit,
    ladder: tuple[float, ...],
    strengths: tuple[float, ...],
    start: ForecastModel | None,
) -> CellPrior | None:
    """Spread of the cells around prior means that may be off; a model that begins from another takes its over."""
    if start is not None:
        return start.interval_prior
    powers = tuple(float(1.0 + value) for value in fit.coefficients[: len(ladder)])
    parts = [mean_variance(grid, item.past, ladder, strengths, powers)[item.sample] for item in training]
    return interval_prior(rows, fit, np.concatenate(parts))


def _default(cutoff: date, decay: float, reason: str, ladder: tuple[float, ...], columns: Columns) -> ForecastModel:
    p = len(columns.names)
    return ForecastModel(
        cutoff=cutoff,
        decay=decay,
        decay_reason=reason,
        ladder=ladder,
        strengths=(_DEFAULT_STRENGTH,) * len(ladder),
        powers=(1.0,) * len(ladder),
        columns=columns,
        coefficients=np.zeros(p),
        corrections=np.zeros(p),
        intercept=0.0,
        ridge=math.inf,
        prior=_DEFAULT_PRIOR,
        interval_prior=None,
        windows=(),
        log_likelihood=float("nan"),
        fitted=None,
    )
