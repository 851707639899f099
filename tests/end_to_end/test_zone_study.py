"""`rtm zone-trial`: zones of past periods, each drawn from what was known when it began."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from support.city import Command
from support.small_city import OxbowNight

from rtm_pipeline.errors import ConfigError
from rtm_pipeline.grid.locate import cells_of
from rtm_pipeline.orchestration.steps.factors import VINTAGES
from rtm_pipeline.orchestration.steps.model import factor_inputs
from rtm_pipeline.orchestration.steps.surface import FORECAST
from rtm_pipeline.orchestration.studies.remaking import remade
from rtm_pipeline.orchestration.studies.workbench import Workbench, open_city
from rtm_pipeline.orchestration.studies.zone_study import zone_study


@pytest.fixture(scope="module")
def bench(oxbow_night: OxbowNight) -> Workbench:
    night = oxbow_night
    return open_city("oxbow", data_dir=night.city.folder, output=night.output, config_dir=night.configs, run=False)


def test_a_night_made_anew_as_of_its_own_date_is_the_night(bench: Workbench) -> None:
    wanted = (VINTAGES, *factor_inputs(bench.city), FORECAST)
    again = remade(bench.settings, bench.settings.as_of, wanted, bench.value)[FORECAST]
    np.testing.assert_array_equal(again.expected, bench.forecast.expected)


def test_every_incident_of_the_periods_is_counted_once(rtm: Command, bench: Workbench, oxbow_night: OxbowNight) -> None:
    last = bench.settings.as_of
    first = date.fromordinal(last.toordinal() - 16 * 4)
    answer = rtm(
        "zone-trial", "oxbow", "--from", str(first), "--to", str(last), "--data-dir", oxbow_night.city.folder,
        "--output", oxbow_night.output, "--config-dir", oxbow_night.configs, "--json",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    found = json.loads(answer.out)
    assert found["periods"] == 16
    outcome = bench.outcome
    cell = cells_of(bench.grid, outcome.x, outcome.y)
    during = (outcome.time >= np.datetime64(first)) & (outcome.time < np.datetime64(last)) & outcome.inside
    assert found["incidents"] == int((during & (cell >= 0)).sum()) > 0
    assert 0 < found["hits"] <= found["incidents"]
    low, value, high = (found["difference"][key] for key in ("low", "value", "high"))
    assert value == pytest.approx((found["hits"] - found["baseline_hits"]) / 16)
    assert low <= value <= high


def test_days_without_a_record_are_refused(bench: Workbench) -> None:
    with pytest.raises(ConfigError, match=r"on record.*the record is"):
        zone_study(bench, date(1990, 1, 1), date(1991, 1, 1))


def test_days_the_wrong_way_round_are_refused_before_a_night_is_run(rtm: Command, tmp_path: Path) -> None:
    answer = rtm("zone-trial", "demo_city", "--from", "2020-01-02", "--to", "2020-01-01", "--output", tmp_path / "none")
    assert answer.code != 0
    assert "later than --from" in answer.err
    assert not (tmp_path / "none").exists()
