"""The sections on what came in and what changed: data health, changes, sources and their terms."""

from __future__ import annotations

from collections.abc import Sequence

from rtm_pipeline.publication.html import Child, Html, join, tag
from rtm_pipeline.publication.html_page import vendored
from rtm_pipeline.publication.html_summary import contact_line, missing, section
from rtm_pipeline.publication.html_tables import Head, table
from rtm_pipeline.publication.report_changes import Change, RankMoves, TierMoves
from rtm_pipeline.publication.report_facts import Facts
from rtm_pipeline.publication.report_layers import LayerFacts
from rtm_pipeline.publication.report_words import NONE, count, day, listed, percent, plural, times
from rtm_pipeline.publication.webmap_sites import SITE_KINDS

__all__ = ["change_lines", "changes_section", "data_warnings", "health_section", "sources_section"]

MAP_LICENSE = "LICENSE.maplibre-gl.txt"
VERDICTS = {"better": "better than the rule to beat", "not_better": "not better than it", "not_judged": "not judged"}


def health_section(facts: Facts) -> Html:
    """What was read, kept and set aside, and which sources have gone quiet."""
    warnings = data_warnings(facts)
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


def data_warnings(facts: Facts) -> list[str]:
    """Sources that have gone quiet, and years that are badly located, in sentences."""
    warnings = [*facts.health, *(f"{layer.label}: {layer.quiet}." for layer in facts.layers if layer.quiet)]
    for layer in facts.layers:
        warnings += [
            f"{layer.label}: only {percent(share)} of the rows of {year} have a usable place."
            for year, share in layer.located
        ]
    return warnings


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


def change_lines(change: Change, facts: Facts) -> list[str]:
    """What is different, in sentences."""
    items = [
        _source_changes(change),
        _term_changes(change),
        _moves("risk terrain", change.risk_terrain),
        None if facts.public else _moves("forecast", change.forecast),
        _verdict_change(change),
        _row_changes(change),
        *(() if facts.public else (_rank_changes(moves) for moves in change.ranks)),
    ]
    return [item for item in items if item]


def _source_changes(change: Change) -> str:
    if not change.new_sources:
        return f"All sources had the same content on {day(change.as_of)}."
    return f"Sources with new content: {listed(change.new_sources)}."


def _rank_changes(moves: RankMoves) -> str:
    name = SITE_KINDS[moves.table]
    few = listed(moves.came[:5]) + (f" and {count(len(moves.came) - 5)} more" if len(moves.came) > 5 else "")
    came = f"new: {few}" if moves.came else "the same as then"
    return (
        f"{name}, the first {moves.first} of the list: {came}. Funded now and not then: {count(moves.funded)}; no "
        f"longer funded: {count(moves.no_longer_funded)}."
    )


def _term_changes(change: Change) -> str:
    new = [f"{name} (RRV {times(now)})" for name, before, now in change.terms if before is None]
    gone = [f"{name} (RRV {times(before)})" for name, before, now in change.terms if now is None]
    moved = [
        f"{name} {times(before)} to {times(now)}"
        for name, before, now in change.terms
        if before is not None and now is not None and abs(now / before - 1.0) >= 0.05
    ]
    parts = [
        f"{word}: {', '.join(names)}" for word, names in (("new", new), ("gone", gone), ("changed", moved)) if names
    ]
    if not parts:
        return "The model has the same risk factors, and no relative risk value (RRV) changed by 5 % or more."
    return f"Risk factors of the model: {'; '.join(parts)}."


def _moves(surface: str, moves: TierMoves | None) -> str | None:
    if moves is None:
        return None
    similar = (
        ""
        if moves.correlation is None
        else f" The rank correlation of the two maps is {moves.correlation:.3f} (1: the same order)."
    )
    return (
        f"The city's top 5 % by {surface}: {plural(moves.entered, 'square')} came in, {count(moves.left)} fell out, "
        f"{count(moves.stayed)} stayed.{similar}"
    )


def _verdict_change(change: Change) -> str | None:
    before, now = (VERDICTS.get(code, code) for code in change.verdict)
    if not before or not now or before == now:
        return None
    return f"The forecast was {before}; now it is {now}."


def _row_changes(change: Change) -> str | None:
    if not change.rows:
        return None
    parts = [f"{name} {count(before)} to {count(now)}" for name, before, now in change.rows]
    return f"Rows kept: {'; '.join(parts)}."


def _bullets(items: Sequence[str]) -> Html:
    return tag("ul", join(tag("li", item) for item in items))
