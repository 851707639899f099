"""Controls for treated sites: eligible unfunded sites with the same forecast and the same past.

Sites are chosen for their high counts, and high counts fall by themselves. A control must therefore look like its
treated site *before* the treatment: matched on forecast and past counts within a caliper, far enough away not to be
touched by the treatment, and used once. A treated site without such a control is refused, not compared with less.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ModelError

__all__ = ["Matches", "apart", "match_controls"]

CALIPER_SD = 0.2
"""Greatest difference in any covariate, in its standard deviations (Austin 2011, doi 10.1002/pst.433)."""
NEAREST = 64


@dataclass(frozen=True, slots=True)
class Matches:
    """Who is compared with whom.

    Attributes
    ----------
    treated, control : ndarray of int64, shape (p,)
        Positions in the two lists, pair by pair.
    refused : ndarray of int64, shape (q,)
        Treated sites without a control.
    reasons : tuple of str, length q
    names : tuple of str
        Covariates.
    imbalance_before, imbalance_after : ndarray of float64
        Standardized mean difference of each covariate between treated and all candidates, and within the pairs; below
        0.1 is good.
    """

    treated: NDArray[np.int64]
    control: NDArray[np.int64]
    refused: NDArray[np.int64]
    reasons: tuple[str, ...]
    names: tuple[str, ...]
    imbalance_before: NDArray[np.float64]
    imbalance_after: NDArray[np.float64]


def apart(x: NDArray[np.float64], y: NDArray[np.float64], distance_u: float) -> NDArray[np.int64]:
    """Sites of which no two are closer than ``distance_u``, taken in order: their circles share no incident."""
    from scipy.spatial import cKDTree

    points = np.stack([x, y], axis=1)
    tree = cKDTree(points)
    blocked = np.zeros(x.size, dtype=bool)
    kept = []
    for at in range(x.size):
        if blocked[at]:
            continue
        kept.append(at)
        blocked[tree.query_ball_point(points[at], distance_u * (1 - 1e-12))] = True
    return np.array(kept, dtype=np.int64)


def match_controls(
    treated: NDArray[np.float64],
    candidates: NDArray[np.float64],
    treated_xy: NDArray[np.float64],
    candidates_xy: NDArray[np.float64],
    *,
    names: tuple[str, ...],
    clear_of_xy: NDArray[np.float64] | None = None,
    clear_u: float,
    spacing_u: float,
    exact_treated: NDArray[np.int64] | None = None,
    exact_candidates: NDArray[np.int64] | None = None,
    caliper_sd: float = CALIPER_SD,
) -> Matches:
    """One control for each treated site, closest first, each used once.

    Parameters
    ----------
    treated, candidates : ndarray of float64, shape (t, c) and (u, c)
        Covariates known before the treatment: forecast and past counts, in the order of ``names``.
    treated_xy, candidates_xy : ndarray of float64, shape (t, 2) and (u, 2)
        CRS units.
    clear_of_xy : ndarray of float64, shape (m, 2), optional
        All sites that were ever treated, from which controls keep away; the treated ones by default.
    clear_u : float
        Least distance of a control from these.
    spacing_u : float
        Least distance between two controls, so that no incident counts twice.
    exact_treated, exact_candidates : ndarray of int64, optional
        Codes that have to be equal (lot or building, district).
    caliper_sd : float
        In standard deviations of the pooled covariate.

    Returns
    -------
    Matches

    Raises
    ------
    ModelError
        No treated site has a control.
    """
    from scipy.spatial import cKDTree

    t, u = treated.shape[0], candidates.shape[0]
    scale = np.std(np.concatenate([treated, candidates]), axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    avoid = treated_xy if clear_of_xy is None else clear_of_xy
    usable = np.ones(u, dtype=bool)
    if u and avoid.shape[0]:
        usable = np.asarray(cKDTree(avoid).query(candidates_xy)[0]) >= clear_u
    at = np.flatnonzero(usable)
    pairs = _pairs(treated / scale, candidates[at] / scale, caliper_sd, exact_treated, exact_candidates, at)
    control = np.full(t, -1, dtype=np.int64)
    used = np.zeros(u, dtype=bool)
    for i, j in pairs:
        if control[i] >= 0 or used[j]:
            continue
        control[i] = j
        near = np.hypot(*(candidates_xy - candidates_xy[j]).T) < spacing_u
        used |= near
        used[j] = True
    possible = np.zeros(t, dtype=bool)
    possible[[i for i, _ in pairs]] = True
    refused = np.flatnonzero(control < 0)
    if refused.size == t:
        raise ModelError(
            f"None of the {t} treated sites has a control within {caliper_sd:g} standard deviations of "
            f"{', '.join(names)} ({at.size} candidates lie far enough away). Without matched controls no effect is "
            "reported: widen the inventory, or draw a randomized order at the next funding line."
        )
    matched = np.flatnonzero(control >= 0)
    return Matches(
        treated=matched,
        control=control[matched],
        refused=refused,
        reasons=tuple(
            "its controls are taken or too close to each other" if possible[i] else "no control within the caliper"
            for i in refused
        ),
        names=names,
        imbalance_before=(treated.mean(axis=0) - candidates.mean(axis=0)) / scale,
        imbalance_after=(treated[matched] - candidates[control[matched]]).mean(axis=0) / scale,
    )


def _pairs(
    treated: NDArray[np.float64],
    candidates: NDArray[np.float64],
    caliper: float,
    exact_treated: NDArray[np.int64] | None,
    exact_candidates: NDArray[np.int64] | None,
    at: NDArray[np.int64],
) -> list[tuple[int, int]]:
    """Pairs within the caliper in every covariate, closest first; of each treated site at most its nearest."""
    from scipy.spatial import cKDTree

    groups = np.zeros(treated.shape[0], np.int64) if exact_treated is None else exact_treated
    pool = np.zeros(at.size, np.int64) if exact_candidates is None else exact_candidates[at]
    found: list[tuple[float, int, int]] = []
    for code in np.unique(groups):
        mine, theirs = np.flatnonzero(groups == code), np.flatnonzero(pool == code)
        if theirs.size == 0:
            continue
        tree = cKDTree(candidates[theirs])
        near: Any = tree.query_ball_point(treated[mine], caliper * (1 + 1e-9), p=np.inf)
        for i, hits in zip(mine.tolist(), near, strict=True):
            hit = theirs[np.array(sorted(hits), dtype=np.int64)]
            distance = np.sqrt(((candidates[hit] - treated[i]) ** 2).sum(axis=1))
            # ties by a stirred but fixed order, so that equal candidates are not all from one corner of the list
            tie = (hit * 2654435761 + i * 40503) % 4294967296
            order = np.lexsort((tie, distance))[:NEAREST]
            found += [(float(distance[o]), i, int(at[hit[o]])) for o in order]
    found.sort()
    return [(i, j) for _, i, j in found]
