"""Vector files (GeoJSON, GeoPackage, Shapefile, File Geodatabase ...) -> table, through pyogrio and Arrow."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa

from rtm_pipeline.errors import ConfigError, SchemaError, SourceError
from rtm_pipeline.sources.files.part import Part
from rtm_pipeline.sources.files.transfer_limit import more_to_come
from rtm_pipeline.sources.files.vector_head import check_driver, check_head, head_of
from rtm_pipeline.sources.headers import HeaderMatch, match_headers, near, some_names
from rtm_pipeline.sources.source_read import GEOMETRY, MALFORMED
from rtm_pipeline.sources.spec import ColumnRequest, FileSource
from rtm_pipeline.sources.values import as_text, stripped

__all__ = ["read_vector"]

logger = logging.getLogger(__name__)

# GDAL names the geometry of formats that have no name for it thus.
_UNNAMED_GEOMETRY = "wkb_geometry"


def read_vector(
    origin: str | Path | bytes,
    wanted: Sequence[ColumnRequest],
    spec: FileSource,
    *,
    geometry: bool,
    where: str,
) -> Part:
    """Read one layer of a vector file; only declared attributes are asked for.

    Parameters
    ----------
    origin : str, Path or bytes
        A path, a GDAL path into an archive (``/vsizip/...``), or the whole file.
    geometry : bool
        Whether the table gets a column ``geometry``: binary WKB in ``Part.crs``, null where a feature has none.
    where : str
        Source and file, for messages.

    Raises
    ------
    ConfigError
        If the file has several layers and ``sheet`` names none of them.
    SourceError
        If it can't be opened or read whole, or is a description of other data (see `vector_head`).
    SchemaError
        If a required attribute, the geometry or its CRS is missing.
    """
    from pyogrio.errors import DataLayerError, DataSourceError

    head = head_of(origin)
    if head is not None:
        check_head(head, where=where)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            sheet = _sheet(origin, spec, where)
            info = _info(origin, sheet, spec)
            check_driver(str(info["driver"]), where=where)
            match = match_headers(wanted, [str(name) for name in info["fields"]], where=where)
            table, crs = _read(origin, sheet, spec, info, match, geometry, where)
    except (DataSourceError, DataLayerError, pa.ArrowException, RuntimeError, UnicodeDecodeError) as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        hint = " Or its text is not in the encoding that it says: set the source's encoding." if "UTF" in reason else ""
        raise SourceError(
            f"{where}: the file can't be read ({reason}). It may be cut, or a part of it may be missing; fetch it "
            f"again.{hint}"
        ) from None
    for warning in caught:
        logger.warning("%s: %s", where, warning.message)
    notes = tuple(dict.fromkeys(str(warning.message) for warning in caught))
    return Part(table=table, match=match, encoding=None, crs=crs, notes=notes, more_to_come=more_to_come(origin))


def _sheet(origin: str | Path | bytes, spec: FileSource, where: str) -> str | int:
    import pyogrio

    layers = [str(name) for name, _ in pyogrio.list_layers(_opened(origin))]
    if spec.sheet is not None:
        if spec.sheet not in layers:
            raise ConfigError(
                f"{where}: there is no layer {spec.sheet!r} in it. Layers found: {some_names(layers)}."
                f"{near(spec.sheet, layers)} Mend the source's sheet."
            )
        return spec.sheet
    if len(layers) != 1:
        raise ConfigError(
            f"{where}: it has {len(layers)} layers: {some_names(layers)}. Say under the source's sheet which one to "
            "read."
        )
    # By number: a file in memory without a name of its own is called otherwise each time that it is opened.
    return 0


def _info(origin: str | Path | bytes, sheet: str | int, spec: FileSource) -> Mapping[str, Any]:
    import pyogrio

    info: Mapping[str, Any] = pyogrio.read_info(
        _opened(origin), layer=sheet, encoding=spec.encoding, force_feature_count=True
    )
    return info


def _read(
    origin: str | Path | bytes,
    sheet: str | int,
    spec: FileSource,
    info: Mapping[str, Any],
    match: HeaderMatch,
    geometry: bool,
    where: str,
) -> tuple[pa.Table, str | None]:
    from pyogrio.raw import read_arrow

    headers = [str(name) for name in info["fields"]]
    used = sorted({at for _, at in match.positions if at is not None})
    # GDAL guesses dates in GeoJSON text; a source gives values as they stand.
    options = {"DATE_AS_STRING": "YES"} if info["driver"] == "GeoJSON" else {}
    meta, raw = read_arrow(
        _opened(origin),
        layer=sheet,
        encoding=spec.encoding,
        columns=[headers[at] for at in used],
        read_geometry=geometry,
        # Without any column GDAL would give no rows to count; beside others the ids could take a column's name.
        return_fids=not used and not geometry,
        **options,
    )
    if raw.num_rows != info["features"]:
        raise SourceError(
            f"{where}: it promises {info['features']:,} features and gives {raw.num_rows:,}. It may be cut; fetch it "
            "again."
        )
    columns: dict[str, pa.ChunkedArray] = {}
    for name, at in match.positions:
        found = None if at is None else as_text(raw.column(headers[at]))
        missing = pa.chunked_array([pa.nulls(raw.num_rows, pa.string())])
        columns[name] = missing if found is None else stripped(found, spec.null_values)
    columns[MALFORMED] = pa.chunked_array([pa.repeat(False, raw.num_rows)])
    crs = None
    if geometry:
        columns[GEOMETRY] = _geometry(raw, meta, where)
        crs = _crs(meta["crs"], spec, where)
    return pa.table(columns), crs


def _geometry(raw: pa.Table, meta: Mapping[str, Any], where: str) -> pa.ChunkedArray:
    name = meta["geometry_name"] or _UNNAMED_GEOMETRY
    if name not in raw.column_names:
        raise SchemaError(f"{where}: the layer has no geometry, but geometry of kind native was asked for.")
    column = raw.column(name)
    if isinstance(column.type, pa.ExtensionType):
        column = pa.chunked_array([chunk.storage for chunk in column.chunks], column.type.storage_type)
    return column.cast(pa.binary())


def _crs(found: str | None, spec: FileSource, where: str) -> str:
    if not found and not spec.crs:
        raise SchemaError(
            f"{where}: it does not say its CRS (a Shapefile's .prj may be missing). Ask who made it and set the "
            "source's crs, as in crs: EPSG:4326."
        )
    if found and spec.crs and found != spec.crs:
        logger.info("%s: it says its own CRS, %s; the source's crs is not used.", where, found[:60])
    return found or str(spec.crs)


def _opened(origin: str | Path | bytes) -> str | Path | BytesIO:
    return BytesIO(origin) if isinstance(origin, bytes) else origin
