"""What became of the work: frozen lists against what was expected of them, and whether finished work helped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rtm_pipeline.publication.facts.night import Facts
from rtm_pipeline.publication.facts.words import NONE, amount, count, percent
from rtm_pipeline.publication.html.tables import Head, table
from rtm_pipeline.publication.html.tags import Child, Html, tag

__all__ = ["followup_parts"]

STEPS = ("done", "ordered", "inspected", "proposed")


def followup_parts(facts: Facts) -> list[Html]:
    """Tables of the frozen lists and of finished work; none where there is neither."""
    parts = []
    for name, make in (("plans", _plans), ("did_it_help", _helped)):
        found = facts.tables.get(name)
        if found is not None and found.num_rows:
            parts.append(make(facts, found.to_pylist()))
    return parts


def _plans(facts: Facts, rows: list[Mapping[str, Any]]) -> Html:
    heads = (
        Head("Work list", note="day it was frozen"),
        *(Head(step.capitalize(), number=True, note="sites") for step in STEPS),
        Head("Expected since", number=True, note=f"{facts.unit}s near any of its sites"),
        Head("Came", number=True, note=f"{facts.unit}s"),
    )
    lines: list[list[Child]] = [
        [
            str(row["plan_id"]),
            *(count(row.get(f"sites_{step}")) for step in STEPS),
            amount(row["expected"], 3),
            count(row["observed"]),
        ]
        for row in rows
    ]
    note = "Expected is what was forecast on the day a list was frozen, each place once; a list is never rewritten."
    return tag("div", tag("h3", "Work lists so far"), tag("p", note), table("Frozen work lists", heads, lines))


def _helped(facts: Facts, rows: list[Mapping[str, Any]]) -> Html:
    heads = (
        Head("Work"),
        Head("Year", number=True),
        Head("Compared", note="how"),
        Head("Pairs", number=True),
        Head("Change", number=True, note="95 % interval"),
        Head("Moved to the ring", number=True, note=f"{facts.unit}s"),
        Head("Note", wide=True),
    )
    lines: list[list[Child]] = []
    for row in rows:
        change = NONE
        if row["relative_change"] is not None:
            change = " to ".join(percent(row[end]) for end in ("low", "high"))
            change = f"{percent(row['relative_change'])} ({change})"
        lines.append(
            [
                str(row["program"]).replace("_", " "),
                str(row["year"]),
                str(row["design"]),
                count(row["n_pairs"]),
                change,
                amount(row["ring"]),
                str(row["note"] or NONE),
            ]
        )
    return tag("div", tag("h3", "Did it help?"), table("Finished work", heads, lines))
