import json
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from support.work import default_interventions

from rtm_pipeline.errors import ConfigError, SchemaError
from rtm_pipeline.priorities.plans.plan import Plan, PlanSite, StatusEntry, advance, freeze, score, status_on
from rtm_pipeline.priorities.plans.sources import plan_sites


def site(name: str, rank: int, x: float = 0.0) -> PlanSite:
    return PlanSite(name, rank, "mowing", x, 0.0, 472.5, 8.0, 0.3, 0.1, 0.5, "mowing_shootings", "Baden", "D4")


@pytest.fixture
def plan() -> Plan:
    sites = [site("b", 2, 600.0), site("a", 1, 0.0), site("c", 3, 9000.0)]
    return freeze(sites, city="riverbend", run_id="2019-01-01-abc", frozen_on=date(2019, 1, 1), radius_u=500.0)


def test_a_plan_survives_json_and_is_the_same_again(plan):
    again = Plan.from_rows(json.loads(json.dumps(plan.rows())))
    assert again == plan
    assert plan.plan_id.startswith("2019-01-01-")
    assert [row.site_id for row in plan.sites] == ["a", "b", "c"]
    same = freeze(
        reversed(plan.sites), city="riverbend", run_id="2019-01-01-abc", frozen_on=date(2019, 1, 1), radius_u=500
    )
    assert same.plan_id == plan.plan_id


def test_a_rewritten_plan_is_refused(plan):
    rows = plan.rows()
    rows[1] = {**rows[1], "cost_usd": 1.0}
    with pytest.raises(SchemaError, match="changed after it was frozen"):
        Plan.from_rows(rows)
    with pytest.raises(SchemaError, match="changed after it was frozen"):
        Plan.from_rows(plan.rows()[:2])
    with pytest.raises(SchemaError, match="can't be read"):
        Plan.from_rows([{"plan_id": "x"}])
    with pytest.raises(SchemaError, match="no rows"):
        Plan.from_rows([])


def test_what_can_not_be_frozen(plan):
    with pytest.raises(ConfigError, match="empty"):
        freeze([], city="x", run_id="y", frozen_on=date(2019, 1, 1), radius_u=1.0)
    with pytest.raises(ConfigError, match="twice"):
        freeze([site("a", 1), site("a", 2)], city="x", run_id="y", frozen_on=date(2019, 1, 1), radius_u=1.0)


def test_status_only_moves_forward_and_the_plan_stays(plan):
    before = plan.rows()
    log = advance(plan, (), StatusEntry(plan.plan_id, "a", "inspected", date(2019, 2, 1), "Ann"))
    log = advance(plan, log, StatusEntry(plan.plan_id, "a", "done", date(2019, 3, 1), "Bob"))
    assert status_on(plan, log, date(2019, 1, 15)) == {"a": "proposed", "b": "proposed", "c": "proposed"}
    assert status_on(plan, log, date(2019, 2, 15))["a"] == "inspected"
    assert status_on(plan, log, date(2019, 4, 1))["a"] == "done"
    assert plan.rows() == before
    for entry, match in [
        (StatusEntry(plan.plan_id, "a", "ordered", date(2019, 4, 1), "Bob"), "done already"),
        (StatusEntry(plan.plan_id, "b", "inspected", date(2018, 12, 1), "Bob"), "before its last entry"),
        (StatusEntry(plan.plan_id, "z", "done", date(2019, 4, 1), "Bob"), "not in the plan"),
        (StatusEntry(plan.plan_id, "b", "sold", date(2019, 4, 1), "Bob"), "must be one of"),
        (StatusEntry(plan.plan_id, "b", "done", date(2019, 4, 1), " "), "say who"),
        (StatusEntry("other", "b", "done", date(2019, 4, 1), "Bob"), "not"),
    ]:
        with pytest.raises(ConfigError, match=match):
            advance(plan, log, entry)


def test_a_later_night_scores_the_plan_as_it_was(plan):
    log = advance(plan, (), StatusEntry(plan.plan_id, "b", "done", date(2019, 3, 1), "Bob"))
    # between a and b (counts once in all), near c, before freezing, on the day of scoring, far away
    xy = np.array([[300.0, 0.0], [9000.0, 400.0], [0.0, 0.0], [0.0, 0.0], [4000.0, 0.0]])
    time = np.array(["2019-02-01", "2019-06-30", "2018-12-31", "2020-01-01", "2019-05-05"], dtype="datetime64[s]")
    found = score(plan, log, date(2020, 1, 1), incidents_xy=xy, incidents_time=time, expected_union=20.0)
    assert found.observed == 2
    assert found.expected == pytest.approx(20.0 * 365 / 365.25)
    assert found.status == {"proposed": 2, "inspected": 0, "ordered": 0, "done": 1}
    assert [row["observed"] for row in found.rows] == [1, 1, 1]
    assert found.rows[1]["status"] == "done"
    assert score(plan, log, date(2019, 1, 1), incidents_xy=xy, incidents_time=time, expected_union=20.0).observed == 0
    with pytest.raises(ConfigError, match="can't be scored"):
        score(plan, log, date(2018, 1, 1), incidents_xy=xy, incidents_time=time, expected_union=20.0)


def test_no_number_that_json_does_not_know(plan):
    with pytest.raises(ValueError, match="Out of range float"):
        freeze(
            [replace(site("a", 1), expected_prevented=float("nan"))],
            city="x",
            run_id="y",
            frozen_on=date(2019, 1, 1),
            radius_u=1.0,
        )


def test_a_plan_is_frozen_from_the_funded_rows_and_scored_against_the_forecast(make_city, kinds):
    from rtm_pipeline.priorities.effects.evidence import load_registry
    from rtm_pipeline.priorities.inputs import PriorityInputs
    from rtm_pipeline.priorities.outcome import CellForecast
    from rtm_pipeline.priorities.programs import prioritize
    from rtm_pipeline.priorities.spec import BudgetSpec, PrioritySpec

    grid, sites, forecast = make_city(60, 20, 9)
    registry = load_registry()
    nowhere = np.zeros(grid.n_cells, np.int32)
    given = PriorityInputs(
        grid,
        sites,
        CellForecast("all", forecast.expected),
        tuple("abcd"),
        tuple("abcd"),
        nowhere,
        nowhere,
        assumed_share=0.5,
    )
    spec = PrioritySpec(default_interventions(registry, unit_m=0.3048), budget=BudgetSpec(usd=5_000.0), draws=10)
    result = prioritize(given, spec, registry)
    tables = (result.lots, result.buildings)
    made = freeze(plan_sites(tables), city="riverbend", run_id="r", frozen_on=date(2019, 1, 1), radius_u=500.0)
    assert {row.site_id for row in made.sites} == set(sites.site_id[result.portfolio.site])
    assert Plan.from_rows(json.loads(json.dumps(made.rows()))) == made
    named = plan_sites(tables, site_ids=["s0003", "s0001"])
    assert [(row.site_id, row.rank) for row in named] == [("s0003", 1), ("s0001", 2)]
    with pytest.raises(ConfigError, match="in no priority table: zz"):
        plan_sites(tables, site_ids=["zz"])
    with pytest.raises(ConfigError, match="Nothing is funded"):
        plan_sites((prioritize(given, replace(spec, budget=None), registry).lots,))
