"""How a city is run, as pydantic sees it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from rtm_pipeline.config.fields import DurationText, Strict

__all__ = ["OperationsModel"]


class FetchModel(Strict):
    """How patiently a portal is asked again after its reader gave up."""

    retries: int = Field(default=2, ge=0, le=10)
    """How often; 0 for never."""
    delay_seconds: float = Field(default=60, ge=0, le=3600)
    """Before the first repetition; doubled each time."""


class FreshnessModel(Strict):
    """Age of the release at which Dagster warns and fails."""

    warn: DurationText = "26h"
    """Age of a warning."""
    fail: DurationText = "36h"
    """Age of a failure."""


class RetentionModel(Strict):
    """How long things are kept."""

    releases: DurationText = "90d"
    """Releases that were current. The current one, and those that it is compared with, always stay."""
    experiments: DurationText = "14d"
    """Releases that never were current."""
    snapshots: DurationText = "90d"
    """Snapshots that no kept release names."""
    logs: DurationText = "30d"
    """Logs of runs."""
    events: DurationText = "90d"
    """Runs and events in Dagster's storage."""


class AlertsModel(Strict):
    """Whom to tell when a night fails, the release is stale or the forecast lost its verdict."""

    on: tuple[Literal["failure", "stale", "lost_verdict"], ...] = ("failure", "stale", "lost_verdict")
    """Of what to tell."""
    webhook_env: Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$")] = "RTM_ALERT_WEBHOOK"
    """Environment variable with the address; an address here would be a secret in a file."""
    command: tuple[Annotated[str, StringConstraints(min_length=1)], ...] = ()
    """Program and arguments, as [mail, -s, "{title}", gis@example.org]; it gets the text on standard input."""


class OperationsModel(Strict):
    """How a city is run; none of it changes a number."""

    fetch: FetchModel = FetchModel()
    """How patiently portals are asked again."""
    max_runtime: DurationText = "12h"
    """After how long a run is ended."""
    freshness: FreshnessModel = FreshnessModel()
    """Age of the release at which Dagster warns and fails."""
    retention: RetentionModel = RetentionModel()
    """How long things are kept."""
    alerts: AlertsModel = AlertsModel()
    """Whom to tell, and of what."""
