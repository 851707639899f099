"""The outcome by year of occurrence: what was located, what reversals took back, what lies in the study area.

Years are compared, and decayed, only after division by the share of rows that could be located, so that share is
published with them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rtm_pipeline.errors import SchemaError
from rtm_pipeline.layers.account import Fate
from rtm_pipeline.layers.frame import Frame
from rtm_pipeline.layers.reading import Reading, read_rows
from rtm_pipeline.layers.spec import LayerSpec

__all__ = [
    "LEAVE_OUT_BELOW",
    "WARN_BELOW",
    "LocatedShare",
    "OutcomeByYear",
    "Tally",
    "YearOfOutcome",
    "outcome_by_year",
]

WARN_BELOW = 0.85
LEAVE_OUT_BELOW = 0.70


@dataclass(frozen=True, slots=True)
class Tally:
    """Rows, and the distinct incidents among them."""

    rows: int
    incidents: int


@dataclass(frozen=True, slots=True)
class LocatedShare:
    """How many rows of a year (and category) have a place that is believed.

    Attributes
    ----------
    year : int
        Of occurrence.
    category : str or None
        None: all rows of the year.
    rows : int
        Dated rows, without reversals and the rows that they took back.
    usable : int
        Those with a place that is neither missing nor unreadable, implausible, swapped or a default geocode; a place
        outside the study area is one.
    """

    year: int
    category: str | None
    rows: int
    usable: int

    @property
    def share(self) -> float:
        """Usable rows as a share of all, in [0, 1]."""
        return self.usable / self.rows

    @property
    def verdict(self) -> str:
        """``ok``; ``warn`` below 85 %; ``leave_out`` below 70 %."""
        if self.share < LEAVE_OUT_BELOW:
            return "leave_out"
        return "warn" if self.share < WARN_BELOW else "ok"

    def as_note(self) -> dict[str, object]:
        """Plain JSON values."""
        return {"rows": self.rows, "usable": self.usable, "share": round(self.share, 4), "verdict": self.verdict}


@dataclass(frozen=True, slots=True)
class YearOfOutcome:
    """One year of the outcome. Each tally from ``located`` on is a part of the one before it.

    Attributes
    ----------
    year : int
        Of occurrence.
    wanted : Tally
        Rows that the layer wants and that do not take another back.
    unlocated : Tally
        Those of ``wanted`` without a readable place.
    located : Tally
        Those with one, wherever it is.
    standing : Tally
        Without rows that a reversal took back.
    inside : Tally
        In the study area.
    counted : Tally
        Not on a default geocode.
    reversals : int
        Rows that take another back, dated in this year.
    """

    year: int
    wanted: Tally
    unlocated: Tally
    located: Tally
    standing: Tally
    inside: Tally
    counted: Tally
    reversals: int


@dataclass(frozen=True, slots=True)
class OutcomeByYear:
    """What `rtm check --sources` prints about the outcome layer.

    Attributes
    ----------
    layer : str
    read : int
        Rows of the source.
    years : tuple of YearOfOutcome
        Ascending.
    shares : tuple of LocatedShare
        By year, then by year and category.
    undated : int
        Wanted rows without a usable date.
    netted, without_partner : int
        Rows taken back, and reversals that found none.
    """

    layer: str
    read: int
    years: tuple[YearOfOutcome, ...]
    shares: tuple[LocatedShare, ...]
    undated: int
    netted: int
    without_partner: int

    def year(self, year: int) -> YearOfOutcome:
        """The row of a year.

        Raises
        ------
        SchemaError
            If the layer has no row in that year.
        """
        for found in self.years:
            if found.year == year:
                return found
        years = ", ".join(str(found.year) for found in self.years)
        raise SchemaError(f"Layer {self.layer!r} has no row in {year}; it has rows in {years or 'no year'}.")

    def as_notes(self) -> dict[str, object]:
        """Plain JSON values."""
        return asdict(self) | {
            "shares": [{"year": s.year, "category": s.category} | s.as_note() for s in self.shares],
        }


def outcome_by_year(
    spec: LayerSpec, table: pa.Table, frame: Frame, *, source_crs: str | None, fetched_at: datetime
) -> OutcomeByYear:
    """Rows and distinct incidents of a layer by year of occurrence, step by step.

    Parameters are those of `rtm_pipeline.layers.build.build_layer`. Repeats by ``key`` are still among the rows here;
    incidents count them once.

    Raises
    ------
    SchemaError
        If the layer has no date, or a column is missing.
    """
    if spec.date is None:
        raise SchemaError(f"Layer {spec.name!r} has no date, so it can't be counted by year. Give it a date column.")
    reading = read_rows(spec, table, frame, source_crs=source_crs, fetched_at=fetched_at)
    year = _years(reading)
    dated = year > 0
    wanted = dated & ~reading.reversal
    located = wanted & reading.places.located
    standing = located & ~reading.netting.netted
    inside = standing & reading.places.inside
    counted = inside & ~reading.places.default_geocode
    masks = (wanted, wanted & ~reading.places.located, located, standing, inside, counted)
    years = np.unique(year[dated])
    tallies = [_tally(mask, year, reading.incident, years) for mask in masks]
    reversals = _count(year[reading.reversal & dated], years)
    return OutcomeByYear(
        layer=spec.name,
        read=table.num_rows,
        years=tuple(
            YearOfOutcome(*fields) for fields in zip(years.tolist(), *tallies, reversals.tolist(), strict=True)
        ),
        shares=(*located_shares(reading), *located_shares(reading, by_category=True)),
        undated=int(np.count_nonzero(~dated & ~reading.reversal)),
        netted=int(np.count_nonzero(reading.netting.netted)),
        without_partner=reading.netting.unpartnered,
    )


def located_shares(reading: Reading, *, by_category: bool = False) -> Iterator[LocatedShare]:
    """The located share of every year, or of every year and category, ascending."""
    names: tuple[str | None, ...] = (None,)
    group = np.zeros(reading.rows.size, np.int64)
    if by_category:
        names = reading.vocabulary.names if reading.vocabulary else ()
        group = reading.category.astype(np.int64)
    year = _years(reading)
    standing = (year > 0) & ~reading.reversal & ~reading.netting.netted & (group >= 0)
    pairs, cell = np.unique(np.column_stack([year, group])[standing], axis=0, return_inverse=True)
    rows = np.bincount(cell, minlength=len(pairs))
    usable = np.bincount(cell, weights=reading.places.usable[standing], minlength=len(pairs))
    for (which, number), all_, good in zip(pairs.tolist(), rows.tolist(), usable.tolist(), strict=True):
        yield LocatedShare(which, names[number], all_, int(good))


def _years(reading: Reading) -> NDArray[np.int64]:
    """Year of occurrence (n,); 0 where the date can't be used."""
    bad = np.isin(reading.timing.fates, [Fate.NO_DATE, Fate.UNREADABLE_DATE, Fate.DATE_TOO_EARLY, Fate.DATE_IN_FUTURE])
    bad |= np.isnat(reading.timing.time)
    years = reading.timing.time.astype("datetime64[Y]").astype(np.int64) + 1970
    return np.where(bad, 0, years)


def _tally(
    mask: NDArray[np.bool_], year: NDArray[np.int64], incident: NDArray[np.int64], years: NDArray[np.int64]
) -> list[Tally]:
    rows = _count(year[mask], years)
    distinct = np.unique(np.column_stack([year[mask], incident[mask]]), axis=0)[:, 0]
    return [Tally(int(a), int(b)) for a, b in zip(rows, _count(distinct, years), strict=True)]


def _count(year: NDArray[np.int64], years: NDArray[np.int64]) -> NDArray[np.int64]:
    """How often each of ``years`` (sorted) occurs."""
    return np.bincount(np.searchsorted(years, year), minlength=years.size)
