"""Tables of 0/1 columns become designs; anything else is a clear error."""

from __future__ import annotations

import numpy as np
import pytest

from rtm_pipeline.errors import ModelError
from rtm_pipeline.model.table import design_from_table


def values(design, name):
    for block in design.blocks:
        for i, variable in enumerate(block.variables):
            if variable.name == name:
                return block.bits[:, i][block.codes]
    raise KeyError(name)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float64, object])
def test_columns_come_back(dtype):
    rng = np.random.default_rng(0)
    columns = {f"{name}_{i}": rng.random(200) < 0.3 for name in ("bars", "schools") for i in range(5)}
    table = {name: column.astype(dtype) for name, column in columns.items()}
    design = design_from_table(table, rng.poisson(1.0, 200), factor_of=r"^(\w+)_\d")
    assert [variable.name for variable in design.variables] == list(columns)
    assert {variable.factor for variable in design.variables} == {"bars", "schools"}
    for name, column in columns.items():
        np.testing.assert_array_equal(values(design, name), column)


@pytest.mark.parametrize("n_columns", [1, 9, 40, 200])
def test_unrelated_columns_of_one_factor_stay_one_byte_a_cell(n_columns):
    rng = np.random.default_rng(1)
    columns = {f"x{i:03d}": rng.random(2000) < 0.5 for i in range(n_columns)}
    design = design_from_table(columns, rng.poisson(1.0, 2000), factor_of="(x)")
    assert all(block.codes.dtype == np.uint8 for block in design.blocks)
    assert len(design.blocks) <= max(1, n_columns // 4)
    for name, column in columns.items():
        np.testing.assert_array_equal(values(design, name), column)


def test_factors_by_expression():
    columns = {"bars_near": [0, 1], "bars_far": [0, 1], "park": [0, 1]}
    by_expression = design_from_table(columns, [1, 2], factor_of="(.*)_")
    assert [variable.factor for variable in by_expression.variables] == ["bars", "bars", "park"]
    by_default = design_from_table(columns, [1, 2])
    assert [variable.factor for variable in by_default.variables] == ["bars_near", "bars_far", "park"]


def test_exposure_and_counts_are_kept():
    design = design_from_table({"x": [0, 1, 1]}, [3.0, 0.0, 2.0], [0.5, 1.0, 2.0])
    assert design.counts.dtype == np.int64
    assert design.counts.tolist() == [3, 0, 2]
    assert design.exposure.tolist() == [0.5, 1.0, 2.0]


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ([0, 2, 1], r"'x' must hold only 0 and 1; found .*2.* in row 1"),
        ([0, float("nan"), 1], "found .*nan.* in row 1"),
        ([0, None, 1], "in row 1"),
        (["a", "b", "c"], "not numbers"),
        ([0, 1], r"shape \(2,\), but there are 3 counts"),
        ([0, 0.5, 1], "distances and densities"),
    ],
)
def test_other_values_are_errors(column, message):
    with pytest.raises(ModelError, match=message):
        design_from_table({"x": column}, [1, 0, 2])


@pytest.mark.parametrize(
    ("counts", "exposure", "message"),
    [
        ([1, None, 2], None, "count of cell 1 is missing"),
        ([1, "many", 2], None, "must be numbers"),
        ([1, -1, 2], None, "negative"),
        ([1, 0, 2], [1, 0, 1], "not positive"),
        ([1, 0, 2], [1, 1], "one exposure a cell"),
        ([], None, "at least one cell"),
    ],
)
def test_bad_counts_and_exposure_are_errors(counts, exposure, message):
    with pytest.raises(ModelError, match=message):
        design_from_table({"x": [0, 1, 1]}, counts, exposure)


@pytest.mark.parametrize(("pattern", "message"), [("(", "not valid"), ("abc", "one group"), ("(a)(b)", "found 2")])
def test_bad_expressions_are_errors(pattern, message):
    with pytest.raises(ModelError, match=message):
        design_from_table({"x": [0, 1]}, [1, 2], factor_of=pattern)
