"""The forecast as a whole: honest intervals, exact contributions, no leaks, sound with little."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from support.cells import START, MadeCity, made_city, square_grid

from rtm_pipeline.errors import ModelError
from rtm_pipeline.surface.forecast import Forecast, forecast, predict
from rtm_pipeline.surface.history import History
from rtm_pipeline.surface.tuning import tune
from rtm_pipeline.surface.windows import Features
from rtm_pipeline.units import Window


@pytest.fixture(scope="module")
def city() -> MadeCity:
    return made_city(64, years=3, per_year=1500, seed=11)


@pytest.fixture(scope="module")
def ahead(city: MadeCity) -> Forecast:
    return forecast(city.grid, city.history, city.vintages, city.cutoff, city.next_year)


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 0},
        {"power": True, "seed": 1},
        {"shape": 2.0, "years": 5, "seed": 2},
        {"hot_spots": True, "per_year": 2500, "seed": 3},
        {"years": 2, "seed": 4},
        {"years": 1, "seed": 5},
    ],
    ids=["gamma", "addresses", "five years", "hot spots", "two years", "one year"],
)
def test_intervals_cover_the_true_rate(changes: dict[str, object]):
    city = made_city(90, **changes)  # type: ignore[arg-type]
    found = forecast(city.grid, city.history, city.vintages, city.cutoff, city.next_year)
    covered = (found.low <= city.rates) & (city.rates <= found.high)
    # A single city: its estimate of how cells differ has an error of its own. tests/acceptance takes many.
    assert 0.86 <= covered.mean() <= 0.93
    by_decile = [covered[part].mean() for part in np.array_split(np.argsort(found.expected), 10)]
    # 810 cells a decile: two standard errors are 0.021.
    assert min(by_decile) >= 0.83
    assert max(by_decile) <= 0.95


def test_intervals_are_cautious_where_few_incidents_tell_how_cells_differ():
    city = made_city(90, per_year=250, seed=6)
    found = forecast(city.grid, city.history, city.vintages, city.cutoff, city.next_year)
    covered = (found.low <= city.rates) & (city.rates <= found.high)
    assert 0.86 <= covered.mean() <= 0.97


def test_contributions_give_the_value_back_exactly(ahead: Forecast):
    assert ahead.contribution_names == ("background", "lots", "bars", "past_nearby", "past_here")
    np.testing.assert_array_equal(np.prod(ahead.contributions, axis=1), ahead.expected)
    assert (ahead.contributions > 0).all()


def test_it_ranks_better_than_its_parts(city: MadeCity, ahead: Forecast):
    def hits(score: np.ndarray, share: int) -> float:
        """True rate of the top cells."""
        return float(city.rates[np.argsort(-score, kind="stable")[: score.size // share]].sum())

    parts = dict(zip(ahead.contribution_names, ahead.contributions.T, strict=True))
    counts = city.history.rows(city.history.observed).astype(float)
    for share in (20, 5):
        assert hits(ahead.expected, share) > 1.1 * max(hits(parts[n], share) for n in parts if n != "background")
        assert hits(ahead.expected, share) > hits(counts, share)
    assert hits(ahead.expected, 5) > 1.01 * hits(counts, 5)


def test_the_total_is_the_level_of_the_city(city: MadeCity, ahead: Forecast):
    assert ahead.expected.sum() == pytest.approx(ahead.annual_level * ahead.horizon_years)
    assert ahead.expected.sum() == pytest.approx(city.rates.sum(), rel=0.06)


def test_every_part_is_in_order(ahead: Forecast):
    assert np.all(ahead.low < ahead.high)
    assert np.all(ahead.low <= ahead.expected)
    assert np.all(ahead.expected <= ahead.high)
    assert np.all((ahead.p_top5 >= 0) & (ahead.p_top5 <= 1))
    assert ahead.p_top5.mean() == pytest.approx(0.05, abs=0.001)
    assert np.corrcoef(ahead.p_top5, ahead.expected)[0, 1] > 0.7
    np.testing.assert_allclose(ahead.uncertainty, ahead.sd / ahead.expected)


def test_hyperparameters_are_plain_values(ahead: Forecast):
    import json

    facts = json.loads(json.dumps(ahead.hyperparameters))
    assert facts["training_windows"][0][1] == "2017-12-31"
    assert set(facts["factor_coefficients"]) == {"lots_log_distance", "bars_log_distance"}
    assert facts["decay_reason"].startswith("lowest held-out deviance")


def test_the_same_seed_gives_the_same_numbers(city: MadeCity, ahead: Forecast):
    again = forecast(city.grid, city.history, city.vintages, city.cutoff, city.next_year)
    for name in ("expected", "low", "high", "sd", "p_top5", "contributions"):
        np.testing.assert_array_equal(getattr(again, name), getattr(ahead, name))


@pytest.mark.parametrize("days", [3, 30, 365])
def test_horizons_scale_by_the_season_and_keep_the_ranking(city: MadeCity, ahead: Forecast, days: int):
    short = predict(
        ahead.model,
        city.grid,
        city.history,
        city.vintages[0],
        Window(city.cutoff, city.cutoff + timedelta(days=days)),
    )
    np.testing.assert_allclose(short.expected / ahead.expected, short.horizon_years / ahead.horizon_years)
    np.testing.assert_allclose(short.high / ahead.high, short.horizon_years / ahead.horizon_years)
    np.testing.assert_array_equal(short.p_top5, ahead.p_top5)


@pytest.mark.parametrize("days", [2, 400])
def test_other_horizons_are_refused(city: MadeCity, ahead: Forecast, days: int):
    window = Window(city.cutoff, city.cutoff + timedelta(days=days))
    with pytest.raises(ModelError, match="3 days to a year"):
        predict(ahead.model, city.grid, city.history, None, window)


def test_a_horizon_before_the_cutoff_is_refused(city: MadeCity, ahead: Forecast):
    window = Window(city.cutoff - timedelta(days=1), city.cutoff + timedelta(days=60))
    with pytest.raises(ModelError, match="looks ahead"):
        predict(ahead.model, city.grid, city.history, None, window)


def test_planted_leaks_are_refused(city: MadeCity):
    late = replace(city.vintages[0], known_at=city.cutoff + timedelta(days=1))
    with pytest.raises(ModelError, match=r"The features lots, bars: 1 of 1 rows were not known"):
        forecast(city.grid, city.history, (late,), city.cutoff, city.next_year)
    earlier = city.cutoff - timedelta(days=200)
    with pytest.raises(ModelError, match="The history of the outcome"):
        forecast(city.grid, city.history, city.vintages, earlier, Window(earlier, city.cutoff))


def test_what_came_later_changes_nothing(city: MadeCity):
    """The history handed over as of an earlier day gives what the whole record, cut to that day, gives."""
    day = city.cutoff - timedelta(days=365)
    horizon = Window(day, city.cutoff)
    first = forecast(city.grid, city.history.known_by(day), city.vintages, day, horizon)
    future = city.history.time >= np.datetime64(day)
    shuffled = city.history.cell.copy()
    shuffled[future] = np.random.default_rng(0).permutation(shuffled[future])
    other = replace(city.history, cell=shuffled).known_by(day)
    second = forecast(city.grid, other, city.vintages, day, horizon)
    np.testing.assert_array_equal(first.expected, second.expected)


def test_a_factor_known_only_now_is_left_out_with_the_reason(city: MadeCity):
    now = city.vintages[0]
    extra = Features(
        city.cutoff,
        np.column_stack([now.values, now.values[:, 0]]),
        (*now.names, "new_log_distance"),
        (*now.factors, "new"),
    )
    found = forecast(city.grid, city.history, (*city.vintages, extra), city.cutoff, city.next_year)
    assert found.hyperparameters["left_out"] == [
        {"factor": "new", "reason": "not known at 2015-01-01, or constant then"}
    ]
    assert "new" not in found.contribution_names
    only_now = replace(now, known_at=city.cutoff)
    none = forecast(city.grid, city.history, (only_now,), city.cutoff, city.next_year)
    assert none.contribution_names == ("background", "past_nearby", "past_here")
    assert [item["factor"] for item in none.hyperparameters["left_out"]] == ["lots", "bars"]  # type: ignore[union-attr,index]


def test_factors_help_where_there_are_any(city: MadeCity, ahead: Forecast):
    without = forecast(city.grid, city.history, (), city.cutoff, city.next_year)
    assert ahead.model.log_likelihood > without.model.log_likelihood + 10
    assert np.corrcoef(ahead.expected, city.rates)[0, 1] > np.corrcoef(without.expected, city.rates)[0, 1]


def test_unknown_features_are_no_evidence(city: MadeCity):
    values = city.vintages[0].values.copy()
    values[:200] = np.nan
    patchy = replace(city.vintages[0], values=values)
    found = forecast(city.grid, city.history, (patchy,), city.cutoff, city.next_year)
    parts = dict(zip(found.contribution_names, found.contributions.T, strict=True))
    assert np.all(parts["lots"][:200] == 1.0)
    assert np.isfinite(found.expected).all()


def test_the_interval_holds_the_expected_value_where_all_lies_in_one_cell():
    """There nearly all chances of the other cells lie at 0, and a mean may pass the 95th percentile."""
    days = np.random.default_rng(0).integers(0, 1095, 500)
    time = np.datetime64(START, "s") + days.astype("timedelta64[D]")
    history = History.of(np.full(500, 7), time, time, 400, observed=Window(START, date(2018, 1, 1)))
    found = forecast(square_grid(20), history, (), date(2018, 1, 1), Window(date(2018, 1, 1), date(2019, 1, 1)))
    assert np.argmax(found.expected) == 7
    assert np.all(found.low <= found.expected)
    assert np.all(found.expected <= found.high)


def test_no_history_leaves_exposure_alone():
    grid = square_grid(10)
    grid = replace(grid, exposure=np.linspace(0.1, 1.0, 100))
    nothing = np.array([], "datetime64[s]")
    empty = History.of(np.array([], int), nothing, nothing, 100, cutoff=date(2018, 1, 1))
    found = forecast(grid, empty, (), date(2018, 1, 1), Window(date(2018, 1, 1), date(2019, 1, 1)))
    np.testing.assert_allclose(found.expected / found.expected.sum(), grid.exposure / grid.exposure.sum(), rtol=1e-5)
    assert np.isfinite(found.high).all()
    assert found.model.windows == ()


@pytest.mark.parametrize("events", [1, 12, 45])
def test_few_incidents_are_sound(events: int):
    rng = np.random.default_rng(events)
    grid = square_grid(30)
    time = np.datetime64("2016-01-01", "s") + rng.integers(0, 700, events) * np.timedelta64(86400, "s")
    cells = rng.integers(0, 900, events)
    record = Window(date(2016, 1, 1), date(2018, 1, 1))
    history = History.of(cells, time, time, 900, observed=record)
    features = Features(date(2015, 1, 1), rng.normal(size=(900, 4)).astype(np.float32), tuple("abcd"), tuple("abcd"))
    found = forecast(grid, history, (features,), date(2018, 1, 1), Window(date(2018, 1, 1), date(2019, 1, 1)))
    assert found.expected.sum() == pytest.approx(events / 2, rel=0.6, abs=0.6)
    assert found.expected.max() < 3 * events
    # A place with an incident stands out, but one incident does not outweigh all the rest.
    assert found.expected[cells].min() > np.median(found.expected)
    assert found.expected[np.unique(cells)].sum() < 0.9 * found.expected.sum()


def test_victims_of_one_incident_count_as_one_warning():
    """Ten rows of one incident must not outrank four incidents."""
    rng = np.random.default_rng(0)
    n = 400
    cells = np.concatenate([rng.integers(0, n, 900), np.full(10, 7), np.full(4, 9)])
    incident = np.concatenate([np.arange(900), np.full(10, 5000), np.arange(6000, 6004)])
    days = rng.integers(0, 1090, cells.size)
    days[900:] = np.concatenate([np.full(10, 800), [200, 500, 800, 1000]])
    time = np.datetime64(START, "s") + days.astype("timedelta64[D]")
    window = Window(START, date(2018, 1, 1))
    history = History.of(cells, time, time, n, incident=incident, observed=window)
    found = forecast(square_grid(20), history, (), date(2018, 1, 1), Window(date(2018, 1, 1), date(2019, 1, 1)))
    assert found.expected[9] > found.expected[7]
    assert found.rows_per_incident == pytest.approx(914 / 905, rel=1e-3)
    assert found.batch_ratio > 1.0
    assert found.expected.sum() == pytest.approx(914 / 3, rel=0.08)


def test_large_grids_learn_from_a_sample_of_empty_cells(
    city: MadeCity, ahead: Forecast, monkeypatch: pytest.MonkeyPatch
):
    from rtm_pipeline.surface import tuning

    monkeypatch.setattr(tuning, "_MOST_ROWS", 6000)
    sampled = forecast(city.grid, city.history, city.vintages, city.cutoff, city.next_year)
    assert not np.array_equal(sampled.expected, ahead.expected)
    assert np.corrcoef(np.log(sampled.expected), np.log(ahead.expected))[0, 1] > 0.995


def test_cells_held_out_do_not_teach(city: MadeCity, ahead: Forecast):
    """Changing what came in held-out cells (in the newest window) changes no coefficient."""
    held = np.arange(city.grid.n_cells) % 64 < 20
    short = city.history.known_by(START + timedelta(days=730))
    cutoff = START + timedelta(days=730)
    base = tune(city.grid, short, city.vintages, cutoff, cells=~held)
    late = (short.time >= np.datetime64(base.windows[0].start)) & held[short.cell]
    moved = short.cell.copy()
    moved[late] = np.random.default_rng(0).permutation(moved[late])
    other = tune(city.grid, replace(short, cell=moved), city.vintages, cutoff, cells=~held, start=base)
    warm = tune(city.grid, short, city.vintages, cutoff, cells=~held, start=base)
    np.testing.assert_array_equal(other.coefficients, warm.coefficients)
    assert other.prior == warm.prior


def test_wrong_sizes_are_refused(city: MadeCity, ahead: Forecast):
    with pytest.raises(ModelError, match="the grid has 4096"):
        predict(ahead.model, city.grid, replace(city.history, n_cells=5000), None, city.next_year)
    short = Features(START, np.zeros((7, 1), np.float32), ("a",), ("a",))
    with pytest.raises(ModelError, match="Features speak of 7 cells"):
        predict(ahead.model, city.grid, city.history, short, city.next_year)
