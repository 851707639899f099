"""What is different from an earlier release, read from that release's own files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import PublishError
from rtm_pipeline.publication.comparison import read_surface
from rtm_pipeline.publication.content import FORECAST, PUBLIC, RESTRICTED, RISK_TERRAIN, ReleaseContent
from rtm_pipeline.surface.tiers import tiers_of

__all__ = ["Change", "TierMoves", "change_since"]

TOP_TIER = 2
"""Cells of tier 1 or 2 are the top 5 %."""


@dataclass(frozen=True, slots=True)
class TierMoves:
    """Cells that rose into the top 5 % of a surface, that fell out of it, and that stayed.

    ``correlation`` is the rank correlation of the two surfaces over the cells that both have; None without variation.
    """

    entered: int
    left: int
    stayed: int
    correlation: float | None


@dataclass(frozen=True, slots=True)
class Change:
    """Tonight against one earlier release.

    Attributes
    ----------
    run_id : str
    as_of : date
    same_inputs : bool
        Whether all sources had the same content then.
    terms : tuple of (str, float or None, float or None)
        Terms of the model of either night: variable, RRV then, RRV now; None where it was not in the model.
    verdict : tuple of str
        Then and now; empty where not known.
    rows : tuple of (str, int, int)
        Layers with another number of rows that were kept: then and now.
    risk_terrain, forecast : TierMoves or None
        None where the earlier release has no such surface on tonight's cells.
    """

    run_id: str
    as_of: date
    same_inputs: bool
    terms: tuple[tuple[str, float | None, float | None], ...]
    verdict: tuple[str, str]
    rows: tuple[tuple[str, int, int], ...]
    risk_terrain: TierMoves | None
    forecast: TierMoves | None


def change_since(folder: Path, content: ReleaseContent) -> Change:
    """Compare tonight with a complete release.

    Parameters
    ----------
    folder : Path
        The earlier release.
    content : ReleaseContent
        Tonight.

    Raises
    ------
    PublishError
        The earlier release can't be read.
    """
    manifest, model, ingest = (_read(folder / name) for name in ("manifest.json", "model.json", "ingest.json"))
    accuracy = _read(folder / "accuracy.json") if (folder / "accuracy.json").is_file() else {}
    sources = {name: item.get("digest") for name, item in ingest.get("sources", {}).items()}
    return Change(
        run_id=str(manifest["run_id"]),
        as_of=date.fromisoformat(str(manifest["as_of"])),
        same_inputs=sources == {name: snapshot.digest for name, snapshot in content.snapshots.items()},
        terms=_terms(model, content),
        verdict=(str(accuracy.get("verdict", "")), str((content.accuracy or {}).get("verdict", ""))),
        rows=_rows(ingest, content),
        risk_terrain=_moves(folder / PUBLIC / f"{RISK_TERRAIN}.tif", content, content.terrain.rrs),
        forecast=None
        if content.forecast is None
        else _moves(folder / RESTRICTED / f"{FORECAST}.tif", content, content.forecast.expected),
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise PublishError(f"The earlier release in {path.parent} can't be compared with: {error}.") from None


def _terms(model: dict[str, Any], content: ReleaseContent) -> tuple[tuple[str, float | None, float | None], ...]:
    before = {str(term["variable"]): float(term["rrv"]) for term in model.get("terms", ())}
    now = {term.variable.name: term.rrv for term in content.terrain.fit.terrain.terms}
    return tuple((name, before.get(name), now.get(name)) for name in sorted({*before, *now}))


def _rows(ingest: dict[str, Any], content: ReleaseContent) -> tuple[tuple[str, int, int], ...]:
    before = {name: int(item["kept"]) for name, item in ingest.get("layers", {}).items()}
    now = {name: result.counts.kept for name, result in content.layers.items()}
    return tuple((name, before[name], now[name]) for name in now if name in before and before[name] != now[name])


def _moves(path: Path, content: ReleaseContent, values: NDArray[np.float64]) -> TierMoves | None:
    if not path.is_file():
        return None
    earlier = read_surface(path, content.grid)
    if earlier is None:
        return None
    both = np.isfinite(earlier) & np.isfinite(values)
    if not both.any():
        return None
    then, now = (tiers_of(np.where(both, surface, np.nan)) for surface in (earlier, values))
    top_then, top_now = (both & (tier > 0) & (tier <= TOP_TIER) for tier in (then, now))
    return TierMoves(
        entered=int(np.count_nonzero(top_now & ~top_then)),
        left=int(np.count_nonzero(top_then & ~top_now)),
        stayed=int(np.count_nonzero(top_now & top_then)),
        correlation=_rank_correlation(earlier[both], values[both]),
    )


def _rank_correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float | None:
    """Spearman's, ties at their mean rank; None where a surface does not vary."""
    from scipy.stats import rankdata

    first, second = rankdata(one), rankdata(other)
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    return float(np.corrcoef(first, second)[0, 1])
