"""Steps from factors and outcome to the risk terrain."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from rtm_pipeline.config.city import City
from rtm_pipeline.layers.layer import LayerResult
from rtm_pipeline.model.spec import ModelSpec
from rtm_pipeline.orchestration.metadata import markdown_curve, markdown_picture, records_table
from rtm_pipeline.orchestration.step import Check, CheckReport, Step, StepContext, StepResult
from rtm_pipeline.orchestration.steps.factors import NIGHTLY, VINTAGES, factor_step
from rtm_pipeline.orchestration.steps.ingest import PLACE, layer_step
from rtm_pipeline.orchestration.values import FactorPair, Place, RunVintages

__all__ = ["TERRAIN", "block_side_u", "factor_inputs", "model_steps", "pairs_of", "seed_of", "seeded"]

TERRAIN = "risk_terrain"


def model_steps(city: City) -> list[Step]:
    """The risk terrain model of the night."""

    def reads(city: City, as_of: date) -> Any:
        return [city.model, city.outcome, city.area.buffer_u, as_of]

    return [
        Step(
            name=TERRAIN,
            inputs=(PLACE, VINTAGES, layer_step(city.outcome.layer), *factor_inputs(city)),
            reads=reads,
            run=_fit,
            group="model",
            kinds=("statsmodels",),
            description="Risk terrain model: screening, selection by BIC, bootstraps, relative risk score.",
            checks={
                "agrees_with_statsmodels": Check(
                    "Refitted with statsmodels on the selected terms, no coefficient differs."
                ),
                "enough_incidents": Check("At least 50 incidents stand behind the model.", blocking=False),
            },
        )
    ]


def block_side_u(city: City) -> float:
    """Side of the spatial blocks of the bootstraps: twice the largest influence at least."""
    return max(2 * city.area.buffer_u, 4 * city.area.cell_size_u)


def pairs_of(city: City, inputs: Mapping[str, Any], vintage: str) -> dict[str, FactorPair]:
    """The factors of a vintage, in the order of the configuration."""
    return {name: inputs[factor_step(name)][vintage] for name in city.factors}


def _fit(context: StepContext, inputs: Mapping[str, Any]) -> StepResult:
    from rtm_pipeline.model.refit_check import refit_with_statsmodels
    from rtm_pipeline.surface.vintage import design_of, fit_terrain, outcome_counts

    city = context.city
    place: Place = inputs[PLACE]
    vintages: RunVintages = inputs[VINTAGES]
    outcome: LayerResult = inputs[layer_step(city.outcome.layer)]
    pairs = {name: pair for name, pair in pairs_of(city, inputs, NIGHTLY).items() if pair.fit is not None}
    fitted = {name: pair.fit for name, pair in pairs.items() if pair.fit is not None}
    applied = {name: pair.apply for name, pair in pairs.items() if pair.apply is not None}
    counts = outcome_counts(
        outcome.layer, place.grid, vintages.nightly.outcome, city.outcome.unit, known_at=context.as_of
    )
    terrain = fit_terrain(
        fitted, applied, counts, place.grid, seeded(city, context.as_of), block_side_u=block_side_u(city)
    )
    design, _ = design_of(fitted, counts, place.grid)
    gap = refit_with_statsmodels(design, terrain.fit.terrain)
    fit = terrain.fit.terrain
    return StepResult(
        terrain,
        {
            "family": fit.family,
            "bic": fit.bic,
            "incidents": fit.n_events,
            "cells": fit.n_cells,
            "terms": records_table(
                [
                    {
                        "variable": term.variable.name,
                        "coefficient": term.coefficient,
                        "RRV": term.rrv,
                        "low": term.rrv_low,
                        "high": term.rrv_high,
                        "selected in": term.selection_frequency,
                    }
                    for term in fit.terms
                ]
                or [{"variable": "no factor was selected"}]
            ),
            "map": markdown_picture(place.grid, terrain.rrs),
            **_screening_facts(terrain.fit.screening),
        },
        (
            _agreement(gap),
            CheckReport(
                "enough_incidents",
                fit.n_events >= 50,
                f"{fit.n_events:,} incidents in the outcome window. With fewer than 50, take a longer window.",
            ),
        ),
    )


def _agreement(gap: float) -> CheckReport:
    """The check by statsmodels; a difference that is no number is no agreement."""
    from rtm_pipeline.model.refit_check import LARGEST_DIFFERENCE

    return CheckReport(
        "agrees_with_statsmodels",
        gap <= LARGEST_DIFFERENCE,
        f"The largest difference of a coefficient is {gap:.2g} (allowed: {LARGEST_DIFFERENCE:g}). If it is larger, the "
        "fit did not converge: do not publish, report it with the model's terms.",
    )


def _screening_facts(screening: Any) -> dict[str, Any]:
    """The path of the screening as a picture, and where it stopped."""
    if screening is None:
        return {"screening": "none"}
    return {
        "screening": f"kept {screening.kept.size} of {screening.coefficients.size} at penalty {screening.penalty:.4g}",
        "path": markdown_curve(
            screening.penalties,
            screening.cv_deviance,
            screening.cv_se,
            screening.chosen,
            "penalty",
            "held-out deviance",
        ),
    }


def factor_inputs(city: City) -> tuple[str, ...]:
    """Steps of all factors, in the order of the configuration."""
    return tuple(factor_step(name) for name in city.factors)


def seed_of(city: City, as_of: date) -> int:
    """Seed of a city's night: the same night, the same draws, on every machine."""
    return int.from_bytes(hashlib.sha256(f"{city.name} {as_of.isoformat()}".encode()).digest()[:4], "big")


def seeded(city: City, as_of: date) -> ModelSpec:
    """The model's choices with the seed of the run."""
    return replace(city.model, seed=seed_of(city, as_of))
