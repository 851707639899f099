"""Neighborhoods as an edition may tell of them: numbers, reasons, hours, outline."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.grid.locate import area_shares
from rtm_pipeline.publication.content import PUBLIC, AreaPolygons, ReleaseContent
from rtm_pipeline.publication.editions.protected_counts import held_back
from rtm_pipeline.publication.editions.sexual_offenses import sexual_offenses
from rtm_pipeline.publication.editions.suppression import public_neighborhoods
from rtm_pipeline.publication.facts.hours import CountedRows, HourTable, counted_rows, hour_tables, whole_months
from rtm_pipeline.publication.facts.narrative import AreaReason, TermFacts, area_reasons, term_columns
from rtm_pipeline.publication.facts.words import days_of
from rtm_pipeline.publication.markup import document_id

__all__ = ["PlaceFacts", "Places", "places_of"]

LEVEL = "neighborhood"
SMALL = ("expected_incidents", "lots", "buildings", "open_311")
"""Columns of which the public edition holds small numbers back."""


@dataclass(frozen=True, slots=True)
class PlaceFacts:
    """One neighborhood.

    Numbers that are not known are None; those in ``hidden`` are known but too small to be shown in this edition.

    Attributes
    ----------
    id : str
        For file names and links.
    name, district : str
    area_km2, cells : float or None, int
    risk_mean, risk_high_share : float or None
        Mean relative risk score; share of its area among the 5 % of cells with the highest score.
    incidents : int or None
        Counted in the window that the model explains.
    expected : float or None
        Forecast, incidents a year.
    lots, buildings, open_311 : int or None
    hidden : frozenset of str
        Of ``incidents`` and `SMALL`.
    reasons : tuple of AreaReason
        What of the risk terrain is more common here than in the city.
    grant_rank : int or None
    top_factors, work : str
        What raises its forecast; funded or possible work.
    prevented : float or None
        Restricted edition: what the funded work prevents, incidents a year.
    hours : HourTable or None
    """

    id: str
    name: str
    district: str
    area_km2: float | None
    cells: int
    risk_mean: float | None
    risk_high_share: float | None
    incidents: int | None
    expected: float | None
    lots: int | None
    buildings: int | None
    open_311: int | None
    hidden: frozenset[str]
    reasons: tuple[AreaReason, ...]
    grant_rank: int | None
    top_factors: str
    work: str
    prevented: float | None
    hours: HourTable | None

    def holds_back(self, key: str) -> bool:
        """Whether a number (``incidents``, ``expected``, ``lots``, ``buildings``, ``open_311``) is not told here."""
        return ("expected_incidents" if key == "expected" else key) in self.hidden


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """All neighborhoods, by name.

    Attributes
    ----------
    places : tuple of PlaceFacts, length a
    polygons : ndarray of object, shape (a,)
        In the CRS of the grid.
    of_cell : ndarray of int32, shape (n_cells,)
        Index into ``places``, -1 for none.
    city_hours : HourTable or None
    city_incidents : int or None
        Counted in the study area.
    counted_on : str
        When, in words; the public edition counts whole calendar months.
    counts_withheld, forecast_withheld : str
        Why no count, no forecast is told by neighborhood; empty: they are told.
    """

    places: tuple[PlaceFacts, ...]
    polygons: NDArray[np.object_]
    of_cell: NDArray[np.int32]
    city_hours: HourTable | None
    city_incidents: int | None
    counted_on: str
    counts_withheld: str = ""
    forecast_withheld: str = ""

    @property
    def told(self) -> frozenset[str]:
        """Numbers that are told of at least one neighborhood."""
        keys = ("incidents", "expected", "lots", "buildings", "open_311")
        return frozenset(
            key
            for key in keys
            if any(not place.holds_back(key) and getattr(place, key) is not None for place in self.places)
        )


def places_of(content: ReleaseContent, edition: str, terms: Sequence[TermFacts]) -> Places | None:
    """The neighborhoods of an edition; None where the city has none."""
    areas = content.areas.get(LEVEL)
    if areas is None or not len(areas.names):
        return None
    areas = _sorted(areas)
    of_cell = area_shares(content.grid, list(areas.polygons)).largest
    n = len(areas.names)
    public = edition == PUBLIC
    window = whole_months(content.vintage.outcome) if public else content.vintage.outcome
    rows = counted_rows(content, window)
    withheld = sexual_offenses(content) if public else None
    told = rows if withheld is None or not withheld.counts_withheld else None
    counts = None if told is None else _counts(told, of_cell, n, public=public)
    few = np.zeros(n, bool)
    if public and counts is not None:
        few = held_back(counts.astype(np.float64), few)
    hours = None if rows is None else hour_tables(rows, of_cell, n, public=public, sums_told=~few)
    table, hidden = _public_rows(content) if public else (_rows(content), {})
    reasons = area_reasons(terms, term_columns(content, terms), of_cell, n)
    taken: set[str] = set()
    found = tuple(
        _place(
            document_id(name, taken, fallback="area"),
            name,
            table.get(name, {}),
            int(np.count_nonzero(of_cell == at)),
            None if counts is None else int(counts[at]),
            hidden.get(name, frozenset()) | (frozenset({"incidents"}) if few[at] else frozenset()),
            reasons[at],
            hours[at] if hours is not None and counts is not None else None,
        )
        for at, name in enumerate(areas.names)
    )
    return Places(
        found,
        areas.polygons,
        of_cell,
        hours[-1] if hours is not None else None,
        None if rows is None else int(rows.cell.size),
        days_of(window),
        "" if withheld is None else withheld.counts_withheld,
        "" if withheld is None else withheld.forecast_withheld,
    )


def _sorted(areas: AreaPolygons) -> AreaPolygons:
    """By name, polygons of one name together; those without a name are no neighborhood."""
    import shapely

    by_name: dict[str, list[Any]] = {}
    for name, polygon in zip(areas.names, areas.polygons, strict=True):
        if name and name.strip():
            by_name.setdefault(name, []).append(polygon)
    names = tuple(sorted(by_name, key=lambda name: (name.casefold(), name)))
    polygons = np.empty(len(names), dtype=object)
    for at, name in enumerate(names):
        parts = by_name[name]
        polygons[at] = parts[0] if len(parts) == 1 else shapely.union_all(parts)
    return AreaPolygons(areas.level, names, polygons)


def _counts(rows: CountedRows, of_cell: NDArray[np.int32], n: int, *, public: bool) -> NDArray[np.int64]:
    area = of_cell[rows.cell]
    told = (area >= 0) & ~(rows.city_only & public)
    return np.bincount(area[told], minlength=n).astype(np.int64)


def _rows(content: ReleaseContent) -> dict[str, dict[str, Any]]:
    """Rows of the table of areas by name."""
    table = content.tables.get("neighborhoods")
    rows = [] if table is None else table.to_pylist()
    return {str(row["area"]): row for row in rows if row.get("level") == LEVEL}


def _public_rows(content: ReleaseContent) -> tuple[dict[str, dict[str, Any]], dict[str, frozenset[str]]]:
    """The same rows as the public edition tells them everywhere, and which numbers of each it holds back."""
    everything = _rows(content)
    if not everything:
        return {}, {}
    told = {str(row["area"]): row for row in public_neighborhoods(content).to_pylist()}
    hidden = {
        name: frozenset(key for key in SMALL if row.get(key) is not None and told.get(name, {}).get(key) is None)
        for name, row in everything.items()
    }
    return told, hidden


def _place(
    identity: str,
    name: str,
    row: Mapping[str, Any],
    cells: int,
    incidents: int | None,
    hidden: frozenset[str],
    reasons: tuple[AreaReason, ...],
    hours: HourTable | None,
) -> PlaceFacts:
    def number(key: str) -> float | None:
        return _number(row.get(key))

    def whole(key: str) -> int | None:
        value = number(key)
        return None if value is None else round(value)

    return PlaceFacts(
        id=identity,
        name=name,
        district=str(row.get("district") or ""),
        area_km2=number("area_km2"),
        cells=cells,
        risk_mean=number("risk_mean"),
        risk_high_share=number("risk_high_share"),
        incidents=None if "incidents" in hidden else incidents,
        expected=number("expected_incidents"),
        lots=whole("lots"),
        buildings=whole("buildings"),
        open_311=whole("open_311"),
        hidden=hidden,
        reasons=reasons,
        grant_rank=whole("grant_rank"),
        top_factors=str(row.get("top_factors") or ""),
        work=str(row.get("recommended_work") or ""),
        prevented=number("expected_prevented"),
        hours=hours,
    )


def _number(value: Any) -> float | None:
    return None if value is None or not math.isfinite(float(value)) else float(value)
