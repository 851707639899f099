"""Many fits at once, compiled: all candidates of a step, all replicates of a bootstrap, bounds that prune.

Each fit is independent of its neighbors, so a batch can be cut anywhere between threads and keeps its bits.
This module imports numba; import it inside functions, not at the head of modules on a start-up path.
"""

# mypy: disable-error-code="untyped-decorator, no-untyped-def, no-untyped-call"

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from rtm_pipeline.model.newton import PIVOT, RowArrays, factor, fit_rows, solve

__all__ = ["Fits", "empty_fits", "fit_candidates", "fit_replicates", "gain_bounds"]


class Fits(NamedTuple):
    """Results of a batch.

    Attributes
    ----------
    beta : ndarray of float64, shape (n, p)
    phi, total : ndarray of float64, shape (n,)
        Dispersion; log-likelihood without constants.
    status : ndarray of int64, shape (n,)
    """

    beta: NDArray[np.float64]
    phi: NDArray[np.float64]
    total: NDArray[np.float64]
    status: NDArray[np.int64]


@njit(cache=True, nogil=True)
def _start_candidate(rows, size0, size1, events1, base, beta):
    """Start of a candidate's fit: the Poisson optimum over the intercept and the new coefficient, all others held."""
    mean0 = mean1 = 0.0
    for r in range(rows.scale.size):
        eta = base[0]
        for q in range(rows.start[r], rows.start[r + 1]):
            eta += base[rows.active[q]]
        m = rows.scale[r] * np.exp(eta)
        mean0 += size0[r] * m
        mean1 += size1[r] * m
    beta[: base.size] = base
    beta[base.size] = 0.0
    if events1 > 0.0 and rows.events > events1:
        shift = np.log((rows.events - events1) / mean0)
        beta[0] += shift
        beta[base.size] = np.log(events1 / mean1) - shift


@njit(cache=True, nogil=True)
def _split_rows(rows, p, size0, size1, linear1, tail1, out):
    """Rows of the base terms plus one candidate (term ``p``) into the arrays of ``out``; returns the sizes used."""
    n = a = t = 0
    for r in range(rows.scale.size):
        for on in range(2):
            part = size1[r] if on else size0[r]
            if part == 0.0:
                continue
            for q in range(rows.start[r], rows.start[r + 1]):
                out.active[a] = rows.active[q]
                a += 1
            if on:
                out.active[a] = p
                a += 1
            out.size[n], out.scale[n] = part, rows.scale[r]
            out.linear[n] = linear1[r] if on else rows.linear[r] - linear1[r]
            for e in range(rows.tail[r], rows.tail[r + 1]):
                cells = tail1[e] if on else rows.tail_cells[e] - tail1[e]
                if cells > 0.0:
                    out.tail_exposure[t], out.tail_step[t], out.tail_cells[t] = (
                        rows.tail_exposure[e],
                        rows.tail_step[e],
                        cells,
                    )
                    t += 1
            n += 1
            out.start[n], out.tail[n] = a, t
    return n, a, t


def empty_fits(n: int, p: int) -> Fits:
    """Room for ``n`` fits of ``p`` coefficients each."""
    return Fits(np.empty((n, p)), np.empty(n), np.empty(n), np.empty(n, np.int64))


@njit(cache=True, nogil=True)
def fit_candidates(rows, base, phi, size0, size1, linear1, tail1, events1, first, stop, out):
    """Fit the terms of ``base`` plus one candidate, for the candidates ``first`` to ``stop``.

    ``size0``/``size1``, shape (candidates, rows), split the rows' size by the candidate off and on; ``linear1``,
    ``tail1`` and ``events1`` are the shares with it on. Results go into ``out``, one row a candidate.
    """
    n_rows, p, entries, steps = rows.scale.size, base.size, rows.active.size, rows.tail_cells.size
    space = RowArrays(
        rows.kind,
        np.zeros(2 * n_rows + 1, np.int64),
        np.empty(2 * entries + n_rows, np.int64),
        np.empty(2 * n_rows),
        np.empty(2 * n_rows),
        np.empty(2 * n_rows),
        np.zeros(2 * n_rows + 1, np.int64),
        np.empty(2 * steps),
        np.empty(2 * steps),
        np.empty(2 * steps),
        rows.hist_step,
        rows.hist_cells,
        rows.events,
    )
    fitted, info = np.empty(p + 1), np.empty((p + 2, p + 2))
    for j in range(first, stop):
        n, a, t = _split_rows(rows, p, size0[j], size1[j], linear1[j], tail1[j], space)
        used = RowArrays(
            rows.kind,
            space.start[: n + 1],
            space.active[:a],
            space.size[:n],
            space.linear[:n],
            space.scale[:n],
            space.tail[: n + 1],
            space.tail_exposure[:t],
            space.tail_step[:t],
            space.tail_cells[:t],
            rows.hist_step,
            rows.hist_cells,
            rows.events,
        )
        _start_candidate(rows, size0[j], size1[j], events1[j], base, fitted)
        out.total[j], out.phi[j], out.status[j], _ = fit_rows(used, fitted, phi, info)
        out.beta[j] = fitted


@njit(cache=True, nogil=True)
def fit_replicates(rows, base, phi, size, linear, tail_cells, hist_cells, events, first, stop, out):
    """Fit the terms of ``rows`` to the replicates ``first`` to ``stop``, whose statistics have a row each.

    Results go into ``out``, one row a replicate.
    """
    p = base.size
    info, fitted = np.empty((p + 1, p + 1)), np.empty(p)
    for b in range(first, stop):
        replicate = RowArrays(
            rows.kind,
            rows.start,
            rows.active,
            size[b],
            linear[b],
            rows.scale,
            rows.tail,
            rows.tail_exposure,
            rows.tail_step,
            tail_cells[b],
            rows.hist_step,
            hist_cells[b],
            events[b],
        )
        fitted[:] = base
        out.total[b], out.phi[b], out.status[b], _ = fit_rows(replicate, fitted, phi, info)
        out.beta[b] = fitted


@njit(cache=True, nogil=True)
def gain_bounds(rows, base, info, size0, size1, linear1, first, stop, score, bound):
    """Signed score statistic and certified upper bound of twice the Poisson log-likelihood gain of each candidate.

    With mu the fitted means and t the first Newton step, u = mu (1 + t) has the moments X'u = X'y of the enlarged
    model, so by convex duality no fit of it gains more than sum mu ((1 + t) log(1 + t) - t), if all 1 + t >= 0.
    The log-likelihood is concave, so the candidate's coefficient has the sign of its score.
    """
    n_rows, p = rows.size.size, base.size
    low, a, c, m = np.zeros((p, p)), np.empty(p), np.empty(p), np.empty(n_rows)
    for r in range(n_rows):
        eta = base[0]
        for q in range(rows.start[r], rows.start[r + 1]):
            eta += base[rows.active[q]]
        m[r] = np.exp(eta)
    definite = factor(info, p, low)
    for j in range(first, stop):
        score[j], bound[j] = 0.0, np.inf
        c[:] = 0.0
        residual = 0.0
        for r in range(n_rows):
            if size1[j, r] != 0.0:
                mu = size1[j, r] * m[r]
                residual += linear1[j, r] - mu
                c[0] += mu
                for q in range(rows.start[r], rows.start[r + 1]):
                    c[rows.active[q]] += mu
        if not definite:
            continue
        solve(low, p, c, a)
        weight = c[0]
        for i in range(p):
            weight -= a[i] * c[i]
        if not weight > PIVOT * c[0]:
            continue
        d = residual / weight
        twice = 0.0
        for r in range(n_rows):
            shift = a[0]
            for q in range(rows.start[r], rows.start[r + 1]):
                shift += a[rows.active[q]]
            for on in range(2):
                part = size1[j, r] if on else size0[j, r]
                if part != 0.0:
                    t = d * (on - shift)
                    if t <= -1.0:
                        twice = np.inf if t < -1.0 else twice + 2.0 * part * m[r]
                    else:
                        twice += 2.0 * part * m[r] * ((1.0 + t) * np.log1p(t) - t)
        score[j], bound[j] = residual * abs(d), twice
