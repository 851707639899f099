"""The step that asks what 311 says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from rtm_pipeline.config.city import City
from rtm_pipeline.orchestration.metadata import records_table
from rtm_pipeline.orchestration.step import Step, StepContext, StepResult
from rtm_pipeline.orchestration.steps.evaluation import area_layers, groups_of
from rtm_pipeline.orchestration.steps.factors import VINTAGES
from rtm_pipeline.orchestration.steps.ingest import PLACE, layer_step
from rtm_pipeline.orchestration.steps.model import TERRAIN, block_side_u, seed_of
from rtm_pipeline.orchestration.values import Place, RunVintages
from rtm_pipeline.units import Duration

if TYPE_CHECKING:
    from rtm_pipeline.evaluation.backtest_spec import AreaGroups
    from rtm_pipeline.evaluation.evidence_311 import CategoryEvidence, EvidenceInput
    from rtm_pipeline.evaluation.reporting import ReportingRates
    from rtm_pipeline.evaluation.requests import InModel

__all__ = ["EVIDENCE", "Evidence311", "evidence_steps", "first_areas", "first_groups", "request_layers"]

EVIDENCE = "evidence_311"
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
    """What 311 says, where there is any."""
    requests = tuple(layer_step(name) for name in request_layers(city))
    areas = tuple(layer_step(name) for name in first_areas(city))

    def reads_evidence(city: City, as_of: date) -> Any:
        return [city.area.block_u, city.area.buffer_u, city.factors, request_layers(city), first_areas(city), as_of]

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
    return [evidence] if requests else []


def first_areas(city: City) -> tuple[str, ...]:
    """The areas that reporting is compared between: the programs' neighborhoods, else the layer called so, else any."""
    named = city.programs.neighborhoods if city.programs else None
    return (named,) if named else tuple(sorted(area_layers(city), key=lambda name: "neighborhood" not in name)[:1])


def first_groups(city: City, inputs: Mapping[str, Any]) -> AreaGroups | None:
    """These areas as groups of cells; None where the city has none."""
    found = groups_of(city, inputs[PLACE], inputs, first_areas(city))
    return found[0] if found else None


def _evidence(context: StepContext, inputs: Mapping[str, Any]) -> StepResult:
    from rtm_pipeline.evaluation.evidence_311 import evidence_311, evidence_rows
    from rtm_pipeline.evaluation.requests import RequestPeriods, category_inputs, reporting_of
    from rtm_pipeline.grid.blocks import spatial_blocks

    city = context.city
    place: Place = inputs[PLACE]
    vintages: RunVintages = inputs[VINTAGES]
    terrain = inputs[TERRAIN]
    groups = first_groups(city, inputs)
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
