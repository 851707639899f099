"""Smoothing against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from support.cells import partial_grid, square_grid

from rtm_pipeline.errors import ModelError
from rtm_pipeline.surface import lattice
from rtm_pipeline.surface.lattice import kernel_peak, smooth


def brute(grid, values, sigma):
    """Sum of a separable, truncated, normalized Gaussian over all pairs of cells."""
    radius = max(1, int(np.ceil(4 * sigma)))
    norm = sum(np.exp(-0.5 * (k / sigma) ** 2) for k in range(-radius, radius + 1))
    dr = grid.rows[:, None].astype(float) - grid.rows[None, :]
    dc = grid.cols[:, None].astype(float) - grid.cols[None, :]
    near = (np.abs(dr) <= radius) & (np.abs(dc) <= radius)
    weights = np.where(near, np.exp(-0.5 * (dr**2 + dc**2) / sigma**2), 0.0) / norm**2
    return weights @ values


@pytest.mark.parametrize("sigma", [0.8, 1.7, 4.0])
def test_smoothing_equals_the_sum_over_all_pairs(sigma: float):
    grid = partial_grid(17, 23)
    values = np.random.default_rng(1).poisson(0.7, grid.n_cells).astype(float)
    np.testing.assert_allclose(smooth(grid, values, sigma), brute(grid, values, sigma), rtol=1e-10, atol=1e-13)


def test_wide_kernels_by_fourier_transform_equal_direct_ones(monkeypatch: pytest.MonkeyPatch):
    grid = partial_grid(40, 61)
    values = np.random.default_rng(2).poisson(0.3, grid.n_cells).astype(float)
    direct = smooth(grid, values, 5.0)
    monkeypatch.setattr(lattice, "_DIRECT_RADIUS", 3)
    fourier = smooth(grid, values, 5.0)
    np.testing.assert_allclose(fourier, direct, rtol=1e-9, atol=1e-13)
    assert fourier.min() >= 0


def test_a_kernel_wider_than_the_grid_works():
    grid = square_grid(6, 9)
    values = np.ones(54)
    np.testing.assert_allclose(smooth(grid, values, 30.0), brute(grid, values, 30.0), rtol=1e-8)


def test_the_peak_is_what_a_lone_cell_keeps():
    grid = square_grid(31)
    values = np.zeros(grid.n_cells)
    values[15 * 31 + 15] = 1.0
    assert smooth(grid, values, 2.5)[15 * 31 + 15] == pytest.approx(kernel_peak(2.5))


def test_a_bandwidth_must_be_positive():
    with pytest.raises(ModelError, match="positive number of cells"):
        smooth(square_grid(3), np.ones(9), 0.0)
