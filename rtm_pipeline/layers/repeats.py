"""Repeat requests: several reports of one broken door are one incident, linked to the report that came first.

They leave the count of what is there, but stay linked: how soon a second report follows tells how fast people report
(`rtm_pipeline.evaluation.reporting`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.layers.layer import Layer

__all__ = ["REPEAT_DAYS", "REPEAT_RADIUS_M", "link_repeats", "repeat_of"]

REPEAT_RADIUS_M = 50.0
REPEAT_DAYS = 30.0


def repeat_of(layer: Layer) -> NDArray[np.int64]:
    """Row of the first report of each row's incident, shape (n,); -1 for first reports.

    The first report is the earliest of the rows that share an incident, the first in the layer on a tie.
    """
    n = len(layer)
    order = np.lexsort((np.arange(n), layer.time, layer.incident))
    new = np.diff(layer.incident[order], prepend=-1) != 0
    first = order[np.maximum.accumulate(np.where(new, np.arange(n), 0))] if n else order
    link = np.full(n, -1, np.int64)
    link[order] = np.where(new, -1, first)
    return link


def link_repeats(
    x_u: NDArray[np.float64],
    y_u: NDArray[np.float64],
    time: NDArray[np.datetime64],
    category: NDArray[np.integer],
    *,
    unit_m: float,
    radius_m: float = REPEAT_RADIUS_M,
    days: float = REPEAT_DAYS,
) -> NDArray[np.int64]:
    """Which earlier request of the same kind each request repeats.

    A request repeats an incident if the incident's **first** report is of the same kind, lies within ``radius_m`` and
    came at most ``days`` before. The nearest such incident is taken, the earlier one on a tie. A request that repeats
    none begins an incident. Requests of one instant are taken in row order.

    Parameters
    ----------
    x_u, y_u : ndarray of float64, shape (m,)
        CRS units; rows without a place (not finite) repeat none.
    time : ndarray of datetime64, shape (m,)
        Rows without a date repeat none and begin nothing.
    category : ndarray of int, shape (m,)
    unit_m : float
        Meters in a CRS unit.
    radius_m, days : float

    Returns
    -------
    ndarray of int64, shape (m,)
        Row of the first report (``repeat_of``), -1 for first reports.
    """
    link = np.full(time.size, -1, np.int64)
    usable = np.flatnonzero(np.isfinite(x_u) & np.isfinite(y_u) & ~np.isnat(time))
    earlier, later, distance = _pairs(x_u[usable], y_u[usable], time[usable], category[usable], radius_m / unit_m, days)
    # A request begins an incident once all its earlier neighbors are known to be repeats; it repeats as soon as one of
    # them is known to begin one. Every round settles at least the earliest open request of each neighborhood.
    n = usable.size
    begins, repeats = np.ones(n, bool), np.zeros(n, bool)
    begins[later] = False
    while True:
        repeats_now = np.zeros(n, bool)
        repeats_now[later[begins[earlier]]] = True
        repeats |= repeats_now
        waiting = np.zeros(n, bool)
        waiting[later[~repeats[earlier]]] = True
        begins_now = ~waiting & ~repeats & ~begins
        if not begins_now.any():
            break
        begins |= begins_now
    good = repeats[later] & begins[earlier]
    order = np.lexsort((earlier[good], distance[good], later[good]))
    rows, sources = later[good][order], earlier[good][order]
    first = np.concatenate([[True], rows[1:] != rows[:-1]]) if rows.size else np.zeros(0, bool)
    link[usable[rows[first]]] = usable[sources[first]]
    return link


def _pairs(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    time: NDArray[np.datetime64],
    category: NDArray[np.integer],
    radius_u: float,
    days: float,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Pairs (earlier, later, distance) of one kind within reach of one another in space and time."""
    from scipy.spatial import cKDTree

    seconds = time.astype("datetime64[s]").astype(np.int64)
    found: list[NDArray[np.int64]] = []
    for kind in np.unique(category):
        mine = np.flatnonzero(category == kind)
        mine = mine[np.argsort(seconds[mine], kind="stable")]
        # Time as a third coordinate, squeezed so that the limit in days is just inside the radius, prunes the search.
        depth = (seconds[mine] - seconds[mine].min()) / (days * 86400.0) * radius_u
        tree = cKDTree(np.column_stack([x[mine], y[mine], depth]))
        local = tree.query_pairs(radius_u * np.sqrt(2.0) * (1 + 1e-9), output_type="ndarray")
        if local.size:
            found.append(mine[np.sort(local, axis=1)])
    if not found:
        nothing = np.zeros(0, np.int64)
        return nothing, nothing, np.zeros(0)
    pairs = np.concatenate(found)
    earlier, later = pairs[:, 0], pairs[:, 1]
    distance = np.hypot(x[earlier] - x[later], y[earlier] - y[later])
    near = (distance <= radius_u) & (seconds[later] - seconds[earlier] <= days * 86400.0)
    return earlier[near].astype(np.int64), later[near].astype(np.int64), distance[near]
