"""The check by statsmodels passes sound models and catches a wrong one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rtm_pipeline.model.candidates import candidates_of
from rtm_pipeline.model.likelihood.cells import cells_of
from rtm_pipeline.model.likelihood.families import FAMILIES
from rtm_pipeline.model.refit_check import LARGEST_DIFFERENCE, refit_with_statsmodels
from rtm_pipeline.model.selection import select
from rtm_pipeline.model.table import design_from_table
from rtm_pipeline.model.terrain import terrain_of_selection
from rtm_pipeline.orchestration.steps.model import _agreement


def terrain(table, family):
    selection = select(cells_of(table.design), candidates_of(table.design), FAMILIES[family], "both")
    return terrain_of_selection(selection, table.design)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("border", [0.0, 0.3, 1.0])
def test_statsmodels_agrees(tables, family, border):
    table = tables(61, n=3000, family="nb1", border=border, scale=1.5)
    found = terrain(table, family)
    assert found.terms
    assert refit_with_statsmodels(table.design, found) < 1e-7


@pytest.mark.parametrize("family", ["poisson", "nb2"])
def test_null_model_and_boundary_agree(tables, family):
    table = tables(62, family="poisson", effects=0)
    assert refit_with_statsmodels(table.design, terrain(table, family)) < 1e-7


@pytest.mark.parametrize("family", ["nb1", "nb2"])
@pytest.mark.parametrize("heaps", [(84, 84, 84, 84, 85, 85, 85, 85, 85), (761,), (9_000, 2_000)])
def test_a_dispersion_of_hundreds_is_no_disagreement(family, heaps):
    """All incidents in a few of 320 cells: such a night was blocked by the rounding of its dispersion."""
    counts = np.zeros(320, int)
    counts[: len(heaps)] = heaps
    design = design_from_table({"a": np.arange(320) % 2}, counts)
    selection = select(cells_of(design), candidates_of(design), FAMILIES[family], "both")
    assert refit_with_statsmodels(design, terrain_of_selection(selection, design)) < LARGEST_DIFFERENCE


@pytest.mark.parametrize(
    ("family", "what"),
    [
        (family, what)
        for family in FAMILIES
        for what in ("coefficient", "intercept", "dispersion")
        if (family, what) != ("poisson", "dispersion")
    ],
)
def test_a_wrong_number_is_caught(tables, family, what):
    table = tables(63, n=2000, family="nb1", scale=1.5)
    found = terrain(table, family)
    if what == "coefficient":
        first = replace(found.terms[0], coefficient=found.terms[0].coefficient + 1e-5)
        wrong = found.with_terms((first, *found.terms[1:]))
    elif what == "intercept":
        wrong = replace(found, intercept=found.intercept - 1e-5)
    else:
        wrong = replace(found, dispersion=found.dispersion * 1.0001)
    assert refit_with_statsmodels(table.design, wrong) > LARGEST_DIFFERENCE
    assert refit_with_statsmodels(table.design, found) < 1e-7


def test_the_night_stops_at_a_difference():
    assert _agreement(LARGEST_DIFFERENCE / 2).passed
    assert not _agreement(LARGEST_DIFFERENCE * 2).passed
    assert not _agreement(float("nan")).passed
