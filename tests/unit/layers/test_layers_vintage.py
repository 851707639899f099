from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from rtm_pipeline.errors import ConfigError, ModelError
from rtm_pipeline.layers.conditions import Condition, Filter
from rtm_pipeline.layers.layer import Layer, LayerResult
from rtm_pipeline.layers.spec import Categories, DateSpec, History, KnownAt, LayerSpec
from rtm_pipeline.layers.vintage import (
    as_known,
    assert_known,
    count_unit,
    in_lookback,
    measured_lag,
    rows_known,
    select_rows,
)
from rtm_pipeline.units import Duration, Window

Make = Callable[..., Layer]
YEAR = Window(date(2019, 1, 1), date(2020, 1, 1))


@pytest.fixture
def make(read: Callable[..., LayerResult], site: Callable[..., LayerSpec], snapshot: Callable[..., pa.Table]) -> Make:
    def run(columns: dict[str, list[str | None]], **spec: object) -> Layer:
        n = len(next(iter(columns.values())))
        return read(site(**spec), snapshot({"x": ["360000"] * n, "y": ["4325000"] * n, **columns})).layer

    return run


def test_known_and_not_ceased(make: Make) -> None:
    layer = make(
        {"opened": ["2019-01-01", "2019-03-01", "2019-01-01"], "closed": [None, None, "2019-02-01"]},
        date=DateSpec("opened"),
        until=DateSpec("closed"),
    )
    assert rows_known(layer, date(2019, 1, 1)).tolist() == [False, False, False]
    assert rows_known(layer, date(2019, 1, 2)).tolist() == [True, False, True]
    # closed in the course of 1 February: nobody knew that at its beginning
    assert rows_known(layer, date(2019, 2, 1)).tolist() == [True, False, True]
    assert rows_known(layer, date(2019, 2, 2)).tolist() == [True, False, False]
    assert rows_known(layer, date(2019, 3, 2)).tolist() == [True, True, False]


def test_a_later_list_counts_earlier_only_if_assumed(make: Make) -> None:
    spec = {"known_at": KnownAt(fixed=date(2019, 12, 31)), "history": History("assumed", "a list of one day")}
    layer = make({"id": ["1", "2"]}, **spec)
    assert not rows_known(layer, date(2018, 1, 1)).any()
    assert rows_known(layer, date(2018, 1, 1), assume_history=True).all()
    assert rows_known(layer, date(2020, 1, 1)).all()
    dated = make({"id": ["1", "2"], "since": ["2017-05-01", "2019-05-01"]}, date=DateSpec("since"), **spec)
    assert rows_known(dated, date(2018, 1, 1), assume_history=True).tolist() == [True, False]
    recorded = replace(layer, history="recorded", history_reason=None)
    assert not rows_known(recorded, date(2018, 1, 1), assume_history=True).any()


def test_lookback(make: Make) -> None:
    layer = make({"opened": ["2018-12-31", "2019-01-01", "2019-12-31T23:59", "2020-01-01"]}, date=DateSpec("opened"))
    assert in_lookback(layer, date(2020, 1, 1), Duration(1, "y")).tolist() == [False, True, True, False]
    assert in_lookback(layer, date(2020, 1, 1), None).all()
    assert not in_lookback(make({"id": ["1"]}), date(2020, 1, 1), Duration(1, "y")).any()


def test_units_of_outcome(make: Make) -> None:
    layer = make(
        {
            "id": ["A", "A", "A", "B", "B", None, "C", "D"],
            "when": [
                "2018-12-31",  # before the window: A's row is the next
                "2019-06-01T10:00",
                "2019-06-01T09:00",
                "2019-02-01",
                "2019-02-01",
                "2019-02-01",
                "2020-01-01",
                "2019-12-31T23:59:59",
            ],
        },
        kind="events",
        date=DateSpec("when"),
        incident=("id",),
    )
    assert count_unit(layer, YEAR, "offence").tolist() == [False, True, True, True, True, True, False, True]
    assert count_unit(layer, YEAR, "incident").tolist() == [False, False, True, True, False, True, False, True]
    some = np.array([True, True, False, False, True, True, True, True])
    # the choice is made among the rows that take part
    assert count_unit(layer, YEAR, "incident", some).tolist() == [False, True, False, False, True, True, False, True]
    with pytest.raises(ConfigError, match="allowed: incident, offence"):
        count_unit(layer, YEAR, "offense")


def test_the_most_serious_offence_stands_for_the_incident(make: Make) -> None:
    layer = make(
        {"id": ["A", "A", "A"], "when": ["2019-01-01", "2019-01-02", "2019-01-01"], "code": ["rob", "kill", "rob"]},
        kind="events",
        date=DateSpec("when"),
        incident=("id",),
        categories=Categories(("code",), {"homicide": ("kill",), "robbery": ("rob",)}),
    )
    assert count_unit(layer, YEAR, "incident").tolist() == [False, True, False]


def test_the_guard_against_leaks(make: Make) -> None:
    layer = make(
        {"when": ["2019-01-05", "2019-01-05"], "coded": ["2019-01", "2019-02"]},
        date=DateSpec("when"),
        known_at=KnownAt(column="coded", period="month"),
    )
    at = date(2019, 2, 1)
    assert_known(layer, rows_known(layer, at), at)
    with pytest.raises(ModelError, match=r"1 of 2 rows used for 2019-02-01 are too late: the first in file 0, row 2"):
        assert_known(layer, np.ones(2, bool), at)
    with pytest.raises(ModelError, match="2 of 2 rows used for 2019-01-05"):
        assert_known(layer, np.ones(2, bool), date(2019, 1, 5))


def test_the_guard_lets_assumed_history_pass_but_not_the_future(make: Make) -> None:
    layer = make(
        {"since": ["2017-05-01", "2019-05-01"]},
        date=DateSpec("since"),
        known_at=KnownAt(fixed=date(2019, 12, 31)),
        history=History("assumed", "a list of one day"),
    )
    at = date(2018, 1, 1)
    assert_known(layer, rows_known(layer, at, assume_history=True), at, assume_history=True)
    with pytest.raises(ModelError, match="1 of 2 rows"):
        assert_known(layer, np.ones(2, bool), at, assume_history=True)
    with pytest.raises(ModelError, match="2 of 2 rows"):
        assert_known(layer, np.ones(2, bool), at)


def test_the_lag_of_a_feed(make: Make) -> None:
    # every 20th row is coded a month late: 95 % are known within their month
    days = [str(np.datetime64("2019-01-01") + i) for i in range(365)]
    late = [str(np.datetime64(day, "M") + (1 if i % 25 == 0 else 0)) for i, day in enumerate(days)]
    layer = make({"when": days, "coded": late}, date=DateSpec("when"), known_at=KnownAt(column="coded", period="month"))
    lag = measured_lag(layer, date(2020, 4, 1))
    assert lag.unit == "d"
    # the feed has been silent since the end of 2019, longer than its rows take
    assert lag.value == 91
    assert measured_lag(layer, date(2020, 1, 1)).value == 30
    prompt = make({"when": days}, date=DateSpec("when"))
    assert measured_lag(prompt, date(2020, 1, 1)).value == 0
    with pytest.raises(ModelError, match="can't be measured"):
        measured_lag(prompt, date(2018, 1, 1))


def test_selected_rows_keep_every_column_in_step(make: Make) -> None:
    layer = make(
        {"when": ["2019-01-01", "2019-01-02", "2019-01-03"], "gun": ["Y", "N", "Y"]},
        date=DateSpec("when"),
        flags={"firearm": Filter(((Condition("gun", isin=("Y",)),),))},
        keep=("gun",),
    )
    some = select_rows(layer, np.array([False, True, True]))
    assert some.attributes.column("gun").to_pylist() == ["N", "Y"]
    assert some.flags["firearm"].tolist() == [False, True]
    assert some.time.tolist() == layer.time[1:].tolist()
    assert len(as_known(layer, date(2019, 1, 3))) == 2
