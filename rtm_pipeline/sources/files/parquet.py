"""Parquet and GeoParquet -> table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from rtm_pipeline.errors import SchemaError, SourceError
from rtm_pipeline.sources.files.part import Part
from rtm_pipeline.sources.headers import match_headers
from rtm_pipeline.sources.source_read import GEOMETRY, MALFORMED
from rtm_pipeline.sources.spec import ColumnRequest, FileSource
from rtm_pipeline.sources.values import as_text, stripped

__all__ = ["read_parquet"]


def read_parquet(
    origin: Path | bytes, wanted: Sequence[ColumnRequest], spec: FileSource, *, geometry: bool, where: str
) -> Part:
    """Read one Parquet or GeoParquet file; only declared columns are read.

    Parameters
    ----------
    origin : Path or bytes
        The file.
    geometry : bool
        Whether the table gets a column ``geometry``: the primary geometry of a GeoParquet file, WKB in ``Part.crs``.
    where : str
        Source and file, for messages.

    Raises
    ------
    SourceError
        If it is no Parquet file, or damaged.
    SchemaError
        If a required column, the geometry or its CRS is missing.
    """
    try:
        with pyarrow.parquet.ParquetFile(pa.BufferReader(origin) if isinstance(origin, bytes) else origin) as file:
            schema = file.schema_arrow
            primary, crs = _geometry_of(schema, spec, where) if geometry else (None, None)
            headers = list(schema.names)
            match = match_headers(wanted, headers, where=where)
            used = sorted({headers[at] for _, at in match.positions if at is not None})
            raw = file.read(columns=[*used, *([primary] if primary else [])], use_threads=False)
        missing = pa.chunked_array([pa.nulls(raw.num_rows, pa.string())])
        columns: dict[str, pa.ChunkedArray] = {
            name: missing if at is None else stripped(as_text(raw.column(headers[at])), spec.null_values)
            for name, at in match.positions
        }
        columns[MALFORMED] = pa.chunked_array([pa.repeat(False, raw.num_rows)])
        if primary:
            columns[GEOMETRY] = raw.column(primary).cast(pa.binary())
        return Part(table=pa.table(columns), match=match, crs=crs)
    except (pa.ArrowException, OSError, UnicodeDecodeError, KeyError) as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise SourceError(f"{where}: it can't be read as Parquet ({reason}). It may be cut; fetch it again.") from None


def _geometry_of(schema: pa.Schema, spec: FileSource, where: str) -> tuple[str, str]:
    """Name and CRS of the primary geometry (GeoParquet 1.0 and 1.1, https://geoparquet.org/releases/v1.1.0/)."""
    raw = (schema.metadata or {}).get(b"geo")
    if raw is None:
        raise SchemaError(
            f"{where}: it is plain Parquet without geometry (no 'geo' metadata), but geometry of kind native was asked "
            "for. Write it as GeoParquet, or declare the layer's coordinates as columns."
        )
    try:
        geo: Mapping[str, Any] = json.loads(raw)
        primary = str(geo["primary_column"])
        column: Mapping[str, Any] = geo["columns"][primary]
        encoding = str(column["encoding"])
    except (ValueError, KeyError, TypeError) as error:
        raise SchemaError(f"{where}: its 'geo' metadata can't be understood ({error!r}).") from None
    if encoding.upper() != "WKB" or primary not in schema.names:
        raise SchemaError(
            f"{where}: its geometry {primary!r} is encoded as {encoding!r}; WKB is read. Write it as WKB."
        )
    # An absent CRS is longitude/latitude by the specification; one of null is unknown.
    crs = column.get("crs", "OGC:CRS84")
    if crs is None and not spec.crs:
        raise SchemaError(f"{where}: the CRS of its geometry is unknown (null). Set the source's crs.")
    return primary, _crs_text(crs) if crs is not None else str(spec.crs)


def _crs_text(crs: object) -> str:
    if not isinstance(crs, Mapping):
        return str(crs)
    identity = crs.get("id")
    if isinstance(identity, Mapping) and {"authority", "code"} <= set(identity):
        return f"{identity['authority']}:{identity['code']}"
    return json.dumps(crs, sort_keys=True)
