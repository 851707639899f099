"""Tables of hours and weekdays."""

from __future__ import annotations

from rtm_pipeline.publication.html import Html, tag
from rtm_pipeline.publication.html_summary import missing, section
from rtm_pipeline.publication.report_facts import Facts
from rtm_pipeline.publication.report_hours import WEEKDAYS, HourTable
from rtm_pipeline.publication.report_words import HIDDEN, count

__all__ = ["HELD_HOURS", "hour_table", "hour_words", "hours_section"]

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
        hour_table(f"{facts.outcome.capitalize()} in {facts.label}, {facts.fitted_on}", found),
        tag("p", HELD_HOURS, class_="note") if bool(found.hidden.any()) else None,
        tag("p", "Each neighborhood's page has its own table."),
    )


def hour_table(caption: str, found: HourTable) -> Html:
    """Hours down, weekdays across; the busier, the darker."""
    top = max(int(found.counts.max()), 1)
    head = tag(
        "tr", tag("th", "Hour", scope="col"), *(tag("th", name[:3], scope="col", class_="n") for name in WEEKDAYS)
    )
    rows = [
        tag(
            "tr",
            tag("th", hour_words(hour), scope="row"),
            *(_hour_cell(found, weekday, hour, top) for weekday in range(7)),
        )
        for hour in range(24)
    ]
    return tag(
        "div",
        tag("table", tag("caption", caption), tag("thead", head), tag("tbody", *rows), class_="hours"),
        class_="scroll",
        role="region",
        aria_label=caption,
        tabindex="0",
    )


def hour_words(hour: int) -> str:
    """``midnight``, ``1 a.m.``, ``noon``."""
    if hour in (0, 12):
        return "midnight" if hour == 0 else "noon"
    return f"{hour % 12} {'a.m.' if hour < 12 else 'p.m.'}"


def _hour_cell(found: HourTable, weekday: int, hour: int, top: int) -> Html:
    if found.hidden[weekday, hour]:
        return tag("td", tag("span", "\u00b7", aria_hidden="true"), tag("span", HIDDEN, class_="hidden"), class_="n")
    value = int(found.counts[weekday, hour])
    shade = 0 if value == 0 else min(4, 1 + int(4 * (value - 1) / top))
    return tag("td", count(value), class_=f"n s{shade}")
