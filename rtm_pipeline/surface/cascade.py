"""What the past around a cell says about it, from wide to narrow surroundings.

At each bandwidth the incidents around a cell (its own left out) are compared with what was expected there; the ratio,
shrunk to 1 by a strength in pseudo-incidents, multiplies the prior mean before the next, narrower, bandwidth looks.
With much history narrow surroundings speak, with little only wide ones do, and without any all ratios are 1. Both
sides of the ratio are summed over the same cells, so the edge of the study area biases neither.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.grid.spec import StudyGrid
from rtm_pipeline.surface.lattice import kernel_peak, smooth
from rtm_pipeline.surface.regression import poisson_deviance

__all__ = ["CascadeWindow", "around", "bandwidth_ladder", "cascade", "fit_strengths"]

_NARROWEST_M = 60.0
_NARROWEST_CELLS = 0.8
_WIDEST_M = 1000.0
_LOG_STRENGTH = (-2.5, 9.0)
_Array = NDArray[np.float64]


def bandwidth_ladder(grid: StudyGrid) -> tuple[float, ...]:
    """Standard deviations of the surroundings, in cells, from wide to narrow, each half of the one before.

    The narrowest is 60 m, or 0.8 of a cell where cells are large (a narrower kernel would see the cell alone); the
    widest does not pass 1,000 m, about the size of a neighborhood.
    """
    cell = grid.spec.cell_size_m
    narrow = max(_NARROWEST_M / cell, _NARROWEST_CELLS)
    steps = max(0, math.floor(math.log2(max(_WIDEST_M / cell, narrow) / narrow) + 1e-9))
    return tuple(narrow * 2.0**step for step in range(steps, -1, -1))


@dataclass(frozen=True, slots=True, eq=False)
class CascadeWindow:
    """One training window: what was expected before looking around, the past, and what came.

    Attributes
    ----------
    prior_mean, past, future : ndarray of float64, shape (n,)
    """

    prior_mean: NDArray[np.float64]
    past: NDArray[np.float64]
    future: NDArray[np.float64]


def cascade(
    grid: StudyGrid,
    prior_mean: NDArray[np.float64],
    past: NDArray[np.float64],
    ladder: tuple[float, ...],
    strengths: tuple[float, ...],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Multiply the prior mean by what the surroundings say.

    Parameters
    ----------
    grid : StudyGrid
    prior_mean : ndarray of float64, shape (n,)
        Expected incidents of the past, positive.
    past : ndarray of float64, shape (n,)
        (Decayed) incidents of the past.
    ladder : tuple of float
        Bandwidths in cells, wide to narrow.
    strengths : tuple of float
        Pseudo-incidents that hold the ratio at 1, one a bandwidth.

    Returns
    -------
    mean : ndarray of float64, shape (n,)
    log_ratios : ndarray of float64, shape (n, len(ladder))
        ``log(mean) == log(prior_mean) + log_ratios.sum(axis=1)``.
    """
    mean = prior_mean.copy()
    logs = np.empty((prior_mean.size, len(ladder)))
    for step, (sigma, strength) in enumerate(zip(ladder, strengths, strict=True)):
        found, expected = around(grid, past, sigma), around(grid, mean, sigma)
        logs[:, step] = np.log((strength + found) / (strength + expected))
        mean = mean * np.exp(logs[:, step])
    return mean, logs


def fit_strengths(grid: StudyGrid, windows: tuple[CascadeWindow, ...], ladder: tuple[float, ...]) -> tuple[float, ...]:
    """Choose the strength of each bandwidth, wide to narrow, by the deviance of what came next."""
    from scipy import optimize

    means = [window.prior_mean.copy() for window in windows]
    strengths: list[float] = []
    for sigma in ladder:
        found = [around(grid, window.past, sigma) for window in windows]
        expected = [around(grid, mean, sigma) for mean in means]

        best = optimize.minimize_scalar(
            _loss,
            bounds=_LOG_STRENGTH,
            args=(windows, means, found, expected),
            method="bounded",
            options={"xatol": 0.1},
        )
        k = math.exp(float(best.x))
        strengths.append(k)
        means = [mean * (k + o) / (k + e) for mean, o, e in zip(means, found, expected, strict=True)]
    return tuple(strengths)


def _loss(
    log_strength: float,
    windows: tuple[CascadeWindow, ...],
    means: list[_Array],
    found: list[_Array],
    expected: list[_Array],
) -> float:
    k = math.exp(log_strength)
    total = 0.0
    for window, mean, o, e in zip(windows, means, found, expected, strict=True):
        guess = mean * (k + o) / (k + e)
        total += poisson_deviance(window.future, guess * (window.future.sum() / guess.sum()))
    return total


def around(grid: StudyGrid, values: _Array, sigma: float) -> _Array:
    """Sum around each cell, its own left out, in units of the kernel's peak, shape (n,)."""
    peak = kernel_peak(sigma)
    return np.asarray(np.maximum(smooth(grid, values, sigma) / peak - values, 0.0))
