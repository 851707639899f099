"""The data behind the map of a report: plain values only, each edition its own.

The script of the page draws what stands here and asks for nothing else. Texts are put into the page as text, never as
markup. Numbers are said in the same words as in the tables of the report, because both come from here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from rtm_pipeline.publication import legends
from rtm_pipeline.publication.content import FORECAST, RISK_TERRAIN, ReleaseContent
from rtm_pipeline.publication.markup import plain
from rtm_pipeline.publication.raster_styles import RasterClass
from rtm_pipeline.publication.report_facts import Facts
from rtm_pipeline.publication.report_places import PlaceFacts, Places
from rtm_pipeline.publication.report_words import HIDDEN, amount, area_words, count, percent
from rtm_pipeline.publication.surfaces import surfaces_of
from rtm_pipeline.publication.webmap_cells import cell_values
from rtm_pipeline.publication.webmap_overlay import RADIUS_M, CellPicture, Frame, cell_picture, encode_png
from rtm_pipeline.publication.webmap_sites import site_points

__all__ = ["PICTURE_WIDTH", "MapData", "Overlay", "map_data", "place_rows", "svg_path"]

SHOWN = {
    RISK_TERRAIN: "Risk terrain",
    FORECAST: "Forecast",
    "p_top5": "How sure a place is among the top 5 %",
    "uncertainty": "Uncertainty of the forecast",
    "change": "Change since the release before",
}
"""Surfaces of the map, in this order, as they are named there."""
AREAS = "areas"
TERM_COLOR = "#9c2160"
PICTURE_WIDTH = 1000.0
"""Width of still pictures, in their own units."""
_MOST_LINES = 4000


@dataclass(frozen=True, slots=True, eq=False)
class Overlay:
    """One surface of the map.

    Attributes
    ----------
    id, title, meaning : str
    statement : str
        How accurate it is; empty where there is nothing to say.
    image : str or None
        PNG data URI on the frame; None: the polygons are colored.
    legend : tuple of (color, label)
        The highest class first.
    area_colors : tuple of str
        For the surface that colors polygons.
    picture : ndarray of uint8, optional
        Classes on the frame's pixels, 1 the lowest in the legend, 0 outside.
    """

    id: str
    title: str
    meaning: str
    statement: str
    image: str | None
    legend: tuple[tuple[str, str], ...]
    area_colors: tuple[str, ...] = ()
    picture: NDArray[np.uint8] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class MapData:
    """A map: overlays in the frame, outlines in degrees, and what a click tells.

    Attributes
    ----------
    frame : Frame
    overlays : tuple of Overlay
    area : shapely geometry
        Study area, degrees.
    polygons : ndarray of object, shape (a,)
        Neighborhoods, degrees, simplified together so that shared borders stay shared.
    area_path, paths : str, tuple of str
        The same as SVG paths in a picture of the frame that is `PICTURE_WIDTH` wide.
    plain : dict
        What the page's script reads.
    """

    frame: Frame
    overlays: tuple[Overlay, ...]
    area: Any
    polygons: NDArray[np.object_]
    area_path: str
    paths: tuple[str, ...]
    plain: dict[str, Any]


def map_data(content: ReleaseContent, facts: Facts, picture: CellPicture | None = None) -> MapData:
    """Everything that the map of one edition shows.

    Parameters
    ----------
    content : ReleaseContent
    facts : Facts
    picture : CellPicture, optional
        Of the content's grid, where it is there already.
    """
    picture = cell_picture(content.grid) if picture is None else picture
    frame = picture.frame
    area, polygons = _outlines(content, facts.places)
    overlays = tuple(_overlays(content, facts, picture))
    places = facts.places.places if facts.places is not None else ()
    block = {
        "frame": frame.corners_lonlat,
        "bounds": [round(value, 6) for value in area.bounds],
        "area": _geometry(area),
        "overlays": [
            {
                "id": item.id,
                "title": plain(item.title),
                "meaning": plain(item.meaning),
                "statement": plain(item.statement),
                "image": item.image is not None,
                "legend": [{"color": color, "label": plain(label)} for color, label in item.legend],
                "colors": list(item.area_colors),
            }
            for item in overlays
        ],
        "polygons": [_geometry(polygon) for polygon in polygons],
        "labels": [_label_point(polygon) for polygon in polygons],
        "places": [_place(place, facts) for place in places],
        "lines": _lines(content, facts),
        "sites": None if facts.public else site_points(content, facts),
        "cells": None if not overlays else cell_values(content, facts, frame),
    }
    paths = tuple(svg_path(polygon, frame) for polygon in polygons)
    return MapData(frame, overlays, area, polygons, svg_path(area, frame), paths, block)


def place_rows(place: PlaceFacts, facts: Facts) -> list[tuple[str, str]]:
    """Names and values of one neighborhood, as every product of the edition says them."""
    rows = [
        ("Area", area_words(place.area_km2)),
        (f"{facts.outcome.capitalize()}, {facts.fitted_on}", _number(place.incidents, "incidents" in place.hidden)),
        ("Forecast for a year", _number(place.expected, "expected_incidents" in place.hidden)),
        ("Area among the city's top 5 % of risk", percent(place.risk_high_share)),
        ("Vacant lots", _number(place.lots, "lots" in place.hidden)),
        ("Dilapidated buildings", _number(place.buildings, "buildings" in place.hidden)),
        ("Open 311 requests", _number(place.open_311, "open_311" in place.hidden)),
    ]
    if place.district:
        rows.insert(0, ("Council district", place.district))
    if place.grant_rank is not None:
        rows.append(("Place in the grant list", count(place.grant_rank)))
    if place.top_factors:
        rows.append(("What raises its forecast", place.top_factors))
    if place.work:
        rows.append(("Work", place.work))
    if place.prevented is not None:
        rows.append(("Prevented by the funded work, a year", amount(place.prevented)))
    return rows


def _number(value: float | None, hidden: bool) -> str:
    if hidden:
        return HIDDEN
    return count(value) if value is None or value >= 10 or float(value).is_integer() else amount(value)


def _place(place: PlaceFacts, facts: Facts) -> dict[str, Any]:
    return {
        "id": place.id,
        "name": plain(place.name),
        "rows": [[plain(name), plain(value)] for name, value in place_rows(place, facts)],
        "reasons": [plain(reason.text) for reason in place.reasons],
        "page": f"neighborhoods/{place.id}.html",
    }


def _overlays(content: ReleaseContent, facts: Facts, cells: CellPicture) -> list[Overlay]:
    """Surfaces that the edition carries, the neighborhoods colored, and (restricted) where each factor holds."""
    by_name = {surface.spec.name: surface for surface in surfaces_of(content, facts.edition)}
    found = []
    for name, title in SHOWN.items():
        surface = by_name.get(name)
        if surface is None:
            continue
        classes = _classes(surface.values, surface.legend)
        picture = cells.of(classes)
        image = encode_png(picture, [item.color for item in surface.legend])
        legend = tuple((item.color, item.label) for item in reversed(surface.legend))
        statement = surface.statement or ""
        found.append(Overlay(name, title, surface.spec.meaning, statement, image, legend, picture=picture))
    if facts.places is not None and any(place.risk_high_share is not None for place in facts.places.places):
        found.append(_colored_areas(facts.places))
    if not facts.public:
        found += _term_overlays(content, facts, cells)
    return found


def _classes(values: NDArray[Any], legend: Sequence[RasterClass]) -> NDArray[np.uint8]:
    """Class of each value, from 1 on, by upper bounds; 0 where there is no value."""
    numbers = np.asarray(values, np.float32)
    bounds = np.array([item.value for item in legend], np.float32)
    classes = np.searchsorted(bounds, numbers, side="left").clip(0, len(legend) - 1) + 1
    return np.where(np.isfinite(numbers), classes, 0).astype(np.uint8)


def _colored_areas(places: Places) -> Overlay:
    shares = np.array([np.nan if p.risk_high_share is None else p.risk_high_share for p in places.places])
    legend = legends.quantile_legend(100.0 * shares, "% of its area")
    classes = _classes(100.0 * shares, legend)
    colors = tuple(legend[at - 1].color if at else "#ffffff" for at in classes.tolist())
    return Overlay(
        AREAS,
        "Neighborhoods by risk",
        "How much of each neighborhood belongs to the 5 % of cells with the highest score of the risk terrain.",
        "",
        None,
        tuple((item.color, item.label) for item in reversed(legend)),
        colors,
    )


def _term_overlays(content: ReleaseContent, facts: Facts, cells: CellPicture) -> list[Overlay]:
    from rtm_pipeline.publication.narrative import term_columns

    columns = term_columns(content, facts.model.terms)
    found = []
    for at, term in enumerate(facts.model.terms):
        image = encode_png(cells.of(columns[:, at]), [TERM_COLOR])
        title = f"{term.label[:1].upper()}{term.label[1:]}"
        meaning = f"Places {term.where}; one factor of the risk terrain (RRV {term.rrv:.2f})."
        found.append(Overlay(f"term-{at + 1}", title, meaning, "", image, ((TERM_COLOR, f"places {term.where}"),)))
    return found


def _outlines(content: ReleaseContent, places: Places | None) -> tuple[Any, NDArray[np.object_]]:
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


def _geometry(geometry: Any) -> dict[str, Any]:
    """GeoJSON of a polygon or multipolygon, rounded to a decimeter."""
    parts = shapely.get_parts(geometry)
    rings = [[_ring(part.exterior), *(_ring(hole) for hole in part.interiors)] for part in parts if not part.is_empty]
    return {"type": "MultiPolygon", "coordinates": rings}


def _ring(ring: Any) -> list[list[float]]:
    return [[float(x), float(y)] for x, y in np.round(np.asarray(ring.coords)[:, :2], 6)]


def _label_point(geometry: Any) -> list[float]:
    """Where a neighborhood's name stands: well inside its largest part."""
    parts = shapely.get_parts(geometry)
    largest = parts[int(np.argmax(shapely.area(parts)))]
    point = shapely.maximum_inscribed_circle(largest, tolerance=5e-4)
    x, y = shapely.get_coordinates(point)[0]
    return [round(float(x), 6), round(float(y), 6)]


def _lines(content: ReleaseContent, facts: Facts) -> list[list[list[float]]]:
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
