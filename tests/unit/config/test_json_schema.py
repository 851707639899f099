"""The editor's schema says of a configuration what the loader says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from rtm_pipeline.config.document import load_document
from rtm_pipeline.config.json_schema import config_schema

CONFIGS = sorted((Path(__file__).parents[3] / "configs").glob("*.yaml"))


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    found = config_schema()
    jsonschema.Draft202012Validator.check_schema(found)
    return found


@pytest.mark.parametrize("path", CONFIGS, ids=[path.stem for path in CONFIGS])
def test_every_configuration_fits_it(path: Path, schema: dict[str, Any]) -> None:
    errors = [
        f"{error.json_path}: {error.message[:200]}"
        for error in jsonschema.Draft202012Validator(schema).iter_errors(load_document(path).values)
    ]
    assert errors == []


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (("area", "cell_sise"), "250 ft"),
        (("outcome", "unit"), "incidents"),
        (("model", "alpha"), 5),
        (("city",), "Demo City"),
    ],
)
def test_what_the_loader_refuses_it_refuses(keys: tuple[str, ...], value: object, schema: dict[str, Any]) -> None:
    values = load_document(CONFIGS[0]).values
    spot = values
    for key in keys[:-1]:
        spot = spot[key]
    spot[keys[-1]] = value
    assert not jsonschema.Draft202012Validator(schema).is_valid(values)


def test_every_key_is_described(schema: dict[str, Any]) -> None:
    parts = {"": schema}
    for name, spot in schema["$defs"].items():
        parts |= {name: spot} | {f"{name} {number}": part for number, part in enumerate(spot.get("anyOf", []))}
    silent = [
        f"{name}.{key}"
        for name, part in parts.items()
        for key, field in part.get("properties", {}).items()
        # A whole section is described where it is defined.
        if "description" not in field | schema["$defs"].get(field.get("$ref", "").rpartition("/")[2], {})
    ]
    assert silent == []
