"""What is read out of a layer of requests: counts by period, distances, speed of reporting."""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa
import pytest
from support.cells import square_grid

from rtm_pipeline.evaluation.backtest_spec import AreaGroups
from rtm_pipeline.evaluation.reporting import reporting_rates
from rtm_pipeline.evaluation.requests import InModel, RequestPeriods, category_inputs, reporting_of, request_groups
from rtm_pipeline.layers.layer import Layer
from rtm_pipeline.layers.repeats import link_repeats
from rtm_pipeline.units import Duration

GRID = square_grid(20, cell_m=100.0)
GROUPS = AreaGroups("wards", (np.arange(400) % 20 >= 10).astype(np.int32), ("west", "east"))
PERIODS = RequestPeriods(date(2018, 1, 1), date(2019, 1, 1), Duration(1, "y"))


def layer_of(x, y, time, category, names=("dumping", "weeds")) -> Layer:
    x, y, category = np.asarray(x, float), np.asarray(y, float), np.asarray(category, np.int16)
    time = np.asarray(time, "datetime64[s]")
    n = x.size
    link = link_repeats(x, y, time, category, unit_m=1.0)
    return Layer(
        name="calls",
        kind="requests",
        origin="resident",
        crs="EPSG:26915",
        x=x,
        y=y,
        geometry=None,
        time=time,
        known_at=time.astype("datetime64[D]").astype("datetime64[s]") + np.timedelta64(86400, "s"),
        until=np.full(n, np.datetime64("NaT"), "datetime64[s]"),
        category=category,
        category_names=names,
        incident=np.where(link >= 0, link, np.arange(n)),
        flags={},
        attributes=pa.table({"_file": [0] * n, "_row": np.arange(n)}),
    )


def made(seed: int = 0, n: int = 3000) -> Layer:
    rng = np.random.default_rng(seed)
    time = np.datetime64("2017-01-01", "s") + np.sort(rng.integers(0, 730, n)) * np.timedelta64(86400, "s")
    return layer_of(rng.uniform(0, 2000, n), rng.uniform(0, 2000, n), time, rng.integers(0, 2, n))


def test_periods_count_first_reports():
    days = ["2017-02-01", "2017-02-10", "2017-06-01", "2018-03-01", "2018-12-30", "2017-01-02"]
    layer = layer_of([50, 60, 900, 50, 50, 1500], [50] * 6, days, [0, 0, 0, 0, 0, 1])
    dumping, weeds = category_inputs(layer, GRID, PERIODS, {"dumping": InModel(0.5, 1.4, 1.1, 1.8)}, None, None)
    assert (dumping.requests, dumping.requests_before, dumping.requests_latest) == (2, 2, 2)  # one of 2017 is a repeat
    assert (weeds.requests, weeds.requests_latest) == (1, 0)
    assert (dumping.selection_frequency, dumping.rrv) == (0.5, 1.4)
    assert weeds.selection_frequency is None
    assert dumping.reports_per_month is None


def test_a_record_that_does_not_reach_gives_no_count():
    layer = made()
    short = RequestPeriods(date(2017, 7, 1), date(2018, 1, 1), Duration(1, "y"))
    for item in category_inputs(layer, GRID, short, {}, None, None):
        assert item.requests_latest is not None  # 2017
        assert item.requests_before is None  # 2016 is not on record
    late = RequestPeriods(date(2019, 6, 1), date(2020, 6, 1), Duration(1, "y"))
    assert {item.requests_latest for item in category_inputs(layer, GRID, late, {}, None, None)} == {None}


def test_distances_are_those_to_requests_before_the_outcome():
    layer = made(2, 200)
    for code, item in enumerate(category_inputs(layer, GRID, PERIODS, {}, None, None)):
        rows = (layer.category == code) & (layer.time < np.datetime64("2018-01-01"))
        gaps = np.hypot(
            layer.x[rows][:, None] - GRID.center_x_u[None, :], layer.y[rows][:, None] - GRID.center_y_u[None, :]
        )
        np.testing.assert_allclose(item.distance_m, gaps.min(axis=0))


def test_a_layer_without_categories_is_one_category():
    layer = layer_of([50, 900], [50, 50], ["2017-02-01", "2017-03-01"], [-1, -1], names=())
    (item,) = category_inputs(layer, GRID, PERIODS, {}, None, None)
    assert (item.category, item.requests) == ("calls", 2)


def test_no_requests_are_infinitely_far():
    empty = layer_of([], [], [], [])
    assert all(np.isinf(item.distance_m).all() for item in category_inputs(empty, GRID, PERIODS, {}, None, None))


def test_requests_fall_to_areas_and_areas_report_at_their_speed():
    rng = np.random.default_rng(3)
    rows = []
    for _ in range(1200):
        x, y, start = rng.uniform(0, 2000), rng.uniform(0, 2000), rng.uniform(0, 690)
        rate = 0.06 if x >= 1000 else 0.02
        when = start + np.cumsum(rng.exponential(1 / rate, 60))
        rows += [(x, y, t) for t in when[when < start + 30]]
    x, y, t = (np.array(column) for column in zip(*sorted(rows, key=lambda row: row[2]), strict=True))
    time = np.datetime64("2017-01-01", "s") + (t * 86400).astype("timedelta64[s]")
    layer = layer_of(x, y, time, np.zeros(x.size))
    np.testing.assert_array_equal(request_groups(layer, GRID, GROUPS), (x >= 1000).astype(int))
    rates = reporting_of(layer, GRID, GROUPS, date(2019, 1, 1))
    assert rates.differs
    assert rates.rate_per_day[1] > 1.8 * rates.rate_per_day[0]
    found = category_inputs(layer, GRID, PERIODS, {}, rates, GROUPS)[0]
    assert found.reports_per_month == pytest.approx(
        np.mean(rates.rate_per_day[(x[np.unique(layer.incident)] >= 1000).astype(int)]) * 30
    )


def test_what_is_reported_again_anyway_is_no_fast_neighborhood():
    """West has mostly a kind that everybody reports again and again; both sides report each kind equally fast."""
    rng = np.random.default_rng(5)
    rows = []
    for k in range(3000):
        west = k % 2 == 0
        often = rng.random() < (0.9 if west else 0.1)
        start = rng.uniform(0, 300)
        when = start + np.cumsum(rng.exponential(1 / (0.08 if often else 0.01), 60))
        rows += [(200.0 * k, int(not west), int(often), t) for t in [start, *when[when < start + 30]]]
    place, group, kind, t = (np.array(column) for column in zip(*sorted(rows, key=lambda r: r[3]), strict=True))
    time = np.datetime64("2018-01-01", "s") + (t * 86400).astype("timedelta64[s]")
    link = link_repeats(place, np.zeros(place.size), time, kind, unit_m=1.0)
    blind = reporting_rates(link, time, group.astype(int), 2, date(2019, 6, 1))
    fair = reporting_rates(link, time, group.astype(int), 2, date(2019, 6, 1), kind=kind)
    assert blind.spread > 2
    assert not fair.differs
    assert fair.spread < 1.1
