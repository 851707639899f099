"""One page a neighborhood that a resident, or a grant committee, can read on a phone or on paper."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.publication.content import RISK_TERRAIN
from rtm_pipeline.publication.html import Child, Html, join, tag
from rtm_pipeline.publication.html_hours import HELD_HOURS, hour_table
from rtm_pipeline.publication.html_map import legend_list
from rtm_pipeline.publication.html_page import Page, render_page, template
from rtm_pipeline.publication.html_summary import USES, WRONG_USES, contact_line, section
from rtm_pipeline.publication.html_tables import Head, facts_list, table
from rtm_pipeline.publication.report_facts import Facts
from rtm_pipeline.publication.report_places import PlaceFacts
from rtm_pipeline.publication.report_words import HIDDEN, count, day, percent
from rtm_pipeline.publication.webmap import PICTURE_WIDTH, MapData, Overlay, place_rows
from rtm_pipeline.publication.webmap_overlay import RADIUS_M, encode_png
from rtm_pipeline.publication.webmap_sites import SITE_KINDS, shown_sites, site_values

__all__ = ["neighborhood_page", "write_pages"]

FOLDER = "neighborhoods"
_MARGIN = 0.35  # of the neighborhood's size, shown around it
_TOP_SITES = 15


def write_pages(facts: Facts, data: MapData, folder: Path) -> None:
    """Write ``neighborhoods/<id>.html`` of an edition."""
    if facts.places is None:
        return
    target = folder / FOLDER
    target.mkdir(exist_ok=True)
    for at, place in enumerate(facts.places.places):
        (target / f"{place.id}.html").write_text(neighborhood_page(facts, data, at), encoding="utf-8")


def neighborhood_page(facts: Facts, data: MapData, at: int) -> str:
    """The page of one neighborhood as one HTML text; it works without script and asks for nothing.

    Parameters
    ----------
    facts : Facts
    data : MapData
        Made from the same facts.
    at : int
        Index of the neighborhood.
    """
    places = facts.places.places if facts.places is not None else ()
    place = places[at]
    body = join(
        [
            tag("a", "Skip to the page", href="#main", class_="skip"),
            _banner(facts, place),
            tag(
                "main",
                _numbers(facts, place),
                _map(facts, data, at),
                _why(facts, place),
                _hours(facts, place),
                None if facts.public else _sites(facts, place),
                _use(facts),
                id="main",
                tabindex="-1",
            ),
            _footer(facts, places, at),
        ],
        "\n",
    )
    return render_page(
        Page(
            title=f"{place.name}, {facts.label}: risk terrain as of {facts.as_of}",
            description=f"Numbers and reasons for the neighborhood {place.name} of {facts.label}.",
            body=body,
            styles=(template("page.css"), template("neighborhood.css")),
        )
    )


def _banner(facts: Facts, place: PlaceFacts) -> Html:
    notice = tag("p", facts.notice, class_="notice") if facts.notice else None
    return tag(
        "header",
        tag(
            "div",
            tag("p", tag("a", f"Risk terrain of {facts.label}", href="../report.html")),
            tag("h1", place.name),
            tag("p", f"{facts.outcome.capitalize()} and the landscape, as of {day(facts.as_of)}.", class_="subtitle"),
            notice,
            class_="wrap",
        ),
        class_="banner",
    )


def _numbers(facts: Facts, place: PlaceFacts) -> Html:
    held = (
        tag(
            "p",
            f"{HIDDEN.capitalize()}: small numbers are not shown, so that nobody can be found by them.",
            class_="note",
        )
        if place.hidden
        else None
    )
    pairs: list[tuple[str, Child]] = list(place_rows(place, facts))
    return section("numbers", "In numbers", facts_list(pairs), held)


def _why(facts: Facts, place: PlaceFacts) -> Html:
    if place.reasons:
        body: Html = tag("ul", *(tag("li", reason.text) for reason in place.reasons))
        lead = "These features go with more incidents in the city, and are more common here than elsewhere:"
    else:
        body = tag("p", "No feature that goes with incidents is more common here than in the city as a whole.")
        lead = ""
    return section(
        "why",
        "Why the map looks as it does here",
        tag("p", lead) if lead else None,
        body,
        tag(
            "p",
            "What goes together is not what causes what, and it says nothing about the people who live here.",
            class_="note",
        ),
    )


def _map(facts: Facts, data: MapData, at: int) -> Html:
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


def _hours(facts: Facts, place: PlaceFacts) -> Html:
    title = "When it happens"
    if place.hours is None:
        return section("hours", title, tag("p", "Times of day are not recorded.", class_="missing"))
    if place.hours.shown:
        table_here = hour_table(f"{facts.outcome.capitalize()} in {place.name}, {facts.fitted_on}", place.hours)
        shown: Html = join([table_here, tag("p", HELD_HOURS, class_="note") if facts.public else None])
    else:
        shown = tag("p", f"In no hour of the week were there five or more in {facts.fitted_on} here, so none is shown.")
    city = tag("p", tag("a", f"The same for the whole of {facts.label}", href="../report.html#hours"))
    return section("hours", title, shown, city)


def _sites(facts: Facts, place: PlaceFacts) -> Html:
    """The best sites of the neighborhood (restricted edition)."""
    import pyarrow.compute as pc

    heads = (
        Head("Site"),
        Head("Work"),
        Head("Funded"),
        Head("Expected prevented", number=True),
        Head("Why", wide=True),
    )
    parts: list[Html] = []
    for name, title in SITE_KINDS.items():
        found = facts.tables.get(name)
        mine = None if found is None else found.filter(pc.equal(found.column("neighborhood"), place.name))
        if mine is None or mine.num_rows == 0:
            continue
        lines: list[list[Child]] = []
        for row in shown_sites(mine, _TOP_SITES).slice(0, _TOP_SITES).to_pylist():
            values = site_values(row)
            lines.append([str(row.get("address") or values[0]), values[2], values[3], values[5], values[8]])
        parts.append(table(f"{title}: the first {len(lines)} of {count(mine.num_rows)}", heads, lines))
    return section("sites", "Sites", *(parts or [tag("p", "There is no site in this neighborhood.")]))


def _use(facts: Facts) -> Html:
    return section(
        "use",
        "What this page is for",
        tag("p", contact_line(facts), class_="contact"),
        tag(
            "div",
            tag("div", tag("h3", "Made for"), tag("ul", *(tag("li", item) for item in USES)), class_="good"),
            tag(
                "div",
                tag("h3", "Not to be used for"),
                tag("ul", *(tag("li", item) for item in WRONG_USES)),
                class_="bad",
            ),
            class_="pair",
        ),
        _how_good(facts),
    )


def _how_good(facts: Facts) -> Html:
    accuracy: Any = facts.accuracy
    if accuracy is None:
        return tag("p", f"How good the maps are has not been judged ({facts.why_missing('accuracy')}).")
    return tag("p", tag("strong", f"{accuracy.verdict.headline}. "), accuracy.verdict.text)


def _footer(facts: Facts, places: Sequence[PlaceFacts], at: int) -> Html:
    links = []
    for step, word in ((-1, "Before"), (1, "Next")):
        if 0 <= at + step < len(places):
            other = places[at + step]
            links.append(tag("p", f"{word}: ", tag("a", other.name, href=f"{other.id}.html")))
    return tag(
        "footer",
        tag(
            "div",
            *links,
            tag("p", tag("a", "The whole report, with map and search", href="../report.html")),
            tag("p", facts.disclaimer),
            tag("p", f"Run {facts.run_id}. {_reach(facts)}"),
        ),
    )


def _reach(facts: Facts) -> str:
    shares = facts.tiers.get(RISK_TERRAIN, {})
    top = shares.get(1)
    return f"Class 1 of the risk terrain holds {percent(top)} of the city's cells." if top else ""
