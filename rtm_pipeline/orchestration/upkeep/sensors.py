"""What watches while nobody does: sources that changed, runs that failed, releases that grew old."""

# No `from __future__ import annotations` here: see assets.py.

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from rtm_pipeline.config.load import LoadedConfig
from rtm_pipeline.errors import RtmError
from rtm_pipeline.orchestration.assets import TICK_TAG
from rtm_pipeline.orchestration.failure_words import first_known
from rtm_pipeline.orchestration.paths import Paths
from rtm_pipeline.orchestration.process import turns_folder
from rtm_pipeline.orchestration.settings import local_today
from rtm_pipeline.orchestration.upkeep.alerts import FAILURE, STALE, Alert, send
from rtm_pipeline.orchestration.upkeep.nights import last_night, record_night
from rtm_pipeline.orchestration.upkeep.schedules import job_name, unattended

__all__ = ["CLI_TAG", "city_sensor", "failure_alert", "failure_sensor", "sources_mark", "staleness_sensor"]

logger = logging.getLogger(__name__)

CLI_TAG = "rtm/cli"  # runs of `rtm run` tell by themselves that they failed
_WATCH_S = 1800
_AGE_S = 3600


def _status() -> dg.DefaultSensorStatus:
    return dg.DefaultSensorStatus.RUNNING if unattended() else dg.DefaultSensorStatus.STOPPED


def sources_mark(loaded: LoadedConfig, paths: Paths, transport: Any = None) -> str:
    """Digest that differs once any source of a city has changed; no rows are read.

    Raises
    ------
    RtmError
        Files are missing, or a portal does not answer.
    """
    from rtm_pipeline.sources.portals.transport import Transport
    from rtm_pipeline.sources.probe import probe_source

    data_dir = paths.data_for(loaded.city.name, loaded.path)
    own = transport is None
    transport = transport or Transport(turns=turns_folder())
    try:
        marks = {
            name: probe_source(source, data_dir=data_dir, transport=transport)
            for name, source in sorted(loaded.city.sources.items())
        }
    finally:
        if own:
            transport.close()
    return hashlib.sha256(json.dumps(marks).encode()).hexdigest()[:16]


def city_sensor(loaded: LoadedConfig, paths: Paths) -> dg.SensorDefinition:
    """Runs a city once its sources have changed and then stood still for one interval.

    What it finds first is what the city has; only later changes start a run. Files that are being copied change
    between two looks, and are waited for.
    """
    city = loaded.city

    def look(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        try:
            mark = sources_mark(loaded, paths)
        except RtmError as error:
            return dg.SensorResult(skip_reason=f"The sources can't be asked now: {error}", cursor=context.cursor)
        known = json.loads(context.cursor) if context.cursor else {"ran": mark, "seen": mark}
        cursor = json.dumps({"ran": known["ran"], "seen": mark})
        if mark == known["ran"]:
            return dg.SensorResult(skip_reason="No source has changed.", cursor=cursor)
        if mark != known["seen"]:
            return dg.SensorResult(skip_reason="Sources are changing; waiting until they stand still.", cursor=cursor)
        day = local_today(city.timezone).isoformat()
        request = dg.RunRequest(run_key=f"{day}-{mark}", tags={"city": city.name, TICK_TAG: day})
        return dg.SensorResult(run_requests=[request], cursor=json.dumps({"ran": mark, "seen": mark}))

    on = unattended() and city.watch
    return dg.SensorDefinition(
        name=f"{city.name}_sources_changed",
        evaluation_fn=look,
        job_name=job_name(city.name),
        minimum_interval_seconds=_WATCH_S,
        default_status=dg.DefaultSensorStatus.RUNNING if on else dg.DefaultSensorStatus.STOPPED,
        description=f"Runs {city.label} when its sources have changed (schedule.watch).",
    )


def failure_sensor(loaded: Sequence[LoadedConfig], paths: Paths) -> dg.SensorDefinition:
    """Tells people of runs that failed, whatever ended them: an error, a kill, a time limit."""
    cities = {config.city.name: config.city for config in loaded}

    @dg.run_failure_sensor(
        name="alert_on_failure",
        default_status=_status(),
        description="Sends an alert for every failed run of a city.",
    )
    def alert_on_failure(context: dg.RunFailureSensorContext) -> None:
        tags = context.dagster_run.tags
        city = cities.get(tags.get("city", ""))
        if city is None or CLI_TAG in tags:
            return
        reason = _reason(context)
        run = context.dagster_run.run_id
        night = last_night(paths.output, city.name)
        if night is None or night.run != run or night.state == "running":
            step = night.step if night is not None and night.run == run else "start"
            record_night(paths.output, city.name, state="failed", run=run, step=step, message=reason)
        send(failure_alert(city.name, city.label, reason), city.operations.alerts)

    return alert_on_failure


def failure_alert(city: str, label: str, reason: str) -> Alert:
    """What people are told of a night that failed."""
    return Alert(FAILURE, city, f"{label}: the night failed", f"{reason}\nThe release before stays current.")


def _reason(context: dg.RunFailureSensorContext) -> str:
    """Why a run failed: its steps' own words; where none failed (a lock, a lost worker), the run's."""
    lines = []
    for event in context.get_step_failure_events():
        lines.append(f"{event.step_key}: {_root_message(event.step_failure_data.error) or 'unknown'}")
    failed = context.failure_event
    return "\n".join(lines) or _root_message(failed.job_failure_data.error) or failed.message or "It did not say why."


def _root_message(error: Any) -> str:
    known = first_known(error)
    return str(known.message).strip() if known is not None else ""


def staleness_sensor(loaded: Sequence[LoadedConfig], paths: Paths) -> dg.SensorDefinition:
    """Looks every hour at the age and health of the releases of scheduled cities; tells of each change once."""

    def look(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        from rtm_pipeline.orchestration.upkeep.status import status_of

        before: Mapping[str, str] = json.loads(context.cursor) if context.cursor else {}
        now: dict[str, str] = {}
        for config in loaded:
            city = config.city
            if city.schedule_cron is None:
                continue
            status = status_of(paths.output, city.name, max_age=city.operations.fail)
            now[city.name] = status.state
            if status.exit_code and before.get(city.name) != status.state:
                title = f"{city.label}: the release is {status.state}"
                send(Alert(STALE, city.name, title, "\n".join(status.problems)), city.operations.alerts)
        states = ", ".join(f"{name} {state}" for name, state in now.items()) or "no scheduled city"
        return dg.SensorResult(skip_reason=states, cursor=json.dumps(now))

    return dg.SensorDefinition(
        name="watch_releases",
        evaluation_fn=look,
        minimum_interval_seconds=_AGE_S,
        default_status=_status(),
        description="Age and health of the releases of all scheduled cities.",
    )
