"""``--set a.b=v``: changes to the document before it is validated, so that they may change anything it says."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import yaml

from rtm_pipeline.config.document import Document, KeyPath, _Loader
from rtm_pipeline.errors import ConfigError

__all__ = ["apply_overrides"]


def apply_overrides(document: Document, assignments: Sequence[str]) -> Document:
    """A document with ``assignments`` such as ``model.family=nb2`` applied; the file on disk is not touched.

    Values are read as YAML (``[a, b]`` is a list, ``null`` removes a default). Lists are addressed by index.
    """
    values = copy.deepcopy(document.values)
    given: set[KeyPath] = set()
    for assignment in assignments:
        path, equals, text = assignment.partition("=")
        if not equals or not path.strip():
            raise ConfigError(f"--set {assignment!r}: write key.path=value, as in --set model.family=nb2.")
        try:
            value = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader with fewer scalars
        except yaml.YAMLError:
            raise ConfigError(f"--set {assignment!r}: the value is not valid YAML.") from None
        given.add(_assign(values, path.strip().split("."), value, assignment))
    return Document(document.path, values, document.lines, frozenset(given))


def _assign(values: Any, path: list[str], value: Any, assignment: str) -> KeyPath:
    """Put the value where the path leads; the path, with numbers as indices of lists."""
    keys: list[str | int] = []
    for part in path[:-1]:
        key = _key(values, part, assignment)
        keys.append(key)
        if isinstance(values, dict) and not isinstance(values.get(part), dict | list):
            values[part] = {}
        values = values[key]
    last = _key(values, path[-1], assignment)
    values[last] = value
    return (*keys, last)


def _key(values: Any, part: str, assignment: str) -> str | int:
    return _index(values, part, assignment) if isinstance(values, list) else part


def _index(values: list[Any], part: str, assignment: str) -> int:
    if not part.isdigit() or int(part) >= len(values):
        raise ConfigError(f"--set {assignment!r}: {part!r} is not an index of a list of {len(values)}.")
    return int(part)
