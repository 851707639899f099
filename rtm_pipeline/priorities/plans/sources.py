"""What a plan is frozen from: rows of the priority tables."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from rtm_pipeline.errors import ConfigError
from rtm_pipeline.priorities.plans.plan import PlanSite

__all__ = ["plan_sites"]


def plan_sites(tables: Sequence[pa.Table], *, site_ids: Sequence[str] | None = None) -> tuple[PlanSite, ...]:
    """Lines of a work list from priority tables: the funded sites in the order of funding, or the sites named.

    Parameters
    ----------
    tables : sequence of pyarrow.Table
        priority_lots and priority_buildings.
    site_ids : sequence of str, optional
        Take these, in this order, whether funded or not.

    Raises
    ------
    ConfigError
        Nothing is funded, or a named site is in no table.
    """
    rows = [row for table in tables for row in table.to_pylist()]
    if site_ids is None:
        chosen = sorted((row for row in rows if row["funded"]), key=lambda row: (row["funded_order"], row["site_id"]))
        if not chosen:
            raise ConfigError(
                "Nothing is funded, so there is nothing to freeze: configure a budget, or name the sites."
            )
    else:
        known = {row["site_id"]: row for row in rows}
        missing = [name for name in site_ids if name not in known]
        if missing:
            raise ConfigError(f"{len(missing)} sites are in no priority table: {', '.join(missing[:5])}.")
        chosen = [known[name] for name in site_ids]
    return tuple(
        PlanSite(
            site_id=row["site_id"],
            rank=position,
            action=row["action"],
            x=row["x"],
            y=row["y"],
            cost_usd=row["cost_usd"],
            expected_incidents=row["expected_incidents"],
            expected_prevented=row["expected_prevented"],
            prevented_low=row["prevented_low"],
            prevented_high=row["prevented_high"],
            effect_key=row["effect_key"],
            neighborhood=row["neighborhood"],
            district=row["district"],
        )
        for position, row in enumerate(chosen, start=1)
    )
