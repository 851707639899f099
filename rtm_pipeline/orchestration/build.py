"""`build_defs`: every configuration in a folder becomes the assets, job and schedule of a city.

Explicit, no discovery: what is in the definitions is what this function puts there. A configuration that is broken
does not take the other cities down: it appears as an asset with a failed check that says what is wrong.
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
from rtm_pipeline.orchestration.broken import BrokenConfig, broken_assets, broken_sensor
from rtm_pipeline.orchestration.io_manager import ArtifactIOManager
from rtm_pipeline.orchestration.locks import CityLock, city_lock
from rtm_pipeline.orchestration.paths import Paths
from rtm_pipeline.orchestration.process import turns_folder
from rtm_pipeline.orchestration.step import Step
from rtm_pipeline.orchestration.steps.night import steps_of
from rtm_pipeline.orchestration.studies.whatif_job import whatif_job
from rtm_pipeline.orchestration.upkeep.maintenance_job import maintenance_job, maintenance_schedule
from rtm_pipeline.orchestration.upkeep.schedules import city_job, city_schedule
from rtm_pipeline.orchestration.upkeep.sensors import city_sensor, failure_sensor, staleness_sensor

__all__ = ["build_defs", "defs_of"]

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
        Raise on the first broken configuration instead of showing it as a failed check.
    resource_overrides : mapping, optional
        Resource key -> replacement; tests pass fakes here: ``transport`` (a
        `rtm_pipeline.sources.portals.transport.Transport`) and ``clock`` (a callable that gives the time, with its
        zone).

    Raises
    ------
    ConfigError
        A configuration is broken and ``strict`` is set, or two name the same city.
    """
    paths = Paths.resolve(config_dir=config_dir, output=output, data_dir=data_dir)
    loaded: list[LoadedConfig] = []
    broken: list[BrokenConfig] = []
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
            broken.append(BrokenConfig(path, str(error)))
    return defs_of(loaded, paths, broken=broken, resource_overrides=resource_overrides)


def defs_of(
    loaded: Sequence[LoadedConfig],
    paths: Paths,
    *,
    broken: Sequence[BrokenConfig] = (),
    resource_overrides: Mapping[str, Any] | None = None,
    loggers: Mapping[str, dg.LoggerDefinition] | None = None,
) -> dg.Definitions:
    """Definitions of the given cities."""
    steps = {config.city.name: steps_of(config.city) for config in loaded}
    assets = [asset for config in loaded for asset in city_assets(config, steps[config.city.name], paths)]
    resources: dict[str, Any] = {ARTIFACTS: _io_manager(paths, steps), TRANSPORT: _transport(), CLOCK: _clock()}
    jobs = [*(city_job(config.city) for config in loaded), maintenance_job(loaded, paths)]
    jobs += [whatif_job(config.city.name, paths) for config in loaded]
    schedules = [city_schedule(config.city) for config in loaded]
    sensors = [city_sensor(config, paths) for config in loaded]
    sensors += [failure_sensor(loaded, paths), staleness_sensor(loaded, paths)]
    resources |= {lock_key(config.city.name): _lock(config.city.name, paths) for config in loaded}
    return dg.Definitions(
        assets=[*assets, *broken_assets(broken)],
        jobs=jobs,
        schedules=[*(schedule for schedule in schedules if schedule is not None), maintenance_schedule()],
        sensors=[*sensors, *([broken_sensor(broken)] if broken else [])],
        resources=resources | dict(resource_overrides or {}),
        executor=dg.in_process_executor,
        loggers=loggers,
    )


def _io_manager(paths: Paths, steps: Mapping[str, Mapping[str, Step]]) -> dg.IOManagerDefinition:
    @dg.io_manager(description="Values between assets: written atomically, never mixed across settings.")
    def artifacts(_: dg.InitResourceContext) -> ArtifactIOManager:
        return ArtifactIOManager(paths, steps)

    return artifacts


def _transport() -> dg.ResourceDefinition:
    @dg.resource(description="The one way to portals: https, patient, bounded; its connections last for a run.")
    def transport(_: dg.InitResourceContext) -> Iterator[Any]:
        from rtm_pipeline.sources.portals.transport import Transport

        way = Transport(turns=turns_folder())
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
