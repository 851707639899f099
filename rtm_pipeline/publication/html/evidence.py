"""The section on what 311 says: one row a kind of request, as people at a city service meeting read it."""

from __future__ import annotations

import re
from typing import Any

import pyarrow as pa

from rtm_pipeline.publication.facts.night import Facts
from rtm_pipeline.publication.facts.words import NONE, amount, count, percent, times
from rtm_pipeline.publication.html.summary import missing, section
from rtm_pipeline.publication.html.tables import Head, table
from rtm_pipeline.publication.html.tags import Child, Html, tag
from rtm_pipeline.units import FOOT_M

__all__ = ["evidence_section"]

_BAND = re.compile(r"rate_ratio_(\d+)_(\d+)m")


def evidence_section(facts: Facts) -> Html:
    """What 311 says, one row a category; the release's table has every column."""
    title = "What 311 requests say"
    found = facts.tables.get("evidence_311")
    if found is None:
        return section("evidence-311", title, missing("The table", facts, "evidence_311"))
    return section(
        "evidence-311",
        title,
        tag(
            "p",
            "For a city service meeting: every kind of request, how often it came, and how it goes with "
            f"{facts.outcome}. A rate ratio of 3 means: three times as many incidents as beyond the last distance of "
            "the table. These are associations, not effects: people report where they live, and where they trust the "
            "city to come.",
        ),
        table("311 requests by kind", _heads(found), _rows(found)),
    )


def _bands(found: pa.Table) -> list[tuple[str, str]]:
    """Distance bands as (end of the columns' names, words)."""
    bands = []
    for name in found.column_names:
        match = _BAND.fullmatch(name)
        if match:
            near, far = (int(text) for text in match.groups())
            words = f"within {_feet(far)} ft" if near == 0 else f"{_feet(near)} to {_feet(far)} ft"
            bands.append((f"{near}_{far}m", f"{words} ({far} m)"))
    return bands


def _feet(meters: int) -> str:
    """Feet of a length that the column's name rounds to a meter."""
    return f"{5 * round(meters / FOOT_M / 5):,}"


def _heads(found: pa.Table) -> list[Head]:
    return [
        Head("Kind of request"),
        Head("Requests", number=True, note="at the fit"),
        Head("Change", number=True, note="latest against before"),
        *(Head("Rate ratio", number=True, note=words) for _, words in _bands(found)),
        Head("In the model", number=True, note="RRV, all else equal"),
        Head("Chosen in", number=True, note="of repeated selections"),
        Head("Reports", number=True, note="of one incident a month"),
    ]


def _rows(found: pa.Table) -> list[list[Child]]:
    bands = _bands(found)
    return [
        [
            str(row["category"]).replace("_", " "),
            count(row["requests"]),
            _change(row["change"]),
            *(_ratio(row, end) for end, _ in bands),
            times(row["rrv"]) if row["rrv"] is not None else "no",
            percent(row["selection_frequency"]),
            amount(row["reports_per_month"]),
        ]
        for row in found.to_pylist()
    ]


def _change(share: float | None) -> str:
    if share is None:
        return NONE
    return f"{100 * share:+.0f} %".replace("-", "\u2212")


def _ratio(row: dict[str, Any], end: str) -> str:
    value, low, high = (row[f"rate_ratio{part}_{end}"] for part in ("", "_low", "_high"))
    if value is None:
        return NONE
    return times(value) if low is None or high is None else f"{times(value)} ({times(low)} to {times(high)})"
