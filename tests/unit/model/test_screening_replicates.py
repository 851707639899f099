"""Screening repeated under weights: as if the cells were there as often as their weight says."""

from __future__ import annotations

import numpy as np
import pytest

from rtm_pipeline.errors import ModelError
from rtm_pipeline.factors.spec import Variable
from rtm_pipeline.model.design import Block, Design
from rtm_pipeline.model.folds import balanced_folds
from rtm_pipeline.model.screening import screen
from rtm_pipeline.model.screening_replicates import screen_at
from rtm_pipeline.model.spec import ModelSpec

PENALTY = 0.02


def _data(seed: int, n: int = 600, K: int = 12) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = (rng.random((n, K)) < 0.25).astype(np.uint8)
    a = np.where(rng.random(n) < 0.3, rng.uniform(0.1, 1, n), 1.0)
    return X, rng.poisson(a * 0.7 * np.exp(0.7 * X[:, 2] + 0.5 * X[:, 7])), a


def _design(X: np.ndarray, y: np.ndarray, a: np.ndarray) -> Design:
    blocks = tuple(
        Block(X[:, j], np.array([[0], [1]], np.uint8), (Variable(f"v{j}", f"f{j}"),)) for j in range(X.shape[1])
    )
    return Design(blocks, y, a)


@pytest.mark.parametrize("direction", ["aggravating", "both"])
def test_weights_are_copies_of_cells(direction: str) -> None:
    X, y, a = _data(0)
    spec = ModelSpec(direction=direction)
    weights = np.random.default_rng(1).integers(0, 4, (11, len(y)))
    fits = screen_at(_design(X, y, a), PENALTY, spec, weights=weights, tolerance=1e-7)
    assert fits.coefficients.shape == (11, 12)
    assert fits.kkt_violation.max() <= 1e-7
    for row, w in enumerate(weights):
        copies = np.repeat(np.arange(len(y)), w)
        one = screen_at(_design(X[copies], y[copies], a[copies]), PENALTY, spec, tolerance=1e-7)
        np.testing.assert_allclose(fits.coefficients[row], one.coefficients[0], atol=1e-6)
        np.testing.assert_allclose(fits.intercepts[row], one.intercepts[0], atol=1e-6)
        np.testing.assert_array_equal(fits.kept[row], one.kept[0])


def test_groups_of_cells_share_a_weight() -> None:
    X, y, a = _data(2)
    groups = np.arange(len(y)) // 30
    draws = np.random.default_rng(0).multinomial(20, np.ones(20) / 20, 9)
    by_group = screen_at(_design(X, y, a), PENALTY, ModelSpec(), weights=draws, groups=groups)
    by_cell = screen_at(_design(X, y, a), PENALTY, ModelSpec(), weights=draws[:, groups])
    np.testing.assert_array_equal(by_group.coefficients, by_cell.coefficients)
    assert len({tuple(row) for row in by_group.kept}) > 1


def test_where_it_starts_does_not_matter() -> None:
    X, y, a = _data(3)
    design = _design(X, y, a)
    screening = screen(design, ModelSpec(), balanced_folds(y, 5, 0), tolerance=1e-7)
    weights = np.random.default_rng(0).integers(0, 3, (8, len(y)))
    cold = screen_at(design, screening.penalty, ModelSpec(), weights=weights, tolerance=1e-7)
    warm = screen_at(design, screening.penalty, ModelSpec(), weights=weights, warm=screening, tolerance=1e-7)
    np.testing.assert_allclose(cold.coefficients, warm.coefficients, atol=1e-6)
    same = screen_at(design, screening.penalty, ModelSpec(), warm=screening, tolerance=1e-7)
    np.testing.assert_allclose(same.coefficients[0], screening.coefficients, atol=1e-6)
    np.testing.assert_allclose(same.intercepts[0], screening.intercept, atol=1e-6)


def test_a_penalty_above_the_largest_keeps_nothing() -> None:
    X, y, a = _data(4)
    fit = screen_at(_design(X, y, a), 1e6, ModelSpec())
    assert not fit.kept.any()
    np.testing.assert_allclose(fit.intercepts[0], np.log(y.sum() / a.sum()), rtol=1e-6)


def test_wrong_weights_are_refused() -> None:
    X, y, a = _data(5, n=40)
    design = _design(X, y, a)
    groups = np.arange(40) // 10
    empty = np.where(y > 0, 0, 1)
    for weights, given, words in [
        (np.ones((2, 39), int), None, "speak of group 39"),
        (np.ones((2, 3), int), groups, "given for 3 groups"),
        (np.ones((2, 4)), groups, "whole numbers"),
        (-np.ones((2, 4), int), groups, "whole numbers from 0"),
        (np.ones((2, 4), int), groups[:-1], "each of 40 cells"),
        (np.vstack([np.ones(40, int), empty]), None, "Replicate 1 of the batch that begins with replicate 0 has no"),
    ]:
        with pytest.raises(ModelError, match=words):
            screen_at(design, PENALTY, ModelSpec(), weights=weights, groups=given)
    with pytest.raises(ModelError, match="positive"):
        screen_at(design, 0.0, ModelSpec())
    other = screen(_design(*_data(6, K=9)), ModelSpec(), balanced_folds(_data(6, K=9)[1], 5, 0))
    with pytest.raises(ModelError, match="has 9 variables, the design 12"):
        screen_at(design, PENALTY, ModelSpec(), warm=other)
