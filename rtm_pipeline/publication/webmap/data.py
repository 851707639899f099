"""The data behind the map of a report: plain values only, each edition its own.

The script of the page draws what stands here and asks for nothing else. Texts are put into the page as text, never as
markup. Numbers are said in the same words as in the tables of the report, because both come from here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.publication.content import FORECAST, RISK_TERRAIN, ReleaseContent
from rtm_pipeline.publication.facts.night import Facts
from rtm_pipeline.publication.facts.place_rows import place_rows
from rtm_pipeline.publication.facts.places import PlaceFacts, Places
from rtm_pipeline.publication.markup import plain
from rtm_pipeline.publication.rasters import legends
from rtm_pipeline.publication.rasters.styles import RasterClass
from rtm_pipeline.publication.rasters.surfaces import surfaces_of
from rtm_pipeline.publication.webmap.cells import cell_values
from rtm_pipeline.publication.webmap.overlay import CellPicture, Frame, cell_picture, encode_png
from rtm_pipeline.publication.webmap.shapes import PICTURE_WIDTH, geojson, label_point, outlines, street_lines, svg_path
from rtm_pipeline.publication.webmap.sites import site_points

__all__ = ["PICTURE_WIDTH", "MapData", "Overlay", "map_data"]

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
    area, polygons = outlines(content, facts.places)
    overlays = tuple(_overlays(content, facts, picture))
    places = facts.places.places if facts.places is not None else ()
    block = {
        "frame": frame.corners_lonlat,
        "bounds": [round(value, 6) for value in area.bounds],
        "area": geojson(area),
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
        "polygons": [geojson(polygon) for polygon in polygons],
        "labels": [label_point(polygon) for polygon in polygons],
        "places": [_place(place, facts) for place in places],
        "lines": street_lines(content, facts),
        "sites": None if facts.public else site_points(content, facts),
        "cells": None if not overlays else cell_values(content, facts, frame),
    }
    paths = tuple(svg_path(polygon, frame) for polygon in polygons)
    return MapData(frame, overlays, area, polygons, svg_path(area, frame), paths, block)


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
    from rtm_pipeline.publication.facts.narrative import term_columns

    columns = term_columns(content, facts.model.terms)
    found = []
    for at, term in enumerate(facts.model.terms):
        image = encode_png(cells.of(columns[:, at]), [TERM_COLOR])
        title = f"{term.label[:1].upper()}{term.label[1:]}"
        meaning = f"Places {term.where}; one factor of the risk terrain (RRV {term.rrv:.2f})."
        found.append(Overlay(f"term-{at + 1}", title, meaning, "", image, ((TERM_COLOR, f"places {term.where}"),)))
    return found
