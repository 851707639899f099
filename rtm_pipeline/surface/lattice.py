"""Gaussian smoothing on the cells of a study area, as a convolution of its raster."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ModelError
from rtm_pipeline.grid.locate import to_raster
from rtm_pipeline.grid.spec import StudyGrid

__all__ = ["kernel_peak", "smooth"]

_TRUNCATE = 4.0
_DIRECT_RADIUS = 40


def _weights(sigma_cells: float) -> NDArray[np.float64]:
    radius = max(1, math.ceil(_TRUNCATE * sigma_cells))
    offsets = np.arange(-radius, radius + 1)
    weights = np.exp(-0.5 * (offsets / sigma_cells) ** 2)
    return np.asarray(weights / weights.sum())


def kernel_peak(sigma_cells: float) -> float:
    """Weight that the kernel of `smooth` gives to the cell itself."""
    weights = _weights(sigma_cells)
    return float(weights[weights.size // 2] ** 2)


def smooth(grid: StudyGrid, values: NDArray[np.floating], sigma_cells: float) -> NDArray[np.float64]:
    """Gaussian smoothing over the study area.

    Mass that would fall outside the study area is lost: a cell at the edge has less around it. Callers that want a
    rate divide by the smoothed exposure, which loses the same.

    Parameters
    ----------
    grid : StudyGrid
    values : ndarray, shape (n,)
        Counts or expected counts of the cells.
    sigma_cells : float
        Standard deviation in cells; the kernel ends at four of them.

    Returns
    -------
    ndarray of float64, shape (n,)
    """
    from scipy import ndimage, signal

    if not (sigma_cells > 0 and math.isfinite(sigma_cells)):
        raise ModelError(f"A bandwidth must be a positive number of cells; found {sigma_cells!r}.")
    weights = _weights(sigma_cells)
    raster = to_raster(grid, np.asarray(values, np.float64), 0.0)
    if weights.size // 2 <= _DIRECT_RADIUS:
        rows = ndimage.correlate1d(raster, weights, axis=0, mode="constant")
        result = ndimage.correlate1d(rows, weights, axis=1, mode="constant")
    else:
        rows = signal.fftconvolve(raster, weights[:, None], mode="full", axes=0)
        rows = rows[weights.size // 2 :][: raster.shape[0]]
        result = signal.fftconvolve(rows, weights[None, :], mode="full", axes=1)
        result = np.maximum(result[:, weights.size // 2 :][:, : raster.shape[1]], 0.0)
    return np.ascontiguousarray(result.reshape(-1)[grid.flat])
