"""What values that can't be read look like, and what to write in the configuration so that they can be."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["decimal_hint", "formats_hint", "shapes_of"]

MOST_SHAPES_SHOWN = 5
_DAYS = (
    (r"9{1,2}/9{1,2}/9999", ("%m/%d/%Y", "%d/%m/%Y")),
    (r"9{1,2}/9{1,2}/99", ("%m/%d/%y", "%d/%m/%y")),
    (r"9{1,2}-9{1,2}-9999", ("%m-%d-%Y", "%d-%m-%Y")),
    (r"9{1,2}\.9{1,2}\.9999", ("%d.%m.%Y",)),
    (r"9999/9{1,2}/9{1,2}", ("%Y/%m/%d",)),
    (r"9{1,2}-AAA-9999", ("%d-%b-%Y",)),
    (r"9{1,2}-AAA-99", ("%d-%b-%y",)),
    (r"AAA 9{1,2},? 9999", ("%b %d, %Y",)),
)
_CLOCKS = (
    (r"", ""),
    (r" 9{1,2}:99", " %H:%M"),
    (r" 9{1,2}:99:99", " %H:%M:%S"),
    (r" 9{1,2}:99:99\.9+", " %H:%M:%S.%f"),
    (r" 9{1,2}:99 AA", " %I:%M %p"),
    (r" 9{1,2}:99:99 AA", " %I:%M:%S %p"),
)
_EPOCHS = {"9" * 13: "epoch_ms", "9" * 10: "epoch_s", "99999999": "%Y%m%d"}
_COMMA = re.compile(r"^-?9{1,3}(\.?999)*,9+$")


def shapes_of(values: pa.StringArray) -> dict[str, int]:
    """The most frequent shapes of values, such as ``99/99/9999 99:99 AA``: enough to write a format, no value told."""
    digits = pc.replace_substring_regex(values, r"\d", "9")
    shapes = pc.value_counts(pc.utf8_slice_codeunits(pc.replace_substring_regex(digits, r"\pL", "A"), 0, 40))
    ranked = sorted(shapes.to_pylist(), key=lambda shape: (-shape["counts"], shape["values"]))
    return {shape["values"]: shape["counts"] for shape in ranked[:MOST_SHAPES_SHOWN]}


def formats_hint(shapes: Iterable[str]) -> str | None:
    """The ``formats`` that fit the shapes, as they are written in a configuration; None where none is known.

    Where day and month can't be told apart both are given.

    Examples
    --------
    >>> formats_hint(["99.9.9999", "9.9.9999"])
    'formats: ["%d.%m.%Y"]'
    >>> formats_hint(["99/99/9999 99:99 AA"])
    'formats: ["%m/%d/%Y %I:%M %p"] (or ["%d/%m/%Y %I:%M %p"], if the day comes first)'
    """
    found: list[str] = []
    other: list[str] = []
    for shape in shapes:
        ways = _ways(shape)
        found += [way for way in ways[:1] if way not in found]
        other += [way for way in ways[1:] if way not in other]
    if not found:
        return None
    return f"formats: {_listed(found)}" + (f" (or {_listed(other)}, if the day comes first)" if other else "")


def decimal_hint(shapes: Iterable[str]) -> bool:
    """Whether all shapes are of numbers with a decimal comma.

    Examples
    --------
    >>> decimal_hint(["999999,99", "9.999.999,9"]), decimal_hint(["999999,99", "A/A"])
    (True, False)
    """
    shapes = list(shapes)
    return bool(shapes) and all(_COMMA.match(shape) for shape in shapes)


def _ways(shape: str) -> tuple[str, ...]:
    if shape in _EPOCHS:
        return (_EPOCHS[shape],)
    for day, patterns in _DAYS:
        for clock, ending in _CLOCKS:
            if re.fullmatch(day + clock, shape):
                return tuple(pattern + ending for pattern in patterns)
    return ()


def _listed(patterns: list[str]) -> str:
    return "[" + ", ".join(p if p.startswith("epoch") else f'"{p}"' for p in patterns) + "]"
