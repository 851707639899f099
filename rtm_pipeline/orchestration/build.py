"""`build_defs`: every configuration in a folder becomes the assets, job and schedule of a city.

Explicit, no discovery: what is in the definitions is what this function puts there. A configuration that is broken
does not take the other cities down: it appears as a failing asset that says what is wrong.
"""

# No `from __future__ import annotations` here: see assets.py.

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg

from rtm_pipeline.config.load import LoadedConfig, load_config
from rtm_pipeline.errors import ConfigError, RtmError
from rtm_pipeline.orchestration.assets import ARTIFACTS, CLOCK, TRANSPORT, city_assets, lock_key
from rtm_pipeline.orchestration.io_manager import ArtifactIOManager
from rtm_pipeline.orchestration.locks import CityLock, city_lock
from rtm_pipeline.orchestration.paths import Paths
from rtm_pipeline.orchestration.step import Step
from rtm_pipeline.orchestration.steps import steps_of

__all__ = ["build_defs", "defs_of", "job_name"]

logger = logging.getLogger(__name__)


def build_defs(
    *,
    config_dir: Path | str | None = None,
    output: Path | str | None = None,
    data_dir: Path | str | None = None,
    strict: bool = False,
    resource_overrides: Mapping[str, Any] | None = None,
) -> dg.Definitions:
    """Definitions of all cities in a folder of configurations.

    Parameters
    ----------
    config_dir, output, data_dir : path, optional
        See `Paths.resolve`.
    strict : bool
        Raise on the first broken configuration instead of showing it as a failing asset.
    resource_overrides : mapping, optional
        Resource key -> replacement; tests pass fakes here: ``transport`` (a `rtm_pipeline.sources.transport.Transport`)
        and ``clock`` (a callable that gives the time, with its zone).

    Raises
    ------
    ConfigError
        A configuration is broken and ``strict`` is set, or two name the same city.
    """
    paths = Paths.resolve(config_dir=config_dir, output=output, data_dir=data_dir)
    loaded: list[LoadedConfig] = []
    broken: list[dg.AssetsDefinition] = []
    for path in sorted(paths.config_dir.glob("*.yaml")):
        try:
            config = load_config(path)
            twin = next((other for other in loaded if other.city.name == config.city.name), None)
            if twin is not None:
                raise ConfigError(f"{path} and {twin.path} both name the city '{config.city.name}'. Rename one.")
            loaded.append(config)
        except RtmError as error:
            if strict:
                raise
            logger.error("The configuration %s is left out: %s", path, error)
            broken.append(_broken_asset(path, str(error)))
    return defs_of(loaded, paths, extra_assets=broken, resource_overrides=resource_overrides)


def defs_of(
    loaded: Sequence[LoadedConfig],
    paths: Paths,
    *,
    extra_assets: Sequence[dg.AssetsDefinition] = (),
    resource_overrides: Mapping[str, Any] | None = None,
    loggers: Mapping[str, dg.LoggerDefinition] | None = None,
) -> dg.Definitions:
    """Definitions of the given cities."""
    steps = {config.city.name: steps_of(config.city) for config in loaded}
    assets = [asset for config in loaded for asset in city_assets(config, steps[config.city.name], paths)]
    jobs = [_job(config.city.name) for config in loaded]
    resources: dict[str, Any] = {ARTIFACTS: _io_manager(paths, steps), TRANSPORT: _transport(), CLOCK: _clock()}
    resources |= {lock_key(config.city.name): _lock(config.city.name, paths) for config in loaded}
    return dg.Definitions(
        assets=[*assets, *extra_assets],
        jobs=jobs,
        schedules=[schedule for config in loaded for schedule in _schedules(config)],
        resources=resources | dict(resource_overrides or {}),
        executor=dg.in_process_executor,
        loggers=loggers,
    )


def job_name(city: str) -> str:
    """Name of a city's nightly job."""
    return f"{city}_nightly"


def _job(city: str) -> Any:
    return dg.define_asset_job(
        job_name(city),
        selection=dg.AssetSelection.key_prefixes([city]),
        description=f"The whole pipeline of {city}: sources to release.",
        tags={"city": city},
    )


def _schedules(config: LoadedConfig) -> list[dg.ScheduleDefinition]:
    if config.city.schedule_cron is None:
        return []
    return [
        dg.ScheduleDefinition(
            name=f"{config.city.name}_every_night",
            job_name=job_name(config.city.name),
            cron_schedule=config.city.schedule_cron,
            execution_timezone=config.city.timezone,
            default_status=dg.DefaultScheduleStatus.STOPPED,
            tags={"city": config.city.name},
        )
    ]


def _io_manager(paths: Paths, steps: Mapping[str, Mapping[str, Step]]) -> dg.IOManagerDefinition:
    @dg.io_manager(description="Values between assets: written atomically, never mixed across settings.")
    def artifacts(_: dg.InitResourceContext) -> ArtifactIOManager:
        return ArtifactIOManager(paths, steps)

    return artifacts


def _transport() -> dg.ResourceDefinition:
    @dg.resource(description="The one way to portals: https, patient, bounded; its connections last for a run.")
    def transport(_: dg.InitResourceContext) -> Iterator[Any]:
        from rtm_pipeline.sources.transport import Transport

        way = Transport()
        try:
            yield way
        finally:
            way.close()

    return transport


def _clock() -> dg.ResourceDefinition:
    @dg.resource(description="The clock. Its time stands in snapshots and records, never in numbers.")
    def clock(_: dg.InitResourceContext) -> Callable[[], datetime]:
        return lambda: datetime.now(UTC)

    return clock


def _lock(city: str, paths: Paths) -> dg.ResourceDefinition:
    @dg.resource(description=f"One writer at a time for {city}; held for the length of a run.")
    def lock(_: dg.InitResourceContext) -> Iterator[CityLock]:
        with city_lock(paths.locks, city, paths.output) as held:
            yield held

    return lock


def _broken_asset(path: Path, message: str) -> dg.AssetsDefinition:
    name = "".join(c if c.isascii() and c.isalnum() else "_" for c in path.stem)

    @dg.asset(
        name=f"broken_{name}",
        group_name="broken_configurations",
        description=f"**{path.name} is broken.**\n\n{message}",
    )
    def broken() -> None:
        raise ConfigError(message)

    return broken
