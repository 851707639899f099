"""PAI, PEI, RRI and hit rate at shares of the study area, with what ties leave open.

Share f means the ``round(f * n)`` cells that rank highest, each counted once. Where cells tie across that line, any
order is as good as another, so every measure has a minimum, an expected value and a maximum over them. PAI compares
surfaces on one grid only; PEI divides it by what perfect foresight would reach.

References
----------
Chainey, Tompson & Uhlig 2008 (PAI); Hunt 2016 (PEI).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ModelError

__all__ = ["SHARES", "Bounds", "Ranking", "ShareMeasures", "SurfaceMeasures", "measure", "share_key"]

SHARES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2)


@dataclass(frozen=True, slots=True)
class Bounds:
    """A measure over all orders of tied cells."""

    minimum: float
    expected: float
    maximum: float

    def as_json(self) -> dict[str, float]:
        """``{"min", "expected", "max"}``."""
        return {"min": self.minimum, "expected": self.expected, "max": self.maximum}

    def scaled(self, factor: float) -> Bounds:
        """All three, times a positive factor."""
        return Bounds(self.minimum * factor, self.expected * factor, self.maximum * factor)


@dataclass(frozen=True, slots=True)
class ShareMeasures:
    """Measures at one share of the study area; a measure that can't be computed is None.

    Attributes
    ----------
    share : float
        As asked.
    cells : int
        ``round(share * n)``.
    hits : Bounds
        Incidents in these cells.
    hit_rate, pai, pai_area, pei : Bounds or None
        Share of incidents; over the share of cells; over the share of area; over PAI of perfect foresight.
    rri : Bounds or None
        Predicted over observed incidents in these cells, for surfaces in incidents of the horizon.
    """

    share: float
    cells: int
    hits: Bounds
    hit_rate: Bounds | None
    pai: Bounds | None
    pai_area: Bounds | None
    pei: Bounds | None
    rri: Bounds | None


@dataclass(frozen=True, slots=True)
class SurfaceMeasures:
    """All measures of one surface."""

    shares: tuple[ShareMeasures, ...]
    distinct_values: int

    def as_json(self) -> dict[str, object]:
        """The block of one surface in accuracy.json, keyed by measure, then by share."""
        block: dict[str, object] = {
            name: {
                share_key(at.share): None if value is None else value.as_json()
                for at in self.shares
                for value in (getattr(at, name),)
            }
            for name in ("pai", "pei", "rri", "hit_rate", "pai_area")
        }
        block["distinct_values"] = self.distinct_values
        return block


def share_key(share: float) -> str:
    """A share as it is spelled in accuracy.json, such as ``0.005``."""
    return f"{share:g}"


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """Cells from the highest score to the lowest.

    Attributes
    ----------
    order : ndarray of int, shape (n,)
    scores : ndarray of float64, shape (n,)
        Sorted, descending; cells without a score (NaN) come last, tied.
    """

    order: NDArray[np.intp]
    scores: NDArray[np.float64]

    @classmethod
    def of(cls, score: NDArray[np.floating]) -> Ranking:
        """Rank the cells of a surface, shape (n,)."""
        values = np.asarray(score, np.float64)
        values = np.where(np.isnan(values), -np.inf, values)
        order = np.argsort(-values, kind="stable")
        return cls(order, values[order])

    def tie_group(self, cells: int) -> tuple[int, int]:
        """First and one past the last position of the cells that tie with the last one of the top ``cells``."""
        value = self.scores[cells - 1]
        return (
            int(np.searchsorted(-self.scores, -value, side="left")),
            int(np.searchsorted(-self.scores, -value, side="right")),
        )

    def inclusion(self, cells: int) -> NDArray[np.float64]:
        """Chance of each cell to be among the top ``cells`` when ties are broken at random, shape (n,)."""
        chance = np.zeros(self.order.size)
        if cells > 0:
            first, last = self.tie_group(cells)
            chance[self.order[:first]] = 1.0
            chance[self.order[first:last]] = (cells - first) / (last - first)
        return chance

    @property
    def distinct_values(self) -> int:
        """Number of different scores."""
        return int(1 + np.count_nonzero(self.scores[1:] < self.scores[:-1]))


def top_cells(share: float, n: int) -> int:
    """Number of cells in a share: ``round(share * n)``."""
    return min(n, round(share * n))


def measure(
    observed: NDArray[np.integer] | NDArray[np.floating],
    score: NDArray[np.floating],
    *,
    exposure: NDArray[np.float64] | None = None,
    in_incidents: bool = False,
    shares: tuple[float, ...] = SHARES,
) -> SurfaceMeasures:
    """Measure how well a surface ranks cells.

    Parameters
    ----------
    observed : ndarray, shape (n,)
        Incidents of the outcome in each cell.
    score : ndarray, shape (n,)
        Higher is worse; NaN (unknown) ranks last.
    exposure : ndarray of float64, shape (n,), optional
        Share of each cell inside the study area; default 1.
    in_incidents : bool
        The score is in expected incidents of the horizon; only then is there an RRI.
    shares : tuple of float

    Raises
    ------
    ModelError
        If lengths differ, an observed count is negative, missing or infinite, an exposure is not positive, a score in
        incidents is negative, or a share is not in (0, 1].
    """
    y = np.asarray(observed, np.float64)
    _check(y, score, shares)
    area = np.ones(y.size) if exposure is None else np.asarray(exposure, np.float64)
    _check_exposure(area, y.size)
    if in_incidents and bool(np.any(np.asarray(score) < 0)):
        raise ModelError(
            f"A score in expected incidents can't be negative; found {float(np.nanmin(score)):g}. Leave --in-incidents "
            "out for a score that only ranks."
        )
    ranking = Ranking.of(score)
    best = np.concatenate([[0.0], np.cumsum(np.sort(y)[::-1])])
    table = _Table(y[ranking.order], area[ranking.order], ranking, best, in_incidents)
    return SurfaceMeasures(tuple(table.at(share) for share in shares), ranking.distinct_values)


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    observed: NDArray[np.float64]
    area: NDArray[np.float64]
    ranking: Ranking
    best: NDArray[np.float64]
    in_incidents: bool

    def at(self, share: float) -> ShareMeasures:
        n = self.observed.size
        cells = top_cells(share, n)
        events = float(self.best[-1])
        hits = self._hits(cells)
        if cells == 0 or events == 0:
            return ShareMeasures(share, cells, hits, None, None, None, None, None)
        hit_rate = hits.scaled(1.0 / events)
        perfect = float(self.best[cells])
        return ShareMeasures(
            share=share,
            cells=cells,
            hits=hits,
            hit_rate=hit_rate,
            pai=hit_rate.scaled(n / cells),
            pai_area=hit_rate.scaled(1.0 / self._area_share(cells)),
            pei=hits.scaled(1.0 / perfect),
            rri=self._rri(cells, hits),
        )

    def _hits(self, cells: int) -> Bounds:
        if cells == 0:
            return Bounds(0.0, 0.0, 0.0)
        first, last = self.ranking.tie_group(cells)
        sure = float(self.observed[:first].sum())
        tied = np.sort(self.observed[first:last])
        open_ = cells - first
        return Bounds(
            sure + float(tied[:open_].sum()),
            sure + float(tied.sum()) * open_ / tied.size,
            sure + float(tied[tied.size - open_ :].sum()),
        )

    def _area_share(self, cells: int) -> float:
        first, last = self.ranking.tie_group(cells)
        flagged = self.area[:first].sum() + self.area[first:last].sum() * (cells - first) / (last - first)
        return float(flagged / self.area.sum())

    def _rri(self, cells: int, hits: Bounds) -> Bounds | None:
        if not self.in_incidents or hits.minimum == 0 or not np.isfinite(self.ranking.scores[cells - 1]):
            return None
        predicted = float(self.ranking.scores[:cells].sum())
        return Bounds(predicted / hits.maximum, predicted / hits.expected, predicted / hits.minimum)


def _check(observed: NDArray[np.float64], score: NDArray[np.floating], shares: tuple[float, ...]) -> None:
    if observed.ndim != 1 or observed.shape != np.shape(score):
        raise ModelError(
            f"Observed counts and scores must be vectors of one length; found shapes {observed.shape} and "
            f"{np.shape(score)}."
        )
    if observed.size == 0:
        raise ModelError("There is no cell to judge a surface on.")
    if not bool(np.all(observed >= 0)):
        where = int(np.argmax(~(observed >= 0)))
        raise ModelError(f"Observed counts can't be negative or missing; found {observed[where]} in cell {where}.")
    with np.errstate(over="ignore"):
        total = float(observed.sum())
    if not np.isfinite(total):
        raise ModelError("Observed counts must have a finite sum; found infinite ones. Check the column's unit.")
    if not all(0 < share <= 1 for share in shares):
        raise ModelError(f"Shares of the study area must lie in (0, 1]; found {shares}.")


def _check_exposure(area: NDArray[np.float64], n: int) -> None:
    if area.shape != (n,):
        raise ModelError(f"There must be one exposure a cell: found shape {area.shape} for {n} counts.")
    wrong = np.flatnonzero(~(np.isfinite(area) & (area > 0)))
    if wrong.size:
        raise ModelError(
            f"The exposure of cell {int(wrong[0])} is not positive and finite: {float(area[wrong[0]]):g} "
            f"({wrong.size} such cells of {n}); drop cells that are wholly outside."
        )
