"""The map's section: the map, a still picture for paper and old browsers, controls, and all numbers as a table."""

from __future__ import annotations

from collections.abc import Sequence

from rtm_pipeline.publication.facts.night import Facts
from rtm_pipeline.publication.facts.place_rows import place_number, withheld_notes
from rtm_pipeline.publication.facts.places import PlaceFacts
from rtm_pipeline.publication.facts.words import HIDDEN, count, percent
from rtm_pipeline.publication.html.summary import missing, section
from rtm_pipeline.publication.html.tables import Head, table
from rtm_pipeline.publication.html.tags import Child, Html, tag
from rtm_pipeline.publication.webmap.data import MapData
from rtm_pipeline.publication.webmap.shapes import PICTURE_WIDTH

__all__ = ["legend_list", "map_section", "still_map"]

_COLUMNS = (
    ("incidents", ""),
    ("expected", "Forecast"),
    ("lots", "Vacant lots"),
    ("buildings", "Vacant or dangerous buildings"),
    ("open_311", "Open 311 requests"),
)


def map_section(facts: Facts, data: MapData) -> Html:
    """Map, controls, details, table of neighborhoods."""
    if not data.overlays:
        barred = f" (terms of {', '.join(facts.barred)})" if facts.barred else ""
        return section("map", "Map", tag("p", f"This edition may not show the surfaces{barred}.", class_="missing"))
    return section(
        "map",
        "Map",
        tag("p", "Choose a surface, fade it, and click a place or a name for its numbers and reasons.", class_="lead"),
        tag(
            "div",
            tag("div", tag("div", id="map-canvas"), _north(), _still(facts, data), id="map-box"),
            _panel(facts, data),
            class_="map",
        ),
        _table(facts),
    )


def legend_list(legend: Sequence[tuple[str, str]]) -> Html:
    """Swatches and labels, the highest class first."""
    return tag("ul", *(tag("li", swatch(color), " ", label) for color, label in legend), class_="legend")


def swatch(color: str) -> Html:
    """A small square of a color."""
    square = tag("rect", x="0.5", y="0.5", width="15", height="15", rx="2", fill=color, stroke="#55515f")
    return tag("svg", square, class_="swatch", viewBox="0 0 16 16", aria_hidden="true")


def still_map(
    data: MapData, *, identity: str, label: str, names: Sequence[str] = (), marked: int | None = None
) -> Html:
    """The map as a picture: overlays (the first one visible), outlines, study area; web mercator, north up.

    Parameters
    ----------
    data : MapData
    identity : str
        Prefix of the ids of the overlays' images.
    label : str
        For screen readers.
    names : sequence of str
        Titles of the polygons.
    """
    frame = data.frame
    height = PICTURE_WIDTH * (frame.north - frame.south) / (frame.east - frame.west)
    images = [
        tag(
            "image",
            id=f"{identity}-{item.id}",
            class_="shown" if at == 0 else "unshown",
            href=item.image,
            x="0",
            y="0",
            width=f"{PICTURE_WIDTH:g}",
            height=f"{height:.1f}",
            preserveAspectRatio="none",
        )
        for at, item in enumerate(item for item in data.overlays if item.image is not None)
    ]
    outlines = [
        tag(
            "path",
            tag("title", names[at]) if names else None,
            d=path,
            class_="area",
            stroke_width="1.6",
        )
        for at, path in enumerate(data.paths)
    ]
    city = tag("path", d=data.area_path, class_="city", stroke_width="3")
    return tag(
        "svg",
        *images,
        *outlines,
        city,
        class_="still",
        viewBox=f"-8 -8 {PICTURE_WIDTH + 16:g} {height + 16:.1f}",
        role="img",
        aria_label=label,
    )


def _north() -> Html:
    arrow = tag("path", d="M12 2 L18 20 L12 15 L6 20 Z", fill="#1d1b22")
    return tag(
        "div",
        tag("svg", arrow, viewBox="0 0 24 24", aria_hidden="true"),
        tag("span", "N", aria_hidden="true"),
        tag("span", "North is up.", class_="hidden"),
        class_="north",
    )


def _still(facts: Facts, data: MapData) -> Html:
    names = [place.name for place in facts.places.places] if facts.places is not None else []
    first = data.overlays[0]
    label = (
        f"Still map of {facts.label}: {first.title}, with the outlines of neighborhoods. All numbers are in the table."
    )
    return tag(
        "figure", still_map(data, identity="image", label=label, names=names), class_="still-box", id="still-box"
    )


def _panel(facts: Facts, data: MapData) -> Html:
    first = data.overlays[0]
    return tag(
        "div",
        tag(
            "div",
            tag("label", "Find a neighborhood", for_="search"),
            tag("input", type="search", id="search", autocomplete="off", aria_controls="found"),
            tag("p", "", id="search-status", class_="note", role="status"),
            tag("ul", id="found", class_="plain"),
            class_="control search needs-script",
            hidden=facts.places is None,
        ),
        tag(
            "div",
            tag("h3", "Details", id="details-heading"),
            tag("div", tag("p", "Click a place on the map, or find a neighborhood.", class_="note"), id="details"),
            class_="control details needs-script",
            role="region",
            aria_labelledby="details-heading",
            aria_live="polite",
            tabindex="-1",
            id="details-box",
        ),
        tag("fieldset", tag("legend", "Surface"), *_surfaces(data), class_="control needs-script", id="surfaces"),
        tag(
            "div",
            tag("h3", first.title, id="legend-title"),
            tag("div", legend_list(first.legend), id="legend"),
            tag("p", first.meaning, id="meaning", class_="note"),
            tag("p", first.statement, id="statement", class_="note strong"),
            class_="control",
        ),
        tag(
            "div",
            tag("label", "How strongly it is shown", for_="fade"),
            tag("input", type="range", id="fade", min="0", max="100", step="5", value="85"),
            tag("output", "85 %", for_="fade", id="fade-value"),
            class_="control fade needs-script",
        ),
        tag("fieldset", tag("legend", "Also show"), *_extras(data), class_="control needs-script", id="extras"),
        class_="panel",
        id="panel",
    )


def _surfaces(data: MapData) -> list[Html]:
    """Radio buttons of the surfaces; single factors fold away."""
    factors = [item for item in data.overlays if item.id.startswith("term-")]
    main = [item for item in data.overlays if not item.id.startswith("term-")]
    found = [_radio(item.id, item.title, at == 0) for at, item in enumerate(main)]
    found.append(_radio("none", "None", False))
    if factors:
        choices = [_radio(item.id, item.title, False) for item in factors]
        found.append(tag("details", tag("summary", "One risk factor alone"), *choices, class_="fold"))
    return found


def _radio(value: str, title: str, checked: bool) -> Html:
    button = tag("input", type="radio", name="surface", value=value, checked=checked)
    return tag("label", button, " ", title, class_="choice")


def _extras(data: MapData) -> list[Html]:
    boxes = [("borders", "Neighborhood borders", True), ("names", "Names", True)] if data.polygons.size else []
    if data.plain["lines"]:
        boxes.append(("lines", "Streets", True))
    sites = data.plain["sites"]
    for kind in sites["kinds"] if sites else ():
        boxes.append((kind["kind"], f"{kind['title']} ({count(len(kind['lon']))} of {count(kind['all'])})", False))
    return [
        tag("label", tag("input", type="checkbox", name="extra", value=name, checked=on), " ", title, class_="choice")
        for name, title, on in boxes
    ]


def _table(facts: Facts) -> Html:
    if facts.places is None:
        return missing("Neighborhoods", facts, "neighborhoods")
    told = [column for column in _COLUMNS if column[0] in facts.places.told]
    heads = [
        Head("Neighborhood"),
        Head("Among the top 5 % of risk", number=True, note="share of its area"),
        *(Head(name or facts.outcome.capitalize(), number=True, note=_note(key, facts)) for key, name in told),
        Head("Page"),
    ]
    rows = [_row(place, [key for key, _ in told]) for place in facts.places.places]
    held = any(place.holds_back(key) for place in facts.places.places for key, _ in told)
    notes = withheld_notes(facts)
    if held:
        notes.insert(0, f"{HIDDEN.capitalize()}: small counts, and what would give them away, are not shown.")
    return tag(
        "div",
        tag("h3", "All neighborhoods in numbers"),
        *(tag("p", note, class_="note") for note in notes),
        table(
            "All neighborhoods in numbers", heads, rows, identity="places-table", row_ids=_ids(facts), hide_caption=True
        ),
    )


def _note(key: str, facts: Facts) -> str:
    return {"incidents": f"{facts.unit}s, {facts.counted_on}", "expected": f"{facts.unit}s a year"}.get(key, "")


def _ids(facts: Facts) -> list[str]:
    return [f"place-{place.id}" for place in facts.places.places] if facts.places is not None else []


def _row(place: PlaceFacts, told: Sequence[str]) -> list[Child]:
    return [
        tag("a", place.name, href="#map", class_="to-place", data_place=place.id),
        percent(place.risk_high_share),
        *(place_number(place, key) for key in told),
        tag("a", "page", href=f"neighborhoods/{place.id}.html", aria_label=f"Page of {place.name}"),
    ]
