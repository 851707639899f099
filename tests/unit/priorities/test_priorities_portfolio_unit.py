from dataclasses import replace

import numpy as np
import pytest

from rtm_pipeline.errors import ConfigError
from rtm_pipeline.priorities.benefit import Kind, benefit_model, simulate
from rtm_pipeline.priorities.effects.evidence import load_registry
from rtm_pipeline.priorities.outcome import CellForecast
from rtm_pipeline.priorities.portfolio.bound import expansion
from rtm_pipeline.priorities.portfolio.candidates import make_candidates
from rtm_pipeline.priorities.portfolio.funding import funding_uncertainty
from rtm_pipeline.priorities.portfolio.greedy import greedy
from rtm_pipeline.priorities.portfolio.limits import make_limits
from rtm_pipeline.priorities.portfolio.portfolio import choose, frontier, own_gains
from rtm_pipeline.priorities.sites import make_sites
from rtm_pipeline.priorities.spec import BudgetSpec, BundleSpec, InterventionSpec, PrioritySpec, ShareSpec

QUADRANTS = ["sw", "se", "nw", "ne"]


@pytest.fixture
def city(make_city, kinds):
    grid, sites, forecast = make_city(300, 120, 7, size=24)
    return grid, benefit_model(grid, sites, forecast, kinds)


def solve(model, budget):
    items, limits = make_candidates(model, budget), make_limits(model, budget, districts=QUADRANTS)
    return items, limits, choose(model, items, limits)


def test_gap_is_small_on_a_city_of_hundreds(city):
    _, model = city
    _, _, portfolio = solve(model, BudgetSpec(usd=100_000.0))
    assert portfolio.gap < 0.01
    assert portfolio.spent > 97_000
    assert portfolio.gains.sum() == pytest.approx(simulate(model, portfolio.site, portfolio.kind).prevented)


def test_gap_is_small_with_every_kind_of_limit(city):
    _, model = city
    budget = BudgetSpec(
        usd=150_000.0,
        shares=(ShareSpec("district", "sw", 0.3, 0.5), ShareSpec("district", "ne", 0.0, 0.1)),
        crew_days={"greening": 30.0, "repair": 25.0},
        bundles=BundleSpec(side_u=1000.0, discount=0.1, min_sites=3),
        must=("s0003", "s0400"),
        must_not=("s0001",),
    )
    items, _, portfolio = solve(model, budget)
    assert portfolio.gap < 0.02
    assert portfolio.unmet == ()
    days = np.bincount(items.kind[portfolio.items], weights=items.days[portfolio.items], minlength=4)
    assert days[0] <= 30
    assert days[2] <= 25
    inside = model.sites.district[portfolio.site] == 0
    assert 0.3 * 150_000 <= portfolio.site_cost[inside].sum() <= 0.5 * 150_000
    assert portfolio.site_cost[model.sites.district[portfolio.site] == 3].sum() <= 15_000
    assert {"s0003", "s0400"} <= set(model.sites.site_id[portfolio.site])
    assert "s0001" not in model.sites.site_id[portfolio.site]


def test_bundles_are_taken_where_they_save_money(city):
    _, model = city
    plain = solve(model, BudgetSpec(usd=60_000.0))[2]
    items, _, cheap = solve(model, BudgetSpec(usd=60_000.0, bundles=BundleSpec(1500.0, discount=0.5, min_sites=2)))
    bundled = cheap.items >= items.n_single
    assert bundled.any()
    assert cheap.prevented > plain.prevented
    b = int(cheap.items[bundled][0])
    members = items.expand(cheap.items[bundled][:1])[0]
    alone = members.size * model.kinds[items.kind[b]].cost_usd
    assert items.cost[b] == pytest.approx(alone / 2)
    assert np.unique(model.sites.district[members]).size == 1


def test_the_choice_does_not_depend_on_the_order_of_rows(make_city, kinds):
    grid, sites, forecast = make_city(80, 40, 3)
    model = benefit_model(grid, sites, forecast, kinds)
    order = np.random.default_rng(0).permutation(len(sites))
    again = make_sites(
        sites.site_id[order], sites.x[order], sites.y[order], sites.target[order], district=sites.district[order]
    )
    other = benefit_model(grid, again, forecast, kinds)
    one = solve(model, BudgetSpec(usd=50_000.0))[2]
    two = solve(other, BudgetSpec(usd=50_000.0))[2]
    assert model.sites.site_id[one.site].tolist() == other.sites.site_id[two.site].tolist()
    assert one.prevented == two.prevented


def test_required_sites_that_do_not_fit_are_named(city):
    _, model = city
    with pytest.raises(ConfigError, match=r"do not fit: .* such as s"):
        solve(model, BudgetSpec(usd=4_000.0, must=("s0000", "s0001", "s0400")))
    with pytest.raises(ConfigError, match="not in the inventory: nowhere"):
        solve(model, BudgetSpec(usd=4_000.0, must=("nowhere",)))


def test_required_sites_fall_back_on_the_cheapest_work(city):
    _, model = city
    # demolition is worth less per USD, greening cheaper than mowing: 2 x 2,140 fit, one mowing and one greening don't
    _, _, portfolio = solve(model, BudgetSpec(usd=4_300.0, must=("s0000", "s0001")))
    assert set(model.sites.site_id[portfolio.site]) == {"s0000", "s0001"}


def test_an_unknown_area_and_no_costs_are_clear_errors(city, make_city):
    _, model = city
    with pytest.raises(ConfigError, match="the city has: sw, se"):
        solve(model, BudgetSpec(usd=1000.0, shares=(ShareSpec("district", "west", 0.1),)))
    grid, sites, forecast = make_city(0, 5, 1)
    unpriced = benefit_model(grid, sites, forecast, [Kind("repair", 1, "x", 0.1, 500.0, None)])
    with pytest.raises(ConfigError, match="no kind of work has a known cost"):
        solve(unpriced, BudgetSpec(usd=1000.0))


def test_minimum_shares_that_no_site_can_fill_are_reported(make_city, kinds):
    grid, sites, forecast = make_city(20, 0, 5)
    only = sites.with_exclusions([("elsewhere", sites.district == 0, True)])
    model = benefit_model(grid, only, forecast, kinds)
    _, _, portfolio = solve(model, BudgetSpec(usd=20_000.0, shares=(ShareSpec("district", "sw", 0.5),)))
    assert portfolio.unmet == ("district sw",)
    assert portfolio.prevented > 0


def test_expansion_lies_above_every_choice(city):
    """The second linear bound: at least the benefit, for random choices within one site one work."""
    _, model = city
    items, _, portfolio = solve(model, BudgetSpec(usd=100_000.0, bundles=BundleSpec(1000.0)))
    constant, coefficient = expansion(model, items, portfolio.items, portfolio.prevented)
    assert constant + coefficient[portfolio.items].sum() == pytest.approx(portfolio.prevented)
    rng = np.random.default_rng(0)
    for _ in range(40):
        pick = rng.permutation(len(items))[: rng.integers(1, 200)]
        taken, chosen = set(), []
        for item in pick:
            mine = set(items.expand(np.array([item]))[0].tolist())
            if not mine & taken:
                taken |= mine
                chosen.append(item)
        site, kind, _ = items.expand(np.array(chosen))
        value = simulate(model, site, kind).prevented
        assert value <= constant + coefficient[chosen].sum() + 1e-9
        assert value <= own_gains(items, model.own_benefit())[chosen].sum() + 1e-9


def test_frontier_rises_and_flattens(city):
    _, model = city
    items, limits, portfolio = solve(model, BudgetSpec(usd=100_000.0))
    line = frontier(model, items, limits)
    assert (np.diff(line.prevented) >= 0).all()
    assert line.prevented[line.budget == 100_000.0][0] == pytest.approx(portfolio.prevented, rel=0.01)
    assert line.next_per_10k[0] > line.next_per_10k[-2]
    assert np.isnan(line.next_per_10k[-1])


def test_frontier_leaves_out_budgets_below_the_required_sites(city):
    _, model = city
    budget = BudgetSpec(usd=30_000.0, must=("s0000", "s0001"))
    line = frontier(model, make_candidates(model, budget), make_limits(model, budget), multiples=(0.05, 1.0))
    assert line.budget.tolist() == [30_000.0]


def test_probability_of_funding_follows_the_uncertainty(make_city, kinds):
    grid, sites, forecast = make_city(200, 80, 11)
    model = benefit_model(grid, sites, forecast, kinds)
    action = np.where(sites.target == 0, 0, 2).astype(np.int64)
    items, limits, portfolio = solve(model, BudgetSpec(usd=60_000.0))
    registry = load_registry()
    some = funding_uncertainty(
        model, registry, action, items=items, limits=limits, portfolio=portfolio, draws=60, seed=1
    )
    again = funding_uncertainty(
        model, registry, action, items=items, limits=limits, portfolio=portfolio, draws=60, seed=1
    )
    assert np.array_equal(some.funded_probability, again.funded_probability)
    funded = np.zeros(len(sites), bool)
    funded[portfolio.site] = True
    assert some.funded_probability[funded].mean() > 2 * some.funded_probability[~funded].mean()
    assert some.total_low < portfolio.prevented < some.total_high
    own = model.own_benefit()[np.arange(len(sites)), action]
    assert (some.low <= own + 1e-12).mean() > 0.95
    assert (some.high >= own - 1e-12).mean() > 0.95


def test_without_spread_the_funded_set_is_certain(make_city):
    grid, sites, forecast = make_city(60, 0, 2)
    sure = CellForecast("firearm", forecast.expected)
    registry = load_registry(
        {"effects": {"greening_shootings": {"relative_change": -0.068, "low": -0.0680001, "high": -0.0679999}}}
    )
    model = benefit_model(grid, sites, sure, [Kind("greening", 0, "greening_shootings", 0.068, 500.0, 2140.0)])
    items, limits, portfolio = solve(model, BudgetSpec(usd=20_000.0))
    found = funding_uncertainty(
        model, registry, np.zeros(60, np.int64), items=items, limits=limits, portfolio=portfolio, draws=20
    )
    assert set(np.unique(found.funded_probability)) == {0.0, 1.0}
    assert (found.funded_probability[portfolio.site] == 1.0).all()


def test_without_a_budget_only_intervals_are_drawn(make_city, kinds):
    grid, sites, forecast = make_city(30, 5, 2)
    model = benefit_model(grid, sites, forecast, kinds)
    action = np.full(35, -1, np.int64)
    action[:10] = 0
    found = funding_uncertainty(model, load_registry(), action, draws=20)
    assert np.isnan(found.funded_probability).all()
    assert np.isfinite(found.low[:10]).all()
    assert np.isnan(found.low[10:]).all()
    assert np.isnan(found.total_low)


def test_the_exact_program_mends_what_the_greedy_can_not_fill(grid):
    """10,000 USD must all go to one district: greedy takes 6,000 and is stuck, two sites of 5,000 fill it."""
    cell = 200
    sites = make_sites(
        ["a", "b", "c"],
        grid.center_x_u[cell].repeat(3),
        grid.center_y_u[cell].repeat(3),
        np.array([0, 1, 1], np.int8),
        district=np.zeros(3, np.int32),
    )
    kinds = [Kind("greening", 0, "x", 0.3, 500.0, 6000.0), Kind("repair", 1, "y", 0.1, 500.0, 5000.0)]
    model = benefit_model(grid, sites, CellForecast("firearm", np.ones(grid.n_cells)), kinds)
    budget = BudgetSpec(usd=10_000.0, shares=(ShareSpec("district", "sw", 1.0),))
    _, _, portfolio = solve(model, budget)
    assert portfolio.unmet == ()
    assert model.sites.site_id[portfolio.site].tolist() == ["b", "c"]
    assert "exact program" in portfolio.rule


def test_a_budget_too_small_for_anything_buys_nothing(city):
    _, model = city
    _, _, portfolio = solve(model, BudgetSpec(usd=100.0))
    assert portfolio.site.size == 0
    assert portfolio.prevented == 0.0
    assert portfolio.bound > 0  # fractions could be bought: the gap is published as found
    assert portfolio.gap == pytest.approx(1.0)


def test_the_shortcut_for_the_plain_case_takes_what_the_full_pass_takes(make_city, kinds):
    """An unfillable minimum of one dollar forces the full pass; the choice must be the same, item by item."""
    grid, sites, forecast = make_city(4000, 1500, 5, size=40)
    model = benefit_model(grid, sites, forecast, kinds)
    budget = BudgetSpec(usd=200_000.0)
    items = make_candidates(model, budget)
    own = own_gains(items, model.own_benefit())
    plain = make_limits(model, budget, districts=[*QUADRANTS, "empty"])
    full = make_limits(
        model, replace(budget, shares=(ShareSpec("district", "empty", 1e-5),)), districts=[*QUADRANTS, "empty"]
    )
    one, two = greedy(model, items, plain, own), greedy(model, items, full, own)
    assert two.unmet == ((0, 4),)
    assert one.items.tolist() == two.items.tolist()
    assert one.gains.tolist() == two.gains.tolist()
    assert one.items.size > 60


def test_crew_days_without_days_a_site_would_limit_nothing():
    kind = InterventionSpec("mowing", "lot", "mowing_shootings", 500.0)
    budget = BudgetSpec(usd=1e5, crew_days={"mowing": 20.0})
    with pytest.raises(ConfigError, match=r"limits mowing, but not how many a site takes.*programs.work.mowing"):
        PrioritySpec((kind,), budget=budget)
    assert PrioritySpec((replace(kind, crew_days=0.5),), budget=budget).budget == budget
