import numpy as np
import pytest
from scipy.spatial import cKDTree
from support.work import default_interventions

from rtm_pipeline.errors import ConfigError
from rtm_pipeline.grid.locate import cells_of
from rtm_pipeline.grid.spec import GridSpec, StudyGrid
from rtm_pipeline.priorities.benefit import Kind, benefit_model, make_kinds, scale_radius, simulate
from rtm_pipeline.priorities.effects.evidence import load_registry
from rtm_pipeline.priorities.outcome import CellForecast
from rtm_pipeline.priorities.reach import reach
from rtm_pipeline.priorities.scenarios import plain_unit_benefit
from rtm_pipeline.priorities.sites import make_sites
from rtm_pipeline.priorities.spec import InterventionSpec


def test_reach_equals_a_tree_search(grid):
    rng = np.random.default_rng(5)
    spec = grid.spec
    # points in, on the edge of and outside the area, and a study area with holes
    x = rng.uniform(spec.west_u - 900, spec.east_u + 900, 300)
    y = rng.uniform(spec.south_u - 900, spec.north_u + 900, 300)
    keep = np.sort(rng.choice(grid.n_cells, 350, replace=False)).astype(np.int32)
    holed = StudyGrid(spec, keep, np.ones(keep.size), np.zeros(keep.size, bool))
    centers = np.stack([holed.center_x_u, holed.center_y_u], axis=1)
    for radius in (180.0, 500.0, 1234.5):
        found = reach(holed, x, y, radius)
        own = cells_of(holed, x, y)
        expected = cKDTree(centers).query_ball_point(np.stack([x, y], axis=1), radius)
        for s in range(x.size):
            want = sorted(expected[s]) or ([own[s]] if own[s] >= 0 else [])
            assert found.cells[found.indptr[s] : found.indptr[s + 1]].tolist() == want


def test_a_radius_below_the_cell_keeps_the_sites_own_cell(grid):
    x = grid.center_x_u[:1] + 120.0
    y = grid.center_y_u[:1] + 120.0
    found = reach(grid, x, y, 30.0)
    assert found.cells.tolist() == [0]


def test_ten_lots_all_treated_prevent_six_point_eight_percent(grid):
    """The fixture of the method: an effect belongs to the cluster; ten lots do not make 51 %."""
    rng = np.random.default_rng(0)
    x = grid.center_x_u[200] + rng.uniform(-60, 60, 10)
    y = grid.center_y_u[200] + rng.uniform(-60, 60, 10)
    sites = make_sites([f"lot{i}" for i in range(10)], x, y, np.zeros(10, np.int8))
    kind = Kind("greening", 0, "greening_shootings", 0.068, 500.0, 2140.0)
    forecast = CellForecast("firearm", np.full(grid.n_cells, 2.0))
    model = benefit_model(grid, sites, forecast, [kind])
    everything = simulate(model, np.arange(10), np.zeros(10, np.int64))
    reached = np.unique(model.reach(0).cells)
    assert everything.by_cell[reached] == pytest.approx(np.full(reached.size, 2.0 * 0.068))
    assert everything.prevented == pytest.approx(reached.size * 2.0 * 0.068)
    assert model.own_benefit().sum() == pytest.approx(everything.prevented)
    half = simulate(model, np.arange(5), np.zeros(5, np.int64))
    assert half.by_cell[200] == pytest.approx(2.0 * 0.034)  # all ten reach their own cell


def test_hand_computed_overlap_of_two_kinds():
    """One cell, two lots, one building: 1 - (1 - 0.1 * 1/2) (1 - 0.2) of ten incidents."""
    spec = GridSpec("ESRI:102696", 0.3048, 250.0, 0, 0, 1, 1)
    grid = StudyGrid(spec, np.zeros(1, np.int32), np.ones(1), np.zeros(1, bool))
    sites = make_sites(["a", "b", "c"], np.full(3, 100.0), np.full(3, 100.0), np.array([0, 0, 1], np.int8))
    kinds = [Kind("greening", 0, "x", 0.1, 500.0, 1.0), Kind("repair", 1, "y", 0.2, 500.0, 1.0)]
    model = benefit_model(grid, sites, CellForecast("firearm", np.array([10.0])), kinds)
    done = simulate(model, np.array([0, 2]), np.array([0, 1]))
    assert done.prevented == pytest.approx(10 * (1 - 0.95 * 0.8))
    assert done.remaining == pytest.approx([10 * 0.95 * 0.8])
    assert model.own_benefit().tolist() == pytest.approx(np.array([[0.5, 0], [0.5, 0], [0, 2.0]]))
    assert model.incidents_near().tolist() == pytest.approx(np.full((3, 2), 10.0))


def test_a_null_effect_prevents_nothing(grid, make_city):
    grid, sites, forecast = make_city(20, 0, 1)
    model = benefit_model(grid, sites, forecast, [Kind("greening", 0, "demolition_null", 0.0, 500.0, 1.0)])
    assert simulate(model, np.arange(20), np.zeros(20, np.int64)).prevented == 0.0
    assert (model.own_benefit() == 0).all()


def test_a_lone_lot_need_not_stand_for_a_cluster(grid):
    sites = make_sites(["a"], grid.center_x_u[:1], grid.center_y_u[:1], np.zeros(1, np.int8))
    forecast = CellForecast("firearm", np.ones(grid.n_cells))
    plain = benefit_model(grid, sites, forecast, [Kind("greening", 0, "x", 0.068, 500.0, 1.0)])
    wary = benefit_model(grid, sites, forecast, [Kind("greening", 0, "x", 0.068, 500.0, 1.0, min_unit_sites=5)])
    assert wary.own_benefit()[0, 0] == pytest.approx(plain.own_benefit()[0, 0] / 5)
    one = np.zeros(1, np.int64)
    assert plain_unit_benefit(grid, wary, one, one) == pytest.approx(plain.own_benefit()[0, 0])
    assert plain_unit_benefit(grid, plain, one, one) is None


def test_sites_that_may_not_be_worked_on_still_count_in_their_place(grid):
    sites = make_sites(["a", "b"], grid.center_x_u[:1].repeat(2), grid.center_y_u[:1].repeat(2), np.zeros(2, np.int8))
    forecast = CellForecast("firearm", np.ones(grid.n_cells))
    kind = Kind("greening", 0, "x", 0.068, 500.0, 1.0)
    plain = benefit_model(grid, sites, forecast, [kind]).own_benefit()[0, 0]
    private = sites.with_exclusions([("ownership", np.array([False, True]), True)])
    garden = sites.with_exclusions([("garden", np.array([False, True]), False)])
    assert benefit_model(grid, private, forecast, [kind]).own_benefit()[0, 0] == pytest.approx(plain)
    assert benefit_model(grid, garden, forecast, [kind]).own_benefit()[0, 0] == pytest.approx(2 * plain)


def test_scaled_radius_is_a_model_of_its_own(make_city, kinds):
    grid, sites, forecast = make_city(30, 10, 2)
    model = benefit_model(grid, sites, forecast, kinds)
    double = scale_radius(grid, model, 2.0)
    assert double.kinds[0].radius_u == 1000.0
    assert (double.incidents_near()[:, 0] >= model.incidents_near()[:, 0]).all()


def test_simulate_refuses_what_makes_no_sense(make_city, kinds):
    grid, sites, forecast = make_city(5, 5, 3)
    model = benefit_model(grid, sites, forecast, kinds)
    with pytest.raises(ConfigError, match="not eligible"):
        simulate(model, np.array([0]), np.array([2]))
    with pytest.raises(ConfigError, match="treated once"):
        simulate(model, np.array([0, 0]), np.array([0, 1]))


def test_kinds_are_left_out_with_the_reason():
    registry = load_registry()
    kinds, left_out = make_kinds(
        [
            *default_interventions(registry, unit_m=0.3048),
            InterventionSpec("razing", "building", "demolition_all_crime_mixed", 500.0),
            InterventionSpec("sweep", "lot", "cleanup", 500.0),
        ],
        registry,
        outcome="firearm",
        horizon_years=3,
    )
    assert [kind.name for kind in kinds] == ["greening", "mowing", "repair", "demolition"]
    assert "reads all_crime" in left_out["razing"]
    assert "none found" in left_out["sweep"]
    by_name = {kind.name: kind for kind in kinds}
    assert by_name["greening"].cost_usd == 1600 + 3 * 180
    assert by_name["mowing"].cost_usd == pytest.approx(3 * 157.5)
    assert by_name["repair"].cost_usd is None
    assert by_name["demolition"].cost_usd == 12_500


def test_an_optimistic_row_can_not_be_the_effect():
    with pytest.raises(ConfigError, match="optimistic scenario"):
        make_kinds(
            [InterventionSpec("greening", "lot", "greening_poor", 500.0)],
            load_registry(),
            outcome="firearm",
            horizon_years=3,
        )
    with pytest.raises(ConfigError, match="measured on a lot"):
        make_kinds(
            [InterventionSpec("greening", "building", "greening_shootings", 500.0)],
            load_registry(),
            outcome="firearm",
            horizon_years=3,
        )
