"""Small cities of any kind: nothing breaks, all is sane, and the forecast is no worse than simple counting."""

from __future__ import annotations

import numpy as np
import pytest
from support.cells import made_city, square_grid

from rtm_pipeline.evaluation.baseline import choose_baseline
from rtm_pipeline.evaluation.calibration import calibrate
from rtm_pipeline.evaluation.compare import mean_log_pai
from rtm_pipeline.evaluation.residuals import moran, pearson_residuals
from rtm_pipeline.grid.blocks import spatial_blocks
from rtm_pipeline.surface.forecast import forecast
from rtm_pipeline.surface.past import past_surfaces


@pytest.mark.parametrize("cell_m", [30.48, 76.2, 152.4, 304.8])
@pytest.mark.parametrize(("per_year", "years"), [(0, 2), (1, 2), (20, 3), (300, 10)])
def test_three_hundred_cells(cell_m: float, per_year: int, years: int):
    city = made_city(17, years=years, per_year=per_year, seed=per_year)
    grid = square_grid(17, cell_m=cell_m)
    found = forecast(grid, city.history, (), city.cutoff, city.next_year)
    past = len(city.history)
    assert np.isfinite(found.expected).all()
    assert (found.expected > 0).all()
    assert (found.low <= found.high).all()
    assert found.expected.sum() == pytest.approx(past / years, rel=0.5, abs=1.0)
    choice = choose_baseline(grid, city.history, city.cutoff)
    assert choice.name in ("counts_1y", "counts_2y", "counts_decayed", "kde")
    rules = past_surfaces(grid, city.history, city.cutoff)
    assert set(rules.surfaces) | set(rules.missing) == {"counts_1y", "counts_2y", "counts_decayed", "kde", "uniform"}
    observed = city.outcome(0)
    moran(grid, pearson_residuals(observed, found.expected, found.variance), permutations=0)
    assert calibrate(observed, found.posterior, found.scale).expected == pytest.approx(found.expected.sum(), rel=1e-6)
    assert spatial_blocks(grid, 4 * cell_m).max() >= 15


def test_over_seeds_the_forecast_is_ahead_of_the_chosen_rule():
    leads = []
    for seed in range(4):
        city = made_city(30, years=3, per_year=400, seed=seed)
        ahead = forecast(city.grid, city.history, city.vintages, city.cutoff, city.next_year)
        rules = past_surfaces(city.grid, city.history, city.cutoff)
        chosen = choose_baseline(city.grid, city.history, city.cutoff).name
        exact = city.rates * 1000  # the true rates, not one outcome
        leads.append(mean_log_pai(exact, ahead.expected) - mean_log_pai(exact, rules.surfaces[chosen]))
    assert np.mean(leads) > 0.003
    assert min(leads) > -0.02
