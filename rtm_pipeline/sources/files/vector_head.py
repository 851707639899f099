"""Whether a vector file is data, told from its first bytes before GDAL opens it.

GDAL looks at contents, not at endings: a file that is called ``.geojson`` and holds one of GDAL's own descriptions (a
virtual layer, a recipe of algorithms, the address of a service) would make it open any other file of this machine, or
ask any address. Only formats that carry their data themselves are let through.
"""

from __future__ import annotations

import re
from pathlib import Path

from rtm_pipeline.errors import SourceError

__all__ = ["DRIVERS", "HEAD_BYTES", "check_driver", "check_head", "head_of"]

HEAD_BYTES = 64 * 1024
DRIVERS = frozenset(
    {
        "ESRI Shapefile",
        "ESRIJSON",
        "FlatGeobuf",
        "GML",
        "GPKG",
        "GeoJSON",
        "GeoJSONSeq",
        "JSONFG",
        "KML",
        "LIBKML",
        "OpenFileGDB",
        "TopoJSON",
    }
)
"""GDAL's names of the formats that are read."""
_MAGIC = (b"SQLite format 3\0", b"fgb", b"\x00\x00\x27\x0a")
_DESCRIPTIONS = re.compile(rb"<OGR\w+DataSource|<VRTDataset|gdal_streamed_alg", re.IGNORECASE)
_ENTITY = re.compile(rb"<!(?:ENTITY|DOCTYPE)", re.IGNORECASE)
_ROOT = re.compile(rb"<(?:[A-Za-z_][\w.-]*:)?([A-Za-z_][\w.-]*)[\s>/]")
_ROOTS = (b"kml", b"FeatureCollection", b"CityModel")


def head_of(origin: str | Path | bytes) -> bytes | None:
    """First bytes of a file or of its content; None of a folder, or of a path into an archive."""
    if isinstance(origin, bytes):
        return origin[:HEAD_BYTES]
    path = Path(origin)
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)


def check_head(head: bytes, *, where: str) -> None:
    """Let a vector file pass that carries its own data.

    Raises
    ------
    SourceError
        It is a description of other data, declares entities, or is none of the formats that are read.
    """
    if head.startswith(_MAGIC):
        return
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n\x1e")
    if _DESCRIPTIONS.search(head):
        raise SourceError(
            f"{where}: it is a description that makes GDAL read other files or addresses, not data. It is refused; "
            "look who put it there."
        )
    if text.startswith(b"{"):
        return
    if text.startswith(b"<"):
        if _ENTITY.search(head):
            raise SourceError(f"{where}: the XML declares a document type or entities, as no data do. It is refused.")
        root = _ROOT.search(re.sub(rb"<!--.*?-->|<\?.*?\?>", b"", text, flags=re.DOTALL))
        if root and root.group(1) in _ROOTS:
            return
    raise SourceError(
        f"{where}: it is no GeoJSON, GeoPackage, Shapefile, File Geodatabase, FlatGeobuf, KML or GML; it begins with "
        f"{text[:24]!r}. Fetch it again, or have it converted to GeoPackage."
    )


def check_driver(driver: str, *, where: str) -> None:
    """Refuse what GDAL opened in another way than those of `DRIVERS`."""
    if driver not in DRIVERS:
        raise SourceError(f"{where}: GDAL takes it for {driver!r}, which is not read. Have it converted to GeoPackage.")
