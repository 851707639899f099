"""The tables priority_lots and priority_buildings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rtm_pipeline.priorities.benefit import BenefitModel
from rtm_pipeline.priorities.columns import PRIORITY_BUILDINGS, PRIORITY_LOTS, build_table
from rtm_pipeline.priorities.portfolio.candidates import Candidates
from rtm_pipeline.priorities.portfolio.funding import Uncertainty
from rtm_pipeline.priorities.portfolio.portfolio import Portfolio
from rtm_pipeline.priorities.portfolio.ranking import SiteValues, rank_sites
from rtm_pipeline.priorities.sites import TARGETS

__all__ = ["SiteFacts", "site_table"]


@dataclass(frozen=True, slots=True)
class SiteFacts:
    """What the table says about each site beside its values.

    Attributes
    ----------
    why : sequence of str, length n_sites
    nearby_311, similar_nearby : ndarray of int64, shape (n_sites,)
    half_radius, double_radius : ndarray of float64, shape (n_sites,)
        Prevented by the recommended work with half and twice the influence radius; NaN where not computed.
    neighborhoods, districts : sequence of str
        Names by index.
    benefit_note : str
    alternative : sequence of str, length n_sites
        The other kinds of work at each site, with what they would prevent and cost.
    """

    why: Sequence[str]
    nearby_311: NDArray[np.int64]
    similar_nearby: NDArray[np.int64]
    half_radius: NDArray[np.float64]
    double_radius: NDArray[np.float64]
    neighborhoods: Sequence[str]
    districts: Sequence[str]
    benefit_note: str
    alternative: Sequence[str]


def site_table(
    target: str,
    model: BenefitModel,
    values: SiteValues,
    facts: SiteFacts,
    *,
    items: Candidates | None = None,
    portfolio: Portfolio | None = None,
    uncertainty: Uncertainty | None = None,
) -> pa.Table:
    """Sites of one target that stand, best first, with the documented columns.

    Parameters
    ----------
    target : str
        ``lot`` or ``building``.
    model : BenefitModel
    values : SiteValues
    facts : SiteFacts
    items, portfolio : optional
        With a budget.
    uncertainty : Uncertainty, optional
    """
    sites = model.sites
    mine = sites.eligible & (sites.target == TARGETS.index(target))
    rank = rank_sites(values, mine, sites.selectable)
    at = np.flatnonzero(mine)
    at = at[np.argsort(rank[at], kind="stable")]
    funded = _funding(len(sites), items, portfolio)
    nothing = np.full(len(sites), np.nan)
    action = values.action[at]
    return build_table(
        PRIORITY_LOTS if target == "lot" else PRIORITY_BUILDINGS,
        {
            "site_id": sites.site_id[at],
            "address": sites.address[at],
            "rank": rank[at],
            "action": _named(action, [kind.name for kind in model.kinds], ""),
            "work": _named(action, [kind.words for kind in model.kinds], ""),
            "expected_incidents": values.incidents[at],
            "expected_incidents_read": values.incidents_read[at],
            "expected_prevented": values.prevented[at],
            "prevented_low": (uncertainty.low if uncertainty is not None else nothing)[at],
            "prevented_high": (uncertainty.high if uncertainty is not None else nothing)[at],
            "prevented_half_radius": facts.half_radius[at],
            "prevented_double_radius": facts.double_radius[at],
            "cost_usd": np.where(np.isnan(funded.cost), values.cost, funded.cost)[at],
            "cost_basis": _named(action, [kind.cost_basis for kind in model.kinds], "none found"),
            "prevented_per_10k_usd": values.per_10k[at],
            "alternative": [facts.alternative[i] for i in at.tolist()],
            "why": [facts.why[i] for i in at.tolist()],
            "nearby_311": facts.nearby_311[at],
            "similar_nearby": facts.similar_nearby[at],
            "status": sites.status[at],
            "owner_type": sites.owner[at],
            "neighborhood": _named(sites.neighborhood[at], facts.neighborhoods, ""),
            "district": _named(sites.district[at], facts.districts, ""),
            "selectable": sites.selectable[at],
            "excluded_reason": sites.reason[at],
            "funded": funded.order[at] > 0,
            "funded_order": [int(order) if order > 0 else None for order in funded.order[at]],
            "marginal_prevented": funded.gain[at],
            "bundle": [f"b{number}" if number >= 0 else "" for number in funded.bundle[at]],
            "funded_probability": (uncertainty.funded_probability if uncertainty is not None else nothing)[at],
            "effect_key": _named(action, [kind.effect for kind in model.kinds], ""),
            "outcome": [model.forecast.outcome] * at.size,
            "benefit_note": [facts.benefit_note] * at.size,
            "x": sites.x[at],
            "y": sites.y[at],
        },
    )


@dataclass(frozen=True, slots=True)
class _Funding:
    order: NDArray[np.int64]
    gain: NDArray[np.float64]
    cost: NDArray[np.float64]
    bundle: NDArray[np.int64]


def _funding(n: int, items: Candidates | None, portfolio: Portfolio | None) -> _Funding:
    """Order, marginal gain, cost and bundle of each funded site; 0, NaN, NaN and -1 for the others."""
    found = _Funding(np.zeros(n, np.int64), np.full(n, np.nan), np.full(n, np.nan), np.full(n, -1, np.int64))
    if items is None or portfolio is None:
        return found
    size = np.bincount(portfolio.item, minlength=portfolio.items.size)
    found.order[portfolio.site] = portfolio.item + 1
    found.gain[portfolio.site] = (portfolio.gains / np.maximum(size, 1))[portfolio.item]
    found.cost[portfolio.site] = portfolio.site_cost
    together = portfolio.items[portfolio.item] >= items.n_single
    found.bundle[portfolio.site[together]] = portfolio.item[together] + 1
    return found


def _named(index: NDArray[np.int64] | NDArray[np.int32], names: Sequence[str], missing: str) -> list[str]:
    return [names[i] if 0 <= i < len(names) else missing for i in index.tolist()]
