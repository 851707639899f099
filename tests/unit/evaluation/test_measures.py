"""The measures on fixtures that can be checked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from rtm_pipeline.errors import ModelError
from rtm_pipeline.evaluation.measures import SHARES, Bounds, Ranking, measure, share_key, top_cells

THIRDS = (1 / 3, 2 / 3, 1.0)


def test_the_fixture_of_the_method():
    found = measure(np.array([6, 3, 0]), np.array([3.0, 2.0, 1.0]), shares=THIRDS)
    assert [at.pai.expected for at in found.shares if at.pai] == pytest.approx([2.0, 1.5, 1.0])
    assert [at.hit_rate.expected for at in found.shares if at.hit_rate] == pytest.approx([2 / 3, 1.0, 1.0])
    assert [at.pei.expected for at in found.shares if at.pei] == pytest.approx([1.0, 1.0, 1.0])
    assert all(at.rri is None for at in found.shares)
    assert found.distinct_values == 3


def test_rri_is_predicted_over_observed_in_the_flagged_cells():
    found = measure(np.array([6, 3, 0]), np.array([3.0, 2.0, 1.0]), in_incidents=True, shares=THIRDS)
    assert [at.rri.expected for at in found.shares if at.rri] == pytest.approx([3 / 6, 5 / 9, 6 / 9])


def test_a_reversed_ranking():
    found = measure(np.array([0, 3, 6]), np.array([3.0, 2.0, 1.0]), in_incidents=True, shares=THIRDS)
    first = found.shares[0]
    assert first.pai == Bounds(0.0, 0.0, 0.0)
    assert first.pei == Bounds(0.0, 0.0, 0.0)
    assert first.rri is None  # nothing was observed there


def test_ties_have_bounds():
    observed = np.array([5, 0, 1, 4])
    found = measure(observed, np.array([2.0, 1.0, 1.0, 1.0]), shares=(0.5,)).shares[0]
    assert found.hits == Bounds(5.0, 5.0 + 5 / 3, 9.0)
    assert found.hit_rate == Bounds(0.5, pytest.approx(2 / 3), 0.9)  # type: ignore[arg-type]
    assert found.pei.maximum == pytest.approx(1.0)  # type: ignore[union-attr]


def test_a_flat_surface_expects_one():
    rng = np.random.default_rng(0)
    found = measure(rng.poisson(0.3, 1000), np.zeros(1000))
    assert found.distinct_values == 1
    for at in found.shares:
        assert at.pai.expected == pytest.approx(1.0)  # type: ignore[union-attr]
        assert at.pai.minimum <= 1.0 <= at.pai.maximum  # type: ignore[union-attr]


def test_area_weighting_counts_slivers_for_what_they_are():
    observed, score = np.array([4, 4, 0, 0]), np.array([9.0, 5.0, 1.0, 0.0])
    exposure = np.array([0.25, 1.0, 1.0, 0.75])
    at = measure(observed, score, exposure=exposure, shares=(0.25,)).shares[0]
    assert at.pai.expected == pytest.approx(2.0)  # type: ignore[union-attr]
    assert at.pai_area.expected == pytest.approx(0.5 / (0.25 / 3.0))  # type: ignore[union-attr]


def test_unknown_cells_rank_last():
    found = measure(np.array([1, 9, 1, 1]), np.array([2.0, np.nan, 3.0, 1.0]), shares=(0.75,)).shares[0]
    assert found.hits.expected == 3.0


def test_shares_are_rounded_numbers_of_cells():
    assert [top_cells(share, 29_485) for share in SHARES] == [147, 295, 590, 1474, 2948, 5897]
    assert [share_key(share) for share in SHARES] == ["0.005", "0.01", "0.02", "0.05", "0.1", "0.2"]


def test_a_share_of_no_cell_and_no_incident_at_all_have_no_measure():
    small = measure(np.array([1, 0]), np.array([1.0, 0.0]), shares=(0.005,)).shares[0]
    assert small.cells == 0
    assert small.pai is None
    calm = measure(np.zeros(10, int), np.arange(10.0), shares=(0.5,)).shares[0]
    assert calm.pai is None
    assert calm.hits.expected == 0


def test_json_has_the_keys_of_the_interface():
    block = measure(np.array([6, 3, 0]), np.array([3.0, 2.0, 1.0]), in_incidents=True).as_json()
    assert set(block) == {"pai", "pei", "rri", "hit_rate", "pai_area", "distinct_values"}
    assert list(block["pai"]) == ["0.005", "0.01", "0.02", "0.05", "0.1", "0.2"]  # type: ignore[call-overload]
    one = measure(np.array([6, 3, 0]), np.array([3.0, 2.0, 1.0]), shares=THIRDS).as_json()
    assert one["pai"]["1"] == {"min": 1.0, "expected": 1.0, "max": 1.0}  # type: ignore[index]


def test_inclusion_is_the_chance_to_be_flagged():
    ranking = Ranking.of(np.array([1.0, 3.0, 1.0, 1.0, 0.0]))
    np.testing.assert_allclose(ranking.inclusion(2), [1 / 3, 1, 1 / 3, 1 / 3, 0])
    assert ranking.inclusion(0).tolist() == [0.0] * 5


@pytest.mark.parametrize(
    ("observed", "score", "message"),
    [
        (np.array([1, 2]), np.array([1.0]), "one length"),
        (np.array([1, -2]), np.array([1.0, 2.0]), "negative or missing; found -2.0 in cell 1"),
        (np.array([np.nan, 2]), np.array([1.0, 2.0]), "found nan in cell 0"),
        (np.array([]), np.array([]), "no cell"),
    ],
)
def test_bad_tables_are_refused(observed: np.ndarray, score: np.ndarray, message: str):
    with pytest.raises(ModelError, match=message):
        measure(observed, score)


def test_a_share_beyond_the_area_is_refused():
    with pytest.raises(ModelError, match=r"in \(0, 1\]"):
        measure(np.array([1]), np.array([1.0]), shares=(1.5,))
