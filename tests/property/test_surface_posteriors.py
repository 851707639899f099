"""Laws of posteriors and tiers that hold for any prior and any counts."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rtm_pipeline.surface.heterogeneity import CellPrior
from rtm_pipeline.surface.tiers import TIERS, tiers_of

PRIORS = st.builds(
    CellPrior,
    log_shape=st.tuples(st.floats(-4, 3)) | st.tuples(st.floats(-4, 3), st.floats(-4, 3)),
    power=st.floats(0, 1.5),
    credence=st.floats(0.1, 1.0),
    hot_log_odds=st.floats(-5, 0),
    hot_log_ratio=st.floats(0, 3),
)
MEANS = hnp.arrays(float, 12, elements=st.floats(1e-4, 20))
COUNTS = hnp.arrays(float, 12, elements=st.floats(0, 25))


@settings(max_examples=60, deadline=None)
@given(PRIORS, MEANS, COUNTS)
def test_posteriors_are_ordered_and_finite(prior: CellPrior, means: np.ndarray, counts: np.ndarray):
    posterior = prior.posterior(means, counts, float(means.mean()))
    np.testing.assert_allclose(posterior.weights.sum(axis=0), 1.0)
    low, middle, high = (posterior.quantile(p) for p in (0.05, 0.5, 0.95))
    assert np.all(low <= middle * (1 + 1e-6))
    assert np.all(middle <= high * (1 + 1e-6))
    assert np.all(np.isfinite(posterior.mean()) & (posterior.mean() > 0))
    assert np.all(np.isfinite(posterior.sd()))


@settings(max_examples=60, deadline=None)
@given(PRIORS, st.floats(1e-3, 10), st.floats(0, 10))
def test_more_incidents_never_lower_a_cell(prior: CellPrior, mean: float, count: float):
    means = np.full(2, mean)
    posterior = prior.posterior(means, np.array([count, count + 1.0]), 0.7)
    found = posterior.mean()
    assert found[1] >= found[0] * (1 - 1e-12)
    chance = posterior.survival(mean)
    assert chance[1] >= chance[0] - 1e-9


@settings(max_examples=60, deadline=None)
@given(hnp.arrays(float, st.integers(1, 300), elements=st.sampled_from([0.0, 0.5, 1.0, 2.0, 7.0, np.nan])))
def test_tiers_follow_values_and_are_at_least_their_share(values: np.ndarray):
    tiers = tiers_of(values)
    known = np.isfinite(values)
    assert np.array_equal(tiers == 0, ~known)
    for value in np.unique(values[known]):
        assert len(set(tiers[values == value])) == 1
        assert tiers[values == value][0] <= tiers[values <= value][tiers[values <= value] > 0].min()
    for tier in TIERS:
        if known.any():
            above = int((values[known] > values[known].min()).sum())  # the lowest value is never raised
            share = known.sum() if tier is TIERS[-1] else min(round(tier.share * known.sum()), above)
            assert (tiers[known] <= tier.number).sum() >= share
