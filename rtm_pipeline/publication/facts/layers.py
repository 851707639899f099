"""The health of the data: what was read, what became of every row, and which sources have gone quiet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from rtm_pipeline.layers.layer import Layer, LayerResult
from rtm_pipeline.layers.vintage import rows_known
from rtm_pipeline.publication.content import ReleaseContent
from rtm_pipeline.publication.facts.words import count, day, plural

__all__ = ["REASONS", "LayerFacts", "layers_of"]

REASONS = {
    "where": "not of the kind that this layer is about",
    "category": "of a category that is not used",
    "reversal": "taken back by the source",
    "outside_study_area": "outside the study area",
    "malformed_row": "row can't be read",
    "unknown_category": "category not known",
    "no_date": "no date",
    "unreadable_date": "date can't be read",
    "date_in_future": "date in the future",
    "date_too_early": "date impossibly early",
    "no_known_at": "no date of publication",
    "unreadable_known_at": "date of publication can't be read",
    "unreadable_until": "end date can't be read",
    "no_location": "no place",
    "unreadable_location": "place can't be read",
    "unsupported_geometry": "kind of geometry not supported",
    "invalid_geometry": "invalid geometry",
    "swapped_coordinates": "coordinates swapped",
    "implausible_location": "place far outside the city",
    "default_geocode": "on a point where a geocoder piles what it can't place",
}
_RECENT_DAYS = 30
_QUIET_SHARE = 0.2
_LEAST_USUAL = 10
_LEAST_ROWS = 50


@dataclass(frozen=True, slots=True)
class LayerFacts:
    """One layer's account.

    Attributes
    ----------
    name, label, source, origin : str
    read, kept, filtered, duplicate, set_aside : int
        ``read`` is the sum of the others.
    quarantined, filtered_by : mapping of str to int
        By reason, in words.
    latest : date or None
        Day of the latest row that was known; None where the layer has no dates.
    quiet : str or None
        Why the source seems to have gone quiet.
    assumed : str or None
        Why its history is only assumed.
    located : tuple of (int, float)
        Years with at least 50 rows of which fewer than 85 % have a usable place, with that share.
    """

    name: str
    label: str
    source: str
    origin: str
    read: int
    kept: int
    filtered: int
    duplicate: int
    set_aside: int
    quarantined: Mapping[str, int]
    filtered_by: Mapping[str, int]
    latest: date | None
    quiet: str | None
    assumed: str | None
    located: tuple[tuple[int, float], ...]


def layers_of(content: ReleaseContent) -> tuple[LayerFacts, ...]:
    """The account of every layer, in the order of the configuration."""
    return tuple(_facts(content, name, result) for name, result in content.layers.items())


def _facts(content: ReleaseContent, name: str, result: LayerResult) -> LayerFacts:
    counts, layer = result.counts, result.layer
    latest, quiet = _recency(layer, content.as_of)
    if any(finding.layer == name and finding.kind == "quiet" for finding in content.health):
        quiet = None  # told among the doubts of the night already
    return LayerFacts(
        name=name,
        label=content.name_of(name),
        source=content.layer_sources.get(name, ""),
        origin=layer.origin,
        read=counts.read,
        kept=counts.kept,
        filtered=counts.filtered,
        duplicate=counts.duplicate,
        set_aside=counts.set_aside,
        quarantined=_in_words(counts.quarantined),
        filtered_by=_in_words(counts.filtered_by),
        latest=latest,
        quiet=quiet,
        assumed=(layer.history_reason or "no reason given") if layer.history == "assumed" else None,
        located=_located(result.notes),
    )


def _in_words(reasons: Mapping[str, int]) -> dict[str, int]:
    return {REASONS.get(reason, reason.replace("_", " ")): number for reason, number in reasons.items()}


def _recency(layer: Layer, as_of: date) -> tuple[date | None, str | None]:
    """Day of the latest known row, and whether fewer rows came lately than is usual."""
    if layer.kind == "areas" or not len(layer) or np.isnat(layer.time).all():
        return None, None
    known = rows_known(layer, as_of) & ~np.isnat(layer.time)
    days = layer.time[known].astype("datetime64[D]")
    if not days.size:
        return None, f"no dated row was known at {day(as_of)}"
    latest: date = days.max().item()
    if layer.kind == "sites":
        return latest, None  # registers change when they change
    recent = int(np.count_nonzero(days >= np.datetime64(as_of - timedelta(days=_RECENT_DAYS))))
    year = int(np.count_nonzero(days >= np.datetime64(as_of - timedelta(days=365 + _RECENT_DAYS)))) - recent
    usual = year * _RECENT_DAYS / 365
    if usual >= _LEAST_USUAL and recent < _QUIET_SHARE * usual:
        return latest, (
            f"{plural(recent, 'row')} in the last {_RECENT_DAYS} days, where {count(usual)} are usual; "
            f"the latest is of {day(latest)}"
        )
    return latest, None


def _located(notes: Mapping[str, object]) -> tuple[tuple[int, float], ...]:
    """Years whose located share is worth a warning, as the layer's notes have them."""
    shares = notes.get("located_share")
    if not isinstance(shares, Mapping):
        return ()
    found = []
    for year, facts in shares.items():
        if not isinstance(facts, Mapping) or facts.get("verdict") == "ok" or int(facts.get("rows", 0)) < _LEAST_ROWS:
            continue
        found.append((int(year), float(facts["share"])))
    return tuple(sorted(found))
