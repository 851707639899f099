"""The digest of what a source said, and its rows as Parquet parts that nights can share.

The digest is taken over the values themselves, not over files: it does not change with a version of Parquet, with
the order in which layers declare columns, or with how Arrow happens to chunk a table.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from rtm_pipeline.sources.source_read import GEOMETRY, MALFORMED, SourceRead

__all__ = ["columns_digest", "content_digest", "part_bounds", "part_bytes", "stored_columns"]

MAX_PART_ROWS = 131_072
MIN_PART_ROWS = 4_096


class _Hash(Protocol):
    def update(self, data: bytes | memoryview, /) -> None: ...

    def hexdigest(self) -> str: ...


def stored_columns(read: SourceRead) -> tuple[str, ...]:
    """Columns of a part, in the order in which they are stored: declared ones by name, then what the reader adds.

    ``_file`` and ``_row`` are not stored: the manifest tells them, so that a file that comes between others does not
    change the parts of the others.
    """
    geometry = (GEOMETRY,) if GEOMETRY in read.table.column_names else ()
    return (*sorted(read.columns), MALFORMED, *geometry)


def content_digest(read: SourceRead) -> str:
    """Sha256 (hex) of columns, rows, CRS and the number of rows of each file; nothing else."""
    columns = columns_digest(read.table, stored_columns(read))
    content = {"columns": columns, "crs": read.crs, "rows": [file.rows for file in read.files]}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def columns_digest(table: pa.Table, names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Name -> (sha256 of the lengths of its values, sha256 of their bytes), whatever the chunks of the table."""
    digests = {}
    for name in names:
        lengths, data = hashlib.sha256(), hashlib.sha256()
        for chunk in table.column(name).chunks:
            _feed(chunk, lengths, data)
        digests[name] = (lengths.hexdigest(), data.hexdigest())
    return digests


def part_bounds(read: SourceRead) -> list[tuple[int, int, int]]:
    """(index of the file, first row, row after the last) of each part; rows count from 0 over the whole table.

    A part never spans files. Rows ordered by a date are cut where the month changes, once a part has
    `MIN_PART_ROWS`; others every `MAX_PART_ROWS`.
    """
    bounds = []
    start = 0
    for at, file in enumerate(read.files):
        stop = start + file.rows
        cuts = _month_cuts(read, start, stop) if read.part_by else []
        begin = start
        for cut in (*cuts, stop):
            if cut - begin < MIN_PART_ROWS and cut != stop:
                continue
            for first in range(begin, cut, MAX_PART_ROWS):
                bounds.append((at, first, min(first + MAX_PART_ROWS, cut)))
            begin = cut
        start = stop
    return bounds


def part_bytes(table: pa.Table) -> bytes:
    """Parquet of a part: the same rows always give the same bytes under one version of pyarrow."""
    sink = pa.BufferOutputStream()
    pq.write_table(
        table.combine_chunks().replace_schema_metadata(None),
        sink,
        compression="zstd",
        compression_level=3,
        version="2.6",
        write_statistics=False,
        row_group_size=MAX_PART_ROWS,
    )
    return bytes(sink.getvalue())


def _feed(chunk: pa.Array, lengths: _Hash, data: _Hash) -> None:
    if pa.types.is_boolean(chunk.type):
        data.update(chunk.to_numpy(zero_copy_only=False).astype(np.uint8).tobytes())
        return
    if len(chunk) == 0:
        return
    lengths.update(pc.fill_null(pc.binary_length(chunk), -1).to_numpy(zero_copy_only=False).astype("<i4").tobytes())
    # Slots of missing values may hold anything; filled with nothing, the bytes between the offsets are the content.
    filled = pc.fill_null(chunk, pa.scalar(b"" if pa.types.is_binary(chunk.type) else "", chunk.type))
    offsets = np.frombuffer(filled.buffers()[1], np.int32)[filled.offset : filled.offset + len(filled) + 1]
    if offsets[-1] > offsets[0]:
        data.update(memoryview(filled.buffers()[2])[int(offsets[0]) : int(offsets[-1])])


def _month_cuts(read: SourceRead, start: int, stop: int) -> Sequence[int]:
    if read.part_by is None or start == stop:
        return []
    column, letters = read.part_by
    text = pc.fill_null(pc.utf8_slice_codeunits(read.table.column(column).slice(start, stop - start), 0, letters), "")
    codes: NDArray[np.int32] = text.combine_chunks().dictionary_encode().indices.to_numpy()
    return [int(cut) + start + 1 for cut in np.flatnonzero(np.diff(codes))]
