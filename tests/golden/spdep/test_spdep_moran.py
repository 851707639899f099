"""Moran's I by array shifts against spdep's `moran.test` (recorded by record.R; version in VERSION)."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from rtm_pipeline.evaluation.residuals import moran
from rtm_pipeline.grid.spec import GridSpec, StudyGrid

HERE = Path(__file__).parent


def table(name: str) -> list[dict[str, str]]:
    with (HERE / name).open(newline="") as file:
        return [{key: value.strip() for key, value in row.items()} for row in csv.DictReader(file)]


RESULTS = table("moran.csv")


@pytest.mark.parametrize("result", RESULTS, ids=[f"{r['lattice']}-{r['style']}" for r in RESULTS])
def test_moran_agrees_with_spdep(result: dict[str, str]):
    cells = [row for row in table("cells.csv") if row["lattice"] == result["lattice"]]
    rows, cols = int(cells[0]["rows"]), int(cells[0]["cols"])
    flat = np.array([int(c["row"]) * cols + int(c["col"]) for c in cells], np.int32)
    values = np.array([float(c["value"]) for c in cells])
    assert np.all(np.diff(flat) > 0)
    spec = GridSpec("EPSG:26915", 1.0, 100.0, 0, 0, rows, cols)
    grid = StudyGrid(spec, flat, np.ones(flat.size), np.zeros(flat.size, bool))
    found = moran(grid, values, row_standardized=result["style"] == "W", permutations=0)
    assert found.statistic == pytest.approx(float(result["statistic"]), rel=1e-9)
    assert found.expectation == pytest.approx(float(result["expectation"]), rel=1e-9)
    assert found.variance == pytest.approx(float(result["variance"]), rel=1e-9)
    assert found.z == pytest.approx(float(result["z"]), rel=1e-9)
    assert found.p_normal == pytest.approx(float(result["p"]), rel=1e-7, abs=1e-12)
    assert found.p_permutation is None
