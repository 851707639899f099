import json

import numpy as np
import pytest
from support.work import default_interventions

from rtm_pipeline.errors import ConfigError, SchemaError
from rtm_pipeline.priorities.benefit import benefit_model, simulate
from rtm_pipeline.priorities.columns import TABLES, Column, build_table
from rtm_pipeline.priorities.effects.evidence import load_registry
from rtm_pipeline.priorities.grants import Award, award_grants, grant_offers, poverty_third
from rtm_pipeline.priorities.inputs import PriorityInputs
from rtm_pipeline.priorities.neighborhoods import district_of_neighborhood
from rtm_pipeline.priorities.outcome import CellForecast, subset_shares
from rtm_pipeline.priorities.programs import prioritize
from rtm_pipeline.priorities.spec import BudgetSpec, GrantSpec, PrioritySpec
from rtm_pipeline.priorities.why import Contributions, around_sites, points_within, words

NAMES = ("South West", "South East", "North West", "North East")
REPAIR = {"costs": {"repair_unknown": {"build_usd": 2500, "upkeep_usd_per_year": 0, "source": "city contract"}}}


def inputs(make_city, seed=4, **change):
    grid, sites, forecast = make_city(150, 60, seed, size=16)
    quadrant = ((grid.cols >= 8).astype(np.int32) + 2 * (grid.rows < 8)).astype(np.int32)
    values = {
        "grid": grid,
        "sites": sites,
        "forecast": CellForecast("all", forecast.expected, shape=forecast.shape, rate=forecast.rate),
        "neighborhoods": NAMES,
        "districts": NAMES,
        "neighborhood_of_cell": quadrant,
        "district_of_cell": quadrant,
        "shares": subset_shares(np.array([30, 20, 10, 40]), np.array([50, 50, 50, 60])),
        "risk": 1.0 + forecast.expected,
        "contributions": Contributions(
            ("background", "liquor", "past_here"),
            np.stack([np.full(256, 0.5), np.full(256, 1.7), forecast.expected / 0.85 + 1e-9], axis=1),
            {"liquor": "liquor licenses"},
        ),
        "request_x": sites.x[:20],
        "request_y": sites.y[:20],
        "open_x": sites.x[:5],
        "open_y": sites.y[:5],
        "poverty": np.array([0.1, 0.4, 0.2, 0.3]),
    }
    return PriorityInputs(**{**values, **change})


def spec(registry, **change):
    values = {
        "interventions": default_interventions(registry, unit_m=0.3048006),
        "budget": BudgetSpec(usd=20_000.0),
        "grants": GrantSpec(count=3, max_usd=5_000.0, min_usd=1_000.0, max_per_district=1),
        "draws": 30,
    }
    return PrioritySpec(**{**values, **change})


def test_the_whole_way_gives_every_documented_table(make_city):
    registry = load_registry(REPAIR)
    given = inputs(make_city)
    result = prioritize(given, spec(registry), registry)
    assert result.lots.num_rows == 150
    assert result.buildings.num_rows == 60
    for name, table in {
        "priority_lots": result.lots,
        "priority_buildings": result.buildings,
        "neighborhoods": result.neighborhoods,
        "grants": result.grants,
        "frontier": result.frontier,
    }.items():
        assert table.column_names == [column.name for column in TABLES[name]]
        assert all(field.metadata[b"description"] for field in table.schema)
    lots = result.lots.to_pylist()
    assert [row["rank"] for row in lots] == list(range(1, 151))
    value = [row["prevented_per_10k_usd"] for row in lots]
    assert value == sorted(value, reverse=True)
    funded = [row for row in lots + result.buildings.to_pylist() if row["funded"]]
    assert sum(row["cost_usd"] for row in funded) == pytest.approx(result.portfolio.spent)
    assert sum(row["marginal_prevented"] for row in funded) == pytest.approx(result.portfolio.prevented)
    assert result.portfolio.spent <= 20_000
    assert all(row["prevented_low"] <= row["expected_prevented"] <= row["prevented_high"] for row in funded)
    assert all("liquor licenses x1.7" in row["why"] for row in lots)
    assert sum(row["nearby_311"] for row in lots) >= 20
    assert all(row["similar_nearby"] >= 1 for row in lots)
    first = result.values.action[np.searchsorted(result.model.sites.site_id, lots[0]["site_id"])]
    assert lots[0]["action"] == result.model.kinds[first].name
    assert lots[0]["effect_key"] == result.model.kinds[first].effect
    json.dumps(result.summary, allow_nan=False)
    assert result.summary["portfolio"]["gap"] == result.portfolio.gap
    assert set(result.summary["portfolio"]["prevented_at_radius"]) == {"0.5", "2"}


def test_areas_add_up_to_the_city(make_city):
    registry = load_registry(REPAIR)
    given = inputs(make_city)
    result = prioritize(given, spec(registry), registry)
    for table in (result.neighborhoods, result.districts):
        rows = table.to_pylist()
        assert sum(row["expected_incidents"] for row in rows) == pytest.approx(given.forecast.expected.sum())
        assert sum(row["lots"] for row in rows) == 150
        assert sum(row["buildings"] for row in rows) == 60
        assert sum(row["open_311"] for row in rows) == 5
        assert sum(row["funded_usd"] for row in rows) == pytest.approx(result.portfolio.spent)
        assert sum(row["expected_prevented"] for row in rows) == pytest.approx(result.portfolio.prevented)
        assert all(row["potential_prevented"] >= row["expected_prevented"] for row in rows)
        assert all(row["recommended_work"] for row in rows)
    mean = [row["risk_mean"] for row in result.neighborhoods.to_pylist()]
    quadrant = given.neighborhood_of_cell
    assert mean == pytest.approx([given.risk[quadrant == a].mean() for a in range(4)])
    assert result.neighborhoods.column("district").to_pylist() == list(NAMES)


def test_without_the_subset_benefits_are_null_with_the_reason_and_sites_rank_by_forecast(make_city):
    registry = load_registry(REPAIR)
    result = prioritize(inputs(make_city, shares=None), spec(registry), registry)
    rows = result.lots.to_pylist()
    assert all(row["expected_prevented"] is None and row["prevented_per_10k_usd"] is None for row in rows)
    assert all("outcome.subsets.firearm" in row["benefit_note"] for row in rows)
    near = [row["expected_incidents"] for row in rows]
    assert near == sorted(near, reverse=True)
    assert result.portfolio is None
    assert result.grants is None
    assert not any(row["funded"] for row in rows)
    assert all(row["potential_prevented"] is None for row in result.neighborhoods.to_pylist())
    assumed = prioritize(inputs(make_city, shares=None, assumed_share=0.4), spec(registry), registry)
    assert "assumed share of firearm: 0.4" in assumed.lots.to_pylist()[0]["benefit_note"]
    assert assumed.summary["assumed_share"] == 0.4


def test_a_kind_without_a_cost_is_ranked_but_not_funded(make_city):
    registry = load_registry()
    result = prioritize(inputs(make_city), spec(registry), registry)
    rows = result.buildings.to_pylist()
    assert {row["action"] for row in rows if not row["funded"]} == {"repair"}
    open_rows = [row for row in rows if not row["funded"]]
    assert all(row["cost_usd"] is None and row["cost_basis"] == "none found" for row in open_rows)
    assert all(row["expected_prevented"] is not None for row in open_rows)


def test_excluded_sites_come_last(make_city):
    registry = load_registry(REPAIR)
    given = inputs(make_city)
    private = np.arange(len(given.sites)) % 3 == 0
    sites = given.sites.with_exclusions([("ownership", private, True)])
    result = prioritize(inputs(make_city, sites=sites), spec(registry), registry)
    flags = [row["selectable"] for row in result.lots.to_pylist()]
    assert flags == sorted(flags, reverse=True)
    assert not any(row["funded"] and not row["selectable"] for row in result.lots.to_pylist())
    assert result.summary["excluded"] == {"ownership": int(private.sum())}


def test_same_inputs_same_tables(make_city):
    registry = load_registry(REPAIR)
    one = prioritize(inputs(make_city), spec(registry), registry)
    two = prioritize(inputs(make_city), spec(registry), registry)
    assert one.lots.equals(two.lots)
    assert one.grants.equals(two.grants)


def test_optimistic_rows_are_labeled_scenarios(make_city):
    registry = load_registry(REPAIR)
    interventions = default_interventions(registry, unit_m=0.3048006)[:1]
    poor = prioritize(inputs(make_city), spec(registry, interventions=interventions), registry)
    rows = {row["effect_key"]: row for row in poor.summary["portfolio"]["scenarios"]}
    assert all(row["label"] == "optimistic scenario" for row in rows.values())
    assert rows["greening_poor"]["prevented"] > poor.portfolio.prevented
    blind = prioritize(inputs(make_city, poverty=None), spec(registry, interventions=interventions), registry)
    rows = {row["effect_key"]: row for row in blind.summary["portfolio"]["scenarios"]}
    assert rows["greening_poor"]["prevented"] is None
    assert "not to be applied city-wide" in rows["greening_poor"]["reason"]


def test_a_budget_that_pays_for_no_site_is_refused(make_city):
    registry = load_registry(REPAIR)
    with pytest.raises(ConfigError, match=r"400 USD pay for no site; .* mowing and clean-up, costs 472"):
        prioritize(inputs(make_city), spec(registry, budget=BudgetSpec(usd=400.0)), registry)


def offers(values, usd=20_000.0):
    none = np.empty(0, np.int64)
    return [Award(at, usd, none, none, value, value) for at, value in enumerate(values)]


def test_grants_follow_the_rule():
    district = np.array([0, 0, 0, 0, 1, 1, 2, 2], np.int32)
    given = offers([9, 8, 7, 6, 5, 4, 3, 2.0])
    rule = GrantSpec(count=4, max_per_district=2, min_usd=0.0)
    assert award_grants(given, rule, district, None)[0] == [0, 1, 4, 5]
    # the poorest third is {5, 6, 7}: half of four grants go there
    poor = np.array([False] * 5 + [True] * 3)
    awarded, reasons = award_grants(given, rule, district, poor)
    assert awarded == [0, 1, 5, 6]
    assert reasons[2] == "others come first"
    assert reasons[5] == "value for money within the poorest third"
    _, reasons = award_grants(given, GrantSpec(count=5, max_per_district=2, min_usd=0.0), district, None)
    assert reasons[2] == "its district has 2 grants already"
    # where the poorest third can't fill its part, the places stay open
    small = award_grants(given, rule, np.zeros(8, np.int32), poor)[0]
    assert len(small) == 2
    alone = np.array([False] * 7 + [True])
    assert award_grants(given, rule, district, alone)[0] == [0, 1, 7]


def test_offers_too_small_or_empty_get_no_grant():
    given = [*offers([9.0], usd=500.0), *offers([0.0])[:0]]
    awarded, reasons = award_grants(given, GrantSpec(), np.array([0], np.int32), None)
    assert awarded == []
    assert "least grant" in reasons[0]
    awarded, reasons = award_grants(offers([0.0]), GrantSpec(), np.array([-1], np.int32), None)
    assert "nothing can be done" in reasons[0]


def test_the_poorest_third():
    assert poverty_third(None) is None
    assert poverty_third(np.array([np.nan, np.nan])) is None
    found = poverty_third(np.array([0.1, 0.5, 0.3, np.nan, 0.2, 0.5]))
    assert found.tolist() == [False, True, False, False, False, True]


def test_grant_offers_stay_within_place_money_and_kinds(make_city, kinds):
    grid, sites, forecast = make_city(80, 30, 6)
    model = benefit_model(grid, sites, forecast, kinds)
    rule = GrantSpec(max_usd=9_000.0, interventions=("mowing", "repair"))
    for award in grant_offers(model, rule, 4, horizon_years=3.0, must_not=("s0000",)):
        assert award.usd <= 9_000
        assert (sites.neighborhood[award.sites] == award.neighborhood).all()
        assert set(award.kinds.tolist()) <= {1, 2}
        assert 0 not in award.sites
        assert award.per_10k == pytest.approx(award.prevented * 3 * 10_000 / award.usd)
        assert award.prevented == pytest.approx(simulate(model, award.sites, award.kinds).prevented)


def test_grants_come_on_top_of_what_is_funded(make_city):
    registry = load_registry(REPAIR)
    result = prioritize(inputs(make_city), spec(registry), registry)
    rows = result.grants.to_pylist()
    assert sorted(row["rank_without_rule"] for row in rows) == [1, 2, 3, 4]
    value = [row["prevented_per_10k_usd"] for row in rows]
    assert value == sorted(value, reverse=True)
    awarded = [row for row in rows if row["awarded"]]
    assert len(awarded) <= 3
    assert all(row["award_usd"] <= 5_000 for row in rows)
    assert sum(row["highest_poverty_third"] for row in awarded) >= 2
    rank = result.neighborhoods.column("grant_rank").to_pylist()
    assert sorted(r for r in rank if r is not None) == list(range(1, len(awarded) + 1))


def test_reasons_are_the_strongest_multipliers_in_words(make_city, kinds):
    grid, sites, forecast = make_city(10, 0, 1)
    model = benefit_model(grid, sites, forecast, kinds)
    n = grid.n_cells
    given = Contributions(
        ("background", "bars", "past_here"), np.stack([np.ones(n), np.full(n, 2.0), np.full(n, 1.01)], axis=1), {}
    )
    labels, values = around_sites(given, model.reach(0), forecast.expected)
    assert labels == ("bars", "past incidents here")
    assert values[:, 0] == pytest.approx(np.full(10, 2.0))
    assert words(labels, values) == ["bars x2.0"] * 10
    assert words((), np.empty((2, 0))) == ["", ""]
    # over a background next to nothing the size of a multiplier says nothing
    assert words(("bars", "past"), np.array([[1.2, 857.3], [9.94, 1.0]])) == [
        "past x10 or more, bars x1.2",
        "bars x9.9",
    ]


def test_points_within_counts_the_edge():
    found = points_within(np.array([0.0]), np.array([0.0]), np.array([3.0, 3.1]), np.array([4.0, 4.0]), 5.0)
    assert found.tolist() == [1]
    assert points_within(np.zeros(2), np.zeros(2), np.empty(0), np.empty(0), 5.0).tolist() == [0, 0]


def test_home_district_is_where_most_cells_are():
    neighborhood = np.array([0, 0, 0, 1, 1, 2, -1], np.int32)
    district = np.array([1, 1, 0, 0, -1, -1, 1], np.int32)
    assert district_of_neighborhood(neighborhood, district, 3).tolist() == [1, 0, -1]
    assert district_of_neighborhood(neighborhood, np.full(7, -1, np.int32), 3).tolist() == [-1, -1, -1]


def test_tables_have_exactly_their_columns():
    columns = (Column("a", "float", "m", "length"), Column("b", "string", "", "name"))
    table = build_table(columns, {"a": np.array([1.0, np.nan]), "b": np.array(["x", "y"])})
    assert table.to_pylist() == [{"a": 1.0, "b": "x"}, {"a": None, "b": "y"}]
    assert table.schema.field("a").metadata[b"unit"] == b"m"
    with pytest.raises(SchemaError, match="missing"):
        build_table(columns, {"a": [1.0]})
    with pytest.raises(SchemaError, match="one length"):
        build_table(columns, {"a": [1.0], "b": ["x", "y"]})


def test_every_column_is_explained():
    for columns in TABLES.values():
        names = [column.name for column in columns]
        assert len(set(names)) == len(names)
        assert all(column.description.endswith(".") for column in columns)


def test_programs_that_contradict_themselves_are_refused(make_city):
    registry = load_registry()
    with pytest.raises(ConfigError, match=r"budget.crew_days names painting"):
        spec(registry, budget=BudgetSpec(usd=1.0, crew_days={"painting": 1.0}))
    with pytest.raises(ConfigError, match=r"grants.interventions names painting"):
        spec(registry, grants=GrantSpec(interventions=("painting",)))
    with pytest.raises(ConfigError, match="names of their own"):
        PrioritySpec(interventions=())
    with pytest.raises(ConfigError, match="must and must not be chosen"):
        BudgetSpec(usd=1.0, must=("a",), must_not=("a",))
    with pytest.raises(ConfigError, match="one value for each"):
        inputs(make_city, risk=np.ones(3))
    with pytest.raises(ConfigError, match="only 1 have names"):
        inputs(make_city, neighborhoods=("one",))
    with pytest.raises(ConfigError, match="No intervention has evidence on burglary"):
        prioritize(inputs(make_city), spec(registry, outcome="burglary"), registry)
