"""``MODEL_CARD.md``: what the model is, from what, how good, for whom it errs, and what it must not be used for.

Everything in it is a fact of the run. It is the same in every folder of a release, so it says nothing that the public
edition may not say.
"""

from __future__ import annotations

from collections.abc import Sequence

from rtm_pipeline import __version__
from rtm_pipeline.publication.content import PUBLIC, ReleaseContent
from rtm_pipeline.publication.facts.accuracy import AccuracyFacts
from rtm_pipeline.publication.facts.disparity import DISPARITY_HEADS, disparity_rows
from rtm_pipeline.publication.facts.measures import At, ties_sentence
from rtm_pipeline.publication.facts.narrative import FAMILIES
from rtm_pipeline.publication.facts.night import Facts, facts_of
from rtm_pipeline.publication.facts.uses import USES, WRONG_USES
from rtm_pipeline.publication.facts.words import (
    NONE,
    amount,
    area_words,
    count,
    day,
    listed,
    percent,
    plural,
    surface_name,
    times,
)
from rtm_pipeline.publication.model_card.facts import data_gaps, forecast_choices, known_limits, often_chosen
from rtm_pipeline.publication.model_card.markdown import bullets, cell, table

__all__ = ["model_card"]


def model_card(content: ReleaseContent, facts: Facts | None = None) -> str:
    """The card of a run as Markdown; ``facts`` are those of the public edition, where they are there already."""
    facts = facts_of(content, PUBLIC) if facts is None else facts
    parts = [
        f"# Model card: risk terrain of {cell(facts.label)}, {facts.as_of}",
        cell(f"Run {facts.run_id}, rtm_pipeline {__version__}. Errors and questions: {facts.contact}."),
        "## What it is for",
        bullets(USES),
        "## What the surfaces must not be used for",
        bullets(WRONG_USES),
        f"**{cell(facts.disclaimer)}**",
        *_outcome(facts),
        *_data(content, facts),
        *_method(content, facts),
        *_terms(content, facts),
        *_accuracy(facts),
        *_disparity(facts),
        "## Known limits",
        bullets(known_limits(content, facts)),
        "## Sources",
        _sources(facts),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _outcome(facts: Facts) -> list[str]:
    lines = [
        f"{plural(facts.model.n_events, facts.unit)} of {facts.outcome} in {facts.fitted_on}, in "
        f"{count(facts.model.n_cells)} cells of {facts.cell} ({area_words(facts.area_km2)}, {facts.crs}).",
        f"Factors as they were known on {day(facts.known_at)}; applied to what was known on {day(facts.as_of)}.",
        f"Forecast for the next {facts.horizon}. Judged on {facts.judged_on}, with what was known before it.",
    ]
    return ["## What is explained", bullets(lines)]


def _data(content: ReleaseContent, facts: Facts) -> list[str]:
    rows = [
        (
            layer.label,
            layer.origin,
            count(layer.read),
            count(layer.kept),
            count(layer.filtered),
            count(layer.duplicate),
            count(layer.set_aside),
            NONE if layer.latest is None else str(layer.latest),
            "assumed" if layer.assumed else "recorded",
        )
        for layer in facts.layers
    ]
    heads = ("Layer", "Origin", "Read", "Kept", "Filtered", "Duplicates", "Set aside", "Latest", "History")
    gaps = data_gaps(content, facts)
    return [
        "## Data",
        table(heads, rows),
        "### Gaps",
        bullets(gaps) if gaps else "None is known.",
    ]


def _method(content: ReleaseContent, facts: Facts) -> list[str]:
    model = facts.model
    lines = [
        f"Square cells, each counted by its share inside the study area; {count(model.candidates)} candidate variables "
        "from nearness and density of the factors.",
        f"Screening: {model.screening}. Selection: stepwise by BIC, at most one variable a factor.",
        f"Family: {FAMILIES.get(model.family, model.family)}"
        + (f", dispersion {amount(model.dispersion, 3)}" if model.dispersion is not None else "")
        + f"; BIC {model.bic:,.1f}; intercept {model.intercept:.4f}.",
        model.intervals,
        *model.notes,
    ]
    parts = ["## Method", bullets(lines)]
    choices = forecast_choices(content)
    return [*parts, "### Forecast", bullets(choices) if choices else cell(f"None: {facts.why_missing('forecast')}.")]


def _terms(content: ReleaseContent, facts: Facts) -> list[str]:
    heads = (
        "Factor",
        "Operationalization",
        "Spatial influence",
        "RRV",
        "Interval",
        "Wider interval",
        "Chosen in",
        "Reach",
    )
    rows = [term.row for term in facts.model.terms]
    if not rows:
        return ["## The model", "It has no terms: no factor lowers BIC, every place counts alike."]
    stability = often_chosen(content)
    return [
        "## The model",
        table(heads, rows),
        "Wider interval: allows for the selection. Reach: share of cells where the variable is 1.",
        "### Stability",
        table(("Variable", "Chosen in", ""), stability)
        if stability
        else "Selections were not repeated, so nothing is known about how stable the choice is.",
    ]


def _accuracy(facts: Facts) -> list[str]:
    accuracy = facts.accuracy
    if accuracy is None:
        return ["## Accuracy", cell(f"Not available: {facts.why_missing('accuracy')}.")]
    parts = ["## Accuracy", f"**{cell(accuracy.verdict.headline)}.** {cell(accuracy.verdict.text)}"]
    if accuracy.baseline:
        parts.append(
            cell(
                f"Rule to beat: {surface_name(accuracy.baseline)}, chosen before {accuracy.cutoff}. "
                f"{accuracy.baseline_reason}"
            )
        )
    if accuracy.surfaces:
        parts += ["Hit rate by share of cells (range over orders of tied cells):", _measures(accuracy, "hit_rate")]
        parts += ["PAI:", _measures(accuracy, "pai")]
        parts += ["PEI:", _measures(accuracy, "pei")]
    if accuracy.differences:
        heads = ("Share of cells", "Forecast over the rule to beat", f"{percent(accuracy.level)} interval")
        parts.append(table(heads, _differences(accuracy)))
    notes = [text for item in accuracy.surfaces if (text := ties_sentence(item))]
    notes += [f"{surface_name(name)} could not be made: {reason}." for name, reason in accuracy.missing]
    notes += [f"Not known at the cut-off: {factor} ({reason})." for factor, reason in accuracy.left_out]
    parts.append(bullets([*notes, *accuracy.notes]))
    if accuracy.with_assumed:
        names = listed([surface_name(item.name).lower() for item in accuracy.with_assumed])
        parts.append(cell(f"With factors whose history is only assumed (no headline), {names}:"))
        parts.append(_rows(accuracy.with_assumed, "hit_rate", accuracy.shares))
    if accuracy.calibration:
        parts += ["### Calibration by tenth of cells, lowest forecast first", _calibration(accuracy)]
    return parts


def _measures(accuracy: AccuracyFacts, measure: str) -> str:
    return _rows(accuracy.surfaces, measure, accuracy.shares)


def _rows(surfaces: Sequence[object], measure: str, shares: Sequence[float]) -> str:
    say = times if measure == "pai" else percent

    def said(at: At | None) -> str:
        if at is None:
            return NONE
        return f"{say(at.expected)} ({say(at.minimum)} to {say(at.maximum)})" if at.tied else say(at.expected)

    rows = [
        [surface_name(getattr(item, "name", "")), *(said(getattr(item, measure).get(share)) for share in shares)]
        for item in surfaces
    ]
    return table(["Surface", *(percent(share) for share in shares)], rows)


def _differences(accuracy: AccuracyFacts) -> list[tuple[str, str, str]]:
    return [
        (
            percent(share),
            amount(ratio.value, 3),
            NONE if ratio.low is None or ratio.high is None else f"{amount(ratio.low, 3)} to {amount(ratio.high, 3)}",
        )
        for share, ratio in accuracy.differences.items()
    ]


def _calibration(accuracy: AccuracyFacts) -> str:
    rows = [
        (str(row.number), count(row.cells), amount(row.expected, 3), amount(row.observed, 3))
        for row in accuracy.calibration
    ]
    return table(("Tenth", "Cells", "Expected", "Observed"), rows)


def _disparity(facts: Facts) -> list[str]:
    heads, levels = [text for text, _ in DISPARITY_HEADS], disparity_rows(facts)
    if not levels:
        return ["## Who bears the errors", cell(f"Not available: {facts.why_missing('disparity')}.")]
    parts = ["## Who bears the errors"]
    for level, rows in levels.items():
        parts += [f"### By {cell(level)}", table(heads, rows)]
    return [*parts, "An asterisk: differs from the city's by more than chance allows."]


def _sources(facts: Facts) -> str:
    if not facts.credits:
        return "No attribution is configured."
    rows = [
        (item.source, item.attribution or NONE, item.license or NONE, item.terms_url or NONE, item.disclaimer or NONE)
        for item in facts.credits
    ]
    return table(("Source", "Owed to", "License", "Terms", "Disclaimer"), rows)
