"""Which projected CRS a city's grid may use: the State Plane zone that holds it, else its UTM zone."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from rtm_pipeline.errors import ConfigError
from rtm_pipeline.grid.crs import resolve_crs

__all__ = ["CrsProposal", "propose_crs"]

Bounds = tuple[float, float, float, float]
_STATE_PLANE = re.compile(r"^NAD_1983_StatePlane_(.+)_FIPS_\d+_Feet(?:_Intl)?$")


@dataclass(frozen=True, slots=True)
class CrsProposal:
    """A CRS that fits a place.

    Attributes
    ----------
    code, name : str
        Authority code and name.
    in_feet : bool
        Whether its unit is a foot.
    parts_in_10_000 : float
        How far lengths in it are off in the middle of the place, in 10,000.
    others : tuple of (str, str)
        Code and name of others that hold the place.
    """

    code: str
    name: str
    in_feet: bool
    parts_in_10_000: float
    others: tuple[tuple[str, str], ...]


def propose_crs(bounds_lonlat: Bounds) -> CrsProposal:
    """The State Plane zone (US feet) whose region holds the bounds, else the UTM zone of their middle.

    Zones overlap near state lines: the one is taken in whose region the place lies most centrally, the others are
    named, and a person decides by what the city's own maps use.

    Parameters
    ----------
    bounds_lonlat : tuple of float
        West, south, east, north, degrees (WGS84).

    Raises
    ------
    ConfigError
        The bounds are not degrees, or reach over more than one UTM zone can measure.

    Examples
    --------
    >>> propose_crs((-90.32, 38.53, -90.17, 38.77)).code
    'ESRI:102696'
    >>> propose_crs((2.22, 48.81, 2.47, 48.90)).code
    'EPSG:32631'
    """
    west, south, east, north = bounds_lonlat
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        raise ConfigError(
            f"The boundary reaches from {west:g}, {south:g} to {east:g}, {north:g}: these are no degrees."
        )
    if east - west > 6 or north - south > 6:
        raise ConfigError(
            f"The boundary is {east - west:.1f} by {north - south:.1f} degrees wide: that is no city. Keep only the "
            "city's own polygon in the file."
        )
    middle = ((west + east) / 2, (south + north) / 2)
    zones = _state_plane(bounds_lonlat, middle) or [_utm(bounds_lonlat)]
    found = resolve_crs(zones[0])
    return CrsProposal(
        code=found.code,
        name=found.name,
        in_feet=found.unit_m < 0.5,
        parts_in_10_000=_distortion(zones[0], middle),
        others=tuple((code, resolve_crs(code).name) for code in zones[1:]),
    )


def _query(bounds: Bounds, authority: str, *, deprecated: bool) -> list[Any]:
    from pyproj.aoi import AreaOfInterest
    from pyproj.database import query_crs_info
    from pyproj.enums import PJType

    found: list[Any] = query_crs_info(
        auth_name=authority,
        pj_types=[PJType.PROJECTED_CRS],
        area_of_interest=AreaOfInterest(*bounds),
        contains=True,
        allow_deprecated=deprecated,
    )
    return found


def _state_plane(bounds: Bounds, middle: tuple[float, float]) -> list[str]:
    """Codes of the zones that hold the bounds; those of EPSG where it has one in feet, else those of ESRI."""

    def off_center(info: Any) -> tuple[float, str]:
        use = info.area_of_use
        across = abs(2 * middle[0] - use.west - use.east) / (use.east - use.west)
        along = abs(2 * middle[1] - use.south - use.north) / (use.north - use.south)
        return max(across, along), str(info.code)

    by_name = {info.name: f"EPSG:{info.code}" for info in _query(bounds, "EPSG", deprecated=False)}
    codes = []
    # ESRI names every zone, and marks those as deprecated that EPSG has by now.
    for info in sorted(_query(bounds, "ESRI", deprecated=True), key=off_center):
        match = _STATE_PLANE.match(info.name)
        if match:
            zone = match.group(1).replace("_", " ")
            twin = by_name.get(f"NAD83 / {zone} (ftUS)") or by_name.get(f"NAD83 / {zone} (ft)")
            if twin or not info.deprecated:
                codes.append(twin or f"ESRI:{info.code}")
    return list(dict.fromkeys(codes))


def _utm(bounds: Bounds) -> str:
    from pyproj.aoi import AreaOfInterest
    from pyproj.database import query_utm_crs_info

    west, south, east, north = bounds
    x, y = (west + east) / 2, (south + north) / 2
    zones = query_utm_crs_info(datum_name="WGS 84", area_of_interest=AreaOfInterest(x, y, x, y), contains=True)
    if not zones:
        raise ConfigError(f"No UTM zone holds {y:.3f}, {x:.3f}. Choose a projected CRS by its code.")
    return f"EPSG:{zones[0].code}"


def _distortion(code: str, middle: tuple[float, float]) -> float:
    from pyproj import CRS, Proj

    factors = Proj(CRS.from_user_input(code)).get_factors(*middle)
    scale = math.sqrt(float(factors.areal_scale))
    return round(abs(scale - 1) * 10_000, 2)
