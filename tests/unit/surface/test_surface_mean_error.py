"""Prior means that may be off: their variance, the slope of the likelihood, planted values, quantiles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import optimize, stats
from support.cells import made_city, square_grid

from rtm_pipeline.surface import mean_error
from rtm_pipeline.surface.forecast import forecast, predict
from rtm_pipeline.surface.heterogeneity import CellPrior
from rtm_pipeline.surface.likelihood import Fit, TrainingRows, fit_prior
from rtm_pipeline.surface.mean_error import interval_posterior, interval_prior, mean_variance
from rtm_pipeline.surface.rate_interval import RateInterval

SINGLE = CellPrior((np.log(0.8),), 0.5, 0.9)
DOUBLE = CellPrior((np.log(1.4), np.log(0.5)), 0.7, 0.8, -1.5, 1.6)


def rows_of(m: int, seed: int = 0) -> TrainingRows:
    rng = np.random.default_rng(seed)
    return TrainingRows(
        log_mean=rng.normal(-1, 1, m),
        log_relative=rng.normal(0, 1, m),
        past=rng.poisson(0.7, m) * 0.7,
        future=rng.poisson(0.7, m).astype(float),
        ratio=np.full(m, 0.8),
        corrections=rng.normal(size=(m, 1)),
        weight=rng.uniform(0.5, 2.0, m),
    )


def test_the_variance_is_that_of_gamma_ratios_around_the_cell():
    grid = square_grid(9)
    past = np.zeros(81)
    past[40] = 6.0
    found = mean_variance(grid, past, (1.0,), (2.0,), (1.5,))
    assert found[40] == pytest.approx(1.5**2 * np.log(1 + 1 / 2.0))  # its own past is no surrounding
    assert found[41] == pytest.approx(1.5**2 * np.log(1 + 1 / (2.0 + 6.0 * np.exp(-0.5))), rel=1e-6)
    assert found[0] == pytest.approx(found[40], rel=1e-5)


def test_displacements_keep_the_mean():
    variance = np.array([0.0, 0.01, 0.3, 4.0])
    weights = np.array([1, 4, 1]) / 6
    np.testing.assert_allclose(weights @ np.exp(mean_error._displacements(variance)), 1.0)


@pytest.mark.parametrize("prior", [SINGLE, DOUBLE])
def test_the_gradient_is_the_slope(prior: CellPrior):
    rows = rows_of(300)
    off = mean_error._displacements(np.random.default_rng(1).uniform(0, 0.6, 300))
    t = np.array([0.6, *prior.log_shape])
    _, gradient = mean_error._objective(t, rows, prior, off)
    slope = optimize.approx_fprime(t, lambda v: mean_error._objective(v, rows, prior, off)[0], 1e-7)
    np.testing.assert_allclose(gradient, slope, rtol=1e-3, atol=2e-3)


@pytest.mark.parametrize("prior", [SINGLE, DOUBLE])
def test_means_that_are_right_give_the_posterior_of_the_forecast(prior: CellPrior):
    mean, counts = np.array([0.02, 0.4, 3.0]), np.array([0.0, 2.0, 1.0])
    found = interval_posterior(prior, mean, counts, 0.5, np.zeros(3))
    plain = prior.posterior(mean, counts, 0.5)
    np.testing.assert_allclose(found.mean(), plain.mean())
    np.testing.assert_allclose(found.sd(), plain.sd())
    off = interval_posterior(prior, mean, counts, 0.5, np.full(3, 0.3))
    assert off.sd()[0] > plain.sd()[0]


def test_planted_spread_is_recovered_although_the_means_are_off():
    """Blaming the whole spread on the cells finds too much of it, and the wrong growth with the mean."""
    rng = np.random.default_rng(4)
    m, sd = 60_000, 0.5
    guess = rng.gamma(0.8, 0.6, m) + 0.02
    average = guess.mean()
    real = guess * np.exp(rng.normal(-(sd**2) / 2, sd, m))
    shapes = CellPrior((np.log(1.5),), 1.0).shapes(real / average)[0]
    cell = real * rng.gamma(shapes, 1 / shapes)
    rows = TrainingRows(
        np.log(guess),
        np.log(guess / average),
        rng.poisson(cell).astype(float),
        rng.poisson(cell).astype(float),
        np.ones(m),
        np.zeros((m, 0)),
        np.ones(m),
    )
    plain = fit_prior(rows, 1.0, hot_spots=False)
    fit = Fit(0.0, np.zeros(0), replace(plain.prior, credence=1.0), 0.0)
    found = interval_prior(rows, fit, np.full(m, sd**2))
    assert np.exp(found.log_shape[0]) == pytest.approx(1.5, rel=0.08)
    assert found.power == pytest.approx(1.0, abs=0.07)
    assert np.exp(plain.prior.log_shape[0]) < 1.3
    assert found.credence == 1.0


@pytest.mark.parametrize("prior", [SINGLE, DOUBLE])
def test_quantiles_have_their_probability_also_where_they_are_interpolated(prior: CellPrior):
    rng = np.random.default_rng(2)
    n = 12_000
    mean = rng.gamma(0.6, 1.0, n) + 0.003
    counts = np.where(rng.random(n) < 0.15, rng.poisson(mean * 3.0), 0).astype(float)
    variance = np.clip(0.02 / mean, 0.01, 1.2) * rng.uniform(0.5, 1.0, n)
    assert (counts == 0).sum() > 128 * 64
    found = RateInterval(prior, mean, counts, float(mean.mean()), variance).quantiles((0.05, 0.95))
    posterior = interval_posterior(prior, mean, counts, float(mean.mean()), variance)
    for values, probability in zip(found, (0.05, 0.95), strict=True):
        parts = stats.gamma.cdf(values, posterior.shapes, scale=1 / posterior.rates)
        np.testing.assert_allclose((posterior.weights * parts).sum(axis=0), probability, atol=5e-4)


def test_one_value_everywhere_can_be_interpolated():
    n = 9000
    found = RateInterval(SINGLE, np.full(n, 0.2), np.zeros(n), 0.2, np.full(n, 0.1)).quantiles((0.05, 0.95))
    assert np.ptp(found, axis=1).max() == 0.0
    exact = RateInterval(SINGLE, np.full(3, 0.2), np.zeros(3), 0.2, np.full(3, 0.1)).quantiles((0.05, 0.95))
    np.testing.assert_allclose(found[:, :3], exact, rtol=1e-6)


@pytest.mark.parametrize("changes", [{}, {"power": True}], ids=["gamma", "addresses"])
def test_the_lowest_tenth_is_covered_better_than_with_means_held_to_be_right(changes: dict[str, object]):
    """By the one kind of city too many true rates were covered there, by the other too few."""
    now, before = [], []
    for seed in (300, 301):
        city = made_city(90, seed=seed, **changes)  # type: ignore[arg-type]
        found = forecast(city.grid, city.history, city.vintages, city.cutoff, city.next_year)
        sure = replace(found.model, interval_prior=None)
        plain = predict(sure, city.grid, city.history, city.vintages[0], city.next_year)
        np.testing.assert_array_equal(plain.expected, found.expected)
        np.testing.assert_array_equal(plain.p_top5, found.p_top5)
        low = np.argsort(found.expected)[: city.grid.n_cells // 10]
        now.append(((found.low <= city.rates) & (city.rates <= found.high))[low].mean())
        before.append(((plain.low <= city.rates) & (city.rates <= plain.high))[low].mean())
    assert abs(np.mean(now) - 0.9) < abs(np.mean(before) - 0.9) - 0.005
