"""Fits equal slow, independent maximum likelihood and statsmodels; hard cases give an answer or an error."""

from __future__ import annotations

import numpy as np
import pytest

from rtm_pipeline.errors import ModelError
from rtm_pipeline.model.candidates import candidates_of
from rtm_pipeline.model.design import Design
from rtm_pipeline.model.likelihood.cells import cells_of
from rtm_pipeline.model.likelihood.families import FAMILIES, family_named, log_likelihood
from rtm_pipeline.model.likelihood.fit import fit_family
from rtm_pipeline.model.likelihood.newton import _log_mean
from rtm_pipeline.model.likelihood.patterns import patterns_of
from rtm_pipeline.model.likelihood.sufficient import rows_of


def fit(design, family, names=None, **options):
    cells, candidates = cells_of(design), candidates_of(design, names)
    patterns = patterns_of(cells, candidates, tuple(range(candidates.size)))
    return fit_family(rows_of(FAMILIES[family], cells, patterns), cells.n_cells, **options)


def first_of_each_factor(table):
    return [name for name in table.names if name.endswith("_b0")]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("border", [0.0, 0.3, 1.0])
def test_equals_slow_maximum_likelihood(tables, slow_ml, family, border):
    table = tables(21, family="nb1", border=border)
    names = sorted(first_of_each_factor(table))
    found = fit(table.design, family, names)
    X = table.X[:, [table.names.index(name) for name in names]]
    beta, dispersion, value = slow_ml(family, X, table.counts, table.exposure)
    np.testing.assert_allclose(found.coefficients, beta, atol=2e-5)
    assert found.log_likelihood >= value - 1e-6
    assert found.log_likelihood == pytest.approx(value, abs=1e-5)
    if family != "poisson":
        assert found.dispersion == pytest.approx(dispersion, rel=1e-4)


@pytest.mark.parametrize("family", ["nb1", "nb2"])
def test_standard_errors_equal_statsmodels(tables, family):
    from statsmodels.discrete.discrete_model import NegativeBinomialP

    table = tables(22, n=800, family=family, border=0.4)
    names = sorted(first_of_each_factor(table))
    found = fit(table.design, family, names)
    X = np.column_stack([np.ones(800), table.X[:, [table.names.index(name) for name in names]]])
    model = NegativeBinomialP(table.counts, X, p=1 if family == "nb1" else 2, offset=np.log(table.exposure))
    estimate = np.append(found.coefficients, found.dispersion)
    assert np.abs(model.score(estimate)).max() < 1e-5
    assert model.loglike(estimate) == pytest.approx(found.log_likelihood, abs=1e-7)
    errors = np.sqrt(np.diag(np.linalg.inv(-model.hessian(estimate))))
    np.testing.assert_allclose(found.standard_errors, errors[:-1], rtol=1e-5)
    assert found.dispersion_se == pytest.approx(errors[-1], rel=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_log_likelihood_has_all_constants(tables, family):
    table = tables(23, border=0.5)
    names = sorted(first_of_each_factor(table))
    found = fit(table.design, family, names)
    X = table.X[:, [table.names.index(name) for name in names]]
    means = table.exposure * np.exp(found.coefficients[0] + X @ found.coefficients[1:])
    assert log_likelihood(FAMILIES[family], table.counts, means, found.dispersion) == pytest.approx(
        found.log_likelihood, abs=1e-7
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_log_likelihood_is_a_distribution(family):
    """Summed over all counts the probabilities are 1, the mean is mu and the variance is as stated."""
    y, mu, dispersion = np.arange(400), 2.3, 0.7
    p = np.exp([log_likelihood(FAMILIES[family], np.array([k]), np.array([mu]), dispersion) for k in y])
    variance = {"poisson": mu, "nb1": mu + dispersion * mu, "nb2": mu + dispersion * mu**2}[family]
    assert p.sum() == pytest.approx(1)
    assert p @ y == pytest.approx(mu)
    assert p @ (y - mu) ** 2 == pytest.approx(variance)


@pytest.mark.parametrize("family", ["nb1", "nb2"])
def test_under_dispersion_rests_on_poisson(compacted, family):
    rng = np.random.default_rng(4)
    x = rng.random(2000) < 0.4
    y = rng.binomial(3, np.where(x, 0.6, 0.3))
    design = compacted(x[:, None], y, np.ones(2000), ["x"], ["x"])
    found, poisson = fit(design, family), fit(design, "poisson")
    assert found.at_boundary
    assert found.dispersion == 0.0
    assert found.dispersion_se is None
    np.testing.assert_allclose(found.coefficients, poisson.coefficients, atol=1e-9)
    assert found.log_likelihood == pytest.approx(poisson.log_likelihood, abs=1e-8)
    assert np.isfinite(found.standard_errors).all()
    assert found.bic == pytest.approx(poisson.bic + np.log(2000))


@pytest.mark.parametrize("family", ["nb1", "nb2"])
@pytest.mark.parametrize("start", [0.0, 1e-8, 1e-3, 1.0, 100.0, 1e5])
def test_start_of_the_dispersion_does_not_matter(tables, family, start):
    table = tables(24, family=family)
    names = first_of_each_factor(table)
    usual, other = fit(table.design, family, names), fit(table.design, family, names, phi=start)
    np.testing.assert_allclose(other.coefficients, usual.coefficients, atol=1e-7)
    assert other.dispersion == pytest.approx(usual.dispersion, rel=1e-6)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("unit", [1e-9, 1e9])
def test_unit_of_exposure_moves_only_the_intercept(tables, family, unit):
    table = tables(25, border=0.5)
    names = first_of_each_factor(table)
    scaled = Design(table.design.blocks, table.design.counts, table.design.exposure * unit)
    usual, other = fit(table.design, family, names), fit(scaled, family, names)
    np.testing.assert_allclose(other.coefficients[1:], usual.coefficients[1:], atol=1e-8)
    assert other.coefficients[0] == pytest.approx(usual.coefficients[0] - np.log(unit), abs=1e-8)
    assert other.log_likelihood == pytest.approx(usual.log_likelihood, abs=1e-6)


def test_large_effects_converge(compacted):
    """RRVs of 21 and 9, as in Leeds, at a low rate."""
    rng = np.random.default_rng(6)
    X = rng.random((9199, 2)) < 0.1
    mean = np.exp(-3.3565 + X @ np.array([3.0617, 2.1578]))
    y = rng.poisson(rng.gamma(mean / 2.0, 2.0))
    design = compacted(X, y, np.ones(9199), ["bus", "detection"], ["bus", "detection"])
    for family in FAMILIES:
        found = fit(design, family)
        assert np.abs(found.coefficients - [-3.3565, 3.0617, 2.1578]).max() < 0.5


def test_terms_that_repeat_each_other_are_an_error(compacted):
    rng = np.random.default_rng(7)
    x = rng.random(300) < 0.5
    design = compacted(np.column_stack([x, ~x]), rng.poisson(1.0, 300), np.ones(300), ["a", "b"], ["a", "b"])
    for family in FAMILIES:
        with pytest.raises(ModelError, match="linear combinations"):
            fit(design, family)


def test_counts_too_large_for_a_negative_binomial_are_an_error(compacted):
    y = np.full(50, 10**7)
    y[:25] += 10**6
    design = compacted((np.arange(50) < 25)[:, None], y, np.ones(50), ["x"], ["x"])
    assert np.isfinite(fit(design, "poisson").coefficients).all()
    for family in ("nb1", "nb2"):
        with pytest.raises(ModelError, match="too large"):
            fit(design, family)


def test_unknown_family_is_an_error():
    with pytest.raises(ModelError, match="poisson, nb1, nb2"):
        family_named("gamma")


def test_log_mean_and_its_derivatives():
    """log(1 + t) / t against 40-digit arithmetic by series and closed form on both sides of the switch."""
    from fractions import Fraction

    for t in (0.0, 1e-12, 1e-5, 0.0199, 0.0201, 0.3):
        exact = [
            float(sum(Fraction(t) ** (n - d) * (-1) ** n * _falling(n, d) / (n + 1) for n in range(d, 60)))
            for d in range(3)
        ]
        if t < 0.1:
            np.testing.assert_allclose(_log_mean(t), exact, rtol=1e-11)
    assert _log_mean(0.3)[0] == pytest.approx(np.log(1.3) / 0.3, rel=1e-15)
    h = 1e-5
    for t in (0.3, 5.0, 800.0):
        below, above = _log_mean(t * (1 - h)), _log_mean(t * (1 + h))
        assert _log_mean(t)[1] == pytest.approx((above[0] - below[0]) / (2 * t * h), rel=1e-6)
        assert _log_mean(t)[2] == pytest.approx((above[1] - below[1]) / (2 * t * h), rel=1e-6)


def _falling(n, d):
    return 1 if d == 0 else n * _falling(n - 1, d - 1)
