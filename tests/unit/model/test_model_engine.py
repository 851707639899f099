"""The engine from design to report, and what it does with input that can't be modeled."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from rtm_pipeline.errors import ModelError
from rtm_pipeline.factors.spec import Variable
from rtm_pipeline.model.design import Block, Design
from rtm_pipeline.model.engine import fit_rtm
from rtm_pipeline.model.report import model_report
from rtm_pipeline.model.spec import BootstrapSpec, ModelSpec

FEW = BootstrapSpec(refits=60, selections=10)
NONE = BootstrapSpec(refits=0, selections=0)


@pytest.fixture(scope="module")
def table(tables):
    return tables(51, n=4000, n_factors=8, n_bands=3, family="nb1", dispersion=0.8, effects=4, scale=0.6)


@pytest.fixture(scope="module")
def fit(table):
    return fit_rtm(table.design, ModelSpec(bootstrap=FEW), block_id=np.arange(4000) // 50)


def test_every_part_is_there(fit):
    assert fit.terrain.family == "nb1"
    assert {selection.family.name for selection in fit.selections} == {"poisson", "nb1"}
    assert fit.selections[0].fit.bic == fit.terrain.bic < fit.selections[1].fit.bic
    assert {term.variable.name for term in fit.terrain.terms} <= set(fit.screened)
    assert len(fit.screened) < 24
    for term in fit.terrain.terms:
        assert term.coefficient > 0
        assert term.rrv_low < term.rrv < term.rrv_high
        assert term.rrv_low_unconditional <= term.rrv_high_unconditional
        assert 0 < term.selection_frequency <= 1


def test_threads_and_order_of_blocks_do_not_matter(table, fit):
    again = fit_rtm(table.design, ModelSpec(bootstrap=FEW), block_id=np.arange(4000) // 50, threads=1)
    assert again.terrain == fit.terrain
    turned = Design(table.design.blocks[::-1], table.design.counts, table.design.exposure)
    other = fit_rtm(turned, ModelSpec(bootstrap=NONE), block_id=np.arange(4000) // 50)
    assert [term.variable for term in other.terrain.terms] == [term.variable for term in fit.terrain.terms]
    assert other.terrain.bic == fit.terrain.bic


def test_seed_moves_folds_and_bootstraps_only(table, fit):
    other = fit_rtm(table.design, ModelSpec(bootstrap=FEW, seed=1), block_id=np.arange(4000) // 50)
    assert other.refits.coefficients.tobytes() != fit.refits.coefficients.tobytes()
    assert other.terrain.family == fit.terrain.family


def test_report_has_the_keys_of_the_interface_and_is_json(fit):
    report = model_report(fit)
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert {"family", "dispersion", "bic", "n_cells", "n_events", "intercept", "interval_level"} <= set(report)
    assert report["interval_level"] == 0.90
    assert set(report["screening"]) >= {"alpha", "folds", "fold_kind", "penalty", "rule"}
    expected = {"variable", "factor", "operationalization", "spatial_influence_m", "coefficient", "se", "rrv"}
    expected |= {"rrv_low", "rrv_high", "rrv_low_unconditional", "rrv_high_unconditional", "selection_frequency"}
    for term in report["terms"]:
        assert set(term) == expected
        assert term["rrv"] == pytest.approx(math.exp(term["coefficient"]))
    assert report["bootstraps"]["refits"]["replicates"] == 60
    assert report["bootstraps"]["selections"]["replicates"] == 10
    assert report["bootstraps"]["selections"]["unit"] == "blocks"


def test_without_screening_all_variables_are_candidates(table):
    found = fit_rtm(table.design, ModelSpec(screen=False, bootstrap=replace(FEW, refits=0)))
    assert found.screening is None
    assert len(found.screened) == 24
    assert found.refits is None
    assert found.reselections.unit == "cells"
    assert model_report(found)["screening"] is None
    assert found.terrain.terms[0].rrv_low is None


def test_named_family_is_kept(table):
    for family in ("poisson", "nb1", "nb2"):
        found = fit_rtm(table.design, ModelSpec(family=family, bootstrap=NONE))
        assert found.terrain.family == family
        assert len(found.selections) == 1


def test_block_folds_need_blocks(table):
    spec = ModelSpec(fold_kind="blocks", bootstrap=NONE)
    with pytest.raises(ModelError, match="block_id"):
        fit_rtm(table.design, spec)
    assert fit_rtm(table.design, spec, block_id=np.arange(4000) // 50).screening is not None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"family": "zip"}, "no family 'zip'"),
        ({"direction": "up"}, "direction"),
        ({"fold_kind": "random"}, "fold_kind"),
        ({"bootstrap": BootstrapSpec(level=1.5)}, "level"),
    ],
)
def test_unknown_settings_are_errors(table, change, message):
    with pytest.raises(ModelError, match=message):
        fit_rtm(table.design, replace(ModelSpec(bootstrap=NONE), **change))


# input that can't be modeled, or hardly


def design(counts, exposure=None, X=None):
    n = len(counts)
    X = (np.arange(n) % 2)[:, None] if X is None else X
    blocks = tuple(
        Block(column.astype(np.uint8), np.array([[0], [1]], np.uint8), (Variable(f"v{i}", f"v{i}"),))
        for i, column in enumerate(np.asarray(X).T)
    )
    return Design(blocks, np.asarray(counts), np.ones(n) if exposure is None else np.asarray(exposure, float))


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (design([0, 0, 0, 0]), "no incidents"),
        (design([1.0, np.nan, 0.0, 2.0]), r"count of cell 1 is missing"),
        (design([1, -2, 0, 2]), r"count of cell 1 is negative"),
        (design([1.0, 0.5, 0.0, 2.0]), "not a whole number"),
        (design([1, 1, 0, 2], [1, 0, 1, 1]), "exposure of cell 1 is not positive"),
        (design([1, 1, 0, 2], [1, np.nan, 1, 1]), "exposure of cell 1 is missing"),
        (design([1, 1, 0, 2], [1, -1, 1, 1]), "not positive"),
        (design([1, 1, 0, 2], [1, 1e200, 1, 1e-200]), "too far"),
        (design([1, 1, 0, 2], [1e308, 1e308, 1e308, 1e308]), "too far"),
        (design([]), "at least one cell"),
        (design([2**60, 1, 0, 2]), "too large"),
        (design(["a", "b", "c", "d"]), "must be numbers"),
        (design([1, 1, 0, 2], [1, 1, 1]), "one exposure a cell"),
    ],
)
def test_bad_input_is_a_clear_error(bad, message):
    with pytest.raises(ModelError, match=message):
        fit_rtm(bad, ModelSpec(bootstrap=NONE))


def test_broken_blocks_are_errors():
    good = design([1, 0, 2, 3])
    block = good.blocks[0]
    for broken, message in (
        (Block(block.codes[:3], block.bits, block.variables), "codes for 4 cells"),
        (Block(block.codes, block.bits * 2, block.variables), "other than 0 and 1"),
        (Block(block.codes + 5, block.bits, block.variables), "beyond its 2 states"),
        (Block(block.codes, block.bits, block.variables * 2), "bits of shape"),
    ):
        with pytest.raises(ModelError, match=message):
            fit_rtm(Design((broken,), good.counts, good.exposure), ModelSpec(bootstrap=NONE))
    with pytest.raises(ModelError, match="more than once"):
        fit_rtm(Design((block, block), good.counts, good.exposure), ModelSpec(bootstrap=NONE))


@pytest.mark.parametrize("family", ["auto", "poisson", "nb1", "nb2"])
@pytest.mark.parametrize("direction", ["aggravating", "protective", "both"])
def test_one_incident_is_a_null_model(family, direction):
    counts = np.zeros(300, np.int64)
    counts[7] = 1
    X = np.random.default_rng(0).random((300, 5)) < 0.4
    found = fit_rtm(design(counts, X=X), ModelSpec(family=family, direction=direction))
    assert found.terrain.is_null
    assert any("Screening was skipped" in note for note in found.notes)
    assert any("no terms" in note for note in found.notes)
    assert found.terrain.intercept == pytest.approx(np.log(1 / 300))
    assert json.dumps(model_report(found), allow_nan=False)


def test_all_columns_constant_is_a_null_model():
    X = np.column_stack([np.ones(100), np.zeros(100)])
    found = fit_rtm(design(np.arange(100) % 3, X=X), ModelSpec())
    assert found.terrain.is_null
    assert [item.variable for item in found.dropped] == ["v0", "v1"]
    assert "it is 1 in every cell" in found.dropped[0].reason


def test_more_columns_than_cells():
    rng = np.random.default_rng(3)
    X = rng.random((60, 300)) < 0.4
    counts = rng.poisson(np.where(X[:, 0], 6.0, 0.8))
    found = fit_rtm(design(counts, X=X), ModelSpec(bootstrap=replace(FEW, selections=0)))
    assert "v0" in {term.variable.name for term in found.terrain.terms}
    assert len(found.terrain.terms) < 15
    assert all(np.isfinite([term.coefficient, term.se]).all() for term in found.terrain.terms)


def test_separated_and_repeated_columns_leave_a_sound_model():
    rng = np.random.default_rng(4)
    x, empty = rng.random(1500) < 0.3, rng.random(1500) < 0.1
    counts = np.where(empty, 0, rng.poisson(np.where(x, 1.5, 0.4)))
    X = np.column_stack([x, x, ~x, empty, counts > 0])
    for direction in ("aggravating", "both"):
        found = fit_rtm(design(counts, X=X), ModelSpec(direction=direction, bootstrap=FEW))
        assert [term.variable.name for term in found.terrain.terms] == ["v0"]
        reasons = {item.variable: item.reason for item in found.dropped}
        assert {"v3", "v4"} <= set(reasons)
        assert np.isfinite(found.terrain.terms[0].se)


@pytest.mark.parametrize("unit", [1e-8, 1.0, 1e8])
def test_unit_of_exposure_does_not_change_the_model(table, unit):
    scaled = Design(table.design.blocks, table.design.counts, table.design.exposure * unit)
    found, usual = (fit_rtm(d, ModelSpec(bootstrap=NONE)) for d in (scaled, table.design))
    assert [term.variable.name for term in found.terrain.terms] == [term.variable.name for term in usual.terrain.terms]
    assert found.terrain.bic == pytest.approx(usual.terrain.bic, abs=1e-4)
    assert found.terrain.intercept == pytest.approx(usual.terrain.intercept - math.log(unit), abs=1e-6)


def test_a_variance_that_nb1_does_not_fit_is_pointed_out(fit):
    """Counts from NB2 with strong effects: auto fits NB1, as the method says, and says what is wrong with it."""
    rng = np.random.default_rng(9)
    X = rng.random((6000, 2)) < 0.2
    mean = np.exp(-0.5 + X @ np.array([1.1, 1.1]))
    counts = rng.poisson(mean * rng.gamma(1 / 1.2, 1.2, 6000))
    found = fit_rtm(design(counts, X=X), ModelSpec(bootstrap=NONE))
    assert found.terrain.family == "nb1"
    assert any("family: nb2" in note for note in found.notes)
    assert not any("family: nb2" in note for note in fit.notes)


def test_an_area_within_one_block_has_a_model_without_intervals(table):
    """A neighborhood is no reason to publish nothing; what is missing is said."""
    spec = ModelSpec(bootstrap=BootstrapSpec(refits=50, selections=5))
    one = fit_rtm(table.design, spec, block_id=np.zeros(table.design.n_cells, np.int32))
    assert one.terrain.terms
    assert one.refits is None
    assert one.reselections is None
    assert all(term.rrv_low is None and term.rrv_low_unconditional is None for term in one.terrain.terms)
    assert sum("at least two spatial blocks" in note for note in one.notes) == 2
    json.dumps(model_report(one), allow_nan=False)
