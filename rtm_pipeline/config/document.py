"""YAML text -> plain values, with the line of every key kept for messages.

The scalars are those of YAML 1.2: ``01`` stays the text "01" (a police code) and ``No`` stays a word, where YAML 1.1
would read the number 1 and the value false.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from rtm_pipeline.errors import ConfigError

__all__ = ["Document", "KeyPath", "load_document"]

KeyPath = tuple[str | int, ...]
MAX_BYTES = 1_000_000
MAX_NODES = 200_000


class _Loader(yaml.SafeLoader):
    """SafeLoader with the scalars of YAML 1.2."""


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("int", r"^[-+]?(?:0|[1-9][0-9]*)$", "-+0123456789"),
    ("float", r"^[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?$", "-+.0123456789"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list(_first))


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed YAML file.

    Attributes
    ----------
    path : Path
    values : dict
        The content as plain values.
    lines : dict
        Key path -> line number, 1-based.
    overridden : frozenset of tuple
        Key paths that ``--set`` gave; they stand in no line.
    """

    path: Path
    values: dict[str, Any]
    lines: dict[KeyPath, int]
    overridden: frozenset[KeyPath] = frozenset()

    def line_of(self, keys: KeyPath) -> int | None:
        """Line of a key, or of the nearest key above it that is written in the file."""
        for end in range(len(keys), 0, -1):
            if keys[:end] in self.lines:
                return self.lines[keys[:end]]
        return None

    def where(self, keys: KeyPath) -> str:
        """``file:line`` for messages, or ``--set``."""
        if any(keys[: len(given)] == given for given in self.overridden):
            return "--set"
        line = self.line_of(keys)
        return f"{self.path}:{line}" if line else f"{self.path}"


def load_document(path: Path) -> Document:
    """Read a YAML file.

    Raises
    ------
    ConfigError
        The file is missing, too large, no YAML, no mapping, or has a key twice.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"Can't read the configuration {path}: {error.strerror or error}.") from None
    if len(raw) > MAX_BYTES:
        raise ConfigError(f"{path} has {len(raw):,} bytes; a configuration has at most {MAX_BYTES:,}.")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text: {error}. Save it as UTF-8.") from None
    lines: dict[KeyPath, int] = {}
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is not None:
            if _size(node) > MAX_NODES:
                raise ConfigError(f"{path} refers to its own parts (*) too often; write at most {MAX_NODES:,} values.")
            _note_lines(node, (), lines, path)
        values = loader.construct_document(node) if node is not None else None
    except yaml.YAMLError as error:
        raise ConfigError(_yaml_message(path, error)) from None
    except RecursionError:
        raise ConfigError(f"{path} is nested too deeply or refers to itself.") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{path} must hold keys and values (schema, city, area, ...); found {type(values).__name__}.")
    return Document(path, values, lines)


def _yaml_message(path: Path, error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    place = f"{path}:{mark.line + 1}" if mark is not None else f"{path}"
    return f"{place}: this is not valid YAML: {problem}. Check the indentation, colons and quotes on this line."


def _size(root: yaml.Node) -> int:
    """Values of a document with every reference written out; they are counted only, since a few can mean billions.

    A reference to a part that it stands in itself counts as none here, and is refused later.
    """
    sizes: dict[int, int] = {}
    open_: set[int] = set()

    def size(node: yaml.Node) -> int:
        if id(node) in sizes or id(node) in open_:
            return sizes.get(id(node), 0)
        open_.add(id(node))
        parts = node.value if isinstance(node, yaml.SequenceNode) else ()
        if isinstance(node, yaml.MappingNode):
            parts = [part for pair in node.value for part in pair]
        sizes[id(node)] = 1 + sum(map(size, parts))
        return sizes[id(node)]

    return size(root)


def _note_lines(node: yaml.Node, keys: KeyPath, lines: dict[KeyPath, int], path: Path) -> None:
    if isinstance(node, yaml.MappingNode):
        seen: dict[Hashable, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise ConfigError(f"{path}:{line}: a key must be plain text.")
            if key.value in seen:
                raise ConfigError(
                    f"{path}:{line}: the key '{key.value}' stands twice (first on line {seen[key.value]}). Keep one."
                )
            seen[key.value] = line
            lines[(*keys, key.value)] = line
            _note_lines(value, (*keys, key.value), lines, path)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            lines[(*keys, index)] = value.start_mark.line + 1
            _note_lines(value, (*keys, index), lines, path)
