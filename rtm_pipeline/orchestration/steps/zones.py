"""The step that makes short-lived zones, where a city configured them: restricted, logged, and slow to move."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.config.city import City
from rtm_pipeline.layers.layer import Layer
from rtm_pipeline.orchestration.metadata import markdown_picture, records_table
from rtm_pipeline.orchestration.step import Step, StepContext, StepResult
from rtm_pipeline.orchestration.steps.factors import VINTAGES
from rtm_pipeline.orchestration.steps.ingest import PLACE, layer_step
from rtm_pipeline.orchestration.steps.registers import REGISTERS, Registers
from rtm_pipeline.orchestration.steps.surface import FORECAST
from rtm_pipeline.orchestration.values import Place, RunVintages
from rtm_pipeline.units import Window

if TYPE_CHECKING:
    import pyarrow as pa

    from rtm_pipeline.surface.forecast import Forecast

__all__ = ["ZONES", "ZonesResult", "zone_steps"]

ZONES = "zones"


@dataclass(frozen=True, slots=True, eq=False)
class ZonesResult:
    """Zones of the period.

    Attributes
    ----------
    table : pyarrow.Table or None
        The table ``zones``; None where there are none tonight.
    fresh : bool
        Whether they were made tonight: these are to be logged; zones of a running period stay as they are.
    note : str
    flagged : mapping
        What of tonight's fit lies within zones that were in force (`rtm_pipeline.priorities.zones.log.flag_periods`).
    """

    table: pa.Table | None
    fresh: bool
    note: str
    flagged: Mapping[str, object]


def zone_steps(city: City) -> list[Step]:
    """Zones, where purpose, owner and expiry are configured."""
    if city.programs is None or city.programs.spec.zones is None:
        return []

    def reads(city: City, as_of: date) -> Any:
        return [city.programs.spec.zones if city.programs else None, city.outcome, as_of]

    return [
        Step(
            name=ZONES,
            inputs=(PLACE, VINTAGES, FORECAST, REGISTERS, layer_step(city.outcome.layer)),
            reads=reads,
            run=_zone,
            group="priorities",
            kinds=("numpy",),
            description="Up to four compact zones for the next 72 to 96 hours. Restricted edition only; every one is "
            "logged, moved only when the gain is worth it, and its period is flagged in later fits.",
        )
    ]


def _zone(context: StepContext, inputs: Mapping[str, Any]) -> StepResult:
    from rtm_pipeline.grid.locate import cells_of
    from rtm_pipeline.layers.vintage import as_known
    from rtm_pipeline.priorities.zones.log import flag_periods, last_period, still_running, table_of_rows
    from rtm_pipeline.priorities.zones.zones import make_zones, zones_from_rows, zones_table

    place: Place = inputs[PLACE]
    registers: Registers = inputs[REGISTERS]
    vintages: RunVintages = inputs[VINTAGES]
    spec = context.city.programs.spec.zones if context.city.programs else None
    if spec is None:
        raise ValueError("This step exists only where zones are configured.")
    outcome: Layer = as_known(inputs[layer_step(context.city.outcome.layer)].layer, context.as_of)
    cell = cells_of(place.grid, outcome.x, outcome.y)
    flagged = flag_periods(registers.zones, place.grid, vintages.nightly.outcome, cell.astype(np.int64), outcome.time)
    last = last_period(registers.zones, place.grid, context.as_of)
    if last and still_running(last, context.as_of) and context.as_of < spec.expiry:
        note = f"the period that began on {last[0]['period_start']} goes on until {last[0]['period_end']}"
        result = ZonesResult(table_of_rows(last), fresh=False, note=note, flagged=flagged)
    else:
        expected = expected_in_period(inputs[FORECAST], context.as_of, spec.hours)
        zones, note = make_zones(place.grid, expected, spec, context.as_of, zones_from_rows(last))
        words = _words(context.city, inputs[FORECAST], [zone.cells for zone in zones])
        table = zones_table(place.grid, zones, spec, context.as_of, expected, factors=words) if zones else None
        result = ZonesResult(table, fresh=bool(zones), note=note, flagged=flagged)
    flags = np.zeros(place.grid.n_cells)
    rows = result.table.to_pylist() if result.table is not None else []
    for row in rows:
        flags[np.array(row["zone_cells"].split(), dtype=np.int64)] = 1.0
    shown = ("zone", "period_start", "period_end", "decision", "expected_incidents", "share_of_city", "reason")
    return StepResult(
        result,
        {
            "note": result.note,
            "purpose": spec.purpose,
            "owner": spec.owner,
            "expiry": spec.expiry.isoformat(),
            "zones": records_table([{key: row[key] for key in shown} for row in rows] or [{"zone": "none"}]),
            "flagged in tonight's fit": records_table([dict(flagged)]),
            "map": markdown_picture(place.grid, flags),
        },
    )


def expected_in_period(ahead: Forecast, as_of: date, hours: int) -> NDArray[np.float64]:
    """Incidents that each cell expects in a period, by month and weekday, float64, shape (n_cells,)."""
    period = Window(as_of, as_of + timedelta(hours=hours))
    return np.asarray(ahead.expected * (ahead.profile.years(period) / ahead.horizon_years))


def _words(city: City, ahead: Forecast, zones: list[NDArray[np.int64]]) -> list[str]:
    """What raises the forecast in each zone."""
    from rtm_pipeline.priorities.why import Contributions, around_areas, words

    index = np.full(ahead.expected.size, -1, dtype=np.int32)
    for at, cells in enumerate(zones):
        index[cells] = at
    parts = Contributions(ahead.contribution_names, ahead.contributions, city.labels)
    return words(*around_areas(parts, index, len(zones), ahead.expected)) if zones else []
