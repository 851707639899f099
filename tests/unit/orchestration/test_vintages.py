"""The dates of a run: what is explained, judged and known when, for every lag and horizon."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from support.city import ROOT

from rtm_pipeline.config.city import City
from rtm_pipeline.config.load import find_config, load_config
from rtm_pipeline.layers.layer import Layer
from rtm_pipeline.layers.vintage import measured_lag
from rtm_pipeline.orchestration.steps.factors import vintages_of
from rtm_pipeline.units import Duration, Window

AS_OF = date(2024, 1, 1)


def city(*changes: str) -> City:
    return load_config(find_config("demo_city", ROOT / "configs"), changes).city


@pytest.mark.parametrize(("horizon", "days"), [("3d", 3), ("2w", 14), ("30d", 30), ("6mo", 184), ("1y", 365)])
def test_a_night_is_judged_on_the_last_horizon(horizon: str, days: int):
    found = vintages_of(city(f"forecast.horizon={horizon}"), AS_OF, Duration(0, "d"))
    assert found.nightly.outcome == Window(date(2023, 1, 1), AS_OF)
    assert found.nightly.known_at == date(2023, 1, 1)
    assert found.judged == Window(AS_OF - timedelta(days=days), AS_OF)
    assert found.cutoff == found.judged.start
    assert found.backtest.outcome.end == found.cutoff
    assert found.backtest.known_at == found.backtest.outcome.start


@pytest.mark.parametrize(("horizon", "days"), [("3d", 3), ("1y", 366)])
def test_a_backtest_looks_ahead_of_its_cutoff(horizon: str, days: int):
    found = vintages_of(city(f"forecast.horizon={horizon}", "forecast.judge=ahead"), AS_OF, Duration(0, "d"))
    assert found.judged == Window(AS_OF, AS_OF + timedelta(days=days))
    assert found.cutoff == AS_OF
    assert found.backtest == found.nightly


def test_a_measured_lag_moves_every_window():
    """A record that is told at the end of each month, as Riverbend's: a row of its first day is known a month later."""
    found = city("outcome.lag=auto")
    assert found.outcome.lag is None
    time = np.arange(np.datetime64("2022-01-01"), np.datetime64("2024-01-01")).astype("datetime64[s]")
    lag = measured_lag(told_monthly(time), AS_OF)
    assert 27 <= lag.value <= 31
    shifted = vintages_of(found, AS_OF, lag)
    assert shifted.nightly.outcome.end == AS_OF - timedelta(days=lag.value)
    assert shifted.judged.end == shifted.nightly.outcome.end
    assert shifted.cutoff < shifted.judged.end
    assert shifted.as_of == AS_OF


def told_monthly(time: NDArray[np.datetime64]) -> Layer:
    n = time.size
    return Layer(
        name="violence",
        kind="events",
        origin="resident",
        crs="EPSG:3436",
        x=np.zeros(n),
        y=np.zeros(n),
        geometry=None,
        time=time,
        known_at=(time.astype("datetime64[M]") + 1).astype("datetime64[s]"),
        until=np.full(n, np.datetime64("NaT"), "datetime64[s]"),
        category=np.full(n, -1, np.int16),
        category_names=(),
        incident=np.arange(n),
        flags={},
        attributes=pa.table({"_file": [0] * n, "_row": np.arange(n)}),
    )
