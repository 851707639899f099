"""Everything as of an earlier date, then scored on what came: the judgement that stands beside every release.

The same functions make the surfaces here and on the night itself; only the dates differ.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ModelError
from rtm_pipeline.evaluation.accuracy import Accuracy, Scored, judge
from rtm_pipeline.evaluation.backtest_spec import AreaGroups, Backtest, BacktestPlan, FactorSet
from rtm_pipeline.evaluation.baseline import choose_baseline
from rtm_pipeline.evaluation.calibration import (
    calibrate,
    excess_variation,
    neighborhood_totals,
)
from rtm_pipeline.evaluation.crossval import CrossValidation, leave_blocks_out_forecast, leave_group_out_terrain
from rtm_pipeline.evaluation.disparity import disparity
from rtm_pipeline.evaluation.residuals import Moran, moran, pearson_residuals
from rtm_pipeline.grid.blocks import spatial_blocks
from rtm_pipeline.grid.spec import StudyGrid
from rtm_pipeline.layers.layer import Layer
from rtm_pipeline.model.spec import BootstrapSpec
from rtm_pipeline.surface.features import features_of
from rtm_pipeline.surface.forecast import Forecast, forecast
from rtm_pipeline.surface.history import History
from rtm_pipeline.surface.past import past_surfaces
from rtm_pipeline.surface.vintage import RiskTerrain, fit_terrain, outcome_counts, outcome_history
from rtm_pipeline.surface.windows import Features

__all__ = ["AreaGroups", "Backtest", "BacktestPlan", "FactorSet", "backtest"]

logger = logging.getLogger(__name__)
_FOLDS = 5
_CITY_VARIATION = 0.10  # of a city's total from one year to the next, where nothing better is known
_LEAST_PAST = 30  # incidents on record before the cut-off, for any surface of the past


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
        # The penalty is the headline's: the two differ by the assumed layers alone.
        penalty = None if ahead is None or not math.isfinite(ahead.model.ridge) else ahead.model.ridge
        labelled, _, _ = _surfaces(grid, outcome, plan, assumed, history, settings["decay"], penalty)
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
    came = outcome_history(outcome, grid, plan.unit, known_at=plan.observed_at)
    judged = _Judged(observed, came.incidents(plan.judged), history, _vintages(grid, plan, headline))
    return _judged(grid, plan, accuracy, terrain, ahead, judged, headline, groups)


@dataclass(frozen=True, slots=True, eq=False)
class _Judged:
    """What came, in the outcome's unit and as distinct incidents, and what was known before."""

    observed: NDArray[np.int64]
    incidents: NDArray[np.int64]
    history: History
    vintages: tuple[Features, ...]


def _vintages(grid: StudyGrid, plan: BacktestPlan, factors: FactorSet) -> tuple[Features, ...]:
    if not factors.fitted:
        return ()
    return (
        features_of(factors.applied, plan.cutoff, grid.n_cells),
        features_of(factors.fitted, plan.vintage.known_at, grid.n_cells),
    )


def _surfaces(
    grid: StudyGrid,
    outcome: Layer,
    plan: BacktestPlan,
    factors: FactorSet,
    history: History,
    decay: tuple[float, str],
    ridge: float | None = None,
) -> tuple[dict[str, Scored], RiskTerrain | None, Forecast | None]:
    """Risk terrain and forecast as of the cut-off, each with the reason where it can't be made."""
    past = int(history.usable().sum())
    if past < _LEAST_PAST:
        why = f"{past} incidents are on record before {plan.cutoff}; at least {_LEAST_PAST} are needed"
        return {"risk_terrain": Scored(None, reason=why), "forecast": Scored(None, reason=why)}, None, None
    terrain, why_not = _terrain(grid, outcome, plan, factors)
    risk = Scored(None, reason=why_not) if terrain is None else Scored(terrain.rrs)
    features = _vintages(grid, plan, factors)
    ahead = forecast(grid, history, features, plan.cutoff, plan.judged, decay=decay, seed=plan.seed, ridge=ridge)
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
    came: _Judged,
    factors: FactorSet,
    groups: tuple[AreaGroups, ...],
) -> Backtest:
    newest = _newest(came.history, factors)
    if ahead is None:
        return Backtest(accuracy, terrain, ahead, came.observed, None, None, {}, newest)
    residuals = pearson_residuals(came.observed, ahead.expected, ahead.variance)
    usual = {level.level: _usual_variation(came.history, ahead, level) for level in groups}
    return Backtest(
        accuracy=accuracy,
        terrain=terrain,
        forecast=ahead,
        observed=came.observed,
        # The posterior speaks of distinct incidents; offences of one incident are no independent counts.
        calibration=calibrate(came.incidents, ahead.posterior, ahead.scale / ahead.rows_per_incident, seed=plan.seed),
        residual_moran=_residual_moran(grid, residuals, plan.seed),
        disparity={
            level.level: disparity(
                came.observed,
                ahead.expected,
                level.group,
                level.names,
                exposure=grid.exposure,
                expected=ahead.expected,
                variance=ahead.variance,
                excess=usual[level.level],
            )
            for level in groups
        },
        newest_input=newest,
        cross_validation=_cross_validation(grid, plan, terrain, ahead, came, factors, groups),
        group_totals={
            level.level: neighborhood_totals(
                came.observed.astype(np.float64),
                ahead.expected,
                ahead.variance,
                level.group,
                excess=usual[level.level],
                total_excess=_CITY_VARIATION,
            )
            for level in groups
        },
    )


def _residual_moran(grid: StudyGrid, residuals: NDArray[np.float64], seed: int) -> Moran | None:
    """Moran's I of the residuals; None where it is not defined, which is no reason to publish nothing."""
    try:
        return moran(grid, residuals, seed=seed)
    except ModelError as error:
        logger.warning("no autocorrelation of the residuals: %s", error)
        return None


def _usual_variation(history: History, ahead: Forecast, level: AreaGroups) -> float:
    """How much areas rise and fall as a whole from year to year, as seen in the newest training window."""
    if ahead.model.fitted is None:
        return 0.0
    before = history.incidents(ahead.model.windows[0]).astype(np.float64)
    return excess_variation(before, ahead.model.fitted, level.group)


def _cross_validation(
    grid: StudyGrid,
    plan: BacktestPlan,
    terrain: RiskTerrain | None,
    ahead: Forecast,
    came: _Judged,
    factors: FactorSet,
    groups: tuple[AreaGroups, ...],
) -> tuple[CrossValidation, ...]:
    found = []
    blocks = spatial_blocks(grid, plan.block_side_u)
    if ahead.model.windows and int(blocks.max()) + 1 >= _FOLDS:
        found.append(
            leave_blocks_out_forecast(
                grid, came.history, came.vintages, ahead.model, came.observed, blocks, folds=_FOLDS, seed=plan.seed
            )
        )
    terms = () if terrain is None else terrain.fit.terrain.terms
    if terrain is not None and terms and groups and terrain.covered.all():
        columns = [
            factors.fitted[term.variable.factor].column(
                [v.name for v in factors.fitted[term.variable.factor].variables].index(term.variable.name)
            )
            for term in terms
        ]
        finest = max(groups, key=lambda level: len(level.names))
        kind = f"risk terrain, leave one of {finest.level} out"
        found.append(
            leave_group_out_terrain(np.column_stack(columns), terrain.counts, grid.exposure, finest.group, kind)
        )
    return tuple(found)


def _newest(history: History, factors: FactorSet) -> date | None:
    """Latest date of knowledge of anything that entered."""
    days = [factor.known_at for factor in (*factors.fitted.values(), *factors.applied.values())]
    if len(history):
        days.append(history.known_at.max().astype("datetime64[D]").item())
    return max(days, default=None)
