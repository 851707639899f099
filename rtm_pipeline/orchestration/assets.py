"""Steps -> Dagster assets. Each asset unwraps its resources, calls its step's function and attaches metadata."""

# No `from __future__ import annotations` here: Dagster reads the annotations of functions made in factories.

import os
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any

import dagster as dg
from pydantic import Field

from rtm_pipeline.config.load import LoadedConfig
from rtm_pipeline.errors import RtmError, SourceError
from rtm_pipeline.orchestration.paths import Paths
from rtm_pipeline.orchestration.settings import Settings, launch_settings
from rtm_pipeline.orchestration.step import CheckReport, Step, StepContext, StepResult
from rtm_pipeline.orchestration.steps.release import RELEASE
from rtm_pipeline.orchestration.studies.stored_night import stored_night
from rtm_pipeline.orchestration.upkeep.alerts import send
from rtm_pipeline.orchestration.upkeep.nights import STOPPED, record_night
from rtm_pipeline.orchestration.upkeep.ticks import tick_date
from rtm_pipeline.orchestration.upkeep.verdicts import current_verdict, lost_verdict_alert

__all__ = ["ARTIFACTS", "CLOCK", "SETTINGS", "TICK_TAG", "TRANSPORT", "LaunchFields", "city_assets", "lock_key"]

ARTIFACTS = "artifacts"
CLOCK = "clock"
TRANSPORT = "transport"
SETTINGS = "settings"
TICK_TAG = "rtm/as_of"
OWNERS = ["team:city-data"]
# In the order of the method: the boxes of a city's graph read from left to right.
STAGES = (
    SETTINGS,
    *("sources", "grid", "layers", "factors", "model", "surface", "evaluation", "priorities", "publication"),
)


class LaunchFields(dg.Config):
    """What may be changed for one launch. A launch with any of these is an experiment unless ``promote`` is set."""

    as_of: str | None = Field(None, description="Date up to which everything is known, as 2026-01-31.")
    cell_size: str | None = Field(None, description="Side of a grid cell, as '250 ft' or '100 m'.")
    max_influence: str | None = Field(None, description="Largest spatial influence of every factor, as '3 blocks'.")
    outcome_window: str | None = Field(None, description="Length of the outcome window, as '1y'.")
    horizon: str | None = Field(None, description="Horizon of the forecast, as '1y' or '14d'.")
    family: str | None = Field(None, description="auto, poisson, nb1 or nb2.")
    direction: str | None = Field(None, description="aggravating, protective or both.")
    from_run: str | None = Field(
        None, description="Run id of a release: that night again, from its stored snapshots; no source is read."
    )
    promote: bool = Field(False, description="Make this release current although settings were changed.")


def city_assets(loaded: LoadedConfig, steps: Mapping[str, Step], paths: Paths) -> list[dg.AssetsDefinition]:
    """All assets of a city: the settings, then one for each step."""
    return [_settings_asset(loaded, paths), *(_step_asset(loaded, step, paths) for step in steps.values())]


def group_of(city: str, stage: str) -> str:
    """Group of a stage's assets, numbered so that lists show the stages in their order.

    Examples
    --------
    >>> group_of("kansas_city", "layers")
    'kansas_city_3_layers'
    """
    return f"{city}_{STAGES.index(stage)}_{stage}"


def lock_key(city: str) -> str:
    """Resource key of a city's lock."""
    return f"{city}_lock"


def _settings_asset(loaded: LoadedConfig, paths: Paths) -> dg.AssetsDefinition:
    city = loaded.city

    @dg.asset(
        name=SETTINGS,
        key_prefix=[city.name],
        group_name=group_of(city.name, SETTINGS),
        description="The whole resolved configuration of the run. Every other asset reads its settings from here.",
        kinds={"yaml"},
        tags={"rtm/stage": "settings"},
        owners=OWNERS,
        io_manager_key=ARTIFACTS,
        required_resource_keys={lock_key(city.name)},
    )
    def settings(context: dg.AssetExecutionContext, config: LaunchFields) -> dg.MaterializeResult:  # type: ignore[type-arg]
        record_night(paths.output, city.name, state="running", run=context.run.run_id, step=SETTINGS)
        tick = context.run.tags.get(TICK_TAG) or _tick_date(context.run.tags, city.timezone)
        value = launch_settings(
            loaded.settings,
            overridden=loaded.overridden,
            tick=date.fromisoformat(tick) if tick else None,
            fields=config.model_dump(),
            night=stored_night(paths.releases, city.name, config.from_run) if config.from_run else None,
        )
        return dg.MaterializeResult(
            value=value,
            metadata={
                "as_of": str(value.as_of),
                "changed": ", ".join(value.changed) or "nothing",
                "configuration": dg.MetadataValue.json(value.config),
                "file": dg.MetadataValue.path(str(loaded.path)),
            },
        )

    return settings


def _tick_date(tags: Mapping[str, str], timezone: str) -> str | None:
    """Local date of the schedule's tick, which a late or repeated run keeps."""
    scheduled = tags.get("dagster/scheduled_execution_time")
    return tick_date(datetime.fromisoformat(scheduled), timezone) if scheduled else None


def _step_asset(loaded: LoadedConfig, step: Step, paths: Paths) -> dg.AssetsDefinition:
    city = loaded.city
    key = dg.AssetKey([city.name, step.name])

    @dg.asset(
        name=step.name,
        key_prefix=[city.name],
        ins={name: dg.AssetIn(key=dg.AssetKey([city.name, name])) for name in (SETTINGS, *step.inputs)},
        group_name=group_of(city.name, step.group),
        description=step.description,
        kinds=set(step.kinds),
        tags={"rtm/stage": step.group},
        owners=OWNERS,
        io_manager_key=ARTIFACTS,
        required_resource_keys={lock_key(city.name), CLOCK, *((TRANSPORT,) if step.live else ())},
        pool=step.pool,
        retry_policy=_retry_policy(loaded, step),
        freshness_policy=_freshness(loaded, step),
        check_specs=[
            dg.AssetCheckSpec(name=name, asset=key, description=check.description, blocking=check.blocking)
            for name, check in step.checks.items()
        ],
    )
    def run_step(context: dg.AssetExecutionContext, **inputs: Any) -> Iterator[dg.MaterializeResult]:  # type: ignore[type-arg]
        getattr(context.resources, lock_key(city.name)).ensure_held()
        settings: Settings = inputs.pop(SETTINGS)
        step_context = StepContext(
            settings=settings,
            data_dir=paths.data_for(city.name, loaded.path),
            output=paths.output,
            run_id=context.run.run_id,
            transport=context.resources.transport if step.live else None,
            now=context.resources.clock,
        )
        result = _run(step, step_context, inputs)
        yield dg.MaterializeResult(
            value=result.value,
            metadata=dict(result.metadata),
            check_results=[_check_result(report, step, key) for report in result.checks],
        )

    return run_step


def _run(step: Step, context: StepContext, inputs: Mapping[str, Any]) -> StepResult:
    """Run a step and keep a record of how far the night came, and why it came no further."""
    output, city = context.output, context.city.name
    record_night(output, city, state="running", run=context.run_id, step=step.name)
    before = current_verdict(output, city) if step.name == RELEASE else None
    try:
        result = step.run(context, inputs)
    except dg.DagsterExecutionInterruptedError:
        record_night(output, city, state="failed", run=context.run_id, step=step.name, message=STOPPED)
        raise
    except Exception as error:
        record_night(output, city, state="failed", run=context.run_id, step=step.name, message=str(error))
        if isinstance(error, RtmError) and not isinstance(error, SourceError):
            # Only a portal may answer better the next time; a wrong setting or schema stays wrong.
            raise dg.Failure(str(error), allow_retries=False) from error
        raise
    failed = [report for report in result.checks if not report.passed and _blocks(report, step)]
    if failed:
        message = "; ".join(f"{report.name}: {report.message}" for report in failed)
        record_night(output, city, state="failed", run=context.run_id, step=step.name, message=message)
    elif step.name == RELEASE:
        record_night(output, city, state="done", run=context.run_id, step=step.name)
        if result.value.promoted:
            alert = lost_verdict_alert(context.city, before, current_verdict(output, city))
            if alert is not None:
                send(alert, context.city.operations.alerts)
    return result


def _retry_policy(loaded: LoadedConfig, step: Step) -> dg.RetryPolicy | None:
    """Portals are asked again, each time after twice the wait; everything else fails at once."""
    city = loaded.city
    named = os.environ.get("RTM_FETCH_RETRIES", "")
    retries = int(named) if named.isdigit() else city.operations.fetch_retries
    if step.pool is None or retries == 0:  # only portals have a pool
        return None
    return dg.RetryPolicy(
        max_retries=retries,
        delay=city.operations.fetch_delay_s,
        backoff=dg.Backoff.EXPONENTIAL,
        jitter=dg.Jitter.PLUS_MINUS,
    )


def _freshness(loaded: LoadedConfig, step: Step) -> dg.FreshnessPolicy | None:
    """The published surface of a city with a schedule must not grow old."""
    spec = loaded.city.operations
    if step.name != RELEASE or loaded.city.schedule_cron is None:
        return None
    return dg.FreshnessPolicy.time_window(fail_window=spec.fail, warn_window=spec.warn)


def _blocks(report: CheckReport, step: Step) -> bool:
    return step.checks[report.name].blocking and not report.warns


def _check_result(report: CheckReport, step: Step, key: dg.AssetKey) -> dg.AssetCheckResult:
    severity = dg.AssetCheckSeverity.ERROR if _blocks(report, step) else dg.AssetCheckSeverity.WARN
    return dg.AssetCheckResult(
        check_name=report.name,
        asset_key=key,
        passed=report.passed,
        severity=severity,
        description=report.message,
        metadata=dict(report.metadata),
    )
