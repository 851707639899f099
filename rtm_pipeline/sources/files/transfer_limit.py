"""Answers of ArcGIS services saved as files: whether they hold all rows or only those up to the service's limit."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from rtm_pipeline.errors import SourceError
from rtm_pipeline.sources.spec import FileSource

__all__ = ["check_whole", "more_to_come"]

# The mark stands beside the features, before or after them: not among the rows.
_ENDS_BYTES = 4096
_MARK = re.compile(rb'"exceededTransferLimit"\s*:\s*true')


def more_to_come(origin: str | Path | bytes) -> bool:
    """Whether a JSON file says that the service had more rows than it gave.

    Parameters
    ----------
    origin : str, Path or bytes
        A path, the whole file, or a GDAL path into an archive, which is not looked into.
    """
    if isinstance(origin, bytes):
        ends = origin[:_ENDS_BYTES] + origin[-_ENDS_BYTES:]
    elif Path(origin).is_file() and Path(origin).suffix.lower() in (".geojson", ".json"):
        with Path(origin).open("rb") as file:
            ends = file.read(_ENDS_BYTES)
            file.seek(max(0, Path(origin).stat().st_size - _ENDS_BYTES))
            ends += file.read()
    else:
        return False
    return _MARK.search(ends) is not None


def check_whole(spec: FileSource, more: Iterable[bool], rows: int) -> None:
    """Refuse a source all of whose files say that there is more: of several pages the last does not.

    Raises
    ------
    SourceError
        The message says how to get the rest.
    """
    seen = list(more)
    if seen and all(seen):
        raise SourceError(
            f"Source {spec.name!r}, {spec.path}: the service gave {rows:,} rows and says that it has more "
            "(exceededTransferLimit). Fetch the next pages too (resultOffset) and name all files by a glob, or let the "
            "night read the service itself: kind: arcgis, url: https://.../FeatureServer/0."
        )
