"""Sites for the restricted edition, in the words of the map, the report, the pages and the paper."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from rtm_pipeline.publication.facts.night import Facts
from rtm_pipeline.publication.facts.words import NONE, amount, count, money, percent

__all__ = ["OWNERS", "SITE_KINDS", "SITE_ROWS", "over_horizon", "rests_on", "shown_sites", "site_values"]

SITE_KINDS = {"priority_lots": "Vacant lots", "priority_buildings": "Buildings"}
MOST_SITES = 1500
"""Of each kind, by rank; funded ones beyond it are shown too. Tables and GeoPackage have all."""
OWNERS = {
    "city": "city",
    "land_bank": "land bank",
    "public": "other public",
    "private": "private",
    "unknown": "not known",
}
"""Owner types of the tables -> words."""


def over_horizon(facts: Facts) -> str:
    """Years over which prevented incidents are counted against the cost, such as ``over 3 years``."""
    years = (facts.programs.get("portfolio") or {}).get("horizon_years")
    return f"over {years:g} year{'' if years == 1 else 's'}" if years else "over the horizon"


def rests_on(facts: Facts) -> str:
    """What a list of sites must not be read without: its forecast is no better than a rule, or was never judged."""
    code = facts.accuracy.verdict.code if facts.accuracy is not None else "not_judged"
    return {
        "better": "",
        "not_better": "The list rests on a forecast that does not beat the best simple rule.",
    }.get(code, "The list rests on a forecast whose accuracy could not be judged.")


def shown_sites(table: pa.Table, most: int = MOST_SITES) -> pa.Table:
    """The first sites by rank, and every funded one."""
    rank = np.nan_to_num(np.asarray(table.column("rank").to_numpy(zero_copy_only=False), np.float64), nan=np.inf)
    funded = np.asarray(table.column("funded").to_numpy(zero_copy_only=False), bool)
    order = np.argsort(rank, kind="stable")
    place = np.empty(order.size, np.int64)
    place[order] = np.arange(order.size)
    chosen = order[(place < most)[order] | funded[order]]
    return table.take(pa.array(chosen))


SITE_ROWS = (
    "Id",
    "Rank",
    "Recommended work",
    "Funded",
    "Expected incidents near it, a year",
    "Expected prevented, a year",
    "Cost",
    "Prevented per $10,000",
    "What raises the forecast here",
    "311 requests near it, last year",
    "Status",
    "Owner",
    "Neighborhood",
    "Evidence",
)
"""What a click on a site tells, in this order."""


def site_values(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Values of one site in the order of `SITE_ROWS`."""
    return (
        str(row["site_id"]),
        count(row["rank"]),
        str(row["work"]) or NONE,
        _funded(row),
        amount(row["expected_incidents"]),
        _prevented(row),
        money(row["cost_usd"]),
        amount(row["prevented_per_10k_usd"]),
        str(row["why"]) or NONE,
        count(row["nearby_311"]),
        str(row["status"]) or NONE,
        OWNERS.get(str(row["owner_type"]), "not known"),
        str(row["neighborhood"]) or NONE,
        str(row["effect_key"]) or NONE,
    )


def _funded(row: Mapping[str, Any]) -> str:
    if not row["selectable"]:
        return f"no: {row['excluded_reason'] or 'can not be chosen'}"
    chance = row.get("funded_probability")
    sure = "" if chance is None or not math.isfinite(chance) else f" ({percent(chance)} of draws)"
    return ("yes" if row["funded"] else "no") + sure


def _prevented(row: Mapping[str, Any]) -> str:
    value, low, high = row["expected_prevented"], row["prevented_low"], row["prevented_high"]
    if value is None:
        return f"not known: {row['benefit_note']}" if row.get("benefit_note") else NONE
    interval = f" ({amount(low)} to {amount(high)})" if low is not None and high is not None else ""
    return f"{amount(value)}{interval}"
