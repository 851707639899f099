"""How a city is run: retries, freshness, retention and alerts. Nothing here may change a number of a release."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from rtm_pipeline.config.schema_operations import OperationsModel
from rtm_pipeline.errors import ConfigError
from rtm_pipeline.units import Duration

__all__ = ["AlertsSpec", "OperationsSpec", "RetentionSpec", "resolve_operations", "span_of"]


@dataclass(frozen=True, slots=True)
class RetentionSpec:
    """How long things are kept; what is current or named by something kept always stays.

    Attributes
    ----------
    releases : timedelta
        Releases that are or were current, by their ``as_of`` against that of the current one.
    experiments : timedelta
        Releases that never were current, by the time at which they were written.
    snapshots : timedelta
        Snapshots that no kept release names, by the time at which they were last read.
    logs : timedelta
        Logs of runs, and artifacts of steps that the configuration no longer has.
    events : timedelta
        Dagster's runs with their event logs.
    """

    releases: timedelta
    experiments: timedelta
    snapshots: timedelta
    logs: timedelta
    events: timedelta


@dataclass(frozen=True, slots=True)
class AlertsSpec:
    """Whom to tell, and of what.

    Attributes
    ----------
    on : tuple of str
        Of ``failure``, ``stale``, ``lost_verdict``.
    webhook_env : str
        Environment variable with the address that alerts are posted to; none is posted while it is unset.
    command : tuple of str
        Program and arguments that get the text on standard input; ``{title}``, ``{city}`` and ``{kind}`` are replaced.
    """

    on: tuple[str, ...]
    webhook_env: str
    command: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OperationsSpec:
    """How a city is run.

    Attributes
    ----------
    fetch_retries : int
        How often the reading of a portal is tried again.
    fetch_delay_s : float
        Seconds before the first repetition; doubled each time.
    max_runtime, warn, fail : timedelta
        After how long a run is ended, and at what age a release is stale for Dagster's freshness.
    """

    fetch_retries: int
    fetch_delay_s: float
    max_runtime: timedelta
    warn: timedelta
    fail: timedelta
    retention: RetentionSpec
    alerts: AlertsSpec


def span_of(text: str) -> timedelta:
    """A duration as a plain length of time (a year of 365.25 days, a month of 30.4375)."""
    return timedelta(days=Duration.parse(text).approximate_days)


def resolve_operations(model: OperationsModel) -> OperationsSpec:
    """The operations of a validated configuration.

    Raises
    ------
    ConfigError
        Freshness fails before it warns, or releases would go before the night that they are compared with.
    """
    keep = model.retention
    spec = OperationsSpec(
        fetch_retries=model.fetch.retries,
        fetch_delay_s=model.fetch.delay_seconds,
        max_runtime=span_of(model.max_runtime),
        warn=span_of(model.freshness.warn),
        fail=span_of(model.freshness.fail),
        retention=RetentionSpec(
            releases=span_of(keep.releases),
            experiments=span_of(keep.experiments),
            snapshots=span_of(keep.snapshots),
            logs=span_of(keep.logs),
            events=span_of(keep.events),
        ),
        alerts=AlertsSpec(tuple(model.alerts.on), model.alerts.webhook_env, model.alerts.command),
    )
    if spec.warn >= spec.fail:
        raise ConfigError("operations.freshness: warn must be a shorter time than fail, such as 26h and 36h.")
    if spec.retention.releases < timedelta(days=15):
        raise ConfigError(
            f"operations.retention.releases: {keep.releases} is too short; every night is compared with the release of "
            "14 days before. Keep at least 15d."
        )
    return spec
