"""How each vector layer is shown. Sites wear the colors of the tiers: the first 1 % of the ranks, to 5 % and so on."""

from __future__ import annotations

import dataclasses

import pyarrow as pa
import pyarrow.compute as pc

from rtm_pipeline.publication.content import PUBLIC, RESTRICTED
from rtm_pipeline.publication.rasters.legends import quantile_legend
from rtm_pipeline.publication.vectors.feature_tables import FeatureTable
from rtm_pipeline.publication.vectors.styles import Label, Look, Rule, fill, marker, single
from rtm_pipeline.surface.tiers import TIERS

__all__ = ["look_of"]

_SITE_TIPS = (
    "rank",
    "work",
    "expected_prevented",
    "cost_usd",
    "prevented_per_10k_usd",
    "expected_incidents",
    "why",
    "nearby_311",
    "address",
    "status",
    "owner_type",
    "neighborhood",
    "excluded_reason",
)
_AREA_TIPS = (
    "risk_mean",
    "risk_high_share",
    "expected_incidents",
    "lots",
    "buildings",
    "open_311",
    "top_factors",
    "recommended_work",
    "funded_sites",
    "grant_rank",
)
_ZONE_TIPS = ("period_start", "period_end", "purpose", "owner", "expected_incidents", "decision", "reason", "expiry")
_CITY_SCALE_SITES = 200
"""So many sites can be drawn over the whole city without hiding the surface below."""
_BLOCK_SCALE = 25_000
"""Where a neighborhood fills the screen: from here on every site is drawn."""
_SHAPES = {"priority_lots": "circle", "priority_buildings": "square"}
_SIZES_MM = (3.4, 2.8, 2.3, 1.8, 1.2)
_EDGES_MM = (0.25, 0.2, 0.2, 0.15, 0.1)  # the many of the last class must not hide the surface


def look_of(item: FeatureTable, edition: str = RESTRICTED) -> Look | None:
    """The look of a layer; None for tables without a place."""
    if item.geometry is None:
        return None
    numbers = frozenset(field.name for field in item.table.schema if pa.types.is_floating(field.type))
    return dataclasses.replace(_look(item, edition), rounded=numbers)


def _look(item: FeatureTable, edition: str) -> Look:
    if item.name in _SHAPES:
        return _sites(item)
    if item.name == "neighborhoods":
        return _choropleth(item) if edition == PUBLIC else _outlines(item, 0.35, "solid", 8.0)
    if item.name == "districts":
        return _outlines(item, 0.8, "dash", 10.0)
    if item.name == "zones":
        symbol = fill("#c2185b", edge="#c2185b", edge_mm=0.8, opacity=0.15)
        return Look(single(symbol, item.title), Label("zone", 9.0, prefix="Zone "), "zone", _known(item, _ZONE_TIPS))
    title = item.table.column_names[0]
    return Look(single(fill(None, edge="#000000", edge_mm=0.6), item.title), None, title, (title,))


def _sites(item: FeatureTable) -> Look:
    shape = _SHAPES[item.name]
    ranked = item.table.num_rows
    rules, last = [], 0
    for tier, size, edge in zip(TIERS, _SIZES_MM, _EDGES_MM, strict=True):
        upto = ranked if tier is TIERS[-1] else max(round(tier.share * ranked), 1)
        if upto > last:
            condition = f'"selectable" AND "rank" > {last} AND "rank" <= {upto}'
            label = f"rank {last + 1:,} to {upto:,}"
            from_scale = 0 if upto <= _CITY_SCALE_SITES else _BLOCK_SCALE
            rules.append(Rule(label, marker(shape, tier.color, size, edge_mm=edge), condition, from_scale))
            last = upto
    rules.append(
        Rule(
            "can't be worked on now",
            marker(shape, "#bdbdbd", 1.0, edge="#8a8a8a", edge_mm=0.1),
            'NOT "selectable"',
            0 if ranked <= _CITY_SCALE_SITES else _BLOCK_SCALE,
        )
    )
    if pc.any(item.table.column("funded")).as_py():
        ring = marker(shape, "#ffffff", 4.4, edge="#00695c", edge_mm=0.5, hollow=True)
        rules.append(Rule("funded", ring, '"funded"'))
    few = ranked <= _CITY_SCALE_SITES
    first = min(max(round(ranked * TIERS[0].share), 10), 50)
    names = Label("rank", 7.0, f'"rank" <= {first}', from_scale=0 if few else _BLOCK_SCALE)
    return Look(tuple(rules), names, "site_id", _known(item, _SITE_TIPS), '"rank"')


def _outlines(item: FeatureTable, width_mm: float, dash: str, size: float) -> Look:
    symbol = fill(None, edge="#37474f", edge_mm=width_mm, dash=dash)
    return Look(single(symbol, item.title), Label("area", size), "area", _known(item, _AREA_TIPS))


def _choropleth(item: FeatureTable) -> Look:
    """By mean risk, where it is told."""
    if "risk_mean" not in item.table.column_names:
        return _outlines(item, 0.35, "solid", 8.0)
    values = item.table.column("risk_mean").to_numpy()
    rules, low = [], None
    for part in quantile_legend(values, "mean relative risk score", shares=(0.2, 0.4, 0.6, 0.8)):
        above = f'"risk_mean" > {low!r}' if low is not None else '"risk_mean" IS NOT NULL'
        upto = f' AND "risk_mean" <= {part.value!r}' if part.value != float("inf") else ""
        rules.append(Rule(part.label, fill(part.color, edge="#616161", opacity=0.85), above + upto))
        low = part.value
    rules.append(Rule("not known", fill(None, edge="#616161"), '"risk_mean" IS NULL'))
    return Look(tuple(rules), Label("area"), "area", _known(item, _AREA_TIPS))


def _known(item: FeatureTable, columns: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in columns if name in item.table.column_names)
