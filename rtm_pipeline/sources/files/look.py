"""A first look at files that nobody has declared yet: their columns, and nothing of their rows."""

from __future__ import annotations

import csv
import zlib
from dataclasses import dataclass
from pathlib import Path

from rtm_pipeline.errors import RtmError, SourceError
from rtm_pipeline.sources.files.encodings import decode
from rtm_pipeline.sources.files.vector_head import check_head, head_of

__all__ = ["FileLook", "csv_columns", "look_at_folder"]

_TABLES = (".csv", ".tsv", ".txt")
_SHAPES = (".geojson", ".json", ".gpkg", ".shp", ".fgb")
_HEAD = 256 * 1024
_MOST_FILES = 60


@dataclass(frozen=True, slots=True)
class FileLook:
    """What a file seems to hold.

    Attributes
    ----------
    path : str
        Relative to the folder, with ``/``.
    columns : tuple of str
        Its headers or fields.
    shape : str or None
        Kind of its native geometry; None for a table.
    delimiter : str
    """

    path: str
    columns: tuple[str, ...]
    shape: str | None = None
    delimiter: str = ","


def look_at_folder(folder: Path) -> list[FileLook]:
    """The data files in a folder and the folders in it, in the order of their names; unreadable ones are left out."""
    found: list[FileLook] = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        ending = path.suffix.lower()
        if len(found) >= _MOST_FILES or not path.is_file() or name.startswith("."):
            continue
        try:
            if ending in _TABLES:
                columns, delimiter = csv_columns(path)
                if len(columns) > 1:
                    found.append(FileLook(name, columns, None, delimiter))
            elif ending in _SHAPES:
                look = _look_at_shapes(path, name)
                if look is not None:
                    found.append(look)
        except (OSError, RtmError):
            continue
    return found


def csv_columns(path: Path) -> tuple[tuple[str, ...], str]:
    """Headers of a CSV file (also gzipped) and the mark between them, from its first 256 kB."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if path.suffix.lower() == ".gz":
        head = zlib.decompressobj(wbits=31).decompress(head, _HEAD)
    line = head.splitlines()[0] if head else b""
    first = decode(line, encoding=None, where=path.name).data.decode("utf-8").strip()
    delimiter = max(",;\t|", key=first.count)
    return tuple(name.strip() for name in next(csv.reader([first], delimiter=delimiter), [])), delimiter


def _look_at_shapes(path: Path, name: str) -> FileLook | None:
    import pyogrio
    from pyogrio.errors import DataSourceError

    try:
        check_head(head_of(path) or b"", where=name)
        info = pyogrio.read_info(path)
    except (DataSourceError, SourceError):
        return None
    return FileLook(name, tuple(map(str, info["fields"])), info["geometry_type"])
