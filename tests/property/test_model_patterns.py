"""Row compression loses nothing, whatever terms come and go; a selection is a local optimum."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtm_pipeline.errors import ModelError
from rtm_pipeline.model.candidates import candidates_of
from rtm_pipeline.model.likelihood.cells import cells_of
from rtm_pipeline.model.likelihood.families import FAMILIES, log_likelihood
from rtm_pipeline.model.likelihood.fit import fit_family
from rtm_pipeline.model.likelihood.patterns import add_term, drop_term, null_patterns, patterns_of
from rtm_pipeline.model.likelihood.sufficient import rows_of, splits_of
from rtm_pipeline.model.selection import SIGNS, select
from rtm_pipeline.model.table import design_from_table


@st.composite
def problems(draw):
    """Columns in a few factors, counts with over-dispersion, exposures of one or several values, weights."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n, width = draw(st.integers(20, 120)), draw(st.integers(2, 6))
    X = rng.random((n, width)) < rng.uniform(0.2, 0.8, width)
    counts = rng.negative_binomial(0.8, 0.4, n)
    counts[0] += 1
    exposure = np.ones(n)
    if draw(st.booleans()):
        partial = rng.random(n) < draw(st.floats(0.05, 1.0))
        exposure[partial] = rng.choice([0.25, 0.5, 0.125, 2.0, 0.75], int(partial.sum()))
    weights = rng.poisson(1.0, n) if draw(st.booleans()) else None
    if weights is not None:
        weights[0] = 1
    columns = {f"{'abc'[j % 3]}_{j}": X[:, j] for j in range(width)}
    return columns, design_from_table(columns, counts, exposure, "(.)_"), weights


def cells(design, weights):
    return cells_of(design) if weights is None else cells_of(design).weighted(weights)


@settings(max_examples=60, deadline=None)
@given(problems(), st.lists(st.integers(0, 5), max_size=8), st.sampled_from(sorted(FAMILIES)))
def test_rows_and_splits_are_sums_over_cells(problem, walk, family):
    """Random additions and removals; every statistic equals a direct sum."""
    columns, design, weights = problem
    part, candidates = cells(design, weights), candidates_of(design)
    times = np.ones(design.n_cells) if weights is None else weights
    names = [variable.name for variable in candidates.variables]
    patterns = null_patterns(part, candidates)
    for step in walk:
        term = step % candidates.size
        if term in patterns.terms:
            patterns = drop_term(patterns, patterns.terms.index(term))
        else:
            patterns = add_term(patterns, part, candidates, term)
    chosen = np.column_stack([np.ones(design.n_cells)] + [columns[names[term]] for term in patterns.terms])[:, 1:]
    np.testing.assert_array_equal(patterns.bits[patterns.of_cell], chosen)
    rows = rows_of(FAMILIES[family], part, patterns)
    splits = splits_of(rows, part, patterns, candidates, np.arange(candidates.size))
    mean = rows.arrays.size * rows.arrays.scale
    np.testing.assert_allclose(mean.sum(), times @ design.exposure, rtol=1e-12)
    np.testing.assert_allclose(splits.size0 + splits.size1, np.tile(rows.arrays.size, (candidates.size, 1)), rtol=1e-12)
    for j, name in enumerate(names):
        inside = columns[name]
        np.testing.assert_allclose(
            (splits.size1[j] * rows.arrays.scale).sum(), (times * design.exposure)[inside].sum(), rtol=1e-12
        )
        assert splits.events1[j] == (times * design.counts)[inside].sum()
    assert rows.arrays.events == times @ design.counts


@settings(max_examples=40, deadline=None)
@given(problems(), st.sampled_from(sorted(FAMILIES)))
def test_fits_do_not_depend_on_how_the_patterns_were_reached(problem, family):
    _, design, weights = problem
    part, candidates = cells(design, weights), candidates_of(design)
    direct = patterns_of(part, candidates, (0,))
    around = drop_term(add_term(add_term(null_patterns(part, candidates), part, candidates, 1), part, candidates, 0), 0)
    try:
        first = fit_family(rows_of(FAMILIES[family], part, direct), part.n_cells)
    except ModelError:
        with pytest.raises(ModelError):
            fit_family(rows_of(FAMILIES[family], part, around), part.n_cells)
        return
    second = fit_family(rows_of(FAMILIES[family], part, around), part.n_cells)
    assert first.log_likelihood == pytest.approx(second.log_likelihood, abs=1e-8)
    if abs(first.coefficients[1]) < 10:
        np.testing.assert_allclose(first.coefficients, second.coefficients, atol=1e-7)


@settings(max_examples=40, deadline=None)
@given(problems(), st.sampled_from(sorted(FAMILIES)), st.sampled_from(sorted(SIGNS)))
def test_selection_is_admissible_and_no_step_lowers_bic(problem, family, direction):
    _, design, weights = problem
    part, candidates = cells(design, weights), candidates_of(design)
    found = select(part, candidates, FAMILIES[family], direction)
    names = [variable.name for variable in candidates.variables]
    factor = {variable.name: variable.factor for variable in candidates.variables}
    assert len({factor[name] for name in found.terms}) == len(found.terms)
    assert np.isfinite(found.fit.coefficients).all()
    assert np.isfinite(found.fit.standard_errors).all()
    assert (SIGNS[direction] * found.fit.coefficients[1:] >= 0).all()
    gone = {item.variable for item in found.dropped}
    for name in names:
        if name in found.terms:
            terms = [other for other in found.terms if other != name]
        elif name in gone or factor[name] in {factor[other] for other in found.terms}:
            continue
        else:
            terms = [*found.terms, name]
        patterns = patterns_of(part, candidates, tuple(names.index(term) for term in terms))
        other = fit_family(rows_of(FAMILIES[family], part, patterns), part.n_cells)
        wrong_sign = (SIGNS[direction] * other.coefficients[1:] < 0).any()
        assert wrong_sign or other.bic >= found.fit.bic - 2e-6


@settings(max_examples=60, deadline=None)
@given(problems(), st.sampled_from(["nb1", "nb2"]))
def test_negative_binomial_is_never_worse_than_poisson(problem, family):
    """The dispersion starts at the Poisson model, so the likelihood can't fall; and it equals the textbook formula."""
    columns, design, weights = problem
    part, candidates = cells(design, weights), candidates_of(design)
    patterns = patterns_of(part, candidates, (0,))
    try:
        fits = {name: fit_family(rows_of(FAMILIES[name], part, patterns), part.n_cells) for name in ("poisson", family)}
    except ModelError:
        return
    assert fits[family].log_likelihood >= fits["poisson"].log_likelihood - 1e-8
    x = columns[candidates.variables[0].name]
    index = np.arange(design.n_cells) if weights is None else np.repeat(np.arange(design.n_cells), weights)
    beta = fits[family].coefficients
    means = (design.exposure * np.exp(beta[0] + beta[1] * x))[index]
    dispersion = fits[family].dispersion
    if dispersion == 0 or dispersion > 1e-6:
        expected = log_likelihood(FAMILIES[family], design.counts[index], means, dispersion)
        assert fits[family].log_likelihood == pytest.approx(expected, abs=1e-6)
