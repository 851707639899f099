"""Bounds that prune: what a candidate can add to a Poisson model at most, compiled.

This module imports numba; import it inside functions, not at the head of modules on a start-up path.
"""

# mypy: disable-error-code="untyped-decorator, no-untyped-def"

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["gain_bounds"]


@njit(cache=True, nogil=True)
def gain_bounds(start, active, rate, inverse, size0, size1, linear1, first, stop, score, bound):
    """Signed score statistic and certified upper bound of twice the Poisson log-likelihood gain of each candidate.

    With mu the fitted means and t the first Newton step, u = mu (1 + t) has the moments X'u = X'y of the enlarged
    model, so by convex duality no fit of it gains more than sum mu ((1 + t) log(1 + t) - t), if all 1 + t >= 0.
    The log-likelihood is concave, so the candidate's coefficient has the sign of its score.

    Parameters
    ----------
    start, active : ndarray of int64
        Terms that are on in each row (see `rtm_pipeline.model.likelihood.newton`).
    rate : ndarray of float64, shape (n_rows,)
        Fitted mean per unit of exposure.
    inverse : ndarray of float64, shape (p, p)
        Inverse of the information of the fitted model.
    size0, size1, linear1 : ndarray of float64, shape (n_candidates, n_rows)
        Exposure of the rows where the candidate is 0 and 1, incidents where it is 1.
    first, stop : int
        Candidates to do.
    score, bound : ndarray of float64, shape (n_candidates,)
        Results. A candidate that the fitted terms determine has score 0 and bound infinity.
    """
    n_rows, p = rate.size, inverse.shape[0]
    a, c = np.empty(p), np.empty(p)
    for j in range(first, stop):
        score[j], bound[j] = 0.0, np.inf
        c[:] = 0.0
        residual = 0.0
        for r in range(n_rows):
            if size1[j, r] != 0.0:
                mu = size1[j, r] * rate[r]
                residual += linear1[j, r] - mu
                c[0] += mu
                for q in range(start[r], start[r + 1]):
                    c[active[q]] += mu
        weight = c[0]
        for i in range(p):
            a[i] = 0.0
            for k in range(p):
                a[i] += inverse[i, k] * c[k]
            weight -= a[i] * c[i]
        if not weight > 1e-9 * c[0]:
            continue
        d = residual / weight
        twice = 0.0
        for r in range(n_rows):
            shift = a[0]
            for q in range(start[r], start[r + 1]):
                shift += a[active[q]]
            for on in range(2):
                part = size1[j, r] if on else size0[j, r]
                if part != 0.0:
                    t = d * (on - shift)
                    if t < -1.0:
                        twice = np.inf
                    elif t == -1.0:
                        twice += 2.0 * part * rate[r]
                    else:
                        twice += 2.0 * part * rate[r] * ((1.0 + t) * np.log1p(t) - t)
        score[j], bound[j] = residual * abs(d), twice
