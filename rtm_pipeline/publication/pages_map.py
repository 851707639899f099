"""The map of a neighborhood's page: the place and what lies around it, and where in the city that is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.publication.content import RISK_TERRAIN
from rtm_pipeline.publication.html import Html, tag
from rtm_pipeline.publication.html_map import legend_list
from rtm_pipeline.publication.html_summary import section
from rtm_pipeline.publication.report_facts import Facts
from rtm_pipeline.publication.webmap import MapData, Overlay
from rtm_pipeline.publication.webmap_overlay import RADIUS_M, encode_png
from rtm_pipeline.publication.webmap_shapes import PICTURE_WIDTH

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
    columns, rows = _window(data, at, picture.shape)
    colors = [color for color, _ in reversed(overlay.legend)]
    image = encode_png(picture[rows[0] : rows[1], columns[0] : columns[1]], colors)
    pixel_x = PICTURE_WIDTH / picture.shape[1]
    pixel_y = PICTURE_WIDTH * (frame.north - frame.south) / (frame.east - frame.west) / picture.shape[0]
    x, y = columns[0] * pixel_x, rows[0] * pixel_y
    width, height = (columns[1] - columns[0]) * pixel_x, (rows[1] - rows[0]) * pixel_y
    box = f"{x:.1f} {y:.1f} {width:.1f} {height:.1f}"
    unit = max(width, height) / 500.0
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
    """Neighborhoods whose boxes meet the part of the picture around one of them."""
    import shapely

    west, south, east, north = data.polygons[at].bounds
    dx, dy = _MARGIN * (east - west) + 0.002, _MARGIN * (north - south) + 0.002
    box = shapely.box(west - dx, south - dy, east + dx, north + dy)
    return [int(other) for other in np.flatnonzero(shapely.intersects(data.polygons, box))]


def _window(data: MapData, at: int, shape: tuple[int, ...]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Columns and rows of the picture around a neighborhood, first and one past the last."""
    frame = data.frame
    west, south, east, north = (float(value) for value in data.polygons[at].bounds)
    x = np.radians([west, east]) * RADIUS_M
    y = np.log(np.tan(np.pi / 4 + np.radians([north, south]) / 2)) * RADIUS_M
    columns = (x - frame.west) / (frame.east - frame.west) * shape[1]
    rows = (frame.north - y) / (frame.north - frame.south) * shape[0]
    return _widened(columns, shape[1]), _widened(rows, shape[0])


def _widened(span: NDArray[np.float64], size: int) -> tuple[int, int]:
    margin = _MARGIN * float(span[1] - span[0]) + 4.0
    first, last = max(0, int(span[0] - margin)), min(size, int(np.ceil(span[1] + margin)))
    return first, max(last, first + 1)


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
