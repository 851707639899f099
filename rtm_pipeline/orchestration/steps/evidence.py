"""Steps that ask what 311 says, and how much of the ranking hangs on who reported what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.config.city import City
from rtm_pipeline.layers.layer import LayerResult
from rtm_pipeline.orchestration.metadata import records_table
from rtm_pipeline.orchestration.step import Step, StepContext, StepResult
from rtm_pipeline.orchestration.steps.evaluation import area_layers, groups_of
from rtm_pipeline.orchestration.steps.factors import NIGHTLY, VINTAGES
from rtm_pipeline.orchestration.steps.ingest import PLACE, layer_step
from rtm_pipeline.orchestration.steps.model import TERRAIN, block_side_u, factor_inputs, pairs_of, seed_of, seeded
from rtm_pipeline.orchestration.steps.surface import FORECAST
from rtm_pipeline.orchestration.values import FactorPair, Place, RunVintages
from rtm_pipeline.units import Duration

if TYPE_CHECKING:
    from rtm_pipeline.evaluation.backtest_spec import AreaGroups, FactorSet
    from rtm_pipeline.evaluation.evidence_311 import CategoryEvidence, EvidenceInput
    from rtm_pipeline.evaluation.reporting import ReportingRates
    from rtm_pipeline.evaluation.requests import InModel
    from rtm_pipeline.evaluation.sensitivity import Variant

__all__ = ["EVIDENCE", "SENSITIVITY", "Evidence311", "evidence_steps", "request_layers"]

EVIDENCE = "evidence_311"
SENSITIVITY = "sensitivity"
INSPECTOR, POLICE = "inspector", "police"
_LOOKBACK = Duration(1, "y")
_BLOCKS = (0.5, 1.0, 2.0, 3.0)  # outer ends of the distance bands


@dataclass(frozen=True, slots=True, eq=False)
class Evidence311:
    """What 311 says.

    Attributes
    ----------
    categories : tuple of CategoryEvidence
    reporting : mapping of str to ReportingRates
        By layer of requests.
    level : str or None
        The areas that the rates are of.
    areas : tuple of str
        Their names.
    """

    categories: tuple[CategoryEvidence, ...]
    reporting: Mapping[str, ReportingRates]
    level: str | None
    areas: tuple[str, ...]


def request_layers(city: City) -> tuple[str, ...]:
    """Layers of 311 requests, in the order of the configuration."""
    return tuple(name for name, spec in city.layers.items() if spec.kind == "requests")


def evidence_steps(city: City) -> list[Step]:
    """What 311 says (where there is any), and the sensitivity of the ranking."""
    requests = tuple(layer_step(name) for name in request_layers(city))
    areas = tuple(layer_step(name) for name in _first_areas(city))

    def reads_evidence(city: City, as_of: date) -> Any:
        return [city.area.block_u, city.area.buffer_u, city.factors, request_layers(city), _first_areas(city), as_of]

    def reads_sensitivity(city: City, as_of: date) -> Any:
        origins = {name: city.layers[spec.layer].origin for name, spec in city.factors.items()}
        return [city.model, city.outcome, city.forecast, city.area.buffer_u, city.factors, origins, as_of]

    evidence = Step(
        name=EVIDENCE,
        inputs=tuple(dict.fromkeys((PLACE, VINTAGES, TERRAIN, *requests, *areas))),
        reads=reads_evidence,
        run=_evidence,
        group="evaluation",
        kinds=("numpy",),
        description="What 311 says: for every request category its count, how the outcome goes with it alone and in "
        "the model, how it changed, and how fast it is reported where it occurs.",
    )
    outcome = layer_step(city.outcome.layer)
    sensitivity = Step(
        name=SENSITIVITY,
        inputs=tuple(
            dict.fromkeys(
                (
                    PLACE,
                    VINTAGES,
                    TERRAIN,
                    FORECAST,
                    outcome,
                    *((EVIDENCE,) if requests else ()),
                    *requests,
                    *areas,
                    *factor_inputs(city),
                )
            )
        ),
        reads=reads_sensitivity,
        run=_sensitivity,
        group="evaluation",
        kinds=("numpy",),
        description="How the ranking changes without 311, with 311 corrected for how fast places report, and without "
        "what inspectors or police made.",
    )
    return [evidence, sensitivity] if requests else [sensitivity]


def _first_areas(city: City) -> tuple[str, ...]:
    """The areas that reporting is compared between: neighborhoods where they are named, else the first layer."""
    named = city.programs.neighborhoods if city.programs else None
    return (named,) if named else area_layers(city)[:1]


def _groups(city: City, inputs: Mapping[str, Any]) -> AreaGroups | None:
    found = groups_of(city, inputs[PLACE], inputs, _first_areas(city))
    return found[0] if found else None


def _evidence(context: StepContext, inputs: Mapping[str, Any]) -> StepResult:
    from rtm_pipeline.evaluation.evidence_311 import evidence_311, evidence_rows
    from rtm_pipeline.evaluation.requests import RequestPeriods, category_inputs, reporting_of
    from rtm_pipeline.grid.blocks import spatial_blocks

    city = context.city
    place: Place = inputs[PLACE]
    vintages: RunVintages = inputs[VINTAGES]
    terrain = inputs[TERRAIN]
    groups = _groups(city, inputs)
    reporting: dict[str, ReportingRates] = {}
    items: list[EvidenceInput] = []
    for name in request_layers(city):
        layer = inputs[layer_step(name)].layer
        rates = None if groups is None else reporting_of(layer, place.grid, groups, context.as_of)
        if rates is not None:
            reporting[name] = rates
        periods = RequestPeriods(vintages.nightly.known_at, context.as_of, _lookback(city, name))
        items += category_inputs(layer, place.grid, periods, _in_model(city, name, terrain), rates, groups)
    block_m = city.area.block_u * city.area.unit_m
    found = evidence_311(
        items,
        terrain.counts,
        place.grid.exposure,
        spatial_blocks(place.grid, block_side_u(city)),
        tuple(block_m * blocks for blocks in _BLOCKS),
        seed=seed_of(city, context.as_of),
    )
    value = Evidence311(
        found, reporting, None if groups is None else groups.level, () if groups is None else groups.names
    )
    facts = {name: rates.reason for name, rates in reporting.items()}
    rows = [{key: "" if v is None else v for key, v in row.items()} for row in evidence_rows(found)]
    return StepResult(value, {"categories": records_table(rows), **facts})


def _lookback(city: City, layer: str) -> Duration:
    """How far back the layer's factors look; a year where none does."""
    found = [spec.lookback for spec in city.factors.values() if spec.layer == layer and spec.lookback is not None]
    return found[0] if found else _LOOKBACK


def _in_model(city: City, layer: str, terrain: Any) -> dict[str, InModel]:
    """Each category's place in the published model, by the factor that it belongs to."""
    from rtm_pipeline.evaluation.requests import InModel

    terms = {term.variable.factor: term for term in terrain.fit.terrain.terms}
    replicates = terrain.fit.reselections
    found: dict[str, InModel] = {}
    for name, spec in city.factors.items():
        if spec.layer != layer:
            continue
        chosen = None
        if replicates is not None and replicates.selected:
            chosen = float(np.mean([name in {_factor_of(v) for v, _ in model} for model in replicates.selected]))
        term = terms.get(name)
        entry = InModel(chosen, *((None,) * 3 if term is None else (term.rrv, term.rrv_low, term.rrv_high)))
        categories = spec.categories or _all_categories(city, layer)
        found |= {category: entry for category in categories if category not in found or term is not None}
    return found


def _factor_of(variable: str) -> str:
    """The factor in a variable's name, ``<factor>_<proximity|density>_<meters>m``."""
    return variable.rsplit("_", 2)[0]


def _all_categories(city: City, layer: str) -> tuple[str, ...]:
    categories = city.layers[layer].categories
    return tuple(categories.names) if categories is not None else (layer,)


def _sensitivity(context: StepContext, inputs: Mapping[str, Any]) -> StepResult:
    from rtm_pipeline.evaluation.sensitivity import variant_of, without
    from rtm_pipeline.orchestration.steps.evaluation import factor_set

    city = context.city
    pairs = pairs_of(city, inputs, NIGHTLY)
    everything = factor_set(pairs)
    night, groups = _night(context, inputs), _groups(city, inputs)
    variants: list[Variant] = []
    for name, what, dropped in _omissions(city, everything):
        rest = without(everything, set(dropped))
        variants.append(variant_of(night, name, what, rest, dropped, groups))
    corrected = _corrected(context, inputs, pairs, groups)
    if corrected is not None:
        factors, changed = corrected
        what = "with 311 requests corrected for how fast each neighborhood reports"
        variants.append(variant_of(night, "corrected_311", what, factors, changed, groups))
    return StepResult(
        tuple(variants),
        {"variants": records_table([_record(variant) for variant in variants] or [{"variant": "none applies"}])},
    )


def _record(variant: Variant) -> dict[str, Any]:
    terrain, ahead = variant.terrain, variant.forecast
    return {
        "variant": variant.what,
        "factors": ", ".join(variant.changed),
        "risk terrain: rank correlation": round(terrain.rank_correlation, 3) if terrain else str(variant.reason),
        "risk terrain: of the top 5 % the same": round(terrain.overlap, 3) if terrain else "",
        "forecast: rank correlation": round(ahead.rank_correlation, 3) if ahead else "",
        "forecast: of the top 5 % the same": round(ahead.overlap, 3) if ahead else "",
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


def _night(context: StepContext, inputs: Mapping[str, Any]) -> Any:
    from rtm_pipeline.evaluation.sensitivity import Night
    from rtm_pipeline.surface.vintage import outcome_history

    city = context.city
    place: Place = inputs[PLACE]
    vintages: RunVintages = inputs[VINTAGES]
    outcome: LayerResult = inputs[layer_step(city.outcome.layer)]
    terrain, ahead = inputs[TERRAIN], inputs[FORECAST]
    return Night(
        grid=place.grid,
        history=outcome_history(
            outcome.layer, place.grid, city.outcome.unit, known_at=context.as_of, reach=city.forecast.history
        ),
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


def _corrected(
    context: StepContext, inputs: Mapping[str, Any], pairs: Mapping[str, FactorPair], groups: AreaGroups | None
) -> tuple[FactorSet, tuple[str, ...]] | None:
    """All factors, those of 311 with weights; None where the rates allow no correction."""
    from dataclasses import replace

    from rtm_pipeline.factors.weighted import weighted_at
    from rtm_pipeline.orchestration.steps.evaluation import factor_set

    city = context.city
    evidence: Evidence311 | None = inputs.get(EVIDENCE)
    if evidence is None or groups is None:
        return None
    place: Place = inputs[PLACE]
    vintages: RunVintages = inputs[VINTAGES]
    changed = dict(pairs)
    for name, pair in pairs.items():
        spec = city.factors[name]
        rates = evidence.reporting.get(spec.layer)
        if rates is None or not rates.corrected or pair.fit is None or pair.apply is None:
            continue
        layer = inputs[layer_step(spec.layer)].layer
        if layer.geometry is not None:
            continue
        if pair.assumed:
            layer = replace(layer, history="assumed")
        weight = _weight(place, groups, rates)
        fit = weighted_at(
            layer, place.grid, spec, vintages.nightly.known_at, weight, pair.fit, assume_history=pair.assumed
        )
        apply = weighted_at(
            layer,
            place.grid,
            spec,
            vintages.as_of,
            weight,
            pair.apply,
            frozen=fit.cuts,
            assume_history=pair.assumed,
        )
        changed[name] = replace(pair, fit=fit, apply=apply)
    names = tuple(name for name in pairs if changed[name] is not pairs[name])
    return (factor_set(changed), names) if names else None


def _weight(place: Place, groups: AreaGroups, rates: ReportingRates) -> Any:
    """Weight of a request by the neighborhood that it lies in; 1 outside of all."""
    from rtm_pipeline.grid.locate import cells_of

    def weight(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        cell = cells_of(place.grid, x, y)
        area = np.where(cell >= 0, groups.group[np.maximum(cell, 0)], -1)
        return np.where(area >= 0, rates.weight[np.maximum(area, 0)], 1.0)

    return weight
