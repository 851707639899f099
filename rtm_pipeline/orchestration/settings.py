"""The one value that every other step reads its settings from, and what a launch may change in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from rtm_pipeline.config.city import City
from rtm_pipeline.config.load import city_of
from rtm_pipeline.errors import ConfigError
from rtm_pipeline.orchestration.studies.stored_night import PinnedSnapshot, StoredNight

__all__ = ["LAUNCH_FIELDS", "Settings", "identity_of", "launch_settings", "local_today"]

# Field of the launchpad -> path in the configuration.
LAUNCH_FIELDS: Mapping[str, tuple[str, ...]] = {
    "cell_size": ("area", "cell_size"),
    "outcome_window": ("outcome", "window"),
    "horizon": ("forecast", "horizon"),
    "family": ("model", "family"),
    "direction": ("model", "direction"),
}


@dataclass(frozen=True, slots=True)
class Settings:
    """The whole resolved configuration of one run.

    Attributes
    ----------
    config : dict
        As JSON values.
    as_of : date
        City-local: everything known before this day begins may be used, nothing later.
    promote : bool
        Whether the release becomes current although settings were changed.
    changed : tuple of str
        What was changed against the file on disk; such a run is an experiment.
    snapshots : mapping of str to PinnedSnapshot
        Source -> the stored snapshot that stands for it; empty: sources are read. Of a rerun of a past night.
    """

    config: dict[str, Any] = field(hash=False)
    as_of: date
    promote: bool = False
    changed: tuple[str, ...] = ()
    snapshots: Mapping[str, PinnedSnapshot] = field(default_factory=dict, hash=False)

    @property
    def city(self) -> City:
        """The configuration as frozen specs."""
        return _city(json.dumps(self.config, sort_keys=True))

    @property
    def identity(self) -> dict[str, Any]:
        """The configuration without what changes no number: how the city is run, and when."""
        return identity_of(self.config)


def identity_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration without what changes no number: how the city is run, and when."""
    return {name: value for name, value in config.items() if name not in ("operations", "schedule")}


@lru_cache(maxsize=64)
def _city(config: str) -> City:
    return city_of(json.loads(config))


def local_today(timezone: str) -> date:
    """Today's date where the city is."""
    return datetime.now(ZoneInfo(timezone)).date()


def launch_settings(
    config: Mapping[str, Any],
    *,
    overridden: bool,
    tick: date | None,
    fields: Mapping[str, Any],
    night: StoredNight | None = None,
) -> Settings:
    """Settings of a launch: the configuration, with the fields of the launchpad laid over it.

    Parameters
    ----------
    config : mapping
        Resolved configuration as JSON values (``--set`` is applied already).
    overridden : bool
        Whether ``--set`` changed it.
    tick : date, optional
        Local date of the schedule's tick.
    fields : mapping
        Fields of the launchpad that were filled in.
    night : StoredNight, optional
        Past night that is run again, from its own date and snapshots.

    Raises
    ------
    ConfigError
        A field has a value that the configuration does not allow.
    """
    if night is not None:
        return _again(config, night, fields)
    changed = ["--set"] if overridden else []
    merged: dict[str, Any] = json.loads(json.dumps(config))
    for name, path in LAUNCH_FIELDS.items():
        if fields.get(name) is not None:
            _lay(merged, path, fields[name])
            changed.append(name)
    if fields.get("max_influence") is not None:
        for factor in merged.get("factors", {}).values():
            factor["max_influence"] = fields["max_influence"]
        changed.append("max_influence")
    city = city_of(merged)
    as_of = city.as_of or tick or local_today(city.timezone)
    if fields.get("as_of"):
        try:
            as_of = date.fromisoformat(str(fields["as_of"]))
        except ValueError:
            raise ConfigError(f"as_of: {fields['as_of']!r} is not a date; write it as 2026-01-31.") from None
        changed.append("as_of")
    return Settings(merged, as_of, bool(fields.get("promote")), tuple(changed))


def _again(config: Mapping[str, Any], night: StoredNight, fields: Mapping[str, Any]) -> Settings:
    given = [name for name in (*LAUNCH_FIELDS, "max_influence", "as_of") if fields.get(name) is not None]
    if given:
        raise ConfigError(
            f"from_run takes the settings and the date of the night {night.run_id}; leave out {', '.join(given)}."
        )
    if identity_of(night.config) != identity_of(config):
        raise ConfigError(
            f"The configuration has changed since the night {night.run_id}. `rtm run CITY --from-run {night.run_id}` "
            "runs it again with the configuration of that night."
        )
    return Settings(
        dict(config), night.as_of, bool(fields.get("promote")), (f"from_run {night.run_id}",), night.snapshots
    )


def _lay(config: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for part in path[:-1]:
        config = config.setdefault(part, {})
    config[path[-1]] = value
