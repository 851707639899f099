"""The forecast: where incidents are to be expected next, how sure that is, and why.

Each cell's expected incidents are a product that an analyst can read: background (its area and the city's level), one
multiplier for each risk factor, one for the past around it and one for its own past. The last is the update of a
gamma(-mixture) prior by Poisson counts, so the rate has an interval, and every cell a chance to be among the top 5 %.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ModelError
from rtm_pipeline.grid.spec import StudyGrid
from rtm_pipeline.surface.cascade import cascade
from rtm_pipeline.surface.forecast_model import ForecastModel
from rtm_pipeline.surface.heterogeneity import CellPosterior
from rtm_pipeline.surface.history import History
from rtm_pipeline.surface.mean_error import mean_variance
from rtm_pipeline.surface.rate_interval import RateInterval
from rtm_pipeline.surface.seasonal import SeasonalProfile, annual_level
from rtm_pipeline.surface.spread import Spread
from rtm_pipeline.surface.sums import row_sums
from rtm_pipeline.surface.tuning import prior_mean, tune
from rtm_pipeline.surface.windows import Features, features_for
from rtm_pipeline.units import Window

__all__ = ["INTERVAL_LEVEL", "TOP_SHARE", "Forecast", "expected_shares", "forecast", "predict"]

INTERVAL_LEVEL = 0.90
TOP_SHARE = 0.05
_HORIZON_DAYS = (3, 366)


@dataclass(frozen=True, slots=True, eq=False)
class Forecast:
    """What is expected in the horizon, cell by cell, in the unit of the outcome.

    Attributes
    ----------
    cutoff : date
        Nothing known later entered.
    horizon : Window
    expected : ndarray of float64, shape (n,)
        Expected incidents of the horizon. Cells are ranked by it.
    low, high : ndarray of float64, shape (n,)
        90 % interval of the cell's rate, in incidents of the horizon. It speaks of the rate, not of the count, and
        takes the city's total as given. It allows for the guess from around the cell being off, which ``expected``
        needs not, and always holds ``expected``.
    sd : ndarray of float64, shape (n,)
        Standard deviation of the rate.
    p_top5 : ndarray of float32, shape (n,)
        Probability that the cell's rate is among the highest 5 % of cells.
    contributions : ndarray of float64, shape (n, c)
        Their product along the row is ``expected``, exactly. ``background`` is in incidents, the others multiply.
    contribution_names : tuple of str, length c
        ``background``, each factor, ``past_nearby``, ``past_here``.
    posterior : CellPosterior
        Of the cells' means in decayed past incidents; times ``scale``: incidents of the horizon.
    scale : float
    rows_per_incident : float
        How many units of the outcome (offences, say) an incident of the past had. The horizon's distinct incidents in
        a cell are a Poisson count with mean ``posterior * scale / rows_per_incident``.
    batch_ratio : float
        Mean squared over mean number of rows of an incident: the variance of a count of rows over its mean, were the
        rate known.
    annual_level : float
        Incidents a year that the study area is expected to have.
    horizon_years : float
        The horizon as a share of an average year, by the season.
    profile : SeasonalProfile
    model : ForecastModel
        The hyper-parameters and how they were chosen.
    """

    cutoff: date
    horizon: Window
    expected: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    sd: NDArray[np.float64]
    p_top5: NDArray[np.float32]
    contributions: NDArray[np.float64]
    contribution_names: tuple[str, ...]
    posterior: CellPosterior
    scale: float
    rows_per_incident: float
    batch_ratio: float
    annual_level: float
    horizon_years: float
    profile: SeasonalProfile
    model: ForecastModel

    @property
    def uncertainty(self) -> NDArray[np.float64]:
        """Standard deviation over mean of the rate, shape (n,)."""
        return np.asarray(self.sd / self.expected)

    @property
    def variance(self) -> NDArray[np.float64]:
        """Predictive variance of the horizon's count of each cell, in the unit of the outcome, shape (n,)."""
        return np.asarray(self.expected * self.batch_ratio + self.sd**2)

    @property
    def hyperparameters(self) -> dict[str, object]:
        """What was chosen before the cut-off, as plain JSON values."""
        model = self.model
        return {
            "decay_per_year": model.decay,
            "decay_reason": model.decay_reason,
            "bandwidths_cells": list(model.ladder),
            "strengths": list(model.strengths),
            "powers": list(model.powers),
            "ridge": model.ridge if model.columns.names and model.windows else None,
            "factor_coefficients": dict(
                zip(model.columns.names, (model.coefficients + model.corrections).tolist(), strict=True)
            ),
            "shape": [float(np.exp(value)) for value in model.prior.log_shape],
            "shape_power": model.prior.power,
            "interval_shape": None
            if model.interval_prior is None
            else [float(np.exp(value)) for value in model.interval_prior.log_shape],
            "interval_shape_power": None if model.interval_prior is None else model.interval_prior.power,
            "credence": model.prior.credence,
            "hot_spot_share": float(model.prior.weights[1]) if model.prior.components == 2 else None,
            "hot_spot_ratio": float(np.exp(model.prior.hot_log_ratio)) if model.prior.components == 2 else None,
            "training_windows": [[window.start.isoformat(), window.end.isoformat()] for window in model.windows],
            "annual_level": self.annual_level,
            "horizon_years": self.horizon_years,
            "month_profile": list(self.profile.month),
            "weekday_profile": list(self.profile.weekday),
            "left_out": [{"factor": factor, "reason": reason} for factor, reason in model.columns.left_out],
        }


def forecast(
    grid: StudyGrid,
    history: History,
    vintages: tuple[Features, ...],
    cutoff: date,
    horizon: Window,
    *,
    decay: tuple[float, str] | None = None,
    located_share: Mapping[int, float] | None = None,
    seed: int = 0,
    ridge: float | None = None,
) -> Forecast:
    """Tune on outcomes before the cut-off and forecast the horizon.

    Parameters
    ----------
    grid : StudyGrid
    history : History
        The outcome's rows as known at the cut-off.
    vintages : tuple of Features
        Factors as known at the cut-off and when training windows began (`surface.windows.training_windows`); may be
        empty.
    cutoff : date
    horizon : Window
        3 days to a year, from the cut-off on.
    decay : (float, str), optional
        A decay chosen before (`surface.past.choose_decay`), with its reason.
    located_share : mapping of int to float, optional
        Share of each year's rows that have a usable place, relative to what is to be expected.
    seed : int
        Of the sampling; the same seed gives the same numbers.
    ridge : float, optional
        A penalty of the factors chosen before; by default it is chosen on held-out spatial blocks.

    Raises
    ------
    ModelError
        If any input was known only after the cut-off, or the horizon is not 3 days to a year from it.
    """
    model = tune(grid, history, vintages, cutoff, decay=decay, seed=seed, ridge=ridge)
    features = features_for(vintages, cutoff)
    return predict(model, grid, history, features, horizon, located_share=located_share, seed=seed)


def predict(
    model: ForecastModel,
    grid: StudyGrid,
    history: History,
    features: Features | None,
    horizon: Window,
    *,
    located_share: Mapping[int, float] | None = None,
    seed: int = 0,
) -> Forecast:
    """Apply a tuned model to what is known at its cut-off; see `forecast`."""
    _check(grid, history, features, model.cutoff, horizon)
    state = _state(model, grid, history, features)
    profile = SeasonalProfile.estimate(history, model.cutoff)
    level = annual_level(history, model.cutoff, model.decay, profile, located_share)
    years = profile.years(horizon)
    scale = level * years / float(state.updated.sum())
    contributions = state.parts.copy()
    contributions[:, 0] *= scale
    spread = Spread.of(model.prior, state.mean, state.past, state.average, state.posterior)
    batches = history.batches()
    expected = np.prod(contributions, axis=1)
    low, high = _interval(model, grid, state) * scale
    return Forecast(
        cutoff=model.cutoff,
        horizon=horizon,
        expected=expected,
        # Where nearly all of a rate's chances lie near 0 its mean may pass the 95th percentile.
        low=np.minimum(low, expected),
        high=np.maximum(high, expected),
        sd=state.posterior.sd() * scale,
        p_top5=spread.top_probability(TOP_SHARE, seed).astype(np.float32),
        contributions=contributions,
        contribution_names=("background", *model.columns.factor_names, "past_nearby", "past_here"),
        posterior=state.posterior,
        scale=scale,
        rows_per_incident=batches[0],
        batch_ratio=batches[1],
        annual_level=level,
        horizon_years=years,
        profile=profile,
        model=model,
    )


def expected_shares(
    model: ForecastModel, grid: StudyGrid, history: History, features: Features | None
) -> NDArray[np.float64]:
    """Share of the expected incidents that each cell has, shape (n,): `predict` without the rest."""
    updated = _state(model, grid, history, features).updated
    return np.asarray(updated / updated.sum())


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    """A model applied to the past: prior means, posterior, and the factors they are products of."""

    parts: NDArray[np.float64]  # (n, c): background before scaling, factors, past nearby, past here
    mean: NDArray[np.float64]
    past: NDArray[np.float64]
    average: float
    posterior: CellPosterior
    updated: NDArray[np.float64]


def _state(model: ForecastModel, grid: StudyGrid, history: History, features: Features | None) -> _State:
    past = history.decayed(model.cutoff, model.decay)
    z = model.columns.standardized(features, grid.n_cells)
    start = prior_mean(grid, z, model.coefficients, past.total)
    _, logs = cascade(grid, start, past.counts, model.ladder, model.strengths)
    coefficients = model.coefficients + model.corrections
    around = np.exp(row_sums(logs, np.asarray(model.powers)))
    constant = float(start.sum() / np.sum(grid.exposure * np.exp(row_sums(z, model.coefficients))))
    parts = [grid.exposure * constant * np.exp(model.intercept)]
    for factor in model.columns.factor_names:
        mine = np.array([name == factor for name in model.columns.factors])
        parts.append(np.exp(row_sums(z[:, mine], coefficients[mine])))
    parts.append(around)
    mean = np.prod(np.stack(parts, axis=1), axis=1)
    average = max(past.total, 1e-6) / grid.n_cells
    posterior = model.prior.posterior(mean, past.counts, average)
    updated = posterior.mean()
    parts.append(updated / mean)
    return _State(np.stack(parts, axis=1), mean, past.counts, average, posterior, updated)


def _interval(model: ForecastModel, grid: StudyGrid, state: _State) -> NDArray[np.float64]:
    """Ends of the interval of each cell's mean, shape (2, n), in the unit of the past."""
    prior, variance = model.interval_prior, np.zeros(grid.n_cells)
    if prior is None:
        prior = model.prior
    else:
        variance = mean_variance(grid, state.past, model.ladder, model.strengths, model.powers)
    tail = (1.0 - INTERVAL_LEVEL) / 2.0
    return RateInterval(prior, state.mean, state.past, state.average, variance).quantiles((tail, 1.0 - tail))


def _check(grid: StudyGrid, history: History, features: Features | None, cutoff: date, horizon: Window) -> None:
    history.refuse_known_after(cutoff)
    if features is not None:
        features.refuse_known_after(cutoff)
        if features.values.shape[0] != grid.n_cells:
            raise ModelError(f"Features speak of {features.values.shape[0]} cells; the grid has {grid.n_cells}.")
    if history.n_cells != grid.n_cells:
        raise ModelError(f"The history speaks of {history.n_cells} cells; the grid has {grid.n_cells}.")
    if horizon.start < cutoff:
        raise ModelError(f"The horizon {horizon} begins before the cut-off {cutoff}; a forecast looks ahead.")
    if not _HORIZON_DAYS[0] <= horizon.days <= _HORIZON_DAYS[1]:
        raise ModelError(f"The horizon {horizon} has {horizon.days} days; expected 3 days to a year.")
