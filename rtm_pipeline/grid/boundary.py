"""The study area: polygons of any source, united and repaired, in the city's CRS."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import GridError
from rtm_pipeline.grid.crs import CrsInfo, parse_crs, resolve_crs

__all__ = ["polygonal", "study_area"]

MAX_AREA_KM2 = 50_000.0  # six times the largest city of the United States (Sitka, Alaska)

_log = logging.getLogger(__name__)


def study_area(geometries: Iterable[bytes | None], source_crs: str, city_crs: str) -> Any:
    """Unite polygons into the study area, in the city's CRS; invalid ones are repaired.

    Parameters
    ----------
    geometries : iterable of bytes
        WKB polygons (a pyarrow binary column will do).
    source_crs : str
        CRS of the coordinates, x (or longitude) first.
    city_crs : str
        Projected CRS of the city.

    Returns
    -------
    shapely.Polygon or shapely.MultiPolygon
        Valid, in ``city_crs``.

    Raises
    ------
    GridError
        No polygon, one that can't be read or repaired, coordinates that do not fit ``source_crs`` (latitude and
        longitude exchanged, feet read as meters), or more area than any city has.
    ConfigError
        A CRS is not known or not projected.
    """
    import shapely

    city = resolve_crs(city_crs)
    polygons = _readable_polygons(geometries)
    if not np.isfinite(shapely.get_coordinates(polygons)).all():
        raise GridError("The study area has coordinates that are not numbers. Mend the file of area.source.")
    bounds = shapely.total_bounds(polygons)
    _check_degrees(bounds, source_crs)
    moved = _transformed(_repaired(polygons), source_crs, city.code)
    area = polygonal(shapely.union_all(_repaired(moved)))
    if area.is_empty or not area.area > 0:
        raise GridError(
            f"The study area has no area: its {len(polygons)} polygons collapse to lines or points and can't be "
            "repaired. Check the file of area.source."
        )
    _check_plausible(area, city, bounds, source_crs)
    return area


def _readable_polygons(geometries: Iterable[bytes | None]) -> NDArray[np.object_]:
    import shapely

    listed = geometries.to_pylist() if hasattr(geometries, "to_pylist") else list(geometries)
    given = [wkb for wkb in listed if wkb is not None]
    if not given:
        raise GridError("The study area has no geometry: area.source gave no row with one. Check the file and filter.")
    shapes = np.empty(len(given), dtype=object)
    for row, wkb in enumerate(given):
        try:
            shapes[row] = shapely.force_2d(shapely.from_wkb(wkb))
        except shapely.errors.GEOSException as error:
            raise GridError(
                f"Geometry {row + 1} of the study area can't be read ({error}). Mend the file of area.source."
            ) from error
    areal = np.isin(shapely.get_dimensions(shapes), [2]) & ~shapely.is_empty(shapes)
    if not areal.any():
        found = sorted({shape.geom_type for shape in shapes})
        raise GridError(f"The study area must be polygons; area.source holds only {', '.join(found)}, or empty ones.")
    polygons: NDArray[np.object_] = shapes[areal]
    return polygons


def _check_degrees(bounds: NDArray[np.float64], source_crs: str) -> None:
    if not parse_crs(source_crs, where="CRS of the study area").is_geographic:
        return
    west, south, east, north = (float(bound) for bound in bounds)
    box = f"x {west:g} to {east:g}, y {south:g} to {north:g}"
    if max(abs(west), abs(east)) > 360 or max(abs(south), abs(north)) > 360:
        raise GridError(
            f"The study area is said to be in degrees ({source_crs}), but its coordinates ({box}) are not degrees. "
            "Set the CRS that the file is in."
        )
    if max(abs(south), abs(north)) > 90:
        raise GridError(
            f"The study area has latitudes beyond 90 degrees ({box}): latitude and longitude seem to be exchanged. "
            "The first coordinate must be the longitude."
        )


def _transformed(polygons: NDArray[np.object_], source_crs: str, city_crs: str) -> NDArray[np.object_]:
    import shapely
    from pyproj import Transformer

    source = parse_crs(source_crs, where="CRS of the study area")
    if source == parse_crs(city_crs, where="area.crs"):
        return polygons
    transformer = Transformer.from_crs(source, city_crs, always_xy=True)

    def move(vertices: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack(transformer.transform(vertices[:, 0], vertices[:, 1]))

    moved: NDArray[np.object_] = shapely.transform(polygons, move)
    if not np.isfinite(shapely.get_coordinates(moved)).all():
        raise GridError(
            f"The study area does not lie where {city_crs} can be used: some vertices have no place in it. Check that "
            f"the file is in {_short(source_crs)} with the longitude (or x) first, and that area.crs is the city's."
        )
    return moved


def _repaired(polygons: NDArray[np.object_]) -> NDArray[np.object_]:
    import shapely

    broken = ~shapely.is_valid(polygons)
    if broken.any():
        _log.info("study area: %d of %d polygons were invalid and have been repaired", broken.sum(), broken.size)
        polygons = polygons.copy()
        polygons[broken] = shapely.make_valid(polygons[broken], method="structure", keep_collapsed=False)
    return polygons


def polygonal(shape: Any) -> Any:
    """The polygons of a geometry; what a union or difference leaves of lines and points is dropped."""
    import shapely

    parts = shapely.get_parts(shapely.get_parts(shape))
    return shapely.union_all(parts[shapely.get_dimensions(parts) == 2])


def _check_plausible(area: Any, city: CrsInfo, bounds: NDArray[np.float64], source_crs: str) -> None:
    km2 = area.area * (city.unit_m / 1000.0) ** 2
    if km2 > MAX_AREA_KM2:
        raise GridError(
            f"The study area has {km2:,.0f} square kilometers; no city has more than {MAX_AREA_KM2:,.0f}. Is the file "
            f"in {_short(source_crs)}, and does area.source hold the city alone (not the state)?"
        )
    if city.bounds_lonlat is None:
        return
    from pyproj import Transformer

    center = area.representative_point()
    lon, lat = Transformer.from_crs(city.code, "EPSG:4326", always_xy=True).transform(center.x, center.y)
    if _near(lon, lat, city.bounds_lonlat):
        return
    if parse_crs(source_crs, where="CRS of the study area").is_geographic and _near(
        float(bounds[1] + bounds[3]) / 2, float(bounds[0] + bounds[2]) / 2, city.bounds_lonlat
    ):
        raise GridError(
            f"The study area lies at {lat:.3f} N, {lon:.3f} E, outside the region of {city.code}; with latitude and "
            "longitude exchanged it would lie inside. The first coordinate must be the longitude."
        )
    raise GridError(
        f"The study area lies at {lat:.3f} N, {lon:.3f} E, far outside the region that {city.code} ({city.name}) was "
        f"made for {tuple(round(bound, 2) for bound in city.bounds_lonlat)}: distances would be wrong. Check that the "
        f"file is in {_short(source_crs)}, or choose the CRS of the city's own State Plane or UTM zone."
    )


def _near(lon: float, lat: float, bounds: tuple[float, float, float, float]) -> bool:
    west, south, east, north = bounds
    margin = 3.0  # degrees: neighboring zones are used across their borders in practice
    within = south - margin <= lat <= north + margin
    if west > east:  # across the antimeridian
        return within and (lon >= west - margin or lon <= east + margin)
    return within and west - margin <= lon <= east + margin


def _short(crs: str) -> str:
    return crs if len(crs) < 40 else crs[:37] + "..."
