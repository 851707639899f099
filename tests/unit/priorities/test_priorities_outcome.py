import numpy as np
import pytest

from rtm_pipeline.errors import ConfigError, ModelError
from rtm_pipeline.priorities.outcome import CellForecast, forecast_from_spread, subset_forecast, subset_shares


def test_shares_are_shrunk_towards_the_city():
    subset, total = np.array([9, 1, 0, 40, 300]), np.array([10, 10, 0, 100, 600])
    shares = subset_shares(subset, total)
    assert shares.city == pytest.approx(350 / 720)
    raw = subset[[0, 1, 3, 4]] / total[[0, 1, 3, 4]]
    shrunk = shares.share[[0, 1, 3, 4]]
    between = (shrunk - raw) * (shares.city - raw)
    assert (between > 0).all()
    assert shares.share[2] == pytest.approx(shares.city)  # nothing known: the city's
    assert shares.share[-1] == pytest.approx(shares.city)  # no neighborhood: the city's
    # the more is known, the less it is shrunk
    assert abs(shrunk[3] - raw[3]) < abs(shrunk[0] - raw[0])


def test_equal_shares_are_pooled_and_strength_is_recovered():
    total = np.full(60, 200)
    assert subset_shares(np.full(60, 50), total).strength == np.inf
    rng = np.random.default_rng(1)
    p = rng.beta(0.3 * 40, 0.7 * 40, 400)
    found = subset_shares(rng.binomial(300, p), np.full(400, 300))
    assert found.strength == pytest.approx(40, rel=0.25)


def test_shares_refuse_nonsense():
    with pytest.raises(ModelError, match="between 0 and the counts"):
        subset_shares(np.array([3]), np.array([2]))
    with pytest.raises(ModelError, match="No past incident"):
        subset_shares(np.array([0]), np.array([0]))


def test_subset_forecast_multiplies_by_the_neighborhoods_share():
    forecast = CellForecast("all", np.array([10.0, 10.0, 10.0]))
    shares = subset_shares(np.array([80, 20]), np.array([100, 100]))
    neighborhood = np.array([0, 1, -1], np.int32)
    made, how = subset_forecast(forecast, "firearm", shares=shares, neighborhood=neighborhood, assumed_share=0.9)
    assert made is not None
    assert made.expected == pytest.approx(10 * shares.share[[0, 1, -1]])
    assert "own share" in how


def test_without_the_flag_there_is_no_forecast_but_a_reason():
    forecast = CellForecast("all", np.array([10.0]))
    made, why = subset_forecast(forecast, "firearm")
    assert made is None
    assert "outcome.subsets.firearm" in why
    assumed, how = subset_forecast(forecast, "firearm", assumed_share=0.4)
    assert assumed is not None
    assert assumed.expected == pytest.approx([4.0])
    assert assumed.assumed_share == 0.4
    assert "assumed" in how
    same, _ = subset_forecast(forecast, "all_crime", outcome_is=("all_crime",))
    assert same is not None
    assert same.expected == pytest.approx([10.0])
    with pytest.raises(ConfigError, match="assumed_share"):
        subset_forecast(forecast, "firearm", assumed_share=1.5)


def test_draws_have_the_posterior_mean_and_spread():
    n = 400
    base = CellForecast("all", np.full(n, 5.0), shape=np.full(n, 20.0), rate=np.full(n, 4.0))
    shares = subset_shares(np.array([30, 10]), np.array([60, 60]))
    made, _ = subset_forecast(base, "firearm", shares=shares, neighborhood=(np.arange(n) % 2).astype(np.int32))
    rng = np.random.default_rng(0)
    draws = np.stack([made.draw(rng) for _ in range(600)])
    assert draws.mean(axis=0) == pytest.approx(made.expected, rel=0.05)
    whole = np.stack([base.draw(rng) for _ in range(600)])
    assert whole.std(axis=0).mean() == pytest.approx(np.sqrt(20) / 4, rel=0.05)


def test_a_known_forecast_draws_itself_with_drawn_shares():
    base = CellForecast("all", np.array([4.0, 8.0]))
    made, _ = subset_forecast(base, "firearm", assumed_share=0.5)
    assert made.draw(np.random.default_rng(0)) == pytest.approx([2.0, 4.0])


def test_a_spread_becomes_a_gamma_of_the_same_mean_and_spread():
    expected, sd = np.array([2.0, 6.0]), np.array([0.5, 1.0])
    made = forecast_from_spread(expected, sd, years=2.0)
    assert made.expected == pytest.approx(expected / 2)
    assert made.shape / made.rate == pytest.approx(expected / 2)
    assert np.sqrt(made.shape) / made.rate == pytest.approx(sd / 2)
    none = forecast_from_spread(np.array([0.0]), np.array([0.0]))
    assert np.isfinite(none.draw(np.random.default_rng(0))).all()


def test_a_broken_forecast_is_refused():
    with pytest.raises(ModelError, match="finite"):
        CellForecast("all", np.array([np.nan]))
    with pytest.raises(ModelError, match="both"):
        CellForecast("all", np.array([1.0]), shape=np.array([1.0]))
