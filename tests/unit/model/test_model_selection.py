"""The selection equals an exhaustive search, whatever the shortcut, the order of columns or the number of threads."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from rtm_pipeline.errors import ModelError
from rtm_pipeline.factors.spec import Variable
from rtm_pipeline.model.candidates import candidates_of
from rtm_pipeline.model.design import Block, Design
from rtm_pipeline.model.likelihood.cells import cells_of
from rtm_pipeline.model.likelihood.families import FAMILIES
from rtm_pipeline.model.selection import SIGNS, select


def run(design, family, direction, **options):
    return select(cells_of(design), candidates_of(design), FAMILIES[family], direction, **options)


@pytest.mark.parametrize("family", ["poisson", "nb1", "nb2"])
@pytest.mark.parametrize("direction", ["aggravating", "protective", "both"])
@pytest.mark.parametrize("seed", range(4))
def test_equals_exhaustive_search(tables, exhaustive, family, direction, seed):
    table = tables(seed, n=350, family=["nb1", "nb2", "poisson"][seed % 3], border=[0.15, 0.0, 1.0][seed % 3])
    terms, bic = exhaustive(table, family, SIGNS[direction])
    found = run(table.design, family, direction)
    assert set(found.terms) == set(terms)
    assert found.fit.bic == pytest.approx(bic, abs=1e-4)


@pytest.mark.parametrize("direction", ["aggravating", "protective", "both"])
@pytest.mark.parametrize("seed", range(40))
def test_pruned_equals_unpruned(tables, direction, seed):
    table = tables(100 + seed, n=1500, n_factors=12, n_bands=4, effects=6, family=["nb2", "poisson"][seed % 2])
    pruned = run(table.design, "poisson", direction)
    full = run(table.design, "poisson", direction, prune=False)
    assert pruned.terms == full.terms
    assert pruned.steps == full.steps
    assert pruned.fit.coefficients.tobytes() == full.fit.coefficients.tobytes()
    assert pruned.n_fits < full.n_fits


@pytest.mark.parametrize("family", ["poisson", "nb1", "nb2"])
def test_order_of_columns_blocks_and_threads_do_not_matter(tables, family):
    table = tables(7, n=4000, n_factors=10, n_bands=4, effects=5)
    first = run(table.design, family, "aggravating")
    blocks = []
    for block in reversed(table.design.blocks):
        flipped = Block(block.codes, np.ascontiguousarray(block.bits[:, ::-1]), block.variables[::-1])
        blocks.append(flipped)
    shuffled = Design(tuple(blocks), table.design.counts, table.design.exposure)
    for again in (run(shuffled, family, "aggravating"), run(table.design, family, "aggravating", threads=2)):
        assert again.terms == first.terms
        assert again.steps == first.steps
        assert again.fit.coefficients.tobytes() == first.fit.coefficients.tobytes()
    assert len(first.terms) >= 2


def test_ties_go_to_the_first_name(compacted):
    rng = np.random.default_rng(3)
    x = (rng.random(500) < 0.3).astype(float)
    y = rng.poisson(np.exp(-0.5 + 1.2 * x))
    X = np.column_stack([x, x, x])
    for names in (["c", "a", "b"], ["b", "c", "a"]):
        design = compacted(X, y, np.ones(500), names, names)
        found = run(design, "poisson", "aggravating")
        assert found.terms == ("a",)


def test_one_variable_of_a_factor(tables):
    table = tables(11, n=5000, n_factors=3, n_bands=6, effects=8, scale=3.0)
    found = run(table.design, "nb1", "both")
    factors = [name.split("_")[0] for name in found.terms]
    assert len(factors) == len(set(factors)) >= 2


@pytest.mark.parametrize("family", FAMILIES)
def test_removal_happens_and_pays(family):
    """A proxy enters first and leaves when the three causes it stood for are in."""
    rng = np.random.default_rng(5)
    causes = rng.random((3, 6000)) < 0.5
    proxy = np.where(rng.random(6000) < 0.9, causes.sum(axis=0) >= 2, rng.random(6000) < 0.5)
    y = rng.poisson(np.exp(-1.0 + 0.7 * causes.sum(axis=0)))
    blocks = tuple(
        Block(x.astype(np.uint8), np.array([[0], [1]], np.uint8), (Variable(name, name),))
        for name, x in (("a", causes[0]), ("b", causes[1]), ("c", causes[2]), ("proxy", proxy))
    )
    found = run(Design(blocks, y.astype(np.int64), np.ones(6000)), family, "both")
    actions = [(step.action, step.variable) for step in found.steps]
    assert actions[1] == ("add", "proxy")
    assert actions[-1] == ("remove", "proxy")
    assert set(found.terms) == {"a", "b", "c"}
    assert all(later.bic < earlier.bic for earlier, later in pairwise(found.steps))


def test_wrong_sign_is_inadmissible(compacted):
    rng = np.random.default_rng(8)
    x, z = rng.random((2, 3000)) < 0.3
    y = rng.poisson(np.exp(-0.2 - 0.9 * x + 0.4 * z))
    design = compacted(np.column_stack([x, z]), y, np.ones(3000), ["down", "up"], ["down", "up"])
    assert run(design, "nb1", "aggravating").terms == ("up",)
    assert run(design, "nb1", "protective").terms == ("down",)
    assert set(run(design, "nb1", "both").terms) == {"down", "up"}


def test_separated_columns_are_reported(compacted):
    rng = np.random.default_rng(9)
    x, empty = rng.random(2000) < 0.4, rng.random(2000) < 0.2
    y = np.where(empty, 0, rng.poisson(np.exp(-0.3 + 0.8 * x)))
    everything = (y > 0) | (rng.random(2000) < 0.1)
    design = compacted(np.column_stack([x, empty, everything]), y, np.ones(2000), list("xez"), list("xez"))
    for family in FAMILIES:
        found = run(design, family, "both")
        reasons = {item.variable: item.reason for item in found.dropped}
        assert found.terms == ("x",)
        assert "none of the" in reasons["e"]
        assert "all" in reasons["z"]
        assert np.isfinite(found.fit.standard_errors).all()


def test_separation_beside_chosen_terms_is_reported(compacted):
    """Inner band inside an outer one with incidents only inside and outside of both: no finite estimate for both."""
    rng = np.random.default_rng(10)
    outer = rng.random(3000) < 0.4
    inner = outer & (rng.random(3000) < 0.5)
    y = np.where(inner, rng.poisson(3.0, 3000), np.where(outer, 0, rng.poisson(0.4, 3000)))
    design = compacted(np.column_stack([inner, outer]), y, np.ones(3000), ["inner", "outer"], ["inner", "outer"])
    for family in FAMILIES:
        found = run(design, family, "both")
        assert found.terms == ("inner",)
        assert [item.variable for item in found.dropped] == ["outer"]
        assert "finite" in found.dropped[0].reason


def test_aliased_columns_are_reported(compacted):
    rng = np.random.default_rng(12)
    x = rng.random(1500) < 0.5
    y = rng.poisson(np.exp(-0.3 + 0.8 * x))
    design = compacted(np.column_stack([x, ~x, x]), y, np.ones(1500), ["a", "not_a", "z"], ["a", "not_a", "z"])
    for family in FAMILIES:
        found = run(design, family, "both")
        assert found.terms == ("a",)
        assert {item.variable for item in found.dropped} == {"not_a", "z"}
        assert all("linear combination" in item.reason for item in found.dropped)


def test_nothing_worth_adding_is_a_null_model(tables):
    table = tables(13, effects=0, family="poisson")
    found = run(table.design, "poisson", "aggravating")
    assert found.terms == ()
    assert found.fit.coefficients[0] == pytest.approx(np.log(table.counts.sum() / table.exposure.sum()))


def test_weights_equal_repeated_cells(tables):
    """A bootstrap replicate by weights is the data set with its cells repeated."""
    table = tables(14, n=1200, family="nb1")
    times = np.random.default_rng(0).poisson(1.0, 1200)
    cells = cells_of(table.design).weighted(times)
    index = np.repeat(np.arange(1200), times)
    blocks = tuple(Block(block.codes[index], block.bits, block.variables) for block in table.design.blocks)
    repeated = Design(blocks, table.design.counts[index], table.design.exposure[index])
    for family in FAMILIES:
        weighted = select(cells, candidates_of(table.design), FAMILIES[family], "aggravating")
        expected = run(repeated, family, "aggravating")
        assert weighted.terms == expected.terms
        assert weighted.fit.n_cells == times.sum()
        np.testing.assert_allclose(weighted.fit.coefficients, expected.fit.coefficients, atol=1e-8)
        assert weighted.fit.bic == pytest.approx(expected.fit.bic, abs=1e-6)


def test_unknown_direction_and_no_incidents_are_errors(tables):
    table = tables(15)
    with pytest.raises(ModelError, match="sideways"):
        run(table.design, "poisson", "sideways")
    nothing = Design(table.design.blocks, np.zeros_like(table.design.counts), table.design.exposure)
    with pytest.raises(ModelError, match="no incidents"):
        run(nothing, "poisson", "aggravating")
