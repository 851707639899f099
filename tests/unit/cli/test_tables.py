"""`rtm fit` and `rtm accuracy` on tables that have nothing to do with a city."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
import statsmodels.api as sm
from support.city import Command


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """600 rows; bars within 500 double the count, schools do nothing."""
    rng = np.random.default_rng(5)
    near = rng.random(600) < 0.15
    columns = {
        "bars_250": near & (rng.random(600) < 0.5),
        "bars_500": near,
        "school_500": rng.random(600) < 0.3,
    }
    exposure = rng.uniform(0.3, 1.0, 600)
    counts = rng.poisson(exposure * np.exp(0.2 + 0.9 * near))
    path = tmp_path / "cells.parquet"
    values = {name: column.astype(np.int8) for name, column in columns.items()}
    pyarrow.parquet.write_table(pa.table({"n": counts, "area": exposure, **values}), path)
    return path


def test_fit_finds_the_planted_column_and_agrees_with_statsmodels(table: Path, tmp_path: Path, rtm: Command) -> None:
    out = tmp_path / "model.json"
    answer = rtm(
        *("fit", table, "--count", "n", "--exposure", "area", "--factor-of", "(.*)_", "--family", "poisson"),
        *("--refits", "50", "--json", out),
    )
    assert answer.code == 0, answer.err
    model = json.loads(out.read_text())
    assert [term["variable"] for term in model["terms"]] == ["bars_500"]
    assert model["terms"][0]["factor"] == "bars"
    rows = pyarrow.parquet.read_table(table).to_pandas()
    design = sm.add_constant(rows[["bars_500"]].astype(float))
    peer = sm.GLM(rows["n"], design, family=sm.families.Poisson(), exposure=rows["area"]).fit(tol=1e-12)
    assert model["intercept"] == pytest.approx(peer.params["const"], abs=1e-7)
    assert model["terms"][0]["coefficient"] == pytest.approx(peer.params["bars_500"], abs=1e-7)
    assert "bars_500" in answer.out


def test_fit_reads_csv_alike(table: Path, tmp_path: Path, rtm: Command) -> None:
    path = tmp_path / "cells.csv"
    pyarrow.csv.write_csv(pyarrow.parquet.read_table(table), path)
    arguments = ("--count", "n", "--exposure", "area", "--factor-of", "(.*)_", "--refits", "0")
    assert rtm("fit", path, *arguments).out == rtm("fit", table, *arguments).out


@pytest.mark.parametrize(
    ("arguments", "named", "code"),
    [
        (("--count", "m"), "no column 'm'", 2),
        (("--count", "n", "--family", "gauss"), "--family", 2),
        (("--count", "n", "--factor-of", "("), "--factor-of", 2),
        (("--count", "area"), "not a whole number", 3),
        (("--count", "n"), "area", 3),
    ],
)
def test_fit_says_what_is_wrong(table: Path, rtm: Command, arguments: tuple[str, ...], named: str, code: int) -> None:
    answer = rtm("fit", table, *arguments)
    assert answer.code == code
    assert named in answer.err
    assert "Traceback" not in answer.err


def test_fit_of_a_missing_or_unreadable_file(tmp_path: Path, rtm: Command) -> None:
    assert rtm("fit", tmp_path / "no.csv", "--count", "n").code == 2
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"no parquet")
    answer = rtm("fit", broken, "--count", "n")
    assert answer.code == 2
    assert "can't be read as a table" in answer.err


def test_accuracy_of_three_cells_is_that_of_the_books(tmp_path: Path, rtm: Command) -> None:
    """Observed (6, 3, 0), predicted (3, 2, 1): PAI 2, 1.5 and 1 at one, two and three of three cells."""
    path = tmp_path / "cells.csv"
    rows = ["seen,said"] + [f"{seen},{said}" for seen, said in ((6, 3), (3, 2), (0, 1))] * 10
    path.write_text("\n".join(rows) + "\n")
    answer = rtm("accuracy", path, "--observed", "seen", "--score", "said", "--json")
    assert answer.code == 0, answer.err
    # 30 rows: 20 % are 6 of the 10 cells that tie with score 3, all of which saw 6.
    assert answer.json["pai"]["0.2"] == {"min": 2.0, "expected": 2.0, "max": 2.0}
    assert answer.json["distinct_values"] == 3
    assert "PAI" in rtm("accuracy", path, "--observed", "seen", "--score", "said").out
