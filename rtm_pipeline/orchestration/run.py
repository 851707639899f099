"""Run a city's asset graph in this process: what `rtm run` does, with or without a Dagster instance."""

# No `from __future__ import annotations` here: see assets.py.

import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, TextIO

import dagster as dg

from rtm_pipeline import errors
from rtm_pipeline.config.load import LoadedConfig, city_of
from rtm_pipeline.orchestration.artifacts import ArtifactStore
from rtm_pipeline.orchestration.assets import SETTINGS
from rtm_pipeline.orchestration.build import defs_of
from rtm_pipeline.orchestration.failure_words import first_known, known_kinds
from rtm_pipeline.orchestration.home import recording_instance
from rtm_pipeline.orchestration.paths import Paths
from rtm_pipeline.orchestration.run_log import open_log
from rtm_pipeline.orchestration.studies.stored_night import stored_night
from rtm_pipeline.orchestration.upkeep.alerts import send
from rtm_pipeline.orchestration.upkeep.nights import STOPPED
from rtm_pipeline.orchestration.upkeep.schedules import job_name
from rtm_pipeline.orchestration.upkeep.sensors import CLI_TAG, failure_alert

__all__ = ["Failure", "RunReport", "StepEvent", "loaded_again", "run_city"]

LOGGER = "rtm_run"
DAGSTER_CHECK_FAILED = "DagsterAssetCheckFailedError"
DAGSTER_INTERRUPTED = dg.DagsterExecutionInterruptedError.__name__


@dataclass(frozen=True, slots=True)
class StepEvent:
    """A step began (``started``), ended (``done``) or failed (``failed``)."""

    step: str
    state: str
    total: int


@dataclass(frozen=True, slots=True)
class Failure:
    """What stopped the run, and the exit code that its kind asks for."""

    step: str
    kind: str
    message: str
    exit_code: int


@dataclass(frozen=True, slots=True)
class RunReport:
    """What a run left behind.

    Attributes
    ----------
    ok : bool
    failures : tuple of Failure
    value : callable
        Name of a step -> its value, for summaries.
    log_file : Path
    """

    ok: bool
    failures: tuple[Failure, ...]
    value: Callable[[str], Any]
    log_file: Path


class _RunLog(logging.Handler):
    """Writes every record to the run's log and tells a listener of steps that begin and end."""

    def __init__(self, file: TextIO, city: str, listen: Callable[[StepEvent], None] | None) -> None:
        super().__init__(logging.DEBUG)
        self._city, self._listen = city, listen
        self.total = 0
        self._file = file
        self._full = False
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        try:
            if not self._full:
                self._file.write(self.format(record) + "\n")
        except (OSError, ValueError):
            self._full = True  # what fills the disk stops the steps too, and is told by them
        event = getattr(record, "dagster_meta", {}).get("dagster_event")
        state = {"STEP_START": "started", "STEP_SUCCESS": "done", "STEP_FAILURE": "failed"}.get(
            getattr(event, "event_type_value", "")
        )
        if state and event is not None and self._listen and event.step_key:
            self._listen(StepEvent(event.step_key.removeprefix(f"{self._city}__"), state, self.total))


def run_city(
    loaded: LoadedConfig,
    paths: Paths,
    *,
    as_of: date | None = None,
    promote: bool = False,
    from_run: str | None = None,
    listen: Callable[[StepEvent], None] | None = None,
    resource_overrides: Mapping[str, Any] | None = None,
) -> RunReport:
    """Materialize every asset of one city, in process.

    With ``from_run`` (a run id; ``loaded`` must be `loaded_again` of it) a past night is run again from its snapshots.
    With ``DAGSTER_HOME`` set the run is recorded in that instance and appears in the UI; without it in none.

    Raises
    ------
    ConfigError
        The data folder that was named does not exist, the output can't be written, or the records of ``DAGSTER_HOME``
        can't be reached.
    """
    try:
        report = _run(loaded, paths, as_of, promote, from_run, listen, resource_overrides)
    except errors.RtmError as error:
        send(failure_alert(loaded.city.name, loaded.city.label, str(error)), loaded.city.operations.alerts)
        raise
    if not report.ok:
        reason = "\n".join(f"{failure.step}: {failure.message}" for failure in report.failures)
        alert = failure_alert(loaded.city.name, loaded.city.label, f"{reason}\nThe full log: {report.log_file}")
        send(alert, loaded.city.operations.alerts)
    return report


def _run(
    loaded: LoadedConfig,
    paths: Paths,
    as_of: date | None,
    promote: bool,
    from_run: str | None,
    listen: Callable[[StepEvent], None] | None,
    resource_overrides: Mapping[str, Any] | None,
) -> RunReport:
    city = loaded.city.name
    paths.data_for(city, loaded.path)
    fields: dict[str, Any] = {"promote": promote} | ({"as_of": as_of.isoformat()} if as_of else {})
    fields |= {"from_run": from_run} if from_run else {}
    with ExitStack() as stack:
        instance = stack.enter_context(recording_instance())
        run_log = stack.enter_context(open_log(paths, city))
        handler = _RunLog(run_log.stream, city, listen)

        def logger_of(_: dg.InitLoggerContext) -> logging.Logger:
            log = logging.Logger(LOGGER, logging.DEBUG)
            log.addHandler(handler)
            return log

        defs = defs_of(
            [loaded], paths, resource_overrides=resource_overrides, loggers={LOGGER: dg.LoggerDefinition(logger_of)}
        )
        job = defs.resolve_job_def(job_name(city))
        handler.total = len(job.graph.nodes)
        result = job.execute_in_process(
            instance=instance,
            run_config={
                "ops": {f"{city}__{SETTINGS}": {"config": fields}},
                "loggers": {LOGGER: {}},
            },
            tags={"city": city, CLI_TAG: "yes"},
            raise_on_error=False,
        )
    store = ArtifactStore(paths.artifacts, city)
    return RunReport(
        result.success, tuple(_failures(result.all_events, city)), lambda name: store.load(name).value, run_log.path
    )


def loaded_again(loaded: LoadedConfig, paths: Paths, run_id: str) -> tuple[LoadedConfig, str]:
    """The configuration of a past night, and its run id (``latest`` is looked up).

    Raises
    ------
    ConfigError
        There is no such release.
    """
    night = stored_night(paths.releases, loaded.city.name, run_id)
    # How the city is run and when is today's; everything that makes a number is of that night.
    settings = loaded.settings | night.config
    return LoadedConfig(loaded.path, settings, city_of(settings), overridden=False), night.run_id


def _failures(events: Sequence[dg.DagsterEvent], city: str) -> Iterator[Failure]:
    """What failed first-hand: steps that were skipped because of it are not told again."""
    failed_checks = [
        event.asset_check_evaluation_data
        for event in events
        if event.event_type_value == "ASSET_CHECK_EVALUATION" and not event.asset_check_evaluation_data.passed
    ]
    steps = [event for event in events if event.event_type_value == "STEP_FAILURE"]
    full = False
    for event in steps or [event for event in events if event.event_type_value in ("RUN_FAILURE", "PIPELINE_FAILURE")]:
        step = (event.step_key or "run").removeprefix(f"{city}__")
        data = event.step_failure_data if event in steps else event.job_failure_data
        error = first_known(data.error)
        kind = (error.cls_name if error else None) or "Error"
        if kind == errors.StorageError.__name__:
            if full:
                continue  # a disk that is full stops every step; it is told once
            full = True
        if kind == DAGSTER_CHECK_FAILED:
            for check in failed_checks:
                fatal = check.blocking and check.severity == dg.AssetCheckSeverity.ERROR
                if check.asset_key.path[-1] == step and fatal:
                    yield Failure(step, "check", f"{check.check_name}: {check.description}", 3)
        elif kind == DAGSTER_INTERRUPTED:
            yield Failure(step, kind, STOPPED, 130)
        else:
            yield Failure(step, kind, _text(error.message if error else "unknown", kind), _exit_code(kind))


def _text(message: str, kind: str) -> str:
    """The message of an error without the class name that Dagster puts before it."""
    return re.sub(rf"^(?:[A-Za-z_][\w.]*\.)?{re.escape(kind)}: ", "", message.strip())


def _exit_code(kind: str) -> int:
    known = known_kinds()
    return known[kind].exit_code if kind in known else 1
