"""Who bears the errors: rows of the tables by area group, as an edition may tell them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rtm_pipeline.publication.editions.protected_counts import held_back
from rtm_pipeline.publication.editions.suppression import LEAST_CELLS
from rtm_pipeline.publication.facts.night import Facts
from rtm_pipeline.publication.facts.words import HIDDEN, amount, percent

__all__ = ["DISPARITY_HEADS", "disparity_rows"]

DISPARITY_HEADS = (
    ("Group", ""),
    ("Share of area", ""),
    ("Share of incidents", ""),
    ("Share of priority area", ""),
    ("Hit rate", ""),
    ("False priority", "priority cells without incident"),
    ("Observed over expected", ""),
)
"""Heads of the columns, each with a note (empty: none)."""


def disparity_rows(facts: Facts) -> dict[str, list[list[str]]]:
    """Rows, by level, of the tables of errors by area group, as the edition may tell them."""
    found = {}
    for level, groups in facts.disparity.items():
        small = _small_groups(groups) if facts.public else [(False, False)] * len(groups)
        found[level] = [_disparity_row(row, few) for row, few in zip(groups, small, strict=True)]
    return found


def _disparity_row(row: Mapping[str, Any], small: tuple[bool, bool]) -> list[str]:
    few_incidents, few_cells = small
    ratio = amount(row.get("ratio")) + (" *" if row.get("miscalibrated") else "")
    return [
        str(row.get("group", "")),
        percent(row.get("area_share")),
        HIDDEN if few_incidents else percent(row.get("incident_share")),
        percent(row.get("priority_share")),
        HIDDEN if few_incidents or few_cells else percent(row.get("hit_rate")),
        HIDDEN if few_incidents or few_cells else percent(row.get("false_priority_rate")),
        HIDDEN if few_incidents else ratio,
    ]


def _small_groups(groups: Sequence[Mapping[str, Any]]) -> list[tuple[bool, bool]]:
    """Whether a group's incidents, and its priority cells, are too few to be told of in public.

    With few priority cells the hit rate would tell what happened in single cells.
    """
    observed = np.array([float(row.get("observed") or 0.0) for row in groups])
    few = held_back(observed, np.zeros(observed.size, bool))
    flagged = [float(row.get("cells") or 0) * float(row.get("priority_rate") or 0) for row in groups]
    return [(bool(held), cells < LEAST_CELLS) for held, cells in zip(few, flagged, strict=True)]
