"""Files of a city -> the declared columns of all of them, as text, with a number for every row."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import pyarrow as pa

from rtm_pipeline.errors import ConfigError, SchemaError, SourceError
from rtm_pipeline.sources.files.archives import Member, gunzip, list_zip, read_head, read_member, verify_members
from rtm_pipeline.sources.files.csv_table import read_csv
from rtm_pipeline.sources.files.parquet import read_parquet
from rtm_pipeline.sources.files.part import Part
from rtm_pipeline.sources.files.paths import FoundFile, digest_of, find_files, stamp_of
from rtm_pipeline.sources.files.shapefile import check_shapefile, parts_in_zip, parts_on_disk
from rtm_pipeline.sources.files.transfer_limit import check_whole
from rtm_pipeline.sources.files.vector import read_vector
from rtm_pipeline.sources.files.vector_head import HEAD_BYTES, check_head
from rtm_pipeline.sources.headers import merge_requests
from rtm_pipeline.sources.source_read import FILE, GEOMETRY, MALFORMED, ROW, FileRead, SourceRead
from rtm_pipeline.sources.spec import ColumnRequest, FileSource

__all__ = ["read_files"]

logger = logging.getLogger(__name__)

_ENDINGS = {
    "csv": (".csv", ".tsv", ".txt"),
    "parquet": (".parquet", ".geoparquet", ".pq"),
    "vector": (".gdb", ".gpkg", ".shp", ".geojson", ".fgb", ".kml", ".gml", ".json"),
}
_FORMATS = ("auto", *_ENDINGS)


def read_files(
    spec: FileSource, request: Sequence[ColumnRequest], *, data_dir: Path, geometry: bool = False
) -> SourceRead:
    """Read all files of a source.

    Parameters
    ----------
    spec : FileSource
    request : sequence of ColumnRequest
        The columns that the layers on this source declare. Of others only the names are recorded.
    data_dir : Path
        Folder to which ``spec.path`` is relative.
    geometry : bool
        Whether the native geometry of vector or GeoParquet files is wanted.

    Returns
    -------
    SourceRead
        Files in the order of their names, rows in the order of the file.

    Raises
    ------
    ConfigError
        If the path is not allowed or nothing is there, or the format can't be told.
    SourceError
        If a file is missing, cut, damaged or not what it seems.
    SchemaError
        If a required column, the geometry or its CRS is missing, or files differ in CRS.
    """
    if spec.format not in _FORMATS:
        raise ConfigError(f"Source {spec.name!r}: {spec.format!r} is no format. Use one of {', '.join(_FORMATS)}.")
    wanted = merge_requests(request, spec.aliases, source=spec.name, geometry=geometry)
    parts: list[Part] = []
    files: list[FileRead] = []
    for file in _found(spec, data_dir):
        where = f"Source {spec.name!r}, {file.name}"
        try:
            before = stamp_of(file.path)
            digest, size = digest_of(file.path)
            for name, part in _read(file, wanted, spec, geometry, where):
                parts.append(part)
                files.append(_file_read(name, digest, size, part))
            if stamp_of(file.path) != before:
                raise SourceError(f"{where}: the file was changed while it was read. Run again once it is whole.")
        except OSError as error:
            raise SourceError(f"{where}: it can't be read ({error.strerror or error}).") from None
    check_whole(spec, (part.more_to_come for part in parts), sum(file.rows for file in files))
    crs = _one_crs(files, spec) if geometry else None
    return SourceRead(table=_joined(parts), files=tuple(files), crs=crs)


def _found(spec: FileSource, data_dir: Path) -> tuple[FoundFile, ...]:
    try:
        return find_files(spec, data_dir)
    except OSError as error:
        raise SourceError(
            f"Source {spec.name!r}: the data folder {data_dir} can't be read ({error.strerror or error})."
        ) from None


def _read(
    file: FoundFile, wanted: Sequence[ColumnRequest], spec: FileSource, geometry: bool, where: str
) -> Iterator[tuple[str, Part]]:
    ending = file.path.suffix.lower()
    if ending == ".zip":
        yield from _read_zip(file, wanted, spec, geometry, where)
        return
    packed = ending == ".gz"
    kind = _kind(PurePosixPath(file.path.stem if packed else file.path.name), spec, where)
    if kind == "csv":
        data = gunzip(file.path, where=where) if packed else file.path.read_bytes()
        yield file.name, _read_csv(data, wanted, spec, geometry, where)
        return
    # XML is read from memory: GDAL writes what it learned of a GML file beside it.
    in_memory = packed or ending in (".gml", ".kml")
    origin = (gunzip(file.path, where=where) if packed else file.path.read_bytes()) if in_memory else file.path
    if kind == "parquet":
        yield file.name, read_parquet(origin, wanted, spec, geometry=geometry, where=where)
    else:
        if ending == ".shp":
            check_shapefile(parts_on_disk(file.path), where=where)
        yield file.name, read_vector(origin, wanted, spec, geometry=geometry, where=where)


def _read_zip(
    file: FoundFile, wanted: Sequence[ColumnRequest], spec: FileSource, geometry: bool, where: str
) -> Iterator[tuple[str, Part]]:
    members = tuple(member for member in list_zip(file.path, where=where) if not _is_litter(member.name))
    verified = False
    found = False
    for name in _data_names(members, spec, where):
        found = True
        inner = f"{where}/{name}"
        kind = _kind(PurePosixPath(name), spec, inner)
        if kind == "vector":
            if not verified:
                verify_members(file.path, members, where=where)
                verified = True
            member = next((member for member in members if member.name == name), None)
            if member is not None:  # a geodatabase is a folder
                check_head(read_head(file.path, member, HEAD_BYTES, where=inner), where=inner)
            if name.lower().endswith(".shp"):
                check_shapefile(parts_in_zip(file.path, members, name, where=where), where=inner)
            # GDAL reads inside the archive: nothing is unpacked onto the disk.
            inside = f"/vsizip/{{{file.path}}}/{name}"
            part = read_vector(inside, wanted, spec, geometry=geometry, where=inner)
        else:
            data = read_member(file.path, next(m for m in members if m.name == name), where=where)
            part = (
                _read_csv(data, wanted, spec, geometry, inner)
                if kind == "csv"
                else read_parquet(data, wanted, spec, geometry=geometry, where=inner)
            )
        yield f"{file.name}/{name}", part
    if not found:
        names = ", ".join(member.name for member in members[:10]) or "nothing"
        raise SourceError(f"{where}: no data file is in the zip; it holds {names}.")


def _read_csv(data: bytes, wanted: Sequence[ColumnRequest], spec: FileSource, geometry: bool, where: str) -> Part:
    if geometry:
        raise ConfigError(
            f"{where}: a CSV has no native geometry. Declare the layer's geometry by its columns: kind xy, latlon, "
            "wkt, geojson or location."
        )
    return read_csv(data, wanted, spec, where=where)


def _kind(name: PurePosixPath, spec: FileSource, where: str) -> str:
    if spec.format != "auto":
        return spec.format
    ending = name.suffix.lower()
    for kind, endings in _ENDINGS.items():
        if ending in endings:
            return kind
    raise ConfigError(
        f"{where}: the ending {ending!r} does not tell its format. Set the source's format: csv, vector or parquet."
    )


def _data_names(members: Sequence[Member], spec: FileSource, where: str) -> list[str]:
    """Data files among the members of a zip: those of the first known ending that is there, of the one format.

    A folder that ends in .gdb is one file. Text files count only where nothing else does, since archives carry
    readme files.
    """
    by_kind: dict[str, dict[str, dict[str, None]]] = {}
    for member in members:
        path = PurePosixPath(member.name)
        path = next((p for p in path.parents if p.suffix.lower() == ".gdb"), path)
        ending = path.suffix.lower()
        for kind, endings in _ENDINGS.items():
            if ending in endings and (spec.format in ("auto", kind)):
                by_kind.setdefault(kind, {}).setdefault(ending, {})[str(path)] = None
    if len(by_kind) > 1 and list(by_kind.get("csv", ())) == [".txt"]:
        del by_kind["csv"]
    if len(by_kind) > 1:
        raise ConfigError(
            f"{where}: the zip holds data of several formats ({', '.join(sorted(by_kind))}). Say under the source's "
            "format which one to read."
        )
    for kind, found in by_kind.items():
        return sorted(next(found[ending] for ending in _ENDINGS[kind] if ending in found))
    return []


def _is_litter(name: str) -> bool:
    """Whether a member is what macOS and Windows leave in archives."""
    path = PurePosixPath(name)
    return "__MACOSX" in path.parts or path.name.startswith("._") or path.name in (".DS_Store", "Thumbs.db")


def _file_read(name: str, digest: str, size: int, part: Part) -> FileRead:
    malformed = int(part.table.column(MALFORMED).to_numpy().sum())
    logger.debug("%s: %d rows, %d malformed", name, part.table.num_rows, malformed)
    return FileRead(
        path=name,
        sha256=digest,
        n_bytes=size,
        rows=part.table.num_rows,
        malformed=malformed,
        encoding=part.encoding,
        renamed=part.match.renamed,
        dropped=part.match.dropped,
        absent=part.match.absent,
        crs=part.crs,
        notes=part.notes,
    )


def _one_crs(files: Sequence[FileRead], spec: FileSource) -> str | None:
    by_crs = {file.crs: file.path for file in reversed(files)}
    if len(by_crs) > 1:
        seen = "; ".join(f"{path}: {str(crs)[:60]}" for crs, path in sorted(by_crs.items(), key=lambda item: item[1]))
        raise SchemaError(
            f"Source {spec.name!r}: its files are in different CRS ({seen}). Declare one source for each CRS."
        )
    return files[0].crs


def _joined(parts: Sequence[Part]) -> pa.Table:
    tables = []
    for at, part in enumerate(parts):
        n = part.table.num_rows
        table = part.table.drop_columns([MALFORMED])
        shape = [name for name in table.column_names if name == GEOMETRY]
        plain = table.drop_columns(shape)
        plain = plain.append_column(FILE, pa.array(np.full(n, at, np.int32)))
        plain = plain.append_column(ROW, pa.array(np.arange(1, n + 1, dtype=np.int64)))
        plain = plain.append_column(MALFORMED, part.table.column(MALFORMED))
        for name in shape:
            plain = plain.append_column(name, table.column(name))
        tables.append(plain)
    return pa.concat_tables(tables)
