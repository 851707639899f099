"""How the end of a thing is written where only the writing of its beginning is told."""

from __future__ import annotations

from typing import Any

__all__ = ["formats_of_the_date"]


def formats_of_the_date(layer: Any) -> Any:
    """The raw part of a layer, with the formats of ``date`` (and iso) for an ``until`` that says none.

    Anything that is not shaped as a layer is handed back as it is: the schema says what is wrong with it.
    """
    if not isinstance(layer, dict):
        return layer
    date, until = layer.get("date"), layer.get("until")
    until = {"column": until} if isinstance(until, str) else until
    if not isinstance(date, dict) or "formats" not in date or not isinstance(until, dict) or "formats" in until:
        return layer
    formats = date["formats"] if isinstance(date["formats"], list | tuple) else [date["formats"]]
    return layer | {"until": until | {"formats": [*formats, *(["iso"] if "iso" not in formats else [])]}}
