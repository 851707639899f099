"""Compiled loops for the approximate Hessian and the quadratic model: bits of sampled cells, joint counts, descent.

Imports numba: import this module inside functions only.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba.core import types

from rtm_pipeline.model.penalized.compile import kernel, operation

__all__ = ["bracketed", "descend", "joint_counts", "mark_bits", "sample_positions"]

PATIENCE = 12
"""Sweeps of coordinate descent between direct solutions, at least."""

RIDGE = 1e-9

TRUST = 1e-4

TILE = 256
"""Words of a column that are counted together, so that all columns' tiles stay in the second-level cache."""


@operation
def _population_count(typing: Any, word: Any) -> Any:
    """Number of one bits in a 64-bit word."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.ctpop(args[0])

    return types.uint64(types.uint64), generate


@kernel
def sample_positions(mean: Any, draws: int, before: Any) -> None:
    """Draw cells in proportion to `mean`, systematically: ``before[i]`` draws fall on cells before i."""
    total = 0.0
    for value in mean:
        total += value
    scale = draws / total
    running = 0.0
    for i in range(mean.size):
        before[i] = min(draws, int(running * scale + 0.5))
        running += mean[i]
    before[mean.size] = draws


@kernel
def mark_bits(
    strip_size: int,
    pointers: Any,
    starts: Any,
    states: Any,
    layer: int,
    first_one: Any,
    ones: Any,
    before: Any,
    words: Any,
) -> None:
    """Set the bits of the draws that fall on ones, for some columns of one layer.

    ones : for each state of the layer, from ``first_one[state]``, the rows of `words` whose column is one.
    """
    n_cells = before.size - 1
    every = np.uint64(0xFFFFFFFFFFFFFFFF)
    for strip in range(pointers.shape[0]):
        p1 = pointers[strip, layer + 1]
        first = strip * strip_size
        end = min(first + strip_size, n_cells)
        for p in range(pointers[strip, layer], p1):
            state = np.int64(states[p])
            if first_one[state] == first_one[state + 1]:
                continue
            low = before[first + np.int64(starts[p])]
            high = before[first + np.int64(starts[p + 1])] if p + 1 < p1 else before[end]
            if low == high:
                continue
            w0 = low >> 6
            w1 = (high - 1) >> 6
            head = every << np.uint64(low & 63)
            tail = every >> np.uint64(63 - ((high - 1) & 63))
            for k in range(first_one[state], first_one[state + 1]):
                row = ones[k]
                if w0 == w1:
                    words[row, w0] |= head & tail
                else:
                    words[row, w0] |= head
                    for w in range(w0 + 1, w1):
                        words[row, w] = every
                    words[row, w1] |= tail


@kernel
def joint_counts(words: Any, old: int, new: int, counts: Any) -> None:
    """Draws on which two columns are both one, for every pair with a column in ``old .. new - 1``."""
    n_words = words.shape[1]
    for tile in range(0, n_words, TILE):
        stop = min(n_words, tile + TILE)
        for i in range(old, new):
            a = words[i, tile:stop]
            for j in range(i + 1):
                b = words[j, tile:stop]
                both = np.uint64(0)
                for w in range(a.size):
                    both += _population_count(a[w] & b[w])
                counts[i, j] += both
    for i in range(old, new):
        for j in range(i):
            counts[j, i] = counts[i, j]


@kernel
def bracketed(counts: Any, weight: Any, steps: Any, changes: Any, H: Any) -> None:
    """Approximate Hessian of one lane.

    ``H_jk = counts_jk * weight_j * weight_k``, corrected by the changes of the gradient that were seen along past
    steps (BFGS), the oldest first.
    """
    k = weight.size
    for i in range(k):
        for j in range(k):
            H[i, j] = counts[i, j] * weight[i] * weight[j]
    u = np.empty(k)
    for pair in range(steps.shape[0]):
        u[:] = 0.0
        curvature = 0.0
        along = 0.0
        for j in range(k):
            s = steps[pair, j]
            if s != 0.0:
                for i in range(k):
                    u[i] += H[j, i] * s
                curvature += s * changes[pair, j]
        size = 0.0
        for j in range(k):
            along += steps[pair, j] * u[j]
            size += steps[pair, j] * steps[pair, j] * H[j, j]
        if not (along > TRUST * size and along > TRUST * curvature and curvature > TRUST * along):
            continue  # lost in rounding: between columns that repeat each other
        for i in range(k):
            a = changes[pair, i] / curvature
            c = u[i] / along
            for j in range(k):
                H[i, j] += a * changes[pair, j] - c * u[j]


@kernel
def _solve(M: Any, d: Any) -> None:
    """Solve ``M x = d`` by Cholesky; M (lower triangle) and d are overwritten, d by x. M is positive definite."""
    m = d.size
    column = np.empty(m)
    for j in range(m):
        root = math.sqrt(M[j, j])
        for i in range(j, m):
            M[i, j] /= root
            column[i] = M[i, j]
        d[j] /= root
        for i in range(j + 1, m):
            c = column[i]
            d[i] -= c * d[j]
            for p in range(j + 1, i + 1):
                M[i, p] -= c * column[p]
    for i in range(m - 1, -1, -1):
        d[i] /= M[i, i]
        for p in range(i):
            d[p] -= M[i, p] * d[i]


@kernel
def _jump(H: Any, v: Any, b: Any, free: Any, l1: float, l2: float) -> None:
    """Go to the minimum over the coefficients that are not zero, or until the first of them reaches zero.

    A little is added to the diagonal, so that columns that repeat each other can be solved for; the step still goes
    downhill.
    """
    k = b.size
    active = np.array([j for j in range(k) if free[j] and H[j, j] > 0.0 and (j == 0 or b[j] != 0.0)])
    m = active.size
    M = np.empty((m, m))
    d = np.empty(m)
    for i in range(m):
        j = active[i]
        for p in range(i + 1):
            M[i, p] = H[j, active[p]]
        M[i, i] = M[i, i] * (1.0 + RIDGE) + (l2 if j > 0 else 0.0)
        d[i] = v[j]
        if j > 0:
            d[i] -= l2 * b[j] + (l1 if b[j] > 0.0 else -l1)
    _solve(M, d)
    length = 1.0
    stop = -1
    for i in range(m):
        j = active[i]
        if math.isnan(d[i]):
            return
        if j > 0 and (b[j] + length * d[i]) * b[j] <= 0.0:
            length = -b[j] / d[i]
            stop = i
    for i in range(m):
        j = active[i]
        step = -b[j] if i == stop else length * d[i]
        b[j] = 0.0 if i == stop else b[j] + step
        for q in range(k):
            v[q] -= H[j, q] * step


@kernel
def descend(
    H: Any, v: Any, b: Any, free: Any, l1: float, l2: float, low: bool, high: bool, tolerance: float, most: int
) -> int:
    """Minimize ``d'Hd/2 - v'd + sum l1 |b + d| + l2/2 (b + d)^2``; b and v are changed in place.

    Coordinate descent finds which coefficients are not zero; where it is slow, direct solutions for those help it.
    Entry 0 is the intercept and not penalized. `low`, `high`: whether negative and positive values are allowed.
    Returns the number of sweeps.
    """
    k = b.size
    whole = True
    due = PATIENCE
    for sweep in range(1, most + 1):
        largest = 0.0
        for j in range(k):
            h = H[j, j]
            if not free[j] or h <= 0.0 or (not whole and b[j] == 0.0 and j > 0):
                continue
            z = v[j] + h * b[j]
            if j == 0:
                value = z / h
            elif high and z > l1:
                value = (z - l1) / (h + l2)
            elif low and z < -l1:
                value = (z + l1) / (h + l2)
            else:
                value = 0.0
            d = value - b[j]
            if d != 0.0:
                b[j] = value
                for i in range(k):
                    v[i] -= H[j, i] * d
                largest = max(largest, h * abs(d))
        if largest < tolerance:
            if whole:
                return sweep
            whole = True
        else:
            whole = False
            if sweep >= due:
                _jump(H, v, b, free, l1, l2)
                nonzero = np.count_nonzero(b)
                due = sweep + max(PATIENCE, nonzero * nonzero // (6 * k))  # as long as a direct solution takes
    return most
