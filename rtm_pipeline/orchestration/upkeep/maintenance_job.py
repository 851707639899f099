"""The daily job that applies retention to every city of the location, and to Dagster's own records."""

# No `from __future__ import annotations` here: see assets.py.

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from rtm_pipeline.config.load import LoadedConfig
from rtm_pipeline.errors import RtmError
from rtm_pipeline.orchestration.paths import Paths
from rtm_pipeline.orchestration.upkeep.maintenance import maintain_city, purge_events, sweep_parts
from rtm_pipeline.orchestration.upkeep.schedules import unattended

__all__ = ["maintain_all", "maintenance_job", "maintenance_schedule"]

JOB = "maintenance"
_AT_NOON = "0 12 * * *"  # UTC; nights of cities run at night


def maintain_all(
    loaded: Sequence[LoadedConfig], paths: Paths, instance: dg.DagsterInstance | None
) -> tuple[dict[str, Any], dict[str, str]]:
    """Retention of all cities; one that fails or is busy does not stop the others.

    Returns
    -------
    dict
        City -> what was removed, as plain values.
    dict
        City -> why it was left.
    """
    done: dict[str, Any] = {}
    left: dict[str, str] = {}
    for config in loaded:
        city = config.city
        try:
            removed = maintain_city(city, paths)
            if instance is not None:
                before = datetime.now(UTC) - city.operations.retention.events
                removed.runs = purge_events(instance, before, city=city.name)
            done[city.name] = asdict(removed)
        except (RtmError, OSError) as error:
            left[city.name] = str(error)
    try:
        done["all cities"] = {"freed_bytes": sweep_parts(paths)}
    except (RtmError, OSError) as error:
        left["parts of snapshots"] = str(error)
    return done, left


def maintenance_job(loaded: Sequence[LoadedConfig], paths: Paths) -> dg.JobDefinition:
    """One op over all cities; it fails at its end if a city could not be cleaned."""

    @dg.op(name="apply_retention", description="Removes what the retention of each city lets go.")
    def apply_retention(context: dg.OpExecutionContext) -> None:
        done, left = maintain_all(loaded, paths, context.instance)
        context.add_output_metadata({"removed": dg.MetadataValue.json(done), "left": dg.MetadataValue.json(left)})
        if left:
            reasons = "; ".join(f"{name}: {reason}" for name, reason in left.items())
            raise dg.Failure(f"Not everything could be cleaned: {reasons}", allow_retries=False)

    @dg.job(name=JOB, description="Retention of releases, snapshots, logs and Dagster's records.")
    def maintenance() -> None:
        apply_retention()

    return maintenance


def maintenance_schedule() -> dg.ScheduleDefinition:
    """Every day at noon UTC."""
    return dg.ScheduleDefinition(
        name="maintenance_every_day",
        job_name=JOB,
        cron_schedule=_AT_NOON,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING if unattended() else dg.DefaultScheduleStatus.STOPPED,
    )
