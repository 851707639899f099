"""Newton's method on pattern rows, compiled: the inner loops of every maximum likelihood fit in this room.

A *row* stands for all cells that share a pattern of the chosen 0/1 terms. Its mean is ``m = exp(eta)`` per unit of
exposure, where ``eta`` adds the intercept and the coefficients of the terms that are on. What a row must carry:

============ ======================================= ============================== =======================
family       size                                    linear                         tail
============ ======================================= ============================== =======================
Poisson      summed exposure                         summed counts                  none
NB1          summed exposure                         cells with a count above 0     cells with a count above k
NB2          cells (one row per distinct exposure)   summed counts                  none (one histogram for all)
============ ======================================= ============================== =======================

Every log-likelihood is written so that it is smooth at dispersion 0, where it equals the Poisson one; the
dispersion is bounded below by 0 and may rest there. Rows are summed in a fixed order without fastmath and each fit
is independent of its neighbors, so a batch can be cut anywhere between threads and keeps its bits.

This module imports numba; import it inside functions, not at the head of modules on a start-up path. It is longer than
others because numba recognizes stale machine code by the one file that a function stands in: what calls each other
stays together.
"""

# numba's decorator has no types, and what it compiles takes its types from the call
# mypy: disable-error-code="untyped-decorator, no-untyped-def, no-untyped-call"

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = [
    "CONVERGED",
    "ITERATIONS",
    "SINGULAR",
    "Fits",
    "RowArrays",
    "empty_fits",
    "fit_candidates",
    "fit_removals",
    "fit_replicates",
    "fit_rows",
]

CONVERGED, SINGULAR, ITERATIONS = 0, 1, 2

_MAX_ITERATIONS = 100
_DECREMENT = 1e-8  # nats; the step after it leaves an error of the order of its square
_PIVOT = 1e-11  # a pivot this much smaller than its diagonal is a linear combination of the terms before it
_SERIES = 0.02  # below it the closed forms of the derivatives of log1p(t)/t lose digits
_LONGEST_STEP = 3.0


class RowArrays(NamedTuple):
    """What the compiled loops read; see the module for what a row carries.

    Attributes
    ----------
    kind : int
        0 Poisson, 1 NB1, 2 NB2.
    start : ndarray of int64, shape (n_rows + 1,)
    active : ndarray of int64
        Terms that are on in row r: ``active[start[r]:start[r + 1]]``, ascending, counted from 1 (0: intercept).
    size, linear, scale : ndarray of float64, shape (n_rows,)
        ``scale`` is the exposure of each cell of the row (NB2), otherwise 1.
    tail : ndarray of int64, shape (n_rows + 1,)
        Entries of row r: ``tail[r]:tail[r + 1]`` (NB1; otherwise no entries).
    tail_exposure, tail_step, tail_cells : ndarray of float64
        Exposure, k, and number of cells with a count above k >= 1.
    hist_step, hist_cells : ndarray of float64
        k and the number of all cells with a count above k >= 1 (NB2).
    events : float
        Summed counts.
    """

    kind: int
    start: NDArray[np.int64]
    active: NDArray[np.int64]
    size: NDArray[np.float64]
    linear: NDArray[np.float64]
    scale: NDArray[np.float64]
    tail: NDArray[np.int64]
    tail_exposure: NDArray[np.float64]
    tail_step: NDArray[np.float64]
    tail_cells: NDArray[np.float64]
    hist_step: NDArray[np.float64]
    hist_cells: NDArray[np.float64]
    events: float


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
def _log_mean(t):
    """c(t) = log(1 + t) / t and its first two derivatives, to full precision down to t = 0."""
    if t < _SERIES:
        c = c1 = c2 = 0.0
        for n in range(12, -1, -1):  # c = sum (-t)^n / (n + 1), by Horner from the smallest term
            a = (1.0 if n % 2 == 0 else -1.0) / (n + 1)
            c = c * t + a
            if n >= 1:
                c1 = c1 * t + n * a
            if n >= 2:
                c2 = c2 * t + n * (n - 1) * a
        return c, c1, c2
    c = np.log1p(t) / t
    c1 = (1.0 / (1.0 + t) - c) / t
    c2 = (-1.0 / (1.0 + t) ** 2 - 2.0 * c1) / t
    return c, c1, c2


@njit(cache=True, nogil=True)
def _row(rows, r, m, phi, c, c1, c2):
    """Log-likelihood of a row less its linear part, score and weight in eta, cross term, score and weight in phi."""
    if rows.kind == 0:
        w = rows.size[r] * m
        return -w, rows.linear[r] - w, w, 0.0, 0.0, 0.0
    if rows.kind == 1:
        am = rows.size[r] * m
        w = c * am
        value, s, v, g_phi, i_phi = -w, rows.linear[r] - w, c1 * am, -c1 * am, c2 * am
        for e in range(rows.tail[r], rows.tail[r + 1]):
            mu, k, cells = rows.tail_exposure[e] * m, rows.tail_step[e], rows.tail_cells[e]
            inverse = 1.0 / (mu + k * phi)
            a, b = mu * inverse, k * inverse
            value -= cells * np.log(inverse)
            s += cells * a
            w -= cells * a * b * phi
            v += cells * a * b
            g_phi += cells * b
            i_phi += cells * b * b
        return value, s, w, v, g_phi, i_phi
    mu, y, n = rows.scale[r] * m, rows.linear[r], rows.size[r]
    t = phi * mu
    h = 1.0 / (1.0 + t)
    d, d1, d2 = _log_mean(t)
    s = (y - n * mu) * h
    i_phi = n * mu * mu * mu * d2 - y * mu * mu * h * h
    return (
        -y * np.log1p(t) - n * mu * d,
        s,
        (n + phi * y) * mu * h * h,
        s * mu * h,
        -y * mu * h - n * mu * mu * d1,
        i_phi,
    )


@njit(cache=True, nogil=True)
def _evaluate(rows, beta, phi, g, info):
    """Log-likelihood without constants; gradient and observed information (lower triangle) into ``g``, ``info``."""
    p = beta.size
    g[:] = 0.0
    info[:] = 0.0
    total = g_phi = i_phi = 0.0
    c, c1, c2 = _log_mean(phi)
    for r in range(rows.size.size):
        if rows.size[r] == 0.0:
            continue
        eta = beta[0]
        for q in range(rows.start[r], rows.start[r + 1]):
            eta += beta[rows.active[q]]
        value, s, w, v, row_g, row_i = _row(rows, r, np.exp(eta), phi, c, c1, c2)
        total += rows.linear[r] * eta + value
        g_phi += row_g
        i_phi += row_i
        g[0] += s
        info[0, 0] += w
        info[p, 0] += v
        for q in range(rows.start[r], rows.start[r + 1]):
            i = rows.active[q]
            g[i] += s
            info[i, 0] += w
            info[p, i] += v
            for o in range(rows.start[r], q + 1):  # terms of a row ascend, so this is the lower triangle
                info[i, rows.active[o]] += w
    if rows.kind == 1:
        total -= rows.events * np.log1p(phi)
        g_phi -= rows.events / (1.0 + phi)
        i_phi -= rows.events / (1.0 + phi) ** 2
    if rows.kind == 2:
        for e in range(rows.hist_step.size):
            b = rows.hist_step[e] / (1.0 + phi * rows.hist_step[e])
            total += rows.hist_cells[e] * np.log1p(phi * rows.hist_step[e])
            g_phi += rows.hist_cells[e] * b
            i_phi += rows.hist_cells[e] * b * b
    g[p] = g_phi
    info[p, p] = i_phi
    return total


@njit(cache=True, nogil=True)
def _factor(a, n, low):
    """Cholesky factor of the leading n x n lower triangle of ``a`` into ``low``; False if a pivot vanishes."""
    for i in range(n):
        for j in range(i + 1):
            s = a[i, j]
            for k in range(j):
                s -= low[i, k] * low[j, k]
            if i == j:
                if not (s > _PIVOT * abs(a[i, i]) and s > 0.0):
                    return False
                low[i, i] = np.sqrt(s)
            else:
                low[i, j] = s / low[j, j]
    return True


@njit(cache=True, nogil=True)
def _solve(low, n, b, x):
    """Solve ``low low' x = b``."""
    for i in range(n):
        s = b[i]
        for k in range(i):
            s -= low[i, k] * x[k]
        x[i] = s / low[i, i]
    for i in range(n - 1, -1, -1):
        s = x[i]
        for k in range(i + 1, n):
            s -= low[k, i] * x[k]
        x[i] = s / low[i, i]


@njit(cache=True, nogil=True)
def _direction(info, g, n, low, work, d):
    """Newton's direction into ``d``; where the information is not positive definite, of a ridged one (True)."""
    if _factor(info, n, low):
        _solve(low, n, g, d)
        return False
    ridge = 1e-3
    while ridge < 1e12:
        for i in range(n):
            for j in range(i):
                work[i, j] = info[i, j]
            work[i, i] = info[i, i] + ridge * (abs(info[i, i]) + 1e-8 * (1.0 + abs(info[0, 0])))
        if _factor(work, n, low):
            _solve(low, n, g, d)
            return True
        ridge *= 10.0
    d[:] = 0.0
    return True


@njit(cache=True, nogil=True)
def _next_phi(phi, change):
    """The dispersion after a step: projected to the boundary at 0, no leaps up."""
    new = max(phi + change, 0.0)
    if phi > 0.0 and new > 8.0 * phi + 1e-3:
        return 8.0 * phi + 1e-3
    return new


@njit(cache=True, nogil=True)
def fit_rows(rows, beta, phi, info):
    """Maximize the log-likelihood from ``beta`` (in place) and ``phi`` by Newton's method with step halving.

    Parameters
    ----------
    rows : RowArrays
    beta : ndarray of float64, shape (p,)
        Start, then result: intercept and coefficients.
    phi : float
        Starting dispersion, >= 0.
    info : ndarray of float64, shape (p + 1, p + 1)
        Receives the observed information (lower triangle) at the result, dispersion last.

    Returns
    -------
    log_likelihood, phi : float
        Without constants; the dispersion, exactly 0 at the boundary.
    status, steps : int
    """
    p = beta.size
    g, d, trial = np.zeros(p + 1), np.zeros(p + 1), np.empty(p)
    low, work = np.zeros((p + 1, p + 1)), np.zeros((p + 1, p + 1))
    total = _evaluate(rows, beta, phi, g, info)
    if not np.isfinite(total):
        return total, phi, ITERATIONS, 0
    for iteration in range(_MAX_ITERATIONS):
        free = rows.kind > 0 and not (phi == 0.0 and g[p] <= 0.0)
        n = p + 1 if free else p
        ridged = _direction(info, g, n, low, work, d)
        if free and phi == 0.0 and d[p] <= 0.0:  # the dispersion can't leave the boundary before beta has moved
            free, n = False, p
            ridged = _direction(info, g, n, low, work, d)
        decrement = longest = 0.0
        for i in range(n):
            decrement += g[i] * d[i]
            if i < p:
                longest = max(longest, abs(d[i]))
        step = 1.0 if longest <= _LONGEST_STEP else _LONGEST_STEP / longest
        slack = 1e-11 * abs(total) + 1e-12
        new_phi = phi
        new = -np.inf
        for _ in range(50):
            for i in range(p):
                trial[i] = beta[i] + step * d[i]
            if free:
                new_phi = _next_phi(phi, step * d[p])
            new = _evaluate(rows, trial, new_phi, g, info)
            if new >= total - slack:
                break
            step *= 0.5
        if not new >= total - slack:
            total = _evaluate(rows, beta, phi, g, info)
            return total, phi, SINGULAR if ridged else ITERATIONS, iteration
        beta[:] = trial
        phi, total = new_phi, new
        at_saddle = rows.kind > 0 and phi == 0.0 and g[p] > 0.0  # it reached the boundary, which is no maximum
        if decrement < _DECREMENT and step == 1.0 and not at_saddle:
            return total, phi, SINGULAR if ridged else CONVERGED, iteration + 1
    return total, phi, ITERATIONS, _MAX_ITERATIONS


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
def fit_removals(rows, base, phi, out):
    """Fit the terms of ``base`` less one, for each in turn; results go into ``out``, one row a term removed."""
    p, n_rows = base.size - 1, rows.scale.size
    start, active = np.zeros(n_rows + 1, np.int64), np.empty(rows.active.size, np.int64)
    fitted, info = np.empty(p), np.empty((p + 1, p + 1))
    for gone in range(1, base.size):
        n = 0
        for r in range(n_rows):
            for q in range(rows.start[r], rows.start[r + 1]):
                term = rows.active[q]
                if term != gone:
                    active[n] = term - 1 if term > gone else term
                    n += 1
            start[r + 1] = n
        left = RowArrays(
            rows.kind,
            start,
            active[:n],
            rows.size,
            rows.linear,
            rows.scale,
            rows.tail,
            rows.tail_exposure,
            rows.tail_step,
            rows.tail_cells,
            rows.hist_step,
            rows.hist_cells,
            rows.events,
        )
        for i in range(p):
            fitted[i] = base[i] if i < gone else base[i + 1]
        j = gone - 1
        out.total[j], out.phi[j], out.status[j], _ = fit_rows(left, fitted, phi, info)
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
