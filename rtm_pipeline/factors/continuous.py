"""The continuous forms of a factor, log distance and log density, which the forecast uses."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.factors.factor import Factor

__all__ = ["Continuous", "continuous"]


@dataclass(frozen=True, slots=True, eq=False)
class Continuous:
    """Continuous columns of one factor.

    Attributes
    ----------
    names : tuple of str, length c
        ``<factor>_log_distance``, then ``<factor>_log_density_<meters>m``.
    columns : ndarray of float32, shape (n, c)
        Without unit, of order 1; NaN where the layer is unknown.
    """

    names: tuple[str, ...]
    columns: NDArray[np.float32]


def continuous(factor: Factor) -> Continuous:
    """Log distance and log densities of a factor, on the scale of its fit.

    Parameters
    ----------
    factor : Factor
        Made with ``keep_density`` for the bands that are wanted.

    Returns
    -------
    Continuous
        Column 0 is ``log((d + s / 2) / s)`` for distance d and cell side s: half a cell is what the grid resolves, and
        d ends at the diagonal of the grid, so a layer without features is far, not infinite. The others are
        ``log(1 + K / m)`` for kernel sum K and its mean m over the study cells **at the fit** (``factor.cuts``): a
        later vintage is measured by the same rule. They are 0 where m is 0.
    """
    spec = factor.grid
    diagonal = math.hypot(spec.n_rows, spec.n_cols) * spec.cell_size_u
    columns = np.empty((factor.codes.size, 1 + len(factor.density_bands_u)), np.float32)
    distance = np.minimum(factor.distance_u.astype(np.float64), diagonal)
    columns[:, 0] = np.log(distance / spec.cell_size_u + 0.5)
    names = [f"{factor.name}_log_distance"]
    for k, band in enumerate(factor.density_bands_u):
        names.append(f"{factor.name}_log_density_{round(band * spec.unit_m)}m")
        columns[:, k + 1] = _log_density(factor, k, factor.cuts.cut(band).mean)
    return Continuous(tuple(names), columns)


def _log_density(factor: Factor, row: int, mean: float) -> NDArray[np.float64]:
    if factor.density is None:
        return np.zeros(factor.codes.size)
    if mean == 0.0:
        return np.where(np.isnan(factor.density[row]), np.nan, 0.0)
    scaled: NDArray[np.float64] = np.log1p(factor.density[row].astype(np.float64) / mean)
    return scaled
