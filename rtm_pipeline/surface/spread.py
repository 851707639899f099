"""Ranks from the posteriors of all cells, at a cost that does not grow with the number of empty cells.

Cells without any past incident have a posterior that depends on their prior mean alone. They are nine in ten, so what
is costly is computed on a ladder of prior means and interpolated for them, and exactly for the others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.surface.heterogeneity import CellPosterior, CellPrior

__all__ = ["Spread"]

_RUNGS = 1024
_DRAWN_NUMBERS = 3_000_000
_DRAWS = (16, 400)
_THRESHOLDS = 9
_FEW_CELLS = 2000


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """Posteriors of all cells, split into those with a past and those without.

    Attributes
    ----------
    everyone : CellPosterior
        All n cells.
    seen : ndarray of int, shape (s,)
        Cells with incidents in the past.
    exact : CellPosterior
        Of these cells.
    empty : ndarray of int, shape (n - s,)
        Cells without.
    position : ndarray of float64, shape (n - s,)
        Log prior means of the empty cells.
    rungs : ndarray of float64
        Log prior means at which ``ladder`` was computed.
    ladder : CellPosterior
        Of empty cells with these prior means.
    """

    everyone: CellPosterior
    seen: NDArray[np.intp]
    exact: CellPosterior
    empty: NDArray[np.intp]
    position: NDArray[np.float64]
    rungs: NDArray[np.float64]
    ladder: CellPosterior

    @classmethod
    def of(
        cls,
        prior: CellPrior,
        prior_mean: NDArray[np.float64],
        counts: NDArray[np.float64],
        average: float,
        posterior: CellPosterior,
    ) -> Spread:
        """Prepare the posteriors of `CellPrior.posterior`, with the same arguments."""
        has_past = counts > 0
        seen, empty = np.flatnonzero(has_past), np.flatnonzero(~has_past)
        position = np.log(prior_mean[empty])
        low, high = (float(position.min()), float(position.max())) if empty.size else (0.0, 0.0)
        rungs = np.linspace(low, max(high, low + 1e-9), _RUNGS)
        ladder = prior.posterior(np.exp(rungs), np.zeros(_RUNGS), average)
        exact = CellPosterior(posterior.weights[:, seen], posterior.shapes[:, seen], posterior.rates[:, seen])
        return cls(posterior, seen, exact, empty, position, rungs, ladder)

    def survival(self, threshold: float) -> NDArray[np.float64]:
        """Probability that the mean exceeds ``threshold``, shape (n,)."""
        result = np.empty(self.everyone.weights.shape[1])
        if self.seen.size:
            result[self.seen] = self.exact.survival(threshold)
        if self.empty.size:
            result[self.empty] = np.interp(self.position, self.rungs, self.ladder.survival(threshold))
        return result

    def top_probability(self, share: float, seed: int) -> NDArray[np.float64]:
        """Probability that a cell's mean is among the highest ``share`` of all cells, shape (n,).

        Joint draws of all cells give the value that divides the top from the rest. On small grids a cell's own draw is
        compared with it. On large ones the value hardly moves with a single cell, so the exact chance to exceed it is
        averaged over its distribution, which leaves no noise of the draws on the map.
        """
        n = self.everyone.weights.shape[1]
        top = max(1, round(share * n))
        if top >= n:
            return np.ones(n)
        rng = np.random.default_rng(seed)
        draws = int(np.clip(_DRAWN_NUMBERS // n, *_DRAWS))
        small = n <= _FEW_CELLS
        thresholds = np.empty(draws)
        hits = np.zeros(n)
        for index in range(draws):
            values = self.everyone.draw(rng)
            thresholds[index] = np.partition(values, n - top)[n - top]
            if small:
                hits += values >= thresholds[index]
        if small:
            return hits / draws
        middle = (np.arange(_THRESHOLDS) + 0.5) / _THRESHOLDS
        points = np.quantile(thresholds, middle)
        return np.asarray(np.mean([self.survival(float(point)) for point in points], axis=0))
