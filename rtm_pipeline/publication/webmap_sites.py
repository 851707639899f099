"""Sites on the map of the restricted edition: the best lots and buildings, with reasons in plain words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from rtm_pipeline.publication.content import ReleaseContent
from rtm_pipeline.publication.markup import plain
from rtm_pipeline.publication.report_facts import Facts
from rtm_pipeline.publication.report_words import NONE, amount, count, money, percent

__all__ = ["SITE_KINDS", "shown_sites", "site_points"]

SITE_KINDS = {"priority_lots": "Vacant lots", "priority_buildings": "Buildings"}
MOST_SITES = 1500
"""Of each kind, by rank; funded ones beyond it are shown too. Tables and GeoPackage have all."""
_OWNERS = {"city": "city", "land_bank": "land bank", "public": "other public", "private": "private"}


def shown_sites(table: pa.Table, most: int = MOST_SITES) -> pa.Table:
    """The first sites by rank, and every funded one."""
    rank = np.nan_to_num(np.asarray(table.column("rank").to_numpy(zero_copy_only=False), np.float64), nan=np.inf)
    funded = np.asarray(table.column("funded").to_numpy(zero_copy_only=False), bool)
    order = np.argsort(rank, kind="stable")
    place = np.empty(order.size, np.int64)
    place[order] = np.arange(order.size)
    chosen = order[(place < most)[order] | funded[order]]
    return table.take(pa.array(chosen))


def site_points(content: ReleaseContent, facts: Facts) -> dict[str, Any] | None:
    """Places and texts of the sites shown, by kind; None where there is no table of sites."""
    from pyproj import Transformer

    kinds = []
    to_degrees = Transformer.from_crs(content.grid.spec.crs, "EPSG:4326", always_xy=True)
    for name, title in SITE_KINDS.items():
        table = facts.tables.get(name)
        if table is None or table.num_rows == 0:
            continue
        rows = shown_sites(table)
        lon, lat = to_degrees.transform(rows.column("x").to_numpy(), rows.column("y").to_numpy())
        kinds.append(
            {
                "kind": name,
                "title": title,
                "all": table.num_rows,
                "lon": np.round(lon, 6).tolist(),
                "lat": np.round(lat, 6).tolist(),
                "funded": rows.column("funded").to_pylist(),
                "sites": [_site(row, content) for row in rows.to_pylist()],
            }
        )
    return {"rows": list(SITE_ROWS), "kinds": kinds} if kinds else None


def _site(row: Mapping[str, Any], content: ReleaseContent) -> list[str]:
    """Title, then values in the order of `SITE_ROWS`."""
    place = row.get("address") or row["site_id"]
    return [plain(str(value)) for value in (place, *site_values(row))]


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
        str(row["action"]).replace("_", " ") or NONE,
        _funded(row),
        amount(row["expected_incidents"]),
        _prevented(row),
        money(row["cost_usd"]),
        amount(row["prevented_per_10k_usd"]),
        str(row["why"]) or NONE,
        count(row["nearby_311"]),
        str(row["status"]) or NONE,
        _OWNERS.get(str(row["owner_type"]), "not known"),
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
