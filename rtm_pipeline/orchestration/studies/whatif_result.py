"""What a what-if says: numbers, and GeoTIFFs of the differences."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.orchestration.settings import Settings
from rtm_pipeline.orchestration.steps.ingest import PLACE
from rtm_pipeline.orchestration.steps.model import TERRAIN, seed_of
from rtm_pipeline.orchestration.steps.priorities import PRIORITIES
from rtm_pipeline.orchestration.steps.surface import FORECAST
from rtm_pipeline.storage.atomic import write_atomic

__all__ = ["WhatIfResult", "whatif_text", "write_result"]

DRAWS = 200
LEVEL = 0.90
NOTE = (
    "The change of the surfaces is what the model would say of such a landscape: an association, never an effect of "
    "the work; the forecast's total for the city is taken as given. What the work is expected to prevent stands under "
    "benefit, from the evidence alone."
)


@dataclass(frozen=True, slots=True, eq=False)
class WhatIfResult:
    """A what-if.

    Attributes
    ----------
    folder : Path
        Holds ``whatif.json`` and the GeoTIFFs.
    facts : dict
        Content of ``whatif.json``.
    maps : mapping of str to ndarray of float64, shape (n_cells,)
        Name of each GeoTIFF, without ``.tif`` -> its values.
    grid : StudyGrid
    """

    folder: Path
    facts: dict[str, Any]
    maps: Mapping[str, NDArray[np.float64]]
    grid: Any


def write_result(
    folder: Path,
    settings: Settings,
    base: Mapping[str, Any],
    after: Mapping[str, Any],
    work: Mapping[str, str],
    request: Mapping[str, Any],
) -> WhatIfResult:
    """Compare two sets of values and write numbers and maps.

    Parameters
    ----------
    folder : Path
        Made if need be; files of the same what-if are replaced.
    settings : Settings
        Of the run compared with.
    base, after : mapping of str to value
        Values of the steps, by name.
    work : mapping of str to str
        Site -> kind of work.
    request : mapping
        What was asked, for the record.
    """
    from rtm_pipeline.publication.rasters.geotiff import Band, to_raster, write_cog

    grid = base[PLACE].grid
    maps = {
        "risk_terrain_difference": np.asarray(after[TERRAIN].rrs - base[TERRAIN].rrs, np.float64),
        "forecast_difference": np.asarray(after[FORECAST].expected - base[FORECAST].expected, np.float64),
    }
    benefit, prevented = _benefit(settings, base, work)
    if prevented is not None:
        maps["prevented"] = prevented
    facts: dict[str, Any] = {
        "city": settings.city.name,
        "as_of": settings.as_of.isoformat(),
        "request": dict(request),
        "benefit": benefit,
        "model": {"before": _terms(base), "after": _terms(after)},
        "risk_terrain": _change(base[TERRAIN].rrs, after[TERRAIN].rrs),
        "forecast": _change(base[FORECAST].expected, after[FORECAST].expected),
        "programs": _programs(base, after),
        "note": NOTE,
    }
    folder.mkdir(parents=True, exist_ok=True)
    facts = dict(json.loads(json.dumps(facts, default=str)))
    write_atomic(folder / "whatif.json", (json.dumps(facts, indent=2, allow_nan=False) + "\n").encode())
    units = {"risk_terrain_difference": "relative risk score", "prevented": "incidents a year"}
    for name, values in maps.items():
        tags = {"AS_OF": facts["as_of"], "REQUEST": json.dumps(facts["request"]), "NOTE": NOTE}
        band = Band(name.replace("_", " "), units.get(name, "incidents of the horizon"), to_raster(grid, values))
        (folder / f"{name}.tif").unlink(missing_ok=True)
        write_cog(folder / f"{name}.tif", [band], grid.spec, tags)
    return WhatIfResult(folder, facts, maps, grid)


def _change(before: NDArray[Any], after: NDArray[Any]) -> dict[str, float | int]:
    """Sums and extremes of a surface before and after."""
    difference = np.asarray(after, np.float64) - np.asarray(before, np.float64)
    return {
        "sum_before": float(np.sum(before)),
        "sum_after": float(np.sum(after)),
        "cells_changed": int((np.abs(difference) > 1e-9).sum()),
        "largest_fall": float(difference.min()),
        "largest_rise": float(difference.max()),
    }


def _terms(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"variable": term.variable.name, "rrv": term.rrv} for term in values[TERRAIN].fit.terrain.terms]


def _benefit(
    settings: Settings, base: Mapping[str, Any], work: Mapping[str, str]
) -> tuple[dict[str, Any] | None, NDArray[np.float64] | None]:
    """What the work is expected to prevent, with its interval and cost; None where no work is asked."""
    if not work:
        return None, None
    from rtm_pipeline.orchestration.steps.registers import REGISTERS, registry_of
    from rtm_pipeline.priorities.benefit import simulate
    from rtm_pipeline.priorities.effects.draws import draw_reductions

    result = base[PRIORITIES]
    model, summary = result.model, result.summary
    if not summary["with_benefit"]:
        return {"prevented": None, "reason": summary["benefit_note"]}, None
    names = [kind.name for kind in model.kinds]
    site = model.sites.index_of(list(work), "what-if list")
    kind = np.array([names.index(name) for name in work.values()], dtype=np.int64)
    done = simulate(model, site, kind)
    seed = seed_of(settings.city, settings.as_of)
    registry = registry_of(settings.city, base[REGISTERS])
    effects = np.stack([draw_reductions(registry, one.effect, DRAWS, seed=seed) for one in model.kinds], axis=1)
    rng = np.random.default_rng([seed, 2])
    share = model.treated_share(site, kind)
    totals = [
        float((model.forecast.draw(rng) * (1.0 - np.prod(1.0 - effects[d][:, None] * share, axis=0))).sum())
        for d in range(DRAWS)
    ]
    low, high = np.quantile(totals, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    costs = [model.kinds[k].cost_usd for k in kind.tolist()]
    cost = None if any(value is None for value in costs) else float(sum(value or 0.0 for value in costs))
    years = float(_years(settings))
    return {
        "outcome": model.forecast.outcome,
        "prevented": done.prevented,
        "low": float(low),
        "high": float(high),
        "level": LEVEL,
        "expected_before": float(model.forecast.expected.sum()),
        "sites": {name: int((kind == k).sum()) for k, name in enumerate(names) if (kind == k).any()},
        "cost_usd": cost,
        "horizon_years": years,
        "prevented_per_10k_usd": done.prevented * years * 10_000.0 / cost if cost else None,
        "effects": sorted({model.kinds[k].effect for k in kind.tolist()}),
        "note": summary["benefit_note"],
    }, done.by_cell


def _years(settings: Settings) -> float:
    plan = settings.city.programs
    return plan.spec.budget.horizon_years if plan is not None and plan.spec.budget is not None else 3.0


def _programs(base: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any] | None:
    """How the funded set changes, where the priorities were made anew."""
    if PRIORITIES not in base or after[PRIORITIES] is base[PRIORITIES]:
        return None
    before, now = base[PRIORITIES].portfolio, after[PRIORITIES].portfolio
    if before is None or now is None:
        return None
    then = set(base[PRIORITIES].model.sites.site_id[before.site].tolist())
    later = set(after[PRIORITIES].model.sites.site_id[now.site].tolist())
    return {
        "prevented_before": before.prevented,
        "prevented_after": now.prevented,
        "funded_before": len(then),
        "funded_after": len(later),
        "funded_in_both": len(then & later),
    }


def whatif_text(facts: Mapping[str, Any], folder: Path) -> str:
    """The same for people."""
    lines = [f"{facts['city']}, as of {facts['as_of']}"]
    benefit = facts["benefit"]
    if benefit is not None and benefit["prevented"] is not None:
        work = ", ".join(f"{count} {name}" for name, count in benefit["sites"].items())
        cost = "not known" if benefit["cost_usd"] is None else f"{benefit['cost_usd']:,.0f} USD"
        lines.append(
            f"  benefit of {work}: {benefit['prevented']:.3f} {benefit['outcome']} incidents a year prevented "
            f"({benefit['low']:.3f} to {benefit['high']:.3f}); cost over {benefit['horizon_years']:g} years {cost}; "
            f"evidence: {', '.join(benefit['effects'])}"
        )
    elif benefit is not None:
        lines.append(f"  benefit: not told: {benefit['reason']}")
    before = {term["variable"]: term["rrv"] for term in facts["model"]["before"]}
    after = {term["variable"]: term["rrv"] for term in facts["model"]["after"]}
    lines.append("  model (RRV before, after):")
    for name in dict.fromkeys([*before, *after]):
        texts = [f"{terms[name]:.2f}" if name in terms else "-" for terms in (before, after)]
        lines.append(f"    {name:<44} {texts[0]:>6} {texts[1]:>6}")
    for name, unit in (("risk_terrain", "relative risk score"), ("forecast", "incidents of the horizon")):
        change = facts[name]
        lines.append(
            f"  {name.replace('_', ' ')}: {change['cells_changed']:,} cells change, by {change['largest_fall']:+.4f} "
            f"to {change['largest_rise']:+.4f} ({unit}); sum {change['sum_before']:,.2f} -> {change['sum_after']:,.2f}"
        )
    programs = facts["programs"]
    if programs is not None:
        lines.append(
            f"  funded set: {programs['funded_in_both']} of {programs['funded_before']} sites stay; prevented "
            f"{programs['prevented_before']:.3f} -> {programs['prevented_after']:.3f} a year"
        )
    return "\n".join([*lines, f"  {facts['note']}", f"  maps and numbers: {folder}"])
