"""The city's coordinate reference system: a projected one, with a code, whose unit is known in meters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rtm_pipeline.errors import ConfigError

__all__ = ["CrsInfo", "resolve_crs", "same_crs"]

_ADVICE = (
    "Choose the projected CRS that the city's own maps use, by its code: a State Plane zone (ESRI:102696 for eastern "
    "Missouri in US feet) or the UTM zone (EPSG:26915 for 96 to 90 degrees west, in meters)."
)
_WEB_MERCATOR = "Popular Visualisation Pseudo Mercator"


@dataclass(frozen=True, slots=True)
class CrsInfo:
    """A projected CRS.

    Attributes
    ----------
    code : str
        Authority code, such as ``ESRI:102696``.
    name : str
        What it is called.
    unit_name : str
        Unit of both axes, such as ``US survey foot``.
    unit_m : float
        Meters in one unit.
    bounds_lonlat : tuple of float, optional
        West, south, east, north of the region it was made for, degrees; None where the registry does not say.
    """

    code: str
    name: str
    unit_name: str
    unit_m: float
    bounds_lonlat: tuple[float, float, float, float] | None = None


def resolve_crs(code: str) -> CrsInfo:
    """Look a CRS up by its code and make sure that lengths and areas can be measured in it.

    Parameters
    ----------
    code : str
        Authority and number, such as ``EPSG:26915``.

    Returns
    -------
    CrsInfo

    Raises
    ------
    ConfigError
        The code is unknown, or is not of a projected CRS, or the CRS distorts lengths (web mercator); the message
        says which to choose instead.
    """
    crs = parse_crs(code, where="area.crs")
    authority = crs.to_authority(min_confidence=100)
    if authority is None:
        raise ConfigError(f"area.crs: {code!r} has no authority code, so products could not name it. {_ADVICE}")
    name = ":".join(authority)
    if not crs.is_projected:
        kind = "is in degrees" if crs.is_geographic else "is not a plane"
        raise ConfigError(f"area.crs: {name} ({crs.name}) {kind}; cells and distances need lengths. {_ADVICE}")
    if crs.coordinate_operation is not None and crs.coordinate_operation.method_name == _WEB_MERCATOR:
        raise ConfigError(
            f"area.crs: {name} ({crs.name}) stretches lengths by 1 / cos(latitude), a third and more in most cities, "
            f"so distances in it are not distances. {_ADVICE}"
        )
    units = {(axis.unit_name, axis.unit_conversion_factor) for axis in crs.axis_info[:2]}
    if len(units) != 1:
        raise ConfigError(f"area.crs: the axes of {name} ({crs.name}) have different units: {sorted(units)}. {_ADVICE}")
    unit_name, unit_m = units.pop()
    bounds = None
    if crs.area_of_use is not None:
        bounds = (crs.area_of_use.west, crs.area_of_use.south, crs.area_of_use.east, crs.area_of_use.north)
    return CrsInfo(name, crs.name, unit_name, float(unit_m), bounds)


def parse_crs(code: str, *, where: str) -> Any:
    """``pyproj.CRS`` of a code or WKT; ConfigError that names ``where`` if there is none."""
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    try:
        return CRS.from_user_input(code)
    except CRSError as error:
        raise ConfigError(
            f"{where}: {str(code)[:80]!r} is not a coordinate reference system that is known here ({error}). {_ADVICE}"
        ) from error


def same_crs(one: str, other: str) -> bool:
    """Whether two codes mean the same CRS; equal texts are not looked up."""
    return one == other or bool(parse_crs(one, where="crs") == parse_crs(other, where="crs"))
