"""What the commands make of their arguments."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from rtm_pipeline.errors import ConfigError

if TYPE_CHECKING:
    from rtm_pipeline.config.load import LoadedConfig
    from rtm_pipeline.orchestration.paths import Paths

__all__ = ["date_of", "load_city"]


def load_city(
    config: str, config_dir: Path | None, output: str | None, data_dir: Path | None, assignments: list[str] | None
) -> tuple[LoadedConfig, Paths]:
    """The configuration that an argument names, with the assignments of ``--set``, and where everything lies."""
    from rtm_pipeline.config.load import find_config, load_config
    from rtm_pipeline.orchestration.paths import Paths

    paths = Paths.resolve(config_dir=config_dir, output=output, data_dir=data_dir)
    return load_config(find_config(config, paths.config_dir), assignments or ()), paths


def date_of(text: str | None, option: str) -> date | None:
    """A date as people write it; ConfigError names the option."""
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{option}: {text!r} is not a date; write it as 2026-01-31.") from None
