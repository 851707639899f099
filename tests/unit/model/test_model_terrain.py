"""Scores, expected counts and priority places of a fitted terrain."""

from __future__ import annotations

import numpy as np
import pytest

from rtm_pipeline.errors import ModelError
from rtm_pipeline.model.candidates import candidates_of
from rtm_pipeline.model.design import Design
from rtm_pipeline.model.likelihood.cells import cells_of
from rtm_pipeline.model.likelihood.families import FAMILIES
from rtm_pipeline.model.selection import select
from rtm_pipeline.model.terrain import terrain_of_selection


def fitted(table, family="nb1", direction="both"):
    selection = select(cells_of(table.design), candidates_of(table.design), FAMILIES[family], direction)
    return terrain_of_selection(selection, table.design)


def dense_predictor(table, terrain):
    total = np.zeros(len(table.counts))
    for term in terrain.terms:
        total += term.coefficient * table.X[:, table.names.index(term.variable.name)]
    return total


@pytest.mark.parametrize("direction", ["aggravating", "protective", "both"])
def test_scores_are_the_product_of_relative_risk_values(tables, direction):
    table = tables(31, n=3000, n_factors=8, effects=6, scale=2.0)
    terrain = fitted(table, direction=direction)
    scores = terrain.relative_risk_scores(table.design)
    raw = np.exp(dense_predictor(table, terrain))
    assert scores.min() == 1.0
    np.testing.assert_allclose(scores, raw / raw.min(), rtol=1e-12)


def test_expected_counts_add_up_to_the_incidents(tables):
    """At the Poisson maximum the fitted means have the observed total, and its share inside every term."""
    table = tables(32, n=3000, border=0.4)
    terrain = fitted(table, "poisson")
    expected = table.design.exposure * np.exp(terrain.intercept + dense_predictor(table, terrain))
    assert expected.sum() == pytest.approx(table.counts.sum(), rel=1e-9)
    for term in terrain.terms:
        inside = table.X[:, table.names.index(term.variable.name)] > 0
        assert expected[inside].sum() == pytest.approx(table.counts[inside].sum(), rel=1e-9)


def test_another_vintage_is_scored_by_name(tables):
    """Blocks in another order and with other codes: what counts is the variables' names."""
    table = tables(31, n=3000, n_factors=8, effects=6, scale=2.0)
    terrain = fitted(table)
    later = Design(table.design.blocks[::-1], np.zeros(3000, np.int64), np.full(3000, 0.5))
    np.testing.assert_array_equal(terrain.relative_risk_scores(later), terrain.relative_risk_scores(table.design))
    assert len(terrain.terms) >= 3


def test_missing_variable_is_an_error(tables):
    table = tables(34, n=2000, scale=2.0)
    terrain = fitted(table)
    factor = terrain.terms[0].variable.factor
    rest = tuple(block for block in table.design.blocks if block.variables[0].factor != factor)
    with pytest.raises(ModelError, match=terrain.terms[0].variable.name):
        terrain.relative_risk_scores(Design(rest, table.design.counts, table.design.exposure))


def test_null_terrain_is_flat(tables):
    table = tables(35, effects=0, family="poisson")
    terrain = fitted(table, "poisson")
    assert terrain.is_null
    assert (terrain.relative_risk_scores(table.design) == 1.0).all()
    assert np.exp(terrain.intercept) * table.design.exposure.sum() == pytest.approx(table.counts.sum())
