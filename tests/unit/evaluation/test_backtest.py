"""The whole judgement on a made layer: what came later decides, and enters nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest
from support.cells import MadeCity, made_city

from rtm_pipeline.evaluation.backtest import AreaGroups, Backtest, BacktestPlan, FactorSet, backtest
from rtm_pipeline.layers.layer import Layer
from rtm_pipeline.model.spec import ModelSpec
from rtm_pipeline.units import Vintage, Window

CITY = made_city(50, years=4, per_year=1500, seed=31)
CUTOFF = CITY.cutoff - timedelta(days=365)
JUDGED = Window(CUTOFF, CITY.cutoff)
GROUPS = AreaGroups(
    "quarters", ((np.arange(2500) // 50 // 25) * 2 + (np.arange(2500) % 50) // 25).astype(np.int32), tuple("abcd")
)


def layer_of(city: MadeCity, offences: int = 1) -> Layer:
    """Every incident as so many rows, at the centers of its cell."""
    cell = np.repeat(city.history.cell, offences)
    time = np.repeat(city.history.time, offences)
    n = cell.size
    return Layer(
        name="violence",
        kind="events",
        origin="resident",
        crs="EPSG:26915",
        x=city.grid.center_x_u[cell],
        y=city.grid.center_y_u[cell],
        geometry=None,
        time=time,
        known_at=(time.astype("datetime64[D]") + np.timedelta64(1, "D")).astype("datetime64[s]"),
        until=np.full(n, np.datetime64("NaT"), "datetime64[s]"),
        category=np.full(n, -1, np.int16),
        category_names=(),
        incident=np.repeat(np.arange(city.history.cell.size), offences),
        flags={},
        attributes=pa.table({"_file": ["made"] * n, "_row": np.arange(n)}),
    )


def run(layer: Layer, unit: str = "incident", cutoff: date = CUTOFF) -> Backtest:
    plan = BacktestPlan(
        vintage=Vintage(cutoff - timedelta(days=365), Window(cutoff - timedelta(days=365), cutoff)),
        cutoff=cutoff,
        judged=Window(cutoff, cutoff + timedelta(days=365)),
        observed_at=CITY.cutoff + timedelta(days=30),
        unit=unit,
        history=None,
        model=ModelSpec(),
        block_side_u=380.0,
        seed=1,
    )
    return backtest(CITY.grid, layer, plan, FactorSet({}, {}), groups=(GROUPS,))


@pytest.fixture(scope="module")
def judged() -> Backtest:
    return run(layer_of(CITY))


def test_what_came_decides(judged: Backtest):
    np.testing.assert_array_equal(judged.observed, CITY.history.rows(JUDGED))
    assert judged.accuracy.n_events == judged.observed.sum()
    assert judged.accuracy.verdict in ("better", "not_better")
    assert judged.accuracy.surfaces["risk_terrain"] is None
    assert "no risk factor was known" in judged.accuracy.missing["risk_terrain"]
    assert judged.newest_input is not None
    assert judged.newest_input <= CUTOFF


def test_what_came_later_enters_nothing(judged: Backtest):
    layer = layer_of(CITY)
    later = layer.time >= np.datetime64(CUTOFF)
    x, y = layer.x.copy(), layer.y.copy()
    order = np.random.default_rng(0).permutation(np.flatnonzero(later))
    x[later], y[later] = layer.x[order], layer.y[order]
    other = run(replace(layer, x=x, y=y))
    assert judged.forecast is not None
    assert other.forecast is not None
    np.testing.assert_array_equal(other.forecast.expected, judged.forecast.expected)
    assert other.accuracy.baseline_chosen == judged.accuracy.baseline_chosen


def test_every_cell_is_cross_validated(judged: Backtest):
    (found,) = judged.cross_validation
    assert found.kind == "spatial blocks"
    assert found.predicted.size == CITY.grid.n_cells
    assert found.deviance < found.null_deviance


def test_groups_have_totals_and_errors(judged: Backtest):
    totals = judged.group_totals["quarters"]
    assert sum(total.observed for total in totals) == judged.observed.sum()
    assert all(total.low < total.expected < total.high for total in totals)
    assert [row.group for row in judged.disparity["quarters"].groups] == list("abcd")


def test_three_offences_an_incident_stay_calibrated(judged: Backtest):
    threefold = run(layer_of(CITY, offences=3), unit="offence")
    assert threefold.observed.sum() == 3 * judged.observed.sum()
    assert threefold.forecast is not None
    assert judged.forecast is not None
    np.testing.assert_allclose(threefold.forecast.expected, 3 * judged.forecast.expected, rtol=0.02)
    assert threefold.forecast.rows_per_incident == pytest.approx(3.0)
    for found in (judged, threefold):
        assert found.calibration is not None
        assert found.calibration.observed == judged.observed.sum()  # distinct incidents
        assert max(abs(share - 0.1) for share in found.calibration.pit) < 0.03


def test_too_short_a_past_is_told():
    early = run(layer_of(CITY), cutoff=date(2015, 1, 5))
    assert early.forecast is None
    assert early.accuracy.verdict == "not_judged"
    assert "at least 30 are needed" in early.accuracy.missing["forecast"]


@pytest.mark.parametrize("days", [3, 30])
def test_short_horizons_are_scaled_and_judged(judged: Backtest, days: int):
    layer = layer_of(CITY)
    plan = BacktestPlan(
        vintage=Vintage(CUTOFF - timedelta(days=365), Window(CUTOFF - timedelta(days=365), CUTOFF)),
        cutoff=CUTOFF,
        judged=Window(CUTOFF, CUTOFF + timedelta(days=days)),
        observed_at=CITY.cutoff,
        unit="incident",
        history=None,
        model=ModelSpec(),
        block_side_u=380.0,
        seed=1,
    )
    found = backtest(CITY.grid, layer, plan, FactorSet({}, {}), groups=(GROUPS,))
    assert found.forecast is not None
    assert judged.forecast is not None
    # The season of a made city is flat: three days have 3/365 of a year's incidents, and the ranking is the year's.
    ratio = found.forecast.expected.sum() / judged.forecast.expected.sum()
    assert ratio == pytest.approx(days / 365, rel=0.25)
    assert np.corrcoef(found.forecast.expected, judged.forecast.expected)[0, 1] > 0.999
    assert found.accuracy.n_events == found.observed.sum()
    if days == 3:
        assert found.accuracy.verdict == "not_judged"
        assert "at least 30 are needed to judge" in str(found.accuracy.as_json()["verdict_reason"])
    else:
        assert found.accuracy.verdict in ("better", "not_better")
