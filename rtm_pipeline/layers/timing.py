"""When the rows of a layer happened, from when on they were known, and when they ceased."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa

from rtm_pipeline.layers.account import Fate, Fates
from rtm_pipeline.layers.columns import TextColumns
from rtm_pipeline.layers.dates import NAT, Times, end_of_period, read_hours, read_times
from rtm_pipeline.layers.frame import Frame
from rtm_pipeline.layers.spec import DateSpec, LayerSpec
from rtm_pipeline.layers.value_shapes import shapes_of
from rtm_pipeline.units import Duration

__all__ = ["EARLIEST", "Timing", "read_timing"]

# 1900-01-01 is what many systems write for "unknown"; feeds hold rows dated there.
EARLIEST = np.datetime64("1900-01-02", "s")


@dataclass(frozen=True, slots=True, eq=False)
class Timing:
    """The times of n rows, all datetime64[s] of the city's wall clock.

    Attributes
    ----------
    time, known_at, until : ndarray, shape (n,)
        As in `rtm_pipeline.layers.layer.Layer`; NaT where not given or not usable.
    fates : ndarray of int8, shape (n,)
        Why a row's times can't be used; `Fate.KEPT` where they can.
    notes : mapping
        Counts of what was understood otherwise than written, and the shapes of dates that no format fits.
    """

    time: Times
    known_at: Times
    until: Times
    fates: Fates
    notes: Mapping[str, object]


def read_timing(spec: LayerSpec, columns: TextColumns, frame: Frame, fetched_at: datetime) -> Timing:
    """Read the dates of all rows.

    Parameters
    ----------
    spec : LayerSpec
    columns : TextColumns of n rows
    frame : Frame
    fetched_at : datetime
        When the snapshot was taken; what is dated later than the day after that (local) is an error.
    """
    notes: dict[str, object] = {}
    fates = np.full(len(columns), Fate.KEPT, np.int8)
    today = np.datetime64(frame.local_date(fetched_at), "s")
    time: Times = np.full(len(columns), NAT)
    if spec.date is not None:
        time, missing, unreadable = _read(spec.date, columns, frame, notes)
        _judge_dates(spec.date, fates, time, missing, unreadable, today)
        if not spec.date.required:
            notes["undated_rows"] = int(np.count_nonzero(missing | unreadable))
    known_at = _known_times(spec, columns, frame, time, today, fates, notes)
    until: Times = np.full(len(columns), NAT)
    if spec.until is not None:
        until = _read_until(spec.until, columns, frame, fates, notes)
    return Timing(time, known_at, until, fates, {name: number for name, number in notes.items() if number})


def _read(
    spec: DateSpec, columns: TextColumns, frame: Frame, notes: dict[str, object]
) -> tuple[Times, np.ndarray, np.ndarray]:
    """Times (n,), and which rows have no date and which an unreadable one."""
    column = columns.distinct(spec.column)
    times: Times = column.spread(read_times(column.values, spec.formats, frame.timezone), NAT).astype("datetime64[s]")
    missing = column.codes < 0
    unreadable = ~missing & np.isnat(times)
    if unreadable.any():
        notes[f"unreadable_{spec.column}"] = shapes_of(column.values.take(pa.array(column.codes[unreadable])))
    if spec.hour is not None:
        hours = columns.distinct(spec.hour)
        seconds = hours.spread(read_hours(hours.values), -1).astype(np.int64)
        known = seconds >= 0
        # The hour belongs to the date's day, whatever time of day an export filled in.
        with_hour = times.astype("datetime64[D]").astype("datetime64[s]") + np.where(known, seconds, 0)
        times = np.where(known, with_hour, times)
        notes["hour_missing_or_unreadable"] = int(np.count_nonzero(~known & ~missing))
    return times, missing, unreadable


def _judge_dates(
    spec: DateSpec, fates: Fates, time: Times, missing: np.ndarray, unreadable: np.ndarray, today: np.datetime64
) -> None:
    if spec.required:
        _set(fates, missing, Fate.NO_DATE)
        _set(fates, unreadable, Fate.UNREADABLE_DATE)
    earliest = EARLIEST if spec.earliest is None else np.datetime64(spec.earliest, "s")
    _set(fates, time < earliest, Fate.DATE_TOO_EARLY)
    # One day of grace: portals in other time zones, and rows entered around midnight.
    _set(fates, time >= today + np.timedelta64(2, "D"), Fate.DATE_IN_FUTURE)


def _known_times(
    spec: LayerSpec,
    columns: TextColumns,
    frame: Frame,
    time: Times,
    today: np.datetime64,
    fates: Fates,
    notes: dict[str, object],
) -> Times:
    rule = spec.known_at
    happened = end_of_period(time)
    if rule.column is not None:
        column = columns.distinct(rule.column)
        read = column.spread(read_times(column.values, rule.formats, frame.timezone), NAT).astype("datetime64[s]")
        missing = column.codes < 0
        _set(fates, missing, Fate.NO_KNOWN_AT)
        _set(fates, ~missing & np.isnat(read), Fate.UNREADABLE_KNOWN_AT)
        known: Times = end_of_period(read, rule.period)
    elif rule.fixed is not None:
        known = np.full(time.size, np.datetime64(rule.fixed + timedelta(days=1), "s"))
    else:
        # What has no date of its own is known since the day on which the snapshot was taken.
        known = np.where(np.isnat(time), today, _add(happened, rule.delay))
    # A date that is not believed says nothing about when a row was known.
    early = (known < happened) & (fates == Fate.KEPT)
    notes["known_before_it_happened"] = int(np.count_nonzero(early))
    return np.where(early, happened, known)


def _add(times: Times, delay: Duration | None) -> Times:
    if delay is None or delay.is_zero:
        return times
    if delay.unit in ("h", "d", "w"):
        return times + np.timedelta64(delay.value * {"h": 3600, "d": 86400, "w": 604800}[delay.unit], "s")
    # The same day of a later month, or that month's last.
    months = times.astype("datetime64[M]")
    day = times - months.astype("datetime64[s]")
    later = months + delay.value * (12 if delay.unit == "y" else 1)
    last = (later + 1).astype("datetime64[D]").astype("datetime64[s]") - np.timedelta64(1, "D")
    moved: Times = np.minimum(later.astype("datetime64[s]") + day, last)
    return moved


def _read_until(spec: DateSpec, columns: TextColumns, frame: Frame, fates: Fates, notes: dict[str, object]) -> Times:
    times, _, unreadable = _read(spec, columns, frame, notes)
    if spec.required:
        _set(fates, unreadable, Fate.UNREADABLE_UNTIL)
    else:
        notes["unreadable_until_taken_as_standing"] = int(np.count_nonzero(unreadable))
    earliest = EARLIEST if spec.earliest is None else np.datetime64(spec.earliest, "s")
    placeholder = times < earliest
    notes["placeholder_until_taken_as_standing"] = int(np.count_nonzero(placeholder))
    return end_of_period(np.where(placeholder, NAT, times))


def _set(fates: Fates, where: np.ndarray, fate: Fate) -> None:
    """Give a fate to rows that have none yet."""
    fates[where & (fates == Fate.KEPT)] = fate
