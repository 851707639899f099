"""Small facts of a night that later nights compare with: rows, columns, codes, dates and places, never rows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from rtm_pipeline.layers.conditions import Filter
from rtm_pipeline.layers.layer import Layer, LayerResult
from rtm_pipeline.layers.spec import LayerSpec
from rtm_pipeline.sources.snapshots.snapshot import Snapshot

__all__ = ["layer_facts", "source_facts", "vocabulary_of"]

RARE = 5  # values with fewer rows are not remembered: they tell of single rows, not of a vocabulary
MOST_VALUES = 300
FREE_TEXT = 2_000  # a column with more distinct values is no vocabulary
RECENT_DAYS = 30
NORMAL_90 = 3.29  # width of the middle 90 % of a normal distribution, in standard deviations


def source_facts(snapshot: Snapshot) -> dict[str, Any]:
    """Rows of each file and all headers that were seen, as plain JSON values."""
    headers: set[str] = set()
    for file in snapshot.files:
        renamed = dict(file.renamed)
        headers |= {renamed.get(name, name) for name in snapshot.columns if name not in file.absent}
        headers |= set(file.dropped)
    return {
        "digest": snapshot.digest,
        "rows": snapshot.rows,
        "files": {file.path: file.rows for file in snapshot.files},
        "headers": sorted(headers),
    }


def vocabulary_of(spec: LayerSpec, table: pa.Table) -> dict[str, dict[str, int]]:
    """Column -> value -> rows, for the columns whose values a layer's filters and categories name."""
    filters = [*([spec.where] if spec.where else []), *spec.flags.values()]
    names = [name for one in filters for name in _tested(one)]
    names += spec.categories.columns if spec.categories else ()
    found = {}
    for name in dict.fromkeys(names):
        counts = pc.value_counts(table.column(name).combine_chunks().drop_null())
        if len(counts) > FREE_TEXT:
            continue
        pairs = [(str(item["values"]), int(item["counts"])) for item in counts.to_pylist() if item["counts"] >= RARE]
        found[name] = dict(sorted(pairs, key=lambda pair: (-pair[1], pair[0]))[:MOST_VALUES])
    return found


def _tested(filters: Filter) -> list[str]:
    """Columns that are compared with words, not with numbers."""
    return [
        condition.column
        for group in filters.groups
        for condition in group
        if condition.isin or condition.prefix or condition.pattern
    ]


def layer_facts(
    spec: LayerSpec, result: LayerResult, values: Mapping[str, Mapping[str, int]], as_of: date, unit_m: float
) -> dict[str, Any]:
    """What of a layer is remembered, as plain JSON values; places in meters of the city's CRS."""
    layer = result.layer
    latest, rhythm = _rhythm(spec, layer, as_of)
    return {
        "read": result.counts.read,
        "kept": result.counts.kept,
        "values": {name: dict(counts) for name, counts in values.items()},
        "latest": latest.isoformat() if latest else None,
        "age_days": (as_of - latest).days if latest else None,
        "rhythm": rhythm,
        **(_places(layer, unit_m) if layer.kind != "areas" else {}),
    }


def _rhythm(spec: LayerSpec, layer: Layer, as_of: date) -> tuple[date | None, dict[str, float] | None]:
    """Day of the latest row, and how often rows come. Registers have no rhythm: they change when they change."""
    days = layer.time[~np.isnat(layer.time)].astype("datetime64[D]")
    days = days[days <= np.datetime64(as_of)]
    if not days.size:
        return None, None
    latest: date = days.max().item()
    if layer.kind not in ("events", "requests"):
        return latest, None
    # Up to the latest row: what came before a feed went quiet is what is usual.
    year = np.unique(days[days > np.datetime64(latest - timedelta(days=365))])
    if year.size < 10:
        return latest, None
    recent = int(np.count_nonzero(days > np.datetime64(as_of - timedelta(days=RECENT_DAYS))))
    before = int(np.count_nonzero(days > np.datetime64(as_of - timedelta(days=RECENT_DAYS + 365)))) - recent
    delay = spec.known_at.delay.approximate_days if spec.known_at.delay else 0.0
    gap = float(np.quantile(np.diff(year).astype(np.int64), 0.95))
    return latest, {"gap_days": gap, "delay_days": delay, "recent": recent, "usual": before * RECENT_DAYS / 365}


def _places(layer: Layer, unit_m: float) -> dict[str, Any]:
    x, y = layer.x * unit_m, layer.y * unit_m
    if not x.size:
        return {"place": None, "pile": None}
    low, middle, high = np.quantile(np.stack([x, y]), [0.05, 0.5, 0.95], axis=1)
    place = {
        "rows": int(x.size),
        "middle": _rounded(middle),
        "low": _rounded(low),
        "high": _rounded(high),
        "spread_m": _rounded((high - low) / NORMAL_90),
    }
    _, first, counts = np.unique(
        np.stack([np.round(x), np.round(y)], axis=1), axis=0, return_index=True, return_counts=True
    )
    most = int(np.argmax(counts))
    pile = {"rows": int(counts[most]), "share": round(float(counts[most]) / x.size, 6)}
    return {"place": place, "pile": pile | {"at": _rounded(np.array([x[first[most]], y[first[most]]]))}}


def _rounded(values: NDArray[np.float64]) -> list[float]:
    return [round(float(value), 1) for value in values]
