"""The step that asks how much of the ranking, and of its accuracy, hangs on who reported what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.config.city import City
from rtm_pipeline.layers.layer import LayerResult
from rtm_pipeline.orchestration.metadata import records_table
from rtm_pipeline.orchestration.step import Step, StepContext, StepResult
from rtm_pipeline.orchestration.steps.evaluation import EVALUATION, factor_set
from rtm_pipeline.orchestration.steps.evidence import EVIDENCE, Evidence311, first_areas, first_groups, request_layers
from rtm_pipeline.orchestration.steps.factors import BACKTEST, NIGHTLY, VINTAGES
from rtm_pipeline.orchestration.steps.ingest import PLACE, layer_step
from rtm_pipeline.orchestration.steps.model import TERRAIN, block_side_u, factor_inputs, pairs_of, seed_of, seeded
from rtm_pipeline.orchestration.steps.surface import FORECAST
from rtm_pipeline.orchestration.values import FactorPair, Place, RunVintages

if TYPE_CHECKING:
    from rtm_pipeline.evaluation.backtest_spec import AreaGroups, Backtest, FactorSet
    from rtm_pipeline.evaluation.reporting import ReportingRates
    from rtm_pipeline.evaluation.sensitivity import Night, Variant
    from rtm_pipeline.evaluation.variant_accuracy import VariantAccuracy

__all__ = ["SENSITIVITY", "sensitivity_steps"]

SENSITIVITY = "sensitivity"
INSPECTOR, POLICE = "inspector", "police"


def sensitivity_steps(city: City) -> list[Step]:
    """The sensitivity of the ranking."""
    requests = tuple(layer_step(name) for name in request_layers(city))
    areas = tuple(layer_step(name) for name in first_areas(city))

    def reads(city: City, as_of: date) -> Any:
        origins = {name: city.layers[spec.layer].origin for name, spec in city.factors.items()}
        return [city.model, city.outcome, city.forecast, city.area.buffer_u, city.factors, origins, as_of]

    inputs = (
        *(PLACE, VINTAGES, TERRAIN, FORECAST, EVALUATION, layer_step(city.outcome.layer)),
        *((EVIDENCE,) if requests else ()),
        *requests,
        *areas,
        *factor_inputs(city),
    )
    return [
        Step(
            name=SENSITIVITY,
            inputs=tuple(dict.fromkeys(inputs)),
            reads=reads,
            run=_sensitivity,
            group="evaluation",
            kinds=("numpy",),
            description="How the ranking and its accuracy change without 311, with 311 corrected for how fast places "
            "report, and without what inspectors or police made.",
        )
    ]


@dataclass(frozen=True, slots=True, eq=False)
class _Judged:
    """What the night's accuracy rests on."""

    night: Night
    pairs: Mapping[str, FactorPair]
    observed: NDArray[np.int64]

    def accuracy(self, factors: FactorSet, changed: tuple[str, ...]) -> VariantAccuracy | None:
        """How these factors would have done; None where nothing that was known then is changed."""
        from rtm_pipeline.evaluation.sensitivity import judged_variant

        known = tuple(name for name in changed if self.pairs[name].fit is not None)
        return judged_variant(self.night, factors, known, self.observed) if known else None


def _sensitivity(context: StepContext, inputs: Mapping[str, Any]) -> StepResult:
    from rtm_pipeline.evaluation.sensitivity import variant_of, without

    city = context.city
    pairs = pairs_of(city, inputs, NIGHTLY)
    everything = factor_set(pairs)
    night, groups = _night(context, inputs), first_groups(city, inputs)
    judged = _judged(context, inputs, night)
    variants: list[Variant] = []
    for name, what, dropped in _omissions(city, everything):
        found = variant_of(night, name, what, without(everything, set(dropped)), dropped, groups)
        if judged is not None:
            rest = without(factor_set(judged.pairs), set(dropped))
            found = replace(found, accuracy=judged.accuracy(rest, dropped))
        variants.append(found)
    corrected = _corrected_variant(context, inputs, night, judged, groups)
    variants += [] if corrected is None else [corrected]
    return StepResult(
        tuple(variants),
        {"variants": records_table([_record(variant) for variant in variants] or [{"variant": "none applies"}])},
    )


def _corrected_variant(
    context: StepContext,
    inputs: Mapping[str, Any],
    night: Night,
    judged: _Judged | None,
    groups: AreaGroups | None,
) -> Variant | None:
    """The night with 311 corrected for reporting; None where the rates allow no correction."""
    from rtm_pipeline.evaluation.sensitivity import variant_of

    evidence: Evidence311 | None = inputs.get(EVIDENCE)
    if evidence is None or groups is None:
        return None
    pairs = pairs_of(context.city, inputs, NIGHTLY)
    changed = _corrected(context.city, inputs, pairs, groups, evidence.reporting, (night.fit_at, night.as_of))
    if not changed:
        return None
    what = "with 311 requests corrected for how fast each neighborhood reports"
    factors, names = factor_set({**pairs, **changed}), tuple(changed)
    found = variant_of(night, "corrected_311", what, factors, names, groups)
    if judged is None or all(judged.pairs[name].fit is None for name in names):
        return found
    then = judged.night
    rates = _rates_by(context.city, inputs, then.as_of, groups)
    before = _corrected(context.city, inputs, judged.pairs, groups, rates, (then.fit_at, then.as_of))
    return replace(found, accuracy=judged.accuracy(factor_set({**judged.pairs, **before}), tuple(before)))


def _rates_by(city: City, inputs: Mapping[str, Any], day: date, groups: AreaGroups) -> dict[str, ReportingRates]:
    """Reporting rates from what was known at a day: a judged surface may not know the rates of later requests."""
    from rtm_pipeline.evaluation.requests import reporting_of

    place: Place = inputs[PLACE]
    return {
        name: reporting_of(inputs[layer_step(name)].layer, place.grid, groups, day) for name in request_layers(city)
    }


def _record(variant: Variant) -> dict[str, Any]:
    terrain, ahead, judged = variant.terrain, variant.forecast, variant.accuracy
    caught = None if judged is None or judged.forecast is None else judged.forecast.at(0.05)
    return {
        "variant": variant.what,
        "factors": ", ".join(variant.changed),
        "risk terrain: rank correlation": round(terrain.rank_correlation, 3) if terrain else str(variant.reason),
        "risk terrain: of the top 5 % the same": round(terrain.overlap, 3) if terrain else "",
        "forecast: rank correlation": round(ahead.rank_correlation, 3) if ahead else "",
        "forecast: of the top 5 % the same": round(ahead.overlap, 3) if ahead else "",
        "forecast: caught in the top 5 %": f"{caught[1]:.1%} (main {caught[0]:.1%})" if caught else "",
    }


def _omissions(city: City, factors: FactorSet) -> list[tuple[str, str, tuple[str, ...]]]:
    """Which factors each variant leaves out: name, what it is in words, the factors."""

    def of(wanted: Any) -> tuple[str, ...]:
        return tuple(name for name in factors.fitted if wanted(city.layers[city.factors[name].layer]))

    found = [
        ("without_311", "without the layers of 311 requests", of(lambda layer: layer.kind == "requests")),
        ("without_inspector", "without what inspectors recorded", of(lambda layer: layer.origin == INSPECTOR)),
        ("without_police", "without what police recorded", of(lambda layer: layer.origin == POLICE)),
    ]
    return [item for item in found if item[2]]


def _night(context: StepContext, inputs: Mapping[str, Any]) -> Night:
    from rtm_pipeline.evaluation.sensitivity import Night

    city = context.city
    place: Place = inputs[PLACE]
    vintages: RunVintages = inputs[VINTAGES]
    terrain, ahead = inputs[TERRAIN], inputs[FORECAST]
    return Night(
        grid=place.grid,
        history=_history(city, inputs, context.as_of),
        counts=terrain.counts,
        fit_at=vintages.nightly.known_at,
        as_of=vintages.as_of,
        rrs=terrain.rrs,
        expected=ahead.expected,
        forecast_model=ahead.model,
        model=seeded(city, context.as_of),
        block_side_u=block_side_u(city),
        seed=seed_of(city, context.as_of),
    )


def _judged(context: StepContext, inputs: Mapping[str, Any], night: Night) -> _Judged | None:
    """What was judged, as of its cut-off; None where the forecast could not be."""
    value: Backtest = inputs[EVALUATION]
    vintages: RunVintages = inputs[VINTAGES]
    if value.forecast is None:
        return None
    terrain = value.terrain
    n = night.grid.n_cells
    then = replace(
        night,
        history=_history(context.city, inputs, vintages.cutoff),
        counts=np.zeros(n, np.int64) if terrain is None else terrain.counts,
        fit_at=vintages.backtest.known_at,
        as_of=vintages.cutoff,
        rrs=np.full(n, np.nan) if terrain is None else terrain.rrs,
        expected=value.forecast.expected,
        forecast_model=value.forecast.model,
    )
    return _Judged(then, pairs_of(context.city, inputs, BACKTEST), value.observed)


def _history(city: City, inputs: Mapping[str, Any], day: date) -> Any:
    from rtm_pipeline.surface.vintage import outcome_history

    place: Place = inputs[PLACE]
    outcome: LayerResult = inputs[layer_step(city.outcome.layer)]
    return outcome_history(outcome.layer, place.grid, city.outcome.unit, known_at=day, reach=city.forecast.history)


def _corrected(
    city: City,
    inputs: Mapping[str, Any],
    pairs: Mapping[str, FactorPair],
    groups: AreaGroups,
    reporting: Mapping[str, ReportingRates],
    days: tuple[date, date],
) -> dict[str, FactorPair]:
    """Factors of 311 with weights, at the days of fit and application; none where the rates allow no correction."""
    from rtm_pipeline.factors.weighted import weighted_at

    place: Place = inputs[PLACE]
    changed: dict[str, FactorPair] = {}
    for name, pair in pairs.items():
        spec = city.factors[name]
        rates = reporting.get(spec.layer)
        if rates is None or not rates.corrected or pair.fit is None or pair.apply is None:
            continue
        layer = inputs[layer_step(spec.layer)].layer
        if layer.geometry is not None:
            continue
        if pair.assumed:
            layer = replace(layer, history="assumed")
        weight, assumed = _weight(place, groups, rates), pair.assumed
        fit = weighted_at(layer, place.grid, spec, days[0], weight, pair.fit, assume_history=assumed)
        apply = weighted_at(
            layer, place.grid, spec, days[1], weight, pair.apply, frozen=fit.cuts, assume_history=assumed
        )
        changed[name] = replace(pair, fit=fit, apply=apply)
    return changed


def _weight(place: Place, groups: AreaGroups, rates: ReportingRates) -> Any:
    """Weight of a request by the neighborhood that it lies in; 1 outside of all."""
    from rtm_pipeline.grid.locate import cells_of

    def weight(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        cell = cells_of(place.grid, x, y)
        area = np.where(cell >= 0, groups.group[np.maximum(cell, 0)], -1)
        return np.where(area >= 0, rates.weight[np.maximum(area, 0)], 1.0)

    return weight
