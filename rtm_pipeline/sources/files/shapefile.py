"""Whether a Shapefile is whole: its parts state how long they are, and GDAL does not mind if they are shorter.

ESRI Shapefile Technical Description (1998): the length of .shp and .shx in 16-bit words at byte 24, big-endian.
dBASE: number of records at byte 4, lengths of header and record at bytes 8 and 10, little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from rtm_pipeline.errors import SourceError
from rtm_pipeline.sources.files.archives import Member, read_head

__all__ = ["HEAD_BYTES", "check_shapefile", "parts_in_zip", "parts_on_disk"]

HEAD_BYTES = 100
_PARTS = (".shp", ".shx", ".dbf")


def parts_on_disk(path: Path) -> dict[str, tuple[bytes, int]]:
    """Ending -> (first bytes, size) of the parts of a Shapefile that lie beside ``path`` (its .shp)."""
    parts = {}
    for other in sorted(path.parent.iterdir()):
        if other.stem.casefold() == path.stem.casefold() and other.suffix.lower() in _PARTS:
            with other.open("rb") as stream:
                parts[other.suffix.lower()] = (stream.read(HEAD_BYTES), other.stat().st_size)
    return parts


def parts_in_zip(archive: Path, members: tuple[Member, ...], name: str, *, where: str) -> dict[str, tuple[bytes, int]]:
    """Ending -> (first bytes, size) of the parts of the Shapefile ``name`` (its .shp) in a zip archive."""
    stem = PurePosixPath(name).with_suffix("")
    parts = {}
    for member in members:
        path = PurePosixPath(member.name)
        if path.with_suffix("") == stem and path.suffix.lower() in _PARTS:
            parts[path.suffix.lower()] = (read_head(archive, member, HEAD_BYTES, where=where), member.n_bytes)
    return parts


def check_shapefile(parts: Mapping[str, tuple[bytes, int]], *, where: str) -> None:
    """See that .shp, .shx and .dbf are there, as long as they state, and of one number of records.

    Raises
    ------
    SourceError
        If one is missing or cut, or they do not belong together.
    """
    missing = [ending for ending in _PARTS if ending not in parts]
    if missing:
        raise SourceError(f"{where}: of the Shapefile {', '.join(missing)} is missing. All its parts are needed.")
    for ending in _PARTS:
        head, size = parts[ending]
        stated = _stated_size(ending, head)
        if size < stated:
            raise SourceError(
                f"{where}: the {ending} states {stated:,} bytes and has {size:,}: it was cut. Fetch it again."
            )
    shapes = (_stated_size(".shx", parts[".shx"][0]) - HEAD_BYTES) // 8
    records = struct.unpack_from("<I", parts[".dbf"][0], 4)[0]
    if shapes != records:
        raise SourceError(
            f"{where}: the Shapefile has {shapes:,} shapes and {records:,} rows of attributes: its parts do not belong "
            "together. Fetch it again."
        )


def _stated_size(ending: str, head: bytes) -> int:
    if ending == ".dbf":
        if len(head) < 12:
            return 32
        records, header, record = struct.unpack_from("<IHH", head, 4)
        return int(header + records * record)
    if len(head) < HEAD_BYTES:
        return HEAD_BYTES
    return 2 * int(struct.unpack_from(">I", head, 24)[0])
