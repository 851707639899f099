from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from rtm_pipeline.errors import ConfigError, ModelError
from rtm_pipeline.grid.spec import GridSpec, StudyGrid
from rtm_pipeline.priorities.spec import ZoneSpec
from rtm_pipeline.priorities.zones.shapes import Lattice, compactness, is_connected
from rtm_pipeline.priorities.zones.trial import period_starts, zone_trial
from rtm_pipeline.priorities.zones.zones import Zone, make_zones, zones_from_rows, zones_table

DAY = date(2019, 3, 1)
SPEC = ZoneSpec("lighting repairs first", "night team", date(2019, 6, 1), 25 * 100.0**2, count=2, hysteresis=0.1)


def afresh(grid: StudyGrid, expected: np.ndarray, *, count: int, area_m2: float) -> list[Zone]:
    """Zones with no regard to earlier ones."""
    zones, _ = make_zones(grid, expected, replace(SPEC, count=count, area_m2=area_m2), DAY)
    return zones


@pytest.fixture
def city():
    spec = GridSpec("EPSG:26915", 1.0, 100.0, 0, 0, 30, 30)
    grid = StudyGrid(spec, np.arange(900, dtype=np.int32), np.ones(900), np.zeros(900, bool))
    y, x = np.mgrid[:30, :30]

    def surface(*peaks):
        total = np.full((30, 30), 0.001)
        for row, col, height in peaks:
            total += height * np.exp(-((y - row) ** 2 + (x - col) ** 2) / 8.0)
        return total.ravel()

    return grid, surface


def test_zones_lie_on_the_peaks(city):
    grid, surface = city
    expected = surface((8, 8, 1.0), (22, 20, 2.0))
    zones = afresh(grid, expected, count=2, area_m2=25 * 100.0**2)
    assert 22 * 30 + 20 in zones[0].cells
    assert 8 * 30 + 8 in zones[1].cells
    assert zones[0].expected > zones[1].expected
    lattice = Lattice.of(grid)
    assert all(is_connected(lattice, zone.cells) for zone in zones)
    assert all(compactness(lattice, zone.cells) > 0.4 for zone in zones)
    assert all(zone.cells.size == 25 for zone in zones)


def test_shapes_are_measured_right(city):
    grid, _ = city
    lattice = Lattice.of(grid)
    square = np.array([r * 30 + c for r in range(3) for c in range(3)])
    assert compactness(lattice, square) == pytest.approx(np.pi / 4)
    assert is_connected(lattice, square)
    assert not is_connected(lattice, np.array([0, 31]))  # corners do not connect
    assert not is_connected(lattice, np.array([29, 30]))  # nor does the end of one row with the start of the next
    assert not is_connected(lattice, np.array([], dtype=np.int64))


def test_off_unless_configured_and_over_when_expired(city):
    grid, surface = city
    assert make_zones(grid, surface((8, 8, 1.0)), None, DAY) == ([], "zones are not configured")
    assert make_zones(grid, surface((8, 8, 1.0)), SPEC, date(2019, 6, 1)) == ([], "zones expired on 2019-06-01")
    for change, match in [
        ({"purpose": " "}, "purpose and an owner"),
        ({"hours": 48}, "72 to 96"),
        ({"count": 5}, "one to four"),
        ({"area_m2": 0.0}, "area_m2"),
    ]:
        base = {"purpose": "a", "owner": "b", "expiry": DAY, "area_m2": 1e4}
        with pytest.raises(ConfigError, match=match):
            ZoneSpec(**{**base, **change})


def test_a_zone_moves_only_when_the_gain_is_worth_it(city):
    grid, surface = city
    first, _ = make_zones(grid, surface((8, 8, 1.0), (22, 20, 2.0)), SPEC, DAY)
    old = [zone.cells for zone in first]
    # the weaker peak moves a little in height: kept; a new place overtakes it: moved, the other one kept
    calm, note = make_zones(grid, surface((8, 8, 1.0), (22, 20, 2.0), (8, 22, 1.05)), SPEC, DAY, old)
    assert [zone.decision for zone in calm] == ["kept", "kept"]
    assert "0 of them" in note
    moved, _ = make_zones(grid, surface((8, 8, 1.0), (22, 20, 2.0), (8, 22, 1.5)), SPEC, DAY, old)
    assert [zone.decision for zone in moved] == ["kept", "moved"]
    assert moved[1].gain == pytest.approx(0.5, abs=0.02)
    assert 8 * 30 + 22 in moved[1].cells


def test_old_zones_that_are_none_any_more_are_dropped(city):
    grid, surface = city
    expected = surface((8, 8, 1.0), (22, 20, 2.0))
    broken = [np.array([0, 5]), np.arange(60), np.array([2000]), np.array([], dtype=np.int64)]
    zones, _ = make_zones(grid, expected, SPEC, DAY, broken)
    assert [zone.decision for zone in zones] == ["new", "new"]


def test_the_audit_log_holds_what_the_next_night_needs(city):
    grid, surface = city
    expected = surface((8, 8, 1.0), (22, 20, 2.0))
    zones, _ = make_zones(grid, expected, SPEC, DAY)
    table = zones_table(grid, zones, SPEC, DAY, expected, factors=["bars x2.0", "vacant lots x1.5"])
    rows = table.to_pylist()
    assert rows[0]["period_start"] == "2019-03-01"
    assert rows[0]["period_end"] == "2019-03-05T00:00:00"
    assert rows[0]["owner"] == "night team"
    assert "bars x2.0" in rows[0]["reason"]
    assert rows[0]["area_m2"] == 250_000
    assert 0 < rows[0]["share_of_city"] < 1
    later, _ = make_zones(grid, expected, SPEC, DAY + timedelta(days=4), zones_from_rows(rows))
    assert [zone.decision for zone in later] == ["kept", "kept"]
    second = zones_table(grid, later, SPEC, DAY + timedelta(days=4), expected).to_pylist()
    assert len(zones_from_rows([*rows, *second])) == 2
    assert zones_from_rows([]) == []
    assert "kept: the best other place" in second[0]["reason"]


def test_a_surface_that_makes_no_sense_is_refused(city):
    grid, surface = city
    with pytest.raises(ModelError, match="finite expected"):
        afresh(grid, np.full(900, np.nan), count=1, area_m2=1e5)
    with pytest.raises(ModelError, match="smaller than a cell"):
        afresh(grid, surface((8, 8, 1.0)), count=1, area_m2=5e3)
    assert afresh(grid, np.zeros(900), count=1, area_m2=1e5) == []


def test_periods_do_not_overlap_and_end_in_time():
    starts = period_starts(date(2019, 1, 1), date(2020, 1, 1), 96)
    assert len(starts) == 91
    assert starts[1] - starts[0] == timedelta(days=4)
    assert starts[-1] + timedelta(days=4) <= date(2020, 1, 1)
    with pytest.raises(ModelError, match="multiple of 24"):
        period_starts(date(2019, 1, 1), date(2020, 1, 1), 80)


def test_a_trial_counts_hits_of_both_sides(city):
    """Incidents fall on one peak; the baseline looks at another: every hit is the zones'."""
    grid, surface = city
    spec = ZoneSpec("trial", "analyst", date(2030, 1, 1), 25 * 100.0**2, count=1)
    starts = period_starts(date(2019, 1, 1), date(2019, 6, 1), 96)
    rng = np.random.default_rng(0)
    days = rng.integers(0, 151, 600)
    row, col = rng.normal(8, 1.0, 600), rng.normal(8, 1.0, 600)
    xy = np.stack([(col + 0.5) * 100, (29 - row + 0.5) * 100], axis=1)
    time = np.datetime64("2019-01-01") + days.astype("timedelta64[D]")
    right, wrong = surface((8, 8, 1.0)), surface((22, 20, 1.0))
    found = zone_trial(grid, spec, starts, lambda _: right, lambda _: wrong, xy, time)
    assert found.baseline_hits.sum() == 0
    assert found.hits.sum() > 0.8 * found.incidents.sum()
    assert found.incidents.sum() == (days < 4 * len(starts)).sum()
    assert 0 < found.low <= found.difference <= found.high
    assert found.moves == found.baseline_moves == 0
    same = zone_trial(grid, spec, starts, lambda _: right, lambda _: right, xy, time)
    assert (same.difference, same.low, same.high) == (0.0, 0.0, 0.0)
    with pytest.raises(ModelError, match="at least 16 periods"):
        zone_trial(grid, spec, starts[:5], lambda _: right, lambda _: wrong, xy, time)
