"""Steps of a finished night made anew as of another date, from its layers: nothing is read and nothing is stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from rtm_pipeline.errors import ConfigError
from rtm_pipeline.orchestration.settings import Settings
from rtm_pipeline.orchestration.step import StepContext
from rtm_pipeline.orchestration.steps.night import steps_of

__all__ = ["remade"]


def remade(
    settings: Settings,
    as_of: date,
    wanted: Sequence[str],
    stored: Callable[[str], Any],
    *,
    data_dir: Path = Path(),
    output: Path = Path(),
) -> dict[str, Any]:
    """Values of the ``wanted`` steps, in order; what else they take comes from ``stored``.

    Raises
    ------
    ConfigError
        A blocking check of one of them fails at that date.
    """
    steps = steps_of(settings.city)
    context = StepContext(replace(settings, as_of=as_of), data_dir, output, "study")
    made: dict[str, Any] = {}
    for name in wanted:
        inputs = {key: made[key] if key in made else stored(key) for key in steps[name].inputs}
        result = steps[name].run(context, inputs)
        for check in result.checks:
            if not check.passed and steps[name].checks[check.name].blocking:
                raise ConfigError(f"As of {as_of}: {check.name}: {check.message}")
        made[name] = result.value
    return made
