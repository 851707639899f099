"""Tie bounds against every order of the tied cells."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtm_pipeline.evaluation.compare import compare
from rtm_pipeline.evaluation.measures import Ranking, measure

CELLS = st.integers(2, 7).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(0, 4), min_size=n, max_size=n),
        st.lists(st.sampled_from([0.0, 1.0, 2.5]), min_size=n, max_size=n),
        st.integers(1, n),
    )
)


@settings(max_examples=150, deadline=None)
@given(CELLS)
def test_bounds_are_those_of_all_orders(cells: tuple[list[int], list[float], int]):
    observed, score, k = np.array(cells[0]), np.array(cells[1]), cells[2]
    n = observed.size
    orders = [np.array(p) for p in permutations(range(n)) if np.all(np.diff(score[list(p)]) <= 0)]
    hits = [int(observed[order[:k]].sum()) for order in orders]
    found = measure(observed, score, in_incidents=True, shares=(k / n,)).shares[0]
    assert found.cells == k
    assert (found.hits.minimum, found.hits.maximum) == (min(hits), max(hits))
    assert found.hits.expected == pytest.approx(np.mean(hits))
    chance = np.mean([np.isin(np.arange(n), order[:k]) for order in orders], axis=0)
    np.testing.assert_allclose(Ranking.of(score).inclusion(k), chance, atol=1e-12)
    if observed.sum():
        assert found.pai is not None
        assert found.pai.maximum == pytest.approx(max(hits) / observed.sum() / (k / n))
        best = np.sort(observed)[::-1][:k].sum()
        assert found.pei is not None
        assert found.pei.minimum == pytest.approx(min(hits) / best)
    if min(hits) > 0:
        predicted = np.sort(score)[::-1][:k].sum()
        assert found.rri is not None
        assert found.rri.minimum == pytest.approx(predicted / max(hits))
        assert found.rri.maximum == pytest.approx(predicted / min(hits))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.floats(0, 9)), min_size=1, max_size=60), st.randoms())
def test_the_order_of_the_rows_does_not_matter(rows: list[tuple[int, float]], random):
    observed, score = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    order = list(range(len(rows)))
    random.shuffle(order)
    first = measure(observed, score)
    second = measure(observed[order], score[order])
    for a, b in zip(first.shares, second.shares, strict=True):
        assert a.hits.expected == pytest.approx(b.hits.expected)
        assert (a.hits.minimum, a.hits.maximum) == (b.hits.minimum, b.hits.maximum)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.floats(0.01, 9)), min_size=12, max_size=60))
def test_a_surface_equals_itself(rows: list[tuple[int, float]]):
    observed, score = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    found = compare(observed, score, 3.0 * score, "itself", np.arange(len(rows)) // 2, shares=(0.2, 0.5), draws=50)
    for ratio in found.hit_ratio.values():
        assert ratio.value is None or ratio.value == pytest.approx(1.0)
    assert found.verdict in ("not_better", "not_judged")
