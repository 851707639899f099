r"""Points inside text: what Socrata portals make of a location column, in every shape met so far.

- ``{"latitude": "39.1", "longitude": "-94.5", "human_address": "..."}`` (location object, JSON or a printed Python
  dictionary, numbers as text or not, keys in any order)
- ``{'type': 'Point', 'coordinates': [-94.5, 39.1]}`` (GeoJSON, likewise)
- ``POINT (-94.5 39.1)`` (CSV exports)
- ``901 E 27th St64109\n(39.1, -94.5)`` (an address with its geocode, on two lines)
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

__all__ = ["read_locations"]

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_LATITUDE = rf"""['"]latitude['"]\s*:\s*['"]?(?P<lat>{_NUMBER})['"]?\s*[,}}]"""
_LONGITUDE = rf"""['"]longitude['"]\s*:\s*['"]?(?P<lon>{_NUMBER})['"]?\s*[,}}]"""
_PAIRS = (
    rf"""['"]coordinates['"]\s*:\s*[\[(]\s*(?P<lon>{_NUMBER})\s*,\s*(?P<lat>{_NUMBER})\s*[,\])]""",
    rf"(?i)^POINT\s*Z?\s*\(\s*(?P<lon>{_NUMBER})\s+(?P<lat>{_NUMBER})",
    rf"\(\s*(?P<lat>{_NUMBER})\s*,\s*(?P<lon>{_NUMBER})\s*\)\s*$",
)
# A text with none of these has an address at most: the row was not geocoded.
_HAS_PLACE = r"(?is)latitude['\"]\s*:\s*['\"]?\s*[^\s'\"n,}]|coordinates['\"]\s*:\s*[\[(]|^POINT|\([^()]*,[^()]*\)\s*$"


def read_locations(values: pa.StringArray) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Latitude, longitude and "has no place at all" of texts.

    Parameters
    ----------
    values : pyarrow.StringArray, length k
        None missing.

    Returns
    -------
    latitude, longitude : ndarray of float64, shape (k,)
        Degrees (EPSG:4326); NaT-like NaN where nothing can be read.
    without : ndarray of bool, shape (k,)
        Texts that hold no coordinates, only an address or empty keys: missing rather than unreadable.
    """
    latitude = _extract(values, _LATITUDE, "lat")
    longitude = _extract(values, _LONGITUDE, "lon")
    for pattern in _PAIRS:
        open_ = np.isnan(latitude) | np.isnan(longitude)
        if not open_.any():
            break
        latitude = np.where(open_, _extract(values, pattern, "lat"), latitude)
        longitude = np.where(open_, _extract(values, pattern, "lon"), longitude)
    unread = np.isnan(latitude) | np.isnan(longitude)
    has_place = pc.match_substring_regex(values, _HAS_PLACE).to_numpy(zero_copy_only=False)
    return np.where(unread, np.nan, latitude), np.where(unread, np.nan, longitude), unread & ~has_place


def _extract(values: pa.StringArray, pattern: str, part: str) -> NDArray[np.float64]:
    found = pc.extract_regex(values, pattern)
    text = pc.struct_field(found, part)
    # RE2 gives an empty group for a text that does not match.
    filled = pc.if_else(pc.equal(pc.fill_null(text, ""), ""), pa.scalar(None, pa.string()), text)
    numbers: NDArray[np.float64] = pc.cast(filled, pa.float64()).to_numpy(zero_copy_only=False)
    return numbers
