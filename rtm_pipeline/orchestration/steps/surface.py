"""The step that forecasts: where the next incidents are to be expected, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from rtm_pipeline.config.city import City
from rtm_pipeline.layers.layer import LayerResult
from rtm_pipeline.orchestration.metadata import markdown_picture
from rtm_pipeline.orchestration.step import Step, StepContext, StepResult
from rtm_pipeline.orchestration.steps.factors import NIGHTLY, VINTAGES
from rtm_pipeline.orchestration.steps.ingest import PLACE, layer_step
from rtm_pipeline.orchestration.steps.model import factor_inputs, pairs_of, seed_of
from rtm_pipeline.orchestration.values import FactorPair, Place, RunVintages

if TYPE_CHECKING:
    from rtm_pipeline.surface.windows import Features

__all__ = ["FORECAST", "feature_vintages", "surface_steps"]

FORECAST = "forecast"


def surface_steps(city: City) -> list[Step]:
    """The forecast of the night."""

    def reads(city: City, as_of: date) -> Any:
        return [city.forecast.horizon, city.forecast.history, city.outcome, as_of]

    return [
        Step(
            name=FORECAST,
            inputs=(PLACE, VINTAGES, layer_step(city.outcome.layer), *factor_inputs(city)),
            reads=reads,
            run=_forecast,
            group="surface",
            kinds=("numpy",),
            description="Expected incidents of the next horizon in each cell: what the factors say, what the past "
            "says, and how sure that is.",
        )
    ]


def feature_vintages(
    pairs: Mapping[str, FactorPair], fit_at: date, apply_at: date, n_cells: int
) -> tuple[Features, ...]:
    """Continuous factors at both dates of a vintage; none where no factor is known."""
    from rtm_pipeline.surface.features import features_of

    fitted = {name: pair.fit for name, pair in pairs.items() if pair.fit is not None}
    applied = {name: pair.apply for name, pair in pairs.items() if pair.apply is not None}
    if not fitted:
        return ()
    return features_of(applied, apply_at, n_cells), features_of(fitted, fit_at, n_cells)


def _forecast(context: StepContext, inputs: Mapping[str, Any]) -> StepResult:
    from rtm_pipeline.surface.forecast import forecast
    from rtm_pipeline.surface.vintage import outcome_history

    city = context.city
    place: Place = inputs[PLACE]
    vintages: RunVintages = inputs[VINTAGES]
    outcome: LayerResult = inputs[layer_step(city.outcome.layer)]
    pairs = pairs_of(city, inputs, NIGHTLY)
    history = outcome_history(
        outcome.layer, place.grid, city.outcome.unit, known_at=context.as_of, reach=city.forecast.history
    )
    horizon = city.apply_vintage(context.as_of).outcome
    features = feature_vintages(pairs, vintages.nightly.known_at, vintages.as_of, place.grid.n_cells)
    value = forecast(place.grid, history, features, context.as_of, horizon, seed=seed_of(city, context.as_of))
    return StepResult(
        value,
        {
            "horizon": str(horizon),
            "expected incidents": round(float(value.expected.sum()), 1),
            "largest expected in a cell": round(float(value.expected.max()), 3),
            "learned from": str(history.observed),
            "decay a year": f"{value.model.decay:.2f} ({value.model.decay_reason})",
            "tuned on": ", ".join(map(str, value.model.windows)) or "nothing before the cut-off: defaults",
            "map": markdown_picture(place.grid, value.expected),
        },
    )
