"""Outlines for web maps: simplified, in degrees, as GeoJSON and as paths of still pictures."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from rtm_pipeline.publication.content import ReleaseContent
from rtm_pipeline.publication.facts.night import Facts
from rtm_pipeline.publication.facts.places import Places
from rtm_pipeline.publication.webmap.overlay import RADIUS_M, Frame

__all__ = ["PICTURE_WIDTH", "geojson", "label_point", "outlines", "street_lines", "svg_path"]

PICTURE_WIDTH = 1000.0
"""Width of still pictures, in their own units."""
_MOST_LINES = 4000


def outlines(content: ReleaseContent, places: Places | None) -> tuple[Any, NDArray[np.object_]]:
    """Study area and neighborhoods in degrees, simplified to a fifth of a cell."""
    tolerance = 0.2 * content.grid.spec.cell_size_u
    area = shapely.simplify(content.area, tolerance)
    polygons = np.empty(0, dtype=object)
    if places is not None:
        polygons = np.array(shapely.coverage_simplify(places.polygons, tolerance), dtype=object)
        lost = shapely.is_empty(polygons)
        polygons[lost] = places.polygons[lost]
    to_degrees = _to_degrees(content.grid.spec.crs)
    return to_degrees(area), np.array([to_degrees(polygon) for polygon in polygons], dtype=object)


def _to_degrees(crs: str) -> Any:
    from pyproj import Transformer

    transformer = Transformer.from_crs(crs, "EPSG:4326", always_xy=True)

    def convert(geometry: Any) -> Any:
        def points(xy: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.round(np.stack(transformer.transform(xy[:, 0], xy[:, 1]), axis=1), 6)

        return shapely.transform(geometry, points)

    return convert


def geojson(geometry: Any) -> dict[str, Any]:
    """GeoJSON of a polygon or multipolygon, rounded to a decimeter."""
    parts = shapely.get_parts(geometry)
    rings = [[_ring(part.exterior), *(_ring(hole) for hole in part.interiors)] for part in parts if not part.is_empty]
    return {"type": "MultiPolygon", "coordinates": rings}


def _ring(ring: Any) -> list[list[float]]:
    return [[float(x), float(y)] for x, y in np.round(np.asarray(ring.coords)[:, :2], 6)]


def label_point(geometry: Any) -> list[float]:
    """Where a neighborhood's name stands: well inside its largest part."""
    parts = shapely.get_parts(geometry)
    largest = parts[int(np.argmax(shapely.area(parts)))]
    point = shapely.maximum_inscribed_circle(largest, tolerance=5e-4)
    x, y = shapely.get_coordinates(point)[0]
    return [round(float(x), 6), round(float(y), 6)]


def street_lines(content: ReleaseContent, facts: Facts) -> list[list[list[float]]]:
    """Streets and other lines, for orientation; only where their source's terms allow it."""
    barred = {credit.source for credit in content.credits if facts.edition not in credit.editions}
    found: list[Any] = []
    for name, result in content.layers.items():
        layer = result.layer
        if layer.kind != "sites" or layer.geometry is None or content.layer_sources.get(name) in barred:
            continue
        lines = layer.geometry[np.isin(shapely.get_type_id(layer.geometry), (1, 5))]
        found += list(shapely.get_parts(lines))
    if not found or len(found) > _MOST_LINES:
        return []
    clipped = shapely.intersection(
        shapely.simplify(np.array(found, dtype=object), 10.0 / content.grid.spec.unit_m), content.area
    )
    to_degrees = _to_degrees(content.grid.spec.crs)
    parts = [part for part in shapely.get_parts(clipped) if part.geom_type == "LineString" and not part.is_empty]
    return [_ring(to_degrees(part)) for part in parts]


def svg_path(geometry: Any, frame: Frame) -> str:
    """A polygon in degrees as a path in the picture's pixels."""
    scale = PICTURE_WIDTH / (frame.east - frame.west)
    parts = []
    for polygon in shapely.get_parts(geometry):
        for ring in (polygon.exterior, *polygon.interiors):
            xy = _pixels(np.asarray(ring.coords)[:, :2], frame, scale)
            parts.append("M" + "L".join(f"{x:g} {y:g}" for x, y in xy.tolist()) + "Z")
    return "".join(parts)


def _pixels(lonlat: NDArray[np.float64], frame: Frame, scale: float) -> NDArray[np.float64]:
    x = np.radians(lonlat[:, 0]) * RADIUS_M
    y = np.log(np.tan(math.pi / 4 + np.radians(lonlat[:, 1]) / 2)) * RADIUS_M
    pixels: NDArray[np.float64] = np.stack([(x - frame.west) * scale, (frame.north - y) * scale], axis=1)
    return pixels.round(1)
