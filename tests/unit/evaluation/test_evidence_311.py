"""Rate ratios by distance band, by hand and by simulation."""

from __future__ import annotations

import numpy as np
import pytest

from rtm_pipeline.errors import ModelError
from rtm_pipeline.evaluation.evidence_311 import EvidenceInput, evidence_311, evidence_rows

BANDS = (75.0, 150.0, 300.0)


def test_ratios_by_hand():
    distance = np.array([0.0, 75.0, 75.1, 200.0, 301.0, np.inf, np.nan])
    observed = np.array([4, 2, 3, 1, 1, 1, 50])
    exposure = np.array([1.0, 1.0, 0.5, 1.0, 1.0, 1.0, 1.0])
    item = EvidenceInput("dumping", 500, 120, 100, distance, 0.93, 1.4, 1.1, 1.8, 0.6)
    (found,) = evidence_311([item], observed, exposure, np.arange(7), BANDS, draws=50)
    assert [band.cells for band in found.bands] == [2, 1, 1]
    assert [band.incidents for band in found.bands] == [6, 3, 1]
    assert [band.rate_ratio for band in found.bands] == pytest.approx([3.0, 6.0, 1.0])
    assert found.change == pytest.approx(0.2)
    assert found.selection_frequency == 0.93


def test_intervals_cover_the_planted_ratio():
    hits = 0
    for seed in range(30):
        rng = np.random.default_rng(seed)
        distance = rng.uniform(0, 600, 2500)
        blocks = np.arange(2500) // 25
        level = rng.gamma(20, 1 / 20, 100)[blocks]
        observed = rng.poisson(0.3 * level * np.where(distance <= 75, 2.0, 1.0))
        (found,) = evidence_311(
            [EvidenceInput("a", 1, 9, None, distance)], observed, np.ones(2500), blocks, BANDS, draws=300
        )
        band = found.bands[0]
        hits += band.low <= 2.0 <= band.high  # type: ignore[operator]
        assert found.change is None
    assert hits >= 22  # 27 expected of 30 at 90 %


def test_a_category_without_requests_has_no_ratio():
    (found,) = evidence_311(
        [EvidenceInput("none", 0, 0, 0, np.full(10, np.inf))],
        np.ones(10, int),
        np.ones(10),
        np.arange(10),
        BANDS,
        draws=20,
    )
    assert [band.rate_ratio for band in found.bands] == [None, None, None]
    assert found.change is None


def test_nothing_beyond_the_last_band_gives_no_ratio():
    (found,) = evidence_311(
        [EvidenceInput("all", 9, None, 9, np.zeros(10))], np.ones(10, int), np.ones(10), np.arange(10), BANDS, draws=20
    )
    assert found.bands[0].rate_ratio is None
    assert found.bands[0].incidents == 10


def test_rows_are_flat():
    distance = np.linspace(0, 700, 200)
    found = evidence_311(
        [EvidenceInput("a", 5, 5, 4, distance), EvidenceInput("b", 7, 7, 0, distance[::-1])],
        np.ones(200, int),
        np.ones(200),
        np.arange(200) // 10,
        BANDS,
        draws=20,
    )
    rows = evidence_rows(found)
    assert [row["category"] for row in rows] == ["a", "b"]
    assert rows[0]["incidents_75_150m"] == 21
    assert rows[0]["rate_ratio_0_75m"] == pytest.approx(1.0)
    assert set(rows[0]) == set(rows[1])


@pytest.mark.parametrize("bands", [(), (100.0, 50.0), (0.0, 10.0)])
def test_bands_must_ascend(bands: tuple[float, ...]):
    with pytest.raises(ModelError, match="must be positive and ascend"):
        evidence_311([], np.ones(2, int), np.ones(2), np.arange(2), bands)
