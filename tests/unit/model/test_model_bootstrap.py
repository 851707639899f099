"""Replicates equal fits to the cells they stand for; the bits do not depend on threads."""

from __future__ import annotations

import numpy as np
import pytest

from rtm_pipeline.errors import ModelError
from rtm_pipeline.model.bootstrap import refit_bootstrap
from rtm_pipeline.model.candidates import candidates_of
from rtm_pipeline.model.design import Block, Design
from rtm_pipeline.model.likelihood.cells import cells_of
from rtm_pipeline.model.likelihood.families import FAMILIES
from rtm_pipeline.model.likelihood.fit import fit_family
from rtm_pipeline.model.likelihood.patterns import patterns_of
from rtm_pipeline.model.likelihood.sufficient import rows_of
from rtm_pipeline.model.reselection import selection_bootstrap
from rtm_pipeline.model.selection import select
from rtm_pipeline.model.terrain import terrain_of_selection


def terrain(table, family):
    selection = select(cells_of(table.design), candidates_of(table.design), FAMILIES[family], "aggravating")
    return terrain_of_selection(selection, table.design)


def repeated(design, index):
    blocks = tuple(Block(block.codes[index], block.bits, block.variables) for block in design.blocks)
    return Design(blocks, design.counts[index], design.exposure[index])


def refit(design, names, family):
    cells, candidates = cells_of(design), candidates_of(design, names)
    position = {variable.name: i for i, variable in enumerate(candidates.variables)}
    patterns = patterns_of(cells, candidates, tuple(position[name] for name in names))
    return fit_family(rows_of(FAMILIES[family], cells, patterns), cells.n_cells)


@pytest.mark.parametrize("family", FAMILIES)
def test_block_replicates_equal_fits_to_repeated_cells(tables, family):
    table = tables(41, n=2000, family="nb1", border=0.3, scale=2.0)
    blocks = np.random.default_rng(1).integers(100, 160, 2000).astype(np.int32)
    found = terrain(table, family)
    seed = np.random.SeedSequence(9)
    result = refit_bootstrap(table.design, found, blocks, replicates=6, level=0.9, seed=seed)
    rng = np.random.default_rng(np.random.SeedSequence(9))
    names = [term.variable.name for term in found.terms]
    for row, dispersion in zip(result.coefficients, result.dispersion, strict=True):
        drawn = np.unique(blocks)[rng.integers(60, size=60)]
        index = np.concatenate([np.flatnonzero(blocks == block) for block in drawn])
        expected = refit(repeated(table.design, index), names, family)
        np.testing.assert_allclose(row, expected.coefficients, atol=1e-7)
        if family != "poisson":
            assert dispersion == pytest.approx(expected.dispersion, rel=1e-5, abs=1e-7)
    assert result.unit == "blocks"
    assert result.n_units == 60


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("by_block", [True, False])
def test_threads_do_not_change_a_bit(tables, family, by_block):
    table = tables(42, n=2000, border=0.3, scale=2.0)
    blocks = np.arange(2000) // 25 if by_block else None
    found = terrain(table, family)
    runs = [
        refit_bootstrap(
            table.design, found, blocks, replicates=300, level=0.9, seed=np.random.SeedSequence(3), threads=threads
        )
        for threads in (1, 2)
    ]
    assert runs[0].coefficients.tobytes() == runs[1].coefficients.tobytes()
    assert runs[0].dispersion.tobytes() == runs[1].dispersion.tobytes()


def test_intervals_of_independent_cells_are_those_of_the_standard_errors(tables):
    """With cells as units and the right family, the percentile interval is about +-1.645 SE."""
    table = tables(43, n=20000, family="nb1", border=0.2)
    found = terrain(table, "nb1")
    result = refit_bootstrap(table.design, found, None, replicates=600, level=0.9, seed=np.random.SeedSequence(5))
    assert result.unit == "cells"
    for i, term in enumerate(found.terms, 1):
        spread = result.coefficients[:, i].std()
        assert spread == pytest.approx(term.se, rel=0.12)
        low, high = result.interval(term.variable.name)
        assert np.log(low) == pytest.approx(term.coefficient - 1.645 * term.se, abs=0.35 * term.se)
        assert np.log(high) == pytest.approx(term.coefficient + 1.645 * term.se, abs=0.35 * term.se)


def test_one_block_is_an_error(tables):
    table = tables(44, n=2000, scale=2.0)
    found = terrain(table, "poisson")
    with pytest.raises(ModelError, match="two spatial blocks"):
        refit_bootstrap(
            table.design, found, np.zeros(2000, np.int32), replicates=5, level=0.9, seed=np.random.SeedSequence(0)
        )
    with pytest.raises(ModelError, match="one block a cell"):
        refit_bootstrap(
            table.design, found, np.zeros(3, np.int32), replicates=5, level=0.9, seed=np.random.SeedSequence(0)
        )


def test_terms_that_too_few_blocks_tell_apart_are_an_error(compacted):
    """A variable that is 1 in one block only: a third of the replicates do not have it."""
    rng = np.random.default_rng(2)
    blocks = np.arange(1000) // 100
    x = blocks == 4
    design = compacted(x[:, None], rng.poisson(np.where(x, 4.0, 0.5)), np.ones(1000), ["x"], ["x"])
    selection = select(cells_of(design), candidates_of(design), FAMILIES["poisson"], "aggravating")
    found = terrain_of_selection(selection, design)
    with pytest.raises(ModelError, match="gives more blocks"):
        refit_bootstrap(design, found, blocks, replicates=50, level=0.9, seed=np.random.SeedSequence(0))


def test_selection_replicates_equal_selections_on_repeated_cells(tables):
    table = tables(45, n=1500, border=0.2, scale=2.0)
    blocks = np.random.default_rng(1).integers(0, 50, 1500)
    seed = np.random.SeedSequence(4)
    result = selection_bootstrap(
        table.design, FAMILIES["nb1"], "aggravating", blocks, replicates=5, level=0.9, seed=seed
    )
    for terms, child in zip(result.selected, np.random.SeedSequence(4).spawn(5), strict=True):
        drawn = np.random.default_rng(child).integers(50, size=50)
        index = np.concatenate([np.flatnonzero(blocks == block) for block in drawn])
        design = repeated(table.design, index)
        expected = select(cells_of(design), candidates_of(design), FAMILIES["nb1"], "aggravating")
        assert tuple(name for name, _ in terms) == expected.terms
        np.testing.assert_allclose([beta for _, beta in terms], expected.fit.coefficients[1:], atol=1e-7)


def test_selection_bootstrap_does_not_depend_on_threads_and_extends(tables):
    table = tables(46, n=1500, scale=2.0)
    blocks = np.arange(1500) // 30

    def run(replicates, threads):
        return selection_bootstrap(
            table.design,
            FAMILIES["nb1"],
            "aggravating",
            blocks,
            replicates=replicates,
            level=0.9,
            seed=np.random.SeedSequence(8),
            threads=threads,
        ).selected

    assert run(12, 1) == run(12, 2)
    assert run(12, 2)[:4] == run(4, 1)


def test_a_variable_that_is_not_selected_contributes_one(tables):
    table = tables(47, n=1500, scale=2.0)
    kept = np.zeros((20, len(table.design.variables)), bool)
    strong = terrain(table, "nb1").terms[0].variable.name
    column = [variable.name for variable in table.design.variables].index(strong)
    kept[:5, column] = True
    result = selection_bootstrap(
        table.design,
        FAMILIES["nb1"],
        "aggravating",
        None,
        replicates=20,
        level=0.9,
        seed=np.random.SeedSequence(8),
        rescreen=lambda draws, units: kept,
    )
    assert result.frequency(strong) == 0.25
    assert result.frequencies() == {strong: 0.25}
    low, high = result.interval(strong)
    assert low == 1.0
    assert high > 1.0


def test_too_few_incidents_for_reselection_is_an_error(compacted):
    y = np.zeros(200, np.int64)
    y[3] = 2
    x = np.arange(200) % 3 == 0
    design = compacted(x[:, None], y, np.ones(200), ["x"], ["x"])
    with pytest.raises(ModelError, match="too few incidents"):
        selection_bootstrap(
            design, FAMILIES["poisson"], "both", None, replicates=20, level=0.9, seed=np.random.SeedSequence(1)
        )
