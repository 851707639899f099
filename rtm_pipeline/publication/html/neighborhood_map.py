"""The map of a neighborhood's page: the place and what lies around it, and where in the city that is."""

from __future__ import annotations

import numpy as np

from rtm_pipeline.publication.content import RISK_TERRAIN
from rtm_pipeline.publication.facts.night import Facts
from rtm_pipeline.publication.html.map import legend_list
from rtm_pipeline.publication.html.summary import section
from rtm_pipeline.publication.html.tags import Html, tag
from rtm_pipeline.publication.webmap.data import MapData, Overlay
from rtm_pipeline.publication.webmap.overlay import RADIUS_M, encode_png
from rtm_pipeline.publication.webmap.shapes import PICTURE_WIDTH

__all__ = ["place_map"]

_MARGIN = 0.35  # of the neighborhood's size, shown around it
_ASPECT = 4 / 3  # width over height, that of the figure in the page


def place_map(facts: Facts, data: MapData, at: int) -> Html:
    """The section with both maps and the legend."""
    overlay = next((item for item in data.overlays if item.id == RISK_TERRAIN), None)
    if overlay is None or overlay.picture is None:
        return section("map", "On the map", tag("p", "This edition may not show the risk terrain.", class_="missing"))
    name = facts.places.places[at].name if facts.places is not None else ""
    label = f"Risk terrain of {name} and what lies around it. North is up."
    city = f"Where {name} lies in {facts.label}."
    return section(
        "map",
        "On the map",
        tag(
            "div",
            tag("figure", _detail(data, overlay, at, label), tag("figcaption", "Risk terrain; north is up.")),
            tag("div", tag("figure", _locator(data, at, city), class_="locator"), legend_list(overlay.legend)),
            class_="place-map",
        ),
        tag("p", overlay.statement, class_="note strong") if overlay.statement else None,
    )


def _detail(data: MapData, overlay: Overlay, at: int, label: str) -> Html:
    """The neighborhood and its surroundings, cut out of the city's picture."""
    frame, picture = data.frame, overlay.picture
    if picture is None:
        return tag("svg", role="img", aria_label=label)
    left, top, wide, high = _view(data, at, picture.shape)
    columns = _clipped(left, wide, picture.shape[1])
    rows = _clipped(top, high, picture.shape[0])
    colors = [color for color, _ in reversed(overlay.legend)]
    image = encode_png(picture[rows[0] : rows[1], columns[0] : columns[1]], colors)
    pixel_x = PICTURE_WIDTH / picture.shape[1]
    pixel_y = PICTURE_WIDTH * (frame.north - frame.south) / (frame.east - frame.west) / picture.shape[0]
    x, y = columns[0] * pixel_x, rows[0] * pixel_y
    width, height = (columns[1] - columns[0]) * pixel_x, (rows[1] - rows[0]) * pixel_y
    box = f"{left * pixel_x:.1f} {top * pixel_y:.1f} {wide * pixel_x:.1f} {high * pixel_y:.1f}"
    unit = wide * pixel_x / 600.0
    return tag(
        "svg",
        tag(
            "image",
            href=image,
            x=f"{x:.2f}",
            y=f"{y:.2f}",
            width=f"{width:.2f}",
            height=f"{height:.2f}",
            preserveAspectRatio="none",
        ),
        tag(
            "path",
            d="".join(data.paths[other] for other in _around(data, at)),
            class_="area",
            stroke_width=f"{unit:.2f}",
        ),
        tag("path", d=data.area_path, class_="city", stroke_width=f"{1.6 * unit:.2f}"),
        tag("path", d=data.paths[at], class_="marked", stroke_width=f"{3 * unit:.2f}"),
        class_="still",
        viewBox=box,
        role="img",
        aria_label=label,
    )


def _around(data: MapData, at: int) -> list[int]:
    """Neighborhoods that may reach into the part of the picture around one of them."""
    import shapely

    west, south, east, north = data.polygons[at].bounds
    reach = 1.5 * max(east - west, north - south) + 0.01
    box = shapely.box(west - reach, south - reach, east + reach, north + reach)
    return [int(other) for other in np.flatnonzero(shapely.intersects(data.polygons, box))]


def _view(data: MapData, at: int, shape: tuple[int, ...]) -> tuple[float, float, float, float]:
    """Left, top, width and height of what is shown, in pixels of the picture; it may reach beyond the picture."""
    frame = data.frame
    west, south, east, north = (float(value) for value in data.polygons[at].bounds)
    x = np.radians([west, east]) * RADIUS_M
    y = np.log(np.tan(np.pi / 4 + np.radians([north, south]) / 2)) * RADIUS_M
    columns = (x - frame.west) / (frame.east - frame.west) * shape[1]
    rows = (frame.north - y) / (frame.north - frame.south) * shape[0]
    wide = (1.0 + 2.0 * _MARGIN) * float(columns[1] - columns[0]) + 8.0
    high = (1.0 + 2.0 * _MARGIN) * float(rows[1] - rows[0]) + 8.0
    wide, high = max(wide, high * _ASPECT), max(high, wide / _ASPECT)
    return float(columns.mean()) - wide / 2.0, float(rows.mean()) - high / 2.0, wide, high


def _clipped(start: float, length: float, size: int) -> tuple[int, int]:
    """First and one past the last pixel inside the picture that the span touches."""
    first = min(max(0, int(np.floor(start))), size - 1)
    return first, max(min(size, int(np.ceil(start + length))), first + 1)


def _locator(data: MapData, at: int, label: str) -> Html:
    frame = data.frame
    height = PICTURE_WIDTH * (frame.north - frame.south) / (frame.east - frame.west)
    return tag(
        "svg",
        tag("path", d=data.area_path, class_="ground"),
        tag("path", d=data.paths[at], class_="here"),
        viewBox=f"-10 -10 {PICTURE_WIDTH + 20:g} {height + 20:.1f}",
        role="img",
        aria_label=label,
    )
