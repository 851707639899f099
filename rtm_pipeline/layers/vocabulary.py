"""Raw values -> canonical categories, as a portal spelled them in any year."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.layers.columns import TextColumns, factorize_rows
from rtm_pipeline.layers.spec import Categories

__all__ = ["Categorized", "categorize"]

OTHER = "other"
MOST_UNMAPPED_SHOWN = 10
LONGEST_SHOWN = 60


@dataclass(frozen=True, slots=True, eq=False)
class Categorized:
    """The categories of all rows.

    Attributes
    ----------
    codes : ndarray of int16, shape (n,)
        Index into ``names``; -1 where the row has no category.
    names : tuple of str
    unmapped : mapping of str to int
        The most frequent raw values without a category, with their rows.
    unused : tuple of str
        Declared raw values that no row has: renamed at the source, or misspelt here.
    """

    codes: NDArray[np.int16]
    names: tuple[str, ...]
    unmapped: dict[str, int]
    unused: tuple[str, ...]


def categorize(spec: Categories, columns: TextColumns) -> Categorized:
    """Look every row's value up in the vocabulary."""
    names = tuple(spec.names)
    combined, raw = _joined(spec, columns)
    lookup = _Lookup(spec)
    by_value = np.fromiter((lookup.find(value) for value in raw), np.int16, len(raw))
    codes = by_value[combined] if len(raw) else np.zeros(0, np.int16)
    rows = np.bincount(combined, minlength=len(raw))
    strangers = [(int(rows[i]), value) for i, value in enumerate(raw) if by_value[i] < 0]
    strangers.sort(key=lambda pair: (-pair[0], pair[1]))
    unmapped = {value[:LONGEST_SHOWN] or "(missing)": number for number, value in strangers[:MOST_UNMAPPED_SHOWN]}
    if spec.other == OTHER:
        if OTHER not in names:
            names = (*names, OTHER)
        codes = np.where(codes < 0, np.int16(names.index(OTHER)), codes)
    return Categorized(codes, names, unmapped, lookup.unused())


def _joined(spec: Categories, columns: TextColumns) -> tuple[NDArray[np.int64], list[str]]:
    """Number of each row's combination of values, and the combinations as text."""
    distinct = [columns.distinct(name) for name in spec.columns]
    combined = factorize_rows([column.codes for column in distinct])
    _, first = np.unique(combined, return_index=True)
    words = [[*column.values.to_pylist(), None] for column in distinct]
    raw = []
    for row in first:
        parts = [word[column.codes[row]] for word, column in zip(words, distinct, strict=True)]
        given = [part.rjust(spec.pad, "0") if spec.pad else part for part in parts if part is not None]
        raw.append(" / ".join(given))
    return combined, raw


class _Lookup:
    """Exact values first, then the longest prefix."""

    def __init__(self, spec: Categories) -> None:
        self._fold = str.casefold if spec.ignore_case else str
        self._exact: dict[str, int] = {}
        self._prefixes: list[tuple[str, int]] = []
        self._declared: dict[str, str] = {}
        self._seen: set[str] = set()
        for code, values in enumerate(spec.names.values()):
            for value in values:
                raw = self._fold(value.strip())
                self._declared[raw] = value
                if raw.endswith("*"):
                    self._prefixes.append((raw[:-1], code))
                else:
                    self._exact[raw] = code
        self._prefixes.sort(key=lambda pair: (-len(pair[0]), pair[0]))

    def find(self, value: str) -> int:
        raw = self._fold(value)
        code = self._exact.get(raw)
        if code is not None:
            self._seen.add(raw)
            return code
        for prefix, prefix_code in self._prefixes:
            if raw.startswith(prefix) and raw:
                self._seen.add(prefix + "*")
                return prefix_code
        return -1

    def unused(self) -> tuple[str, ...]:
        return tuple(value for raw, value in self._declared.items() if raw not in self._seen)
