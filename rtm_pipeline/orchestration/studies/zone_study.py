"""Would zones have been in the right places? Asked of past periods, before a city configures any.

For every period the forecast is made anew as of its first day, from the layers of the last night: what was known later
is left out by the same functions as always. The baseline is a kernel density whose bandwidth is chosen from what was
known by that day too.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ConfigError
from rtm_pipeline.layers.vintage import count_unit
from rtm_pipeline.orchestration.steps.factors import VINTAGES
from rtm_pipeline.orchestration.steps.model import factor_inputs
from rtm_pipeline.orchestration.steps.surface import FORECAST
from rtm_pipeline.orchestration.steps.zones import expected_in_period
from rtm_pipeline.orchestration.studies.remaking import remade
from rtm_pipeline.units import Window

if TYPE_CHECKING:
    from rtm_pipeline.orchestration.studies.workbench import Workbench
    from rtm_pipeline.priorities.spec import ZoneSpec
    from rtm_pipeline.priorities.zones.trial import ZoneTrial

__all__ = ["zone_study", "zone_study_record", "zone_study_text", "zones_to_try"]

_QUARTER_MILE2_M2 = 647_497.0


def zones_to_try(bench: Workbench) -> ZoneSpec:
    """The zones that the city configures; without any, up to four of a quarter square mile for 96 hours."""
    from rtm_pipeline.priorities.spec import ZoneSpec

    configured = bench.city.programs.spec.zones if bench.city.programs else None
    return configured or ZoneSpec("trial", "nobody: nothing is published", date.max, _QUARTER_MILE2_M2)


def zone_study(bench: Workbench, first: date, last: date, *, listen: Callable[[date], None] | None = None) -> ZoneTrial:
    """Zones for all non-overlapping periods of ``[first, last)``, from the forecast and from a kernel density.

    Parameters
    ----------
    bench : Workbench
        A finished night, whose outcome covers the periods.
    first, last : date
        Local midnights.
    listen : callable, optional
        Told of every period that begins.

    Raises
    ------
    ConfigError
        The outcome is not known for the whole time.
    ModelError
        There are too few periods for an interval.
    """
    from rtm_pipeline.priorities.zones.trial import period_starts, zone_trial
    from rtm_pipeline.surface.past import past_surfaces
    from rtm_pipeline.surface.vintage import outcome_history

    city, grid, outcome = bench.city, bench.grid, bench.outcome
    asked, spec = Window(first, last), zones_to_try(bench)
    known = outcome_history(outcome, grid, city.outcome.unit, known_at=last, reach=city.forecast.history)
    if first <= known.observed.start or not known.covers(asked):
        raise ConfigError(
            f"Zones can be tried only on days whose {city.outcome.layer} are on record, with a past before them: the "
            f"record is {known.observed}; found {first} to {last}. Give --from and --to within it."
        )
    wanted = (VINTAGES, *factor_inputs(city), FORECAST)

    def surface(day: date) -> NDArray[np.float64]:
        if listen:
            listen(day)
        ahead = remade(bench.settings, day, wanted, bench.value)[FORECAST]
        return expected_in_period(ahead, day, spec.hours)

    def baseline(day: date) -> NDArray[np.float64]:
        history = outcome_history(outcome, grid, city.outcome.unit, known_at=day, reach=city.forecast.history)
        return past_surfaces(grid, history, day).surfaces["kde"]

    rows = count_unit(outcome, asked, city.outcome.unit, rows=outcome.inside)
    places = np.column_stack([outcome.x[rows], outcome.y[rows]])
    starts = period_starts(first, last, spec.hours)
    return zone_trial(grid, spec, starts, surface, baseline, places, outcome.time[rows])


def zone_study_record(found: ZoneTrial) -> dict[str, Any]:
    """The trial as JSON values."""
    return {
        "periods": len(found.starts),
        "incidents": int(found.incidents.sum()),
        "hits": int(found.hits.sum()),
        "baseline_hits": int(found.baseline_hits.sum()),
        "moves": found.moves,
        "baseline_moves": found.baseline_moves,
        "difference": {"value": found.difference, "low": found.low, "high": found.high, "level": 0.95},
        "by_period": [
            {"start": day.isoformat(), "incidents": int(all_), "hits": int(mine), "baseline_hits": int(theirs)}
            for day, all_, mine, theirs in zip(
                found.starts, found.incidents, found.hits, found.baseline_hits, strict=True
            )
        ],
    }


def zone_study_text(found: ZoneTrial) -> str:
    """The trial for people."""
    verdict = "more than chance allows" if found.low > 0 else "less" if found.high < 0 else "within what chance allows"
    return (
        f"{len(found.starts)} periods, {int(found.incidents.sum()):,} incidents in the city. Inside the zones drawn "
        f"from the forecast: {int(found.hits.sum()):,}; inside zones of the same number and area drawn from a kernel "
        f"density of the past: {int(found.baseline_hits.sum()):,}.\n"
        f"Difference a period {found.difference:+.2f} (95 % interval {found.low:+.2f} to {found.high:+.2f}, blocks of "
        f"eight periods): {verdict}. Zones moved {found.moves} times, the baseline's {found.baseline_moves} times."
    )
