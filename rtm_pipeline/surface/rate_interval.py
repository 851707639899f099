"""The interval of every cell's rate, at a cost that does not grow with the number of empty cells.

Cells without any past incident have a posterior that depends on two numbers alone: their prior mean and how far that
may be off. They are nine in ten, so their quantiles are computed on a lattice of the two and interpolated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.surface.heterogeneity import CellPrior
from rtm_pipeline.surface.mean_error import interval_posterior

__all__ = ["RateInterval"]

_MEANS, _ERRORS = 128, 64
_FLOOR = 1e-300
_Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class RateInterval:
    """What a quantile of every cell's mean depends on.

    Attributes
    ----------
    prior : CellPrior
        Spread of the cells around prior means that may be off.
    prior_mean, counts : ndarray of float64, shape (n,)
        Expected (decayed) incidents of the past, and those observed.
    average : float
        Mean of ``prior_mean`` over the study area.
    variance : ndarray of float64, shape (n,)
        Of the log prior mean.
    """

    prior: CellPrior
    prior_mean: NDArray[np.float64]
    counts: NDArray[np.float64]
    average: float
    variance: NDArray[np.float64]

    def quantiles(self, probabilities: tuple[float, ...]) -> NDArray[np.float64]:
        """Quantiles of the cells' means, shape (len(probabilities), n), in the unit of the prior mean."""
        found = np.empty((len(probabilities), self.prior_mean.size))
        empty = np.flatnonzero(self.counts == 0)
        few = empty.size <= _MEANS * _ERRORS
        exact = np.arange(self.prior_mean.size) if few else np.flatnonzero(self.counts > 0)
        if exact.size:
            found[:, exact] = self._exact(
                probabilities, self.prior_mean[exact], self.counts[exact], self.variance[exact]
            )
        if not few:
            found[:, empty] = self._interpolated(probabilities, empty)
        return found

    def _exact(self, probabilities: tuple[float, ...], mean: _Array, counts: _Array, variance: _Array) -> _Array:
        posterior = interval_posterior(self.prior, mean, counts, self.average, variance)
        return np.stack([posterior.quantile(probability) for probability in probabilities])

    def _interpolated(self, probabilities: tuple[float, ...], empty: NDArray[np.intp]) -> _Array:
        from scipy import interpolate

        log_mean, spread = np.log(self.prior_mean[empty]), np.sqrt(self.variance[empty])
        means, spreads = _rungs(log_mean, _MEANS), _rungs(spread, _ERRORS)
        at_mean, at_spread = np.meshgrid(means, spreads, indexing="ij")
        rung_values = self._exact(
            probabilities, np.exp(at_mean.ravel()), np.zeros(at_mean.size), np.square(at_spread.ravel())
        )
        logs = np.log(rung_values + _FLOOR).T.reshape(means.size, spreads.size, len(probabilities))
        lattice = interpolate.RegularGridInterpolator((means, spreads), logs)
        return np.asarray(np.exp(lattice(np.column_stack([log_mean, spread])))).T


def _rungs(values: _Array, count: int) -> _Array:
    low, high = float(values.min()), float(values.max())
    rungs = np.linspace(low, max(high, low + 1e-9), count)
    rungs[-1] = max(rungs[-1], high)
    return rungs
