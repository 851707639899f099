"""The sections on what came in and what changed: data health, changes, sources and their terms."""

from __future__ import annotations

from collections.abc import Sequence

from rtm_pipeline.publication.change import Change
from rtm_pipeline.publication.facts.change_lines import change_lines
from rtm_pipeline.publication.facts.layers import LayerFacts
from rtm_pipeline.publication.facts.night import Facts
from rtm_pipeline.publication.facts.words import NONE, count, day, plural
from rtm_pipeline.publication.html.page import vendored
from rtm_pipeline.publication.html.summary import contact_line, missing, section
from rtm_pipeline.publication.html.tables import Head, table
from rtm_pipeline.publication.html.tags import Child, Html, join, tag

__all__ = ["changes_section", "health_section", "sources_section"]

MAP_LICENSE = "LICENSE.maplibre-gl.txt"


def health_section(facts: Facts) -> Html:
    """What was read, kept and set aside, and which sources have gone quiet."""
    warnings = facts.data_warnings
    assumed = [f"{layer.label}: {layer.assumed}" for layer in facts.layers if layer.assumed]
    police = [layer.label for layer in facts.layers if layer.origin == "police"]
    heads = (
        Head("Layer"),
        Head("Read", number=True),
        Head("Kept", number=True),
        Head("Filtered", number=True, note="good rows not meant here"),
        Head("Duplicates", number=True),
        Head("Set aside", number=True, note="something is wrong with them"),
        Head("Reasons", wide=True),
        Head("Latest"),
    )
    rows = [
        (
            layer.label,
            count(layer.read),
            count(layer.kept),
            count(layer.filtered),
            count(layer.duplicate),
            count(layer.set_aside),
            _reasons(layer),
            NONE if layer.latest is None else day(layer.latest),
        )
        for layer in facts.layers
    ]
    return section(
        "data",
        "Health of the data",
        tag("div", tag("h3", "Watch out"), _bullets(warnings), class_="bad")
        if warnings
        else tag("p", "No source has gone quiet, and every year's rows are located well enough."),
        table("Every row that was read, and what became of it", heads, rows),
        tag(
            "p",
            "Sites in registers have no usual rhythm, so quiet is judged for events and requests only.",
            class_="note",
        ),
        tag("div", tag("h3", "Past states that are only assumed"), _bullets(assumed)) if assumed else None,
        tag("p", f"Made by police activity, used with a written reason: {', '.join(police)}.") if police else None,
    )


def changes_section(facts: Facts) -> Html:
    """What is different from the releases that tonight is compared with."""
    title = "What changed"
    if not facts.changes:
        return section("changes", title, missing("A comparison", facts, "changes"))
    return section("changes", title, *(_change(change, facts) for change in facts.changes))


def sources_section(facts: Facts) -> Html:
    """Sources, their terms, the run, and whom to tell of an error."""
    heads = (Head("Source"), Head("Owed to"), Head("License"), Head("Terms"), Head("Disclaimer", wide=True))
    rows: list[list[Child]] = [
        [
            credit.source,
            credit.attribution or NONE,
            credit.license or NONE,
            _terms(credit.terms_url),
            credit.disclaimer or NONE,
        ]
        for credit in facts.credits
    ]
    return section(
        "sources",
        "Sources, terms and contact",
        tag("p", contact_line(facts), class_="contact"),
        table("Whom the data are owed to", heads, rows) if rows else tag("p", "No attribution is configured."),
        tag(
            "p",
            "Beside this report: ",
            tag("a", "model card", href="MODEL_CARD.md" if facts.public else "../MODEL_CARD.md"),
            ", rasters, GeoPackage and catalog of the same run. ",
            f"Run {facts.run_id}.",
        ),
        tag("details", tag("summary", "License of the map software in this page"), tag("pre", vendored(MAP_LICENSE))),
    )


def _terms(address: str | None) -> Html | str:
    if address and address.startswith(("https://", "http://")):
        return tag("a", address, href=address, rel="noreferrer")
    return address or NONE


def _reasons(layer: LayerFacts) -> str:
    parts = [f"{name}: {count(number)}" for name, number in layer.quarantined.items()]
    return "; ".join(parts) or NONE


def _change(change: Change, facts: Facts) -> Html:
    days = (facts.as_of - change.as_of).days
    return tag(
        "div",
        tag("h3", f"Since {day(change.as_of)} ({plural(days, 'day')} before)"),
        _bullets(change_lines(change, facts)),
        tag("p", f"Compared with run {change.run_id}.", class_="note"),
    )


def _bullets(items: Sequence[str]) -> Html:
    return tag("ul", join(tag("li", item) for item in items))
