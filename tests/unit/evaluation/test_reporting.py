"""Repeats against brute force; reporting rates that were planted are found."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from rtm_pipeline.errors import ModelError
from rtm_pipeline.evaluation.reporting import reporting_rates
from rtm_pipeline.layers.repeats import link_repeats

START = np.datetime64("2018-01-01", "s")


def brute(x, y, time, category, radius, days):
    """One by one, in order of time: the nearest open incident of the same kind, or a new one."""
    link = np.full(time.size, -1)
    firsts: list[int] = []
    for i in np.lexsort((np.arange(time.size), time)):
        best = None
        for j in firsts:
            age = (time[i] - time[j]) / np.timedelta64(1, "D")
            distance = np.hypot(x[i] - x[j], y[i] - y[j])
            if category[j] == category[i] and age <= days and distance <= radius:
                key = (distance, time[j], j)
                best = min(best, key) if best else key
        if best:
            link[i] = best[2]
        else:
            firsts.append(i)
    return link


@pytest.mark.parametrize("seed", range(6))
def test_links_are_those_of_going_through_one_by_one(seed: int):
    rng = np.random.default_rng(seed)
    n = 400
    x, y = rng.uniform(0, 600, n), rng.uniform(0, 600, n)
    time = np.sort(START + rng.integers(0, 200 * 86400, n).astype("timedelta64[s]"))
    category = rng.integers(0, 3, n)
    found = link_repeats(x, y, time, category, unit_m=1.0)
    np.testing.assert_array_equal(found, brute(x, y, time, category, 50.0, 30.0))
    assert (found >= 0).sum() > 20


def test_links_do_not_hang_on_row_order():
    rng = np.random.default_rng(9)
    x, y = rng.uniform(0, 300, 200), rng.uniform(0, 300, 200)
    time = START + rng.permutation(200 * 20000)[:200].astype("timedelta64[s]")
    category = np.zeros(200, int)
    order = rng.permutation(200)
    plain = link_repeats(x, y, time, category, unit_m=1.0)
    shuffled = link_repeats(x[order], y[order], time[order], category, unit_m=1.0)
    back = np.full(200, -1)
    back[order] = np.where(shuffled >= 0, order[shuffled], -1)
    np.testing.assert_array_equal(back, plain)


def test_reach_is_in_meters_and_days_and_of_one_kind():
    feet = 50 / 0.3048
    x = np.array([0.0, feet - 0.1, 0.0, 0.0, np.nan, feet + 0.1])
    days = np.array([0, 10, 31, 1, 2, 12])
    link = link_repeats(
        x, np.zeros(6), START + days.astype("timedelta64[D]"), np.array([0, 0, 0, 1, 0, 0]), unit_m=0.3048
    )
    # Row 5 lies beyond reach of row 0 and near row 1, which is a repeat and begins nothing.
    assert link.tolist() == [-1, 0, -1, -1, -1, -1]


def test_a_chain_does_not_stretch_an_incident():
    days = np.array([0, 20, 40])
    link = link_repeats(np.zeros(3), np.zeros(3), START + days.astype("timedelta64[D]"), np.zeros(3, int), unit_m=1.0)
    assert link.tolist() == [-1, 0, -1]  # the third is 40 days after the first report


def test_undated_rows_are_let_be():
    time = np.array(["NaT", "2018-01-01", "2018-01-02"], "datetime64[s]")
    link = link_repeats(np.zeros(3), np.zeros(3), time, np.zeros(3, int), unit_m=1.0)
    assert link.tolist() == [-1, -1, 1]


def reports(rates: np.ndarray, incidents: int, seed: int, lifetime: float = 30.0):
    """Incidents in every group; people report each at the group's rate a day while it lasts."""
    rng = np.random.default_rng(seed)
    rows = []
    for group, rate in enumerate(rates):
        for k in range(incidents):
            place = 1e5 * group + 200.0 * k
            start = rng.uniform(0, 320)
            when = start + np.cumsum(rng.exponential(1 / rate, 200))
            rows += [(group, place, t, start + lifetime) for t in when[when < start + lifetime]]
    group, place, t, end = (np.array(column) for column in zip(*rows, strict=True))
    return group.astype(int), place, instants(t), instants(end)


def instants(days: np.ndarray) -> np.ndarray:
    return START + (days * 86400).astype("timedelta64[s]")


def estimate(rates: np.ndarray, incidents: int, seed: int = 0):
    group, place, time, end = reports(rates, incidents, seed)
    link = link_repeats(place, np.zeros(place.size), time, np.zeros(place.size, int), unit_m=1.0)
    return reporting_rates(link, time, group, rates.size, date(2019, 3, 1), ceased=end), link


def test_a_threefold_difference_is_found():
    rates = np.array([0.02] * 5 + [0.06] * 5)
    found, _ = estimate(rates, 250)
    assert found.corrected
    assert found.differs
    ratio = found.rate_per_day[5:].mean() / found.rate_per_day[:5].mean()
    assert ratio == pytest.approx(3.0, rel=0.25)
    # Reported shares are 1 - exp(-0.6) = 0.45 and 1 - exp(-1.8) = 0.83 of 250: corrected counts agree again.
    corrected = found.incidents * found.weight
    assert found.incidents[5:].mean() / found.incidents[:5].mean() > 1.5
    assert corrected[5:].mean() / corrected[:5].mean() == pytest.approx(1.0, abs=0.2)
    assert np.sum(corrected) == pytest.approx(found.incidents.sum())


def test_equal_rates_are_not_blamed():
    blamed = sum(estimate(np.full(10, 0.03), 120, seed)[0].differs for seed in range(12))
    assert blamed <= 2
    assert estimate(np.full(10, 0.03), 120)[0].spread < 1.6


def test_too_few_repeats_make_no_correction_and_say_so():
    found, link = estimate(np.full(4, 0.02), 20)
    assert (link >= 0).sum() < 50
    assert not found.corrected
    assert found.weight.tolist() == [1.0] * 4
    assert found.p_value is None
    assert "no correction" in found.reason


def test_closed_incidents_are_not_watched_longer():
    group, place, time, end = reports(np.full(6, 0.05), 200, 1, lifetime=10.0)
    link = link_repeats(place, np.zeros(place.size), time, np.zeros(place.size, int), unit_m=1.0)
    blind = reporting_rates(link, time, group, 6, date(2019, 2, 1))
    knowing = reporting_rates(link, time, group, 6, date(2019, 2, 1), ceased=end)
    assert blind.rate_per_day.mean() < 0.02  # watched for 30 days, though nothing was there to report after ten
    assert knowing.rate_per_day.mean() == pytest.approx(0.05, rel=0.12)


def test_lengths_must_agree():
    with pytest.raises(ModelError, match="same requests"):
        reporting_rates(np.array([-1]), np.array([START, START]), np.array([0]), 1, date(2019, 1, 1))
