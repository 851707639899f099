"""Marks that `rtm new-city` leaves where only a person knows: a configuration that has one is not finished."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rtm_pipeline.config.document import Document, KeyPath

__all__ = ["PLACEHOLDER", "placeholders"]

PLACEHOLDER = "REPLACE_ME"


def placeholders(document: Document) -> list[tuple[str, str]]:
    """(``file:line``, dotted key) of every key or value that still holds the mark, in the order of the file."""
    spots = set(_spots(document.values, ()))
    ordered = sorted(spots, key=lambda keys: (document.line_of(keys) or 0, str(keys)))
    return [(document.where(keys), _named(keys)) for keys in ordered]


def _named(keys: KeyPath) -> str:
    """The dotted key; the only value of a list goes by the list's name, as a person would say it."""
    shown = keys[:-1] if len(keys) > 1 and keys[-1] == 0 else keys
    return ".".join(map(str, shown))


def _spots(value: Any, keys: KeyPath) -> Iterator[KeyPath]:
    if isinstance(value, dict):
        for key, item in value.items():
            if PLACEHOLDER in str(key):
                yield (*keys, key)
            else:
                yield from _spots(item, (*keys, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _spots(item, (*keys, index))
    elif PLACEHOLDER in str(value):
        yield keys
