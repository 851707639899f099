"""The step from surfaces to work: which sites first, for how much, and what that is expected to prevent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.config.city import City
from rtm_pipeline.config.programs import ProgramsPlan, SitesPlan
from rtm_pipeline.layers.layer import Layer
from rtm_pipeline.orchestration.metadata import records_table
from rtm_pipeline.orchestration.step import Step, StepContext, StepResult
from rtm_pipeline.orchestration.steps_evaluation import groups_of
from rtm_pipeline.orchestration.steps_ingest import PLACE, layer_step
from rtm_pipeline.orchestration.steps_model import TERRAIN, seed_of
from rtm_pipeline.orchestration.steps_surface import FORECAST
from rtm_pipeline.orchestration.values import Place

if TYPE_CHECKING:
    from rtm_pipeline.evaluation.backtest import AreaGroups
    from rtm_pipeline.grid.spec import StudyGrid
    from rtm_pipeline.priorities.outcome import Shares
    from rtm_pipeline.priorities.sites import Sites

__all__ = ["PRIORITIES", "priority_steps"]

PRIORITIES = "priorities"


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
            inputs=(PLACE, TERRAIN, FORECAST, *dict.fromkeys(layer_step(name) for name in layers)),
            reads=reads,
            run=_prioritize,
            group="priorities",
            kinds=("numpy",),
            description="Every lot and building ranked by what work there is expected to prevent, with its cost, its "
            "evidence and its reasons; the funded set within the budget; neighborhoods and grants.",
        )
    ]


def _prioritize(context: StepContext, inputs: Mapping[str, Any]) -> StepResult:
    from rtm_pipeline.priorities.evidence import load_registry
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
    sites = _sites(context, plan, inputs, neighborhoods, districts)
    requests = _request_places(plan, inputs, context.as_of, plan.spec.request_days)
    outcome: Layer = inputs[layer_step(city.outcome.layer)].layer
    value = prioritize(
        PriorityInputs(
            grid=grid,
            sites=sites,
            forecast=forecast_from_spread(ahead.expected, ahead.sd, years=ahead.horizon_years),
            neighborhoods=neighborhoods.names if neighborhoods else (),
            districts=districts.names if districts else (),
            neighborhood_of_cell=_of_cell(neighborhoods, grid),
            district_of_cell=_of_cell(districts, grid),
            shares=_subset_shares(outcome, city, context.as_of, grid, neighborhoods),
            assumed_share=plan.assumed_share,
            risk=inputs[TERRAIN].rrs,
            contributions=Contributions(ahead.contribution_names, ahead.contributions, city.labels),
            request_x=requests[0],
            request_y=requests[1],
        ),
        replace(plan.spec, seed=seed_of(city, context.as_of)),
        load_registry(),
    )
    top = value.lots.slice(0, 10).to_pylist()
    return StepResult(
        value,
        {
            "lots": value.lots.num_rows,
            "buildings": value.buildings.num_rows,
            "summary": _plain(value.summary),
            "first ten lots": records_table([{k: v for k, v in row.items() if k in SHOWN} for row in top]),
        },
    )


SHOWN = ("rank", "action", "neighborhood", "expected_prevented", "cost_usd", "prevented_per_10k_usd", "why")


def _plain(summary: Mapping[str, object]) -> Any:
    import json

    import dagster as dg

    return dg.MetadataValue.json(json.loads(json.dumps(summary, default=str)))


def _levels(plan: ProgramsPlan) -> tuple[str, ...]:
    return tuple(name for name in (plan.neighborhoods, plan.districts) if name)


def _of_cell(group: AreaGroups | None, grid: StudyGrid) -> NDArray[np.int32]:
    return group.group if group is not None else np.full(grid.n_cells, -1, np.int32)


def _sites(
    context: StepContext,
    plan: ProgramsPlan,
    inputs: Mapping[str, Any],
    neighborhoods: AreaGroups | None,
    districts: AreaGroups | None,
) -> Sites:
    """All sites that stand tonight, inside the city, each once."""
    from rtm_pipeline.grid.locate import cells_of
    from rtm_pipeline.layers.vintage import rows_known
    from rtm_pipeline.priorities.sites import TARGETS, make_sites

    place: Place = inputs[PLACE]
    parts: dict[str, list[Any]] = {name: [] for name in ("id", "x", "y", "target", "cell", "owner", "status")}
    for site in plan.sites:
        layer: Layer = inputs[layer_step(site.layer)].layer
        cell = cells_of(place.grid, layer.x, layer.y)
        rows = np.flatnonzero(rows_known(layer, context.as_of, assume_history=True) & (cell >= 0))
        parts["id"].append(_ids(layer, site, rows))
        parts["x"].append(layer.x[rows])
        parts["y"].append(layer.y[rows])
        parts["target"].append(np.full(rows.size, TARGETS.index(site.target), np.int8))
        parts["cell"].append(cell[rows])
        parts["owner"].append(_owners(layer, site, rows))
        parts["status"].append(_texts(layer, site.status, rows))
    joined = {name: np.concatenate(values) for name, values in parts.items()}
    _, first = np.unique(joined["id"], return_index=True)
    kept = {name: values[np.sort(first)] for name, values in joined.items()}
    return make_sites(
        kept["id"],
        kept["x"],
        kept["y"],
        kept["target"],
        neighborhood=_of_cell(neighborhoods, place.grid)[kept["cell"]],
        district=_of_cell(districts, place.grid)[kept["cell"]],
        owner=kept["owner"],
        status=kept["status"],
    )


def _texts(layer: Layer, column: str | None, rows: NDArray[np.intp]) -> NDArray[np.str_]:
    if column is None:
        return np.full(rows.size, "", dtype="<U1")
    values = layer.attributes.column(column).take(rows).to_pylist()
    return np.array(["" if value is None else str(value) for value in values], dtype=np.str_)


def _ids(layer: Layer, site: SitesPlan, rows: NDArray[np.intp]) -> NDArray[np.str_]:
    """The site's own id; where it has none, where it stands in its source."""
    ids = _texts(layer, site.id, rows)
    numbers = layer.attributes.column("_row").take(rows).to_numpy()
    return np.where(ids == "", np.char.add(f"{site.layer}-row-", numbers.astype(np.str_)), ids)


def _owners(layer: Layer, site: SitesPlan, rows: NDArray[np.intp]) -> NDArray[np.str_]:
    owner = np.full(rows.size, "unknown", dtype="<U9")
    for rule in site.owners:
        hit = np.isin(_texts(layer, rule.column, rows), np.array(rule.values, dtype=np.str_))
        owner[hit & (owner == "unknown")] = rule.owner
    return owner


def _request_places(
    plan: ProgramsPlan, inputs: Mapping[str, Any], as_of: date, days: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Places of the requests of the last ``days``."""
    x, y = [np.empty(0)], [np.empty(0)]
    for name in plan.requests:
        layer: Layer = inputs[layer_step(name)].layer
        known = layer.known_at <= np.datetime64(as_of)
        recent = known & (layer.time >= np.datetime64(as_of - timedelta(days=days)))
        x.append(layer.x[recent])
        y.append(layer.y[recent])
    return np.concatenate(x), np.concatenate(y)


def _subset_shares(
    outcome: Layer, city: City, as_of: date, grid: StudyGrid, neighborhoods: AreaGroups | None
) -> Shares | None:
    """Share of the subset that evidence reads in the past outcome of each neighborhood; None without the flag."""
    from rtm_pipeline.grid.locate import cells_of
    from rtm_pipeline.layers.vintage import as_known
    from rtm_pipeline.priorities.outcome import subset_shares

    name = city.programs.spec.outcome if city.programs else ""
    if neighborhoods is None or name not in outcome.flags:
        return None
    seen = as_known(outcome, as_of)
    cell = cells_of(grid, seen.x, seen.y)
    past = (cell >= 0) & (seen.time < np.datetime64(as_of))
    flagged = seen.flags[name]
    size = len(neighborhoods.names)

    def incidents(rows: NDArray[np.bool_]) -> NDArray[np.int64]:
        _, first = np.unique(seen.incident[rows], return_index=True)
        area = neighborhoods.group[cell[rows][first]]
        return np.bincount(area[area >= 0], minlength=size).astype(np.int64)

    total = incidents(past)
    if not total.sum():
        return None
    return subset_shares(np.minimum(incidents(past & flagged), total), total)
