"""Steps that look back: how frozen plans stand, and whether finished work helped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from rtm_pipeline.config.city import City
from rtm_pipeline.config.programs import ProgramsPlan
from rtm_pipeline.errors import ModelError
from rtm_pipeline.layers.layer import Layer
from rtm_pipeline.orchestration.metadata import records_table
from rtm_pipeline.orchestration.step import Step, StepContext, StepResult
from rtm_pipeline.orchestration.steps.ingest import PLACE, layer_step
from rtm_pipeline.orchestration.steps.model import seed_of
from rtm_pipeline.orchestration.steps.program_sites import standing_sites
from rtm_pipeline.orchestration.steps.registers import REGISTERS, Registers, registry_of
from rtm_pipeline.units import Window

if TYPE_CHECKING:
    import pyarrow as pa

    from rtm_pipeline.priorities.followup.displacement import Incidents
    from rtm_pipeline.priorities.followup.effect_estimate import ControlPool, TreatedSites

__all__ = ["HELPED", "PLAN_SCORES", "HelpedResult", "followup_steps"]

PLAN_SCORES = "plan_scores"
HELPED = "did_it_help"


@dataclass(frozen=True, slots=True, eq=False)
class HelpedResult:
    """Whether work helped.

    Attributes
    ----------
    rows : tuple of mapping
        One a program and year, as `rtm_pipeline.priorities.followup.did_it_help.EffectEstimate.row` tells it.
    waiting : tuple of str
        What could not be evaluated, and why.
    proposals : tuple of mapping
        Rows that a person may accept into the effect registry.
    """

    rows: tuple[Mapping[str, Any], ...]
    waiting: tuple[str, ...]
    proposals: tuple[Mapping[str, Any], ...]


def followup_steps(city: City) -> list[Step]:
    """Scores of plans and effects of finished work, where the city configured programs."""
    if city.programs is None:
        return []
    sites = tuple(dict.fromkeys(layer_step(site.layer) for site in city.programs.sites))
    outcome = layer_step(city.outcome.layer)

    def reads(city: City, as_of: date) -> Any:
        return [city.programs, city.outcome, as_of]

    return [
        Step(
            name=PLAN_SCORES,
            inputs=(PLACE, REGISTERS, outcome),
            reads=reads,
            run=_score_plans,
            group="priorities",
            kinds=("numpy",),
            description="Every frozen work list: status of its sites, what was expected around them, what happened.",
        ),
        Step(
            name=HELPED,
            inputs=(PLACE, REGISTERS, outcome, *(name for name in sites if name != outcome)),
            reads=reads,
            run=_evaluate,
            group="priorities",
            kinds=("numpy",),
            description="Did it help: treated sites against matched controls or a randomized order, with rings for "
            "displacement. Unmatched sites are refused.",
        ),
    ]


def _score_plans(context: StepContext, inputs: Mapping[str, Any]) -> StepResult:
    from rtm_pipeline.priorities.plans.plan import score

    registers: Registers = inputs[REGISTERS]
    incidents = incidents_of(context, inputs)
    scores = [
        score(
            kept.plan,
            kept.log,
            context.as_of,
            incidents_xy=incidents.xy,
            incidents_time=incidents.time,
            expected_union=kept.expected,
        )
        for kept in registers.plans
    ]
    rows = [
        {
            "plan_id": one.plan_id,
            "as_of": one.as_of.isoformat(),
            "years": one.years,
            **{f"sites_{name}": count for name, count in one.status.items()},
            "expected": one.expected,
            "observed": one.observed,
        }
        for one in scores
    ]
    details = [dict(row) for one in scores for row in one.rows]
    return StepResult(
        {"plans": _table(rows), "plan_sites": _table(details)},
        {"plans": records_table(rows or [{"plan_id": "no plan was frozen before this day"}])},
    )


def _table(rows: list[dict[str, Any]]) -> pa.Table | None:
    import pyarrow as pa

    return pa.Table.from_pylist(rows) if rows else None


def incidents_of(context: StepContext, inputs: Mapping[str, Any]) -> Incidents:
    """Incidents inside the study area, each once, as known on the day."""
    from rtm_pipeline.grid.locate import cells_of
    from rtm_pipeline.layers.vintage import as_known, count_unit
    from rtm_pipeline.priorities.followup.displacement import Incidents

    seen: Layer = as_known(inputs[layer_step(context.city.outcome.layer)].layer, context.as_of)
    inside = cells_of(inputs[PLACE].grid, seen.x, seen.y) >= 0
    counted = count_unit(seen, Window(date(1900, 1, 1), context.as_of), context.city.outcome.unit, inside)
    return Incidents(np.stack([seen.x[counted], seen.y[counted]], axis=1), seen.time[counted])


def _evaluate(context: StepContext, inputs: Mapping[str, Any]) -> StepResult:
    from rtm_pipeline.orchestration.registers.evidence_proposals import drawn_estimates, proposals_of
    from rtm_pipeline.priorities.followup.did_it_help import evaluate_group, expected_before, finished_groups
    from rtm_pipeline.priorities.followup.displacement import Counting

    plan = context.city.programs
    if plan is None:
        raise ValueError("This step exists only where programs are configured.")
    registers: Registers = inputs[REGISTERS]
    incidents = incidents_of(context, inputs)
    counting = Counting(plan.helped_radius_u, plan.helped_ring_u, plan.helped_days)
    treated, lost = _treated(context, inputs, plan, registers)
    until, seed = np.datetime64(context.as_of), seed_of(context.city, context.as_of)
    groups, waiting = finished_groups(treated, counting, until)
    if lost:
        waiting.append(f"{lost} treated sites have no place: give x and y in the register")
    estimates = []
    for program, year, first in groups:
        pool = _pool(inputs, plan, registers, first.astype(date), context.as_of)
        pool = replace(pool, forecast=expected_before(pool.xy, incidents, first, counting.radius_u))
        then = replace(treated, forecast=expected_before(treated.xy, incidents, first, counting.radius_u))
        try:
            estimates.append(evaluate_group(program, year, then, pool, incidents, counting, until, seed=seed))
        except ModelError as error:
            waiting.append(f"{program} {year}: {error}")
    drawn, refusals = drawn_estimates(registers.plans, treated, incidents, counting, until, seed)
    estimates, waiting = [*estimates, *drawn], [*waiting, *refusals]
    standing = standing_sites(plan, inputs, context.as_of)
    proposals, refused = proposals_of(context.city, registers, estimates, treated, standing, counting)
    rows = tuple(one.row() for one in estimates)
    value = HelpedResult(rows, (*waiting, *refused), proposals)
    shown = ("program", "year", "design", "n_pairs", "wdd", "wdd_se", "ring", "relative_change", "low", "high", "note")
    return StepResult(
        value,
        {
            "treated sites": len(treated.site_id),
            "estimates": records_table(
                [{key: row[key] for key in shown} for row in rows] or [{"program": "nothing to evaluate yet"}]
            ),
            "waiting": records_table([{"reason": text} for text in value.waiting] or [{"reason": "nothing waits"}]),
            "proposals": ", ".join(str(row["key"]) for row in proposals) or "none",
        },
    )


def _treated(
    context: StepContext, inputs: Mapping[str, Any], plan: ProgramsPlan, registers: Registers
) -> tuple[TreatedSites, int]:
    """The register with places, and how many of its sites have none; the forecast is filled in group by group."""
    from rtm_pipeline.priorities.followup.effect_estimate import TreatedSites
    from rtm_pipeline.priorities.sites import TARGETS

    known = _known_places(inputs, plan)
    registry = registry_of(context.city, registers)
    targets = {kind.name: kind.target for kind in plan.spec.interventions}
    targets |= {name: default.target for name, default in registry.defaults.items() if name not in targets}
    rows = []
    for record in registers.treated:
        here = known.get(record.site_id)
        x, y = (record.x, record.y) if record.x is not None else here[:2] if here else (None, None)
        target = here[2] if here else TARGETS.index(targets.get(record.program, "lot"))
        if x is not None and y is not None:
            rows.append((record, float(x), float(y), target))
    day = "datetime64[D]"
    found = TreatedSites(
        site_id=np.array([row[0].site_id for row in rows], dtype=np.str_),
        program=np.array([row[0].program for row in rows], dtype=np.str_),
        xy=np.array([row[1:3] for row in rows], dtype=np.float64).reshape(-1, 2),
        started=np.array([row[0].started for row in rows], dtype=day),
        ended=np.array([row[0].ended for row in rows], dtype=day),
        target=np.array([row[3] for row in rows], dtype=np.int64),
        forecast=np.zeros(len(rows)),
    )
    return found, len(registers.treated) - len(rows)


def _known_places(inputs: Mapping[str, Any], plan: ProgramsPlan) -> dict[str, tuple[float, float, int]]:
    """Place and target of every site that any layer has ever had."""
    from rtm_pipeline.priorities.sites import TARGETS, column_texts

    found: dict[str, tuple[float, float, int]] = {}
    for site in plan.sites:
        layer: Layer = inputs[layer_step(site.layer)].layer
        target = TARGETS.index(site.target)
        for name, x, y in zip(column_texts(layer, site.id).tolist(), layer.x.tolist(), layer.y.tolist(), strict=True):
            found.setdefault(name, (x, y, target))
    return found


def _pool(inputs: Mapping[str, Any], plan: ProgramsPlan, registers: Registers, first: date, now: date) -> ControlPool:
    """Sites that stood when the work began, stand today for what they are, and were never treated.

    A lot that ceased to be vacant meanwhile was as good as treated: it would be no control.
    """
    from rtm_pipeline.priorities.eligibility import CORRECTION_STATUS
    from rtm_pipeline.priorities.followup.effect_estimate import ControlPool

    sites = standing_sites(plan, inputs, first)
    out = {record.site_id for record in registers.treated}
    out |= {row.site_id for row in registers.corrections if not CORRECTION_STATUS[row.status]}
    keep = np.isin(sites.site_id, standing_sites(plan, inputs, now).site_id)
    keep &= ~np.isin(sites.site_id, np.array(sorted(out), dtype=np.str_))
    return ControlPool(
        sites.site_id[keep],
        np.stack([sites.x[keep], sites.y[keep]], axis=1),
        sites.target[keep].astype(np.int64),
        np.zeros(int(keep.sum())),
    )
