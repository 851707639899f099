"""Everything that reports, pages, PDF and model card say of a night, for one edition, as plain values.

This is where an edition is decided: what is not in the facts of the public edition can't get into any of its products,
because none of them looks at anything else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa

from rtm_pipeline.layers.health import HealthFinding
from rtm_pipeline.model.screening import Screening
from rtm_pipeline.publication.change import Change
from rtm_pipeline.publication.content import PUBLIC, RISK_TERRAIN, ReleaseContent, SourceCredit
from rtm_pipeline.publication.editions.public_evidence import public_evidence
from rtm_pipeline.publication.editions.sexual_offenses import sexual_offenses
from rtm_pipeline.publication.facts.accuracy import AccuracyFacts, accuracy_of
from rtm_pipeline.publication.facts.layers import LayerFacts, layers_of
from rtm_pipeline.publication.facts.narrative import TermFacts, terms_of
from rtm_pipeline.publication.facts.places import Places, places_of
from rtm_pipeline.publication.facts.words import count, day, days_of, length_words, percent
from rtm_pipeline.publication.provenance import (
    DISCLAIMER,
    RESTRICTED_NOTICE,
    barred_sources,
    horizon_words,
    layers_behind_terrain,
)
from rtm_pipeline.surface.tiers import tier_shares

__all__ = ["DEFAULT_CONTACT", "Facts", "ModelFacts", "facts_of"]

DEFAULT_CONTACT = "the city office that published this page"
_UNIT_NAMES = {"incident": "incident", "offence": "offense"}
_PUBLIC_TABLES = ("grants",)
_RESTRICTED_TABLES = (
    *("priority_lots", "priority_buildings", "grants", "frontier", "zones", "evidence_311"),
    *("plans", "did_it_help"),
)


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """The fitted model in numbers."""

    family: str
    dispersion: float | None
    bic: float
    n_cells: int
    n_events: int
    intercept: float
    interval_level: float
    terms: tuple[TermFacts, ...]
    candidates: int
    screening: str
    path: Screening | None
    replicates: tuple[int, int]
    left_out: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]

    @property
    def intervals(self) -> str:
        """What the intervals are made of, in a sentence."""
        refits, selections = self.replicates
        if not refits:
            return "No intervals: the notes on the model say why."
        return (
            f"Intervals of {percent(self.interval_level)} from {count(refits)} refits and {count(selections)} repeated "
            "selections over spatial blocks."
        )


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """One edition of one night.

    Attributes
    ----------
    edition : str
    city, label, run_id : str
    as_of : date
    outcome : str
        What is counted, in words; ``unit`` is how.
    fitted_on, known_at, judged_on, horizon : str
        Windows in words.
    cell, area_km2, n_cells, crs : str, float, int, str
    model : ModelFacts
    accuracy : AccuracyFacts or None
    places : Places or None
    layers : tuple of LayerFacts
    tiers : mapping of str to mapping of int to float
        Actual shares of cells.
    statements : mapping of str to str
        By surface, what its accuracy is.
    tables : mapping of str to pyarrow.Table
        Those that the edition may show.
    programs : mapping
        Restricted edition: what the work comes to, as `rtm_pipeline.priorities.summary` tells it.
    changes : tuple of Change
    disparity : mapping of str to tuple of mapping
        By level of areas, one row a group.
    health : tuple of str
        What is doubted of the sources, in sentences.
    credits : tuple of SourceCredit
    contact : str
        Where an error is reported.
    missing : mapping of str to str
        Parts that the night has not got, with the reason.
    barred : tuple of str
        Sources whose terms keep the surfaces out of this edition.
    disclaimer, notice : str
        What it must not be used for; notice of the restricted edition, else empty.
    """

    edition: str
    city: str
    label: str
    run_id: str
    as_of: date
    outcome: str
    unit: str
    fitted_on: str
    known_at: date
    judged_on: str
    horizon: str
    cell: str
    area_km2: float
    n_cells: int
    crs: str
    model: ModelFacts
    accuracy: AccuracyFacts | None
    places: Places | None
    layers: tuple[LayerFacts, ...]
    tiers: Mapping[str, Mapping[int, float]]
    statements: Mapping[str, str]
    tables: Mapping[str, pa.Table]
    programs: Mapping[str, Any]
    changes: tuple[Change, ...]
    disparity: Mapping[str, tuple[Mapping[str, Any], ...]]
    health: tuple[str, ...]
    credits: tuple[SourceCredit, ...]
    contact: str
    missing: Mapping[str, str]
    barred: tuple[str, ...]
    disclaimer: str
    notice: str

    @property
    def counted_on(self) -> str:
        """When the incidents of neighborhoods and of the hours of the week are counted, in words."""
        return self.fitted_on if self.places is None else self.places.counted_on

    @property
    def public(self) -> bool:
        """Whether this is the public edition."""
        return self.edition == PUBLIC

    @property
    def data_warnings(self) -> list[str]:
        """Sources that have gone quiet, and years that are badly located, in sentences."""
        warnings = [*self.health, *(f"{layer.label}: {layer.quiet}." for layer in self.layers if layer.quiet)]
        for layer in self.layers:
            warnings += [
                f"{layer.label}: only {percent(share)} of the rows of {year} have a usable place."
                for year, share in layer.located
            ]
        return warnings

    def why_missing(self, part: str) -> str:
        """Why a part is not there."""
        return self.missing.get(part, "this run did not make it")


def facts_of(content: ReleaseContent, edition: str) -> Facts:
    """Everything that an edition may say."""
    public = edition == PUBLIC
    grid = content.grid
    spec = grid.spec
    outcome = content.name_of(content.outcome)
    judged_on = days_of(content.judged)
    barred = barred_sources(content, edition, layers_behind_terrain(content)) if public else ()
    terms = terms_of(content)
    sexual = sexual_offenses(content)
    withheld = public and bool(sexual.forecast_withheld)
    surfaces = (RISK_TERRAIN,) if public else tuple(content.tiers)
    return Facts(
        edition=edition,
        city=content.city,
        label=content.label,
        run_id=content.run_id,
        as_of=content.as_of,
        outcome=outcome,
        unit=_UNIT_NAMES.get(content.unit, content.unit),
        fitted_on=days_of(content.vintage.outcome),
        known_at=content.vintage.known_at,
        judged_on=judged_on,
        horizon=horizon_words(content),
        cell=length_words(spec.cell_size_m, spec.cell_size_u, spec.unit_m),
        area_km2=float(grid.exposure.sum()) * (spec.cell_size_m / 1000.0) ** 2,
        n_cells=grid.n_cells,
        crs=spec.crs,
        model=_model(content, terms),
        accuracy=accuracy_of(content, judged_on, outcome),
        places=None if barred else places_of(content, edition, terms),
        layers=layers_of(content),
        tiers={name: tier_shares(content.tiers[name]) for name in surfaces if name in content.tiers and not barred},
        statements={name: text for name, text in content.statements.items() if not public or name == RISK_TERRAIN},
        tables=_tables(content, edition),
        programs={} if public else _programs(content),
        changes=content.changes,
        disparity={} if withheld else _disparity(content),
        health=tuple(_doubt(content, finding) for finding in content.health),
        credits=tuple(credit for credit in content.credits if edition in credit.editions),
        contact=content.contact or DEFAULT_CONTACT,
        missing={**content.missing, **({"disparity": sexual.forecast_withheld} if withheld else {})},
        barred=barred,
        disclaimer=DISCLAIMER,
        notice="" if public else RESTRICTED_NOTICE,
    )


def _doubt(content: ReleaseContent, finding: HealthFinding) -> str:
    name = content.name_of(finding.layer) if finding.layer else f"source {finding.source}"
    since = "" if finding.kind == "stands_in" else f" (since {day(finding.since)})"
    return f"{name[:1].upper()}{name[1:]}: {finding.message}{since}."


def _model(content: ReleaseContent, terms: tuple[TermFacts, ...]) -> ModelFacts:
    fit = content.terrain.fit
    terrain = fit.terrain
    refits = 0 if fit.refits is None else int(fit.refits.dispersion.size)
    selections = 0 if fit.reselections is None else len(fit.reselections.selected)
    return ModelFacts(
        family=terrain.family,
        dispersion=terrain.dispersion,
        bic=terrain.bic,
        n_cells=terrain.n_cells,
        n_events=terrain.n_events,
        intercept=terrain.intercept,
        interval_level=fit.spec.bootstrap.level,
        terms=terms,
        candidates=sum(len(factor.variables) for factor in content.factors.values()),
        screening=_screening(content),
        path=fit.screening,
        replicates=(refits, selections),
        left_out=tuple((content.name_of(item["factor"]), item["reason"]) for item in content.left_out),
        notes=fit.notes,
    )


def _screening(content: ReleaseContent) -> str:
    screening = content.terrain.fit.screening
    if screening is None:
        return "no screening"
    rule = {"min": "the penalty of least error", "one_se": "one standard error above it"}[screening.rule]
    return (
        f"elastic net (alpha {screening.alpha:g}), {screening.folds}-fold cross-validation, {rule}; kept "
        f"{screening.kept.size} of {screening.coefficients.size} variables"
    )


def _tables(content: ReleaseContent, edition: str) -> dict[str, pa.Table]:
    names = _PUBLIC_TABLES if edition == PUBLIC else _RESTRICTED_TABLES
    found = {name: content.tables[name] for name in names if name in content.tables}
    evidence = content.tables.get("evidence_311")
    requests = [name for name, result in content.layers.items() if result.layer.kind == "requests"]
    if evidence is not None and edition == PUBLIC and not barred_sources(content, edition, requests):
        found["evidence_311"] = public_evidence(evidence)  # about the city as a whole, small numbers held back
    return found


def _programs(content: ReleaseContent) -> Mapping[str, Any]:
    found = content.priorities
    summary = found if isinstance(found, Mapping) else getattr(found, "summary", None)
    return summary if isinstance(summary, Mapping) else {}


def _disparity(content: ReleaseContent) -> dict[str, tuple[Mapping[str, Any], ...]]:
    """Rows by area group, by level of areas, as the evaluation or ``accuracy.json`` has them."""
    found: Any = (content.accuracy or {}).get("disparity")
    if found is None:
        found = getattr(content.evaluation, "disparity", None)
    if not isinstance(found, Mapping):
        return {}
    levels = {}
    for level, item in found.items():
        rows = item.as_rows() if hasattr(item, "as_rows") else item.get("groups") if isinstance(item, Mapping) else item
        levels[content.name_of(str(level))] = tuple(row for row in rows or () if isinstance(row, Mapping))
    return {level: rows for level, rows in levels.items() if rows}
