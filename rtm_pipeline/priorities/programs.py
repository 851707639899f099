"""From surface to work, in one call: rank every site, fund within the budget, roll up, award grants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rtm_pipeline.errors import ConfigError
from rtm_pipeline.priorities.benefit import BenefitModel, benefit_model, make_kinds
from rtm_pipeline.priorities.columns import FRONTIER, build_table
from rtm_pipeline.priorities.effects.registry import Registry
from rtm_pipeline.priorities.grants import grant_offers, grants_table
from rtm_pipeline.priorities.inputs import PriorityInputs
from rtm_pipeline.priorities.neighborhoods import Areas, area_table, district_of_neighborhood
from rtm_pipeline.priorities.outcome import subset_forecast
from rtm_pipeline.priorities.portfolio.candidates import Candidates, make_candidates
from rtm_pipeline.priorities.portfolio.funding import Uncertainty, funding_uncertainty
from rtm_pipeline.priorities.portfolio.limits import Limits, make_limits
from rtm_pipeline.priorities.portfolio.portfolio import Frontier, Portfolio, choose, frontier
from rtm_pipeline.priorities.portfolio.ranking import SiteValues, alternatives, site_values
from rtm_pipeline.priorities.reach import areas_at
from rtm_pipeline.priorities.scenarios import radius_benefits
from rtm_pipeline.priorities.site_tables import SiteFacts, site_table
from rtm_pipeline.priorities.sites import TARGETS
from rtm_pipeline.priorities.spec import PrioritySpec
from rtm_pipeline.priorities.summary import summarize
from rtm_pipeline.priorities.why import around_sites, points_within, words

__all__ = ["PriorityInputs", "PriorityResult", "prioritize"]


@dataclass(frozen=True, slots=True)
class PriorityResult:
    """Tables as documented in `columns`, and what stands behind them.

    Attributes
    ----------
    lots, buildings, neighborhoods, districts : pyarrow.Table
    grants, frontier : pyarrow.Table or None
        None where not configured, or where no benefit can be computed.
    model : BenefitModel
        For what-ifs; without a benefit its forecast is the whole outcome's.
    values : SiteValues
    portfolio : Portfolio or None
    uncertainty : Uncertainty or None
    summary : mapping
        Plain JSON values for cards, reports and logs.
    """

    lots: pa.Table
    buildings: pa.Table
    neighborhoods: pa.Table
    districts: pa.Table
    grants: pa.Table | None
    frontier: pa.Table | None
    model: BenefitModel
    values: SiteValues
    portfolio: Portfolio | None
    uncertainty: Uncertainty | None
    summary: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class _Funding:
    """The funded set and what it was chosen from."""

    items: Candidates
    limits: Limits
    portfolio: Portfolio
    frontier: Frontier


def prioritize(inputs: PriorityInputs, spec: PrioritySpec, registry: Registry) -> PriorityResult:
    """Rank all sites, fund within the budget, roll up by neighborhood and district, award grants.

    Where the outcome has no part that the evidence reads, and none is assumed, benefits are null with the reason and
    sites rank by forecast; nothing is funded then.

    Parameters
    ----------
    inputs : PriorityInputs
    spec : PrioritySpec
    registry : Registry

    Returns
    -------
    PriorityResult
    """
    horizon = spec.budget.horizon_years if spec.budget is not None else 3.0
    read, note = subset_forecast(
        inputs.forecast,
        spec.outcome,
        shares=inputs.shares,
        neighborhood=inputs.neighborhood_of_cell,
        assumed_share=inputs.assumed_share,
        outcome_is=inputs.outcome_is,
    )
    kinds, left_out = make_kinds(spec.interventions, registry, outcome=spec.outcome, horizon_years=horizon)
    if not kinds:
        raise ConfigError(f"No intervention has evidence on {spec.outcome}: {left_out}.")
    told = read is not None
    model = benefit_model(inputs.grid, inputs.sites, read if read is not None else inputs.forecast, kinds)
    funding = _fund(model, inputs, spec) if told else None
    portfolio = funding.portfolio if funding is not None else None
    values = site_values(model, inputs.forecast.expected, horizon, portfolio=portfolio, with_benefit=told)
    uncertainty = _uncertainty(model, registry, values, spec, funding) if told and spec.draws else None
    facts, radii = _facts(inputs, spec, model, values, portfolio, note, told)
    tables = {
        target: site_table(
            target,
            model,
            values,
            facts,
            items=funding.items if funding is not None else None,
            portfolio=portfolio,
            uncertainty=uncertainty,
        )
        for target in TARGETS
    }
    home = district_of_neighborhood(inputs.neighborhood_of_cell, inputs.district_of_cell, len(inputs.neighborhoods))
    grants = _grants(model, inputs, spec, horizon, portfolio, home) if told and spec.grants is not None else None
    return PriorityResult(
        lots=tables["lot"],
        buildings=tables["building"],
        neighborhoods=_areas(inputs, model, values, portfolio, told, grants, home),
        districts=_areas(inputs, model, values, portfolio, told, None, None),
        grants=grants,
        frontier=_frontier_table(funding.frontier) if funding is not None else None,
        model=model,
        values=values,
        portfolio=portfolio,
        uncertainty=uncertainty,
        summary=summarize(inputs, spec, registry, model, left_out, note, told, portfolio, uncertainty, radii),
    )


def _fund(model: BenefitModel, inputs: PriorityInputs, spec: PrioritySpec) -> _Funding | None:
    if spec.budget is None:
        return None
    items = make_candidates(model, spec.budget)
    _check_enough(model, items, spec.budget.usd)
    limits = make_limits(model, spec.budget, districts=inputs.districts, neighborhoods=inputs.neighborhoods)
    return _Funding(items, limits, choose(model, items, limits), frontier(model, items, limits))


def _check_enough(model: BenefitModel, items: Candidates, usd: float) -> None:
    """Refuse a budget that is a slip: one that pays for no site at all."""
    if len(items) == 0:
        return
    cheapest = int(np.argmin(items.cost))
    if items.cost[cheapest] > usd:
        raise ConfigError(
            f"programs.budget.usd: {usd:,.0f} USD pay for no site; the cheapest work, "
            f"{model.kinds[int(items.kind[cheapest])].words}, costs {items.cost[cheapest]:,.0f} USD over the horizon. "
            "Raise the budget, or leave it out to rank without funding."
        )


def _uncertainty(
    model: BenefitModel, registry: Registry, values: SiteValues, spec: PrioritySpec, funding: _Funding | None
) -> Uncertainty:
    return funding_uncertainty(
        model,
        registry,
        values.action,
        items=funding.items if funding is not None else None,
        limits=funding.limits if funding is not None else None,
        portfolio=funding.portfolio if funding is not None else None,
        draws=spec.draws,
        level=spec.level,
        seed=spec.seed,
    )


def _facts(
    inputs: PriorityInputs,
    spec: PrioritySpec,
    model: BenefitModel,
    values: SiteValues,
    portfolio: Portfolio | None,
    note: str,
    told: bool,
) -> tuple[SiteFacts, dict[str, float]]:
    """What the tables say beside the values, and the funded set's benefit at other radii."""
    n = len(model.sites)
    why, nearby, similar = _surroundings(inputs, model, values.action)
    site = portfolio.site if portfolio is not None else np.empty(0, dtype=np.int64)
    kind = portfolio.kind if portfolio is not None else np.empty(0, dtype=np.int64)
    by_factor: dict[float, NDArray[np.float64]] = {}
    totals: dict[str, float] = {}
    for factor in spec.radii if told else ():
        by_factor[factor], total = radius_benefits(inputs.grid, model, factor, values.action, site, kind)
        if portfolio is not None:
            totals[f"{factor:g}"] = total
    nothing = np.full(n, np.nan)
    facts = SiteFacts(
        why=why,
        nearby_311=nearby,
        similar_nearby=similar,
        half_radius=by_factor.get(0.5, nothing),
        double_radius=by_factor.get(2.0, nothing),
        neighborhoods=inputs.neighborhoods,
        districts=inputs.districts,
        benefit_note=note,
        alternative=alternatives(model, values.action) if told else [""] * n,
    )
    return facts, totals


def _surroundings(
    inputs: PriorityInputs, model: BenefitModel, action: NDArray[np.int64]
) -> tuple[list[str], NDArray[np.int64], NDArray[np.int64]]:
    """Reasons, nearby requests and sites of the same target, within the radius of each site's recommended work."""
    n, sites = len(model.sites), model.sites
    why, nearby, similar = [""] * n, np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    radius_of = np.array([*model.reach_of_kind, -1], dtype=np.int64)[action]
    for at, near in enumerate(model.reaches):
        mine = np.flatnonzero(radius_of == at)
        x, y = sites.x[mine], sites.y[mine]
        nearby[mine] = points_within(x, y, inputs.request_x, inputs.request_y, near.radius_u)
        for target in range(len(TARGETS)):
            alike, stand = mine[sites.target[mine] == target], sites.eligible & (sites.target == target)
            similar[alike] = points_within(
                sites.x[alike], sites.y[alike], sites.x[stand], sites.y[stand], near.radius_u
            )
        if inputs.contributions is not None:
            phrases = words(*around_sites(inputs.contributions, near, inputs.forecast.expected))
            for site in mine.tolist():
                why[site] = phrases[site]
    return why, nearby, similar


def _grants(
    model: BenefitModel,
    inputs: PriorityInputs,
    spec: PrioritySpec,
    horizon: float,
    portfolio: Portfolio | None,
    home: NDArray[np.int32],
) -> pa.Table | None:
    if spec.grants is None:
        return None
    offers = grant_offers(
        model,
        spec.grants,
        len(inputs.neighborhoods),
        horizon_years=horizon,
        funded=portfolio,
        must_not=spec.budget.must_not if spec.budget is not None else (),
    )
    return grants_table(model, offers, spec.grants, inputs.neighborhoods, inputs.districts, home, inputs.poverty)


def _areas(
    inputs: PriorityInputs,
    model: BenefitModel,
    values: SiteValues,
    portfolio: Portfolio | None,
    told: bool,
    grants: pa.Table | None,
    home: NDArray[np.int32] | None,
) -> pa.Table:
    """Neighborhoods where the home district of each is given, else districts."""
    by_neighborhood = home is not None
    of_cell = inputs.neighborhood_of_cell if by_neighborhood else inputs.district_of_cell
    names = inputs.neighborhoods if by_neighborhood else inputs.districts
    where = areas_at(inputs.grid, of_cell, inputs.open_x, inputs.open_y)
    rank: list[int | None] | None = None
    if grants is not None:
        found = dict(zip(grants.column("neighborhood").to_pylist(), grants.column("rank").to_pylist(), strict=True))
        rank = [found.get(name) for name in names]
    areas = Areas(
        level="neighborhood" if by_neighborhood else "district",
        names=names,
        of_cell=of_cell,
        of_site=model.sites.neighborhood if by_neighborhood else model.sites.district,
        open_311=np.bincount(where[where >= 0], minlength=len(names)).astype(np.int64),
    )
    return area_table(
        inputs.grid,
        areas,
        model,
        values,
        inputs.forecast.expected,
        districts=inputs.districts,
        district=home,
        risk=inputs.risk,
        contributions=inputs.contributions,
        portfolio=portfolio,
        with_benefit=told,
        grant_rank=rank,
    )


def _frontier_table(line: Frontier) -> pa.Table:
    return build_table(
        FRONTIER,
        {
            "budget_usd": line.budget,
            "spent_usd": line.spent,
            "expected_prevented": line.prevented,
            "sites": line.n_sites,
            "next_per_10k_usd": line.next_per_10k,
        },
    )
