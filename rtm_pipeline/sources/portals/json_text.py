"""JSON of portals: numbers keep the digits that were sent, and every value becomes text in one way."""

from __future__ import annotations

import json

from rtm_pipeline.sources.values import json_text

__all__ = ["parse", "text_of"]


class _Number(float):
    """A number with a fraction that remembers how it was written; within JSON it is a number like any other."""

    __slots__ = ("written",)

    written: str

    def __new__(cls, written: str) -> _Number:
        number = super().__new__(cls, written)
        number.written = written
        return number


def parse(data: bytes) -> object:
    """Parse a JSON document.

    Raises
    ------
    ValueError
        If it is cut or otherwise not JSON; the message holds nothing of the document.
    """
    try:
        return json.loads(data, parse_float=_Number, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        position = f" at letter {error.pos:,}" if isinstance(error, json.JSONDecodeError) else ""
        raise ValueError(f"JSON that can't be read{position} of {len(data):,} bytes") from None


def text_of(value: object) -> str | None:
    """Value of a row as text: numbers as they were written, truth ``true``/``false``, objects as JSON, sorted keys."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, _Number):
        return value.written
    if isinstance(value, (dict, list)):
        return json_text(value)
    return str(value)


def _refuse(name: str) -> object:
    raise ValueError(name)
