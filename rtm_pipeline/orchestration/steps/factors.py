"""Steps from layers to risk factors, at every vintage that the run needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

from rtm_pipeline.config.city import City
from rtm_pipeline.errors import ModelError
from rtm_pipeline.factors.spec import FactorSpec
from rtm_pipeline.layers.layer import Layer, LayerResult
from rtm_pipeline.orchestration.metadata import markdown_picture, records_table
from rtm_pipeline.orchestration.outcome_end import last_day, silence
from rtm_pipeline.orchestration.step import Step, StepContext, StepResult
from rtm_pipeline.orchestration.steps.ingest import PLACE, layer_step
from rtm_pipeline.orchestration.values import FactorPair, Place, RunVintages
from rtm_pipeline.units import Duration, Window

if TYPE_CHECKING:
    from rtm_pipeline.factors import Factor

__all__ = ["BACKTEST", "BACKTEST_ASSUMED", "NIGHTLY", "VINTAGES", "factor_step", "factor_steps", "vintages_of"]

VINTAGES = "vintages"
KEEP_DENSITY_CELLS = 300_000  # 6 bands of 10 factors at 4 bytes are 72 MB there
NIGHTLY = "nightly"
BACKTEST = "backtest"
BACKTEST_ASSUMED = "backtest_assumed"


def factor_step(factor: str) -> str:
    """Name of a factor's step."""
    return f"{factor}_factor"


def factor_steps(city: City) -> list[Step]:
    """The run's vintages, then one step a factor."""
    return [_vintages(city), *(_factor(spec) for spec in city.factors.values())]


def _vintages(city: City) -> Step:
    def reads(city: City, as_of: date) -> Any:
        return [as_of, city.outcome.window, city.outcome.lag, city.forecast.horizon, city.forecast.judge_ahead]

    return Step(
        name=VINTAGES,
        inputs=(layer_step(city.outcome.layer),),
        reads=reads,
        run=_choose_vintages,
        group="factors",
        description="What is explained and what was known when: the nightly vintage and the one that judges it.",
    )


def _choose_vintages(context: StepContext, inputs: Mapping[str, Any]) -> StepResult:
    from rtm_pipeline.layers.vintage import measured_lag

    city = context.city
    outcome: LayerResult = inputs[layer_step(city.outcome.layer)]
    lag = city.outcome.lag if city.outcome.lag is not None else measured_lag(outcome.layer, context.as_of)
    value = vintages_of(city, context.as_of, lag)
    last = last_day(outcome.layer)
    if last is not None and last < value.nightly.outcome.start:
        raise ModelError(f"There is nothing to explain: {silence(last, value.nightly.outcome)}")
    return StepResult(
        value,
        {
            "lag": str(lag),
            "fitted on": str(value.nightly.outcome),
            "factors known at": str(value.nightly.known_at),
            "judged on": str(value.judged),
            "judged model fitted on": str(value.backtest.outcome),
        },
    )


def vintages_of(city: City, as_of: date, lag: Duration) -> RunVintages:
    """The dates of a run.

    A nightly run is judged on the last horizon before ``as_of``, with everything made as of its beginning. With
    ``forecast.judge: ahead`` (a backtest) ``as_of`` itself is the cut-off and the horizon after it is scored, as far as
    the files know it by now.
    """
    if city.forecast.judge_ahead:
        fitted = city.fit_vintage(as_of, lag)
        ahead = city.apply_vintage(as_of).outcome
        return RunVintages(lag, fitted, fitted, as_of, as_of, ahead, date.max)
    nightly = city.fit_vintage(as_of, lag)
    cutoff = city.forecast.horizon.before(nightly.outcome.end)
    return RunVintages(
        lag, nightly, city.fit_vintage(cutoff, lag), as_of, cutoff, Window(cutoff, nightly.outcome.end), as_of
    )


def _factor(spec: FactorSpec) -> Step:
    name = spec.name

    def reads(city: City, _: date) -> Any:
        return [city.factors[name]]

    return Step(
        name=factor_step(name),
        inputs=(layer_step(spec.layer), PLACE, VINTAGES),
        reads=reads,
        run=lambda context, inputs: _make_factor(context, name, inputs),
        group="factors",
        kinds=("numba",),
        description=f"The risk factor '{name}' at every cell: distance, density and its 0/1 bands, one byte a cell.",
    )


def _make_factor(context: StepContext, name: str, inputs: Mapping[str, Any]) -> StepResult:
    spec = context.city.factors[name]
    layer: Layer = inputs[layer_step(spec.layer)].layer
    place: Place = inputs[PLACE]
    vintages: RunVintages = inputs[VINTAGES]
    fit, judge = vintages.nightly.known_at, vintages.backtest.known_at
    judged = factor_pair(layer, place, spec, judge, vintages.cutoff, assume_history=False)
    assumed = judged  # the same numbers, unless something has to be assumed
    if judged.left_out is not None:
        assumed = factor_pair(layer, place, spec, judge, vintages.cutoff, assume_history=True)
    pairs = {
        NIGHTLY: factor_pair(layer, place, spec, fit, vintages.as_of, assume_history=True),
        BACKTEST: judged,
        BACKTEST_ASSUMED: assumed,
    }
    current = pairs[NIGHTLY].apply
    facts: dict[str, Any] = {
        "left out": "; ".join(f"{key}: {pair.left_out}" for key, pair in pairs.items() if pair.left_out) or "nowhere",
    }
    if current is not None:
        facts |= {
            "features": current.n_features,
            "operationalization": current.operationalization,
            "variables": records_table(_variable_records(current)),
            "map": markdown_picture(place.grid, -current.distance_u),
        }
    return StepResult(pairs, facts)


def factor_pair(
    layer: Layer, place: Place, spec: FactorSpec, fit_at: date, apply_at: date, *, assume_history: bool
) -> FactorPair:
    """A factor as known when the outcome window began, and as known when the model is applied.

    Cut-offs (mean + 2 SD) and scalings are those of the fit. With ``assume_history`` a layer that was first seen later
    is taken as if it had always stood, and the pair says so; without it such a factor is left out with the reason.
    """
    from rtm_pipeline import factors

    unknown = factors.unknown_at(layer, fit_at)
    if unknown is None and layer.history == "assumed" and not assume_history:
        unknown = f"its past states are assumed: {layer.history_reason}"
    if unknown is not None and not assume_history:
        return FactorPair(None, None, unknown, assumed=False)
    seen = replace(layer, history="assumed") if unknown is not None else layer
    keep: tuple[float, ...] | Literal["all"] = "all" if place.grid.n_cells <= KEEP_DENSITY_CELLS else ()
    fit = factors.at(seen, place.grid, spec, fit_at, assume_history=assume_history, keep_density=keep)
    if not fit.n_features:
        return FactorPair(None, None, f"no feature of it was known at {fit_at}", assumed=False)
    apply = factors.at(
        seen,
        place.grid,
        spec,
        apply_at,
        frozen=fit.cuts,
        assume_history=assume_history,
        keep_density=keep,
    )
    return FactorPair(fit, apply, None, assumed=seen.history == "assumed")


def _variable_records(factor: Factor) -> list[dict[str, Any]]:
    shares = factor.shares()
    records = [
        {"variable": variable.name, "share of cells": round(float(share), 4), "status": "kept"}
        for variable, share in zip(factor.variables, shares, strict=True)
    ]
    return records + [
        {"variable": variable.name, "share of cells": "", "status": f"dropped: {reason}"}
        for variable, reason in factor.dropped
    ]
