"""The section that tells why: each term of the model in words, in a plot and in a table."""

from __future__ import annotations

from rtm_pipeline.publication.facts.narrative import FAMILIES, TermFacts
from rtm_pipeline.publication.facts.night import Facts
from rtm_pipeline.publication.facts.words import count, percent, plural, times
from rtm_pipeline.publication.html.charts import Axis, forest_plot
from rtm_pipeline.publication.html.screening import screening_figure
from rtm_pipeline.publication.html.summary import section
from rtm_pipeline.publication.html.tables import Head, table
from rtm_pipeline.publication.html.tags import Html, tag

__all__ = ["model_section"]


def model_section(facts: Facts) -> Html:
    """Risk narrative, plot, table, how the model was made."""
    model = facts.model
    if not model.terms:
        return section(
            "why",
            "Why there: the risk narrative",
            tag(
                "p",
                "No factor lowers the model's BIC, so no place is rated above another. That is a result: in these "
                "data, the layers say nothing about where incidents are.",
            ),
            _how(facts),
        )
    return section(
        "why",
        "Why there: the risk narrative",
        tag(
            "p",
            "A relative risk value (RRV) of 2 means: twice as many incidents as in places without the factor, all "
            "other factors of the model being equal. Values say what goes together, not what causes what.",
        ),
        tag(
            "div",
            tag("figure", _plot(facts), tag("figcaption", "RRV of each factor; lines are intervals.")),
            tag("ol", *(tag("li", _sentence(term, facts)) for term in model.terms), class_="narrative"),
            class_="pair wide",
        ),
        _table(facts),
        _how(facts),
    )


def _sentence(term: TermFacts, facts: Facts) -> str:
    text = term.sentence(facts.outcome, facts.model.interval_level)
    return f"{text} Its history is assumed: {term.assumed}" if term.assumed else text


def _plot(facts: Facts) -> Html:
    terms = facts.model.terms
    ends = [value for term in terms for value in (term.rrv, term.low, term.high) if value is not None]
    low, high = min(1.0, *ends), max(1.5, *ends)
    ticks = tuple(
        (value, f"{value:g}") for value in (0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0) if low <= value <= high
    )
    return forest_plot(
        "rrv",
        "Relative risk value of each factor",
        "; ".join(f"{term.label} {times(term.rrv)}" for term in terms),
        [(term.label, term.rrv, term.low, term.high) for term in terms],
        Axis("times as many incidents", ticks, low * 0.95, high * 1.05, log=True),
    )


def _table(facts: Facts) -> Html:
    level = percent(facts.model.interval_level)
    heads = (
        Head("Risk factor"),
        Head("Operationalization"),
        Head("Spatial influence", number=True),
        Head("RRV", number=True),
        Head("Interval", number=True, note=f"{level}, given the selection"),
        Head("Wider interval", number=True, note="allows for the selection"),
        Head("Chosen in", number=True, note="of repeated selections"),
        Head("Reach", number=True, note="share of the city"),
    )
    rows = [term.row for term in facts.model.terms]
    return table("The risk terrain model", heads, rows, identity="model-table")


def _how(facts: Facts) -> Html:
    model = facts.model
    family = FAMILIES.get(model.family, model.family)
    items = [
        f"{plural(model.n_events, facts.unit)} of {facts.outcome} in {facts.fitted_on}, in {count(model.n_cells)} "
        f"cells of {facts.cell}; each cell counts by its share inside the study area.",
        f"{count(model.candidates)} candidate variables; screening: {model.screening}; then stepwise selection by "
        f"BIC, at most one variable a factor. Family: {family}; BIC {model.bic:,.1f}.",
        model.intervals,
    ]
    items += [f"Left out: {factor} ({reason})." for factor, reason in model.left_out]
    items += list(model.notes)
    figure = screening_figure(model.path) if model.path is not None else None
    listed = tag("ul", *(tag("li", item) for item in items))
    return tag("details", tag("summary", "How the model was made"), listed, *([figure] if figure else []))
