"""Distance to features and density of features at every study cell, as whole planes of float64."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import SchemaError
from rtm_pipeline.factors.features import Features, Segments, polygon_edges
from rtm_pipeline.factors.lattice import Lattice, Workers

__all__ = ["kernel_sums", "known_cells", "squared_distance"]


def squared_distance(features: Features, lattice: Lattice, workers: Workers) -> NDArray[np.float64]:
    """Squared distance from each cell center to the nearest feature; 0 inside polygons.

    Parameters
    ----------
    features : Features
    lattice : Lattice
    workers : Workers

    Returns
    -------
    ndarray of float64, shape (n,)
        CRS units squared, uncapped. For points, ``(x - cx)**2 + (y - cy)**2`` of the nearest, to the bit; infinite
        where there is no feature.
    """
    best = np.full(lattice.n_cells, np.inf)
    if features.points.x.size:
        best = _nearest(features.points.distinct(), lattice, workers)
    for pieces in (features.lines, features.edges):
        if pieces.ax.size:
            best = np.minimum(best, _nearest(pieces.with_slopes(), lattice, workers), out=best)
    if features.edges.ax.size:
        best[_inside(features.edges, lattice, workers)] = 0.0
    return best


def kernel_sums(
    features: Features, band_u: float, lattice: Lattice, workers: Workers, out: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Quartic kernel of radius ``band_u`` at each cell center, summed over features.

    Parameters
    ----------
    features : Features
        Of one kind: points are summed, lines integrated along their length (CRS units), polygons over their area
        (square CRS units).
    band_u : float
        Radius h, CRS units.
    lattice : Lattice
    workers : Workers
    out : ndarray of float64, shape (n,)
        Filled and returned.

    Returns
    -------
    ndarray of float64, shape (n,)
        Sums of ``(1 - d^2 / h^2)^2``, not normalized; ``3 / (pi h^2)`` times it is a density per square unit.

    Raises
    ------
    SchemaError
        Features of several kinds: a count, a length and an area can't be added.
    """
    from rtm_pipeline.factors.density_kernels import line_rows, point_rows, polygon_rows

    kind = features.kind
    if kind == "mixed":
        raise SchemaError(
            "A layer that mixes points, lines and polygons has no density: a count, a length and an area can't be "
            "added. Use operationalization: proximity, or a layer for each kind."
        )

    def rows(first: int, last: int) -> None:
        if kind == "points":
            point_rows(features.points.x, features.points.y, *lattice.arrays, first, last, band_u, out)
        elif kind == "lines":
            line_rows(*features.lines.arrays, *lattice.arrays, first, last, band_u, out)
        else:
            polygon_rows(*features.edges.arrays, *lattice.arrays, first, last, band_u, out)

    if kind == "none":
        out[:] = 0.0
    else:
        workers.over_rows(lattice, rows)
    return out


def known_cells(coverage: object, margin_u: float, lattice: Lattice, workers: Workers) -> NDArray[np.bool_]:
    """Cells whose surroundings lie in the polygon that a layer covers.

    Parameters
    ----------
    coverage : shapely polygon
        In the CRS of the grid.
    margin_u : float
        The largest spatial influence, CRS units.
    lattice : Lattice
    workers : Workers

    Returns
    -------
    ndarray of bool, shape (n,)
        True where the cell center lies in the polygon and at least ``margin_u`` from its edge.
    """
    import shapely

    edges = polygon_edges(shapely.get_parts(np.atleast_1d(np.asarray(coverage, dtype=object))))
    if not edges.ax.size:
        return np.zeros(lattice.n_cells, np.bool_)
    squared = _nearest(edges.with_slopes(), lattice, workers)
    return _inside(edges, lattice, workers) & (squared >= margin_u * margin_u)


def _nearest(arrays: NDArray[np.float64], lattice: Lattice, workers: Workers) -> NDArray[np.float64]:
    from rtm_pipeline.factors.nearest_buckets import into_buckets
    from rtm_pipeline.factors.nearest_kernels import nearest_rows

    features, start, frame = into_buckets(arrays)
    squared = np.empty(lattice.n_cells)

    def rows(first: int, last: int) -> None:
        nearest_rows(features, start, frame, *lattice.arrays, first, last, squared)

    workers.over_rows(lattice, rows)
    return squared


def _inside(edges: Segments, lattice: Lattice, workers: Workers) -> NDArray[np.bool_]:
    from rtm_pipeline.factors.density_kernels import inside_rows

    inside = np.zeros(lattice.n_cells, np.bool_)
    workers.over_rows(lattice, lambda first, last: inside_rows(*edges.arrays, *lattice.arrays, first, last, inside))
    return inside
