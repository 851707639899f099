"""How cells differ from what their surroundings and factors say: gamma mixtures, and what the past of a cell tells.

Given its prior mean ``mu`` (expected incidents in the observed past), the true mean of a cell is ``mu * g`` where
``g`` has mean 1 and is gamma distributed, or a mixture of two gammas: most cells are *ordinary*, a few are *hot
spots*. Counts are Poisson, so the posterior is gamma (or a mixture of gammas) again. The shape of component j is
``c_j * (mu / mean(mu)) ** power``: with power 1 a cell is as variable as the sum of its addresses, with power 0 all
cells vary by the same factor.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ModelError

__all__ = ["CellPosterior", "CellPrior"]

_LOG_SHAPE_LIMIT = 13.0
_TINY = 1e-200


@dataclass(frozen=True, slots=True)
class CellPrior:
    """Spread of the cells around their prior means.

    Attributes
    ----------
    log_shape : tuple of float
        Log shape of each component (one or two) for a cell of average prior mean.
    power : float
        How the shape grows with the prior mean.
    credence : float
        What a past incident is worth for the rate to come: 1 while rates stand still, less where they drift.
    hot_log_odds : float
        Log odds of being a hot spot; unused with one component.
    hot_log_ratio : float
        Log of the mean of hot spots over the mean of ordinary cells with the same prior mean.
    """

    log_shape: tuple[float, ...]
    power: float
    credence: float = 1.0
    hot_log_odds: float = -np.inf
    hot_log_ratio: float = 0.0

    @property
    def components(self) -> int:
        """1 or 2."""
        return len(self.log_shape)

    @property
    def weights(self) -> NDArray[np.float64]:
        """Prior share of each component."""
        if self.components == 1:
            return np.ones(1)
        hot = 1.0 / (1.0 + np.exp(-self.hot_log_odds))
        return np.array([1.0 - hot, hot])

    @property
    def means(self) -> NDArray[np.float64]:
        """Mean of ``g`` in each component; their weighted mean is 1."""
        if self.components == 1:
            return np.ones(1)
        ratio = np.exp(self.hot_log_ratio)
        ordinary = 1.0 / float(self.weights @ np.array([1.0, ratio]))
        return np.array([ordinary, ordinary * ratio])

    def shapes(self, relative: NDArray[np.float64]) -> NDArray[np.float64]:
        """Shape of each component, shape (components, n), at prior means ``relative`` to the average cell's."""
        log_relative = np.log(relative)
        logs = np.asarray(self.log_shape)[:, None] + self.power * log_relative[None, :]
        return np.asarray(np.exp(np.clip(logs, -_LOG_SHAPE_LIMIT, _LOG_SHAPE_LIMIT)))

    def posterior(self, prior_mean: NDArray[np.float64], counts: NDArray[np.float64], average: float) -> CellPosterior:
        """Update every cell by its own past.

        Parameters
        ----------
        prior_mean : ndarray of float64, shape (n,)
            Expected (decayed) incidents of each cell in the past; positive.
        counts : ndarray of float64, shape (n,)
            (Decayed) incidents that were observed; zero before any history.
        average : float
            Mean of ``prior_mean`` over the study area.

        Returns
        -------
        CellPosterior
            Of the mean of each cell, in the unit of ``prior_mean``.
        """
        from scipy import special

        if not bool(np.all(prior_mean > 0)):
            raise ModelError("Prior means must be positive in every cell; found zero, negative or missing values.")
        shapes = self.shapes(prior_mean / average)
        rates = shapes / (prior_mean[None, :] * self.means[:, None])
        post_shapes, post_rates = shapes + self.credence * counts[None, :], rates + self.credence
        if self.components == 1:
            weights = np.ones_like(shapes)
        else:
            log_weights = np.log(self.weights)[:, None] + shapes * np.log(rates) - post_shapes * np.log(post_rates)
            seen = np.flatnonzero(counts > 0)
            log_weights[:, seen] += special.gammaln(post_shapes[:, seen]) - special.gammaln(shapes[:, seen])
            weights = _shares(log_weights)
        return CellPosterior(weights, post_shapes, post_rates)


def _shares(logs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Normalized exponentials of two rows."""
    second = 1.0 / (1.0 + np.exp(np.clip(logs[0] - logs[1], -700.0, 700.0)))
    return np.asarray(np.stack([1.0 - second, second]))


@dataclass(frozen=True, slots=True, eq=False)
class CellPosterior:
    """Mixture of gammas for the mean of every cell.

    Attributes
    ----------
    weights, shapes, rates : ndarray of float64, shape (components, n)
        Gamma component j of cell i has mean ``shapes[j, i] / rates[j, i]``.
    """

    weights: NDArray[np.float64]
    shapes: NDArray[np.float64]
    rates: NDArray[np.float64]

    def mean(self) -> NDArray[np.float64]:
        """Posterior means, shape (n,)."""
        return np.asarray((self.weights * self.shapes / self.rates).sum(axis=0))

    def sd(self) -> NDArray[np.float64]:
        """Posterior standard deviations, shape (n,)."""
        means = self.shapes / self.rates
        second = (self.weights * means**2 * (1.0 + 1.0 / self.shapes)).sum(axis=0)
        return np.asarray(np.sqrt(np.maximum(second - self.mean() ** 2, 0.0)))

    def quantile(self, probability: float) -> NDArray[np.float64]:
        """Posterior quantiles, shape (n,), to about 1e-7 relative."""
        from scipy import special

        parts = special.gammaincinv(self.shapes, probability) / self.rates
        low, high = parts.min(axis=0), parts.max(axis=0)
        result: NDArray[np.float64] = high.copy()
        todo = np.flatnonzero(high > np.maximum(low * (1 + 1e-9), _TINY))
        if todo.size:
            part = CellPosterior(self.weights[:, todo], self.shapes[:, todo], self.rates[:, todo])
            result[todo] = part._between(np.maximum(low[todo], _TINY), high[todo], probability)
        return result

    def _between(self, low: NDArray[np.float64], high: NDArray[np.float64], probability: float) -> NDArray[np.float64]:
        """Quantiles in brackets, by Newton steps on the log scale that fall back to halving it."""
        from scipy import special

        constant = self.shapes * np.log(self.rates) - special.gammaln(self.shapes)
        left, right = np.log(low), np.log(high)
        at = 0.5 * (left + right)
        for _ in range(60):
            x = np.exp(at)
            gap = (self.weights * special.gammainc(self.shapes, self.rates * x)).sum(axis=0) - probability
            slope = (self.weights * np.exp(constant + self.shapes * at - self.rates * x)).sum(axis=0)
            left, right = np.where(gap < 0, at, left), np.where(gap < 0, right, at)
            with np.errstate(divide="ignore", invalid="ignore"):
                step = at - gap / slope
            good = (step > left) & (step < right)
            new = np.where(good, step, 0.5 * (left + right))
            done = bool(np.all(np.abs(new - at) < 1e-8))
            at = new
            if done:
                break
        found: NDArray[np.float64] = np.exp(at)
        return found

    def survival(self, threshold: float) -> NDArray[np.float64]:
        """Probability that the mean of each cell exceeds ``threshold``, shape (n,)."""
        from scipy import special

        return np.asarray((self.weights * special.gammaincc(self.shapes, self.rates * threshold)).sum(axis=0))

    def draw(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """One draw of the mean of each cell, shape (n,)."""
        n = self.weights.shape[1]
        if self.weights.shape[0] == 1:
            return np.asarray(rng.standard_gamma(self.shapes[0]) / self.rates[0])
        hot = rng.random(n) < self.weights[1]
        shapes = np.where(hot, self.shapes[1], self.shapes[0])
        return np.asarray(rng.standard_gamma(shapes) / np.where(hot, self.rates[1], self.rates[0]))
