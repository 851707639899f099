"""One page a neighborhood that a resident, or a grant committee, can read on a phone or on paper."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rtm_pipeline.publication.content import RISK_TERRAIN
from rtm_pipeline.publication.facts.night import Facts
from rtm_pipeline.publication.facts.place_rows import place_rows, withheld_notes
from rtm_pipeline.publication.facts.places import PlaceFacts
from rtm_pipeline.publication.facts.sites import SITE_KINDS, shown_sites, site_values
from rtm_pipeline.publication.facts.uses import USES, WRONG_USES
from rtm_pipeline.publication.facts.words import HIDDEN, count, day, percent
from rtm_pipeline.publication.html.hours import HELD_HOURS, hour_table
from rtm_pipeline.publication.html.neighborhood_map import place_map
from rtm_pipeline.publication.html.page import Page, render_page, template
from rtm_pipeline.publication.html.summary import contact_line, section
from rtm_pipeline.publication.html.tables import Head, facts_list, table
from rtm_pipeline.publication.html.tags import Child, Html, join, tag
from rtm_pipeline.publication.webmap.data import MapData

__all__ = ["neighborhood_page", "write_pages"]

FOLDER = "neighborhoods"
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
                place_map(facts, data, at),
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
    pairs: list[tuple[str, Child]] = list(place_rows(place, facts))
    notes = withheld_notes(facts)
    if any(value == HIDDEN for _, value in pairs):
        notes.insert(0, f"{HIDDEN.capitalize()}: small numbers are not shown, so that nobody can be found by them.")
    return section("numbers", "In numbers", facts_list(pairs), *(tag("p", note, class_="note") for note in notes))


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


def _hours(facts: Facts, place: PlaceFacts) -> Html:
    title = "When it happens"
    withheld = facts.places.counts_withheld if facts.places is not None else ""
    if place.hours is None:
        why = f"Held back: {withheld}." if withheld else "Times of day are not recorded."
        return section("hours", title, tag("p", why, class_="missing"))
    if place.hours.shown:
        caption = f"{facts.outcome.capitalize()} in {place.name}, {facts.counted_on}: {facts.unit}s"
        note = tag("p", HELD_HOURS, class_="note") if bool(place.hours.hidden.any()) else None
        shown: Html = join([hour_table(caption, place.hours), note])
    else:
        shown = tag(
            "p",
            f"In no part of the week were there enough here in {facts.counted_on} to be shown.",
        )
    city = tag("p", tag("a", f"The same by hour for the whole of {facts.label}", href="../report.html#hours"))
    return section("hours", title, shown, city)


def _sites(facts: Facts, place: PlaceFacts) -> Html:
    """The best sites of the neighborhood (restricted edition)."""
    import pyarrow.compute as pc

    heads = (
        Head("Site"),
        Head("Work"),
        Head("Funded", note="share of draws"),
        Head("Expected prevented", number=True, note="incidents a year"),
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
            funded = values[3].replace(" of draws)", ")")
            lines.append([str(row.get("address") or values[0]), values[2], funded, values[5], values[8]])
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
