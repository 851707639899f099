"""Rankings compared by hand, and nights made anew without one of their factors."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from support.cells import MadeCity, made_city

from rtm_pipeline.evaluation import sensitivity
from rtm_pipeline.evaluation.backtest_spec import AreaGroups, FactorSet
from rtm_pipeline.evaluation.findings import _variant_sentence
from rtm_pipeline.evaluation.measures import measure
from rtm_pipeline.evaluation.sensitivity import (
    Night,
    Variant,
    _shifts,
    agreement,
    judged_variant,
    variant_of,
    without,
)
from rtm_pipeline.evaluation.variant_accuracy import HitRates, VariantAccuracy, hit_rates
from rtm_pipeline.model.spec import ModelSpec
from rtm_pipeline.surface.forecast import Forecast, forecast
from rtm_pipeline.surface.windows import Features

CITY = made_city(40, years=3, per_year=1500, seed=4)
HALVES = AreaGroups("halves", (np.arange(1600) // 40 >= 20).astype(np.int32), ("north", "south"))


def test_agreement_by_hand():
    first = np.arange(40.0)
    second = first.copy()
    second[[39, 0]] = second[[0, 39]]
    found = agreement(first, second, share=0.05)  # two cells: 39 and 38 against 0 and 38
    assert found.overlap == 0.5
    # Spearman: 1 - 6 sum(d^2) / (n (n^2 - 1)) with two differences of 39
    assert found.rank_correlation == pytest.approx(1 - 6 * 2 * 39**2 / (40 * (40**2 - 1)))
    assert agreement(first, first).overlap == 1.0


def test_ties_overlap_in_proportion_and_unknown_cells_take_no_part():
    found = agreement(np.ones(20), np.arange(20.0), share=0.1)
    assert found.overlap == pytest.approx(0.1)  # any 2 of 20 tied cells: 2 * 0.1 of 2
    assert found.rank_correlation == 0.0
    gap = np.r_[np.arange(19.0), np.nan]
    assert agreement(gap, np.arange(20.0), share=0.05).overlap == 1.0


@dataclass(frozen=True, eq=False)
class Fake:
    """As much of a factor as `features_of` is replaced to read."""

    name: str


@pytest.fixture(scope="module")
def ahead() -> Forecast:
    return forecast(CITY.grid, CITY.history, CITY.vintages, CITY.cutoff, CITY.next_year)


@pytest.fixture
def night(ahead: Forecast, monkeypatch: pytest.MonkeyPatch) -> Night:
    values = CITY.vintages[0]

    def features(factors, known_at, n_cells):  # columns of the made city by factor
        keep = [name in factors for name in values.factors]
        return Features(
            values.known_at,
            values.values[:, keep],
            tuple(np.array(values.names)[keep]),
            tuple(np.array(values.factors)[keep]),
        )

    monkeypatch.setattr(sensitivity, "features_of", features)
    monkeypatch.setattr(sensitivity, "_terrain", lambda night, factors: (None, (), "not made here"))
    return night_of(CITY, ahead)


def night_of(city: MadeCity, ahead: Forecast) -> Night:
    return Night(
        grid=city.grid,
        history=city.history,
        counts=city.history.rows(city.history.observed),
        fit_at=city.vintages[0].known_at,
        as_of=city.cutoff,
        rrs=np.ones(city.grid.n_cells),
        expected=ahead.expected,
        forecast_model=ahead.model,
        model=ModelSpec(),
        block_side_u=400.0,
        seed=0,
    )


def factors(*names: str) -> FactorSet:
    return FactorSet({name: Fake(name) for name in names}, {name: Fake(name) for name in names})  # type: ignore[misc]


def test_the_same_factors_give_the_same_ranking(night: Night):
    found = variant_of(night, "same", "as it was", factors("lots", "bars"), (), HALVES)
    assert found.forecast is not None
    assert found.forecast.rank_correlation > 0.999
    assert found.forecast.overlap > 0.97
    assert sum(abs(shift.variant - shift.published) for shift in found.shifts) < 0.02


def test_without_factors_the_ranking_moves(night: Night):
    lots = variant_of(night, "without_lots", "without lots", factors("bars"), ("lots",), HALVES)
    none = variant_of(night, "without_all", "without all", factors(), ("lots", "bars"), HALVES)
    assert lots.forecast is not None
    assert none.forecast is not None
    assert none.forecast.rank_correlation < lots.forecast.rank_correlation < 0.9995
    assert none.as_json()["reason"] == "not made here"
    assert sum(shift.variant - shift.published for shift in none.shifts) == pytest.approx(0.0)


def test_shifts_tell_which_area_wins_and_which_loses_the_priority_cells():
    published, variant = np.arange(40, 0, -1.0), np.arange(1.0, 41.0)  # 5 % are two cells: the first, then the last two
    groups = AreaGroups("halves", np.repeat([0, 1], 20).astype(np.int32), ("west", "east"))
    found = {shift.area: (shift.published, shift.variant) for shift in _shifts(published, variant, np.ones(40), groups)}
    assert found == {"west": (1.0, 0.0), "east": (0.0, 1.0)}
    assert _shifts(published, published, np.ones(40), groups) == ()


def test_without_nothing_left_there_is_no_terrain(ahead: Forecast):
    found = variant_of(night_of(CITY, ahead), "without_all", "without all", factors(), ("lots",))
    assert isinstance(found, Variant)
    assert found.terrain is None
    assert found.reason == "no factor is left for a risk terrain"


def test_leaving_out_names():
    assert set(without(factors("a", "b", "c"), {"b"}).fitted) == {"a", "c"}
    assert without(replace(factors("a"), left_out=(("x", "y"),)), {"a"}).left_out == (("x", "y"),)


def test_hit_rates_by_hand():
    observed = np.r_[np.zeros(390), np.arange(10)].astype(np.int64)  # 45 incidents
    main, variant = np.arange(400.0), -np.arange(400.0)
    found = hit_rates(observed, main, variant)
    assert found is not None
    assert found.at(0.005) == pytest.approx(((9 + 8) / 45, 0.0))
    assert found.as_json()["main"]["0.01"] == pytest.approx((9 + 8 + 7 + 6) / 45)
    assert hit_rates(np.zeros(400, np.int64), main, variant) is None
    assert hit_rates(observed, None, variant) is None


def test_a_variant_is_scored_on_what_came_beside_the_published_surfaces(night: Night, ahead: Forecast):
    observed = CITY.outcome(3)
    same = judged_variant(night, factors("lots", "bars"), ("lots",), observed)
    none = judged_variant(night, factors(), ("lots", "bars"), observed)
    assert same.forecast is not None
    assert none.forecast is not None
    published = measure(observed, ahead.expected).shares
    assert same.forecast.main == tuple(at.hit_rate.expected for at in published if at.hit_rate is not None)
    assert same.forecast.variant[3:] == pytest.approx(same.forecast.main[3:], abs=0.02)
    assert none.forecast.main == same.forecast.main
    assert sum(none.forecast.variant) < sum(none.forecast.main)  # the made city's factors are real
    assert none.terrain is None  # not made here


def test_a_judgement_without_a_risk_terrain_compares_none(ahead: Forecast):
    judged = replace(night_of(CITY, ahead), rrs=np.full(CITY.grid.n_cells, np.nan))
    found = judged_variant(judged, factors(), ("lots",), CITY.outcome(3))
    assert found.terrain is None
    assert found.as_json()["hit_rate"]["risk_terrain"] is None  # type: ignore[index]


def test_the_sentence_tells_what_would_have_been_caught():
    rates = HitRates((0.1,) * 6, (0.08,) * 6)
    plain = Variant("without_311", "without 311", ("a",), None, agreement(np.arange(40.0), np.arange(40.0)))
    assert "caught" not in _variant_sentence(plain)
    text = _variant_sentence(replace(plain, accuracy=VariantAccuracy(("a",), rates, rates)))
    assert text.endswith(
        "Judged on what came, its top 5% would have caught by the forecast 8.0% of incidents "
        "(as published 10.0%) and by the risk terrain 8.0% of incidents (as published 10.0%)."
    )
