"""Who bears the errors: shares by hand, and a planted fault that is found."""

from __future__ import annotations

import numpy as np
import pytest

from rtm_pipeline.errors import ModelError
from rtm_pipeline.evaluation.disparity import disparity

NAMES = tuple(f"district {i}" for i in range(8))


def city(seed: int, fault: float = 1.0, level: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Counts, forecast, variance and groups; the forecast of group 3 is too high by ``fault``."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(8), 500)
    means = rng.gamma(0.5, 1.0, 4000) + 0.01
    ups = rng.gamma(1 / level**2, level**2, 8) if level else np.ones(8)
    counts = rng.poisson(means * ups[groups] * rng.gamma(2.0, 0.5, 4000))
    forecast = means * np.where(groups == 3, fault, 1.0)
    return counts, forecast, forecast + forecast**2 / 2, groups


def test_shares_by_hand():
    observed = np.array([4, 0, 1, 0, 0, 3])
    score = np.array([6.0, 5.0, 4.0, 3.0, 2.0, 1.0])
    groups = np.array([0, 0, 0, 1, 1, 1])
    exposure = np.array([1.0, 0.5, 0.5, 1.0, 1.0, 1.0])
    found = disparity(observed, score, groups, ("east", "west"), exposure=exposure, share=0.5)
    east, west = found.groups
    assert (east.cells, west.cells) == (3, 3)
    assert east.area_share == pytest.approx(0.4)
    assert east.incident_share == pytest.approx(5 / 8)
    assert (east.priority_share, west.priority_share) == (1.0, 0.0)
    assert (east.priority_rate, west.priority_rate) == (1.0, 0.0)
    assert (east.hit_rate, west.hit_rate) == (1.0, 0.0)
    assert east.false_priority_rate == pytest.approx(1 / 3)
    assert west.false_priority_rate is None
    assert east.ratio is None
    assert found.miscalibrated == ()
    assert found.as_rows()[0]["group"] == "east"


def test_tied_cells_are_priority_in_proportion():
    found = disparity(
        np.array([1, 1, 1, 1]),
        np.zeros(4),
        np.array([0, 0, 0, 1]),
        ("a", "b"),
        exposure=np.ones(4),
        share=0.5,
    )
    assert [group.priority_rate for group in found.groups] == [0.5, 0.5]
    assert [group.priority_share for group in found.groups] == [0.75, 0.25]


def test_planted_miscalibration_in_one_group_is_found():
    others = 0
    for seed in range(10):
        counts, forecast, variance, groups = city(seed, fault=1.6)
        found = disparity(counts, forecast, groups, NAMES, exposure=np.ones(4000), expected=forecast, variance=variance)
        assert "district 3" in found.miscalibrated
        assert found.groups[3].ratio < 0.8  # type: ignore[operator]
        others += len(found.miscalibrated) - 1
    assert others <= 3


def test_a_right_forecast_is_rarely_blamed():
    blamed = 0
    for seed in range(40):
        counts, forecast, variance, groups = city(seed)
        blamed += bool(
            disparity(
                counts, forecast, groups, NAMES, exposure=np.ones(4000), expected=forecast, variance=variance
            ).miscalibrated
        )
    assert blamed <= 6  # 2 are expected at a joint level of 95 %


def test_groups_that_move_every_year_need_more_to_be_blamed():
    counts, forecast, variance, groups = city(3, level=0.15)
    usual = {"exposure": np.ones(4000), "expected": forecast, "variance": variance}
    assert disparity(counts, forecast, groups, NAMES, excess=0.15, **usual).miscalibrated == ()  # type: ignore[arg-type]


def test_the_level_of_the_city_is_no_disparity():
    counts, forecast, variance, groups = city(1)
    found = disparity(
        counts,
        forecast,
        groups,
        NAMES,
        exposure=np.ones(4000),
        expected=forecast * 3,
        variance=forecast * 3 + (variance - forecast) * 9,
    )
    assert found.miscalibrated == ()
    assert sum(g.expected for g in found.groups) == pytest.approx(3 * forecast.sum())  # type: ignore[misc]


def test_groups_without_a_name_are_refused():
    counts, forecast, _, groups = city(1)
    with pytest.raises(ModelError, match="Group 7 has no name; 3 names"):
        disparity(counts, forecast, groups, NAMES[:3], exposure=np.ones(4000))
