"""What 311 says: one row for every request category, for a city service meeting.

Alone: how much higher the rate of the outcome is near such requests, by distance band, against places beyond the last
band. Within the model: whether the category was selected beside all others. These are associations, not effects.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ModelError
from rtm_pipeline.surface.sums import block_sums

__all__ = ["BandRatio", "CategoryEvidence", "EvidenceInput", "evidence_311", "evidence_rows"]

_DRAWS = 1000
_LEVEL = 0.90


@dataclass(frozen=True, slots=True, eq=False)
class EvidenceInput:
    """What is known of one category.

    Attributes
    ----------
    category : str
    requests : int
        Requests (first reports) before the outcome window, within the lookback: those that ``distance_m`` speaks of.
    requests_latest, requests_before : int or None
        In the newest period of the same length, and in the one before it; None where the record does not reach.
    distance_m : ndarray of float, shape (n,)
        From each cell center to the nearest request, meters; NaN where unknown, infinite without any.
    selection_frequency : float or None
        Share of bootstrap replicates in which the category entered the model.
    rrv, rrv_low, rrv_high : float or None
        Within the model, if it was selected.
    reports_per_month : float or None
        Further reports of an incident already reported, per 30 days, where these requests are made.
    """

    category: str
    requests: int
    requests_latest: int | None
    requests_before: int | None
    distance_m: NDArray[np.floating]
    selection_frequency: float | None = None
    rrv: float | None = None
    rrv_low: float | None = None
    rrv_high: float | None = None
    reports_per_month: float | None = None


@dataclass(frozen=True, slots=True)
class BandRatio:
    """Rate of the outcome in a distance band over the rate beyond the last band; None where either is empty."""

    from_m: float
    to_m: float
    cells: int
    incidents: int
    rate_ratio: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class CategoryEvidence:
    """One category's row."""

    category: str
    requests: int
    requests_latest: int | None
    requests_before: int | None
    change: float | None
    bands: tuple[BandRatio, ...]
    selection_frequency: float | None
    rrv: float | None
    rrv_low: float | None
    rrv_high: float | None
    reports_per_month: float | None


def evidence_311(
    inputs: Sequence[EvidenceInput],
    observed: NDArray[np.integer],
    exposure: NDArray[np.float64],
    blocks: NDArray[np.integer],
    bands_m: tuple[float, ...],
    *,
    draws: int = _DRAWS,
    level: float = _LEVEL,
    seed: int = 0,
) -> tuple[CategoryEvidence, ...]:
    """Tabulate every category.

    Parameters
    ----------
    inputs : sequence of EvidenceInput
    observed : ndarray of int, shape (n,)
        Incidents of the outcome window.
    exposure : ndarray of float64, shape (n,)
    blocks : ndarray of int, shape (n,)
        Spatial blocks, drawn whole for the intervals; the same draws for all categories.
    bands_m : tuple of float
        Outer ends of the distance bands, ascending, meters.
    draws : int
    level : float
    seed : int

    Raises
    ------
    ModelError
        If bands do not ascend or lengths differ.
    """
    if not bands_m or any(b <= a for a, b in zip((0.0, *bands_m), bands_m, strict=False)):
        raise ModelError(f"Distance bands must be positive and ascend; found {bands_m}.")
    n_blocks = int(blocks.max()) + 1
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(n_blocks, np.full(n_blocks, 1.0 / n_blocks), size=draws).astype(np.float64)
    return tuple(_category(item, observed, exposure, blocks, bands_m, drawn, level) for item in inputs)


def _category(
    item: EvidenceInput,
    observed: NDArray[np.integer],
    exposure: NDArray[np.float64],
    blocks: NDArray[np.integer],
    bands_m: tuple[float, ...],
    drawn: NDArray[np.float64],
    level: float,
) -> CategoryEvidence:
    distance = np.asarray(item.distance_m, np.float64)
    if not distance.shape == observed.shape == exposure.shape == blocks.shape:
        raise ModelError(f"Category {item.category!r}: distances and counts must speak of the same cells.")
    known = ~np.isnan(distance)
    band = np.searchsorted(np.asarray(bands_m), distance[known], side="left")  # d <= end belongs to the band
    size = len(bands_m) + 1
    key = blocks[known].astype(np.int64) * size + band
    shape = (drawn.shape[1], size)
    events = np.bincount(key, weights=observed[known], minlength=shape[0] * size).reshape(shape).astype(np.float64)
    area = np.bincount(key, weights=exposure[known], minlength=shape[0] * size).reshape(shape).astype(np.float64)
    cells = np.bincount(band, minlength=size)
    point = _ratios(events.sum(axis=0), area.sum(axis=0))
    spread = _ratios(block_sums(drawn, events), block_sums(drawn, area))
    tail = (1.0 - level) / 2.0
    found = []
    for index, (start, end) in enumerate(zip((0.0, *bands_m), bands_m, strict=False)):
        value, some = float(point[index]), spread[:, index]
        some = some[np.isfinite(some)]
        good = np.isfinite(value)
        steady = good and some.size >= 0.99 * spread.shape[0]
        found.append(
            BandRatio(
                start,
                end,
                int(cells[index]),
                int(events[:, index].sum()),
                value if good else None,
                float(np.quantile(some, tail)) if steady else None,
                float(np.quantile(some, 1.0 - tail)) if steady else None,
            )
        )
    latest, before = item.requests_latest, item.requests_before
    return CategoryEvidence(
        category=item.category,
        requests=item.requests,
        requests_latest=latest,
        requests_before=before,
        change=latest / before - 1.0 if before and latest is not None else None,
        bands=tuple(found),
        selection_frequency=item.selection_frequency,
        rrv=item.rrv,
        rrv_low=item.rrv_low,
        rrv_high=item.rrv_high,
        reports_per_month=item.reports_per_month,
    )


def evidence_rows(evidence: Sequence[CategoryEvidence]) -> list[dict[str, object]]:
    """Plain rows, one a category, as evidence_311.csv has them; band columns carry their ends in meters."""
    rows = []
    for item in evidence:
        row: dict[str, object] = {
            "category": item.category,
            "requests": item.requests,
            "requests_latest": item.requests_latest,
            "requests_before": item.requests_before,
            "change": item.change,
        }
        for band in item.bands:
            name = f"{band.from_m:.0f}_{band.to_m:.0f}m"
            row |= {
                f"incidents_{name}": band.incidents,
                f"rate_ratio_{name}": band.rate_ratio,
                f"rate_ratio_low_{name}": band.low,
                f"rate_ratio_high_{name}": band.high,
            }
        row |= {
            "selection_frequency": item.selection_frequency,
            "rrv": item.rrv,
            "rrv_low": item.rrv_low,
            "rrv_high": item.rrv_high,
            "reports_per_month": item.reports_per_month,
        }
        rows.append(row)
    return rows


def _ratios(events: NDArray[np.float64], area: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rate of every band over the rate beyond the last."""
    with np.errstate(divide="ignore", invalid="ignore"):
        rates = events / area
        beyond = rates[..., -1:]
        return np.asarray(np.where(beyond > 0, rates / beyond, np.nan))
