"""What surroundings say, against brute force; and how much they are listened to."""

from __future__ import annotations

import numpy as np
import pytest
from support.cells import made_city, partial_grid, square_grid

from rtm_pipeline.surface.cascade import CascadeWindow, bandwidth_ladder, cascade, fit_strengths


def test_the_ladder_halves_from_a_neighborhood_to_the_cell():
    for cell_m in (30.48, 76.2, 152.4, 600.0):
        ladder = np.array(bandwidth_ladder(square_grid(4, cell_m=cell_m)))
        assert np.all(ladder[:-1] / ladder[1:] == 2.0)
        assert ladder[-1] * cell_m == pytest.approx(max(60.0, 0.8 * cell_m))
        assert ladder[0] * cell_m <= max(1000.0, 0.8 * cell_m) + 1e-9
    assert len(bandwidth_ladder(square_grid(4, cell_m=5000.0))) == 1


def test_one_step_is_the_shrunk_ratio_of_found_to_expected_without_the_cell_itself():
    grid = partial_grid(9, 11)
    rng = np.random.default_rng(0)
    prior, past = rng.gamma(1.0, 0.4, grid.n_cells) + 0.01, rng.poisson(0.4, grid.n_cells).astype(float)
    sigma, strength = 1.3, 2.5
    mean, logs = cascade(grid, prior, past, (sigma,), (strength,))
    dr = grid.rows[:, None].astype(float) - grid.rows[None, :]
    dc = grid.cols[:, None].astype(float) - grid.cols[None, :]
    radius = np.ceil(4 * sigma)
    kernel = np.exp(-0.5 * (dr**2 + dc**2) / sigma**2) * ((abs(dr) <= radius) & (abs(dc) <= radius))
    np.fill_diagonal(kernel, 0.0)  # in units of the peak, which is 1
    expected = (strength + kernel @ past) / (strength + kernel @ prior)
    np.testing.assert_allclose(np.exp(logs[:, 0]), expected, rtol=1e-9)
    np.testing.assert_allclose(mean, prior * expected, rtol=1e-9)


def test_without_a_past_surroundings_say_nothing_above_one():
    grid = square_grid(12)
    mean, logs = cascade(grid, np.full(144, 1e-9), np.zeros(144), (4.0, 2.0, 1.0), (1.0, 1.0, 1.0))
    np.testing.assert_allclose(logs, 0.0, atol=1e-6)
    np.testing.assert_allclose(mean, 1e-9, rtol=1e-6)


def test_an_edge_does_not_bias_the_ratio():
    grid = square_grid(20)
    _, logs = cascade(grid, np.full(400, 3.0), np.full(400, 3.0), (6.0, 3.0, 1.5), (1.0, 1.0, 1.0))
    np.testing.assert_allclose(logs, 0.0, atol=1e-12)


def test_smooth_cities_listen_and_patternless_ones_do_not():
    city = made_city(48, years=2, per_year=2500, shape=5.0, seed=4)
    rng = np.random.default_rng(1)
    past, future = rng.poisson(city.rates).astype(float), rng.poisson(city.rates).astype(float)
    flat = np.full(past.size, past.sum() / past.size)
    ladder = (8.0, 4.0, 2.0, 1.0)
    smooth = fit_strengths(city.grid, (CascadeWindow(flat, past, future),), ladder)
    mixed = rng.permutation(past.size)
    noise = fit_strengths(city.grid, (CascadeWindow(flat, past[mixed], future[rng.permutation(past.size)]),), ladder)
    assert min(smooth) < 5.0
    assert min(noise) > 50.0
