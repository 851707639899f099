"""The second page for a meeting: what to do (restricted: sites), neighborhoods, what changed, data to watch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rtm_pipeline.publication.facts.change_lines import change_lines
from rtm_pipeline.publication.facts.night import Facts
from rtm_pipeline.publication.facts.place_rows import place_number, withheld_notes
from rtm_pipeline.publication.facts.plots import plot_series
from rtm_pipeline.publication.facts.sites import SITE_KINDS, rests_on, shown_sites, site_values
from rtm_pipeline.publication.facts.words import amount, count, day, money, percent
from rtm_pipeline.publication.paper.sheet import MUTED, Column, Sheet

__all__ = ["second_page"]

LEFT, RIGHT = 0.55, 7.95
_ROWS = {"priority_lots": 14, "priority_buildings": 10}
_NUMBERS = (
    ("incidents", "", 1.3),
    ("expected", "Forecast a year", 1.05),
    ("lots", "Vacant lots", 0.85),
    ("buildings", "Buildings", 0.8),
    ("open_311", "Open 311", 0.75),
)
"""Numbers of a neighborhood: key, heading (empty: the outcome), width."""


def second_page(facts: Facts) -> Sheet:
    """Work first, then accuracy, changes, health of the data."""
    sheet = Sheet()
    y = _neighborhoods(sheet, facts, 0.5) if facts.public else _sites(sheet, facts, 0.5)
    _accuracy(sheet, facts, y + 0.05)
    bottom = _news(sheet, facts, y + 0.05)
    if bottom < 9.2:
        _grants(sheet, facts, bottom + 0.1)
    return sheet


def _sites(sheet: Sheet, facts: Facts, y: float) -> float:
    for name, title in SITE_KINDS.items():
        y = sheet.heading(LEFT, y, f"{title}: where work comes first")
        found = facts.tables.get(name)
        if found is None or found.num_rows == 0:
            y = sheet.paragraph(LEFT, y, 7.0, f"Not available: {facts.why_missing(name)}.", color=MUTED) + 0.15
            continue
        columns = (
            Column("Site", LEFT, 1.5),
            Column("Neighborhood", 2.05, 1.25),
            Column("Work", 3.3, 1.45),
            Column("Funded", 4.75, 0.55),
            Column("Prevented a year", 5.25, 1.05, True),
            Column("Cost", 6.3, 0.65, True),
            Column("Per $10,000", 6.95, 1.0, True),
        )
        rows = []
        for row in shown_sites(found, _ROWS[name]).slice(0, _ROWS[name]).to_pylist():
            values = site_values(row)
            prevented = amount(row["expected_prevented"])
            funded = "yes" if row["funded"] else "no"
            rows.append(
                [str(row.get("address") or values[0]), values[12], values[2], funded, prevented, values[6], values[7]]
            )
        y = sheet.table(y, columns, rows) + 0.04
    return _funded(sheet, facts, y)


def _funded(sheet: Sheet, facts: Facts, y: float) -> float:
    funded = facts.programs.get("portfolio")
    if not funded:
        return y
    low, high = funded.get("prevented_low"), funded.get("prevented_high")
    interval = f" ({amount(low)} to {amount(high)})" if low is not None and high is not None else ""
    text = (
        f"The funded set: {money(funded.get('spent_usd'))} of {money(funded.get('budget_usd'))} for "
        f"{funded.get('work') or 'nothing'} are expected to prevent {amount(funded.get('prevented'))}{interval} "
        f"incidents a year{_reach(funded)}; no use of the budget can reach more than {amount(funded.get('bound'))}. "
        f"{rests_on(facts)}"
    ).strip()
    return sheet.paragraph(LEFT, y, RIGHT - LEFT, text, size=8.6, weight="bold") + 0.1


def _reach(funded: Mapping[str, Any]) -> str:
    """What half and double the influence radius would give."""
    radii = funded.get("prevented_at_radius") or {}
    if not {"0.5", "2"} <= set(radii):
        return ""
    return f" ({amount(radii['0.5'])} if the work reaches half as far, {amount(radii['2'])} if twice)"


def _neighborhoods(sheet: Sheet, facts: Facts, y: float) -> float:
    y = sheet.heading(LEFT, y, "Neighborhoods with most of their area at high risk")
    places = [] if facts.places is None else list(facts.places.places)
    top = sorted(places, key=lambda p: (-(p.risk_high_share or 0.0), p.name))[:24]
    if not top:
        return sheet.paragraph(LEFT, y, 7.0, f"Not available: {facts.why_missing('neighborhoods')}.", color=MUTED) + 0.1
    told = [item for item in _NUMBERS if facts.places is not None and item[0] in facts.places.told]
    columns = [Column("Neighborhood", LEFT, 2.2), Column("Top 5 %", 2.75, 0.95, True)]
    at = RIGHT - sum(width for _, _, width in told)
    for _, name, width in told:
        columns.append(Column(name or f"{facts.outcome.capitalize()[:24]}", at, width, True))
        at += width
    rows = [
        [place.name, percent(place.risk_high_share), *(place_number(place, key) for key, _, _ in told)] for place in top
    ]
    y = sheet.table(y, columns, rows)
    meaning = "Top 5 %: share of its area among the 5 % of highest risk."
    notes = [meaning, f"Counts of {facts.counted_on}; forecast in {facts.unit}s a year.", *withheld_notes(facts)]
    return sheet.paragraph(LEFT, y, RIGHT - LEFT, " ".join(notes), size=7.4, color=MUTED, most=3) + 0.05


def _accuracy(sheet: Sheet, facts: Facts, y: float) -> None:
    """Hit rate by share of the area, on the left half."""
    top = sheet.heading(LEFT, y, "How well the map points")
    accuracy = facts.accuracy
    if accuracy is None:
        sheet.paragraph(LEFT, top, 3.4, f"Not available: {facts.why_missing('accuracy')}.", color=MUTED)
        return
    axes = sheet.axes(LEFT + 0.45, top + 0.05, 2.5, min(3.1, 9.75 - top))
    for item in plot_series(accuracy, "hit_rate"):
        x, share = [100 * p.x for p in item.points], [100 * p.y for p in item.points]
        style = (0, tuple(float(part) for part in item.dash.split())) if item.dash else "solid"
        axes.plot(x, share, color=item.color, linewidth=item.width * 0.7, linestyle=style, label=item.name)
    axes.set_xscale("log")
    ticks = [100 * share for share in accuracy.shares]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks], fontsize=7)
    axes.minorticks_off()
    axes.set_ylim(0, 100)
    axes.tick_params(labelsize=7)
    axes.set_xlabel("% of the city that is flagged", fontsize=7.5)
    axes.set_ylabel("% of incidents", fontsize=7.5)
    axes.grid(color="#dedbe3", linewidth=0.5)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.legend(fontsize=6.3, frameon=False, loc="upper left")


def _news(sheet: Sheet, facts: Facts, y: float) -> float:
    """What changed and what to watch, on the right half."""
    x, width = 4.25, RIGHT - 4.25
    y = sheet.heading(x, y, "What changed")
    lines = [line for change in facts.changes for line in (f"Since {day(change.as_of)}:", *change_lines(change, facts))]
    for line in lines or [f"No comparison: {facts.why_missing('changes')}."]:
        if y > 9.3:
            break
        weight = "bold" if line.startswith("Since ") else "normal"
        y = sheet.paragraph(x, y, width, line, size=8.0, most=4, weight=weight) + 0.03
    y = sheet.heading(x, y + 0.1, "Data to watch")
    for line in facts.data_warnings or ["No source has gone quiet."]:
        if y > 9.9:
            break
        y = sheet.paragraph(x, y, width, f"\u2013 {line}", size=8.0, most=3) + 0.02
    return y


def _grants(sheet: Sheet, facts: Facts, y: float) -> None:
    found = facts.tables.get("grants")
    if found is None:
        return
    x = 4.25
    y = sheet.heading(x, y, "Grants under the rule")
    rows = sorted((row for row in found.to_pylist() if row["awarded"]), key=lambda row: row["rank"] or 0)
    columns = (Column("Neighborhood", x, 2.6), Column("Amount", x + 2.6, 1.1, True))
    fit = max(0, int((10.1 - y) / 0.18) - 1)
    if fit < len(rows):
        fit -= 1  # a line for what does not fit
    lines = [[str(row["neighborhood"]), money(row["award_usd"])] for row in rows[:fit]]
    left = rows[fit:]
    if left and fit > 0:
        lines.append([f"and {count(len(left))} more, see the report", money(sum(row["award_usd"] for row in left))])
    sheet.table(y, columns, lines)
