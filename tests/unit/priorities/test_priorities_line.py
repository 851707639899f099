import json

import numpy as np
import pytest

from rtm_pipeline.errors import ConfigError
from rtm_pipeline.priorities.portfolio.funding_line import draw_from_rows, draw_line


def problem():
    score = np.array([2.0, 1.5, 1.02, 1.01, 1.0, 0.99, 0.98, 0.97, 0.5])
    cost = np.array([500.0, 500.0, 500.0, 700.0, 500.0, 500.0, 600.0, 500.0, 500.0])
    funded = np.arange(9) < 5
    return [f"s{i}" for i in range(9)], score, cost, funded


def test_the_draw_is_fair_within_the_line_and_keeps_to_the_money():
    ids, score, cost, funded = problem()
    draw = draw_line(ids, score, cost, funded, seed=4)
    assert set(draw.site_id) == {"s2", "s3", "s4", "s5", "s6", "s7"}
    assert draw.line == 1.0
    spent = sum(c for c, chosen in zip(draw.cost, draw.funded, strict=True) if chosen)
    assert spent <= 500 + 700 + 500
    assert any(draw.funded)
    assert not all(draw.funded)


def test_the_same_seed_gives_the_same_draw_whatever_the_order_of_rows():
    ids, score, cost, funded = problem()
    order = np.array([8, 3, 1, 0, 7, 2, 6, 5, 4])
    one = draw_line(ids, score, cost, funded, seed=4)
    two = draw_line([ids[i] for i in order], score[order], cost[order], funded[order], seed=4)
    assert one == two
    assert any(draw_line(ids, score, cost, funded, seed=seed) != one for seed in range(5, 9))


def test_every_site_near_the_line_has_the_same_chance():
    score = np.full(10, 1.0)
    share = np.zeros(10)
    for seed in range(2000):
        draw = draw_line([f"s{i}" for i in range(10)], score, np.ones(10), np.arange(10) < 4, seed=seed)
        share[[int(name[1:]) for name, chosen in zip(draw.site_id, draw.funded, strict=True) if chosen]] += 1
    assert share / 2000 == pytest.approx(np.full(10, 0.4), abs=0.04)


def test_the_draw_is_kept():
    ids, score, cost, funded = problem()
    draw = draw_line(ids, score, cost, funded, seed=4)
    assert draw_from_rows(json.loads(json.dumps(draw.rows()))) == draw
    # as a CSV reader would give it
    assert draw_from_rows([{key: str(value) for key, value in row.items()} for row in draw.rows()]) == draw
    with pytest.raises(ConfigError, match="at least one row"):
        draw_from_rows([])


def test_nothing_to_draw_is_said():
    ids, score, cost, funded = problem()
    with pytest.raises(ConfigError, match="No site is funded"):
        draw_line(ids, score, cost, np.zeros(9, bool), seed=0)
    with pytest.raises(ConfigError, match="1 funded and 0 unfunded"):
        draw_line(ids, score, cost, funded, seed=0, tolerance=0.001)
