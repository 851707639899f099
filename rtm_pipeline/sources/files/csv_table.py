"""CSV -> table of the declared columns, every row numbered and none lost."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice

import pyarrow as pa
import pyarrow.csv

from rtm_pipeline.errors import ConfigError, SourceError
from rtm_pipeline.sources.files.csv_records import is_clean, read_header, records
from rtm_pipeline.sources.files.encodings import decode
from rtm_pipeline.sources.files.part import Part
from rtm_pipeline.sources.headers import HeaderMatch, match_headers
from rtm_pipeline.sources.source_read import MALFORMED
from rtm_pipeline.sources.spec import ColumnRequest, FileSource
from rtm_pipeline.sources.values import stripped, with_decimal_points

__all__ = ["read_csv"]

_BATCH_ROWS = 65_536
_BLOCK_BYTES = 16 * 1024 * 1024
_SOMETHING = re.compile(rb"\S")
_HTML = (b"<!doctype html", b"<html", b"<head", b"<body")


def read_csv(data: bytes, wanted: Sequence[ColumnRequest], spec: FileSource, *, where: str) -> Part:
    """Read one CSV file.

    Parameters
    ----------
    data : bytes
        The file, unpacked.
    wanted : sequence of ColumnRequest
        Declared columns with all their alternative headers.
    spec : FileSource
        For encoding, delimiter and spellings of "missing".
    where : str
        Source and file, for messages.

    Returns
    -------
    Part
        Blank lines are no rows. A row that does not fit the header is kept with all values null and ``_malformed``
        set: with fields shifted, a value could stand under a name that is not its own.

    Raises
    ------
    SourceError
        If the file is empty, is an HTML page, or was cut within its header or its last record.
    SchemaError
        If a required column is missing.
    """
    if len(spec.delimiter) != 1 or spec.delimiter in '"\r\n' or not spec.delimiter.isascii():
        raise ConfigError(f"Source {spec.name!r}: the delimiter must be one character, such as ',' or ';'.")
    if data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_HTML):
        raise SourceError(
            f"{where}: this is an HTML page, not CSV; the portal probably answered with an error page. Fetch it again."
        )
    text = decode(data, encoding=spec.encoding, where=where)
    header = read_header(text.data, spec.delimiter, where=where)
    match = match_headers(wanted, header.names, where=where)
    table = None
    if is_clean(text.data, header.end, spec.delimiter):
        table = _read_clean(text.data, header.end, match, len(header.names), spec.delimiter)
    if table is None:
        table = _read_careful(text.data, header.end, match, len(header.names), spec.delimiter, header.lines, where)
    if table.num_rows == 0 and not header.closed:
        raise SourceError(
            f"{where}: the file ends within its header line (no line break after {header.names[-1]!r}), so it was "
            "probably cut. Fetch it again."
        )
    columns = {name: stripped(table.column(name), spec.null_values) for name, _ in match.positions}
    if spec.decimal == ",":
        columns = {name: with_decimal_points(column) for name, column in columns.items()}
    notes = () if text.data.endswith((b"\n", b"\r", b"\x1a")) else ("no line break after the last record",)
    return Part(
        table=pa.table({**columns, MALFORMED: table.column(MALFORMED)}),
        match=match,
        encoding=text.encoding,
        notes=notes,
    )


def _read_clean(data: bytes, start: int, match: HeaderMatch, n_fields: int, delimiter: str) -> pa.Table | None:
    """Read by pyarrow; None if a row does not fit, since its way of telling which is not good enough."""
    names = [str(at) for at in range(n_fields)]
    used = sorted({at for _, at in match.positions if at is not None}) or [0]
    body = pa.py_buffer(data).slice(start)
    if _SOMETHING.search(data, start) is None:
        return _empty(match)
    try:
        table = pyarrow.csv.read_csv(
            pa.BufferReader(body),
            read_options=pyarrow.csv.ReadOptions(column_names=names, use_threads=False, block_size=_BLOCK_BYTES),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=delimiter, newlines_in_values=data.find(b'"', start) >= 0, ignore_empty_lines=True
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                include_columns=[str(at) for at in used],
                column_types={str(at): pa.string() for at in used},
                strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid:
        return None
    missing = pa.chunked_array([pa.nulls(table.num_rows, pa.string())])
    columns = {name: missing if at is None else table.column(str(at)) for name, at in match.positions}
    columns[MALFORMED] = pa.chunked_array([pa.repeat(False, table.num_rows)])
    return pa.table(columns)


def _read_careful(
    data: bytes, start: int, match: HeaderMatch, n_fields: int, delimiter: str, lines_before: int, where: str
) -> pa.Table:
    text = data[start:].decode("utf-8")
    rows = records(text, n_fields, delimiter, first_line=lines_before + 1, where=where)
    batches = [_empty(match)]
    while batch := list(islice(rows, _BATCH_ROWS)):
        columns: dict[str, pa.Array] = {}
        for name, at in match.positions:
            values = [None if row.fields is None or at is None else row.fields[at] for row in batch]
            columns[name] = pa.array(values, pa.string())
        columns[MALFORMED] = pa.array([row.fields is None for row in batch], pa.bool_())
        batches.append(pa.table(columns))
    return pa.concat_tables(batches)


def _empty(match: HeaderMatch) -> pa.Table:
    fields = [pa.field(name, pa.string()) for name, _ in match.positions]
    return pa.schema([*fields, pa.field(MALFORMED, pa.bool_())]).empty_table()
