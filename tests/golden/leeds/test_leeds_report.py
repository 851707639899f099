"""AIC, SBC, RRV and RRS are those of a published RTMDx report."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from rtm_pipeline.factors.spec import Variable
from rtm_pipeline.model.design import Block, Design
from rtm_pipeline.model.likelihood.families import FAMILIES
from rtm_pipeline.model.likelihood.fit import FamilyFit
from rtm_pipeline.model.terrain import terrain_of

LEEDS = json.loads((Path(__file__).parent / "leeds.json").read_text())


@pytest.fixture
def terrain():
    variables = tuple(
        Variable(
            f"{term['factor'].replace(' ', '_')}_{term['operationalization']}_500",
            term["factor"],
            term["operationalization"],
            float(term["spatial_influence_m"]),
        )
        for term in LEEDS["terms"]
    )
    coefficients = np.array([LEEDS["intercept"], *(term["coefficient"] for term in LEEDS["terms"])])
    fit = FamilyFit(
        family=FAMILIES[LEEDS["family"]],
        coefficients=coefficients,
        standard_errors=np.full(3, 0.1),
        dispersion=1.0,
        dispersion_se=0.1,
        at_boundary=False,
        log_likelihood=-LEEDS["deviance"] / 2,
        n_cells=LEEDS["n_cells"],
    )
    return terrain_of(fit, variables, n_events=1)


def test_degrees_of_freedom_count_sigma(terrain):
    assert terrain.n_parameters == LEEDS["degrees_of_freedom"]


def test_criteria(terrain):
    assert terrain.deviance == pytest.approx(LEEDS["deviance"], abs=0.005)
    assert terrain.aic == pytest.approx(LEEDS["aic"], abs=0.005)
    assert terrain.bic == pytest.approx(LEEDS["sbc"], abs=0.01)


def test_relative_risk_values(terrain):
    for term, printed in zip(terrain.terms, LEEDS["terms"], strict=True):
        # the coefficient is printed to four decimals, so the RRV is known to 5e-5 of itself
        assert term.rrv == pytest.approx(printed["rrv"], rel=6e-5)


def test_relative_risk_scores(terrain):
    """The four kinds of cell: the lowest score is 1, the highest that of both factors together."""
    blocks = tuple(
        Block(np.array(codes, np.uint8), np.array([[0], [1]], np.uint8), (term.variable,))
        for term, codes in zip(terrain.terms, ([0, 1, 0, 1], [0, 0, 1, 1]), strict=True)
    )
    scores = terrain.relative_risk_scores(Design(blocks, np.zeros(4, np.int64), np.ones(4)))
    assert scores[0] == 1.0
    assert scores[1:3] == pytest.approx([LEEDS["terms"][0]["rrv"], LEEDS["terms"][1]["rrv"]], rel=6e-5)
    assert scores[3] == pytest.approx(LEEDS["largest_rrs"], abs=0.05)
