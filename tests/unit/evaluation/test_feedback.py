"""A self-exciting record is told from chance and from regression to the mean."""

from __future__ import annotations

import numpy as np
import pytest

from rtm_pipeline.errors import ModelError
from rtm_pipeline.evaluation.feedback import feedback


def periods(loop: float, seed: int, n: int = 3000, length: int = 8) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Counts whose recording rises by ``loop`` in flagged cells; flags go to high counts, with some chance."""
    rng = np.random.default_rng(seed)
    rates = rng.gamma(0.6, 1.5, n)
    before = rng.poisson(rates)
    flags, befores, afters = [], [], []
    for _ in range(length):
        flagged = before + rng.normal(0, 1.5, n) >= np.quantile(before + rng.normal(0, 1.5, n), 0.9)
        after = rng.poisson(rates * np.where(flagged, 1.0 + loop, 1.0))
        flags.append(flagged)
        befores.append(before)
        afters.append(after)
        before = after
    return np.concatenate(flags), np.concatenate(befores), np.concatenate(afters)


def test_a_loop_is_found():
    for seed in range(5):
        found = feedback(*periods(0.4, seed))
        assert found.detected
        assert found.ratio == pytest.approx(1.4, rel=0.15)


def test_chance_and_regression_to_the_mean_are_no_loop():
    assert sum(feedback(*periods(0.0, seed)).detected for seed in range(20)) <= 2


def test_little_is_not_judged():
    flagged = np.array([True, True, False, False])
    counts = np.array([1, 1, 1, 1])
    found = feedback(flagged, counts, counts)
    assert found.ratio is None
    assert not found.detected


def test_lengths_must_agree():
    with pytest.raises(ModelError, match="same cells"):
        feedback(np.array([True]), np.array([1, 2]), np.array([1, 2]))
