"""Everything as of an earlier date, then scored on what came: the judgement that stands beside every release.

The same functions make the surfaces here and on the night itself; only the dates differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ModelError
from rtm_pipeline.evaluation.accuracy import Accuracy, Scored, judge
from rtm_pipeline.evaluation.baseline import choose_baseline
from rtm_pipeline.evaluation.calibration import Calibration, calibrate
from rtm_pipeline.evaluation.disparity import Disparity, disparity
from rtm_pipeline.evaluation.residuals import Moran, moran, pearson_residuals
from rtm_pipeline.grid.blocks import spatial_blocks
from rtm_pipeline.grid.spec import StudyGrid
from rtm_pipeline.layers.layer import Layer
from rtm_pipeline.model.spec import BootstrapSpec, ModelSpec
from rtm_pipeline.surface.features import features_of
from rtm_pipeline.surface.forecast import Forecast, forecast
from rtm_pipeline.surface.history import History
from rtm_pipeline.surface.past import past_surfaces
from rtm_pipeline.surface.vintage import RiskTerrain, fit_terrain, outcome_counts, outcome_history
from rtm_pipeline.surface.windows import Features
from rtm_pipeline.units import Duration, Vintage, Window

if TYPE_CHECKING:
    from rtm_pipeline.factors import Factor

__all__ = ["AreaGroups", "Backtest", "BacktestPlan", "FactorSet", "backtest"]

_LEAST_PAST = 30  # incidents on record before the cut-off, for any surface of the past


@dataclass(frozen=True, slots=True, eq=False)
class FactorSet:
    """Risk factors of a vintage.

    Attributes
    ----------
    fitted, applied : mapping of str to Factor
        As known when the outcome window began, and as known at the cut-off (with the cut-offs of the fit).
    left_out : tuple of (str, str)
        Factors that were not known then, with the reason.
    """

    fitted: Mapping[str, Factor]
    applied: Mapping[str, Factor]
    left_out: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class AreaGroups:
    """Cells by named area, such as the neighborhoods.

    Attributes
    ----------
    level : str
        Name of the areas layer.
    group : ndarray of int, shape (n,)
        Index into ``names``; -1: none.
    names : tuple of str
    """

    level: str
    group: NDArray[np.int32]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BacktestPlan:
    """What is judged.

    Attributes
    ----------
    vintage : Vintage
        Outcome window of the judged model, and when its factors were known.
    cutoff : date
        Nothing known later may enter a surface.
    judged : Window
        The outcome that decides.
    observed_at : date
        The outcome is taken as it was known then.
    unit : str
    history : Duration, optional
        Reach of the past; None: all.
    model : ModelSpec
    block_side_u : float
    seed : int
    """

    vintage: Vintage
    cutoff: date
    judged: Window
    observed_at: date
    unit: str
    history: Duration | None
    model: ModelSpec
    block_side_u: float
    seed: int


@dataclass(frozen=True, slots=True, eq=False)
class Backtest:
    """The judgement, and the surfaces that were judged.

    Attributes
    ----------
    accuracy : Accuracy
    terrain : RiskTerrain or None
    forecast : Forecast or None
    observed : ndarray of int64, shape (n,)
        The outcome that decided.
    calibration : Calibration or None
    residual_moran : Moran or None
        Of the Pearson residuals of the forecast.
    disparity : mapping of str to Disparity
        By level of areas.
    newest_input : date or None
        Latest date at which anything that entered was known; not after the cut-off.
    """

    accuracy: Accuracy
    terrain: RiskTerrain | None
    forecast: Forecast | None
    observed: NDArray[np.int64]
    calibration: Calibration | None
    residual_moran: Moran | None
    disparity: Mapping[str, Disparity]
    newest_input: date | None


def backtest(
    grid: StudyGrid,
    outcome: Layer,
    plan: BacktestPlan,
    headline: FactorSet,
    assumed: FactorSet | None = None,
    groups: tuple[AreaGroups, ...] = (),
) -> Backtest:
    """Make every surface as of the cut-off and score it on what came.

    Parameters
    ----------
    grid : StudyGrid
    outcome : Layer
    plan : BacktestPlan
    headline : FactorSet
        Factors with a recorded history.
    assumed : FactorSet, optional
        The same with factors whose history is assumed; its accuracy stands beside the headline, labelled.
    groups : tuple of AreaGroups
        Levels by which errors are compared.

    Raises
    ------
    ModelError
        Something known after the cut-off reached a surface.
    """
    history = outcome_history(outcome, grid, plan.unit, known_at=plan.cutoff, reach=plan.history)
    observed = outcome_counts(outcome, grid, plan.judged, plan.unit, known_at=plan.observed_at)
    baselines = past_surfaces(grid, history, plan.cutoff)
    settings = {
        "decay": (baselines.decay, baselines.decay_reason),
        "bandwidth": (baselines.bandwidth_cells, baselines.bandwidth_reason),
    }
    choice = choose_baseline(grid, history, plan.cutoff, **settings)
    surfaces, terrain, ahead = _surfaces(grid, outcome, plan, headline, history, settings["decay"])
    labelled = None
    if assumed is not None:
        labelled, _, _ = _surfaces(grid, outcome, plan, assumed, history, settings["decay"])
    accuracy = judge(
        grid,
        observed,
        plan.cutoff,
        plan.judged,
        surfaces,
        baselines,
        (choice.name, choice.reason),
        spatial_blocks(grid, plan.block_side_u),
        left_out=headline.left_out,
        with_assumed=labelled,
        seed=plan.seed,
    )
    return _judged(grid, plan, accuracy, terrain, ahead, observed, groups, _newest(history, headline))


def _surfaces(
    grid: StudyGrid,
    outcome: Layer,
    plan: BacktestPlan,
    factors: FactorSet,
    history: History,
    decay: tuple[float, str],
) -> tuple[dict[str, Scored], RiskTerrain | None, Forecast | None]:
    """Risk terrain and forecast as of the cut-off, each with the reason where it can't be made."""
    past = int(history.usable().sum())
    if past < _LEAST_PAST:
        why = f"{past} incidents are on record before {plan.cutoff}; at least {_LEAST_PAST} are needed"
        return {"risk_terrain": Scored(None, reason=why), "forecast": Scored(None, reason=why)}, None, None
    terrain, why_not = _terrain(grid, outcome, plan, factors)
    risk = Scored(None, reason=why_not) if terrain is None else Scored(terrain.rrs)
    features: tuple[Features, ...] = ()
    if factors.fitted:
        features = (
            features_of(factors.applied, plan.cutoff, grid.n_cells),
            features_of(factors.fitted, plan.vintage.known_at, grid.n_cells),
        )
    ahead = forecast(grid, history, features, plan.cutoff, plan.judged, decay=decay, seed=plan.seed)
    return {"risk_terrain": risk, "forecast": Scored(ahead.expected, in_incidents=True)}, terrain, ahead


def _terrain(
    grid: StudyGrid, outcome: Layer, plan: BacktestPlan, factors: FactorSet
) -> tuple[RiskTerrain | None, str | None]:
    if not factors.fitted:
        return None, f"no risk factor was known at {plan.vintage.known_at}"
    counts = outcome_counts(outcome, grid, plan.vintage.outcome, plan.unit, known_at=plan.cutoff)
    if int(counts.sum()) < _LEAST_PAST:
        return None, f"{int(counts.sum())} incidents in {plan.vintage.outcome}; at least {_LEAST_PAST} are needed"
    # Intervals are the business of the published model; here only its scores count.
    spec = replace(plan.model, bootstrap=BootstrapSpec(0, 0), seed=plan.seed)
    try:
        fit = fit_terrain(factors.fitted, factors.applied, counts, grid, spec, block_side_u=plan.block_side_u)
    except ModelError as error:
        return None, str(error)
    return fit, None


def _judged(
    grid: StudyGrid,
    plan: BacktestPlan,
    accuracy: Accuracy,
    terrain: RiskTerrain | None,
    ahead: Forecast | None,
    observed: NDArray[np.int64],
    groups: tuple[AreaGroups, ...],
    newest: date | None,
) -> Backtest:
    if ahead is None:
        return Backtest(accuracy, terrain, ahead, observed, None, None, {}, newest)
    factor = ahead.scale / ahead.rows_per_incident
    residuals = pearson_residuals(observed.astype(np.float64), ahead.expected)
    return Backtest(
        accuracy=accuracy,
        terrain=terrain,
        forecast=ahead,
        observed=observed,
        calibration=calibrate(observed, ahead.posterior, factor, seed=plan.seed),
        residual_moran=moran(grid, residuals, seed=plan.seed),
        disparity={
            level.level: disparity(
                observed,
                ahead.expected,
                level.group,
                level.names,
                exposure=grid.exposure,
                expected=ahead.expected,
            )
            for level in groups
        },
        newest_input=newest,
    )


def _newest(history: History, factors: FactorSet) -> date | None:
    """Latest date of knowledge of anything that entered."""
    days = [factor.known_at for factor in (*factors.fitted.values(), *factors.applied.values())]
    if len(history):
        days.append(history.known_at.max().astype("datetime64[D]").item())
    return max(days, default=None)
