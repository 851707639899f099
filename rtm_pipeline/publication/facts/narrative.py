"""The model in words: what each risk factor means on the ground, and by how much it goes with the outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.factors.spec import DENSITY, PROXIMITY
from rtm_pipeline.model.terrain import Term
from rtm_pipeline.publication.content import ReleaseContent
from rtm_pipeline.publication.facts.words import NONE, length_words, percent, times

__all__ = [
    "FAMILIES",
    "AreaReason",
    "TermFacts",
    "area_reasons",
    "interval_words",
    "term_columns",
    "term_words",
    "terms_of",
]

FAMILIES = {
    "poisson": "Poisson",
    "nb1": "negative binomial, variance proportional to the mean (NB1)",
    "nb2": "negative binomial, variance growing with the square of the mean (NB2)",
}
"""Families of the model, for people."""
WORTH_SAYING = 0.02
"""A factor is a reason for an area if it moves the mean log score there by more than this against the city's."""


@dataclass(frozen=True, slots=True)
class TermFacts:
    """One term of the model, as people read it.

    Attributes
    ----------
    variable, factor : str
    label : str
        Of the factor.
    operationalization : str
        ``nearness`` or ``density`` for spatial factors.
    influence : str
        ``500 ft (152 m)``.
    influence_m : float or None
    where : str
        Of which places it speaks: ``within 500 ft (152 m) of liquor outlets``.
    holds : str
        The same with its verb: ``lies within 500 ft (152 m) of liquor outlets``.
    coefficient, rrv : float
    low, high : float or None
        Interval of the RRV given the selection.
    wide_low, wide_high : float or None
        Interval that allows for the selection.
    frequency : float or None
        Share of repeated selections that chose it.
    share : float
        Of the study area's cells where it holds.
    assumed : str or None
        Why the history of its layer is only assumed.
    """

    variable: str
    factor: str
    label: str
    operationalization: str
    influence: str
    influence_m: float | None
    where: str
    holds: str
    coefficient: float
    rrv: float
    low: float | None
    high: float | None
    wide_low: float | None
    wide_high: float | None
    frequency: float | None
    share: float
    assumed: str | None

    @property
    def row(self) -> tuple[str, ...]:
        """Its line in the table of the model: name, operationalization, influence, RRV, intervals, frequency, reach."""
        return (
            self.label,
            self.operationalization,
            self.influence,
            times(self.rrv),
            interval_words(self.low, self.high),
            interval_words(self.wide_low, self.wide_high),
            percent(self.frequency),
            percent(self.share),
        )

    def sentence(self, outcome: str, level: float) -> str:
        """What the term says, with its interval and how often it was chosen."""
        text = f"Places {self.where} had {times(self.rrv)} times the {outcome} of other places"
        if self.low is not None and self.high is not None:
            text += f" ({percent(level)} interval {times(self.low)} to {times(self.high)})"
        text += "." if self.rrv >= 1 else ", so less of it."
        text += f" They make up {percent(self.share)} of the city."
        if self.frequency is not None:
            text += f" Chosen in {percent(self.frequency)} of repeated selections."
        return text


@dataclass(frozen=True, slots=True)
class AreaReason:
    """Why the risk terrain is high in an area: a factor that reaches more of it than of the city.

    Attributes
    ----------
    text : str
        Plain words.
    variable : str
    share, city_share : float
        Of cells where the variable is 1.
    """

    text: str
    variable: str
    share: float
    city_share: float


def terms_of(content: ReleaseContent) -> tuple[TermFacts, ...]:
    """The terms of the model, the strongest first."""
    found = [_facts(content, term) for term in content.terrain.fit.terrain.terms]
    return tuple(sorted(found, key=lambda term: (-abs(term.coefficient), term.variable)))


def term_columns(content: ReleaseContent, terms: Sequence[TermFacts]) -> NDArray[np.uint8]:
    """Where each term's variable is 1 as applied, uint8, shape (n_cells, k); 0 where a factor is missing."""
    columns = np.zeros((content.grid.n_cells, len(terms)), np.uint8)
    for at, term in enumerate(terms):
        factor = content.factors.get(term.factor)
        names = [] if factor is None else [variable.name for variable in factor.variables]
        if factor is not None and term.variable in names:
            columns[:, at] = factor.column(names.index(term.variable))
    return columns


def area_reasons(
    terms: Sequence[TermFacts], columns: NDArray[np.uint8], of_cell: NDArray[np.int32], n_areas: int, *, top: int = 3
) -> list[tuple[AreaReason, ...]]:
    """What sets each area's risk terrain apart from the city's, the strongest first; none: nothing does.

    Parameters
    ----------
    terms : sequence of TermFacts, length k
    columns : ndarray of uint8, shape (n_cells, k)
        As `term_columns` gives them.
    of_cell : ndarray of int32, shape (n_cells,)
        Area of each cell, -1 for none.
    n_areas : int
    top : int
        At most so many reasons.
    """
    inside = of_cell >= 0
    cells = np.bincount(of_cell[inside], minlength=n_areas)
    reasons: list[list[tuple[float, AreaReason]]] = [[] for _ in range(n_areas)]
    for at, term in enumerate(terms):
        city = float(columns[:, at].mean()) if columns.shape[0] else 0.0
        hits = np.bincount(of_cell[inside], weights=columns[inside, at], minlength=n_areas)
        share = np.divide(hits, cells, out=np.zeros(n_areas), where=cells > 0)
        lift = term.coefficient * (share - city)
        for area in np.flatnonzero((lift > WORTH_SAYING) & (cells > 0)).tolist():
            text = f"{percent(share[area])} of it {term.holds} (city: {percent(city)})"
            reasons[area].append((float(lift[area]), AreaReason(text, term.variable, float(share[area]), city)))
    return [
        tuple(reason for _, reason in sorted(mine, key=lambda pair: (-pair[0], pair[1].variable))[:top])
        for mine in reasons
    ]


def _facts(content: ReleaseContent, term: Term) -> TermFacts:
    variable = term.variable
    label = content.name_of(variable.factor)
    influence = length_words(variable.spatial_influence_m, variable.spatial_influence_u, content.grid.spec.unit_m)
    factor = content.factors.get(variable.factor)
    names = [] if factor is None else [item.name for item in factor.variables]
    verb, where = _where(label, variable.operationalization, influence)
    share = float(factor.shares()[names.index(variable.name)]) if factor and variable.name in names else float("nan")
    return TermFacts(
        variable=variable.name,
        factor=variable.factor,
        label=label,
        operationalization={PROXIMITY: "nearness", DENSITY: "density"}.get(variable.operationalization or "", "yes/no"),
        influence=influence,
        influence_m=variable.spatial_influence_m,
        where=where,
        holds=f"{verb} {where.removeprefix('with ')}",
        coefficient=term.coefficient,
        rrv=term.rrv,
        low=term.rrv_low,
        high=term.rrv_high,
        wide_low=term.rrv_low_unconditional,
        wide_high=term.rrv_high_unconditional,
        frequency=term.selection_frequency,
        share=share,
        assumed=_assumed(content, variable.factor),
    )


def term_words(label: str, operationalization: str | None, influence: str) -> str:
    """A term of a model in words: ``many vacant lots within 750 ft (229 m)``."""
    _, where = _where(label, operationalization, influence)
    return where.removeprefix("with ")


def _where(label: str, operationalization: str | None, influence: str) -> tuple[str, str]:
    """Which places, and the verb that goes with it."""
    if operationalization == PROXIMITY:
        return "lies", f"within {influence} of {label}"
    if operationalization == DENSITY:
        return "has", f"with many {label} within {influence}"
    return "has", f"with {label}"


def _assumed(content: ReleaseContent, name: str) -> str | None:
    factor = content.factors.get(name)
    result = content.layers.get(factor.layer) if factor is not None else None
    if factor is None or result is None or result.layer.history != "assumed":
        return None
    return result.layer.history_reason or "its past states were not recorded"


def interval_words(low: float | None, high: float | None) -> str:
    """``1.2 to 1.8``."""
    return NONE if low is None or high is None else f"{times(low)} to {times(high)}"
