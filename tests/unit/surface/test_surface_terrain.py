"""Scores read from codes, and features read from factors."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from support.cells import square_grid

from rtm_pipeline.errors import ModelError
from rtm_pipeline.factors.factor import DensityCut, Factor, FrozenCuts
from rtm_pipeline.factors.spec import Variable
from rtm_pipeline.model.terrain import FittedTerrain, Term
from rtm_pipeline.surface.features import features_of
from rtm_pipeline.surface.terrain_surface import terrain_surface

GRID = square_grid(3, 4)
KNOWN_AT = date(2018, 1, 1)


def variable(factor: str, meters: int) -> Variable:
    return Variable(f"{factor}_proximity_{meters}", factor, "proximity", float(meters), float(meters))


def factor_of(name: str, seed: int, known: np.ndarray | None = None) -> Factor:
    rng = np.random.default_rng(seed)
    variables = (variable(name, 50), variable(name, 100))
    cuts = FrozenCuts(name, "both", GRID.spec, variables, (DensityCut(100.0, 0.5, 0.2, 0.9),), KNOWN_AT)
    return Factor(
        name=name,
        layer=name,
        known_at=KNOWN_AT,
        grid=GRID.spec,
        operationalization="proximity",
        variables=variables,
        codes=rng.integers(0, 3, 12).astype(np.uint8),
        bits=np.array([[0, 0], [0, 1], [1, 1]], np.uint8),
        distance_u=rng.uniform(0, 300, 12).astype(np.float32),
        density=rng.uniform(0, 2, (1, 12)).astype(np.float32),
        density_bands_u=(100.0,),
        geometry="points",
        cuts=cuts,
        dropped=(),
        clustering=None,
        n_features=9,
        known=known,
        assumed=False,
        earliest_known=None,
    )


def terrain_of(*terms: tuple[str, int, float]) -> FittedTerrain:
    return FittedTerrain(
        family="poisson",
        dispersion=None,
        dispersion_name=None,
        variance="mu",
        intercept=-1.0,
        intercept_se=0.1,
        terms=tuple(Term(variable(name, meters), beta, 0.1) for name, meters, beta in terms),
        log_likelihood=0.0,
        deviance=0.0,
        aic=0.0,
        bic=0.0,
        n_parameters=3,
        n_cells=12,
        n_events=5,
        steps=(),
    )


def test_scores_are_products_of_the_values_that_apply():
    factors = {"lots": factor_of("lots", 1), "bars": factor_of("bars", 2)}
    found = terrain_surface(terrain_of(("lots", 100, 0.7), ("bars", 50, 1.1)), factors, 12)
    expected = np.exp(0.7 * factors["lots"].column(1) + 1.1 * factors["bars"].column(0))
    np.testing.assert_allclose(found.scores, expected / expected.min())
    np.testing.assert_allclose(found.base * found.multipliers.prod(axis=1), found.scores, rtol=1e-6)
    assert found.factors == ("lots", "bars")


def test_protective_terms_leave_the_lowest_at_one():
    factors = {"parks": factor_of("parks", 3)}
    found = terrain_surface(terrain_of(("parks", 100, -0.5)), factors, 12)
    assert found.scores.min() == 1.0
    assert found.base == pytest.approx(np.exp(0.5))


def test_cells_that_do_not_know_a_factor_of_the_model_have_no_score():
    known = np.arange(12) >= 4
    factors = {"lots": factor_of("lots", 1, known), "other": factor_of("other", 2, ~known)}
    found = terrain_surface(terrain_of(("lots", 100, 0.7)), factors, 12)
    assert np.isnan(found.scores[:4]).all()
    assert np.isfinite(found.scores[4:]).all()
    with pytest.raises(ModelError, match="No cell knows all factors"):
        terrain_surface(terrain_of(("lots", 100, 0.7), ("other", 50, 0.1)), factors, 12)


def test_a_model_without_terms_is_flat():
    assert terrain_surface(terrain_of(), {}, 12).scores.tolist() == [1.0] * 12


def test_missing_factors_and_variables_are_named():
    with pytest.raises(ModelError, match=r"factor 'lots', which is not among .*\(bars\)"):
        terrain_surface(terrain_of(("lots", 100, 0.7)), {"bars": factor_of("bars", 2)}, 12)
    with pytest.raises(ModelError, match="lots_proximity_300"):
        terrain_surface(terrain_of(("lots", 300, 0.7)), {"lots": factor_of("lots", 2)}, 12)


def test_features_are_the_continuous_forms_of_all_factors():
    features = features_of({"lots": factor_of("lots", 1), "bars": factor_of("bars", 2)}, KNOWN_AT, 12)
    assert features.names == (
        "lots_log_distance",
        "lots_log_density_100m",
        "bars_log_distance",
        "bars_log_density_100m",
    )
    assert features.factors == ("lots", "lots", "bars", "bars")
    assert features.values.shape == (12, 4)
    expected = np.log(factor_of("bars", 2).distance_u / 76.2 + 0.5)
    np.testing.assert_allclose(features.values[:, 2], expected, rtol=1e-5)


def test_a_factor_newer_than_its_vintage_is_a_leak():
    late = replace(factor_of("lots", 1), known_at=date(2018, 1, 2))
    with pytest.raises(ModelError, match="were not known at the cut-off 2018-01-01"):
        features_of({"lots": late}, KNOWN_AT, 12)


def test_no_factors_make_no_features():
    assert features_of({}, KNOWN_AT, 12).values.shape == (12, 0)
