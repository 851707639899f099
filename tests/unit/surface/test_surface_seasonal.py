"""The seasonal profile: a season is found, a trend is not taken for one."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from rtm_pipeline.surface.history import History
from rtm_pipeline.surface.seasonal import SeasonalProfile, annual_level
from rtm_pipeline.units import Window


def history_of(rate_of_day, start: date, end: date, seed: int = 0) -> History:
    rng = np.random.default_rng(seed)
    days = np.arange(np.datetime64(start), np.datetime64(end))
    counts = rng.poisson([rate_of_day(day) for day in days.astype(object)])
    time = np.repeat(days, counts).astype("datetime64[s]")
    return History.of(np.zeros(time.size, int), time, time, 1, observed=Window(start, end))


def test_a_flat_profile_splits_a_year_by_days():
    flat = SeasonalProfile()
    assert flat.years(Window(date(2019, 1, 1), date(2020, 1, 1))) == pytest.approx(365 / 365.25)
    assert flat.years(Window(date(2019, 3, 4), date(2019, 3, 7))) == pytest.approx(3 / 365.25)


def test_summer_and_weekends_are_found():
    def rate(day: date) -> float:
        return 12.0 * (1.5 if day.month in (6, 7, 8) else 1.0) * (1.4 if day.weekday() >= 5 else 1.0)

    profile = SeasonalProfile.estimate(history_of(rate, date(2014, 1, 1), date(2019, 1, 1)), date(2019, 1, 1))
    summer = np.mean([profile.month[m] for m in (5, 6, 7)])
    rest = np.mean([profile.month[m] for m in (0, 1, 2, 3, 4, 8, 9, 10, 11)])
    assert summer / rest == pytest.approx(1.5, rel=0.06)
    assert np.mean(profile.weekday[5:]) / np.mean(profile.weekday[:5]) == pytest.approx(1.4, rel=0.05)
    assert profile.weekday.index(max(profile.weekday)) in (5, 6)


def test_parts_of_a_year_sum_to_the_year():
    def rate(day: date) -> float:
        return 9.0 + day.month

    profile = SeasonalProfile.estimate(history_of(rate, date(2015, 1, 1), date(2019, 1, 1)), date(2019, 1, 1))
    halves = profile.years(Window(date(2019, 1, 1), date(2019, 7, 1))) + profile.years(
        Window(date(2019, 7, 1), date(2020, 1, 1))
    )
    assert halves == pytest.approx(profile.years(Window(date(2019, 1, 1), date(2020, 1, 1))))
    assert halves == pytest.approx(1.0, abs=0.005)


def test_a_falling_trend_is_no_season():
    def rate(day: date) -> float:
        return {2016: 24.0, 2017: 17.0, 2018: 12.0}[day.year]

    profile = SeasonalProfile.estimate(history_of(rate, date(2016, 7, 1), date(2018, 7, 1)), date(2018, 7, 1))
    # Without an effect of the years, July to December (2016 and 2017) would stand at 20.5 against 14.5.
    late, early = np.mean(profile.month[6:]), np.mean(profile.month[:6])
    assert late / early == pytest.approx(1.0, abs=0.12)


def test_little_data_leaves_the_profile_flat():
    few = history_of(lambda day: 0.1, date(2016, 1, 1), date(2018, 1, 1))
    profile = SeasonalProfile.estimate(few, date(2018, 1, 1))
    assert max(profile.month) < 1.25
    assert min(profile.month) > 0.75
    under_a_year = history_of(lambda day: 9.0, date(2017, 7, 1), date(2018, 1, 1))
    assert SeasonalProfile.estimate(under_a_year, date(2018, 1, 1)).month == (1.0,) * 12


def test_the_level_weighs_newer_years_more():
    def rate(day: date) -> float:
        return 20.0 if day.year == 2017 else 10.0

    history = history_of(rate, date(2017, 1, 1), date(2019, 1, 1))
    level = annual_level(history, date(2019, 1, 1), 0.5, SeasonalProfile())
    assert level == pytest.approx(365.25 * (10 * 1.0 + 20 * 0.5) / 1.5, rel=0.03)


def test_the_level_of_part_of_a_year_allows_for_the_season():
    def rate(day: date) -> float:
        return 300.0 if day.month >= 7 else 100.0

    months = tuple([0.5] * 6 + [1.5] * 6)
    half = history_of(rate, date(2018, 1, 1), date(2018, 7, 1), seed=1)
    assert annual_level(half, date(2018, 7, 1), 1.0, SeasonalProfile(month=months)) == pytest.approx(73050, rel=0.02)


def test_the_level_makes_up_for_rows_without_a_place():
    history = history_of(lambda day: 10.0, date(2017, 1, 1), date(2019, 1, 1))
    plain = annual_level(history, date(2019, 1, 1), 1.0, SeasonalProfile())
    corrected = annual_level(history, date(2019, 1, 1), 1.0, SeasonalProfile(), {2017: 0.8})
    assert corrected / plain == pytest.approx((1 / 0.8 + 1) / 2, rel=0.02)


def test_no_incident_promises_almost_none():
    nothing = History.of(
        np.array([], int),
        np.array([], "datetime64[s]"),
        np.array([], "datetime64[s]"),
        1,
        observed=Window(date(2016, 1, 1), date(2018, 1, 1)),
    )
    assert 0 < annual_level(nothing, date(2018, 1, 1), 0.7, SeasonalProfile()) <= 0.5


def told_late(start: date, cutoff: date, a_day: float, *, by_month: bool) -> History:
    """A steady record whose rows become known a week later, or with the file of their month."""
    whole = history_of(lambda day: a_day, start, cutoff)
    if by_month:
        known = (whole.time.astype("datetime64[M]") + 1).astype("datetime64[s]")
    else:
        known = whole.time + np.timedelta64(7, "D")
    seen = known <= np.datetime64(cutoff)
    return History.of(whole.cell[seen], whole.time[seen], known[seen], 1, observed=Window(start, cutoff))


@pytest.mark.parametrize(("by_month", "first_silent"), [(True, date(2018, 12, 1)), (False, date(2018, 12, 23))])
def test_days_that_are_not_told_yet_are_no_quiet_days(by_month: bool, first_silent: date):
    cutoff = date(2018, 12, 29)
    history = told_late(date(2017, 1, 1), cutoff, 12.0, by_month=by_month)
    assert history.told_by(cutoff).observed.end == first_silent
    profile = SeasonalProfile.estimate(history, cutoff)
    assert min(profile.month) > 0.93
    assert annual_level(history, cutoff, 0.7, profile) == pytest.approx(12.0 * 365.25, rel=0.02)


def test_a_record_that_is_told_to_the_end_is_not_cut():
    history = history_of(lambda day: 12.0, date(2017, 1, 1), date(2019, 1, 1))
    assert history.told_by(date(2019, 1, 1)).observed == history.observed
    halved = history_of(lambda day: 12.0 if day < date(2018, 11, 1) else 5.0, date(2017, 1, 1), date(2019, 1, 1))
    assert halved.told_by(date(2019, 1, 1)).observed == halved.observed


def test_silence_is_believed_where_incidents_are_few_or_it_lasts():
    start, end = date(2016, 1, 1), date(2019, 1, 1)
    few = history_of(lambda day: 20 / 365 if day < date(2018, 11, 1) else 0.0, start, end)
    assert few.told_by(end).observed.end == end
    stopped = history_of(lambda day: 3.0 if day < date(2018, 1, 1) else 0.0, start, end)
    assert stopped.told_by(end).observed.end == end
    assert annual_level(stopped, end, 0.7, SeasonalProfile()) < 0.7 * 3.0 * 365.25


def test_a_record_that_knows_the_month_only_is_not_cut():
    """Every row stands on the first of its month: the silence after it is as long as all before."""
    steady = history_of(lambda day: 12.0, date(2016, 1, 1), date(2019, 1, 1))
    first = steady.time.astype("datetime64[M]").astype("datetime64[s]")
    coarse = History.of(steady.cell, first, first, 1, observed=steady.observed)
    assert coarse.told_by(date(2019, 1, 1)).observed.end == date(2019, 1, 1)
    level = annual_level(coarse, date(2019, 1, 1), 1.0, SeasonalProfile.estimate(coarse, date(2019, 1, 1)))
    assert level == pytest.approx(12.0 * 365.25, rel=0.02)


def test_no_record_is_told_as_it_is():
    nothing = np.array([], "datetime64[s]")
    empty = History.of(np.array([], int), nothing, nothing, 3, cutoff=date(2018, 1, 1))
    assert empty.told_by(date(2018, 1, 1)).observed == empty.observed
    assert annual_level(empty, date(2018, 1, 1), 0.7, SeasonalProfile()) == 0.5
