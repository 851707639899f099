"""The register of treated sites: which program worked where, and when."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from rtm_pipeline.errors import ConfigError
from rtm_pipeline.priorities.register_rows import is_blank, register_rows

__all__ = ["TREATED_COLUMNS", "TreatedRecord", "read_treated", "treated_from_rows"]

TREATED_COLUMNS = ("site", "program", "started", "ended", "x", "y")
_NEEDED = TREATED_COLUMNS[:3]


@dataclass(frozen=True, slots=True)
class TreatedRecord:
    """One treated site.

    Attributes
    ----------
    site_id, program : str
    started, ended : date
        First day of the work, and the day after its last.
    x, y : float or None
        Place in CRS units, for sites that are in no inventory any more (a demolished house); None: looked up.
    """

    site_id: str
    program: str
    started: date
    ended: date
    x: float | None = None
    y: float | None = None


def treated_from_rows(rows: Iterable[Mapping[str, str]], where: str = "treated sites") -> tuple[TreatedRecord, ...]:
    """Records from rows with the columns ``site, program, started, ended, x, y`` (ISO dates; x and y may be empty).

    ``ended`` is the last day of the work; empty: it took one day.

    Raises
    ------
    ConfigError
        With the row's number: a missing value, a date or number that can't be read, an end before the start, a site
        that one program treats twice.
    """
    found: dict[tuple[str, str], TreatedRecord] = {}
    for number, row in enumerate(rows, start=1):
        if is_blank(row):
            continue
        text = {name: (row.get(name) or "").strip() for name in TREATED_COLUMNS}
        missing = [name for name in _NEEDED if not text[name]]
        if missing:
            raise ConfigError(f"{where}, row {number}: {', '.join(missing)} must be filled in.")
        try:
            started = date.fromisoformat(text["started"])
            last = date.fromisoformat(text["ended"]) if text["ended"] else started
        except ValueError as error:
            raise ConfigError(f"{where}, row {number}: dates are written 2026-03-31; {error}.") from None
        if last < started:
            raise ConfigError(f"{where}, row {number}: the work ended ({last}) before it started ({started}).")
        key = (text["site"], text["program"])
        if key in found:
            raise ConfigError(
                f"{where}, row {number}: site {key[0]} is in the register of program {key[1]} already. "
                "Give one row with its first and its last day."
            )
        x, y = (_number(text[name], f"{where}, row {number}: {name}") for name in ("x", "y"))
        if (x is None) != (y is None):
            raise ConfigError(f"{where}, row {number}: give both x and y, or neither.")
        found[key] = TreatedRecord(*key, started, date.fromordinal(last.toordinal() + 1), x, y)
    return tuple(found.values())


def _number(text: str, where: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ConfigError(f"{where} must be a number in the units of the city's CRS; found {text!r}.")
    return value


def read_treated(path: Path) -> tuple[TreatedRecord, ...]:
    """Records from a CSV file (UTF-8, with or without a byte-order mark); no file, no records."""
    if not path.exists():
        return ()
    return treated_from_rows(register_rows(path, _NEEDED), where=path.name)
