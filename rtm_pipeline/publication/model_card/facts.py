"""What the model card says beyond the reports: gaps of the data, the forecast's choices, stability, known limits."""

from __future__ import annotations

from typing import Any

import numpy as np

from rtm_pipeline.publication.content import ReleaseContent
from rtm_pipeline.publication.editions.protected_counts import LEAST_COUNT
from rtm_pipeline.publication.facts.night import Facts
from rtm_pipeline.publication.facts.words import amount, count, listed, percent, plural

__all__ = ["data_gaps", "forecast_choices", "known_limits", "often_chosen"]

POLICE = "police"
OFTEN = 0.25


def data_gaps(content: ReleaseContent, facts: Facts) -> list[str]:
    """What is not in the data, or only assumed, in sentences."""
    gaps = list(facts.health)
    gaps += [
        f"{layer.label}: past states are assumed, not recorded. {layer.assumed}"
        for layer in facts.layers
        if layer.assumed
    ]
    gaps += [f"Factor {factor} is left out: {reason}." for factor, reason in facts.model.left_out]
    gaps += [
        f"{layer.label}: made by police activity, used on purpose "
        f"({content.origin_reasons.get(layer.name, 'no reason is recorded')})."
        for layer in facts.layers
        if layer.origin == POLICE
    ]
    gaps += [
        f"{layer.label}: only {percent(share)} of the rows of {year} have a usable place."
        for layer in facts.layers
        for year, share in layer.located
    ]
    gaps += [f"{layer.label} has gone quiet: {layer.quiet}." for layer in facts.layers if layer.quiet]
    gaps += _coverage(content)
    if not any(result.layer.kind == "requests" for result in content.layers.values()):
        gaps.append("There is no layer of 311 requests.")
    for table, what in (("priority_lots", "vacant lots"), ("priority_buildings", "dilapidated buildings")):
        found = content.tables.get(table)
        if found is None or found.num_rows == 0:
            gaps.append(f"There is no inventory of {what}: none is ranked ({facts.why_missing(table)}).")
    if facts.places is None:
        gaps.append("There are no neighborhoods: nothing is rolled up, and errors by neighborhood are not known.")
    border = int(np.count_nonzero(content.grid.border))
    if border:
        gaps.append(
            f"{count(border)} of {plural(facts.n_cells, 'cell')} lie so near to where sources end that features beyond "
            "are not seen; their risk may be too low."
        )
    return gaps


def _coverage(content: ReleaseContent) -> list[str]:
    """Layers that cover a part of the city only."""
    found = []
    for factor in content.factors.values():
        if factor.known is None or bool(factor.known.all()):
            continue
        found.append(
            f"{content.name_of(factor.name)} is known in {percent(float(factor.known.mean()))} of the cells; the model "
            "does not speak of the others."
        )
    return found


def forecast_choices(content: ReleaseContent) -> list[str]:
    """What was chosen for the forecast, and how, in sentences; empty without a forecast."""
    if content.forecast is None:
        return []
    chosen: Any = content.forecast.hyperparameters
    windows = [f"{start} to {end}" for start, end in chosen["training_windows"]]
    found = [
        f"Tuned on {listed(windows)}, all before the cut-off."
        if windows
        else "Too little history to tune on: defaults.",
        f"An incident that is a year older counts {amount(chosen['decay_per_year'])} times as much "
        f"({chosen['decay_reason']}).",
        f"Expected for {content.forecast.horizon}; the study area is expected to have "
        f"{amount(chosen['annual_level'], 3)} a year.",
    ]
    found += [f"Not used: {item['factor']} ({item['reason']})." for item in chosen["left_out"]]
    return found


def often_chosen(content: ReleaseContent) -> list[tuple[str, str, str]]:
    """Variables that repeated selections chose often: name, frequency, and whether the model has them."""
    reselections = content.terrain.fit.reselections
    if reselections is None:
        return []
    inside = {term.variable.name for term in content.terrain.fit.terrain.terms}
    found = sorted(reselections.frequencies().items(), key=lambda pair: (-pair[1], pair[0]))
    return [
        (name, percent(frequency), "in the model" if name in inside else "not in the model")
        for name, frequency in found
        if frequency >= OFTEN or name in inside
    ]


def _zones(content: ReleaseContent) -> list[str]:
    """That zones were in force while the incidents of the fit happened; never where."""
    zones = (content.programs or {}).get("zones")
    if not zones:
        return []
    seen = zones["in_fit"]
    if not seen["periods"]:
        return ["The city makes short-lived zones; none was in force while the incidents of the model happened."]
    few = 0 < seen["incidents"] < LEAST_COUNT
    share = f"Fewer than {LEAST_COUNT}" if few else percent(seen["share"])
    return [
        f"The city makes short-lived zones: they were in force on {plural(seen['days'], 'day')} while the incidents of "
        f"the model happened. {share} of these incidents lie where and when they were; what was done there shows in "
        "them, too."
    ]


def known_limits(content: ReleaseContent, facts: Facts) -> list[str]:
    """What a reader has to keep in mind, first what this run shows, then what holds for every run."""
    found = []
    accuracy = facts.accuracy
    if accuracy is None or accuracy.verdict.code == "not_judged":
        found.append("How well the forecast ranks places is not known yet.")
    elif accuracy.verdict.code == "not_better":
        found.append("The forecast does not beat the best simple rule at the areas that matter.")
    terrain = None if accuracy is None else accuracy.surface("risk_terrain")
    if terrain is not None and terrain.distinct_values is not None:
        found.append(
            f"The risk terrain has {count(terrain.distinct_values)} different values, so many places tie; it explains, "
            "it does not rank finely."
        )
    wide = [term.label for term in facts.model.terms if term.wide_low is not None and term.wide_low <= 1.0]
    if wide:
        found.append(
            f"Allowing for the selection, the interval of these factors includes no association: {listed(wide)}."
        )
    if facts.model.n_events < 200:
        found.append(f"Only {plural(facts.model.n_events, facts.unit)} stand behind the model.")
    found += _zones(content)
    return [
        *found,
        "It knows reported incidents only. Where fewer are reported, or reported later, it sees less than there is.",
        "Reports to 311 come faster in some neighborhoods than in others; nearness to them also measures who reports.",
        "Values say what goes together. They are not effects: taking a factor away need not take the incidents away.",
        "Work on places may move incidents; the release does not show that by itself.",
    ]
