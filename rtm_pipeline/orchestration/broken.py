"""Configurations that can't be loaded: shown as a failed check, so that the other cities run on."""

# No `from __future__ import annotations` here: see assets.py.

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from rtm_pipeline.errors import ConfigError

__all__ = ["CHECK", "BrokenConfig", "broken_assets", "broken_sensor"]

CHECK = "configuration_is_valid"
GROUP = "broken_configurations"


@dataclass(frozen=True, slots=True)
class BrokenConfig:
    """A file that names no city that could be run, and why."""

    path: Path
    message: str

    @property
    def key(self) -> dg.AssetKey:
        """Key of the asset that stands for it."""
        name = "".join(c if c.isascii() and c.isalnum() else "_" for c in self.path.stem)
        return dg.AssetKey(f"broken_{name}")


def broken_assets(broken: Sequence[BrokenConfig]) -> list[dg.AssetsDefinition]:
    """One asset a broken configuration, with its check; materializing it says again what is wrong."""
    return [_asset(one) for one in broken]


def _asset(one: BrokenConfig) -> dg.AssetsDefinition:
    @dg.asset(
        key=one.key,
        group_name=GROUP,
        description=f"**{one.path.name} is broken.**\n\n{one.message}",
        check_specs=[dg.AssetCheckSpec(CHECK, asset=one.key, description="The configuration can be loaded.")],
    )
    def stands_for_a_broken_configuration() -> dg.MaterializeResult:  # type: ignore[type-arg]
        raise ConfigError(one.message)

    return stands_for_a_broken_configuration


def broken_sensor(broken: Sequence[BrokenConfig]) -> dg.SensorDefinition:
    """Reports the failed check of every broken configuration, again whenever its message changes."""

    def report(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        told = json.loads(context.cursor) if context.cursor else {}
        now = {str(one.path): hashlib.sha256(one.message.encode()).hexdigest() for one in broken}
        events = [
            dg.AssetCheckEvaluation(
                asset_key=one.key,
                check_name=CHECK,
                passed=False,
                metadata={"file": dg.MetadataValue.path(str(one.path)), "what is wrong": one.message},
                severity=dg.AssetCheckSeverity.ERROR,
                description=one.message,
            )
            for one in broken
            if told.get(str(one.path)) != now[str(one.path)]
        ]
        return dg.SensorResult(asset_events=events, cursor=json.dumps(now))

    return dg.SensorDefinition(
        name="report_broken_configurations",
        evaluation_fn=report,
        minimum_interval_seconds=300,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Shows broken configurations as failed checks.",
    )
