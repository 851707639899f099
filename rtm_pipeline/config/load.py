"""From a name or path to a validated configuration, and from stored settings back to a city."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from rtm_pipeline.config.city import City
from rtm_pipeline.config.document import Document, load_document
from rtm_pipeline.config.overrides import apply_overrides
from rtm_pipeline.config.problems import config_error, did_you_mean
from rtm_pipeline.config.references import check_references
from rtm_pipeline.config.resolve import resolve_city
from rtm_pipeline.config.schema import CityModel
from rtm_pipeline.errors import ConfigError

__all__ = ["LoadedConfig", "city_of", "find_config", "load_config"]


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """A valid configuration.

    Attributes
    ----------
    path : Path
        The file it was read from.
    settings : dict
        The whole resolved configuration as JSON values: defaults filled in, overrides applied.
    city : City
    overridden : bool
        Whether ``--set`` changed something.
    """

    path: Path
    settings: dict[str, Any]
    city: City
    overridden: bool


def find_config(name: str, config_dir: Path) -> Path:
    """The file for a name in ``config_dir``, or the path itself.

    Raises
    ------
    ConfigError
        Neither exists; the message lists the names that do.
    """
    if name.endswith((".yaml", ".yml")) or "/" in name:
        path = Path(name)
        if not path.is_file():
            raise ConfigError(f"There is no configuration file {path}.")
        return path
    path = config_dir / f"{name}.yaml"
    if not path.is_file():
        known = sorted(file.stem for file in config_dir.glob("*.yaml"))
        raise ConfigError(
            f"There is no configuration '{name}' in {config_dir}.{did_you_mean(name, known)} "
            f"There are: {', '.join(known) or 'none'}. A path to a YAML file works too."
        )
    return path


def load_config(path: Path, overrides: Sequence[str] = ()) -> LoadedConfig:
    """Read, override, validate and resolve one configuration.

    Raises
    ------
    ConfigError
        Anything is wrong; the message has file, line, key, what was found and what is allowed.
    """
    document = apply_overrides(load_document(path), overrides)
    model = _validate(document)
    check_references(document, model)
    try:
        city = resolve_city(model)
    except ConfigError as error:
        keys = tuple(str(error).partition(":")[0].split("."))
        raise ConfigError(f"{document.where(keys)}: {error}") from None
    return LoadedConfig(path, settings_of(model), city, overridden=bool(overrides))


def settings_of(model: CityModel) -> dict[str, Any]:
    """The model as JSON values that `city_of` reads back to an equal city."""
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


def city_of(settings: Mapping[str, Any]) -> City:
    """The city of stored settings."""
    document = Document(Path("settings"), dict(settings), {})
    model = _validate(document)
    check_references(document, model)
    return resolve_city(model)


def _validate(document: Document) -> CityModel:
    try:
        return CityModel.model_validate(document.values)
    except ValidationError as error:
        raise config_error(document, error, CityModel) from None
