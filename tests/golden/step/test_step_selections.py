"""Selections equal R's step, stepAIC and an exhaustive script with RTM's rules (record.R made selections.csv)."""

from __future__ import annotations

import csv
import importlib.util
from pathlib import Path

import numpy as np
import pytest

from rtm_pipeline.model.candidates import candidates_of
from rtm_pipeline.model.likelihood.cells import cells_of
from rtm_pipeline.model.likelihood.families import FAMILIES
from rtm_pipeline.model.selection import select
from rtm_pipeline.model.table import design_from_table

HERE = Path(__file__).parent


def columns_of(table):
    """Columns, counts and exposure of a table of ../mass."""
    spec = importlib.util.spec_from_file_location("make_tables", HERE.parent / "mass" / "make_tables.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if table == "rand":
        X, names, counts, exposure = module.rand_table()
        return dict(zip(names, X.T, strict=True)), counts, exposure
    with (HERE.parent / "mass" / f"table_{table}.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    columns = {key: np.array([float(row[key]) for row in rows]) for key in rows[0]}
    return columns, columns.pop("count"), columns.pop("exposure")


with (HERE / "selections.csv").open() as handle:
    SELECTIONS = list(csv.DictReader(handle))


def test_three_data_sets_at_least():
    assert len({row["table"] for row in SELECTIONS if row["method"] == "step"}) >= 3
    assert len({row["table"] for row in SELECTIONS if row["method"] == "stepAIC"}) >= 3
    assert {row["direction"] for row in SELECTIONS} == {"aggravating", "protective", "both"}


@pytest.mark.parametrize("row", SELECTIONS, ids=lambda row: "-".join(list(row.values())[:4]))
def test_equals_r(row):
    columns, counts, exposure = columns_of(row["table"])
    factor_of = r"(.*)_b\d+$" if row["method"] == "exhaustive" else None
    design = design_from_table(columns, counts, exposure, factor_of)
    found = select(cells_of(design), candidates_of(design), FAMILIES[row["family"]], row["direction"])
    assert set(found.terms) == set(row["terms"].split())
    assert found.fit.bic == pytest.approx(float(row["bic"]), abs=1e-4)
