"""Cutting work between threads loses nothing and keeps the order."""

from __future__ import annotations

import time

import numpy as np
import pytest

from rtm_pipeline.model.workers import available_threads, in_order, shares, slices


@pytest.mark.parametrize("n", [0, 1, 2, 7, 100])
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_slices_cover_everything_once(n, threads):
    assert [i for first, stop in slices(n, threads) for i in range(first, stop)] == list(range(n))
    parts = shares(np.arange(n), threads)
    assert np.concatenate([np.arange(0), *parts]).tolist() == list(range(n))


@pytest.mark.parametrize("threads", [1, 4])
def test_results_are_in_order(threads):
    def slow_first(i):
        time.sleep(0.02 if i == 0 else 0)
        return i * i

    assert in_order(slow_first, range(8), threads=threads) == [i * i for i in range(8)]


def test_an_error_in_a_thread_reaches_the_caller():
    with pytest.raises(ZeroDivisionError):
        in_order(lambda i: 1 // i, [1, 0, 2], threads=2)


def test_there_is_at_least_one_thread():
    assert available_threads() >= 1
