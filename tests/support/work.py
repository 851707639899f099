"""Kinds of work as the registry recommends them, for tests."""

from __future__ import annotations

from rtm_pipeline.priorities.effects.registry import Registry
from rtm_pipeline.priorities.spec import InterventionSpec


def default_interventions(registry: Registry, *, unit_m: float) -> tuple[InterventionSpec, ...]:
    """Greening, mowing, repair and demolition within 500 ft, whatever the unit of the CRS."""
    return tuple(
        InterventionSpec(
            name=name,
            target=registry.defaults[name].target,
            effect=registry.defaults[name].effect,
            cost=registry.defaults[name].cost,
            radius_u=500.0 if 0.3 < unit_m < 0.31 else 152.4 / unit_m,
        )
        for name in ("greening", "mowing", "repair", "demolition")
    )
