"""What a snapshot says of itself, as it stands in its manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rtm_pipeline.sources.source_read import FileRead

__all__ = ["Snapshot", "SnapshotPart"]

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class SnapshotPart:
    """Some rows of a snapshot in one Parquet file: its name by content, its size, its rows and their file."""

    sha256: str
    n_bytes: int
    rows: int
    file: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one source said at one time.

    Attributes
    ----------
    city, source : str
    digest : str
        Sha256 (hex) of the content: columns, rows, CRS. The same content has the same digest whenever it was read.
    fetched_at : str
        When it was last read, ISO 8601 in UTC, as in ``2024-05-01T07:00:00Z``.
    first_fetched_at : str
        When this content was first read. Whatever judges rows by the time of reading must use this one, so that the
        same digest gives the same numbers.
    rows : int
    columns : tuple of str
        Declared columns, by name.
    files : tuple of FileRead
        Of the last reading.
    crs : str, optional
        CRS of ``geometry``.
    geometry : bool
        Whether rows have native geometry.
    parts : tuple of SnapshotPart
    dropped_columns : tuple of str
        Names of columns that were seen and not kept.
    stands_in : str, optional
        Why this one stands in for tonight's, which could not be read. It tells of a use, so no manifest has it.
    """

    city: str
    source: str
    digest: str
    fetched_at: str
    first_fetched_at: str
    rows: int
    columns: tuple[str, ...]
    files: tuple[FileRead, ...]
    crs: str | None
    geometry: bool
    parts: tuple[SnapshotPart, ...]
    dropped_columns: tuple[str, ...]
    stands_in: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        values = asdict(self)
        del values["stands_in"]
        return {"format": _FORMAT, **values}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Snapshot:
        """Turn the values of `to_json`, also after a way through JSON text, back into a Snapshot."""
        values = {name: value for name, value in data.items() if name != "format"}
        values["files"] = tuple(FileRead.from_json(file) for file in values["files"])
        values["parts"] = tuple(SnapshotPart(**part) for part in values["parts"])
        values["columns"] = tuple(values["columns"])
        values["dropped_columns"] = tuple(values["dropped_columns"])
        return cls(**values)
