"""Are features clustered? The test by which ``auto`` chooses between nearness and density."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.factors.factor import Clustering
from rtm_pipeline.factors.lattice import Workers
from rtm_pipeline.grid.locate import cells_of
from rtm_pipeline.grid.spec import StudyGrid

__all__ = ["nearest_neighbor_test"]

_FEWEST = 8  # the normal approximation is not to be trusted below (Donnelly 1978)
_CRITICAL = -1.6448536269514722  # 5 % quantile of the standard normal: one-sided, against clustering


def nearest_neighbor_test(
    x: NDArray[np.float64], y: NDArray[np.float64], grid: StudyGrid, workers: Workers | None = None
) -> Clustering:
    """Clark and Evans' test of complete spatial randomness against clustering.

    Parameters
    ----------
    x, y : ndarray of float64, shape (m,)
        Features, CRS units. Those outside the study area take no part. Several at one place are neighbors at
        distance 0.
    grid : StudyGrid
        ``perimeter_u`` feeds the edge correction; there is none where it is 0.
    workers : Workers, optional

    Returns
    -------
    Clustering
        Never clustered with fewer than 8 features.

    Notes
    -----
    Without a correction, features near the edge seem too far from their neighbors, as those beyond the edge are not
    seen. Donnelly's expectation for n features in an area A with perimeter P is
    ``0.5 sqrt(A / n) + (0.0514 + 0.041 / sqrt(n)) P / n`` and the variance of the mean
    ``0.0703 A / n^2 + 0.037 P sqrt(A / n^5)``.

    References
    ----------
    Clark, P. J. & Evans, F. C. (1954). Distance to nearest neighbor as a measure of spatial relationships in
    populations. Ecology 35, 445-453. Donnelly, K. P. (1978). Simulations to determine the variance and edge effect of
    total nearest-neighbour distance. In I. Hodder (ed.), Simulation Studies in Archaeology, 91-95.
    """
    inside = cells_of(grid, x, y) >= 0
    x, y = x[inside], y[inside]
    n = int(x.size)
    if n < 2:
        return Clustering(n, math.nan, math.nan, math.nan, math.nan, False)
    area, perimeter = grid.area_u2, grid.perimeter_u
    observed = _mean_nearest(x, y, workers or Workers(1))
    expected = 0.5 * math.sqrt(area / n) + (0.0514 + 0.041 / math.sqrt(n)) * perimeter / n
    variance = 0.0703 * area / n**2 + 0.037 * perimeter * math.sqrt(area / n**5)
    z = (observed - expected) / math.sqrt(variance)
    return Clustering(n, observed, expected, observed / expected, z, n >= _FEWEST and z < _CRITICAL)


def _mean_nearest(x: NDArray[np.float64], y: NDArray[np.float64], workers: Workers) -> float:
    from rtm_pipeline.factors.nearest_buckets import into_buckets, nearest_others

    points, start, frame = into_buckets(np.vstack([x, y]))
    squared = np.empty(x.size)
    workers.over(x.size, lambda first, last: nearest_others(points, start, frame, first, last, squared))
    # Sorted, so that the sum does not depend on the order of rows.
    return float(np.sum(np.sqrt(np.sort(squared)))) / x.size
