"""Features read from factors."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from support.cells import square_grid

from rtm_pipeline.errors import ModelError
from rtm_pipeline.factors.factor import DensityCut, Factor, FrozenCuts
from rtm_pipeline.factors.spec import Variable
from rtm_pipeline.surface.features import features_of

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
