"""Grants to neighborhoods: what a small sum would prevent in each, and a rule that spreads them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rtm_pipeline.errors import ConfigError
from rtm_pipeline.priorities.benefit import BenefitModel, Kind
from rtm_pipeline.priorities.columns import GRANTS, build_table
from rtm_pipeline.priorities.portfolio.candidates import Candidates, make_candidates
from rtm_pipeline.priorities.portfolio.greedy import greedy
from rtm_pipeline.priorities.portfolio.limits import make_limits
from rtm_pipeline.priorities.portfolio.portfolio import Portfolio, own_gains
from rtm_pipeline.priorities.sites import TARGETS
from rtm_pipeline.priorities.spec import BudgetSpec, GrantSpec

__all__ = ["Award", "award_grants", "grant_offers", "grants_table", "poverty_third"]


@dataclass(frozen=True, slots=True)
class Award:
    """What a grant would do in one neighborhood.

    Attributes
    ----------
    neighborhood : int
    usd : float
    sites, kinds : ndarray of int64, shape (s,)
    prevented : float
        Incidents a year.
    per_10k : float
        Prevented over the horizon per 10,000 USD; 0 where nothing can be done.
    """

    neighborhood: int
    usd: float
    sites: NDArray[np.int64]
    kinds: NDArray[np.int64]
    prevented: float
    per_10k: float


def grant_offers(
    model: BenefitModel,
    spec: GrantSpec,
    n_neighborhoods: int,
    *,
    horizon_years: float,
    funded: Portfolio | None = None,
    must_not: Sequence[str] = (),
) -> list[Award]:
    """The best that one grant can do in each neighborhood, on top of what the budget funds.

    Parameters
    ----------
    model : BenefitModel
    spec : GrantSpec
    n_neighborhoods : int
    horizon_years : float
        Years of prevented incidents that value for money counts, as in the costs of ``model``.
    funded : Portfolio, optional
        Its sites are taken, and its work counts as done.
    must_not : sequence of str
        Ids of sites that may not be chosen.
    """
    share = model.treated_share(funded.site, funded.kind) if funded is not None else np.zeros_like(model.weight)
    budget = BudgetSpec(usd=spec.max_usd, horizon_years=horizon_years, must_not=tuple(must_not))
    items = make_candidates(model, budget)
    site = items.site_idx[items.site_ptr[:-1]]
    allowed = np.ones(len(items), dtype=bool)
    if spec.interventions:
        allowed &= np.isin(items.kind, [k for k, kind in enumerate(model.kinds) if kind.name in spec.interventions])
    if funded is not None:
        allowed &= ~np.isin(site, funded.site)
    # one more area than there are: sites without a neighborhood are offered to nobody
    area = model.sites.neighborhood[site]
    limits = replace(make_limits(model, budget), budget=spec.max_usd)
    own = own_gains(items, model.own_benefit())
    offers = []
    for neighborhood in range(n_neighborhoods):
        part = _only(items, allowed & (area == neighborhood))
        choice = greedy(model, part, limits, own[allowed & (area == neighborhood)], share=share)
        usd = float(part.cost[choice.items].sum())
        treated, kinds, _ = part.expand(choice.items)
        value = choice.prevented * horizon_years * 10_000.0 / usd if usd > 0 else 0.0
        offers.append(Award(neighborhood, usd, treated, kinds, choice.prevented, value))
    return offers


def _only(items: Candidates, mask: NDArray[np.bool_]) -> Candidates:
    """Some single sites of the candidates."""
    at = np.flatnonzero(mask)
    return replace(
        items,
        kind=items.kind[at],
        row=items.row[at],
        cost=items.cost[at],
        days=items.days[at],
        area=items.area[:, at],
        site_ptr=np.arange(at.size + 1, dtype=np.int64),
        site_idx=items.site_idx[items.site_ptr[at]],
        n_single=int(at.size),
        block=items.block[at],
    )


def poverty_third(poverty: NDArray[np.float64] | None) -> NDArray[np.bool_] | None:
    """The third (rounded up) of the neighborhoods with the most poverty, ties included; None where it is not known."""
    if poverty is None or not np.isfinite(poverty).any():
        return None
    known = np.sort(poverty[np.isfinite(poverty)])[::-1]
    return np.asarray(np.nan_to_num(poverty, nan=-np.inf) >= known[math.ceil(known.size / 3) - 1])


def award_grants(
    offers: Sequence[Award],
    spec: GrantSpec,
    district: NDArray[np.int32],
    poor: NDArray[np.bool_] | None,
) -> tuple[list[int], list[str]]:
    """Apply the rule: first the poorest third's part by value for money, then the rest, within districts' limits.

    Parameters
    ----------
    offers : sequence of Award
        One per neighborhood, in order.
    spec : GrantSpec
    district : ndarray of int32, shape (a,)
        District of each neighborhood; -1: none (not limited).
    poor : ndarray of bool, shape (a,), optional

    Returns
    -------
    awarded : list of int
        Neighborhoods by value for money.
    reasons : list of str
        One per neighborhood.
    """
    ranking = [award.neighborhood for award in sorted(offers, key=lambda award: (-award.per_10k, award.neighborhood))]
    reasons = ["" for _ in offers]
    taken: list[int] = []
    used: dict[int, int] = {}

    def give(candidates: list[int], count: int, why: str) -> None:
        for at in candidates:
            if len(taken) >= count:
                break
            home = int(district[at])
            if at in taken or offers[at].prevented <= 0 or offers[at].usd < spec.min_usd:
                continue
            if home >= 0 and used.get(home, 0) >= spec.max_per_district:
                reasons[at] = f"its district has {spec.max_per_district} grants already"
                continue
            taken.append(at)
            used[home] = used.get(home, 0) + 1
            reasons[at] = why

    least = math.ceil(spec.count * spec.poverty_share) if poor is not None else 0
    if poor is not None and least:
        give([at for at in ranking if poor[at]], least, "value for money within the poorest third")
        missing = least - len(taken)
        cap = spec.count - missing  # a place that the poorest third can't fill is not given to others
    else:
        cap = spec.count
    give(ranking, cap, "value for money")
    for at, award in enumerate(offers):
        if award.prevented <= 0:
            reasons[at] = "nothing can be done there within the grant"
        elif award.usd < spec.min_usd:
            reasons[at] = f"what can be done there costs less than the least grant ({spec.min_usd:,.0f} USD)"
        reasons[at] = reasons[at] or "others come first"
    return sorted(taken, key=ranking.index), reasons


def grants_table(
    model: BenefitModel,
    offers: Sequence[Award],
    spec: GrantSpec,
    neighborhoods: Sequence[str],
    districts: Sequence[str],
    district: NDArray[np.int32],
    poverty: NDArray[np.float64] | None,
) -> pa.Table:
    """All neighborhoods with their offer, the rank under the rule and without it; best offers first."""
    if len(offers) != len(neighborhoods):
        raise ConfigError(f"There are {len(offers)} offers for {len(neighborhoods)} neighborhoods.")
    poor = poverty_third(poverty)
    awarded, reasons = award_grants(offers, spec, district, poor)
    order = sorted(offers, key=lambda award: (-award.per_10k, award.neighborhood))
    at = [award.neighborhood for award in order]
    rank = {neighborhood: position + 1 for position, neighborhood in enumerate(awarded)}
    return build_table(
        GRANTS,
        {
            "neighborhood": [neighborhoods[a] for a in at],
            "district": [districts[district[a]] if district[a] >= 0 else "" for a in at],
            "rank": [rank.get(a) for a in at],
            "rank_without_rule": list(range(1, len(at) + 1)),
            "awarded": [a in rank for a in at],
            "reason": [reasons[a] for a in at],
            "award_usd": [award.usd for award in order],
            "sites": [award.sites.size for award in order],
            "work": [describe_work(award.kinds, model.kinds) for award in order],
            "expected_prevented": [award.prevented for award in order],
            "prevented_per_10k_usd": [award.per_10k for award in order],
            "poverty_rate": [float("nan") if poverty is None else float(poverty[a]) for a in at],
            "highest_poverty_third": [None if poor is None else bool(poor[a]) for a in at],
        },
    )


def describe_work(kinds: NDArray[np.int64], known: Sequence[Kind]) -> str:
    """Such as ``12 lots for mowing and clean-up, 1 building for demolition``; empty for no work."""
    count = np.bincount(kinds[kinds >= 0], minlength=len(known))
    parts = []
    for k in np.argsort(-count, kind="stable").tolist():
        if count[k]:
            sites = TARGETS[known[k].target] + ("" if count[k] == 1 else "s")
            parts.append(f"{count[k]:,} {sites} for {known[k].words}")
    return ", ".join(parts)
