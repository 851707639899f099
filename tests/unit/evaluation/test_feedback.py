"""A self-exciting record is told from chance and from regression to the mean."""

from __future__ import annotations

import numpy as np
import pytest
from support.cells import made_city

from rtm_pipeline.errors import ModelError
from rtm_pipeline.evaluation.feedback import Feedback, feedback_at_the_line
from rtm_pipeline.surface.forecast import forecast


def at_the_line(loop: float, seed: int) -> Feedback:
    """A forecast is published; what is recorded in the year after rises by ``loop`` in its top 5 %."""
    city = made_city(60, years=2, per_year=2500, seed=seed)
    published = forecast(city.grid, city.history, (), city.cutoff, city.next_year).expected
    flagged = published >= np.sort(published)[::-1][round(0.05 * published.size) - 1]
    after = np.random.default_rng(seed + 100).poisson(city.rates * np.where(flagged, 1.0 + loop, 1.0))
    return feedback_at_the_line(published, after)


@pytest.mark.parametrize("seed", range(3))
def test_a_loop_shows_at_the_line_of_the_priority_area(seed: int):
    found = at_the_line(1.0, seed)
    assert found.detected
    assert found.ratio == pytest.approx(2.0, rel=0.4)


@pytest.mark.parametrize("seed", range(3))
def test_a_good_forecast_is_no_loop(seed: int):
    """Flagged cells have far more than unflagged ones with as many incidents before: that is what a forecast is for."""
    found = at_the_line(0.0, seed)
    assert not found.detected
    assert found.ratio == pytest.approx(1.0, abs=0.45)


def test_the_line_is_seldom_blamed():
    blamed = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        expected = rng.gamma(0.5, 1.0, 4000) + 0.01
        blamed += feedback_at_the_line(expected, rng.poisson(expected * rng.gamma(2.0, 0.5, 4000))).detected
    assert blamed <= 6  # 2 are expected at 1 %


def test_a_sparse_record_is_not_judged_at_the_line():
    found = feedback_at_the_line(np.linspace(1, 2, 400), np.zeros(400, int))
    assert (found.ratio, found.detected) == (None, False)
    with pytest.raises(ModelError, match="same cells"):
        feedback_at_the_line(np.ones(3), np.ones(4, int))
