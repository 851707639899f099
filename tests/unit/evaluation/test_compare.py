"""Paired block bootstrap: against the delta method, and verdicts that hold."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
from support.cells import START, made_city

from rtm_pipeline.errors import ModelError
from rtm_pipeline.evaluation.baseline import choose_baseline
from rtm_pipeline.evaluation.compare import VERDICT_RULE, compare, mean_log_pai
from rtm_pipeline.grid.blocks import spatial_blocks

RNG = np.random.default_rng(0)
RATES = RNG.gamma(0.5, 1.0, 4000)
OBSERVED = RNG.poisson(RATES)
GOOD = RATES * RNG.lognormal(0, 0.3, 4000)
POOR = RATES * RNG.lognormal(0, 1.2, 4000)
BLOCKS = np.arange(4000) // 40


def test_a_better_surface_is_found_better():
    found = compare(OBSERVED, GOOD, POOR, "poor", BLOCKS)
    assert found.verdict == "better"
    assert found.reason is None
    for ratio in found.hit_ratio.values():
        assert ratio.value is not None
        assert ratio.low is not None
        assert ratio.high is not None
        assert ratio.low < ratio.value < ratio.high


def test_a_worse_surface_is_not_better():
    found = compare(OBSERVED, POOR, GOOD, "good", BLOCKS)
    assert found.verdict == "not_better"
    assert found.mean_log_ratio.high is not None
    assert found.mean_log_ratio.high < 0


def test_chance_alone_is_not_better():
    wins = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        a, b = RATES * rng.lognormal(0, 0.8, 4000), RATES * rng.lognormal(0, 0.8, 4000)
        wins += compare(OBSERVED, a, b, "other", BLOCKS, draws=300).verdict == "better"
    assert wins <= 5  # 2.5 % are expected; one in forty


def test_the_interval_agrees_with_the_delta_method():
    found = compare(OBSERVED, GOOD, POOR, "poor", BLOCKS, shares=(0.1,), draws=4000)
    ratio = found.hit_ratio[0.1]
    top = [np.isin(np.arange(4000), np.argsort(-score)[:400]) for score in (GOOD, POOR)]
    h, b = (np.bincount(BLOCKS, weights=OBSERVED * flag) for flag in top)
    point = h.sum() / b.sum()
    influence = h / h.sum() - b / b.sum()
    half = 1.96 * np.sqrt(np.sum(influence**2))
    assert ratio.value == pytest.approx(point)
    assert np.log(ratio.low) == pytest.approx(np.log(point) - half, abs=0.012)
    assert np.log(ratio.high) == pytest.approx(np.log(point) + half, abs=0.012)


def test_mean_log_ratio_is_the_mean_of_the_logs():
    found = compare(OBSERVED, GOOD, POOR, "poor", BLOCKS)
    logs = [np.log(ratio.value) for ratio in found.hit_ratio.values()]
    assert found.mean_log_ratio.value == pytest.approx(np.mean(logs))
    assert found.mean_log_ratio.value == pytest.approx(mean_log_pai(OBSERVED, GOOD) - mean_log_pai(OBSERVED, POOR))


def test_the_same_seed_gives_the_same_interval():
    assert compare(OBSERVED, GOOD, POOR, "poor", BLOCKS, seed=3) == compare(
        OBSERVED, GOOD, POOR, "poor", BLOCKS, seed=3
    )


def test_blocks_widen_the_interval_where_neighbors_are_alike():
    lift = np.repeat(np.random.default_rng(1).lognormal(0, 0.7, 100), 40)
    surface = RATES * lift
    block = compare(OBSERVED, surface, POOR, "poor", BLOCKS, shares=(0.1,)).hit_ratio[0.1]
    cell = compare(OBSERVED, surface, POOR, "poor", np.arange(4000), shares=(0.1,)).hit_ratio[0.1]
    assert block.high - block.low > 1.15 * (cell.high - cell.low)  # type: ignore[operator]


def test_too_little_is_not_judged():
    few = np.zeros(4000, int)
    few[:9] = 1
    assert compare(few, GOOD, POOR, "poor", BLOCKS).verdict == "not_judged"
    one_block = compare(OBSERVED, GOOD, POOR, "poor", np.zeros(4000, int))
    assert one_block.verdict == "not_judged"
    assert "1 spatial blocks" in (one_block.reason or "")


@pytest.mark.parametrize("blocks", [1, 9])
def test_few_blocks_have_no_interval(blocks: int):
    """Draws of one block are all the block: an interval from 0.9 to 0.9 would look sure."""
    found = compare(OBSERVED, GOOD, POOR, "poor", np.arange(4000) % blocks)
    assert found.verdict == "not_judged"
    for ratio in (*found.hit_ratio.values(), found.mean_log_ratio):
        assert ratio.value is not None
        assert (ratio.low, ratio.high) == (None, None)


def test_no_hit_has_no_ratio_and_counts_as_half_a_hit():
    nowhere = np.where(OBSERVED == 0, 1.0, 0.0)
    found = compare(OBSERVED, GOOD, nowhere, "nowhere", BLOCKS, shares=(0.01,))
    assert found.hit_ratio[0.01].value is None
    assert found.verdict == "better"
    hits = OBSERVED[np.argsort(-GOOD)[:40]].sum()
    assert found.mean_log_ratio.value == pytest.approx(np.log(hits / 0.5))
    assert compare(OBSERVED, nowhere, GOOD, "good", BLOCKS, shares=(0.01,)).verdict == "not_better"


def test_json_has_the_keys_of_the_interface():
    block = compare(OBSERVED, GOOD, POOR, "counts_2y", BLOCKS, draws=100).as_json()
    assert block["baseline_chosen"] == "counts_2y"
    assert block["interval_level"] == 0.95
    assert set(block["difference"]["0.05"]) == {"baseline", "hit_ratio", "low", "high"}  # type: ignore[index]
    assert block["verdict"] == "better"


def test_other_cells_are_refused():
    with pytest.raises(ModelError, match="the same cells"):
        compare(OBSERVED, GOOD[:-1], POOR, "poor", BLOCKS)


def test_the_baseline_is_chosen_on_earlier_periods():
    hot = made_city(40, years=4, per_year=3000, shape=0.2, seed=1)
    calm = made_city(40, years=4, per_year=200, shape=60.0, seed=1)
    counted = choose_baseline(hot.grid, hot.history, hot.cutoff)
    smoothed = choose_baseline(calm.grid, calm.history, calm.cutoff)
    assert counted.name in ("counts_decayed", "counts_2y")
    assert smoothed.name == "kde"
    # Two years were on record before the newest period only, so that one decides.
    assert set(counted.scores) == {"counts_1y", "counts_2y", "counts_decayed", "kde"}
    assert counted.reason == "highest mean log PAI on [2017-12-31, 2018-12-31)"
    day = START + timedelta(days=2 * 365 + 5)
    earlier = choose_baseline(hot.grid, hot.history.known_by(day), day)
    assert set(earlier.scores) == {"counts_1y", "counts_decayed", "kde"}


def test_with_one_earlier_year_counting_rules_are_one_rule():
    city = made_city(40, years=2, per_year=3000, shape=0.2, seed=1)
    found = choose_baseline(city.grid, city.history, city.cutoff)
    assert found.name == "counts_decayed"
    with pytest.raises(ModelError, match="not known at the cut-off"):
        choose_baseline(city.grid, city.history, date(2016, 3, 1))


def test_blocks_of_the_grid_serve():
    city = made_city(60, years=1, per_year=500)
    blocks = spatial_blocks(city.grid, 400.0)
    counts = city.history.rows(city.history.observed).astype(float)
    assert compare(city.outcome(0), city.rates, counts, "counts", blocks).verdict == "better"


def test_worse_at_one_share_is_not_better_whatever_the_mean():
    """Ahead at wide shares, clearly behind at the narrowest: whoever greens 0.5 % of the area is worse served."""
    order = np.argsort(-GOOD)
    surface = np.empty(4000)
    surface[np.concatenate([order[1500:1520], order[:1500], order[1520:]])] = np.arange(4000, 0, -1)
    found = compare(OBSERVED, surface, POOR, "poor", BLOCKS)
    assert found.hit_ratio[0.005].high < 1.0  # type: ignore[operator]
    assert found.hit_ratio[0.1].low > 1.0  # type: ignore[operator]
    assert found.verdict == "not_better"
    assert (found.reason or "").startswith("at 0.5% of the area it caught")
    assert found.as_json()["verdict_rule"] == VERDICT_RULE


def test_a_shortfall_is_told_in_words():
    behind = compare(OBSERVED, POOR, GOOD, "good", BLOCKS, shares=(0.1, 0.2))
    assert "of the baseline" in (behind.reason or "")
    level = compare(OBSERVED, GOOD, GOOD, "itself", BLOCKS)
    assert level.verdict == "not_better"
    assert "1.000 times the incidents of the baseline" in (level.reason or "")
    assert "within what chance allows" in (level.reason or "")
