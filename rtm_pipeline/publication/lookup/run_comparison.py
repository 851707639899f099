"""Two releases side by side: settings, sources, model, accuracy, ranks. Reads both from their files only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.grid.spec import StudyGrid
from rtm_pipeline.publication.content import FORECAST, RISK_TERRAIN
from rtm_pipeline.publication.facts.changes import rank_correlation
from rtm_pipeline.publication.release.earlier import read_surface
from rtm_pipeline.publication.release.reading import ReleaseFolder

__all__ = ["RunComparison", "SurfaceChange", "compare_releases", "difference_of"]

SHARES = (0.01, 0.05, 0.10)
ACCURACY_SHARES = ("0.01", "0.05", "0.1")


@dataclass(frozen=True, slots=True)
class SurfaceChange:
    """How one surface differs, over the cells that both releases have.

    Attributes
    ----------
    surface : str
    cells, only_a, only_b : int
        Cells of both, and of one only.
    rank_correlation : float or None
        Spearman's; None where a surface does not vary.
    kept_of_top : mapping of str to float
        Share (``0.01``) -> how many of the highest cells of A are among as many highest of B, as a share.
    mean_change, largest_rise, largest_fall : float
        B minus A, in the unit of the surface.
    """

    surface: str
    cells: int
    only_a: int
    only_b: int
    rank_correlation: float | None
    kept_of_top: Mapping[str, float]
    mean_change: float
    largest_rise: float
    largest_fall: float


@dataclass(frozen=True, slots=True)
class RunComparison:
    """What differs between release A and release B.

    Attributes
    ----------
    a, b : mapping
        Run id, as-of date, city.
    settings : tuple of mapping
        ``{key, a, b}`` of every setting that differs.
    sources : tuple of mapping
        ``{source, same, rows_a, rows_b}``.
    model : mapping
        Family and BIC of both, and ``terms``: ``{variable, rrv_a, rrv_b}``, None where a model has it not.
    accuracy : mapping
        Verdicts and PAI at 1, 5 and 10 % of cells of both surfaces, and whether the two are comparable at all.
    surfaces : mapping of str to SurfaceChange or str
        The reason in words where a surface can't be compared.
    """

    a: Mapping[str, str]
    b: Mapping[str, str]
    settings: tuple[Mapping[str, Any], ...]
    sources: tuple[Mapping[str, Any], ...]
    model: Mapping[str, Any]
    accuracy: Mapping[str, Any]
    surfaces: Mapping[str, SurfaceChange | str]

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def compare_releases(a: ReleaseFolder, b: ReleaseFolder) -> RunComparison:
    """What differs from release A to release B.

    Raises
    ------
    PublishError
        A file of either can't be read.
    """
    one, other = a.facts("manifest.json"), b.facts("manifest.json")
    keys = ("run_id", "as_of", "city")
    return RunComparison(
        a={key: str(one[key]) for key in keys},
        b={key: str(other[key]) for key in keys},
        settings=tuple(_settings(one.get("settings", {}), other.get("settings", {}))),
        sources=tuple(_sources(a.facts("ingest.json"), b.facts("ingest.json"))),
        model=_model(a.facts("model.json"), b.facts("model.json")),
        accuracy=_accuracy(a.facts("accuracy.json"), b.facts("accuracy.json")),
        surfaces={name: _surface(a, b, name) for name in (RISK_TERRAIN, FORECAST)},
    )


def difference_of(a: ReleaseFolder, b: ReleaseFolder, surface: str) -> tuple[StudyGrid, NDArray[np.float64]] | None:
    """B minus A of a surface on the cells of B, NaN where A has none; None if it can't be compared."""
    path_a, path_b = a.raster(surface), b.raster(surface)
    if path_a is None or path_b is None:
        return None
    grid = b.grid()
    before, after = read_surface(path_a, grid), read_surface(path_b, grid)
    return None if before is None or after is None else (grid, after - before)


def _settings(a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    flat_a, flat_b = dict(_flat(a, "")), dict(_flat(b, ""))
    for key in sorted({*flat_a, *flat_b}):
        if flat_a.get(key) != flat_b.get(key):
            yield {"key": key, "a": flat_a.get(key), "b": flat_b.get(key)}


def _flat(value: Any, where: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flat(item, f"{where}.{key}" if where else str(key))
    else:
        yield where, value


def _sources(a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    one, other = a.get("sources", {}), b.get("sources", {})
    for name in sorted({*one, *other}):
        first, second = one.get(name, {}), other.get(name, {})
        same = bool(first) and first.get("digest") == second.get("digest")
        yield {"source": name, "same": same, "rows_a": first.get("read"), "rows_b": second.get("read")}


def _model(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, Any]:
    rrv = [{str(term["variable"]): float(term["rrv"]) for term in model.get("terms", ())} for model in (a, b)]
    names = [*rrv[0], *(name for name in rrv[1] if name not in rrv[0])]
    facts: dict[str, Any] = {
        f"{key}_{side}": model.get(key)
        for key in ("family", "bic", "n_cells", "n_events")
        for side, model in (("a", a), ("b", b))
    }
    facts["terms"] = [{"variable": n, "rrv_a": rrv[0].get(n), "rrv_b": rrv[1].get(n)} for n in names]
    return facts


def _accuracy(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, Any]:
    reasons = []
    if not a or not b:
        reasons.append("one of them was not judged")
    if a.get("horizon") != b.get("horizon"):
        reasons.append("they were judged on other periods")
    if a.get("n_cells") != b.get("n_cells"):
        reasons.append("their grids differ: compare PEI, not PAI")
    facts: dict[str, Any] = {"comparable": not reasons, "reason": "; ".join(reasons) or None, "pai": []}
    for side, accuracy in (("a", a), ("b", b)):
        facts[f"verdict_{side}"] = accuracy.get("verdict")
        facts[f"judged_on_{side}"] = accuracy.get("horizon")
    for surface in (RISK_TERRAIN, FORECAST):
        for share in ACCURACY_SHARES:
            pair = [_pai(accuracy, surface, share) for accuracy in (a, b)]
            facts["pai"].append({"surface": surface, "share": share, "a": pair[0], "b": pair[1]})
    return facts


def _pai(accuracy: Mapping[str, Any], surface: str, share: str) -> float | None:
    found = (accuracy.get("surfaces") or {}).get(surface) or {}
    pai = (found.get("pai") or {}).get(share)
    return float(pai["expected"]) if pai else None


def _surface(a: ReleaseFolder, b: ReleaseFolder, name: str) -> SurfaceChange | str:
    path_a, path_b = a.raster(name), b.raster(name)
    if path_a is None or path_b is None:
        return "one of the releases has no such surface"
    grid = b.grid()
    before, after = read_surface(path_a, grid), read_surface(path_b, grid)
    if before is None or after is None:
        return "their cells differ (another cell size, CRS or anchor), so no cell can be compared"
    both = np.isfinite(before) & np.isfinite(after)
    if not both.any():
        return "no cell has a value in both"
    one, other = before[both], after[both]
    change = other - one
    return SurfaceChange(
        surface=name,
        cells=int(both.sum()),
        only_a=a.grid().n_cells - int(both.sum()),
        only_b=grid.n_cells - int(both.sum()),
        rank_correlation=rank_correlation(one, other),
        kept_of_top={f"{share:g}": _kept(one, other, share) for share in SHARES},
        mean_change=float(change.mean()),
        largest_rise=float(max(change.max(), 0.0)),
        largest_fall=float(min(change.min(), 0.0)),
    )


def _kept(a: NDArray[np.float64], b: NDArray[np.float64], share: float) -> float:
    """Share of the highest cells of A that are among the highest of B; ties are broken by place, alike in both."""
    number = max(1, round(share * a.size))
    top_a, top_b = (set(np.argsort(-values, kind="stable")[:number].tolist()) for values in (a, b))
    return len(top_a & top_b) / number
