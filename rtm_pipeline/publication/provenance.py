"""What every product says of itself: run, windows, sources and their terms, and what it must not be used for."""

from __future__ import annotations

from collections.abc import Iterable

from rtm_pipeline import __version__
from rtm_pipeline.publication.content import PUBLIC, ReleaseContent, SourceCredit

__all__ = [
    "DISCLAIMER",
    "RESTRICTED_NOTICE",
    "attributions",
    "barred_sources",
    "horizon_words",
    "layers_behind_terrain",
    "raster_tags",
    "release_facts",
    "sources_text",
    "terms_of",
]

DISCLAIMER = (
    "Rates places, not persons. For prevention work on places; not for decisions about individuals, for enforcement "
    "against residents, or as evidence against anyone."
)
RESTRICTED_NOTICE = (
    "Restricted edition: sites, addresses, zones and the forecast of single cells are for the city's own planners. "
    "Don't publish it or parts of it; the folder public/ is made for that."
)
_UNITS = {"y": "year", "mo": "month", "w": "week", "d": "day", "h": "hour"}


def horizon_words(content: ReleaseContent) -> str:
    """The horizon of the forecast, such as ``1 year``."""
    duration = content.horizon
    return f"{duration.value} {_UNITS[duration.unit]}{'' if duration.value == 1 else 's'}"


def attributions(content: ReleaseContent) -> tuple[str, ...]:
    """Whom the sources of the run are owed to, each once, in the order of the configuration."""
    return tuple(dict.fromkeys(credit.attribution for credit in content.credits if credit.attribution))


def raster_tags(content: ReleaseContent, statement: str | None = None) -> dict[str, str]:
    """What every raster says of itself, as GDAL metadata.

    Parameters
    ----------
    content : ReleaseContent
    statement : str, optional
        How accurate the surface is.
    """
    horizon = content.forecast.horizon if content.forecast is not None else None
    tags = {
        "RUN_ID": content.run_id,
        "MODEL_VERSION": f"rtm_pipeline {__version__}",
        "CITY": content.label,
        "AS_OF": content.as_of.isoformat(),
        "OUTCOME": content.name_of(content.outcome),
        "OUTCOME_WINDOW": str(content.vintage.outcome),
        "FACTORS_KNOWN_AT": content.vintage.known_at.isoformat(),
        "APPLIED_AT": content.as_of.isoformat(),
        "CELL_SIZE_M": f"{content.grid.spec.cell_size_m:.6g}",
        "CELL_SIZE_CRS_UNITS": f"{content.grid.spec.cell_size_u:.10g}",
        "SOURCES_SHA256": " ".join(f"{name}:{s.digest}" for name, s in sorted(content.snapshots.items())),
        "TIFFTAG_COPYRIGHT": "; ".join(attributions(content)) or f"Derived from open data of {content.label}",
        "TIFFTAG_SOFTWARE": f"rtm_pipeline {__version__}",
        "DISCLAIMER": DISCLAIMER,
    }
    if horizon is not None:
        tags["FORECAST_HORIZON"] = str(horizon)
    if statement:
        tags["ACCURACY"] = statement
    old = [
        f"{name} of {snapshot.fetched_at}" for name, snapshot in sorted(content.snapshots.items()) if snapshot.stands_in
    ]
    if old:
        tags["OLDER_SOURCES"] = f"Not read tonight; older data stand in: {', '.join(old)}"
    return tags


def release_facts(content: ReleaseContent) -> dict[str, str]:
    """The run in a few plain lines: for the table ``run_metadata``, catalogs and projects."""
    vintage = content.vintage
    facts = {
        "run_id": content.run_id,
        "city": content.label,
        "as_of": content.as_of.isoformat(),
        "outcome": f"{content.name_of(content.outcome)}, counted by {content.unit}",
        "fitted_on": str(vintage.outcome),
        "factors_known_at": vintage.known_at.isoformat(),
        "applied_at": content.as_of.isoformat(),
        "horizon": horizon_words(content),
        "cell_size_m": f"{content.grid.spec.cell_size_m:.6g}",
        "crs": content.grid.spec.crs,
        "cells": str(content.grid.n_cells),
        "model_version": f"rtm_pipeline {__version__}",
        "sources_sha256": " ".join(f"{name}:{s.digest}" for name, s in sorted(content.snapshots.items())),
        "disclaimer": DISCLAIMER,
        "attribution": "; ".join(attributions(content)),
    }
    for surface, statement in sorted(content.statements.items()):
        facts[f"accuracy_of_{surface}"] = statement
    if content.compared is not None:
        facts["compared_with"] = f"{content.compared.run_id} ({content.compared.surface})"
    for name, snapshot in sorted(content.snapshots.items()):
        if snapshot.stands_in is not None:
            facts[f"stands_in_{name}"] = snapshot.stands_in
    for item in content.left_out:
        facts[f"left_out_{item['factor']}"] = item["reason"]
    return facts


def layers_behind_terrain(content: ReleaseContent) -> tuple[str, ...]:
    """The outcome, and the layers of the factors that the model selected."""
    terms = content.terrain.fit.terrain.terms
    names = [term.variable.factor for term in terms]
    return (content.outcome, *(content.factors[name].layer for name in names if name in content.factors))


def barred_sources(content: ReleaseContent, edition: str, layers: Iterable[str]) -> tuple[str, ...]:
    """Sources behind the layers whose terms don't allow an edition to carry what is derived from them, sorted."""
    barred = {credit.source for credit in content.credits if edition not in credit.editions}
    return tuple(sorted({content.layer_sources[name] for name in layers if name in content.layer_sources} & barred))


def sources_text(content: ReleaseContent, edition: str) -> str:
    """``SOURCES.txt``: whom the data are owed to, their terms and disclaimers, carried through word for word."""
    lines = [f"{content.label}: sources of the release {content.run_id}", ""]
    credits = {credit.source: credit for credit in content.credits}
    for name in sorted({*content.snapshots, *credits}):
        credit = credits.get(name)
        lines += [name, *_terms(credit)]
        if name in content.snapshots:
            lines.append(f"  sha256 of what was read: {content.snapshots[name].digest}")
        lines.append("")
    lines += ["Use", f"  {DISCLAIMER}"]
    if edition != PUBLIC:
        lines.append(f"  {RESTRICTED_NOTICE}")
    return "\n".join(lines) + "\n"


def _terms(credit: SourceCredit | None) -> list[str]:
    if credit is None:
        return ["  No attribution or terms are configured for it."]
    return [f"  {key}: {' '.join(value.split())}" for key, value in terms_of(credit).items()]


def terms_of(credit: SourceCredit) -> dict[str, str]:
    """What a provider asks for, word for word, and which editions its terms allow."""
    said = {
        "attribution": credit.attribution,
        "license": credit.license,
        "terms": credit.terms_url,
        "disclaimer": credit.disclaimer,
        "editions": ", ".join(credit.editions),
    }
    return {key: value for key, value in said.items() if value}
