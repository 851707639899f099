"""When cities run: a job and a schedule a city, in its own time zone, and the daily job that cleans up."""

# No `from __future__ import annotations` here: see assets.py.

import os
from collections.abc import Mapping
from typing import Any

import dagster as dg

from rtm_pipeline.config.city import City
from rtm_pipeline.orchestration.assets import TICK_TAG
from rtm_pipeline.orchestration.upkeep.ticks import tick_date

__all__ = ["city_job", "city_schedule", "job_name", "unattended"]


def unattended() -> bool:
    """Whether schedules and sensors start switched on: ``RTM_UNATTENDED=1``, as the files in ``deploy/`` set it.

    On an analyst's machine nothing begins by itself. A toggle in the UI wins over this for ever after.
    """
    return os.environ.get("RTM_UNATTENDED", "") not in ("", "0")


def job_name(city: str) -> str:
    """Name of a city's nightly job."""
    return f"{city}_nightly"


def city_job(city: City) -> Any:
    """The whole night of a city. The tag ``city`` is what the run queue limits; a run that hangs is ended."""
    return dg.define_asset_job(
        job_name(city.name),
        selection=dg.AssetSelection.key_prefixes([city.name]),
        description=f"The whole pipeline of {city.name}: sources to release.",
        tags={"city": city.name, "dagster/max_runtime": str(int(city.operations.max_runtime.total_seconds()))},
    )


def city_schedule(city: City) -> dg.ScheduleDefinition | None:
    """The schedule of a city, if it has one; the run's date is the tick's local date, however late it starts."""
    if city.schedule_cron is None:
        return None

    def tags(context: dg.ScheduleEvaluationContext) -> Mapping[str, str]:
        return {"city": city.name, TICK_TAG: tick_date(context.scheduled_execution_time, city.timezone)}

    return dg.ScheduleDefinition(
        name=f"{city.name}_every_night",
        job_name=job_name(city.name),
        cron_schedule=city.schedule_cron,
        execution_timezone=city.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING if unattended() else dg.DefaultScheduleStatus.STOPPED,
        tags_fn=tags,
        description=f"Runs {city.label} by its own clock ({city.timezone}).",
    )
