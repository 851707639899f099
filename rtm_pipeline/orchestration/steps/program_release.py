"""What the programs add to a release: their tables and facts, and what a current release leaves in the history."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rtm_pipeline.errors import ConfigError
from rtm_pipeline.orchestration.registers.history import CityHistory
from rtm_pipeline.orchestration.step import StepContext
from rtm_pipeline.orchestration.steps.followup import HELPED, PLAN_SCORES
from rtm_pipeline.orchestration.steps.priorities import PRIORITIES
from rtm_pipeline.orchestration.steps.registers import REGISTERS
from rtm_pipeline.orchestration.steps.surface import FORECAST
from rtm_pipeline.orchestration.steps.zones import ZONES

__all__ = ["keep_history", "program_facts", "program_tables", "register_digests"]

logger = logging.getLogger(__name__)


def register_digests(inputs: Mapping[str, Any]) -> dict[str, str]:
    """sha256 of every register that the night read; part of the run's id."""
    return inputs[REGISTERS].digests() if REGISTERS in inputs else {}


def program_tables(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Tables of the release by name; only those that exist tonight."""
    import pyarrow as pa

    result = inputs.get(PRIORITIES)
    if result is None:
        return {}
    zones = inputs.get(ZONES)
    helped = inputs[HELPED].rows
    areas = pa.concat_tables([result.neighborhoods, result.districts])
    tables = {
        "priority_lots": result.lots,
        "priority_buildings": result.buildings,
        "neighborhoods": areas if areas.num_rows else None,
        "grants": result.grants,
        "frontier": result.frontier,
        "zones": zones.table if zones is not None else None,
        "did_it_help": pa.Table.from_pylist([_flat(row) for row in helped]) if helped else None,
        **inputs[PLAN_SCORES],
    }
    return {name: table for name, table in tables.items() if table is not None}


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """Nested values as JSON text: a table has one value a field."""
    return {key: json.dumps(value, sort_keys=True) if isinstance(value, dict) else value for key, value in row.items()}


def program_facts(context: StepContext, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Content of ``restricted/programs.json``: what the work comes to, what was left out and why, what is proposed."""
    result, helped = inputs[PRIORITIES], inputs[HELPED]
    zones = inputs.get(ZONES)
    facts = {
        "registers": register_digests(inputs),
        "work": result.summary,
        "radius_u": max(kind.radius_u for kind in result.model.kinds),
        "forecast_years": inputs[FORECAST].horizon_years,
        "did_it_help": {
            "estimates": list(helped.rows),
            "waiting": list(helped.waiting),
            "proposals": list(helped.proposals),
        },
        "zones": None if zones is None else {"note": zones.note, "fresh": zones.fresh, "in_fit": dict(zones.flagged)},
    }
    return dict(json.loads(json.dumps(facts, default=str)))


def keep_history(
    context: StepContext, inputs: Mapping[str, Any], run_id: str, release: Path, *, current: bool
) -> dict[str, Any]:
    """Log the night's zones, and freeze the work list of the month where the city wants it; facts for the analyst.

    Zones of a release that is not current are logged as such: they bind no later night.
    """
    plan = context.city.programs
    if plan is None:
        return {}
    history = CityHistory(context.output, context.city.name)
    facts: dict[str, Any] = {}
    zones = inputs.get(ZONES)
    if zones is not None and zones.fresh and zones.table is not None:
        history.log_zones([{**row, "run_id": run_id, "current": current} for row in zones.table.to_pylist()])
        facts["zones logged"] = zones.table.num_rows
    if plan.monthly and current:
        facts["work list"] = _freeze_monthly(context, history, release)
    return facts


def _freeze_monthly(context: StepContext, history: CityHistory, release: Path) -> str:
    """Freeze a plan unless one was frozen in this month already."""
    from rtm_pipeline.orchestration.registers.plans import plan_of_release

    month = (context.as_of.year, context.as_of.month)
    known = [kept.plan for kept in history.plans() if (kept.plan.frozen_on.year, kept.plan.frozen_on.month) == month]
    if known:
        return f"of this month already frozen: {known[-1].plan_id}"
    try:
        kept = plan_of_release(release, frozen_on=context.as_of)
    except ConfigError as error:
        logger.warning("No work list was frozen: %s", error)
        return f"none frozen: {error}"
    history.keep_plan(kept)
    return f"frozen: {kept.plan.plan_id}"
