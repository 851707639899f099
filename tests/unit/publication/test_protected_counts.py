"""Tables from which no small count can be told, against a linear program that tries."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import linprog

from rtm_pipeline.publication.editions.protected_counts import LEAST_COUNT, LEAST_DOUBT, bounds, protect_table


def range_of(counts, hidden, row_sums, column_sums, at):
    """Least and greatest value of one cell that fits everything told, by linear programming."""
    size = counts.size
    equal, total = [], []
    for told, index in ((row_sums, np.indices(counts.shape)[0]), (column_sums, np.indices(counts.shape)[1])):
        for line in np.flatnonzero(told):
            equal.append((index == line).ravel().astype(float))
            total.append(counts[index == line].sum())
    fixed = [(0, None) if h else (c, c) for h, c in zip(hidden.ravel(), counts.ravel(), strict=True)]
    goal = np.zeros(size)
    goal[at] = 1.0
    found = []
    for sign in (1.0, -1.0):
        solved = linprog(
            sign * goal, A_eq=np.array(equal) if equal else None, b_eq=total if equal else None, bounds=fixed
        )
        found.append(np.inf if solved.status == 3 else sign * solved.fun)
    return found


@settings(max_examples=60, deadline=None)
@given(
    arrays(np.int64, st.tuples(st.integers(2, 5), st.integers(2, 6)), elements=st.integers(0, 14)),
    st.booleans(),
    st.booleans(),
)
def test_no_small_count_follows_from_what_is_told(counts, rows_told, columns_told) -> None:
    row_sums, column_sums = np.full(counts.shape[0], rows_told), np.full(counts.shape[1], columns_told)
    hidden = protect_table(counts, row_sums, column_sums)
    small = counts < LEAST_COUNT
    assert not (small & ~hidden).any()
    for at in np.flatnonzero(small):
        row, column = np.unravel_index(at, counts.shape)
        if hidden[row].all() and hidden[:, column].all():
            continue  # nothing is told beside the sums
        low, high = range_of(counts, hidden, row_sums, column_sums, at)
        assert high - low >= LEAST_DOUBT - 1e-6, (counts, hidden)
    low, high = bounds(counts, hidden, row_sums, column_sums)
    assert ((low <= counts) & (counts <= high)).all()


def test_what_is_left_of_a_sum_gives_nothing_away() -> None:
    everything = np.ones(2, bool)
    counts = np.array([[3, 20, 30], [9, 40, 50]])
    hidden = protect_table(counts, everything, np.ones(3, bool))
    assert hidden[0, 0]
    assert hidden.sum(axis=0)[hidden.any(axis=0)].min() >= 2, "the sum of the hours gives a lone one away"
    assert hidden.sum(axis=1)[hidden.any(axis=1)].min() >= 2, "the sum of the neighborhood gives a lone one away"
    assert not protect_table(np.full((3, 4), 6), np.ones(3, bool), np.ones(4, bool)).any(), "no need, nothing hidden"


@pytest.mark.parametrize("shape", [(88, 8), (246, 28)])
def test_a_large_table_keeps_most_of_what_it_may_tell(shape) -> None:
    rng = np.random.default_rng(3)
    counts = rng.poisson(rng.gamma(2.0, 10.0, (shape[0], 1)) * np.ones(shape)).astype(np.int64)
    hidden = protect_table(counts, np.ones(shape[0], bool), np.ones(shape[1], bool))
    large = counts >= LEAST_COUNT
    assert (hidden & large).sum() < 0.25 * large.sum()
