"""Choosing everything that a forecast needs on outcomes before the cut-off.

The order is: decay; coefficients of the factors (ridge Poisson, penalty by held-out spatial blocks); strength of each
surrounding (`cascade`); then, together, corrections of all these, and how much cells differ (`likelihood`), so that
what was known before each training window forecasts the window best. Nothing is set for a particular city.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.grid.blocks import spatial_blocks
from rtm_pipeline.grid.spec import StudyGrid
from rtm_pipeline.model.folds import block_folds
from rtm_pipeline.surface.cascade import CascadeWindow, bandwidth_ladder, cascade, fit_strengths
from rtm_pipeline.surface.heterogeneity import CellPrior
from rtm_pipeline.surface.history import History
from rtm_pipeline.surface.likelihood import Fit, TrainingRows, fit_prior
from rtm_pipeline.surface.past import choose_decay
from rtm_pipeline.surface.regression import best_ridge, poisson_ridge
from rtm_pipeline.surface.windows import Features, features_for, training_windows
from rtm_pipeline.units import Window

__all__ = ["ForecastModel", "prior_mean", "standardized", "tune"]

_log = logging.getLogger(__name__)
_CORRECTION_RIDGE = 100.0  # a prior: corrections of the log mean are about 0.1 a standard deviation of their column
_RIDGES = (5.0, 25.0, 125.0, 625.0, 3125.0)
_DEFAULT_STRENGTH = 3.0
_DEFAULT_PRIOR = CellPrior((-1.2,), 0.8, 0.9)
_FOLDS = 4
_BLOCK_M = 1000.0
_BLOCK_CELLS = 8
_MOST_ROWS = 120_000
_Z_LIMIT = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class ForecastModel:
    """Everything chosen before the cut-off.

    Attributes
    ----------
    cutoff : date
    decay : float
    decay_reason : str
    ladder : tuple of float
        Bandwidths of the surroundings in cells, wide to narrow.
    strengths : tuple of float
        Pseudo-incidents that hold each surrounding's ratio at 1.
    powers : tuple of float
        Exponent of each surrounding's ratio.
    columns, factors : tuple of str, length p
        Continuous features used, and the factor of each.
    centers, scales : ndarray of float64, shape (p,)
        Of the newest training vintage; frozen.
    coefficients : ndarray of float64, shape (p,)
        Of the standardized features before the surroundings are looked at.
    corrections : ndarray of float64, shape (p,)
        What is added to them afterwards.
    intercept : float
    ridge : float
        Penalty of ``coefficients``, chosen on held-out spatial blocks; infinite where there were none.
    prior : CellPrior
    windows : tuple of Window
        Periods whose outcome was used.
    left_out : tuple of (str, str)
        Factors that could not be used, with the reason.
    log_likelihood : float
        Of the training windows given what was known before them; NaN without any.
    """

    cutoff: date
    decay: float
    decay_reason: str
    ladder: tuple[float, ...]
    strengths: tuple[float, ...]
    powers: tuple[float, ...]
    columns: tuple[str, ...]
    factors: tuple[str, ...]
    centers: NDArray[np.float64]
    scales: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    corrections: NDArray[np.float64]
    intercept: float
    ridge: float
    prior: CellPrior
    windows: tuple[Window, ...]
    left_out: tuple[tuple[str, str], ...]
    log_likelihood: float


@dataclass(frozen=True, slots=True, eq=False)
class _Training:
    window: Window
    past: NDArray[np.float64]
    future: NDArray[np.float64]
    z: NDArray[np.float32]
    sample: NDArray[np.intp]
    weight: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class _Columns:
    names: tuple[str, ...]
    factors: tuple[str, ...]
    centers: NDArray[np.float64]
    scales: NDArray[np.float64]
    left_out: tuple[tuple[str, str], ...]


def tune(
    grid: StudyGrid,
    history: History,
    vintages: tuple[Features, ...],
    cutoff: date,
    *,
    decay: tuple[float, str] | None = None,
    seed: int = 0,
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

    Raises
    ------
    ModelError
        If any input was known only after the cut-off.
    """
    history.refuse_known_after(cutoff)
    for features in vintages:
        features.refuse_known_after(cutoff)
    chosen, reason = decay if decay is not None else choose_decay(history, cutoff)
    windows = training_windows(history, cutoff)
    columns, windows = _usable_columns(vintages, windows, cutoff)
    rng = np.random.default_rng(seed)
    training = tuple(_training(history, vintages, columns, window, chosen, len(windows), rng) for window in windows)
    ladder = bandwidth_ladder(grid)
    if not training:
        _log.info("no period before %s to tune the forecast on; defaults are used", cutoff)
        return _default(cutoff, chosen, reason, ladder, columns)
    folds = _folds(grid, training[0].future, seed)
    ridge, beta = _fit_factors(grid, training, folds)
    means = [prior_mean(grid, item.z, beta, float(item.past.sum())) for item in training]
    cascades = tuple(CascadeWindow(m, item.past, item.future) for m, item in zip(means, training, strict=True))
    strengths = fit_strengths(grid, cascades, ladder)
    rows = _stack(grid, training, means, ladder, strengths)
    fit = _fit(rows, _CORRECTION_RIDGE)
    steps = len(ladder)
    return ForecastModel(
        cutoff=cutoff,
        decay=chosen,
        decay_reason=reason,
        ladder=ladder,
        strengths=strengths,
        powers=tuple(float(1.0 + value) for value in fit.coefficients[:steps]),
        columns=columns.names,
        factors=columns.factors,
        centers=columns.centers,
        scales=columns.scales,
        coefficients=beta,
        corrections=fit.coefficients[steps:],
        intercept=fit.intercept,
        ridge=ridge,
        prior=fit.prior,
        windows=windows,
        left_out=columns.left_out,
        log_likelihood=fit.log_likelihood,
    )


def prior_mean(
    grid: StudyGrid, z: NDArray[np.float32], coefficients: NDArray[np.float64], total: float
) -> NDArray[np.float64]:
    """Expected incidents by exposure and factors alone, shape (n,), that sum to ``total``."""
    mean = grid.exposure * np.exp(z @ coefficients)
    return np.asarray(mean * (max(total, 1e-6) / mean.sum()))


def standardized(features: Features | None, model: ForecastModel | _Columns, n: int) -> NDArray[np.float32]:
    """Columns of the model, centered and scaled as in training, unknown values at the mean; shape (n, p)."""
    names = model.columns if isinstance(model, ForecastModel) else model.names
    z = np.zeros((n, len(names)), np.float32)
    if features is None:
        return z
    position = {name: index for index, name in enumerate(features.names)}
    for column, name in enumerate(names):
        if name in position:
            values = (features.values[:, position[name]] - model.centers[column]) / model.scales[column]
            z[:, column] = np.clip(np.nan_to_num(values, nan=0.0), -_Z_LIMIT, _Z_LIMIT)
    return z


def _usable_columns(
    vintages: tuple[Features, ...], windows: tuple[Window, ...], cutoff: date
) -> tuple[_Columns, tuple[Window, ...]]:
    """Columns known both now and when training windows began, and the windows that have them all."""
    now = features_for(vintages, cutoff)
    none = _Columns((), (), np.zeros(0), np.zeros(0), ())
    if now is None:
        return none, windows
    earlier = [(window, features_for(vintages, window.start)) for window in windows]
    newest = next((features for _, features in earlier if features is not None), None)
    if newest is None:
        reason = f"not known when a training window began ({', '.join(str(w.start) for w in windows) or 'none'})"
        left = tuple((factor, reason) for factor in dict.fromkeys(now.factors))
        return _Columns((), (), np.zeros(0), np.zeros(0), left), windows
    index = {name: i for i, name in enumerate(newest.names)}
    names, factors, centers, scales = [], [], [], []
    for name, factor in zip(now.names, now.factors, strict=True):
        if name not in index:
            continue
        values = newest.values[:, index[name]].astype(np.float64)
        known = values[np.isfinite(values)]
        spread = float(known.std()) if known.size else 0.0
        if spread > 1e-9:
            names.append(name)
            factors.append(factor)
            centers.append(float(known.mean()))
            scales.append(spread)
    lost = [factor for factor in dict.fromkeys(now.factors) if factor not in factors]
    left = tuple((factor, f"not known at {newest.known_at}, or constant then") for factor in lost)
    columns = _Columns(tuple(names), tuple(factors), np.array(centers), np.array(scales), left)
    kept = tuple(w for w, features in earlier if features is not None and set(names) <= set(features.names))
    return columns, kept


def _training(
    history: History,
    vintages: tuple[Features, ...],
    columns: _Columns,
    window: Window,
    decay: float,
    n_windows: int,
    rng: np.random.Generator,
) -> _Training:
    past = history.decayed(window.start, decay).counts
    future = history.incidents(window).astype(np.float64)
    z = standardized(features_for(vintages, window.start), columns, history.n_cells)
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
    grid: StudyGrid, training: tuple[_Training, ...], folds: NDArray[np.uint8] | None
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
    ridge = _choose_ridge(z, future, offset, training, folds, weight)
    return ridge, poisson_ridge(z, future, offset, ridge, weight=weight)[1:]


def _stack(
    grid: StudyGrid,
    training: tuple[_Training, ...],
    means: list[NDArray[np.float64]],
    ladder: tuple[float, ...],
    strengths: tuple[float, ...],
) -> TrainingRows:
    parts = []
    for item, mean in zip(training, means, strict=True):
        around, logs = cascade(grid, mean, item.past, ladder, strengths)
        s = item.sample
        log_mean = np.log(around[s])
        ratio = float(item.future.sum() / item.past.sum())
        parts.append(
            (
                log_mean,
                log_mean - math.log(float(item.past.sum()) / item.past.size),
                item.past[s],
                item.future[s],
                np.full(s.size, ratio),
                np.concatenate([logs[s], item.z[s]], axis=1),
                item.weight,
            )
        )
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return TrainingRows(*columns)


def _fit(rows: TrainingRows, ridge: float) -> Fit:
    """One kind of cell, or ordinary cells and hot spots if the windows clearly say so (BIC: three parameters more)."""
    single = fit_prior(rows, ridge, hot_spots=False)
    double = fit_prior(rows, ridge, hot_spots=True, start=single)
    events = float(np.sum(rows.weight * rows.future))
    gain = double.log_likelihood - single.log_likelihood
    return double if gain > 1.5 * math.log(max(events, 3.0)) else single


def _default(cutoff: date, decay: float, reason: str, ladder: tuple[float, ...], columns: _Columns) -> ForecastModel:
    p = len(columns.names)
    return ForecastModel(
        cutoff=cutoff,
        decay=decay,
        decay_reason=reason,
        ladder=ladder,
        strengths=(_DEFAULT_STRENGTH,) * len(ladder),
        powers=(1.0,) * len(ladder),
        columns=columns.names,
        factors=columns.factors,
        centers=columns.centers,
        scales=columns.scales,
        coefficients=np.zeros(p),
        corrections=np.zeros(p),
        intercept=0.0,
        ridge=math.inf,
        prior=_DEFAULT_PRIOR,
        windows=(),
        left_out=columns.left_out,
        log_likelihood=float("nan"),
    )
