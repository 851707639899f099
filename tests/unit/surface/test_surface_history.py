"""What was known when, and how the past is counted."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from rtm_pipeline.errors import ModelError
from rtm_pipeline.surface.history import History, refuse_known_after
from rtm_pipeline.units import Window


def days(*texts: str) -> np.ndarray:
    return np.array(texts, "datetime64[s]")


def make(**changes: object) -> History:
    values: dict[str, object] = {
        "cell": np.array([0, 0, 1, 2, -1]),
        "time": days("2017-03-01", "2017-03-01", "2018-06-30T23:59:59", "2018-07-01", "2018-02-02"),
        "known_at": days("2017-04-01", "2017-04-01", "2018-07-01", "2018-08-01", "2018-03-01"),
        "n_cells": 4,
        "incident": np.array([7, 7, 8, 9, 10]),
        "observed": Window(date(2017, 1, 1), date(2019, 1, 1)),
    }
    return History.of(**(values | changes))  # type: ignore[arg-type]


def test_rows_count_offences_and_incidents_count_once():
    year = Window(date(2017, 1, 1), date(2018, 1, 1))
    assert make().rows(year).tolist() == [2, 0, 0, 0]
    assert make().incidents(year).tolist() == [1, 0, 0, 0]


def test_one_incident_in_two_cells_counts_in_both():
    history = make(incident=np.array([7, 8, 9, 9, 10]))
    both = Window(date(2018, 6, 1), date(2018, 8, 1))
    assert history.incidents(both).tolist() == [0, 1, 1, 0]


def test_windows_are_half_open():
    history = make()
    assert history.rows(Window(date(2018, 1, 1), date(2018, 7, 1))).tolist() == [0, 1, 0, 0]
    assert history.rows(Window(date(2018, 7, 1), date(2018, 7, 2))).tolist() == [0, 0, 1, 0]


def test_known_by_leaves_out_what_came_to_light_later():
    known = make().known_by(date(2018, 7, 1))
    assert len(known) == 4  # the row of 1 July was known in August
    assert known.observed == Window(date(2017, 1, 1), date(2018, 7, 1))
    assert len(make().known_by(date(2018, 6, 30))) == 3  # happened in June, known on 1 July


def test_a_row_known_at_the_cutoff_itself_is_known():
    make().known_by(date(2018, 8, 1)).refuse_known_after(date(2018, 8, 1))
    assert len(make().known_by(date(2018, 8, 1))) == 5


def test_late_rows_are_refused_and_told():
    with pytest.raises(ModelError, match=r"1 of 5 rows were not known at the cut-off 2018-07-15 .*2018-08-01"):
        make().refuse_known_after(date(2018, 7, 15))


def test_rows_that_claim_to_be_known_before_they_happened_are_refused():
    liar = make(known_at=days(*["2017-01-01"] * 5))
    with pytest.raises(ModelError, match="happened on or after the cut-off"):
        liar.refuse_known_after(date(2018, 7, 1))


def test_a_row_that_does_not_say_when_it_was_known_is_late():
    with pytest.raises(ModelError, match="1 of 2 rows"):
        refuse_known_after(np.array(["2017-01-01", "NaT"], "datetime64[s]"), date(2018, 1, 1), "requests")


def test_decay_halves_in_a_year_and_counts_like_counts():
    history = make(
        cell=np.array([0, 1]),
        time=days("2018-12-31T12:00", "2017-12-31T12:00"),
        known_at=days("2019-01-01", "2018-01-01"),
        incident=None,
    )
    past = history.decayed(date(2019, 1, 1), 0.5)
    assert past.counts[1] / past.counts[0] == pytest.approx(0.5 ** (365 / 365.25))
    # Weights integrated over two years: (1 - 0.25) / log(2), and their squares: (1 - 0.0625) / (2 log 2).
    scale = ((1 - 0.25) / np.log(2)) / ((1 - 0.0625) / (2 * np.log(2)))
    assert past.counts[0] == pytest.approx(scale * 0.5 ** (0.5 / 365.25), rel=1e-3)
    assert past.years == pytest.approx(scale * 0.75 / np.log(2), rel=1e-3)


def test_decayed_counts_of_a_steady_rate_have_a_variance_equal_to_their_mean():
    rng = np.random.default_rng(5)
    n, rate = 4000, 3.0
    counts = rng.poisson(rate * 4, n)
    cell = np.repeat(np.arange(n), counts)
    time = np.datetime64("2015-01-01", "s") + rng.integers(0, 4 * 365 * 86400, cell.size).astype("timedelta64[s]")
    window = Window(date(2015, 1, 1), date(2018, 12, 31))
    past = History.of(cell, time, time, n, observed=window).decayed(date(2018, 12, 31), 0.6)
    assert past.counts.var() / past.counts.mean() == pytest.approx(1.0, abs=0.08)
    assert past.counts.mean() == pytest.approx(rate * past.years, rel=0.02)


def test_without_decay_the_past_is_the_counts():
    past = make().decayed(date(2019, 1, 1), 1.0, by_row=True)
    assert past.counts.tolist() == [2, 1, 1, 0]
    assert past.years == pytest.approx(730 / 365.25)


def test_before_any_history_the_past_is_empty():
    past = make().decayed(date(2016, 1, 1), 0.7)
    assert past.counts.tolist() == [0, 0, 0, 0]
    assert past.years == 0


def test_gaps_are_not_observed():
    gap = Window(date(2018, 1, 1), date(2019, 1, 1))
    history = make(gaps=(gap,))
    assert history.decayed(date(2019, 1, 1), 1.0, by_row=True).counts.tolist() == [2, 0, 0, 0]
    assert not history.covers(Window(date(2017, 6, 1), date(2018, 6, 1)))
    assert history.covers(Window(date(2017, 6, 1), date(2018, 1, 1)))
    assert history.days().size == 365


def test_the_record_begins_where_rows_begin_in_earnest():
    rng = np.random.default_rng(0)
    time = np.datetime64("2016-03-01", "s") + rng.integers(0, 600 * 86400, 3000).astype("timedelta64[s]")
    time[:4] = days("1999-01-01", "2009-05-05", "2015-12-31", "2015-12-31")
    history = History.of(np.zeros(3000, int), time, time, 1, cutoff=date(2018, 1, 1))
    assert history.observed == Window(date(2016, 3, 1), date(2018, 1, 1))


def test_nothing_recorded_is_a_history_too():
    nothing = np.array([], "datetime64[s]")
    history = History.of(np.array([], int), nothing, nothing, 3, cutoff=date(2018, 1, 1))
    assert history.decayed(date(2018, 1, 1), 0.7).total == 0


@pytest.mark.parametrize("decay", [0.0, -0.1, 1.01])
def test_a_decay_outside_its_range_is_refused(decay: float):
    with pytest.raises(ModelError, match="decay must lie in"):
        make().decayed(date(2019, 1, 1), decay)


def test_cells_beyond_the_grid_are_refused():
    with pytest.raises(ModelError, match=r"-1 \.\. 3; found -1 \.\. 4"):
        make(cell=np.array([0, 0, 1, 4, -1]))


def test_columns_of_unequal_length_are_refused():
    with pytest.raises(ModelError, match="one length"):
        make(cell=np.array([0, 0]))
