"""What the work comes to, as plain JSON values for the model card, the report and the log."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.priorities.benefit import BenefitModel, Kind
from rtm_pipeline.priorities.effects.draws import reduction_interval
from rtm_pipeline.priorities.effects.registry import Registry
from rtm_pipeline.priorities.grants import describe_work, poverty_third
from rtm_pipeline.priorities.inputs import PriorityInputs
from rtm_pipeline.priorities.portfolio.funding import Uncertainty
from rtm_pipeline.priorities.portfolio.portfolio import Portfolio
from rtm_pipeline.priorities.scenarios import optimistic_scenarios, plain_unit_benefit
from rtm_pipeline.priorities.sites import TARGETS
from rtm_pipeline.priorities.spec import BudgetSpec, PrioritySpec

__all__ = ["summarize"]


def summarize(
    inputs: PriorityInputs,
    spec: PrioritySpec,
    registry: Registry,
    model: BenefitModel,
    left_out: Mapping[str, str],
    note: str,
    told: bool,
    portfolio: Portfolio | None,
    uncertainty: Uncertainty | None,
    radii: Mapping[str, float],
) -> dict[str, object]:
    """Counts, evidence, costs, and the funded set with its interval, bound, gap, other radii and scenarios."""
    sites = inputs.sites
    return {
        "outcome": spec.outcome,
        "benefit_note": note,
        "with_benefit": told,
        "assumed_share": inputs.assumed_share if inputs.shares is None else None,
        "sites": {
            target: {
                "standing": int((sites.eligible & (sites.target == code)).sum()),
                "selectable": int((sites.selectable & (sites.target == code)).sum()),
            }
            for code, target in enumerate(TARGETS)
        },
        "excluded": dict(sites.excluded),
        "work": [_kind_row(kind, registry, spec.level) for kind in model.kinds],
        "left_out": dict(left_out),
        "doubts": list(inputs.doubts),
        "portfolio": None
        if portfolio is None or spec.budget is None
        else {
            **_funded(spec.budget, model, portfolio),
            "prevented_low": None if uncertainty is None else uncertainty.total_low,
            "prevented_high": None if uncertainty is None else uncertainty.total_high,
            "level": spec.level,
            "draws": spec.draws,
            "prevented_at_radius": dict(radii),
            "prevented_plain_unit": plain_unit_benefit(inputs.grid, model, portfolio.site, portfolio.kind),
            "scenarios": _scenarios(inputs, registry, model, portfolio),
        },
    }


def _funded(budget: BudgetSpec, model: BenefitModel, portfolio: Portfolio) -> dict[str, object]:
    count = np.bincount(portfolio.kind, minlength=len(model.kinds))
    return {
        "budget_usd": budget.usd,
        "horizon_years": budget.horizon_years,
        "spent_usd": portfolio.spent,
        "sites": {kind.name: int(count[k]) for k, kind in enumerate(model.kinds)},
        "work": describe_work(portfolio.kind, model.kinds),
        "owners": _counts(model.sites.owner[portfolio.site]),
        "statuses": _counts(model.sites.status[portfolio.site]),
        "expected": float(model.forecast.expected.sum()),
        "prevented": portfolio.prevented,
        "bound": portfolio.bound,
        "gap": portfolio.gap,
        "rule": portfolio.rule,
        "unmet_minimum_shares": list(portfolio.unmet),
    }


def _counts(values: NDArray[np.str_]) -> dict[str, int]:
    """How often each value occurs, the most frequent first."""
    found, count = np.unique(values, return_counts=True)
    order = np.argsort(-count, kind="stable")
    return dict(zip(found[order].tolist(), count[order].tolist(), strict=True))


def _scenarios(
    inputs: PriorityInputs, registry: Registry, model: BenefitModel, portfolio: Portfolio
) -> list[dict[str, object]]:
    poor = poverty_third(inputs.poverty)
    of_cell = inputs.neighborhood_of_cell
    poor_cells = None if poor is None else (of_cell >= 0) & poor[of_cell]
    return optimistic_scenarios(model, registry, portfolio.site, portfolio.kind, poor_cells=poor_cells)


def _kind_row(kind: Kind, registry: Registry, level: float) -> dict[str, object]:
    """One kind of work with the evidence behind it, for captions."""
    effect, price = registry.effect(kind.effect), registry.costs.get(kind.cost_key or "")
    low, high = reduction_interval(registry, kind.effect, level=level)
    return {
        "name": kind.name,
        "label": kind.words,
        "target": TARGETS[kind.target],
        "effect_key": kind.effect,
        "study": registry.study(kind.effect),
        "source": effect.source,
        "reduction": kind.reduction,
        "reduction_low": low,
        "reduction_high": high,
        "radius_u": kind.radius_u,
        "cost_usd": kind.cost_usd,
        "cost_basis": kind.cost_basis,
        "cost_source": "" if price is None else price.source,
        "cost_note": "" if price is None else price.note,
    }
