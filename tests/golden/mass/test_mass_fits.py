"""Fits equal R's: glm, MASS glm.nb, and NB1 by maximum likelihood (record.R beside this file made fits.csv)."""

from __future__ import annotations

import csv
import importlib.util
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from rtm_pipeline.model.candidates import candidates_of
from rtm_pipeline.model.likelihood.cells import cells_of
from rtm_pipeline.model.likelihood.families import FAMILIES
from rtm_pipeline.model.likelihood.fit import fit_family
from rtm_pipeline.model.likelihood.patterns import patterns_of
from rtm_pipeline.model.likelihood.sufficient import rows_of
from rtm_pipeline.model.table import design_from_table

HERE = Path(__file__).parent


def reference():
    fits = defaultdict(lambda: defaultdict(dict))
    with (HERE / "fits.csv").open() as handle:
        for row in csv.DictReader(handle):
            fits[row["table"], row["family"]][row["quantity"]][row["name"]] = float(row["value"])
    return dict(fits)


def load(name):
    if name == "rand":
        spec = importlib.util.spec_from_file_location("make_tables", HERE / "make_tables.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        X, names, counts, exposure = module.rand_table()
        return design_from_table(dict(zip(names, X.T, strict=True)), counts, exposure)
    with (HERE / f"table_{name}.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    names = [key for key in rows[0] if key not in ("count", "exposure")]
    columns = {key: np.array([int(row[key]) for row in rows]) for key in names}
    counts = np.array([int(row["count"]) for row in rows])
    return design_from_table(columns, counts, np.array([float(row["exposure"]) for row in rows]))


REFERENCE = reference()


def fit(table, family):
    cells, candidates = cells_of(load(table)), candidates_of(load(table))
    patterns = patterns_of(cells, candidates, tuple(range(candidates.size)))
    found = fit_family(rows_of(FAMILIES[family], cells, patterns), cells.n_cells)
    return found, ["(intercept)", *(variable.name for variable in candidates.variables)]


def test_every_family_has_a_reference():
    assert {family for _, family in REFERENCE} == set(FAMILIES)
    assert len({table for table, _ in REFERENCE}) == 4


@pytest.mark.parametrize(("table", "family"), sorted(REFERENCE))
def test_equals_r(table, family):
    found, names = fit(table, family)
    expected = REFERENCE[table, family]
    for name, value, error in zip(names, found.coefficients, found.standard_errors, strict=True):
        assert value == pytest.approx(expected["coefficient"][name], abs=1e-6)
        assert error == pytest.approx(expected["se"][name], rel=1e-4)
    assert found.log_likelihood == pytest.approx(expected["log_likelihood"][""], abs=1e-6)
    assert found.bic == pytest.approx(expected["bic"][""], abs=1e-4)
    if family != "poisson":
        assert found.dispersion == pytest.approx(expected["dispersion"][""], rel=1e-6)


@pytest.mark.parametrize("table", sorted(table for table, family in REFERENCE if family == "nb2"))
def test_equals_glm_nb(table):
    found, names = fit(table, "nb2")
    expected = REFERENCE[table, "nb2"]
    for name, value in zip(names, found.coefficients, strict=True):
        assert value == pytest.approx(expected["glm.nb_coefficient"][name], abs=1e-6)
    assert found.log_likelihood == pytest.approx(expected["glm.nb_log_likelihood"][""], abs=1e-6)
    assert found.bic == pytest.approx(expected["glm.nb_bic"][""], abs=1e-4)
    assert found.dispersion == pytest.approx(expected["glm.nb_alpha"][""], rel=1e-5)


def test_counts_without_over_dispersion_rest_on_the_boundary():
    for family in ("nb1", "nb2"):
        found, _ = fit("poisson_exposed", family)
        poisson, _ = fit("poisson_exposed", "poisson")
        assert found.at_boundary
        assert found.dispersion == 0.0
        assert found.dispersion_se is None
        np.testing.assert_allclose(found.coefficients, poisson.coefficients, atol=1e-9)
        np.testing.assert_allclose(found.standard_errors, poisson.standard_errors, rtol=1e-6)
        assert found.bic == pytest.approx(poisson.bic + np.log(900), abs=1e-6)
