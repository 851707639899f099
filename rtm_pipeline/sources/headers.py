"""Which header of a file is which declared column."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rtm_pipeline.errors import ConfigError, SchemaError
from rtm_pipeline.sources.source_read import GEOMETRY, RESERVED
from rtm_pipeline.sources.spec import ColumnRequest

__all__ = ["HeaderMatch", "match_headers", "merge_requests", "near", "some_names"]

_BLANKS = re.compile(r"[\s\ufeff\u200b\u00a0]+")


@dataclass(frozen=True, slots=True)
class HeaderMatch:
    """Which column of a file holds which declared column.

    Attributes
    ----------
    positions : tuple of (str, int or None)
        (declared name, position of its header; None: not there and not required).
    renamed : tuple of (str, str)
        (declared name, header) where they differ.
    dropped : tuple of str
        Headers that nobody declared.
    absent : tuple of str
        Declared names without a header.
    """

    positions: tuple[tuple[str, int | None], ...]
    renamed: tuple[tuple[str, str], ...]
    dropped: tuple[str, ...]
    absent: tuple[str, ...]


def merge_requests(
    request: Sequence[ColumnRequest], aliases: Mapping[str, tuple[str, ...]], *, source: str, geometry: bool = False
) -> tuple[ColumnRequest, ...]:
    """Each declared column once, with all its alternative headers: those of its layers, then those of the source.

    Raises
    ------
    ConfigError
        If a declared name is one that the pipeline uses itself.
    """
    merged: dict[str, ColumnRequest] = {}
    for column in request:
        if column.name in RESERVED or (geometry and column.name == GEOMETRY):
            raise ConfigError(
                f"Source {source!r}: a declared column is named {column.name!r}, which the pipeline uses itself. "
                "Declare it under another name and give its header in the source's aliases."
            )
        known = merged.get(column.name)
        merged[column.name] = ColumnRequest(
            name=column.name,
            alternatives=(*(known.alternatives if known else ()), *column.alternatives),
            required=column.required or (known is not None and known.required),
        )
    return tuple(
        ColumnRequest(
            name=column.name,
            alternatives=tuple(dict.fromkeys((*column.alternatives, *aliases.get(column.name, ())))),
            required=column.required,
        )
        for column in merged.values()
    )


def match_headers(wanted: Sequence[ColumnRequest], headers: Sequence[str], *, where: str) -> HeaderMatch:
    """Find each declared column among the headers of one file.

    A header fits a name exactly, else if they differ only by case and blanks (a BOM counts as a blank). The name
    itself goes before its alternatives, in their order.

    Parameters
    ----------
    wanted : sequence of ColumnRequest
        From `merge_requests`.
    headers : sequence of str
        As they stand in the file. A header that stands there several times is spoken of as ``name (1)``, ``name (2)``.
    where : str
        Source and file, for messages.

    Raises
    ------
    SchemaError
        If a required column is missing, or a name fits several columns.
    """
    spoken = _spoken(headers)
    exact = {name: at for at, name in enumerate(spoken)}
    relaxed: dict[str, list[int]] = {}
    for at, name in enumerate(spoken):
        relaxed.setdefault(_relaxed(name), []).append(at)
    positions: list[tuple[str, int | None]] = []
    for column in wanted:
        place = _find(column, exact, relaxed, spoken, where)
        if place is None and column.required:
            raise SchemaError(_missing(column, headers, where))
        positions.append((column.name, place))
    used = {at for _, at in positions}
    return HeaderMatch(
        positions=tuple(positions),
        renamed=tuple((name, spoken[at]) for name, at in positions if at is not None and spoken[at] != name),
        dropped=tuple(name for at, name in enumerate(spoken) if name and at not in used),
        absent=tuple(name for name, at in positions if at is None),
    )


def near(name: str, names: Sequence[str]) -> str:
    """`` Did you mean 'x'?`` if one of ``names`` resembles ``name``, else nothing."""
    by_case = {other.casefold(): other for other in names}
    close = difflib.get_close_matches(name.casefold(), list(by_case), n=1, cutoff=0.6)
    if not close:
        return ""
    found = by_case[close[0]]
    quotes = " In YAML it needs quotes: else a # after a blank begins a comment." if " #" in found else ""
    return f" Did you mean {found!r}?{quotes}"


def some_names(names: Sequence[str], most: int = 60) -> str:
    """Names for a message: all of them, or as many as a person will read."""
    shown = ", ".join(repr(name) for name in names[:most]) or "none"
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")


def _spoken(headers: Sequence[str]) -> list[str]:
    stripped = [header.strip().strip("\ufeff").strip() for header in headers]
    times = Counter(stripped)
    seen: Counter[str] = Counter()
    spoken = []
    for name in stripped:
        seen[name] += 1
        spoken.append(f"{name} ({seen[name]})" if times[name] > 1 else name)
    return spoken


def _relaxed(name: str) -> str:
    return _BLANKS.sub(" ", name).strip().casefold()


def _find(
    column: ColumnRequest, exact: Mapping[str, int], relaxed: Mapping[str, list[int]], spoken: Sequence[str], where: str
) -> int | None:
    names = (column.name, *column.alternatives)
    for name in names:
        if name in exact:
            return exact[name]
    for name in names:
        fits = relaxed.get(_relaxed(name), [])
        repeated = f"{name} (1)" in exact
        if len(fits) > 1 or repeated:
            several = [spoken[at] for at in fits] if not repeated else [s for s in spoken if s.startswith(f"{name} (")]
            raise SchemaError(
                f"{where}: the column {column.name!r} fits {len(several)} headers: {some_names(several)}. "
                f"Say which one under the source's aliases, as in {column.name}: [{several[0]!r}]."
            )
        if fits:
            return fits[0]
    return None


def _missing(column: ColumnRequest, headers: Sequence[str], where: str) -> str:
    also = f" (nor under {some_names(column.alternatives)})" if column.alternatives else ""
    hint = next((hint for name in (column.name, *column.alternatives) if (hint := near(name, headers))), "")
    if not hint and len(headers) == 1:
        mark = next((mark for mark in ("\t", ";", "|", ",") if mark in headers[0]), None)
        hint = f" The header seems to be separated by {mark!r}: set the source's delimiter." if mark else ""
    return (
        f"{where}: the required column {column.name!r} is missing{also}. Headers found: {some_names(headers)}.{hint} "
        "If the column was renamed, add its new header under the source's aliases."
    )
