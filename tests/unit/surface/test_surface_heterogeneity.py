"""Gamma(-mixture) posteriors against numerical integration and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from rtm_pipeline.errors import ModelError
from rtm_pipeline.surface.heterogeneity import CellPrior
from rtm_pipeline.surface.spread import Spread

SINGLE = CellPrior((np.log(0.8),), 0.5)
DOUBLE = CellPrior((np.log(1.4), np.log(0.5)), 0.7, 0.8, -1.5, 1.6)


def density(prior: CellPrior, mean: float, average: float):
    """Prior density of the cell's mean."""
    shapes = prior.shapes(np.array([mean / average]))[:, 0]
    parts = [stats.gamma(a=k, scale=mean * m / k) for k, m in zip(shapes, prior.means, strict=True)]
    return lambda x: sum(w * part.pdf(x) for w, part in zip(prior.weights, parts, strict=True))


@pytest.mark.parametrize("prior", [SINGLE, DOUBLE])
@pytest.mark.parametrize(("mean", "count"), [(0.2, 0.0), (0.2, 3.0), (1.5, 2.6), (4.0, 1.0)])
def test_posterior_agrees_with_integration(prior: CellPrior, mean: float, count: float):
    average = 0.5
    e = prior.credence
    prior_density = density(prior, mean, average)

    def weight(x: float, power: int) -> float:
        return prior_density(x) * x ** (e * count + power) * np.exp(-e * x)

    points = [1e-6, 1e-3, 0.1, 1.0, 5.0]
    moments = [
        integrate.quad(weight, 0, 60, args=(power,), limit=800, points=points, epsabs=0, epsrel=1e-9)[0]
        for power in range(3)
    ]
    posterior = prior.posterior(np.array([mean]), np.array([count]), average)
    expected = moments[1] / moments[0]
    assert posterior.mean()[0] == pytest.approx(expected, rel=1e-4)
    assert posterior.sd()[0] == pytest.approx(np.sqrt(moments[2] / moments[0] - expected**2), rel=1e-3)


def test_the_prior_mean_is_the_mean():
    posterior = DOUBLE.posterior(np.array([0.3, 2.0]), np.zeros(2), 0.5)
    blank = CellPrior(DOUBLE.log_shape, 0.7, 1e-12, -1.5, 1.6).posterior(np.array([0.3, 2.0]), np.zeros(2), 0.5)
    np.testing.assert_allclose(blank.mean(), [0.3, 2.0], rtol=1e-6)
    assert (posterior.mean() < [0.3, 2.0]).all()


def test_many_incidents_make_a_hot_spot():
    posterior = DOUBLE.posterior(np.full(3, 0.4), np.array([0.0, 2.0, 12.0]), 0.5)
    assert np.all(np.diff(posterior.weights[1]) > 0)
    assert posterior.weights[1, 2] > 0.99


@pytest.mark.parametrize("prior", [SINGLE, DOUBLE])
@pytest.mark.parametrize("probability", [0.05, 0.5, 0.95])
def test_quantiles_have_their_probability(prior: CellPrior, probability: float):
    rng = np.random.default_rng(1)
    means, counts = rng.gamma(0.6, 1.0, 500) + 0.003, rng.poisson(0.8, 500).astype(float)
    posterior = prior.posterior(means, counts, float(means.mean()))
    quantile = posterior.quantile(probability)
    parts = stats.gamma.cdf(quantile, posterior.shapes, scale=1 / posterior.rates)
    np.testing.assert_allclose((posterior.weights * parts).sum(axis=0), probability, atol=1e-6)


def test_draws_follow_the_posterior():
    posterior = DOUBLE.posterior(np.array([0.4, 0.4]), np.array([0.0, 4.0]), 0.5)
    rng = np.random.default_rng(3)
    draws = np.array([posterior.draw(rng) for _ in range(20_000)])
    np.testing.assert_allclose(draws.mean(axis=0), posterior.mean(), rtol=0.05)
    np.testing.assert_allclose(draws.std(axis=0), posterior.sd(), rtol=0.06)


def test_a_prior_mean_of_zero_is_refused():
    with pytest.raises(ModelError, match="must be positive"):
        SINGLE.posterior(np.array([0.0, 1.0]), np.zeros(2), 0.5)


def spread_of(prior: CellPrior, n: int, seed: int = 2) -> tuple[Spread, np.ndarray]:
    rng = np.random.default_rng(seed)
    means = rng.gamma(0.6, 1.0, n) + 0.003
    counts = rng.poisson(means * rng.gamma(0.8, 1 / 0.8, n)).astype(float)
    posterior = prior.posterior(means, counts, float(means.mean()))
    return Spread.of(prior, means, counts, float(means.mean()), posterior), counts


@pytest.mark.parametrize("prior", [SINGLE, DOUBLE])
def test_interpolated_probabilities_equal_exact_ones(prior: CellPrior):
    spread, counts = spread_of(prior, 3000)
    assert (counts == 0).mean() > 0.4
    np.testing.assert_allclose(spread.survival(1.3), spread.everyone.survival(1.3), atol=2e-5)


def test_top_probabilities_of_large_grids_equal_joint_draws():
    spread, _ = spread_of(DOUBLE, 4000)
    found = spread.top_probability(0.05, seed=0)
    rng = np.random.default_rng(9)
    hits = np.zeros(4000)
    for _ in range(1500):
        values = spread.everyone.draw(rng)
        hits += values >= np.partition(values, 3800)[3800]
    assert found.sum() == pytest.approx(200, rel=0.01)
    assert np.abs(found - hits / 1500).max() < 0.06
    assert np.abs(found - hits / 1500).mean() < 0.004


def test_top_probabilities_of_small_grids_sum_to_the_top():
    spread, _ = spread_of(SINGLE, 60)
    found = spread.top_probability(0.05, seed=0)
    assert found.sum() == pytest.approx(3.0)
    assert np.array_equal(found, spread.top_probability(0.05, seed=0))
    assert not np.array_equal(found, spread.top_probability(0.05, seed=1))
