"""The step that judges: everything as of an earlier date, scored on what came."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from rtm_pipeline.config.city import City
from rtm_pipeline.layers.layer import LayerResult
from rtm_pipeline.orchestration.metadata import records_table
from rtm_pipeline.orchestration.step import Check, CheckReport, Step, StepContext, StepResult
from rtm_pipeline.orchestration.steps.factors import BACKTEST, BACKTEST_ASSUMED, VINTAGES
from rtm_pipeline.orchestration.steps.ingest import PLACE, layer_step
from rtm_pipeline.orchestration.steps.model import block_side_u, factor_inputs, pairs_of, seed_of, seeded
from rtm_pipeline.orchestration.values import FactorPair, Place, RunVintages

if TYPE_CHECKING:
    from rtm_pipeline.evaluation.backtest import AreaGroups, Backtest, FactorSet

__all__ = ["EVALUATION", "area_layers", "evaluation_steps", "groups_of"]

EVALUATION = "evaluation"


def area_layers(city: City) -> tuple[str, ...]:
    """Layers of named areas (neighborhoods, districts), by name: stored settings do not keep the order of a file."""
    return tuple(sorted(name for name, spec in city.layers.items() if spec.kind == "areas"))


def evaluation_steps(city: City) -> list[Step]:
    """The judgement of the night."""

    def reads(city: City, as_of: date) -> Any:
        return [city.model, city.outcome, city.forecast, city.area.buffer_u, as_of]

    areas = tuple(layer_step(name) for name in area_layers(city) if name != city.outcome.layer)
    return [
        Step(
            name=EVALUATION,
            inputs=(PLACE, VINTAGES, layer_step(city.outcome.layer), *areas, *factor_inputs(city)),
            reads=reads,
            run=_evaluate,
            group="evaluation",
            kinds=("numpy",),
            description="How good the surfaces are: made anew as of an earlier date, scored on what came, beside "
            "counts, kernel density and perfect foresight.",
            checks={
                "nothing_later_than_the_cutoff": Check("No input of a judged surface was known after the cut-off."),
                "beats_the_best_baseline": Check(
                    "The forecast is better than the best simple rule chosen before the cut-off.",
                    blocking=city.forecast.block_if_not_better,
                ),
            },
        )
    ]


def groups_of(
    city: City, place: Place, inputs: Mapping[str, Any], levels: tuple[str, ...] | None = None
) -> tuple[AreaGroups, ...]:
    """The areas layers (or those named) as groups of cells."""
    from rtm_pipeline.evaluation.backtest import AreaGroups
    from rtm_pipeline.grid.locate import area_shares

    found = []
    for name in levels if levels is not None else area_layers(city):
        result: LayerResult = inputs[layer_step(name)]
        if result.layer.geometry is None or not len(result.layer):
            continue
        shares = area_shares(place.grid, list(result.layer.geometry))
        found.append(AreaGroups(name, shares.largest, area_names(result, city.layers[name].keep)))
    return tuple(found)


def area_names(result: LayerResult, keep: tuple[str, ...]) -> tuple[str, ...]:
    """Names of areas: the first kept column, or a number where there is none; a repeated name gets its number."""
    count = len(result.layer)
    if not keep:
        return tuple(f"area {number + 1}" for number in range(count))
    values = result.layer.attributes.column(keep[0]).to_pylist()
    names: list[str] = []
    seen: Counter[str] = Counter()
    for number, value in enumerate(values):
        name = str(value) if value else f"unnamed {number + 1}"
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return tuple(names)


def factor_set(pairs: Mapping[str, FactorPair]) -> FactorSet:
    """The factors of a vintage, as the backtest takes them."""
    from rtm_pipeline.evaluation.backtest import FactorSet

    return FactorSet(
        {name: pair.fit for name, pair in pairs.items() if pair.fit is not None},
        {name: pair.apply for name, pair in pairs.items() if pair.apply is not None},
        tuple((name, pair.left_out) for name, pair in pairs.items() if pair.left_out is not None),
    )


def _evaluate(context: StepContext, inputs: Mapping[str, Any]) -> StepResult:
    from rtm_pipeline.evaluation.backtest import BacktestPlan, backtest

    city = context.city
    place: Place = inputs[PLACE]
    vintages: RunVintages = inputs[VINTAGES]
    outcome: LayerResult = inputs[layer_step(city.outcome.layer)]
    headline = factor_set(pairs_of(city, inputs, BACKTEST))
    assumed = factor_set(pairs_of(city, inputs, BACKTEST_ASSUMED))
    plan = BacktestPlan(
        vintage=vintages.backtest,
        cutoff=vintages.cutoff,
        judged=vintages.judged,
        observed_at=vintages.observed_at,
        unit=city.outcome.unit,
        history=city.forecast.history,
        model=seeded(city, context.as_of),
        block_side_u=block_side_u(city),
        seed=seed_of(city, context.as_of),
    )
    value = backtest(
        place.grid,
        outcome.layer,
        plan,
        headline,
        assumed if set(assumed.fitted) != set(headline.fitted) else None,
        groups_of(city, place, inputs),
    )
    return StepResult(value, _facts(value), _checks(value, vintages))


def _facts(value: Backtest) -> dict[str, Any]:
    accuracy = value.accuracy
    records = [
        {"surface": name, **{f"PAI {at.share:g}": round(at.pai.expected, 2) if at.pai else "" for at in surface.shares}}
        for name, surface in accuracy.surfaces.items()
        if surface is not None
    ]
    return {
        "judged on": str(accuracy.horizon),
        "verdict": accuracy.verdict,
        "baseline": f"{accuracy.baseline_chosen}: {accuracy.baseline_reason}",
        "accuracy": records_table(records or [{"surface": "none could be judged"}]),
        "left out": "; ".join(f"{name}: {reason}" for name, reason in accuracy.left_out) or "nothing",
    }


def _checks(value: Backtest, vintages: RunVintages) -> tuple[CheckReport, ...]:
    accuracy = value.accuracy
    newest = value.newest_input
    against = f"{accuracy.baseline_chosen}, the best simple rule chosen before the cut-off"
    why = accuracy.not_judged or accuracy.as_json()["verdict_reason"]
    words = {
        "better": f"The forecast beats {against}.",
        "not_better": f"The forecast is not better than {against}: {why}. It is published with that said on it, unless "
        "forecast.block_if_not_better is set.",
        "not_judged": f"The forecast could not be judged: {why}.",
    }
    return (
        CheckReport(
            "nothing_later_than_the_cutoff",
            newest is None or newest <= vintages.cutoff,
            f"The newest input was known at {newest}; the cut-off is {vintages.cutoff}. If it is later, a layer's "
            "known_at is wrong.",
        ),
        CheckReport("beats_the_best_baseline", accuracy.verdict != "not_better", words[accuracy.verdict]),
    )
