"""Our penalized paths against those recorded from R's glmnet (see record.R), at the same penalties and folds."""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rtm_pipeline.factors.spec import Variable
from rtm_pipeline.model.design import Block, Design
from rtm_pipeline.model.screening import Screening, screen
from rtm_pipeline.model.screening_replicates import screen_at
from rtm_pipeline.model.spec import ModelSpec

HERE = Path(__file__).parent
RECORDED = json.loads(gzip.decompress((HERE / "paths.json.gz").read_bytes()))
CASES = sorted(name for name in RECORDED if "/" in name)


@cache
def _table(name: str) -> tuple[tuple[str, ...], np.ndarray]:
    text = gzip.decompress((HERE / f"{name}.csv.gz").read_bytes()).decode().splitlines()
    return tuple(text[0].split(",")), np.array([row.split(",") for row in text[1:]], float)


def _design(name: str, offset: bool) -> tuple[Design, np.ndarray]:
    """The recorded table as blocks of factors: one code a cell, one row of bits a code."""
    header, table = _table(name)
    blocks = []
    for factor in sorted({column.split("_")[0] for column in header[3:]}, key=lambda f: int(f[1:])):
        columns = [k for k, column in enumerate(header) if column.startswith(f"{factor}_")]
        bits, codes = np.unique(table[:, columns].astype(np.uint8), axis=0, return_inverse=True)
        blocks.append(Block(codes.astype(np.uint8), bits, tuple(Variable(header[k], factor) for k in columns)))
    exposure = table[:, 1] if offset else np.ones(len(table))
    return Design(tuple(blocks), table[:, 0].astype(np.int64), exposure), table[:, 2].astype(np.uint8)


@cache
def _ours(case: str) -> tuple[dict[str, Any], Screening]:
    name, offset, alpha, direction = case.split("/")
    recorded = RECORDED[case]
    design, folds = _design(name, offset == "offset")
    spec = ModelSpec(direction=direction, alpha=float(alpha))
    return recorded, screen(design, spec, folds, penalties=np.array(recorded["lambda"]), tolerance=1e-6)


def _coefficients(screening: Screening) -> np.ndarray:
    dense = np.zeros((screening.penalties.size, screening.coefficients.size))
    dense[:, screening.path_columns] = screening.path_coefficients
    return dense


@pytest.mark.parametrize("case", CASES)
def test_coefficients_agree_along_the_whole_path(case: str) -> None:
    recorded, ours = _ours(case)
    theirs = np.array(recorded["beta"])
    assert np.abs(theirs).max() > 0.1
    np.testing.assert_allclose(_coefficients(ours), theirs, atol=1e-5)
    np.testing.assert_allclose(ours.path_intercepts, recorded["intercept"], atol=1e-5)
    np.testing.assert_array_equal(_coefficients(ours) != 0, np.abs(theirs) > 0)
    np.testing.assert_allclose(ours.deviance_explained, recorded["deviance_explained"], atol=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_cross_validated_deviance_agrees(case: str) -> None:
    recorded, ours = _ours(case)
    np.testing.assert_allclose(ours.cv_deviance, recorded["cvm"], rtol=1e-6)
    np.testing.assert_allclose(ours.cv_se, recorded["cvsd"], rtol=1e-5)
    assert [ours.chosen + 1] == recorded["min"]


@pytest.mark.parametrize("case", ["medium/offset/0.5/aggravating", "medium/offset/1/both", "small/plain/1/protective"])
def test_the_one_standard_error_rule_chooses_the_same_penalty(case: str) -> None:
    name, offset, alpha, direction = case.split("/")
    recorded = RECORDED[case]
    design, folds = _design(name, offset == "offset")
    spec = ModelSpec(direction=direction, alpha=float(alpha), penalty_rule="one_se")
    ours = screen(design, spec, folds, penalties=np.array(recorded["lambda"]))
    assert [ours.chosen + 1] == recorded["one_se"]


@pytest.mark.parametrize(
    "case", ["medium/offset/0.5/aggravating", "medium/offset/1/both", "medium/offset/0.5/protective"]
)
def test_the_default_tolerance_is_tight_enough(case: str) -> None:
    name, offset, alpha, direction = case.split("/")
    recorded = RECORDED[case]
    design, folds = _design(name, offset == "offset")
    ours = screen(design, ModelSpec(direction=direction, alpha=float(alpha)), folds, penalties=recorded["lambda"])
    np.testing.assert_allclose(_coefficients(ours), recorded["beta"], atol=1e-4)


@pytest.mark.parametrize("at", [4, 12, 19])
def test_a_cold_fit_at_one_penalty_agrees(at: int) -> None:
    recorded = RECORDED["medium/offset/0.5/both"]
    design, _ = _design("medium", offset=True)
    fit = screen_at(design, recorded["lambda"][at], ModelSpec(direction="both"), tolerance=1e-6)
    np.testing.assert_allclose(fit.coefficients[0], recorded["beta"][at], atol=1e-5)
    np.testing.assert_allclose(fit.intercepts[0], recorded["intercept"][at], atol=1e-5)
