"""What reading a source gives: the rows as text, and what was seen of the files or data sets they came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa

__all__ = ["FILE", "GEOMETRY", "MALFORMED", "RESERVED", "ROW", "FileRead", "SourceRead"]

FILE = "_file"
ROW = "_row"
MALFORMED = "_malformed"
GEOMETRY = "geometry"
RESERVED = (FILE, ROW, MALFORMED)


@dataclass(frozen=True, slots=True)
class FileRead:
    """What was seen of one file, one member of an archive, or one data set of a portal.

    Attributes
    ----------
    path : str
        Relative to the data folder, with ``/``; ``outer.zip/inner.csv`` for a member of an archive; the data set's
        id for a portal.
    sha256 : str
        Hex digest of the origin's bytes (of all files of a Shapefile or geodatabase; of the archive for a member).
        The bytes themselves are not kept.
    n_bytes : int
        Size of the origin.
    rows : int
        Data rows, malformed ones included.
    malformed : int
        Rows whose fields don't fit the header.
    encoding : str, optional
        Text encoding by which the file was read.
    renamed : tuple of (str, str)
        (name of the column, header under which it stood) where the two differ.
    dropped : tuple of str
        Columns that nobody declared: their names, never their values.
    absent : tuple of str
        Declared columns that are not required and not there.
    crs : str, optional
        CRS of the native geometry.
    notes : tuple of str
        What a person should know, such as a file that does not end in a line break.
    """

    path: str
    sha256: str
    n_bytes: int
    rows: int
    malformed: int = 0
    encoding: str | None = None
    renamed: tuple[tuple[str, str], ...] = ()
    dropped: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    crs: str | None = None
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> FileRead:
        """Turn the values of `to_json`, also after a way through JSON text, back into a FileRead."""
        values = dict(data)
        values["renamed"] = tuple((str(name), str(header)) for name, header in values.get("renamed", ()))
        for name in ("dropped", "absent", "notes"):
            values[name] = tuple(values.get(name, ()))
        return cls(**values)


@dataclass(frozen=True, slots=True, eq=False)
class SourceRead:
    """All rows of a source, as text.

    Attributes
    ----------
    table : pyarrow.Table
        The declared columns under their declared names (string; blanks around values dropped, missing is null), then
        ``_file`` (int32, index into ``files``), ``_row`` (int64, number of the data row within its file, from 1),
        ``_malformed`` (bool, the row does not fit its header and all its values are null) and, where native geometry
        was asked for, ``geometry`` (binary WKB in ``crs``). Rows of a file stand together, in the order of the file.
    files : tuple of FileRead
        In the order in which they were read.
    crs : str, optional
        CRS of ``geometry``.
    part_by : (str, int), optional
        Column of dates by which rows are ordered, if they are (rows of a portal are), and how many of its letters
        tell the month (7 of an ISO date): snapshots then begin parts where months begin, so that nights share the
        parts of the months in which nothing changed.
    """

    table: pa.Table
    files: tuple[FileRead, ...]
    crs: str | None = None
    part_by: tuple[str, int] | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the declared columns."""
        return tuple(name for name in self.table.column_names if name not in (*RESERVED, GEOMETRY))

    @property
    def dropped_columns(self) -> tuple[str, ...]:
        """Names of columns seen in any file and kept of none, sorted."""
        return tuple(sorted({name for file in self.files for name in file.dropped}))
