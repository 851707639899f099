"""Folds: balanced in incidents and cells, or whole spatial blocks."""

from __future__ import annotations

import numpy as np
import pytest

from rtm_pipeline.errors import ModelError
from rtm_pipeline.model.folds import _pour, balanced_folds, block_folds


def _city(seed: int, n: int = 5000) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.poisson(rng.gamma(0.3, 0.5, n))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("k", [2, 5, 10])
def test_folds_have_equal_incidents_and_equal_cells(seed: int, k: int) -> None:
    counts = _city(seed)
    folds = balanced_folds(counts, k, seed)
    assert folds.dtype == np.uint8
    incidents = np.bincount(folds, weights=counts, minlength=k)
    cells = np.bincount(folds, minlength=k)
    assert cells.size == k
    assert np.ptp(cells) <= 1
    assert np.ptp(incidents) <= 1


def test_one_heavy_cell_does_not_unbalance_the_cells() -> None:
    counts = np.array([100] + [1] * 50 + [0] * 449)
    folds = balanced_folds(counts, 5, 0)
    incidents = np.bincount(folds, weights=counts)
    assert np.bincount(folds).tolist() == [100] * 5
    assert sorted(incidents)[:4] == [12, 12, 13, 13]
    assert max(incidents) == 100


def test_without_empty_cells_folds_still_have_equal_cells() -> None:
    counts = np.array([100] + [1] * 49)
    folds = balanced_folds(counts, 5, 3)
    assert np.bincount(folds).tolist() == [10] * 5


def test_different_counts_are_dealt_like_weights_on_a_scale() -> None:
    counts = np.arange(1, 1001)
    folds = balanced_folds(counts, 4, 1)
    assert np.ptp(np.bincount(folds, weights=counts)) <= 4
    assert np.bincount(folds).tolist() == [250] * 4


def test_a_seed_gives_the_same_folds_and_another_seed_others() -> None:
    counts = _city(0)
    first = balanced_folds(counts, 5, 7)
    np.testing.assert_array_equal(first, balanced_folds(counts, 5, 7))
    assert (first != balanced_folds(counts, 5, 8)).mean() > 0.5


@pytest.mark.parametrize("seed", range(40))
def test_pouring_equals_dealing_one_by_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    k = int(rng.integers(2, 7))
    totals, room = rng.integers(0, 30, k), rng.integers(0, 12, k)
    value, items = int(rng.integers(1, 9)), int(rng.integers(0, room.sum() + 1))
    preference = rng.permutation(k)
    rank = np.argsort(preference)
    expected = np.zeros(k, int)
    for _ in range(items):
        open_folds = [f for f in range(k) if expected[f] < room[f]]
        lowest = min(open_folds, key=lambda f: (totals[f] + value * expected[f], rank[f]))
        expected[lowest] += 1
    np.testing.assert_array_equal(_pour(totals, room, value, items, preference), expected)


@pytest.mark.parametrize("seed", range(4))
def test_blocks_stay_whole_and_folds_are_balanced(seed: int) -> None:
    rng = np.random.default_rng(seed)
    counts = _city(seed)
    blocks = rng.integers(-3, 120, counts.size) * 17
    folds = block_folds(blocks, counts, 5, seed)
    assert folds.dtype == np.uint8
    for block in np.unique(blocks):
        assert np.unique(folds[blocks == block]).size == 1
    incidents = np.bincount(folds, weights=counts, minlength=5)
    assert np.ptp(incidents) <= counts.sum() * 0.02
    np.testing.assert_array_equal(folds, block_folds(blocks, counts, 5, seed))


def test_blocks_without_incidents_are_spread_over_the_folds() -> None:
    blocks = np.repeat(np.arange(40), 25)
    counts = np.zeros(1000, int)
    counts[:5] = 1
    folds = block_folds(blocks, counts, 4, 0)
    assert np.bincount(folds)[1:].min() >= 250


@pytest.mark.parametrize(
    ("counts", "k", "words"),
    [
        (np.zeros(10, int), 1, "2 to 255"),
        (np.zeros(1000, int), 256, "2 to 255"),
        (np.zeros(3, int), 5, "at least 5 cells"),
        (np.array([1, -1, 0, 0]), 2, "negative: found -1 in cell 1"),
        (np.array([1.0, 2.0]), 2, "whole numbers"),
        (np.zeros((4, 4), int), 2, "vector"),
    ],
)
def test_what_can_not_be_dealt_is_refused(counts: np.ndarray, k: int, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        balanced_folds(counts, k, 0)


def test_fewer_blocks_than_folds_are_refused() -> None:
    with pytest.raises(ModelError, match="at least 5 spatial blocks: found 2"):
        block_folds(np.array([1, 1, 2, 2, 2, 2]), np.ones(6, int), 5, 0)
    with pytest.raises(ModelError, match="same cells"):
        block_folds(np.array([1, 2]), np.ones(6, int), 2, 0)
