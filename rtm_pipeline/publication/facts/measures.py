"""Measures of one judged surface by share of the area, with what ties leave open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rtm_pipeline.publication.content import FORECAST, RISK_TERRAIN
from rtm_pipeline.publication.facts.words import count, percent, surface_name

__all__ = ["PERFECT", "UNIFORM", "At", "SurfaceAccuracy", "surfaces_judged", "ties_sentence"]

PERFECT = "perfect"
UNIFORM = "uniform"
_ORDER = (FORECAST, RISK_TERRAIN, "counts_decayed", "counts_2y", "counts_1y", "kde", UNIFORM, PERFECT)


@dataclass(frozen=True, slots=True)
class At:
    """A measure at one share of the area: over all orders of tied cells."""

    minimum: float
    expected: float
    maximum: float

    @property
    def tied(self) -> bool:
        """Whether ties leave anything open."""
        return self.maximum - self.minimum > 1e-9 * max(1.0, abs(self.expected))


@dataclass(frozen=True, slots=True)
class SurfaceAccuracy:
    """One surface; measures by share, those that can't be computed left out."""

    name: str
    pai: Mapping[float, At]
    pei: Mapping[float, At]
    hit_rate: Mapping[float, At]
    rri: Mapping[float, At]
    distinct_values: int | None


def surfaces_judged(found: Any) -> tuple[SurfaceAccuracy, ...]:
    """Surfaces of ``accuracy.json``, in the order in which they are shown."""
    if not isinstance(found, Mapping):
        return ()
    names = [name for name in _ORDER if name in found] + sorted(set(found) - set(_ORDER))
    return tuple(_surface(name, found[name]) for name in names if found[name] is not None)


def _surface(name: str, found: Mapping[str, Any]) -> SurfaceAccuracy:
    return SurfaceAccuracy(
        name=name,
        pai=_by_share(found.get("pai")),
        pei=_by_share(found.get("pei")),
        hit_rate=_by_share(found.get("hit_rate")),
        rri=_by_share(found.get("rri")),
        distinct_values=found.get("distinct_values"),
    )


def _by_share(found: Any) -> dict[float, At]:
    if not isinstance(found, Mapping):
        return {}
    return {
        float(share): At(float(item["min"]), float(item["expected"]), float(item["max"]))
        for share, item in sorted(found.items(), key=lambda pair: float(pair[0]))
        if item is not None
    }


def ties_sentence(item: SurfaceAccuracy) -> str:
    """What ties leave open, in words; empty where nothing."""
    tied = [share for share, at in item.hit_rate.items() if at.tied]
    if not tied or item.distinct_values is None:
        return ""
    share = tied[0]
    at = item.hit_rate[share]
    return (
        f"{surface_name(item.name)} has {count(item.distinct_values)} different values, so which cells make up the top "
        f"{percent(share)} is partly open: its hit rate there lies between {percent(at.minimum)} and "
        f"{percent(at.maximum)}."
    )
