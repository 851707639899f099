"""The JSON schema of a city's configuration, by which editors complete and check the file while it is written."""

from __future__ import annotations

from typing import Any

from rtm_pipeline.config.schema import CityModel

__all__ = ["SCHEMA_FILE", "config_schema", "editor_line"]

SCHEMA_FILE = "rtm.schema.json"


def config_schema() -> dict[str, Any]:
    """JSON schema (draft 2020-12) of the YAML file; every key has a description.

    It accepts what the loader accepts, the short forms included. What hangs together across keys (names that must
    exist, one kind of geometry) only ``rtm check`` knows.
    """
    schema = CityModel.model_json_schema(by_alias=True)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "City of rtm_pipeline",
        **{key: value for key, value in schema.items() if key != "title"},
    }


def editor_line(schema: str = SCHEMA_FILE) -> str:
    """First line of a configuration, by which editors with a YAML language server find the schema.

    Examples
    --------
    >>> editor_line()
    '# yaml-language-server: $schema=rtm.schema.json'
    """
    return f"# yaml-language-server: $schema={schema}"
