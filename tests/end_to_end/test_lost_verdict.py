"""Two whole nights: a forecast that beat the simple rules, then one that does not; people are told once."""

from __future__ import annotations

import json
import sys
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from support.made_city import AS_OF, MadeFiles, place_of, write_made_city, write_rows

from rtm_pipeline.config.load import load_config
from rtm_pipeline.orchestration.paths import Paths
from rtm_pipeline.orchestration.run import run_city
from rtm_pipeline.orchestration.upkeep.status import status_of

pytestmark = pytest.mark.acceptance  # two nights of 1,600 cells: on fewer nothing can be judged

SIDE = 4000.0
JUDGED = 2023  # the year that the backtest forecasts
TELL = "import sys; open(sys.argv[1], 'a').write(sys.argv[2] + '|' + sys.stdin.read())"


def write_incidents(made: MadeFiles, year: int, places: np.ndarray, rng: np.random.Generator) -> None:
    days = rng.integers(0, 365, len(places))
    when = [date(year, 1, 1) + timedelta(days=int(day)) for day in days]
    rows = [[f"v{year}-{i}", f"{day}T{i % 24:02}:15", *place_of(places[i])] for i, day in enumerate(when)]
    write_rows(made.data / f"incidents_{year}.csv", ["id", "when", "x", "y"], rows)


def near(lots: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    return (lots[rng.integers(0, len(lots), count)] + rng.normal(0, 50, (count, 2))).clip(1, SIDE - 1)


def test_people_are_told_when_a_forecast_that_was_better_no_longer_is(tmp_path: Path) -> None:
    """Lots that fell vacant just before the judged year draw incidents where none were: only factors can know that."""
    told = tmp_path / "told.txt"
    command = json.dumps([sys.executable, "-c", TELL, str(told), "{kind}: {title}"])
    more = f"operations: {{alerts: {{command: {command}}}}}\n"
    made = write_made_city(tmp_path, "vacantville", more=more, side_m=SIDE)
    rng = np.random.default_rng(1)
    old, new = rng.uniform(0, SIDE, (40, 2)), rng.uniform(0, SIDE, (120, 2))
    lots = [[f"o{i}", "2015-06-01", *place_of(point)] for i, point in enumerate(old)]
    lots += [[f"n{i}", f"{JUDGED - 1}-12-20", *place_of(point)] for i, point in enumerate(new)]
    write_rows(made.data / "lots.csv", ["id", "listed", "x", "y"], lots)
    for year in range(AS_OF.year - 3, JUDGED):
        write_incidents(made, year, near(old, 700, rng), rng)
    write_incidents(made, JUDGED, near(np.vstack([old, new]), 2800, rng), rng)

    def night(as_of: date) -> str:
        made.config.write_text(made.config.read_text().replace(f"as_of: {AS_OF}", f"as_of: {as_of}"))
        paths = Paths.resolve(config_dir=made.config.parent, output=tmp_path / "output", data_dir=made.data)
        report = run_city(load_config(made.config), paths)
        assert report.ok, report.failures
        status = status_of(tmp_path / "output", "vacantville", max_age=timedelta(days=1))
        assert status.as_of == as_of.isoformat()
        return str(status.verdict)

    assert night(AS_OF) == "better"
    assert not told.exists()
    write_incidents(made, JUDGED, rng.uniform(1, SIDE - 1, (2800, 2)), rng)
    assert night(AS_OF + timedelta(days=1)) == "not_better"
    assert told.read_text().startswith(
        "lost_verdict: Vacantville: the forecast is not better than the best simple rule|"
    )
