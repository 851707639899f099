"""A snapshot -> a canonical layer, with an account of every row and the rows that were set aside."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from numpy.typing import NDArray

from rtm_pipeline.errors import GridError, SchemaError
from rtm_pipeline.layers.account import QUARANTINED, Fate, Fates, count_rows, describe_rows
from rtm_pipeline.layers.contracts import check_layer
from rtm_pipeline.layers.filters import passes
from rtm_pipeline.layers.frame import Frame
from rtm_pipeline.layers.layer import Layer, LayerCounts, LayerResult
from rtm_pipeline.layers.reading import Reading, read_rows
from rtm_pipeline.layers.repeats import link_repeats
from rtm_pipeline.layers.spec import LayerSpec
from rtm_pipeline.layers.unread import unread_words
from rtm_pipeline.layers.yearly import located_shares
from rtm_pipeline.sources.source_read import FILE, GEOMETRY, ROW

__all__ = ["build_layer"]

_log = logging.getLogger(__name__)
REASON = "_reason"
# Fewer rows with strange coordinates in a layer that may be empty are faults of rows, not of the configuration.
ROWS_THAT_TELL_A_CRS = 30


def build_layer(
    spec: LayerSpec,
    table: pa.Table,
    frame: Frame,
    *,
    source_crs: str | None,
    fetched_at: datetime,
    coverage: shapely.Geometry | None = None,
) -> LayerResult:
    """Read a layer out of a snapshot.

    Every row has one fate, the first that applies in this order:

    1. ``malformed_row`` (quarantined),
    2. not wanted: ``where``, then ``category`` (filtered) or ``unknown_category`` (quarantined),
    3. ``reversal`` (filtered): rows that take another back, and the rows they take back, whatever else is wrong with
       either,
    4. dates (quarantined): ``no_date``, ``unreadable_date``, ``date_too_early``, ``date_in_future``, ``no_known_at``,
       ``unreadable_known_at``, ``unreadable_until``,
    5. places (quarantined): ``no_location``, ``unreadable_location``, ``unsupported_geometry``, ``default_geocode``,
       ``swapped_coordinates``, ``implausible_location``, ``invalid_geometry``,
    6. ``outside_study_area`` (filtered),
    7. ``duplicate``: among what is left, rows whose key was seen; the row known first stays, among those known at the
       same time the first in the snapshot.

    As repeats come last, a row that can't be used never makes a good one a repeat, and without one row the account of
    all others is the same: ``read`` and one other count are lower by one (a reversal and the row it takes back go
    together).

    Parameters
    ----------
    spec : LayerSpec
    table : pyarrow.Table
        Snapshot: text columns (missing is null), ``_file`` and ``_row`` (where a row came from), ``_malformed`` (bool),
        and for vector sources ``geometry`` (WKB).
    frame : Frame
    source_crs : str or None
        CRS of ``geometry``.
    fetched_at : datetime
        When the snapshot was taken, with its time zone (UTC if none).
    coverage : shapely geometry, optional
        Where the layer is known, in the city's CRS; outside it the layer is unknown, not 0.

    Returns
    -------
    LayerResult
        The layer keeps the order of the snapshot. The quarantine holds the declared columns only (empty for malformed
        rows, whose values may stand in the wrong columns) and no other column of the source appears anywhere.

    Raises
    ------
    SchemaError
        If a column is missing, the account does not add up, the layer is empty without being allowed to, or it breaks
        its contract.
    ConfigError
        If a CRS or a date format is unknown.
    """
    _check_coverage(spec, coverage)
    reading = read_rows(spec, table, frame, source_crs=source_crs, fetched_at=fetched_at)
    decided = _decide(reading)
    decided[_repeats(spec, reading, decided)] = Fate.DUPLICATE
    fates = reading.early.copy()
    fates[reading.rows] = decided
    counts = count_rows(fates, layer=spec.name)
    notes = _notes(spec, reading, decided, coverage)
    _check_not_empty(spec, counts, notes)
    layer = _assemble(spec, reading, decided, frame, fetched_at, coverage)
    if spec.kind == "requests" and not spec.incident:
        layer = _link_requests(layer, frame)
        notes["repeats"] = len(layer) - int(np.unique(layer.incident).size)
    check_layer(layer, dated=spec.date is not None and spec.date.required)
    _log.info("layer %s: %s", spec.name, describe_rows(counts))
    return LayerResult(layer, counts, _quarantine(spec, table, fates), notes)


def _decide(reading: Reading) -> Fates:
    """The fate (n,) of each wanted row, but for repeats."""
    taken_back = reading.reversal | reading.netting.netted
    fates = np.where(reading.timing.fates == Fate.KEPT, reading.places.fates, reading.timing.fates)
    return np.where(taken_back, np.int8(Fate.REVERSAL), fates).astype(np.int8)


def _repeats(spec: LayerSpec, reading: Reading, decided: Fates) -> NDArray[np.int64]:
    """Wanted rows that repeat another that is kept."""
    kept = np.flatnonzero(decided == Fate.KEPT)
    if not spec.key:
        return kept[:0]
    identity = reading.columns.identity(spec.key)[kept]
    kept, identity = kept[identity >= 0], identity[identity >= 0]
    order = np.lexsort((kept, reading.timing.known_at[kept], identity))
    repeats: NDArray[np.int64] = kept[order[np.diff(identity[order], prepend=-1) == 0]]
    return repeats


def _assemble(
    spec: LayerSpec,
    reading: Reading,
    decided: Fates,
    frame: Frame,
    fetched_at: datetime,
    coverage: shapely.Geometry | None,
) -> Layer:
    flags = {name: passes(wanted, reading.columns) for name, wanted in spec.flags.items()}
    # Rows that a reversal took back later, and that would have been kept until then.
    stood = reading.netting.netted & (reading.timing.fates == Fate.KEPT) & (reading.places.fates == Fate.KEPT)
    until = reading.netting.reversed_at(reading.timing.known_at)
    stood &= until > reading.timing.known_at

    def take(rows: NDArray[np.int64], until: NDArray[np.datetime64], withdrawn: Layer | None) -> Layer:
        return Layer(
            name=spec.name,
            kind=spec.kind,
            origin=spec.origin,
            crs=frame.crs,
            x=reading.places.x[rows],
            y=reading.places.y[rows],
            geometry=None if reading.places.shapes is None else reading.places.shapes[rows],
            time=reading.timing.time[rows],
            known_at=reading.timing.known_at[rows],
            until=until[rows],
            category=reading.category[rows],
            category_names=reading.vocabulary.names if reading.vocabulary else (),
            incident=reading.incident[rows],
            flags={name: flag[rows] for name, flag in flags.items()},
            attributes=reading.columns.table.select(list(dict.fromkeys((*spec.keep, FILE, ROW)))).take(pa.array(rows)),
            history=spec.history.kind,
            history_reason=spec.history.reason,
            earliest_known=_earliest_known(spec, frame, fetched_at),
            coverage=coverage,
            inside=reading.places.inside[rows],
            withdrawn=withdrawn,
        )

    ended = np.fmin(until, reading.timing.until)
    withdrawn = take(np.flatnonzero(stood), ended, None) if stood.any() else None
    return take(np.flatnonzero(decided == Fate.KEPT), reading.timing.until, withdrawn)


def _link_requests(layer: Layer, frame: Frame) -> Layer:
    """Requests that repeat an earlier one of their kind belong to its incident."""
    link = link_repeats(layer.x, layer.y, layer.time, layer.category, unit_m=frame.unit_m)
    rows = np.arange(len(layer), dtype=np.int64)
    return replace(layer, incident=layer.incident[np.where(link >= 0, link, rows)])


def _earliest_known(spec: LayerSpec, frame: Frame, fetched_at: datetime) -> date | None:
    """The first date at which a layer counts whose rows do not say so themselves."""
    if spec.known_at.fixed is not None:
        return spec.known_at.fixed + timedelta(days=1)
    if spec.date is None and spec.known_at.column is None:
        return frame.local_date(fetched_at)
    return None


def _quarantine(spec: LayerSpec, table: pa.Table, fates: Fates) -> pa.Table:
    """Rows that were set aside, with their reason."""
    rows = np.flatnonzero(fates >= Fate.MALFORMED_ROW)
    names = [*spec.columns(), FILE, ROW]
    if spec.geometry.kind == "native":
        names.append(GEOMETRY)
    aside = table.select(list(dict.fromkeys(names))).take(pa.array(rows))
    # The values of a malformed row may stand in the wrong columns: a person's in a declared one.
    malformed = pa.array(fates[rows] == Fate.MALFORMED_ROW)
    for index, name in enumerate(aside.column_names):
        if name not in (FILE, ROW):
            blank = pa.nulls(len(rows), aside.column(name).type)
            aside = aside.set_column(index, name, pc.if_else(malformed, blank, aside.column(name)))
    reasons = {int(fate): fate.reason for fate in QUARANTINED}
    return aside.append_column(REASON, pa.array([reasons[int(fate)] for fate in fates[rows]], pa.string()))


def _notes(spec: LayerSpec, reading: Reading, decided: Fates, coverage: shapely.Geometry | None) -> dict[str, object]:
    kept = decided == Fate.KEPT
    notes: dict[str, object] = {
        "inside_study_area": int(np.count_nonzero(kept & reading.places.inside)),
        "in_buffer": int(np.count_nonzero(kept & ~reading.places.inside)),
        **reading.timing.notes,
        **reading.places.notes,
    }
    if spec.reversal is not None:
        late = reading.netting.reversed_at(reading.timing.known_at) > reading.timing.known_at
        notes["reversals"] = {
            "rows": int(np.count_nonzero(reading.reversal)),
            "netted": int(np.count_nonzero(reading.netting.netted)),
            "netted_later_than_known": int(np.count_nonzero(late)),
            "without_partner": reading.netting.unpartnered,
        }
    if reading.vocabulary is not None:
        names = reading.vocabulary.names
        rows = np.bincount(reading.category[kept], minlength=len(names))
        notes["categories"] = {name: int(number) for name, number in zip(names, rows, strict=True)}
        notes["unmapped_categories"] = dict(reading.vocabulary.unmapped)
        notes["unused_category_values"] = list(reading.vocabulary.unused)
    if coverage is not None:
        covered = shapely.intersects_xy(coverage, reading.places.x[kept], reading.places.y[kept])
        notes["outside_coverage"] = int(np.count_nonzero(~covered))
    if spec.date is not None:
        notes["located_share"] = {str(share.year): share.as_note() for share in located_shares(reading)}
    return notes


def _check_coverage(spec: LayerSpec, coverage: shapely.Geometry | None) -> None:
    if coverage is None:
        return
    if not isinstance(coverage, (shapely.Polygon, shapely.MultiPolygon)) or not coverage.is_valid or coverage.is_empty:
        raise GridError(
            f"Layer {spec.name!r}: its coverage must be a valid polygon in the city's CRS; found "
            f"{coverage.geom_type}: {shapely.is_valid_reason(coverage)}. Repair the coverage file."
        )


def _check_not_empty(spec: LayerSpec, counts: LayerCounts, notes: Mapping[str, object]) -> None:
    """Refuse an empty layer; one that may be empty only if its coordinates are plainly of another CRS."""
    wrong = sum(
        counts.quarantined.get(fate.reason, 0) for fate in (Fate.IMPLAUSIBLE_LOCATION, Fate.SWAPPED_COORDINATES)
    )
    wrong_crs = "coordinates_look_like" in notes and wrong >= ROWS_THAT_TELL_A_CRS
    if counts.kept or (spec.may_be_empty and not wrong_crs):
        return
    seen = f" The coordinates look like {notes['coordinates_look_like']}." if "coordinates_look_like" in notes else ""
    seen += "".join(f" {text}" for text in unread_words(spec, notes))
    raise SchemaError(
        f"Layer {spec.name!r} from source {spec.source!r} is empty: {describe_rows(counts)}.{seen} Check the source, "
        "the filter and the CRS of the layer, or say may_be_empty: true if that is how it is."
    )
