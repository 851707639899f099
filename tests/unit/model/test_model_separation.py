"""Whether finite estimates exist, against trying all directions."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from rtm_pipeline.model.likelihood.separation import estimate_exists

# any direction that can exist with an intercept and three 0/1 terms has one with whole numbers this small
DIRECTIONS = np.array(list(product(range(-3, 4), repeat=4)), float)


def by_trying(bits, has_events):
    X = np.column_stack([np.ones(len(bits)), bits])
    along = X @ DIRECTIONS.T
    level = (along[has_events] == 0).all(axis=0)
    falling = (along[~has_events] <= 0).all(axis=0) & (along[~has_events] < 0).any(axis=0)
    return not (level & falling).any()


@pytest.mark.parametrize("seed", range(300))
def test_equals_trying_all_directions(seed):
    rng = np.random.default_rng(seed)
    patterns = np.array(list(product((0, 1), repeat=3)), np.uint8)
    bits = patterns[np.sort(rng.choice(8, rng.integers(2, 9), replace=False))]
    has_events = rng.random(len(bits)) < rng.uniform(0.2, 0.9)
    assert estimate_exists(bits, has_events) == by_trying(bits, has_events)


def test_both_answers_occur():
    bits = np.array([[0, 0], [1, 0], [0, 1], [1, 1]], np.uint8)
    assert estimate_exists(bits, np.array([True, True, True, False]))
    assert not estimate_exists(bits, np.array([True, True, False, False]))
    assert not estimate_exists(np.array([[0, 0], [0, 1], [1, 1]], np.uint8), np.array([True, False, True]))
    assert estimate_exists(bits, np.ones(4, bool))
