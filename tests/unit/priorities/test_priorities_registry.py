import math

import numpy as np
import pytest

from rtm_pipeline.errors import ConfigError
from rtm_pipeline.priorities.effects.draws import draw_reductions, reduction_interval
from rtm_pipeline.priorities.effects.evidence import load_registry

# the table of the evidence review: key -> (relative change, low, high)
PUBLISHED = {
    "greening_poor": (-0.291, None, None),
    "greening_shootings": (-0.068, -0.106, -0.027),
    "mowing_shootings": (-0.092, -0.132, -0.048),
    "lot_remediation_firearm": (-0.046, -0.050, -0.042),
    "building_remediation_firearm": (-0.39, -0.50, -0.28),
    "house_remediation_gun_assault": (-0.131, None, None),
    "demolition_firearm": (-0.11, -0.15, -0.07),
    "demolition_crime": (-0.01, None, None),
    "demolition_null": (0.0, None, None),
    "buildings_did": (-0.39, None, None),
}


def test_every_row_of_the_evidence_is_there_as_published():
    registry = load_registry()
    for key, (change, low, high) in PUBLISHED.items():
        effect = registry.effect(key)
        assert (effect.relative_change, effect.low, effect.high) == (change, low, high)
        assert effect.study
        assert effect.design
        assert effect.source
        assert effect.unit


def test_rows_without_an_interval_get_the_stated_spread():
    effect = load_registry().effect("house_remediation_gun_assault")
    assert effect.interval == "assumed"
    assert effect.log_sd == pytest.approx(abs(math.log(1 - 0.131)) / 1.96)


def test_published_interval_gives_the_spread_of_the_log_ratio():
    effect = load_registry().effect("greening_shootings")
    assert effect.log_sd == pytest.approx((math.log(0.973) - math.log(0.894)) / (2 * 1.959964), rel=1e-6)
    low, high = reduction_interval(load_registry(), "greening_shootings", level=0.95, n=200_000)
    # the published interval is not quite symmetric on the log scale
    assert low == pytest.approx(0.027, abs=0.003)
    assert high == pytest.approx(0.106, abs=0.003)


def test_defaults_are_the_ones_of_the_method():
    registry = load_registry()
    assert registry.defaults["greening"].effect == "greening_shootings"
    assert registry.defaults["mowing"].effect == "mowing_shootings"
    assert registry.parts(registry.defaults["repair"].effect) == (
        registry.effect("house_remediation_gun_assault"),
        None,
    )
    assert registry.parts(registry.defaults["demolition"].effect) == (registry.effect("demolition_firearm"), None)
    assert registry.reduction("repair_mixed") == pytest.approx(0.131 / 2)
    assert registry.reduction("demolition_firearm_mixed") == pytest.approx(0.055)


def test_strong_results_are_scenarios_only():
    registry = load_registry()
    for key in ("greening_poor", "building_remediation_firearm", "buildings_did"):
        assert registry.effect(key).optimistic
    for default in registry.defaults.values():
        assert not registry.effect(default.effect).optimistic


@pytest.mark.parametrize("key", ["cpted", "code_enforcement", "cleanup"])
def test_no_benefit_without_evidence(key):
    registry = load_registry()
    assert registry.effect(key).evidence == "none found"
    assert registry.reduction(key) is None
    with pytest.raises(ConfigError, match="none found"):
        draw_reductions(registry, key, 3, seed=0)


def test_mixture_is_half_nothing():
    draws = draw_reductions(load_registry(), "demolition_firearm_mixed", 40_000, seed=3)
    assert (draws == 0).mean() == pytest.approx(0.5, abs=0.01)
    assert np.median(draws[draws != 0]) == pytest.approx(0.11, abs=0.002)


def test_draws_depend_on_seed_and_key_only():
    registry = load_registry()
    one = draw_reductions(registry, "mowing_shootings", 50, seed=1)
    assert np.array_equal(one, draw_reductions(registry, "mowing_shootings", 50, seed=1))
    assert not np.array_equal(one, draw_reductions(registry, "mowing_shootings", 50, seed=2))
    assert not np.array_equal(one, draw_reductions(registry, "greening_shootings", 50, seed=1))


def test_null_result_draws_plus_zero():
    draws = draw_reductions(load_registry(), "demolition_null", 10, seed=0)
    assert (draws == 0).all()
    assert not np.signbit(draws).any()


def test_a_city_overrides_and_adds():
    registry = load_registry(
        {
            "effects": {
                "greening_shootings": {"relative_change": -0.05, "low": -0.08, "high": -0.01},
                "our_trial": {
                    "intervention": "greening",
                    "target": "lot",
                    "study": "City 2030",
                    "design": "randomized at the funding line",
                    "setting": "here",
                    "unit": "block",
                    "outcome": "shootings",
                    "reads": "firearm",
                    "source": "register 2030-12",
                    "relative_change": -0.08,
                    "interval": "assumed",
                },
            },
            "costs": {"repair_unknown": {"build_usd": 3000, "upkeep_usd_per_year": 0}},
            "defaults": {"greening": {"effect": "our_trial"}},
        }
    )
    assert registry.effect("greening_shootings").study.startswith("Moyer")
    assert registry.reduction("greening_shootings") == 0.05
    assert registry.defaults["greening"].effect == "our_trial"
    assert registry.defaults["greening"].cost == "greening_philadelphia"
    assert registry.cost("repair_unknown").basis == "configured"
    assert registry.cost("repair_unknown").over(3) == 3000
    # the shipped rows are untouched
    assert load_registry().reduction("greening_shootings") == 0.068


@pytest.mark.parametrize(
    ("overrides", "match"),
    [
        ({"effect": {}}, "know effects, costs and defaults"),
        ({"effects": {"greening_shootings": {"size": 1}}}, "unknown fields size"),
        ({"effects": {"greening_shootings": {"low": -0.01}}}, "low <= relative_change <= high"),
        ({"effects": {"greening_shootings": {"relative_change": -1.2}}}, "above -1"),
        ({"effects": {"greening_shootings": {"relative_change": "many"}}}, "must be a number"),
        ({"effects": {"new": {"target": "lot"}}}, "incomplete"),
        ({"effects": {"repair_mixed": {"components": ["nothing"]}}}, "no entry 'nothing'"),
        ({"effects": {"repair_mixed": {"components": ["demolition_crime"]}}}, "same target and outcome"),
        ({"effects": {"repair_mixed": {"components": ["building_remediation_firearm"]}}}, "optimistic"),
        ({"effects": {"repair_mixed": {"components": "abc"}}}, "list of keys"),
        ({"effects": {"repair_mixed": {"relative_change": -0.1}}}, "must be null"),
        ({"effects": {"greening_shootings": {"interval": "guess"}}}, "interval must be one of"),
        ({"costs": {"repair_unknown": {"build_usd": 100}}}, "give both"),
        ({"costs": {"greening_philadelphia": {"build_usd": -5}}}, "must not be negative"),
        ({"defaults": {"greening": {"effect": "repair_mixed"}}}, "works on a lot"),
        ({"defaults": {"greening": {"cost": "gold"}}}, "no cost 'gold'"),
    ],
)
def test_a_wrong_registry_is_refused(overrides, match):
    with pytest.raises(ConfigError, match=match):
        load_registry(overrides)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"effects": {"mowing_shootings": {"optimistic": "no"}}}, "optimistic must be true or false; found 'no'"),
        (
            {"effects": {"demolition_firearm_mixed": {"point_mass_at_zero": "false"}}},
            "point_mass_at_zero must be true or false",
        ),
        ({"effects": {"mowing_shootings": {"study": 5}}}, "study must be text; found 5"),
        ({"costs": {"mowing_philadelphia": {"note": ["a"]}}}, "note must be text"),
        ({"defaults": {"mowing": {"label": 7}}}, "label must be text; found 7"),
        ({"effects": {"ours": {"relative_change": -0.1}}}, "it lacks intervention, target, study, design, setting"),
        ({"defaults": {"paving": {"label": "paving"}}}, "'paving' is incomplete; it lacks target, effect"),
    ],
)
def test_fields_of_the_wrong_kind_are_told(overrides, words):
    with pytest.raises(ConfigError, match=words):
        load_registry(overrides)
