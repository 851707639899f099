"""accuracy.json: its keys, its nulls with reasons, and its verdict."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from support.cells import made_city

from rtm_pipeline.errors import ModelError
from rtm_pipeline.evaluation.accuracy import Accuracy, Scored, judge, table_accuracy
from rtm_pipeline.evaluation.baseline import choose_baseline
from rtm_pipeline.grid.blocks import spatial_blocks
from rtm_pipeline.surface.forecast import forecast
from rtm_pipeline.surface.past import past_surfaces

SHARES = ["0.005", "0.01", "0.02", "0.05", "0.1", "0.2"]
CITY = made_city(50, years=3, per_year=1500, seed=21)
BASELINES = past_surfaces(CITY.grid, CITY.history, CITY.cutoff)
CHOICE = choose_baseline(CITY.grid, CITY.history, CITY.cutoff)
AHEAD = forecast(CITY.grid, CITY.history, CITY.vintages, CITY.cutoff, CITY.next_year)
BLOCKS = spatial_blocks(CITY.grid, 380.0)
TERRAIN = np.round(np.exp(0.5 * CITY.vintages[0].values[:, 0].astype(float)))


def judged(**changes: object) -> Accuracy:
    values: dict[str, object] = {
        "grid": CITY.grid,
        "observed": CITY.outcome(0),
        "cutoff": CITY.cutoff,
        "horizon": CITY.next_year,
        "surfaces": {
            "risk_terrain": Scored(TERRAIN),
            "forecast": Scored(AHEAD.expected, in_incidents=True),
        },
        "baselines": BASELINES,
        "baseline": (CHOICE.name, CHOICE.reason),
        "blocks": BLOCKS,
    }
    return judge(**(values | changes))  # type: ignore[arg-type]


def test_all_keys_of_the_interface_are_there():
    block = json.loads(json.dumps(judged().as_json(), allow_nan=False))
    for key in ("cutoff", "horizon", "n_cells", "area_cells", "n_events", "baseline_chosen", "verdict", "left_out"):
        assert key in block
    assert block["interval_level"] == 0.95
    names = ["risk_terrain", "forecast", "counts_1y", "counts_2y", "counts_decayed", "kde", "uniform", "perfect"]
    assert list(block["surfaces"]) == names
    for name in names:
        surface = block["surfaces"][name]
        assert {"pai", "pei", "rri", "hit_rate", "distinct_values"} <= set(surface)
        assert list(surface["pai"]) == SHARES
        assert set(surface["pai"]["0.05"]) == {"min", "expected", "max"}
    assert set(block["difference"]["0.05"]) == {"baseline", "hit_ratio", "low", "high"}
    assert block["n_cells"] == 2500
    assert block["n_events"] == int(CITY.outcome(0).sum())
    assert block["with_assumed"] is None


def test_only_surfaces_in_incidents_have_an_rri():
    surfaces = judged().as_json()["surfaces"]
    assert surfaces["forecast"]["rri"]["0.05"] is not None  # type: ignore[index]
    for name in ("risk_terrain", "counts_2y", "kde", "perfect"):
        assert surfaces[name]["rri"]["0.05"] is None  # type: ignore[index]


def test_perfect_foresight_bounds_everything():
    surfaces = judged().as_json()["surfaces"]
    for name in surfaces:  # type: ignore[attr-defined]
        for share in SHARES:
            assert surfaces[name]["pei"][share]["max"] <= 1.0 + 1e-12  # type: ignore[index]
    assert surfaces["perfect"]["pei"]["0.01"]["expected"] == pytest.approx(1.0)  # type: ignore[index]


def test_the_forecast_is_judged_against_the_chosen_baseline():
    found = judged()
    assert found.comparison is not None
    assert found.comparison.baseline == CHOICE.name
    assert found.verdict in ("better", "not_better")
    # What came is better; the risk terrain alone is not.
    assert judged(surfaces={"forecast": Scored(CITY.outcome(0).astype(float))}).verdict == "better"
    assert judged(surfaces={"forecast": Scored(TERRAIN)}).verdict == "not_better"


def test_no_outcome_is_not_judged_and_says_why():
    block = judged(observed=None, horizon=None).as_json()
    assert block["verdict"] == "not_judged"
    assert block["verdict_reason"] == "no outcome after the cut-off to score"
    assert set(block["surfaces"].values()) == {None}  # type: ignore[attr-defined]
    assert block["missing"]["forecast"] == "no outcome after the cut-off to score"  # type: ignore[index]
    json.dumps(block)


def test_a_missing_surface_is_null_with_the_reason():
    found = judged(surfaces={"risk_terrain": Scored(None, reason="no factor was known"), "forecast": Scored(None)})
    block = found.as_json()
    assert block["surfaces"]["risk_terrain"] is None  # type: ignore[index]
    assert block["missing"]["risk_terrain"] == "no factor was known"  # type: ignore[index]
    assert block["verdict"] == "not_judged"
    assert "there is no forecast" in str(block["verdict_reason"])


def test_a_baseline_without_history_is_null_with_the_reason():
    short = replace(
        BASELINES,
        surfaces={k: v for k, v in BASELINES.surfaces.items() if k != "counts_2y"},
        missing={"counts_2y": "needs two years"},
    )
    block = judged(baselines=short).as_json()
    assert block["surfaces"]["counts_2y"] is None  # type: ignore[index]
    assert block["missing"] == {"counts_2y": "needs two years"}


def test_assumed_layers_stand_beside_the_headline():
    block = judged(
        with_assumed={"forecast": Scored(CITY.rates, in_incidents=True)},
        left_out=(("vacancy", "known from 2018-01-01 only"),),
    ).as_json()
    assert set(block["with_assumed"]) == {"forecast"}  # type: ignore[call-overload]
    assert block["left_out"] == [{"factor": "vacancy", "reason": "known from 2018-01-01 only"}]


def test_surfaces_of_another_grid_are_refused():
    with pytest.raises(ModelError, match=r"'forecast' has shape \(7,\); the grid has 2500"):
        judged(surfaces={"forecast": Scored(np.ones(7))})


def test_any_table_can_be_judged():
    found = table_accuracy(np.array([6, 3, 0]), np.array([3.0, 2.0, 1.0]), shares=(1 / 3, 2 / 3, 1.0))
    assert [value["expected"] for value in found["pai"].values()] == pytest.approx([2.0, 1.5, 1.0])  # type: ignore[attr-defined]
    assert found["n_cells"] == 3
    assert found["n_events"] == 9.0
    assert found["distinct_values"] == 3
    json.dumps(found)


def test_rules_that_were_ahead_in_hindsight_are_named():
    assert judged(surfaces={"forecast": Scored(CITY.outcome(0).astype(float))}).baselines_ahead == ()
    behind = judged(surfaces={"forecast": Scored(np.ones(CITY.grid.n_cells))}).as_json()
    assert "counts_decayed" in behind["baselines_ahead"]  # type: ignore[operator]


def test_assumed_factors_are_compared_beside_and_decide_nothing():
    perfect = Scored(CITY.outcome(0).astype(float))
    found = judged(surfaces={"forecast": Scored(TERRAIN)}, with_assumed={"forecast": perfect})
    assert found.verdict == "not_better"
    block = found.as_json()["with_assumed_difference"]
    assert block["mean_log_ratio"]["low"] > 0  # type: ignore[index]
    assert judged(surfaces={"forecast": Scored(TERRAIN)}).as_json()["with_assumed_difference"] is None
