"""Baselines: what they count, and that their settings rest on earlier periods only."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from support.cells import START, MadeCity, made_city, square_grid

from rtm_pipeline.errors import ModelError
from rtm_pipeline.surface.history import History
from rtm_pipeline.surface.lattice import smooth
from rtm_pipeline.surface.past import choose_bandwidth, choose_decay, past_surfaces
from rtm_pipeline.surface.windows import Features, features_for, training_windows
from rtm_pipeline.units import Window


@pytest.fixture(scope="module")
def city() -> MadeCity:
    return made_city(40, years=4, per_year=1500)


def test_surfaces_count_what_they_say(city: MadeCity):
    found = past_surfaces(city.grid, city.history, city.cutoff, decay=(0.5, "given"), bandwidth=(2.0, "given"))
    year = Window(date(2017, 12, 31), city.cutoff)  # 2016 has 366 days, the made years 365
    assert city.cutoff == date(2018, 12, 31)
    np.testing.assert_array_equal(found.surfaces["counts_1y"], city.history.rows(year))
    two = Window(date(2016, 12, 31), city.cutoff)
    np.testing.assert_array_equal(found.surfaces["counts_2y"], city.history.rows(two))
    everything = city.history.rows(city.history.observed).astype(float)
    np.testing.assert_allclose(found.surfaces["kde"], smooth(city.grid, everything, 2.0))
    np.testing.assert_array_equal(found.surfaces["uniform"], city.grid.exposure)
    assert found.missing == {}


def test_short_history_leaves_baselines_out_with_the_reason(city: MadeCity):
    short = city.history.known_by(START + timedelta(days=500))
    found = past_surfaces(city.grid, short, START + timedelta(days=500))
    assert "counts_2y" not in found.surfaces
    assert "the record covers [2015-01-01, 2016-05-15)" in found.missing["counts_2y"]
    assert "counts_1y" in found.surfaces


def test_no_history_leaves_only_the_uniform_surface():
    nothing = np.array([], "datetime64[s]")
    empty = History.of(np.array([], int), nothing, nothing, 25, cutoff=date(2018, 1, 1))
    found = past_surfaces(square_grid(5), empty, date(2018, 1, 1))
    assert set(found.surfaces) == {"uniform"}
    assert set(found.missing) == {"counts_1y", "counts_2y", "counts_decayed", "kde"}


def test_a_planted_leak_is_refused(city: MadeCity):
    with pytest.raises(ModelError, match="not known at the cut-off"):
        past_surfaces(city.grid, city.history, city.cutoff - timedelta(days=30))


def test_too_few_years_assume_a_decay_and_say_so(city: MadeCity):
    day = START + timedelta(days=800)
    decay, reason = choose_decay(city.history.known_by(day), day)
    assert decay == 0.7
    assert "2.2 years on record" in reason
    assert "assumed" in reason


def test_steady_rates_keep_the_past_and_drifting_ones_forget_it(city: MadeCity):
    steady, _ = choose_decay(city.history, city.cutoff)
    drifting = made_city(40, years=6, per_year=6000, drift=0.9, seed=2)
    forgetful, reason = choose_decay(drifting.history, drifting.cutoff)
    assert steady >= 0.9
    assert forgetful <= 0.6
    assert reason.startswith("lowest held-out deviance")


def test_settings_do_not_look_beyond_the_cutoff(city: MadeCity):
    day = START + timedelta(days=3 * 365)
    at_the_time = city.history.known_by(day)
    assert choose_decay(city.history, day) == choose_decay(at_the_time, day)
    assert choose_bandwidth(city.grid, city.history, day) == choose_bandwidth(city.grid, at_the_time, day)


def test_smooth_rates_get_a_wide_kernel_and_hot_cells_a_narrow_one():
    hot = made_city(40, years=2, per_year=4000, shape=0.15, seed=3)
    smooth_city = made_city(40, years=2, per_year=250, shape=50.0, seed=3)
    narrow, _ = choose_bandwidth(hot.grid, hot.history, hot.cutoff)
    wide, _ = choose_bandwidth(smooth_city.grid, smooth_city.history, smooth_city.cutoff)
    assert narrow <= 1.25
    assert wide >= 2.0


def test_training_windows_roll_back_from_the_cutoff(city: MadeCity):
    windows = training_windows(city.history, city.cutoff)
    assert [w.end for w in windows] == [city.cutoff, date(2017, 12, 31), date(2016, 12, 31)]
    assert all(w.start >= date(2015, 7, 1) for w in windows)
    half = training_windows(city.history.known_by(date(2016, 1, 1)), date(2016, 1, 1))
    assert half == (Window(date(2015, 7, 2), date(2016, 1, 1)),)
    assert training_windows(city.history.known_by(date(2015, 3, 1)), date(2015, 3, 1)) == ()


def test_training_windows_need_incidents():
    few = made_city(20, years=3, per_year=20)
    assert training_windows(few.history, few.cutoff) == ()


def test_the_newest_known_features_are_taken():
    values = np.zeros((4, 1), np.float32)
    vintages = tuple(Features(date(y, 1, 1), values, ("a",), ("a",)) for y in (2016, 2018, 2017))
    assert features_for(vintages, date(2017, 12, 31)).known_at == date(2017, 1, 1)  # type: ignore[union-attr]
    assert features_for(vintages, date(2018, 1, 1)).known_at == date(2018, 1, 1)  # type: ignore[union-attr]
    assert features_for(vintages, date(2015, 1, 1)) is None


def test_features_must_be_named_and_finite():
    with pytest.raises(ModelError, match="one name and one factor a column"):
        Features(date(2018, 1, 1), np.zeros((4, 2), np.float32), ("a",), ("a",))
    with pytest.raises(ModelError, match="infinite"):
        Features(date(2018, 1, 1), np.full((4, 1), np.inf, np.float32), ("a",), ("a",))


def test_rounding_of_areas_does_not_rank_cells():
    """Limits in another CRS leave cells that are wholly inside with 0.99999999 of their area; they are equals."""
    city = made_city(20, per_year=200, seed=1)
    noise = 1.0 - np.random.default_rng(0).uniform(0, 1e-9, 400)
    grid = replace(city.grid, exposure=np.where(np.arange(400) < 5, 0.4, noise))
    uniform = past_surfaces(grid, city.history, city.cutoff).surfaces["uniform"]
    assert np.unique(uniform).tolist() == [0.4, 1.0]
