"""The register of treated sites, and the audit log of zones, as people and nights write them."""

from datetime import date

import numpy as np
import pytest

from rtm_pipeline.errors import ConfigError
from rtm_pipeline.grid.spec import GridSpec, StudyGrid
from rtm_pipeline.priorities.followup.treated import read_treated, treated_from_rows
from rtm_pipeline.priorities.spec import ZoneSpec
from rtm_pipeline.priorities.zones.log import flag_periods, grid_name, last_period, still_running, table_of_rows
from rtm_pipeline.priorities.zones.zones import make_zones, zones_table
from rtm_pipeline.units import Window

GOOD = {"site": "a", "program": "greening", "started": "2022-03-01", "ended": "2022-03-02", "x": "", "y": ""}


def test_the_last_day_of_the_work_is_part_of_it():
    (record,) = treated_from_rows([GOOD])
    assert (record.started, record.ended) == (date(2022, 3, 1), date(2022, 3, 3))
    (one_day,) = treated_from_rows([{**GOOD, "ended": "", "x": "5", "y": "6.5"}])
    assert one_day.ended == date(2022, 3, 2)
    assert (one_day.x, one_day.y) == (5.0, 6.5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"program": " "}, "row 2: program must be filled in"),
        ({"started": "3/1/2022"}, "row 2: dates are written 2026-03-31"),
        ({"ended": "2022-02-28"}, r"row 2: the work ended \(2022-02-28\) before it started"),
        ({"x": "5"}, "row 2: give both x and y"),
        ({"x": "five", "y": "6"}, "row 2: x must be a number .* found 'five'"),
        ({"site": "a"}, "row 2: site a is in the register of program greening already"),
    ],
)
def test_a_bad_row_is_named(changes, message):
    with pytest.raises(ConfigError, match=message):
        treated_from_rows([GOOD, {**GOOD, "site": "b", **changes}])


def test_a_file_that_is_no_text_is_told(tmp_path):
    path = tmp_path / "treated_sites.csv"
    assert read_treated(path) == ()
    path.write_bytes("site,program,started\nä,greening,2022-01-01\n".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"treated_sites\.csv is not a CSV file in UTF-8"):
        read_treated(path)


SPEC = ZoneSpec("lighting", "Office", date(2030, 1, 1), area_m2=60_000.0, hours=72, count=2)


def square(n: int = 16, cell: float = 250.0) -> StudyGrid:
    spec = GridSpec("ESRI:102696", 0.3048006096012192, cell, 4, 8, n, n)
    return StudyGrid(spec, np.arange(n * n, dtype=np.int32), np.ones(n * n), np.zeros(n * n, bool))


def logged(grid: StudyGrid, day: date, seed: int, run_id: str) -> list[dict[str, object]]:
    expected = np.random.default_rng(seed).gamma(0.3, 1.0, grid.n_cells)
    zones, _ = make_zones(grid, expected, SPEC, day)
    return [
        {**row, "run_id": run_id, "current": True} for row in zones_table(grid, zones, SPEC, day, expected).to_pylist()
    ]


def test_the_last_period_before_a_day_is_found_and_runs_until_its_end():
    grid = square()
    first, second = logged(grid, date(2024, 1, 1), 1, "r1"), logged(grid, date(2024, 1, 4), 2, "r2")
    again = logged(grid, date(2024, 1, 4), 3, "r3")
    log = [*first, *second, *again]
    assert last_period(log, grid, date(2024, 1, 1)) == []
    assert last_period(log, grid, date(2024, 1, 4)) == first
    assert last_period(log, grid, date(2024, 1, 5)) == again  # of two runs for one day the later one
    assert last_period(log, square(cell=500.0), date(2024, 1, 5)) == []  # cell numbers of another grid mean nothing
    assert still_running(first, date(2024, 1, 3))
    assert not still_running(first, date(2024, 1, 4))
    assert table_of_rows(first).to_pylist() == [
        {key: value for key, value in row.items() if key not in ("run_id", "current")} for row in first
    ]


def test_incidents_within_zones_in_force_are_flagged():
    grid = square()
    rows = logged(grid, date(2024, 1, 1), 1, "r1")
    cells = [np.array(str(row["zone_cells"]).split(), dtype=np.int64) for row in rows]
    outside = np.setdiff1d(np.arange(grid.n_cells), np.concatenate(cells))[0]
    cell = np.array([cells[0][0], cells[1][0], cells[0][0], outside, cells[0][0]])
    when = np.array(["2024-01-01T05", "2024-01-03T23", "2024-01-04T00", "2024-01-02", "2023-12-31T23"], "datetime64[s]")
    found = flag_periods(rows, grid, Window(date(2024, 1, 1), date(2025, 1, 1)), cell, when)
    assert found == {"periods": 1, "days": 3, "incidents": 2, "share": 2 / 4}
    part = flag_periods(rows, grid, Window(date(2024, 1, 3), date(2025, 1, 1)), cell, when)
    assert part == {"periods": 1, "days": 1, "incidents": 1, "share": 1 / 2}
    assert flag_periods(rows, grid, Window(date(2022, 1, 1), date(2023, 1, 1)), cell, when)["periods"] == 0
    assert grid_name(grid) != grid_name(square(cell=500.0))
