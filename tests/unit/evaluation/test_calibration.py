"""Calibration: right forecasts look right, and planted faults are found."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from support.cells import made_city

from rtm_pipeline.evaluation.calibration import (
    calibrate,
    deciles,
    excess_variation,
    log_score,
    neighborhood_totals,
    poisson_deviance_of,
    randomized_pit,
)
from rtm_pipeline.surface.forecast import forecast
from rtm_pipeline.surface.heterogeneity import CellPosterior, CellPrior

N = 6000
RNG = np.random.default_rng(2)
MEANS = RNG.gamma(0.6, 1.0, N) + 0.01
COUNTS = RNG.poisson(MEANS).astype(float)
PRIOR = CellPrior((np.log(1.2), np.log(0.4)), 0.5, 1.0, -2.0, 1.2)
POSTERIOR = PRIOR.posterior(MEANS, COUNTS, float(MEANS.mean()))


def truth(seed: int, factor: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.poisson(POSTERIOR.draw(rng) * factor)


def test_a_right_forecast_has_a_flat_transform():
    pit = randomized_pit(truth(1, 0.7), POSTERIOR, 0.7, seed=4)
    assert stats.kstest(pit, "uniform").pvalue > 0.01
    found = calibrate(truth(1, 0.7), POSTERIOR, 0.7, seed=4)
    assert found.pit_statistic == pytest.approx(stats.kstest(pit, "uniform").statistic)
    assert sum(found.pit) == pytest.approx(1.0)
    assert max(found.pit) < 0.12


def test_a_forecast_that_is_too_low_or_too_sure_does_not():
    assert stats.kstest(randomized_pit(truth(1, 1.3), POSTERIOR, 1.0), "uniform").pvalue < 1e-6
    sure = CellPosterior(POSTERIOR.weights, POSTERIOR.shapes * 50, POSTERIOR.rates * 50)
    assert stats.kstest(randomized_pit(truth(1), sure, 1.0), "uniform").pvalue < 0.01


def test_the_transform_lies_between_the_steps_of_the_distribution():
    one = CellPosterior(np.ones((1, 4)), np.full((1, 4), 2.0), np.full((1, 4), 3.0))
    counts = np.array([0, 1, 2, 5])
    pit = randomized_pit(counts, one, 0.5)
    law = stats.nbinom(2.0, 3.0 / 3.5)
    assert np.all(pit >= law.cdf(counts - 1))
    assert np.all(pit <= law.cdf(counts))


def test_the_log_score_is_the_log_probability():
    two = CellPosterior(
        np.array([[0.8, 0.6], [0.2, 0.4]]), np.array([[2.0, 1.0], [4.0, 3.0]]), np.array([[3.0, 1.0], [1.0, 2.0]])
    )
    counts = np.array([0, 3])
    expected = [
        np.log(sum(two.weights[j, i] * stats.nbinom.pmf(counts[i], two.shapes[j, i], p) for j, p in enumerate(chance)))
        for i, chance in enumerate((two.rates / (two.rates + 0.5)).T)
    ]
    assert log_score(counts, two, 0.5) == pytest.approx(np.mean(expected))


def test_deciles_split_cells_and_cover():
    expected = POSTERIOR.mean()
    variance = expected + POSTERIOR.sd() ** 2
    covered = []
    for seed in range(30):
        observed = truth(100 + seed).astype(float)
        found = deciles(observed, expected, variance)
        assert [d.number for d in found] == list(range(1, 11))
        assert sum(d.cells for d in found) == N
        assert sum(d.observed for d in found) == observed.sum()
        assert sum(d.expected for d in found) == pytest.approx(expected.sum())
        covered += [d.low <= d.observed <= d.high for d in found]
    assert np.mean(covered) == pytest.approx(0.90, abs=0.05)


def test_neighborhood_totals_cover_with_their_own_variation():
    rng = np.random.default_rng(6)
    groups = np.arange(N) // 100
    expected = np.asarray(POSTERIOR.mean())
    variance = expected + POSTERIOR.sd() ** 2
    ups = rng.gamma(1 / 0.2**2, 0.2**2, 60)
    observed = rng.poisson(POSTERIOR.draw(rng) * ups[groups]).astype(float)
    naive = neighborhood_totals(observed, expected, variance, groups)
    estimated = excess_variation(observed, expected, groups, variance)
    honest = neighborhood_totals(observed, expected, variance, groups, excess=estimated)
    assert estimated == pytest.approx(0.2, abs=0.06)
    assert np.mean([g.covered for g in naive]) < 0.85
    assert 0.85 <= np.mean([g.covered for g in honest]) <= 0.98
    assert honest[3].observed == observed[300:400].sum()


def test_steady_groups_have_no_excess():
    groups = np.arange(N) // 100
    expected = np.asarray(POSTERIOR.mean())
    variance = expected + POSTERIOR.sd() ** 2
    found = [excess_variation(truth(seed).astype(float), expected, groups, variance) for seed in range(9, 15)]
    assert np.mean(found) < 0.08
    assert excess_variation(truth(9).astype(float), expected, np.full(N, -1)) == 0.0


def test_a_real_forecast_is_calibrated():
    city = made_city(70, years=3, per_year=1500, seed=8)
    ahead = forecast(city.grid, city.history, city.vintages, city.cutoff, city.next_year)
    found = calibrate(city.outcome(3), ahead.posterior, ahead.scale / ahead.rows_per_incident)
    assert found.observed / found.expected == pytest.approx(1.0, abs=0.08)
    assert max(abs(share - 0.1) for share in found.pit) < 0.02
    top = found.deciles[-1]
    assert top.low * 0.95 <= top.observed <= top.high * 1.05


def test_impossible_events_make_the_deviance_infinite():
    assert poisson_deviance_of(np.array([1.0, 0.0]), np.array([0.0, 0.0])) == np.inf
    assert poisson_deviance_of(np.array([0.0]), np.array([0.0])) == 0.0
