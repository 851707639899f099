"""Portfolios on small made cities: limits always hold, brute force lies within the published gap."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rtm_pipeline.errors import ConfigError
from rtm_pipeline.grid.spec import GridSpec, StudyGrid
from rtm_pipeline.priorities.benefit import Kind, benefit_model, simulate
from rtm_pipeline.priorities.outcome import CellForecast
from rtm_pipeline.priorities.portfolio.candidates import make_candidates
from rtm_pipeline.priorities.portfolio.greedy import violations
from rtm_pipeline.priorities.portfolio.limits import make_limits
from rtm_pipeline.priorities.portfolio.portfolio import choose, frontier
from rtm_pipeline.priorities.sites import make_sites
from rtm_pipeline.priorities.spec import BudgetSpec, BundleSpec, ShareSpec

SLOW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
DISTRICTS = ["d0", "d1", "d2"]


@st.composite
def problems(draw, max_sites: int, full: bool = True):
    seed = draw(st.integers(0, 10_000))
    n = draw(st.integers(2, max_sites))
    rng = np.random.default_rng(seed)
    size = 5
    spec = GridSpec("ESRI:102696", 0.3048, 250.0, 0, 0, size, size)
    cells = size * size
    grid = StudyGrid(spec, np.arange(cells, dtype=np.int32), np.ones(cells), np.zeros(cells, bool))
    x, y = rng.uniform(0, size * 250.0, (2, n))
    target = (rng.random(n) < 0.4).astype(np.int8)
    sites = make_sites(
        [f"s{i:04d}" for i in range(n)],
        x,
        y,
        target,
        district=rng.integers(-1, 3, n).astype(np.int32),
        neighborhood=rng.integers(0, 4, n).astype(np.int32),
    )
    strength = draw(st.sampled_from([0.05, 0.3]))
    kinds = [
        Kind("greening", 0, "a", strength * 0.8, 500.0, 2000.0, crew_days=2.0),
        Kind("repair", 1, "b", strength, 400.0, 3000.0, crew_days=1.0),
    ]
    if draw(st.booleans()):
        kinds.append(Kind("mowing", 0, "c", strength * 1.1, 500.0, 3500.0, crew_days=1.0))
    forecast = CellForecast("firearm", rng.gamma(0.6, 1.0, cells))
    model = benefit_model(grid, sites, forecast, kinds)
    usd = draw(st.sampled_from([3_000.0, 7_500.0, 16_000.0, 40_000.0]))
    shares, days, must, must_not, bundles = [], {}, (), (), None
    if full:
        for name in draw(st.lists(st.sampled_from(DISTRICTS), unique=True, max_size=2)):
            shares.append(ShareSpec("district", name, draw(st.sampled_from([0.0, 0.2, 0.4])), 0.6))
        if draw(st.booleans()):
            days = {"greening": float(draw(st.integers(0, 6)))}
        if draw(st.booleans()):
            bundles = BundleSpec(side_u=600.0, discount=0.2, min_sites=2)
        picks = draw(st.lists(st.integers(0, n - 1), unique=True, max_size=2))
        must_not = tuple(f"s{i:04d}" for i in picks[:1])
        must = tuple(f"s{i:04d}" for i in picks[1:])
    budget = BudgetSpec(usd=usd, shares=tuple(shares), crew_days=days, must=must, must_not=must_not, bundles=bundles)
    return model, budget


def _solve(model, budget):
    items = make_candidates(model, budget)
    limits = make_limits(model, budget, districts=DISTRICTS, neighborhoods=["n0", "n1", "n2", "n3"])
    return items, limits, choose(model, items, limits)


def _met(limits, portfolio):
    """The limits without the minimum shares that the portfolio says it could not fill."""
    for words in portfolio.unmet:
        level, name = words.split(" ", 1)
        limits = limits.without(("district", "neighborhood").index(level), DISTRICTS.index(name))
    return limits


@SLOW
@given(problems(max_sites=40))
def test_limits_always_hold_and_gains_add_up(problem):
    model, budget = problem
    try:
        items, limits, portfolio = _solve(model, budget)
    except ConfigError:
        return
    assert violations(items, _met(limits, portfolio), portfolio.items) == []
    # checked apart from the code's own checker
    assert portfolio.spent <= budget.usd + 1e-3
    assert np.unique(portfolio.site).size == portfolio.site.size
    chosen = set(model.sites.site_id[portfolio.site])
    assert set(budget.must) <= chosen
    assert not set(budget.must_not) & chosen
    for share in budget.shares:
        inside = model.sites.district[portfolio.site] == DISTRICTS.index(share.area)
        assert portfolio.site_cost[inside].sum() <= share.maximum * budget.usd + 1e-3
        if f"district {share.area}" not in portfolio.unmet:
            assert portfolio.site_cost[inside].sum() >= share.minimum * budget.usd - 1e-3
    assert portfolio.site_cost.sum() == pytest.approx(portfolio.spent)
    # the sum of marginal benefits in the order chosen is the benefit of treating them all
    together = simulate(model, portfolio.site, portfolio.kind).prevented
    assert portfolio.gains.sum() == pytest.approx(together, rel=1e-9, abs=1e-12)
    assert portfolio.prevented <= portfolio.bound * (1 + 1e-9)
    assert portfolio.gap == pytest.approx(1 - portfolio.prevented / portfolio.bound) if portfolio.bound else True


def _brute_force(model, items, limits):
    """Best benefit over all subsets of items, by the definition; None if no subset keeps the limits."""
    best = None
    for pattern in itertools.product((False, True), repeat=len(items)):
        subset = np.flatnonzero(pattern)
        if items.cost[subset].sum() > limits.budget + 1e-3 or violations(items, limits, subset):
            continue
        site, kind, _ = items.expand(subset)
        value = simulate(model, site, kind).prevented
        best = value if best is None else max(best, value)
    return best


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(problems(max_sites=9))
def test_brute_force_lies_between_portfolio_and_bound(problem):
    model, budget = problem
    try:
        items = make_candidates(model, budget)
        if len(items) > 11:
            return
        items, limits, portfolio = _solve(model, budget)
    except ConfigError as error:
        if "do not fit" in str(error):
            limits = make_limits(model, budget, districts=DISTRICTS, neighborhoods=["n0", "n1", "n2", "n3"])
            assert _brute_force(model, make_candidates(model, budget), limits) is None
        return
    best = _brute_force(model, items, _met(limits, portfolio))
    assert best is not None
    assert best <= portfolio.bound * (1 + 1e-9) + 1e-12
    assert portfolio.prevented >= (1 - portfolio.gap) * best - 1e-9
    if portfolio.unmet:  # only given up where nothing at all would do
        assert _brute_force(model, items, limits) is None


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(st.integers(0, 1000))
def test_fifteen_sites_plain_budget(seed):
    """All 2^15 subsets, vectorized through the linearity within one kind."""
    rng = np.random.default_rng(seed)
    spec = GridSpec("ESRI:102696", 0.3048, 250.0, 0, 0, 6, 6)
    grid = StudyGrid(spec, np.arange(36, dtype=np.int32), np.ones(36), np.zeros(36, bool))
    x, y = rng.uniform(0, 1500, (2, 15))
    sites = make_sites([f"s{i:02d}" for i in range(15)], x, y, np.array([0] * 8 + [1] * 7, np.int8))
    kinds = [Kind("greening", 0, "a", 0.3, 500.0, 2140.0), Kind("demolition", 1, "b", 0.4, 500.0, 5000.0)]
    model = benefit_model(grid, sites, CellForecast("firearm", rng.gamma(0.5, 1.0, 36)), kinds)
    budget = BudgetSpec(usd=17_000.0)
    items, limits, portfolio = _solve(model, budget)
    patterns = (np.arange(2**15)[:, None] >> np.arange(15)) & 1
    affordable = patterns[(patterns @ items.cost) <= limits.budget]
    left = np.ones((affordable.shape[0], 36))
    for k in (0, 1):
        near = np.zeros((15, 36))
        for i in range(15):
            if items.kind[i] == k:
                s = items.site_idx[i]
                rows = model.reach(k)
                near[i, rows.cells[rows.indptr[s] : rows.indptr[s + 1]]] = 1.0
        total = near.sum(axis=0)
        share = np.divide(affordable @ near, total, out=np.zeros_like(left), where=total > 0)
        left *= 1 - kinds[k].reduction * share
    best = ((1 - left) @ model.forecast.expected).max()
    assert best <= portfolio.bound * (1 + 1e-9)
    assert portfolio.prevented >= (1 - portfolio.gap) * best - 1e-9
    assert portfolio.prevented >= 0.97 * best


@SLOW
@given(problems(max_sites=30, full=False))
def test_more_money_never_buys_less(problem):
    model, budget = problem
    items = make_candidates(model, budget)
    if len(items) == 0:
        return
    line = frontier(model, items, make_limits(model, budget, districts=DISTRICTS), multiples=(0.5, 1.0, 2.0, 50.0))
    assert (line.spent <= line.budget + 1e-6).all()
    assert line.prevented[-1] >= line.prevented.max() * (1 - 1e-12)
    everything = frontier(model, items, make_limits(model, budget, districts=DISTRICTS), multiples=(1000.0,))
    assert everything.n_sites[0] == np.unique(items.site_idx).size
