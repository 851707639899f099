"""Work lists from releases: frozen, drawn at the funding line, and told of."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rtm_pipeline.errors import ConfigError
from rtm_pipeline.orchestration.registers.history import KeptDraw, KeptPlan
from rtm_pipeline.publication.release.files import manifest_of
from rtm_pipeline.storage.roots import local_copy

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["plan_of_release", "plan_rows"]

SITE_TABLES = ("priority_lots", "priority_buildings")


def plan_of_release(
    release: Path,
    *,
    frozen_on: date,
    site_ids: Sequence[str] | None = None,
    draw_seed: int | None = None,
    tolerance: float = 0.05,
) -> KeptPlan:
    """Freeze the funded sites of a release, or sites that are named.

    Parameters
    ----------
    release : Path
    frozen_on : date
    site_ids : sequence of str, optional
        These sites, in this order, in place of the funded ones.
    draw_seed : int, optional
        Draw the order of the near-equal sites at the funding line of each kind of work with this seed; the draw is
        kept with the plan.
    tolerance : float
        Relative distance from the line within which sites are near-equal.

    Raises
    ------
    ConfigError
        The release has no sites, nothing is funded, a site is unknown, or nothing can be drawn.
    """
    from rtm_pipeline.priorities.plans.plan import freeze
    from rtm_pipeline.priorities.plans.sources import plan_sites

    tables = [
        table for name in SITE_TABLES if (table := _table(release / "restricted" / f"{name}.parquet")) is not None
    ]
    facts_file = release / "restricted" / "programs.json"
    if not tables or not facts_file.is_file():
        raise ConfigError(f"The release {release.name} has no ranked sites: configure programs and run the night.")
    facts = json.loads(facts_file.read_text(encoding="utf-8"))
    manifest = manifest_of(release)
    draws: tuple[KeptDraw, ...] = ()
    if draw_seed is not None:
        draws, tables = _draw(tables, draw_seed, tolerance)
    plan = freeze(
        plan_sites(tables, site_ids=site_ids),
        city=manifest["city"],
        run_id=manifest["run_id"],
        frozen_on=frozen_on,
        radius_u=float(facts["radius_u"]),
    )
    places = np.array([[site.x, site.y] for site in plan.sites])
    expected = _expected_around(release, places, plan.radius_u) / float(facts["forecast_years"])
    return KeptPlan(plan, expected, (), draws)


def _table(path: Path) -> pa.Table | None:
    import pyarrow.parquet as pq

    if not path.is_file():
        return None
    with local_copy(path) as local:
        table = pq.read_table(local)
    return table.drop_columns([name for name in ("geometry", "geom") if name in table.column_names])


def _expected_around(release: Path, places: Any, radius_u: float) -> float:
    """Incidents of the horizon in all cells whose center is within reach of any place, each cell once."""
    import rasterio
    from scipy.spatial import cKDTree

    with local_copy(release / "restricted" / "forecast.tif") as local, rasterio.open(local) as raster:
        values = raster.read(1, masked=True)
        rows, columns = np.nonzero(~np.ma.getmaskarray(values))
        x, y = rasterio.transform.xy(raster.transform, rows, columns)
        size = raster.transform.a
    centers = np.stack([np.asarray(x), np.asarray(y)], axis=1)
    distance, nearest = cKDTree(places).query(centers)
    # a site always reaches the cell that it lies in
    own = (np.abs(centers - places[nearest]) <= size / 2).all(axis=1)
    return float(np.asarray(values[rows, columns], np.float64)[(distance <= radius_u) | own].sum())


def _draw(tables: Sequence[pa.Table], seed: int, tolerance: float) -> tuple[tuple[KeptDraw, ...], list[pa.Table]]:
    """Draw at the funding line of each kind of work, and fund as drawn."""
    from rtm_pipeline.priorities.portfolio.funding_line import draw_line

    draws, changed, refusals = [], [], []
    for table in tables:
        rows = table.to_pylist()
        for action in sorted({row["action"] for row in rows if row["funded"]}):
            near = [row for row in rows if row["action"] == action and row["selectable"] and row["cost_usd"]]
            try:
                drawn = draw_line(
                    [row["site_id"] for row in near],
                    np.array([row["prevented_per_10k_usd"] or 0.0 for row in near]),
                    np.array([row["cost_usd"] for row in near]),
                    np.array([row["funded"] for row in near]),
                    seed=seed,
                    tolerance=tolerance,
                )
            except ConfigError as error:
                refusals.append(f"{action}: {error}")
                continue
            place = {row["site_id"]: (row["x"], row["y"]) for row in near}
            draws.append(KeptDraw(action, drawn, tuple(place[name] for name in drawn.site_id)))
            _fund_as_drawn(rows, dict(zip(drawn.site_id, drawn.funded, strict=True)))
        changed.append(table.from_pylist(rows, schema=table.schema))
    if not draws:
        raise ConfigError("No order could be drawn. " + " ".join(refusals))
    return tuple(draws), changed


def _fund_as_drawn(rows: list[dict[str, Any]], funded: Mapping[str, bool]) -> None:
    """Change who is funded; those drawn in come after all others."""
    last = max((row["funded_order"] or 0 for row in rows), default=0)
    for row in rows:
        if row["site_id"] in funded:
            row["funded"] = funded[row["site_id"]]
            row["funded_order"] = (row["funded_order"] or last + 1) if row["funded"] else None


def plan_rows(kept: KeptPlan, day: date) -> list[dict[str, Any]]:
    """A plan's sites with their status on a day, in the order of the plan."""
    from rtm_pipeline.priorities.plans.plan import status_on

    status = status_on(kept.plan, kept.log, day)
    return [{**row, "status": status[str(row["site_id"])]} for row in kept.plan.rows()]
