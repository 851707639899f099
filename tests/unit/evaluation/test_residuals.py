"""Moran's I against the double sum over all pairs; power and level of its test."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from support.cells import partial_grid, square_grid

from rtm_pipeline.errors import ModelError
from rtm_pipeline.evaluation.backtest import _residual_moran
from rtm_pipeline.evaluation.residuals import moran, pearson_residuals


@pytest.mark.parametrize("standardized", [True, False])
def test_the_statistic_is_the_double_sum(standardized: bool):
    grid = partial_grid(11, 13)
    x = np.random.default_rng(1).normal(size=grid.n_cells)
    w = (np.abs(grid.rows[:, None] - grid.rows) <= 1) & (np.abs(grid.cols[:, None] - grid.cols) <= 1)
    w = w.astype(float)
    np.fill_diagonal(w, 0.0)
    degree = w.sum(axis=1)
    if standardized:
        w[degree > 0] /= degree[degree > 0][:, None]
    z = x - x.mean()
    cells = int((degree > 0).sum())
    expected = cells / w.sum() * (z @ w @ z) / (z @ z)
    found = moran(grid, x, row_standardized=standardized, permutations=0)
    assert found.statistic == pytest.approx(expected, rel=1e-10)
    assert found.cells == cells


def test_the_variance_is_that_of_permutations():
    grid = square_grid(15)
    x = np.random.default_rng(2).gamma(0.5, 1.0, 225)
    found = moran(grid, x, permutations=0)
    rng = np.random.default_rng(3)
    drawn = [moran(grid, rng.permutation(x), permutations=0).statistic for _ in range(1500)]
    assert np.mean(drawn) == pytest.approx(found.expectation, abs=0.004)
    assert np.var(drawn) == pytest.approx(found.variance, rel=0.12)


def test_smooth_residuals_are_found_and_noise_is_not():
    grid = square_grid(30)
    rng = np.random.default_rng(4)
    smooth = ndimage.gaussian_filter(rng.normal(size=(30, 30)), 1.0).ravel()
    found = moran(grid, smooth)
    assert found.p_permutation == 0.01
    assert found.z > 10
    noise = [moran(grid, rng.normal(size=900), permutations=0).p_normal for _ in range(60)]
    assert np.mean(np.array(noise) < 0.1) < 0.25


def test_pearson_residuals_have_unit_variance():
    rng = np.random.default_rng(5)
    mean = rng.gamma(2.0, 1.0, 5000) + 0.2
    assert pearson_residuals(rng.poisson(mean), mean).var() == pytest.approx(1.0, abs=0.08)
    doubled = pearson_residuals(rng.poisson(mean), mean, 4.0 * mean)
    assert doubled.var() == pytest.approx(0.25, abs=0.03)
    with pytest.raises(ModelError, match="positive variance"):
        pearson_residuals(np.array([0.0]), np.array([0.0]))


def test_what_is_not_defined_is_refused():
    with pytest.raises(ModelError, match="all values are equal"):
        moran(square_grid(5), np.ones(25))
    with pytest.raises(ModelError, match="one finite value a cell"):
        moran(square_grid(5), np.r_[np.nan, np.arange(24.0)])
    with pytest.raises(ModelError, match="cells with neighbors"):
        moran(square_grid(1, 2), np.array([1.0, 2.0]))


def test_cells_that_are_all_neighbors_have_no_autocorrelation():
    with pytest.raises(ModelError, match="no spread among 4 cells"):
        moran(square_grid(2), np.array([1.0, 2.0, 3.0, 5.0]))


@pytest.mark.parametrize("values", [np.arange(4.0), np.ones(4)])
def test_an_undefined_autocorrelation_stops_no_night(values: np.ndarray):
    assert _residual_moran(square_grid(2), values, 0) is None
    assert _residual_moran(square_grid(3), np.arange(9.0), 0) is not None
