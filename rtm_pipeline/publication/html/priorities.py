"""The sections on work: what is funded, the best sites (restricted), grants to neighborhoods."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from rtm_pipeline.publication.facts.night import Facts
from rtm_pipeline.publication.facts.plots import Point, Series
from rtm_pipeline.publication.facts.sites import OWNERS, SITE_KINDS, over_horizon, rests_on, shown_sites, site_values
from rtm_pipeline.publication.facts.words import NONE, amount, count, listed, money, percent, plural, times
from rtm_pipeline.publication.html.charts import Axis, line_chart
from rtm_pipeline.publication.html.followup import followup_parts
from rtm_pipeline.publication.html.summary import missing, section
from rtm_pipeline.publication.html.tables import Head, facts_list, table
from rtm_pipeline.publication.html.tags import Child, Html, tag

__all__ = ["grants_section", "priorities_section"]

TOP = 25
CAVEAT = (
    "Each row is worked on alone here; neighbors share what they prevent. The first rows are also those where chance "
    "was on their side: expect less of them than they say. Have a look at a site, at who owns it and at what it costs "
    "before a crew is sent."
)


def priorities_section(facts: Facts) -> Html:
    """What to do, where, for how much."""
    if facts.public:
        return section(
            "priorities",
            "What is done about it",
            tag(
                "p",
                "The city's planners get lists of vacant lots and buildings where work is expected to prevent most. "
                "The public edition names neighborhoods, not properties: see the table of neighborhoods and the "
                "grants.",
            ),
        )
    doubts = facts.programs.get("doubts") or []
    parts: list[Html] = [_doubts(doubts)] if doubts else []
    parts += [_funded(facts)] if facts.programs.get("portfolio") else []
    for name, title in SITE_KINDS.items():
        found = facts.tables.get(name)
        parts.append(_sites(facts, title, found) if found is not None else missing(title, facts, name))
    if "frontier" in facts.tables:
        parts.append(_frontier(facts.tables["frontier"]))
    if facts.programs.get("work"):
        parts.append(_evidence(facts))
    parts += followup_parts(facts)
    zones = facts.tables.get("zones")
    if zones is not None and zones.num_rows:
        parts.append(_zones(zones))
    return section("priorities", "What to do, and where first", *parts)


def grants_section(facts: Facts) -> Html:
    """Grants to neighborhoods: under the rule, and the ranking without it."""
    found = facts.tables.get("grants")
    title = "Grants to neighborhoods"
    if found is None:
        return section("grants", title, missing("The grant list", facts, "grants"))
    rows = sorted(found.to_pylist(), key=lambda row: (row["rank"] is None, row["rank"] or 0, row["rank_without_rule"]))
    heads = [
        Head("Neighborhood"),
        Head("Grant", note="place under the rule"),
        Head("Without the rule", number=True, note="place by prevented per $10,000"),
        Head("Amount", number=True),
        Head("Why, or why not", wide=True),
    ]
    lines: list[list[Child]] = [
        [
            str(row["neighborhood"]),
            count(row["rank"]) if row["awarded"] else "none",
            count(row["rank_without_rule"]),
            money(row["award_usd"]),
            str(row["reason"]) or NONE,
        ]
        for row in rows
    ]
    if not facts.public:
        heads += [Head("Work"), Head("Prevented per $10,000", number=True, note=over_horizon(facts))]
        for line, row in zip(lines, rows, strict=True):
            line += [str(row["work"]) or NONE, amount(row["prevented_per_10k_usd"])]
    awarded = sum(bool(row["awarded"]) for row in rows)
    spread = "spread over council districts" if any(row["district"] for row in rows) else None
    poor = any(row["highest_poverty_third"] is not None for row in rows)
    rules = ["value for money", *([spread] if spread else [])]
    rules += ["at least the set share to the third with the most poverty"] if poor else []
    absent = [*([] if spread else ["council districts"]), *([] if poor else ["poverty"])]
    return section(
        "grants",
        title,
        tag(
            "p",
            f"{plural(awarded, 'grant')} under the rule ({listed(rules)}). The place without the rule stands beside it."
            + (f" Of {listed(absent)} nothing is known here, so the rule can't heed it." if absent else "")
            + (
                " What the city funds by itself already is not counted again."
                if facts.public
                else " Grants come on top of the funded set: its sites are not counted again."
            ),
        ),
        table("Neighborhoods by grant", heads, lines, tall=True),
    )


def _funded(facts: Facts) -> Html:
    funded: Mapping[str, Any] = facts.programs["portfolio"]
    low, high = funded.get("prevented_low"), funded.get("prevented_high")
    interval = (
        f" ({percent(funded.get('level', 0.9))} interval {amount(low)} to {amount(high)})" if low is not None else ""
    )
    whole = funded.get("expected")
    return tag(
        "div",
        tag("h3", "The funded set"),
        tag("p", tag("strong", rests_on(facts))) if rests_on(facts) else None,
        facts_list(
            [
                ("Budget", f"{money(funded.get('budget_usd'))} over {times(funded.get('horizon_years'))} years"),
                ("Spent", money(funded.get("spent_usd"))),
                ("Work", str(funded.get("work") or "none")),
                (
                    "Expected prevented, a year",
                    f"{amount(funded.get('prevented'))}{interval}"
                    + (f", of {amount(whole, 3)} that are expected in the city" if whole else ""),
                ),
                *_if_otherwise(funded),
                (
                    "Best that the budget could do",
                    f"at most {amount(funded.get('bound'))} (gap {percent(funded.get('gap'), 1)})",
                ),
                (
                    "Counted of the outcome",
                    str(facts.programs.get("benefit_note") or facts.programs.get("outcome") or NONE),
                ),
                *_look_first(funded),
            ]
        ),
    )


def _doubts(doubts: Sequence[str]) -> Html:
    """What somebody has to put right in the registers."""
    return tag("div", tag("h3", "To be put right"), tag("ul", *(tag("li", text) for text in doubts)))


def _if_otherwise(funded: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the funded set prevents if the assumptions that no study settles are others."""
    radii = funded.get("prevented_at_radius") or {}
    rows = [
        (f"If the work reaches {name} as far", f"{amount(radii[key])} a year")
        for key, name in (("0.5", "half"), ("2", "twice"))
        if key in radii
    ]
    plain = funded.get("prevented_plain_unit")
    if plain is not None:
        rows.append(("If one lone site stood for a whole cluster", f"{amount(plain)} a year"))
    return rows


def _look_first(funded: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a manager has to know of the funded sites before money is spent."""
    rows = []
    owners = funded.get("owners") or {}
    if owners:
        rows.append(("Who owns them", listed([f"{count(n)} {OWNERS.get(name, name)}" for name, n in owners.items()])))
    statuses = {name or "none told": n for name, n in (funded.get("statuses") or {}).items()}
    if set(statuses) - {"none told"}:
        rows.append(("Their status in the source", listed([f"{count(n)} {name}" for name, n in statuses.items()])))
    unmet = funded.get("unmet_minimum_shares") or []
    if unmet:
        rows.append(("Least shares that could not be filled", listed([str(area) for area in unmet])))
    return rows


def _sites(facts: Facts, title: str, found: pa.Table) -> Html:
    heads = (
        Head("Site"),
        Head("Rank", number=True),
        Head("Work"),
        Head("Funded", note="share of draws"),
        Head("Expected near it", number=True, note=f"{facts.unit}s of {facts.outcome} a year"),
        Head("Expected prevented", number=True, note="a year, of those that the evidence speaks of"),
        Head("Cost", number=True),
        Head("Prevented per $10,000", number=True, note=over_horizon(facts)),
        Head("What raises the forecast here", wide=True),
        Head("Status"),
        Head("Owner"),
        Head("Neighborhood"),
    )
    lines: list[list[Child]] = []
    for row in shown_sites(found, TOP).slice(0, TOP).to_pylist():
        values = site_values(row)
        funded = values[3].replace(" of draws)", ")")
        site = str(row.get("address") or values[0])
        lines.append([site, *values[1:3], funded, *values[4:9], *values[10:13]])
    return tag(
        "div",
        tag("h3", title),
        tag(
            "p",
            f"The first {len(lines)} of {count(found.num_rows)}; priorities.gpkg has all, work_orders.csv the funded.",
        ),
        tag("p", CAVEAT, class_="note"),
        table(f"{title}, best first", heads, lines, tall=True),
    )


def _frontier(found: pa.Table) -> Html:
    rows = found.to_pylist()
    points = tuple(Point(row["spent_usd"], row["expected_prevented"]) for row in rows if row["spent_usd"] is not None)
    heads = (
        Head("Budget", number=False),
        Head("Spent", number=True),
        Head("Expected prevented", number=True, note="incidents a year"),
        Head("Sites", number=True),
        Head("The next $10,000 prevent", number=True, note="incidents a year"),
    )
    lines: list[list[Child]] = [
        [
            money(row["budget_usd"]),
            money(row["spent_usd"]),
            amount(row["expected_prevented"]),
            count(row["sites"]),
            amount(row["next_per_10k_usd"]),
        ]
        for row in rows
    ]
    return tag(
        "div",
        tag("h3", "What the next dollar buys"),
        tag("figure", _frontier_chart(points)) if len(points) > 1 else None,
        table("Budget against what it prevents", heads, lines),
    )


def _frontier_chart(points: tuple[Point, ...]) -> Html:
    most_usd, most = max(p.x for p in points) or 1.0, max(p.y for p in points) or 1.0
    x_ticks = tuple((most_usd * at / 4, f"${most_usd * at / 4 / 1000:,.0f}k") for at in range(5))
    y_ticks = tuple((most * at / 4, amount(most * at / 4)) for at in range(5))
    return line_chart(
        "frontier",
        "Budget against expected prevented incidents",
        "; ".join(f"{money(p.x)}: {amount(p.y)}" for p in points),
        Axis("spent", x_ticks, 0.0, most_usd),
        Axis("prevented a year", y_ticks, 0.0, most * 1.05),
        [Series("Best use", points, "#3b0f51", 2.5)],
    )


def _evidence(facts: Facts) -> Html:
    heads = (
        Head("Work"),
        Head("Expected reduction", number=True, note="where all eligible sites near are treated"),
        Head("Interval", number=True),
        Head("Cost of a site", number=True, note="with upkeep over the horizon"),
        Head("What the cost is", wide=True),
        Head("Study", wide=True),
        Head("Registry entry"),
    )
    lines: list[list[Child]] = []
    for row in facts.programs["work"]:
        low, high = row.get("reduction_low"), row.get("reduction_high")
        known = low is not None and high is not None and math.isfinite(low) and math.isfinite(high)
        lines.append(
            [
                str(row.get("label") or row.get("name", "")),
                percent(row.get("reduction"), 1),
                f"{percent(low, 1)} to {percent(high, 1)}" if known else NONE,
                f"{money(row.get('cost_usd'))} ({row.get('cost_basis', 'none found')})",
                ". ".join(str(text) for text in (row.get("cost_source"), row.get("cost_note")) if text) or NONE,
                str(row.get("study", "")),
                str(row.get("effect_key", "")),
            ]
        )
    left = facts.programs.get("left_out") or {}
    return tag(
        "div",
        tag("h3", "The evidence behind the benefit"),
        table("Effects that were used", heads, lines),
        tag("ul", *(tag("li", f"Not counted: {name.replace('_', ' ')}; {why}.") for name, why in left.items()))
        if left
        else None,
    )


def _zones(zones: pa.Table) -> Html:
    heads = (
        Head("Zone"),
        Head("Period"),
        Head("Purpose"),
        Head("Answers for it"),
        Head("Expected incidents", number=True),
        Head("Decision"),
        Head("Reason", wide=True),
    )
    lines: list[list[Child]] = [
        [
            count(row["zone"]),
            f"{row['period_start']} to {row['period_end']}",
            str(row["purpose"]),
            str(row["owner"]),
            amount(row["expected_incidents"]),
            str(row["decision"]),
            str(row["reason"]),
        ]
        for row in zones.to_pylist()
    ]
    return tag("div", tag("h3", "Zones of this period"), table("Zones", heads, lines))
