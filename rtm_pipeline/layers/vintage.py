"""A layer as it was known at a date. Every cut-off is a local midnight.

These few functions are the only place where "known by then" is decided, for factors and outcomes, nightly runs and
backtests alike.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rtm_pipeline.errors import ConfigError, ModelError
from rtm_pipeline.layers.layer import Layer
from rtm_pipeline.sources.source_read import FILE, ROW
from rtm_pipeline.units import Duration, Window

__all__ = ["as_known", "assert_known", "count_unit", "in_lookback", "measured_lag", "rows_known", "select_rows"]

Mask = NDArray[np.bool_]
UNITS = ("incident", "offence")
LAG_SHARE = 0.95
LAG_OVER = Duration(1, "y")
LAG_SETTLED = Duration(3, "mo")


def rows_known(layer: Layer, at: date, *, assume_history: bool = False) -> Mask:
    """Rows (n,) that count at the midnight that begins ``at``: known by then and not ceased by then.

    Parameters
    ----------
    layer : Layer
    at : date
    assume_history : bool
        Take a layer whose history is only assumed (``layer.history``) as if it had always been there: its rows without
        a date of their own count at every date, those with one from the midnight that ends it on.

    See Also
    --------
    as_known : the rows that reversals took back after ``at``, too.
    """
    cutoff = np.datetime64(at, "s")
    known = layer.known_at <= cutoff
    if assume_history and layer.history == "assumed" and layer.earliest_known is not None:
        known = np.isnat(layer.time) | (layer.time < cutoff)
    standing: Mask = np.isnat(layer.until) | (layer.until > cutoff)
    return known & standing


def as_known(layer: Layer, at: date, *, assume_history: bool = False) -> Layer:
    """The layer as it would have been read at the midnight that begins ``at``, in the order of the snapshot.

    Besides leaving out what became known later it brings back rows that a reversal took back only later: at ``at``
    nobody knew that.
    """
    seen = select_rows(layer, rows_known(layer, at, assume_history=assume_history))
    if layer.withdrawn is None:
        return seen
    stood = select_rows(layer.withdrawn, rows_known(layer.withdrawn, at, assume_history=assume_history))
    both = _join(seen, stood) if len(stood) else seen
    return replace(both, withdrawn=None)


def in_lookback(layer: Layer, at: date, lookback: Duration | None) -> Mask:
    """Rows (n,) dated in [``at`` - ``lookback``, ``at``), which undated rows never are; all rows without a lookback."""
    if lookback is None:
        return np.ones(len(layer), bool)
    return Window(lookback.before(at), at).contains(layer.time)


def count_unit(layer: Layer, window: Window, unit: str, rows: Mask | None = None) -> Mask:
    """Rows (n,) that are counted in a window under a unit of outcome.

    Parameters
    ----------
    layer : Layer
    window : Window
        Half-open, by time of occurrence.
    unit : str
        ``offence``: every row. ``incident``: one row an incident, the most serious (the category that is declared
        first, where the layer has categories), of those the earliest, of those the first in the layer.
    rows : ndarray of bool, shape (n,), optional
        Only these rows take part, such as those in the study area or of a subset; the choice is made among them.

    Raises
    ------
    ConfigError
        If the unit is unknown.
    """
    if unit not in UNITS:
        raise ConfigError(f"outcome.unit is {unit!r}; allowed: {', '.join(UNITS)}.")
    taking_part = window.contains(layer.time)
    if rows is not None:
        taking_part = taking_part & rows
    if unit == "offence":
        return taking_part
    some = np.flatnonzero(taking_part)
    order = np.lexsort((some, layer.time[some], layer.category[some], layer.incident[some]))
    ordered = some[order]
    first = np.diff(layer.incident[ordered], prepend=-1) != 0
    counted = np.zeros(len(layer), bool)
    counted[ordered[first]] = True
    return counted


def measured_lag(layer: Layer, as_of: date) -> Duration:
    """How long to wait, in days, until a day of this layer is told: what ``outcome.lag: auto`` means.

    The larger of two: the time within which 95 % of a year's rows were known, and the age of the latest day that has
    any row. The year ends three months before ``as_of``, as of a later one the slow rows are still to come. Only rows
    that were known at ``as_of`` are looked at.

    Raises
    ------
    ModelError
        If no dated row is known by then.
    """
    dated = rows_known(layer, as_of) & ~np.isnat(layer.time)
    if not dated.any():
        raise ModelError(
            f"Layer {layer.name!r} has no dated row that was known at {as_of}, so its lag can't be measured. Give "
            "outcome.lag as a duration such as 7d, or an as_of within the data."
        )
    settled = LAG_SETTLED.before(as_of)
    sample = dated & Window(LAG_OVER.before(settled), settled).contains(layer.time)
    if not sample.any():
        sample = dated
    day = layer.time.astype("datetime64[D]")
    delay = (np.ceil((layer.known_at[sample] - day[sample]) / np.timedelta64(1, "D")) - 1).astype(np.int64)
    slow = int(np.sort(delay)[int(np.ceil(LAG_SHARE * delay.size)) - 1])
    silent = int((np.datetime64(as_of, "D") - day[dated].max()) / np.timedelta64(1, "D")) - 1
    return Duration(max(slow, silent, 0), "d")


def assert_known(layer: Layer, rows: Mask, at: date, *, assume_history: bool = False) -> None:
    """Refuse rows that were not yet known, or had not yet happened, at the midnight that begins ``at``.

    The guard against leaks: whoever computes something for a vintage calls it with the rows (n,) that were used. With
    ``assume_history``, rows of a layer whose history is assumed need only have happened.

    Raises
    ------
    ModelError
        Naming how many rows are too late and the first of them.
    """
    cutoff = np.datetime64(at, "s")
    unknown = layer.known_at > cutoff
    if assume_history and layer.history == "assumed":
        unknown = np.zeros(len(layer), bool)
    late = np.flatnonzero(rows & (unknown | (layer.time >= cutoff)))
    if late.size:
        first = late[0]
        where = layer.attributes.slice(int(first), 1).to_pylist()[0]
        raise ModelError(
            f"Layer {layer.name!r}: {late.size:,} of {np.count_nonzero(rows):,} rows used for {at} are too late: "
            f"the first in file {where[FILE]}, row {where[ROW]}, dated {layer.time[first]}, known from "
            f"{layer.known_at[first]}. Using them would judge a forecast by its own future; use rows_known or as_known "
            "for this date."
        )


def select_rows(layer: Layer, rows: Mask) -> Layer:
    """The layer with only some of its rows (n,); rows that were withdrawn from it stay with it."""
    return replace(
        layer,
        x=layer.x[rows],
        y=layer.y[rows],
        geometry=None if layer.geometry is None else layer.geometry[rows],
        time=layer.time[rows],
        known_at=layer.known_at[rows],
        until=layer.until[rows],
        category=layer.category[rows],
        incident=layer.incident[rows],
        flags={name: flag[rows] for name, flag in layer.flags.items()},
        attributes=layer.attributes.filter(pa.array(rows)),
        inside=None if layer.inside is None else layer.inside[rows],
    )


def _join(layer: Layer, other: Layer) -> Layer:
    """Rows of two layers of one source, in the order of the snapshot."""
    attributes = pa.concat_tables([layer.attributes, other.attributes])
    place = [attributes.column(name).to_numpy() for name in (ROW, FILE)]
    order = np.lexsort(place)

    def both(name: str) -> NDArray[np.generic]:
        joined: NDArray[np.generic] = np.concatenate([getattr(layer, name), getattr(other, name)])[order]
        return joined

    plain = ("x", "y", "time", "known_at", "until", "category", "incident")
    optional = [name for name in ("geometry", "inside") if getattr(layer, name) is not None]
    flags = {name: np.concatenate([flag, other.flags[name]])[order] for name, flag in layer.flags.items()}
    columns: dict[str, object] = {name: both(name) for name in (*plain, *optional)}
    columns |= {"flags": flags, "attributes": attributes.take(pa.array(order))}
    return replace(layer, **columns)  # type: ignore[arg-type]
