"""What a click on a place tells of its cell: values of the study cells, packed for the page's script.

Numbers are those of the rasters (float32), not samples of a picture.
"""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.publication.content import FORECAST, RISK_TERRAIN, ReleaseContent
from rtm_pipeline.publication.facts.narrative import term_columns
from rtm_pipeline.publication.facts.night import Facts
from rtm_pipeline.publication.markup import plain
from rtm_pipeline.publication.webmap.overlay import Frame, locate_cells
from rtm_pipeline.surface.names import PART_LABELS
from rtm_pipeline.surface.tiers import TIERS

__all__ = ["cell_values"]

_MOST_CELLS = 150_000
"""Above it single cells are left to the rasters: the page would grow past what a phone opens."""
_STEP = 0.02  # of the natural logarithm: a multiplier is told to 1 %
_MOST_TERMS = 24


def cell_values(content: ReleaseContent, facts: Facts, frame: Frame) -> dict[str, Any] | None:
    """Score and tier of each cell; in the restricted edition also the forecast and what makes up both."""
    grid = content.grid
    if grid.n_cells > _MOST_CELLS or RISK_TERRAIN not in content.tiers:
        return None
    locator = locate_cells(grid.spec, frame)
    found: dict[str, Any] = {
        "columns": grid.spec.n_cols,
        "rows": grid.spec.n_rows,
        "runs": _runs(grid.flat),
        "center": list(locator.center),
        "half": list(locator.half),
        "column": list(locator.column),
        "row": list(locator.row),
        "size": facts.cell,
        "tiers": [tier.label for tier in TIERS],
        "score": _floats(content.terrain.rrs),
        "scoreTier": _digits(content.tiers[RISK_TERRAIN]),
    }
    if facts.public:
        return found
    found |= _terms(content, facts)
    if content.forecast is not None:
        found |= _forecast(content, facts)
    return found


def _terms(content: ReleaseContent, facts: Facts) -> dict[str, Any]:
    terms = facts.model.terms[:_MOST_TERMS]
    bits = term_columns(content, terms).astype(np.uint32) @ (1 << np.arange(len(terms), dtype=np.uint32))
    return {
        "terms": [{"where": plain(term.where), "rrv": round(term.rrv, 2)} for term in terms],
        "termBits": _packed(np.asarray(bits, "<u4")),
    }


def _forecast(content: ReleaseContent, facts: Facts) -> dict[str, Any]:
    forecast = content.forecast
    if forecast is None:
        return {}
    parts = [at for at, name in enumerate(forecast.contribution_names) if name != "background"]
    logs = np.log(np.maximum(forecast.contributions[:, parts], 1e-9)) / _STEP
    tier = content.tiers.get(FORECAST)
    names = [forecast.contribution_names[at] for at in parts]
    return {
        "expected": _floats(forecast.expected),
        "low": _floats(forecast.low),
        "high": _floats(forecast.high),
        "pTop5": _floats(forecast.p_top5),
        "forecastTier": None if tier is None else _digits(tier),
        "horizon": facts.horizon,
        "unit": facts.unit,
        "parts": [plain(PART_LABELS.get(name, content.name_of(name))) for name in names],
        "partStep": _STEP,
        "partLogs": _packed(np.rint(logs).clip(-127, 127).astype(np.int8)),
    }


def _runs(flat: NDArray[np.int32]) -> list[int]:
    """Study cells in the raster as (gap before, length) pairs."""
    if not flat.size:
        return []
    first = np.flatnonzero(np.diff(flat, prepend=flat[0] - 2) != 1)
    start = flat[first].astype(np.int64)
    length = np.diff(np.append(first, flat.size))
    gap = np.diff(start, prepend=0) - np.concatenate(([0], length[:-1]))
    return np.stack([gap, length], axis=1).ravel().tolist()


def _digits(tiers: NDArray[np.uint8]) -> str:
    return (tiers + ord("0")).astype(np.uint8).tobytes().decode("ascii")


def _floats(values: NDArray[np.floating]) -> str:
    return _packed(np.asarray(values, "<f4"))


def _packed(values: NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()
