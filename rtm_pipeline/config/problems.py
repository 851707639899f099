"""What pydantic found wrong -> sentences with file, line, key, what was found and what is allowed."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from rtm_pipeline.config.document import Document, KeyPath
from rtm_pipeline.errors import ConfigError

__all__ = ["config_error", "did_you_mean", "listed", "problem"]

MOST_SHOWN = 12
_IN_ADDRESSES = re.compile(r"(?<=://)[^/\s@]*@|(?<=[?#])[^\s'\"]+")
"""Users with passwords, and queries, which may hold tokens."""


def did_you_mean(found: str, allowed: Iterable[str]) -> str:
    """`` Did you mean 'x'?`` for the nearest allowed word, else an empty text."""
    near = difflib.get_close_matches(found, list(allowed), n=1, cutoff=0.6)
    return f" Did you mean '{near[0]}'?" if near else ""


def problem(document: Document, keys: KeyPath, text: str) -> str:
    """One line: place, key, what is wrong."""
    dotted = ".".join(str(key) for key in keys)
    return f"{document.where(keys)}: {dotted}: {text}" if dotted else f"{document.path}: {text}"


def config_error(document: Document, error: ValidationError, model: type[BaseModel]) -> ConfigError:
    """All problems of a configuration in one error, in the order of the file."""
    found: dict[str, tuple[int, str]] = {}
    for details in error.errors(include_url=False, include_context=True):
        keys, allowed = _path_in_file(document, details, model)
        if details["type"].startswith("union_tag"):
            keys = (*keys, "kind")
        line = problem(document, keys, _sentence(details, keys, allowed))
        found.setdefault(line, (document.line_of(keys) or 0, line))
    lines = [line for _, line in sorted(found.values())]
    return ConfigError(listed(lines))


def listed(lines: list[str]) -> str:
    """The problems, one a line, under a heading that counts them."""
    more = [f"... and {len(lines) - MOST_SHOWN} more."] if len(lines) > MOST_SHOWN else []
    head = "The configuration has a problem:" if len(lines) == 1 else f"The configuration has {len(lines)} problems:"
    return "\n  ".join([head, *lines[:MOST_SHOWN], *more])


def _path_in_file(document: Document, details: ErrorDetails, model: type[BaseModel]) -> tuple[KeyPath, list[str]]:
    """The keys as written in the file (pydantic adds tags of unions), and the keys allowed beside the last one."""
    keys: list[str | int] = []
    values: Any = document.values
    for part in details["loc"]:
        if _has(values, part):
            values = values[part]
        elif part is details["loc"][-1] and details["type"] in ("missing", "extra_forbidden"):
            pass
        else:
            continue
        keys.append(part)
    return tuple(keys), _allowed_keys(model, details["loc"][:-1])


def _has(values: Any, part: int | str) -> bool:
    if isinstance(values, list):
        return isinstance(part, int) and part < len(values)
    return isinstance(values, dict) and part in values


def _allowed_keys(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    schema = model.model_json_schema(by_alias=True)
    spots = [schema]
    for part in loc:
        spots = [step for spot in spots for step in _step(schema, spot, part)] or spots
    names = [name for spot in spots for flat in _alternatives(schema, spot) for name in flat.get("properties", {})]
    return list(dict.fromkeys(names))


def _alternatives(schema: dict[str, Any], spot: dict[str, Any]) -> list[dict[str, Any]]:
    if "$ref" in spot:
        return _alternatives(schema, schema["$defs"][spot["$ref"].rsplit("/", 1)[-1]])
    options = [*spot.get("anyOf", []), *spot.get("oneOf", [])]
    return [flat for option in options for flat in _alternatives(schema, option)] if options else [spot]


def _step(schema: dict[str, Any], spot: dict[str, Any], part: int | str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for flat in _alternatives(schema, spot):
        if isinstance(part, int):
            found += [flat["items"]] if isinstance(flat.get("items"), dict) else []
        elif part in flat.get("properties", {}):
            found.append(flat["properties"][part])
        elif isinstance(flat.get("additionalProperties"), dict):
            found.append(flat["additionalProperties"])
        elif isinstance(flat.get("patternProperties"), dict):
            found += list(flat["patternProperties"].values())
    # A discriminated union puts its tag into the path: keep only the model with that tag.
    if not found and isinstance(part, str):
        tagged = [
            f for f in _alternatives(schema, spot) if f.get("properties", {}).get("kind", {}).get("const") == part
        ]
        found += tagged
    return found


def _sentence(details: ErrorDetails, keys: KeyPath, allowed: list[str]) -> str:
    kind, found = details["type"], details.get("input")
    context = details.get("ctx") or {}
    last = str(keys[-1]) if keys else ""
    if kind == "extra_forbidden":
        return f"unknown key.{did_you_mean(last, allowed)} Allowed here: {', '.join(sorted(allowed))}."
    if kind == "missing":
        return (
            f"this key is missing. Allowed here: {', '.join(sorted(allowed))}." if allowed else "this key is missing."
        )
    if kind in ("literal_error", "enum", "union_tag_invalid"):
        expected = str(context.get("expected") or context.get("expected_tags"))
        value = found.get("kind") if isinstance(found, dict) else found
        words = [word.strip(" '") for word in expected.replace(" or ", ",").split(",")]
        return f"found {value!r}; allowed: {', '.join(words)}.{did_you_mean(str(value), words)}"
    if kind == "union_tag_not_found":
        return "the key 'kind' is missing; allowed: file, socrata, arcgis."
    if last.endswith("_env"):  # people write the secret itself here
        return "it must be the name of an environment variable, such as CITY_TOKEN. What stands here is not shown."
    if kind == "string_pattern_mismatch":
        return f"found {_short(found)}; it must match {context.get('pattern')}."
    if kind == "value_error":
        return f"found {_short(found)}: {str(context.get('error')).rstrip('.')}."
    if kind == "string_type" and isinstance(found, int) and last == "crs":
        return f"found {found}: say whose number it is, as in EPSG:{found}."
    return f"found {_short(found)}: {details['msg'][0].lower()}{details['msg'][1:]}."


def _short(value: object) -> str:
    text = repr(value)
    if "://" in text:
        text = _IN_ADDRESSES.sub("***", text)
    return text if len(text) <= 80 else text[:77] + "..."
