"""What else the funded set might prevent: other radii, and the optimistic rows of the evidence, labeled as such."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.grid.spec import StudyGrid
from rtm_pipeline.priorities.benefit import BenefitModel, benefit_model, scale_radius, simulate
from rtm_pipeline.priorities.effects.registry import Registry

__all__ = ["optimistic_scenarios", "plain_unit_benefit", "radius_benefits"]


def radius_benefits(
    grid: StudyGrid,
    model: BenefitModel,
    factor: float,
    action: NDArray[np.int64],
    site: NDArray[np.int64],
    kind: NDArray[np.int64],
) -> tuple[NDArray[np.float64], float]:
    """Benefits with every radius multiplied by ``factor``.

    Parameters
    ----------
    grid : StudyGrid
    model : BenefitModel
    factor : float
    action : ndarray of int64, shape (n_sites,)
        Recommended kind at each site, -1 for none.
    site, kind : ndarray of int64, shape (s,)
        The funded set.

    Returns
    -------
    own : ndarray of float64, shape (n_sites,)
        Incidents a year prevented by the recommended work at each site alone; NaN where there is none.
    total : float
        By the funded set together.
    """
    scaled = scale_radius(grid, model, factor)
    own = scaled.own_benefit()
    every = np.arange(len(model.sites))
    return np.where(action >= 0, own[every, action], np.nan), simulate(scaled, site, kind).prevented


def plain_unit_benefit(
    grid: StudyGrid, model: BenefitModel, site: NDArray[np.int64], kind: NDArray[np.int64]
) -> float | None:
    """What the funded set would prevent a year if one lone site stood for a whole cluster (``min_unit_sites`` 1).

    None where that is what the model assumes anyway.
    """
    if all(one.min_unit_sites == 1 for one in model.kinds):
        return None
    kinds = tuple(replace(one, min_unit_sites=1) for one in model.kinds)
    return simulate(benefit_model(grid, model.sites, model.forecast, kinds), site, kind).prevented


def optimistic_scenarios(
    model: BenefitModel,
    registry: Registry,
    site: NDArray[np.int64],
    kind: NDArray[np.int64],
    *,
    poor_cells: NDArray[np.bool_] | None = None,
) -> list[dict[str, object]]:
    """The funded set under each optimistic row that fits one of its kinds; never the expected benefit.

    Parameters
    ----------
    model : BenefitModel
    registry : Registry
    site, kind : ndarray of int64, shape (s,)
    poor_cells : ndarray of bool, shape (n_cells,), optional
        Cells of the neighborhoods with the most poverty: rows that were measured in poor neighborhoods count there
        only, the expected effect elsewhere; without it such rows give no number.

    Returns
    -------
    list of dict
        ``effect_key``, ``intervention``, ``label``, ``prevented`` (incidents a year, or None) and ``reason``.
    """
    rows: list[dict[str, object]] = []
    base = simulate(model, site, kind)
    for key, effect in sorted(registry.effects.items()):
        if not effect.optimistic or effect.is_mixture or effect.reads != model.forecast.outcome:
            continue
        for k, work in enumerate(model.kinds):
            if registry.effect(work.effect).intervention != effect.intervention or not (kind == k).any():
                continue
            e = model.reductions
            e[k] = -float(effect.relative_change or 0.0)
            strong = simulate(model, site, kind, reductions=e)
            row: dict[str, object] = {
                "effect_key": key,
                "intervention": work.name,
                "label": "optimistic scenario",
                "prevented": strong.prevented,
                "reason": effect.note,
            }
            if effect.applies_to is not None:
                row["reason"] = effect.applies_to
                row["prevented"] = (
                    None if poor_cells is None else float(np.where(poor_cells, strong.by_cell, base.by_cell).sum())
                )
            rows.append(row)
    return rows
