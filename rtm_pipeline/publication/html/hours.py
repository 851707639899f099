"""Tables of hours and weekdays."""

from __future__ import annotations

from rtm_pipeline.publication.facts.hours import HourTable
from rtm_pipeline.publication.facts.night import Facts
from rtm_pipeline.publication.facts.words import HIDDEN, count
from rtm_pipeline.publication.html.summary import missing, section
from rtm_pipeline.publication.html.tags import Html, tag

__all__ = ["HELD_HOURS", "hour_table", "hours_section"]

HELD_HOURS = "A dot stands for a number under 5, or one that would give such a number away."


def hours_section(facts: Facts) -> Html:
    """When it happens, in the city as a whole; each neighborhood's own table stands on its page."""
    title = "When it happens"
    found = facts.places.city_hours if facts.places is not None else None
    if found is None:
        return section("hours", title, missing("Times of day", facts, "hours"))
    return section(
        "hours",
        title,
        hour_table(f"{facts.outcome.capitalize()} in {facts.label}, {facts.counted_on}: {facts.unit}s by hour", found),
        tag("p", HELD_HOURS, class_="note") if bool(found.hidden.any()) else None,
        tag("p", "Each neighborhood's page has its own table."),
    )


def hour_table(caption: str, found: HourTable) -> Html:
    """Parts of the day down, days across; the busier, the darker."""
    slots = found.slots
    top = max(int(found.counts.max()), 1)
    short = len(slots.days) == 7
    days = [name[:3] if short else name for name in slots.days]
    head = tag("tr", tag("th", "Time", scope="col"), *(tag("th", name, scope="col", class_="n") for name in days))
    rows = [
        tag("tr", tag("th", name, scope="row"), *(_hour_cell(found, day, hour, top) for day in range(len(days))))
        for hour, name in enumerate(slots.hours)
    ]
    return tag(
        "div",
        tag("table", tag("caption", caption), tag("thead", head), tag("tbody", *rows), class_="hours"),
        class_="scroll",
        role="region",
        aria_label=caption,
        tabindex="0",
    )


def _hour_cell(found: HourTable, day: int, hour: int, top: int) -> Html:
    if found.hidden[day, hour]:
        return tag("td", tag("span", "\u00b7", aria_hidden="true"), tag("span", HIDDEN, class_="hidden"), class_="n")
    value = int(found.counts[day, hour])
    shade = 0 if value == 0 else min(4, 1 + int(4 * (value - 1) / top))
    return tag("td", count(value), class_=f"n s{shade}")
