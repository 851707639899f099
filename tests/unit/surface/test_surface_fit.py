"""The likelihood, its gradient, and the recovery of planted values; ridge regression against statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, stats

from rtm_pipeline.errors import ModelError
from rtm_pipeline.surface import likelihood
from rtm_pipeline.surface.heterogeneity import CellPrior
from rtm_pipeline.surface.likelihood import TrainingRows, fit_prior
from rtm_pipeline.surface.regression import best_ridge, poisson_deviance, poisson_ridge


def rows_of(m: int, seed: int = 0, q: int = 3) -> TrainingRows:
    rng = np.random.default_rng(seed)
    return TrainingRows(
        log_mean=rng.normal(-1, 1, m),
        log_relative=rng.normal(0, 1, m),
        past=rng.poisson(0.7, m) * 0.7,
        future=rng.poisson(0.7, m).astype(float),
        ratio=np.full(m, 0.8),
        corrections=rng.normal(size=(m, q)),
        weight=rng.uniform(0.5, 2.0, m),
    )


@pytest.mark.parametrize(
    "t",
    [
        [0.1, 0.2, -0.1, 0.3, 0.6, -0.2, -0.4],
        [0.1, 0.2, -0.1, 0.3, 0.6, -0.2, -0.4, 0.3, -1.0, 0.8],
    ],
)
def test_the_gradient_is_the_slope(t: list[float]):
    rows = rows_of(300)
    seen = likelihood._seen(rows)
    _, gradient = likelihood._objective(np.array(t), rows, 5.0, seen)
    slope = optimize.approx_fprime(np.array(t), lambda v: likelihood._objective(v, rows, 5.0, seen)[0], 1e-7)
    np.testing.assert_allclose(gradient, slope, rtol=1e-3, atol=2e-3)


def test_the_likelihood_is_a_negative_binomial_given_the_past():
    rows = rows_of(50, q=1)
    t = np.array([0.2, 0.1, 0.6, np.log(0.9), -0.3])
    value = -likelihood._objective(t, rows, 0.0, likelihood._seen(rows), penalize=False)[0]
    mean = np.exp(rows.log_mean + 0.2 + 0.1 * rows.corrections[:, 0])
    shape = np.exp(-0.3 + 0.6 * (rows.log_relative + 0.2 + 0.1 * rows.corrections[:, 0]))
    a, b = shape + 0.9 * rows.past, shape / mean + 0.9
    logs = stats.nbinom.logpmf(rows.future, a, b / (b + rows.ratio))
    from scipy.special import gammaln

    assert value == pytest.approx(float(np.sum(rows.weight * (logs + gammaln(rows.future + 1)))), rel=1e-9)


def test_planted_values_are_recovered():
    rng = np.random.default_rng(4)
    m = 40_000
    truth = CellPrior((np.log(0.9),), 0.4)
    mean = rng.gamma(0.8, 0.6, m) + 0.01
    column = rng.normal(size=(m, 1))
    real = mean * np.exp(0.3 * column[:, 0])
    shapes = truth.shapes(real / mean.mean())[0]
    cell = real * rng.gamma(shapes, 1 / shapes)
    rows = TrainingRows(
        np.log(mean),
        np.log(mean / mean.mean()),
        rng.poisson(cell).astype(float),
        rng.poisson(0.8 * cell).astype(float),
        np.full(m, 0.8),
        column,
        np.ones(m),
    )
    fit = fit_prior(rows, 1.0, hot_spots=False)
    assert fit.coefficients[0] == pytest.approx(0.3, abs=0.04)
    assert np.exp(fit.prior.log_shape[0]) == pytest.approx(0.9, rel=0.12)
    assert fit.prior.power == pytest.approx(0.4, abs=0.08)
    assert fit.prior.credence > 0.85


def test_hot_spots_are_found_where_there_are_any():
    rng = np.random.default_rng(5)
    m = 30_000
    mean = np.full(m, 0.3)
    hot = rng.random(m) < 0.04
    cell = mean * np.where(hot, rng.gamma(3.0, 3.0, m), rng.gamma(3.0, 0.22, m))
    rows = TrainingRows(
        np.log(mean),
        np.zeros(m),
        rng.poisson(cell).astype(float),
        rng.poisson(cell).astype(float),
        np.ones(m),
        np.zeros((m, 0)),
        np.ones(m),
    )
    single = fit_prior(rows, 1.0, hot_spots=False)
    double = fit_prior(rows, 1.0, hot_spots=True, start=single)
    assert double.log_likelihood - single.log_likelihood > 50
    assert double.prior.weights[1] == pytest.approx(0.04, abs=0.02)


def test_ridge_regression_is_the_maximum_and_weights_count_rows():
    rng = np.random.default_rng(6)
    columns = rng.normal(size=(400, 3))
    offset = rng.normal(0, 0.3, 400)
    counts = rng.poisson(np.exp(offset - 0.5 + columns @ [0.5, -0.3, 0.0])).astype(float)
    beta = poisson_ridge(columns, counts, offset, 7.0)

    def loss(b: np.ndarray) -> float:
        eta = offset + b[0] + columns @ b[1:]
        return float(np.sum(np.exp(eta) - counts * eta) + 3.5 * np.sum(b[1:] ** 2))

    np.testing.assert_allclose(beta, optimize.minimize(loss, np.zeros(4), tol=1e-10).x, atol=1e-4)
    twice = poisson_ridge(np.r_[columns, columns], np.r_[counts, counts], np.r_[offset, offset], 7.0)
    weighted = poisson_ridge(columns, counts, offset, 7.0, weight=np.full(400, 2.0))
    np.testing.assert_allclose(twice, weighted, atol=1e-9)


def test_without_penalty_it_is_statsmodels():
    import statsmodels.api as sm

    rng = np.random.default_rng(7)
    columns = rng.normal(size=(500, 2))
    counts = rng.poisson(np.exp(-0.2 + columns @ [0.6, 0.2])).astype(float)
    beta = poisson_ridge(columns, counts, np.zeros(500), 1e-12)
    reference = sm.GLM(counts, sm.add_constant(columns), family=sm.families.Poisson()).fit().params
    np.testing.assert_allclose(beta, reference, atol=1e-7)


def test_noise_gets_the_large_penalty_and_signal_the_small_one():
    rng = np.random.default_rng(8)
    columns = rng.normal(size=(1500, 12))
    folds = np.arange(1500) % 4
    noise = rng.poisson(0.5, 1500).astype(float)
    signal = rng.poisson(np.exp(-1 + columns[:, :3].sum(axis=1) * 0.6)).astype(float)
    candidates = (1.0, 30.0, 1000.0)
    assert best_ridge(columns, noise, np.zeros(1500), folds, candidates) == 1000.0
    assert best_ridge(columns, signal, np.zeros(1500), folds, candidates) < 1000.0


def test_no_incident_can_not_be_fitted():
    with pytest.raises(ModelError, match="at least one incident"):
        poisson_ridge(np.ones((3, 1)), np.zeros(3), np.zeros(3), 1.0)


def test_the_deviance_of_a_perfect_fit_is_zero():
    y = np.array([0.0, 1.0, 4.0])
    assert poisson_deviance(y, y) == pytest.approx(0.0, abs=1e-12)
    assert poisson_deviance(y, np.array([0.5, 1.0, 4.0])) == pytest.approx(1.0)
