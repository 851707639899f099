"""The step from surfaces to work: which sites first, for how much, and what that is expected to prevent."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.config.city import City
from rtm_pipeline.config.programs import ProgramsPlan
from rtm_pipeline.errors import ConfigError
from rtm_pipeline.layers.layer import Layer
from rtm_pipeline.orchestration.metadata import frontier_picture, records_table
from rtm_pipeline.orchestration.step import Step, StepContext, StepResult
from rtm_pipeline.orchestration.steps.evaluation import groups_of
from rtm_pipeline.orchestration.steps.ingest import PLACE, layer_step
from rtm_pipeline.orchestration.steps.model import TERRAIN, seed_of
from rtm_pipeline.orchestration.steps.program_sites import of_cell, program_sites, register_doubts
from rtm_pipeline.orchestration.steps.registers import REGISTERS, Registers, registry_of
from rtm_pipeline.orchestration.steps.surface import FORECAST

if TYPE_CHECKING:
    from rtm_pipeline.evaluation.backtest import AreaGroups
    from rtm_pipeline.grid.spec import StudyGrid
    from rtm_pipeline.priorities.effects.registry import Registry
    from rtm_pipeline.priorities.outcome import Shares
    from rtm_pipeline.priorities.sites import Sites
    from rtm_pipeline.priorities.spec import PrioritySpec

__all__ = ["PRIORITIES", "priority_steps"]

PRIORITIES = "priorities"
logger = logging.getLogger(__name__)


def priority_steps(city: City) -> list[Step]:
    """Ranking and funding of sites, where the city configured programs."""
    if city.programs is None:
        return []
    plan = city.programs
    layers = [city.outcome.layer, *(site.layer for site in plan.sites), *plan.requests]
    layers += [name for name in (plan.neighborhoods, plan.districts) if name]

    def reads(city: City, as_of: date) -> Any:
        return [city.programs, city.outcome, city.forecast.horizon, as_of]

    return [
        Step(
            name=PRIORITIES,
            inputs=(PLACE, TERRAIN, FORECAST, REGISTERS, *dict.fromkeys(layer_step(name) for name in layers)),
            reads=reads,
            run=_prioritize,
            group="priorities",
            kinds=("numpy",),
            description="Every lot and building ranked by what work there is expected to prevent, with its cost, its "
            "evidence and its reasons; the funded set within the budget; neighborhoods and grants.",
        )
    ]


def _prioritize(context: StepContext, inputs: Mapping[str, Any]) -> StepResult:
    from rtm_pipeline.priorities.inputs import PriorityInputs
    from rtm_pipeline.priorities.outcome import forecast_from_spread
    from rtm_pipeline.priorities.programs import prioritize
    from rtm_pipeline.priorities.why import Contributions

    city = context.city
    plan = city.programs
    if plan is None:
        raise ValueError("This step exists only where programs are configured.")
    grid = inputs[PLACE].grid
    ahead = inputs[FORECAST]
    areas = {group.level: group for group in groups_of(city, inputs[PLACE], inputs, _levels(plan))}
    neighborhoods = areas.get(plan.neighborhoods or "")
    districts = areas.get(plan.districts or "")
    registers: Registers = inputs[REGISTERS]
    registry = registry_of(city, registers)
    requests = _request_places(plan, inputs, context.as_of, plan.spec.request_days)
    outcome: Layer = inputs[layer_step(city.outcome.layer)].layer
    sites = program_sites(plan, inputs, context.as_of, registers, neighborhoods, districts)
    spec, left_out = _asked_for(replace(_accepted(plan, registry), seed=seed_of(city, context.as_of)), sites, registers)
    doubts = register_doubts(plan, inputs, context.as_of, registers.corrections)
    doubts += tuple(f"{name} is required by the budget but left out: {why}" for name, why in left_out.items())
    for doubt in doubts:
        logger.warning("%s", doubt)
    value = prioritize(
        PriorityInputs(
            grid=grid,
            sites=sites,
            forecast=forecast_from_spread(ahead.expected, ahead.sd, years=ahead.horizon_years),
            neighborhoods=neighborhoods.names if neighborhoods else (),
            districts=districts.names if districts else (),
            neighborhood_of_cell=of_cell(neighborhoods, grid),
            district_of_cell=of_cell(districts, grid),
            shares=_subset_shares(outcome, city, context.as_of, grid, neighborhoods),
            assumed_share=plan.assumed_share,
            risk=inputs[TERRAIN].rrs,
            contributions=Contributions(ahead.contribution_names, ahead.contributions, city.labels),
            request_x=requests[0],
            request_y=requests[1],
            open_x=requests[2],
            open_y=requests[3],
            poverty=_poverty(registers, neighborhoods),
            doubts=doubts,
        ),
        spec,
        registry,
    )
    top = [row for part in (value.lots, value.buildings) for row in part.slice(0, 10).to_pylist()]
    return StepResult(
        value,
        {
            "lots": value.lots.num_rows,
            "buildings": value.buildings.num_rows,
            "excluded": records_table(
                [{"reason": why, "sites": count} for why, count in value.model.sites.excluded.items()]
                or [{"reason": "none", "sites": 0}]
            ),
            **({"to be looked at": records_table([{"doubt": text} for text in doubts])} if doubts else {}),
            "summary": _plain(value.summary),
            **({"what the next dollar buys": frontier_picture(value.frontier)} if value.frontier is not None else {}),
            "first ten of each": records_table(
                [{k: v for k, v in row.items() if k in SHOWN} for row in top] or [{"site_id": "no site stands"}]
            ),
        },
    )


SHOWN = ("site_id", "rank", "work", "neighborhood", "expected_prevented", "cost_usd", "prevented_per_10k_usd", "why")


def _plain(summary: Mapping[str, object]) -> Any:
    import json

    import dagster as dg

    return dg.MetadataValue.json(json.loads(json.dumps(summary, default=str)))


def _levels(plan: ProgramsPlan) -> tuple[str, ...]:
    return tuple(name for name in (plan.neighborhoods, plan.districts) if name)


def _accepted(plan: ProgramsPlan, registry: Registry) -> PrioritySpec:
    """The programs with the effects that the registry recommends by now, where the configuration names none."""
    work = tuple(
        replace(kind, effect=registry.defaults[kind.name].effect) if kind.name in plan.by_default else kind
        for kind in plan.spec.interventions
    )
    return replace(plan.spec, interventions=work)


def _asked_for(spec: PrioritySpec, sites: Sites, registers: Registers) -> tuple[PrioritySpec, dict[str, str]]:
    """The programs without the required sites that nobody can be sent to any more, and those with the reason."""
    from rtm_pipeline.priorities.required import part_required

    if spec.budget is None:
        return spec, {}
    kept, left = part_required(spec.budget.must, sites, {record.site_id for record in registers.treated})
    return replace(spec, budget=replace(spec.budget, must=kept)), left


def _poverty(registers: Registers, neighborhoods: AreaGroups | None) -> NDArray[np.float64] | None:
    """Rate of each neighborhood, NaN where the table has none."""
    if not registers.poverty or neighborhoods is None:
        return None
    rates = np.array([registers.poverty.get(name, np.nan) for name in neighborhoods.names])
    if np.isnan(rates).all():
        raise ConfigError(
            "programs.poverty: no neighborhood of the table has the name of one in the areas layer; such as "
            f"{next(iter(registers.poverty))!r} against {neighborhoods.names[0]!r}."
        )
    return rates


def _request_places(plan: ProgramsPlan, inputs: Mapping[str, Any], as_of: date, days: int) -> list[NDArray[np.float64]]:
    """X and y of the requests of the last ``days``, then x and y of those that are open."""
    recent: list[list[NDArray[np.float64]]] = [[np.empty(0)], [np.empty(0)]]
    still_open: list[list[NDArray[np.float64]]] = [[np.empty(0)], [np.empty(0)]]
    for name in plan.requests:
        layer: Layer = inputs[layer_step(name)].layer
        known = layer.known_at <= np.datetime64(as_of)
        late = known & (layer.time >= np.datetime64(as_of - timedelta(days=days)))
        for parts, rows in ((recent, late), (still_open, known & _is_open(plan, layer, as_of))):
            parts[0].append(layer.x[rows])
            parts[1].append(layer.y[rows])
    return [np.concatenate(values) for values in (*recent, *still_open)]


def _is_open(plan: ProgramsPlan, layer: Layer, as_of: date) -> NDArray[np.bool_]:
    """Requests that are open: by their status, else by their end; none where the source tells neither."""
    from rtm_pipeline.priorities.sites import column_texts

    if plan.open_requests is not None:
        column, values = plan.open_requests
        return np.isin(column_texts(layer, column), np.array(values, dtype=np.str_))
    ended = ~np.isnat(layer.until)
    return (~ended | (layer.until > np.datetime64(as_of))) & ended.any()


def _subset_shares(
    outcome: Layer, city: City, as_of: date, grid: StudyGrid, neighborhoods: AreaGroups | None
) -> Shares | None:
    """Share of the subset that evidence reads in the past outcome of each neighborhood; None without the flag.

    Without neighborhoods it is the city's.
    """
    from rtm_pipeline.grid.locate import cells_of
    from rtm_pipeline.layers.vintage import as_known
    from rtm_pipeline.priorities.outcome import subset_shares

    name = city.programs.spec.outcome if city.programs else ""
    if name not in outcome.flags:
        return None
    seen = as_known(outcome, as_of)
    cell = cells_of(grid, seen.x, seen.y)
    past = (cell >= 0) & (seen.time < np.datetime64(as_of))
    flagged = seen.flags[name]
    size = 1 if neighborhoods is None else len(neighborhoods.names)
    group = np.zeros(grid.n_cells, np.int32) if neighborhoods is None else neighborhoods.group

    def incidents(rows: NDArray[np.bool_]) -> NDArray[np.int64]:
        _, first = np.unique(seen.incident[rows], return_index=True)
        area = group[cell[rows][first]]
        return np.bincount(area[area >= 0], minlength=size).astype(np.int64)

    total = incidents(past)
    if not total.sum():
        return None
    return subset_shares(np.minimum(incidents(past & flagged), total), total)
