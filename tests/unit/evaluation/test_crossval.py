"""Cross-validation keeps every cell and never lets a group teach its own prediction."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from support.cells import made_city

from rtm_pipeline.errors import ModelError
from rtm_pipeline.evaluation.crossval import cross_validate, leave_blocks_out_forecast, leave_group_out_terrain
from rtm_pipeline.grid.blocks import spatial_blocks
from rtm_pipeline.surface.forecast import expected_shares, predict
from rtm_pipeline.surface.tuning import tune

RNG = np.random.default_rng(0)
N = 900
COLUMNS = (RNG.random((N, 3)) < [0.3, 0.2, 0.1]).astype(np.uint8)
EXPOSURE = np.where(RNG.random(N) < 0.1, 0.4, 1.0)
OBSERVED = RNG.poisson(EXPOSURE * np.exp(-0.7 + COLUMNS @ [0.8, 0.5, 1.0]))
GROUPS = RNG.integers(-1, 6, N)


def test_every_group_is_predicted_by_the_others():
    found = leave_group_out_terrain(COLUMNS, OBSERVED, EXPOSURE, GROUPS)
    assert found.groups == 7  # cells in no neighborhood are a group of their own
    assert found.predicted.size == N
    for group in (-1, 0, 5):
        train = np.not_equal(GROUPS, group)
        model = sm.GLM(
            OBSERVED[train],
            sm.add_constant(COLUMNS[train].astype(float)),
            family=sm.families.Poisson(),
            exposure=EXPOSURE[train],
        ).fit()
        expected = model.predict(sm.add_constant(COLUMNS[~train].astype(float)), exposure=EXPOSURE[~train])
        np.testing.assert_allclose(found.predicted[~train], expected, rtol=1e-5)
    assert found.deviance < found.null_deviance
    assert found.mean_absolute_error == pytest.approx(np.abs(OBSERVED - found.predicted).mean())
    assert sum(o for o, _ in found.group_errors) == OBSERVED.sum()
    assert found.as_json()["cells"] == N


def test_what_happens_in_a_group_does_not_change_its_prediction():
    changed = OBSERVED.copy()
    changed[GROUPS == 2] = RNG.permutation(changed[GROUPS == 2])
    first = leave_group_out_terrain(COLUMNS, OBSERVED, EXPOSURE, GROUPS)
    second = leave_group_out_terrain(COLUMNS, changed, EXPOSURE, GROUPS)
    np.testing.assert_allclose(first.predicted[GROUPS == 2], second.predicted[GROUPS == 2])


def test_a_term_that_only_one_group_has_does_not_break_it():
    columns = COLUMNS.copy()
    columns[:, 2] = GROUPS == 4
    found = leave_group_out_terrain(columns, OBSERVED, EXPOSURE, GROUPS)
    assert np.isfinite(found.predicted).all()


def test_a_forecast_is_cross_validated_by_blocks():
    city = made_city(40, years=2, per_year=1500, seed=3)
    whole = tune(city.grid, city.history, city.vintages, city.cutoff)
    blocks = spatial_blocks(city.grid, 600.0)
    observed = city.outcome(0)
    found = leave_blocks_out_forecast(city.grid, city.history, city.vintages, whole, observed, blocks, folds=3)
    assert found.groups == 3
    assert found.deviance < found.null_deviance
    direct = expected_shares(whole, city.grid, city.history, city.vintages[0])
    assert np.corrcoef(np.log(found.predicted), np.log(direct))[0, 1] > 0.98
    assert not np.allclose(found.predicted / found.predicted.sum(), direct)
    ahead = predict(whole, city.grid, city.history, city.vintages[0], city.next_year)
    np.testing.assert_allclose(ahead.expected / ahead.expected.sum(), direct)


def test_one_group_can_not_be_left_out():
    with pytest.raises(ModelError, match="at least two groups"):
        cross_validate(OBSERVED, np.zeros(N, int), lambda train: np.ones(N), "blocks")


def test_missing_predictions_are_refused():
    with pytest.raises(ModelError, match="every cell must have a positive prediction"):
        cross_validate(OBSERVED, GROUPS, lambda train: np.zeros(N), "blocks")
