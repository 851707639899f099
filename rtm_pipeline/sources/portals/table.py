"""Rows of portals -> the table of a SourceRead, in an order that does not depend on the portal's."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rtm_pipeline.sources.headers import HeaderMatch
from rtm_pipeline.sources.portals.feed import KEY
from rtm_pipeline.sources.portals.pull import Pulled
from rtm_pipeline.sources.snapshots.content import columns_digest
from rtm_pipeline.sources.source_read import FILE, GEOMETRY, MALFORMED, ROW, FileRead, SourceRead
from rtm_pipeline.sources.values import stripped

__all__ = ["PulledSet", "page_table", "source_read"]

_ISO = r"^\d{4}-\d{2}-\d{2}"
_EPOCH_MS = r"^\d{12,13}$"


@dataclass(frozen=True, slots=True, eq=False)
class PulledSet:
    """All rows of one data set under the portal's own names, and how those match the declared ones."""

    name: str
    pulled: Pulled
    match: HeaderMatch
    fields: tuple[str, ...]


def page_table(keys: Sequence[str], columns: Mapping[str, Sequence[str | None]], geometry: pa.Array | None) -> pa.Table:
    """Table of one page: ``_key`` and columns as text, and ``geometry`` where asked for."""
    data: dict[str, pa.Array] = {KEY: pa.array(keys, pa.string())}
    data |= {name: pa.array(values, pa.string()) for name, values in columns.items()}
    if geometry is not None:
        data[GEOMETRY] = geometry
    return pa.table(data)


def source_read(sets: Sequence[PulledSet], null_values: Sequence[str], *, geometry: bool) -> SourceRead:
    """Join data sets into one source.

    A portal's own order says nothing and changes when it loads its data anew, so rows are ordered by their values:
    by the first declared column that holds dates, then by all others. The same rows thus always are the same
    snapshot, and new rows mostly come last.
    """
    tables = [_declared(one, null_values, geometry) for one in sets]
    part_by = _dates(pa.concat_tables(tables)) if tables else None
    files, numbered = [], []
    for at, (one, table) in enumerate(zip(sets, tables, strict=True)):
        table = _ordered(table, part_by)
        n = table.num_rows
        digest = hashlib.sha256(str(columns_digest(table, table.column_names)).encode()).hexdigest()
        files.append(
            FileRead(
                path=one.name,
                sha256=digest,
                n_bytes=one.pulled.n_bytes,
                rows=n,
                encoding="utf-8",
                renamed=one.match.renamed,
                dropped=one.match.dropped,
                absent=one.match.absent,
                crs="EPSG:4326" if geometry else None,
                notes=(one.pulled.how,),
            )
        )
        added = {
            FILE: pa.array(np.full(n, at, np.int32)),
            ROW: pa.array(np.arange(1, n + 1, dtype=np.int64)),
            MALFORMED: pa.repeat(False, n),
        }
        columns = {name: table.column(name) for name in table.column_names if name != GEOMETRY}
        shapes = {GEOMETRY: table.column(GEOMETRY)} if geometry else {}
        numbered.append(pa.table({**columns, **added, **shapes}))
    return SourceRead(pa.concat_tables(numbered), tuple(files), "EPSG:4326" if geometry else None, part_by)


def _declared(one: PulledSet, null_values: Sequence[str], geometry: bool) -> pa.Table:
    table = one.pulled.table
    columns = {}
    for name, at in one.match.positions:
        if at is None:
            columns[name] = pa.chunked_array([pa.nulls(table.num_rows, pa.string())])
        else:
            columns[name] = stripped(table.column(one.fields[at]), null_values)
    if geometry:
        columns[GEOMETRY] = table.column(GEOMETRY)
    return pa.table(columns)


def _dates(table: pa.Table) -> tuple[str, int] | None:
    """First column of which at least half the values are there and all are dates, and the letters of their month.

    Milliseconds since 1970 have no month in their letters; their first four change every twelve days.
    """
    for name in table.column_names:
        column = table.column(name)
        if name == GEOMETRY or column.null_count * 2 > len(column) or len(column) == 0:
            continue
        for pattern, letters in ((_ISO, 7), (_EPOCH_MS, 4)):
            fits = pc.match_substring_regex(column, pattern)
            if pc.all(fits, min_count=1).as_py():
                return name, letters
    return None


def _ordered(table: pa.Table, part_by: tuple[str, int] | None) -> pa.Table:
    first = [part_by[0]] if part_by else []
    others = [name for name in sorted(table.column_names) if name not in (*first, GEOMETRY)]
    shapes = [name for name in table.column_names if name == GEOMETRY]
    keys = [(name, "ascending") for name in (*first, *others, *shapes)]
    if table.num_rows < 2 or not keys:
        return table
    return table.take(pc.sort_indices(table, sort_keys=keys)).combine_chunks()
