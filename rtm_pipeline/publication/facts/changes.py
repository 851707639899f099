"""What is different from an earlier release, read from that release's own files."""

from __future__ import annotations

import io
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import PublishError
from rtm_pipeline.publication.change import Change, RankMoves, TierMoves
from rtm_pipeline.publication.content import FORECAST, PUBLIC, RESTRICTED, RISK_TERRAIN, ReleaseContent
from rtm_pipeline.publication.facts.narrative import term_words
from rtm_pipeline.publication.facts.words import length_words
from rtm_pipeline.publication.release.earlier import read_surface
from rtm_pipeline.publication.release.files import release_facts
from rtm_pipeline.surface.tiers import tiers_of

__all__ = ["change_since", "rank_correlation"]

TOP_TIER = 2
"""Cells of tier 1 or 2 are the top 5 %."""
RANKED = ("priority_lots", "priority_buildings")
FIRST = 25
"""So many sites at the head of a list are compared."""


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
        new_sources=tuple(name for name, snapshot in content.snapshots.items() if sources.get(name) != snapshot.digest),
        terms=_terms(model, content),
        verdict=(str(accuracy.get("verdict", "")), str((content.accuracy or {}).get("verdict", ""))),
        rows=_rows(ingest, content),
        ranks=tuple(moves for name in RANKED if (moves := _ranks(folder, name, content)) is not None),
        risk_terrain=_moves(folder / PUBLIC / f"{RISK_TERRAIN}.tif", content, content.terrain.rrs),
        forecast=None
        if content.forecast is None
        else _moves(folder / RESTRICTED / f"{FORECAST}.tif", content, content.forecast.expected),
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        found = release_facts(path.parent, path.name)
    except PublishError as error:
        raise PublishError(f"The earlier release in {path.parent} can't be compared with. {error}") from None
    if found is None:
        raise PublishError(f"The earlier release in {path.parent} can't be compared with: it has no {path.name}.")
    return found


def _terms(model: dict[str, Any], content: ReleaseContent) -> tuple[tuple[str, float | None, float | None], ...]:
    unit_m = content.grid.spec.unit_m
    words = {str(term["variable"]): _words(term, content, unit_m) for term in model.get("terms", ())}
    before = {str(term["variable"]): float(term["rrv"]) for term in model.get("terms", ())}
    terms = content.terrain.fit.terrain.terms
    now = {term.variable.name: term.rrv for term in terms}
    words |= {
        term.variable.name: term_words(
            content.name_of(term.variable.factor),
            term.variable.operationalization,
            length_words(term.variable.spatial_influence_m, term.variable.spatial_influence_u, unit_m),
        )
        for term in terms
    }
    return tuple((words[name], before.get(name), now.get(name)) for name in sorted({*before, *now}))


def _words(term: dict[str, Any], content: ReleaseContent, unit_m: float) -> str:
    length_m = term.get("spatial_influence_m")
    influence = length_words(length_m, None if length_m is None else length_m / unit_m, unit_m)
    return term_words(content.name_of(str(term.get("factor", ""))), term.get("operationalization"), influence)


def _rows(ingest: dict[str, Any], content: ReleaseContent) -> tuple[tuple[str, int, int], ...]:
    before = {name: int(item["kept"]) for name, item in ingest.get("layers", {}).items()}
    now = {name: result.counts.kept for name, result in content.layers.items()}
    return tuple(
        (content.name_of(name), before[name], now[name]) for name in now if name in before and before[name] != now[name]
    )


def _ranks(folder: Path, name: str, content: ReleaseContent) -> RankMoves | None:
    """What moved in a list of sites; None where either release has none."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table, path = content.tables.get(name), folder / RESTRICTED / f"{name}.parquet"
    if table is None or table.num_rows == 0 or not path.is_file():
        return None
    try:
        earlier = pq.read_table(io.BytesIO(path.read_bytes()), columns=["site_id", "rank", "funded"])
    except (OSError, pa.ArrowInvalid) as error:
        raise PublishError(f"The earlier release's {path} can't be compared with: {error}.") from None
    first_then, funded_then = _head(earlier)
    first_now, funded_now = _head(table)
    came = tuple(site for site in first_now if site not in set(first_then))
    return RankMoves(name, len(first_now), came, len(funded_now - funded_then), len(funded_then - funded_now))


def _head(table: Any) -> tuple[list[str], set[str]]:
    """Ids of the first sites by rank, and of all funded ones."""
    import pyarrow.compute as pc

    first = table.filter(pc.less_equal(table.column("rank"), FIRST)).sort_by("rank")
    funded = table.filter(table.column("funded"))
    return [str(site) for site in first.column("site_id").to_pylist()], set(
        map(str, funded.column("site_id").to_pylist())
    )


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
        correlation=rank_correlation(earlier[both], values[both]),
    )


def rank_correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float | None:
    """Spearman's, ties at their mean rank; None where a surface does not vary."""
    from scipy.stats import rankdata

    first, second = rankdata(one), rankdata(other)
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    return float(np.corrcoef(first, second)[0, 1])
