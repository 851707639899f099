"""The rows of a source that a layer wants, with all that is read out of them, before anything is decided.

Both the layer itself and the tables of its outcome by year are made from one `Reading`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rtm_pipeline.layers.account import Fate, Fates
from rtm_pipeline.layers.columns import TextColumns
from rtm_pipeline.layers.filters import passes
from rtm_pipeline.layers.frame import Frame
from rtm_pipeline.layers.places import Places, read_places
from rtm_pipeline.layers.reversals import Netting, net_rows
from rtm_pipeline.layers.spec import LayerSpec
from rtm_pipeline.layers.timing import Timing, read_timing
from rtm_pipeline.layers.vocabulary import Categorized, categorize
from rtm_pipeline.sources.source_read import FILE, GEOMETRY, MALFORMED, ROW

__all__ = ["Reading", "read_rows"]


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """What was read.

    Attributes
    ----------
    early : ndarray of int8, shape (m,)
        Fates of all rows of the source that were decided before the rest was read; `Fate.KEPT` for the n wanted ones.
    rows : ndarray of int64, shape (n,)
        The wanted rows, as indices into the source, ascending.
    columns : TextColumns
        Their columns.
    category : ndarray of int16, shape (n,)
    vocabulary : Categorized or None
    timing : Timing
    places : Places
    reversal : ndarray of bool, shape (n,)
        Rows that take another one back.
    netting : Netting
    incident : ndarray of int64, shape (n,)
        Number of the incident that a row belongs to.
    """

    early: Fates
    rows: NDArray[np.int64]
    columns: TextColumns
    category: NDArray[np.int16]
    vocabulary: Categorized | None
    timing: Timing
    places: Places
    reversal: NDArray[np.bool_]
    netting: Netting
    incident: NDArray[np.int64]


def read_rows(
    spec: LayerSpec, table: pa.Table, frame: Frame, *, source_crs: str | None, fetched_at: datetime
) -> Reading:
    """Read everything that a layer needs from the rows that it wants; see `rtm_pipeline.layers.build.build_layer`."""
    everything = TextColumns(table, f"Layer {spec.name!r}")
    everything.require((*spec.columns(), FILE, ROW, MALFORMED))
    early = np.full(table.num_rows, Fate.KEPT, np.int8)
    if spec.where is not None:
        early[~passes(spec.where, everything)] = Fate.WHERE
    # A malformed row may have its values in the wrong columns: no other reason is believed, no value looked at.
    early[table.column(MALFORMED).combine_chunks().to_numpy(zero_copy_only=False).astype(bool)] = Fate.MALFORMED_ROW
    vocabulary, category = None, np.full(table.num_rows, -1, np.int16)
    if spec.categories is not None:
        rest = np.flatnonzero(early == Fate.KEPT)
        vocabulary = categorize(spec.categories, _of_rows(spec, everything, rest))
        category[rest] = vocabulary.codes
        unmapped = Fate.UNKNOWN_CATEGORY if spec.categories.other == "quarantined" else Fate.CATEGORY
        early[rest[vocabulary.codes < 0]] = unmapped
    rows = np.flatnonzero(early == Fate.KEPT)
    columns = _of_rows(spec, everything, rows)
    timing = read_timing(spec, columns, frame, fetched_at)
    reversal, netting = _net(spec, columns, timing)
    return Reading(
        early=early,
        rows=rows,
        columns=columns,
        category=category[rows],
        vocabulary=vocabulary,
        timing=timing,
        places=read_places(spec, columns, frame, source_crs),
        reversal=reversal,
        netting=netting,
        incident=_incidents(spec, columns),
    )


def _of_rows(spec: LayerSpec, columns: TextColumns, rows: NDArray[np.int64]) -> TextColumns:
    """The declared columns of some rows."""
    wanted = [*spec.columns(), FILE, ROW]
    if spec.geometry.kind == "native" and GEOMETRY in columns.table.column_names:
        wanted.append(GEOMETRY)
    table = columns.table.select(list(dict.fromkeys(wanted)))
    if rows.size < table.num_rows:
        table = table.take(pa.array(rows))
    return TextColumns(table, columns.reader)


def _net(spec: LayerSpec, columns: TextColumns, timing: Timing) -> tuple[NDArray[np.bool_], Netting]:
    n = len(columns)
    if spec.reversal is None:
        return np.zeros(n, bool), Netting(np.full(n, -1, np.int64), 0)
    column = columns.distinct(spec.reversal.column)
    takes_back = np.fromiter((text == spec.reversal.value for text in column.values.to_pylist()), bool)
    reversal = column.spread(takes_back, False).astype(bool)
    return reversal, net_rows(columns.identity(spec.reversal.match), reversal, timing.known_at)


def _incidents(spec: LayerSpec, columns: TextColumns) -> NDArray[np.int64]:
    """Numbers (n,), equal within an incident; a row without identity is its own."""
    names = spec.incident or spec.key
    n = len(columns)
    if not names:
        return np.arange(n, dtype=np.int64)
    numbers = columns.identity(names)
    alone = numbers < 0
    numbers[alone] = int(numbers.max(initial=-1)) + 1 + np.arange(np.count_nonzero(alone))
    return numbers
