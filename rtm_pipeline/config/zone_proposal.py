"""A first guess at the time zone of a city, to be checked by a person: no file of the zones' borders is at hand."""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path

import numpy as np

__all__ = ["propose_zone"]

# The four zones of the contiguous United States, by the longitude at which most of the next begins.
_US_ZONES = ((-114.0, "America/Los_Angeles"), (-102.0, "America/Denver"), (-86.5, "America/Chicago"))
_PLACE = re.compile(r"([+-])(\d{2})(\d{2})(?:\d{2})?([+-])(\d{3})(\d{2})(?:\d{2})?$")


def propose_zone(bounds_lonlat: Sequence[float]) -> str:
    """IANA zone of a place: by longitude in the contiguous United States, elsewhere that of the nearest namesake.

    The names of zones are cities, and the database of zones tells where they lie. UTC where it can't be found.

    Examples
    --------
    >>> propose_zone((-94.9, 39.0, -94.6, 39.2))
    'America/Chicago'
    >>> propose_zone((9.8, 53.5, 10.1, 53.7))
    'Europe/Berlin'
    """
    x, y = (bounds_lonlat[0] + bounds_lonlat[2]) / 2, (bounds_lonlat[1] + bounds_lonlat[3]) / 2
    if -125 < x < -66.5 and 24 < y < 49.5:
        return next((zone for limit, zone in _US_ZONES if x < limit), "America/New_York")
    places = list(_places())
    if not places:
        return "UTC"
    lat, lon = np.radians([[place[0], place[1]] for place in places]).T
    here_lat, here_lon = np.radians(y), np.radians(x)
    cosine = np.sin(lat) * np.sin(here_lat) + np.cos(lat) * np.cos(here_lat) * np.cos(lon - here_lon)
    return places[int(np.argmax(cosine))][2]


def _places() -> Iterator[tuple[float, float, str]]:
    """Latitude, longitude and name of every zone's namesake."""
    for line in _table().splitlines():
        fields = line.split("\t")
        match = _PLACE.match(fields[1]) if len(fields) > 2 and not line.startswith("#") else None
        if match is not None:
            north, degrees, minutes, east, degrees_east, minutes_east = match.groups()
            lat = (int(degrees) + int(minutes) / 60) * (1 if north == "+" else -1)
            lon = (int(degrees_east) + int(minutes_east) / 60) * (1 if east == "+" else -1)
            yield lat, lon, fields[2].strip()


def _table() -> str:
    """``zone.tab`` of the system or of the package tzdata; an empty text without either."""
    for folder in zoneinfo.TZPATH:
        path = Path(folder) / "zone.tab"
        if path.is_file():
            return path.read_text(encoding="utf-8")
    try:
        return (resources.files("tzdata") / "zoneinfo" / "zone.tab").read_text(encoding="utf-8")
    except (ModuleNotFoundError, FileNotFoundError):
        return ""
