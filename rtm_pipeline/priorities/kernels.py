"""Compiled loops: cells near a site, sums over them, and the lazy greedy. Import this module inside functions only.

Everything here runs in one thread and in a fixed order, without fast math: the same input gives the same bits.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["count_near", "fill_near", "gains_of", "greedy_phase", "row_sums", "treat"]

MONEY_TOLERANCE = 1e-6


@njit(cache=True)
def _window(at: float, radius: float, first_center: float, size: float, n: int) -> tuple[int, int]:
    """First and one-past-last index of the centers that can lie within ``radius`` of ``at``, one cell of slack."""
    low = int(np.floor((at - radius - first_center) / size)) - 1
    high = int(np.floor((at + radius - first_center) / size)) + 2
    return max(low, 0), min(max(high, 0), n)


@njit(cache=True)
def count_near(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    radius: float,
    center_x: NDArray[np.float64],
    center_y: NDArray[np.float64],
    size: float,
    lookup: NDArray[np.int32],
    own: NDArray[np.int32],
) -> NDArray[np.int64]:
    """Number of study cells whose center lies within ``radius`` of each site (its own cell if there are none)."""
    n_cols, n_rows = center_x.size, center_y.size
    counts = np.zeros(x.size, dtype=np.int64)
    for s in range(x.size):
        c0, c1 = _window(x[s], radius, center_x[0], size, n_cols)
        q0, q1 = _window(y[s], radius, center_y[n_rows - 1], size, n_rows)
        found = 0
        for r in range(n_rows - q1, n_rows - q0):
            dy = center_y[r] - y[s]
            for c in range(c0, c1):
                dx = center_x[c] - x[s]
                if dx * dx + dy * dy <= radius * radius and lookup[r * n_cols + c] >= 0:
                    found += 1
        counts[s] = found if found > 0 else (1 if own[s] >= 0 else 0)
    return counts


@njit(cache=True)
def fill_near(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    radius: float,
    center_x: NDArray[np.float64],
    center_y: NDArray[np.float64],
    size: float,
    lookup: NDArray[np.int32],
    own: NDArray[np.int32],
    indptr: NDArray[np.int64],
) -> NDArray[np.int32]:
    """The cells that `count_near` counted, ascending for each site."""
    n_cols, n_rows = center_x.size, center_y.size
    cells = np.empty(indptr[-1], dtype=np.int32)
    for s in range(x.size):
        at = indptr[s]
        c0, c1 = _window(x[s], radius, center_x[0], size, n_cols)
        q0, q1 = _window(y[s], radius, center_y[n_rows - 1], size, n_rows)
        for r in range(n_rows - q1, n_rows - q0):
            dy = center_y[r] - y[s]
            for c in range(c0, c1):
                dx = center_x[c] - x[s]
                if dx * dx + dy * dy <= radius * radius:
                    cell = lookup[r * n_cols + c]
                    if cell >= 0:
                        cells[at] = cell
                        at += 1
        if at == indptr[s] and at < indptr[s + 1]:
            cells[at] = own[s]
    return cells


@njit(cache=True)
def row_sums(
    rows: NDArray[np.int64], indptr: NDArray[np.int64], cells: NDArray[np.int32], values: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Sum of ``values`` over the cells of each of ``rows``."""
    out = np.empty(rows.size, dtype=np.float64)
    for i in range(rows.size):
        total = 0.0
        for at in range(indptr[rows[i]], indptr[rows[i] + 1]):
            total += values[cells[at]]
        out[i] = total
    return out


@njit(cache=True)
def _gain(
    k: int,
    start: int,
    stop: int,
    cells: NDArray[np.int32],
    times: NDArray[np.uint16],
    value: NDArray[np.float64],
    reduction: NDArray[np.float64],
    weight: NDArray[np.float64],
    share: NDArray[np.float64],
) -> float:
    """What treating one item adds, given the shares treated so far: linear within a kind, damped by the others."""
    total = 0.0
    n_kinds = reduction.size
    for at in range(start, stop):
        cell = cells[at]
        rest = 1.0
        for other in range(n_kinds):
            if other != k:
                rest *= 1.0 - reduction[other] * share[other, cell]
        total += value[cell] * weight[k, cell] * times[at] * rest
    return float(total * reduction[k])


@njit(cache=True)
def gains_of(
    items: NDArray[np.int64],
    kind: NDArray[np.int64],
    row: NDArray[np.int64],
    indptr: NDArray[np.int64],
    cells: NDArray[np.int32],
    times: NDArray[np.uint16],
    value: NDArray[np.float64],
    reduction: NDArray[np.float64],
    weight: NDArray[np.float64],
    share: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Marginal gain of each item on top of ``share``; the items are not added to each other."""
    out = np.empty(items.size, dtype=np.float64)
    for i in range(items.size):
        j = items[i]
        out[i] = _gain(kind[j], indptr[row[j]], indptr[row[j] + 1], cells, times, value, reduction, weight, share)
    return out


@njit(cache=True)
def treat(
    j: int,
    sign: float,
    kind: NDArray[np.int64],
    row: NDArray[np.int64],
    indptr: NDArray[np.int64],
    cells: NDArray[np.int32],
    times: NDArray[np.uint16],
    weight: NDArray[np.float64],
    share: NDArray[np.float64],
) -> None:
    """Add (``sign`` 1) or take away (-1) item ``j`` from the shares treated, in place."""
    k = kind[j]
    for at in range(indptr[row[j]], indptr[row[j] + 1]):
        share[k, cells[at]] += sign * weight[k, cells[at]] * times[at]


@njit(cache=True)
def _sift_down(heap: NDArray[np.int64], key: NDArray[np.float64], n: int) -> None:
    """Restore the heap (largest key first, then smallest index) after its top changed."""
    at = 0
    while True:
        child = 2 * at + 1
        if child >= n:
            return
        right = child + 1
        if right < n and (
            key[heap[right]] > key[heap[child]] or (key[heap[right]] == key[heap[child]] and heap[right] < heap[child])
        ):
            child = right
        a, b = heap[at], heap[child]
        if key[b] > key[a] or (key[b] == key[a] and b < a):
            heap[at], heap[child] = b, a
            at = child
        else:
            return


@njit(cache=True)
def _fits(
    j: int,
    k: int,
    cost: NDArray[np.float64],
    days: NDArray[np.float64],
    area: NDArray[np.int32],
    site_ptr: NDArray[np.int64],
    site_idx: NDArray[np.int64],
    taken: NDArray[np.bool_],
    spent: NDArray[np.float64],
    days_used: NDArray[np.float64],
    area_spent: NDArray[np.float64],
    budget: float,
    days_cap: NDArray[np.float64],
    area_cap: NDArray[np.float64],
    deficit: NDArray[np.float64],
    owed: NDArray[np.float64],
) -> bool:
    """Whether item ``j`` keeps within all limits and leaves enough money for minimum shares that are still owed."""
    for at in range(site_ptr[j], site_ptr[j + 1]):
        if taken[site_idx[at]]:
            return False
    if days_used[k] + days[j] > days_cap[k] + MONEY_TOLERANCE:
        return False
    reserve = 0.0
    for level in range(area.shape[0]):
        a = area[level, j]
        left = owed[level]
        if a >= 0:
            if area_spent[level, a] + cost[j] > area_cap[level, a] + MONEY_TOLERANCE:
                return False
            left -= min(cost[j], deficit[level, a])
        reserve = max(reserve, left)
    return bool(spent[0] + cost[j] + reserve <= budget + MONEY_TOLERANCE)


@njit(cache=True)
def greedy_phase(
    queue: NDArray[np.int64],
    key: NDArray[np.float64],
    price: NDArray[np.float64],
    even_harm: bool,
    kind: NDArray[np.int64],
    row: NDArray[np.int64],
    indptr: NDArray[np.int64],
    cells: NDArray[np.int32],
    times: NDArray[np.uint16],
    value: NDArray[np.float64],
    reduction: NDArray[np.float64],
    weight: NDArray[np.float64],
    cost: NDArray[np.float64],
    days: NDArray[np.float64],
    area: NDArray[np.int32],
    site_ptr: NDArray[np.int64],
    site_idx: NDArray[np.int64],
    share: NDArray[np.float64],
    taken: NDArray[np.bool_],
    spent: NDArray[np.float64],
    days_used: NDArray[np.float64],
    area_spent: NDArray[np.float64],
    budget: float,
    days_cap: NDArray[np.float64],
    area_cap: NDArray[np.float64],
    deficit: NDArray[np.float64],
    owed: NDArray[np.float64],
    stop_level: int,
    stop_area: int,
    chosen: NDArray[np.int64],
    gains: NDArray[np.float64],
    n_chosen: int,
) -> int:
    """One pass of the lazy greedy; the state arrays change in place; the new number of chosen items is returned.

    ``queue`` holds the items of this pass in descending order of ``key`` = gain / price (upper bounds, by
    submodularity), ties by index: a sorted array is a heap already. The pass ends when the minimum share of
    (``stop_level``, ``stop_area``) is met, where that is not negative, or when not even the cheapest item fits.
    """
    heap = queue.copy()
    n = heap.size
    least = np.inf
    for at in range(n):
        least = min(least, cost[heap[at]])
    while n > 0:
        if spent[0] + least > budget + MONEY_TOLERANCE:
            break
        if stop_level >= 0 and deficit[stop_level, stop_area] <= MONEY_TOLERANCE:
            break
        j = heap[0]
        k = kind[j]
        fits = _fits(
            j, k, cost, days, area, site_ptr, site_idx, taken, spent, days_used, area_spent, budget, days_cap,
            area_cap, deficit, owed,
        )  # fmt: skip
        gain = 0.0
        if fits:
            gain = _gain(k, indptr[row[j]], indptr[row[j] + 1], cells, times, value, reduction, weight, share)
            fits = gain > 0.0 or even_harm
        if not fits:  # never again within this pass: nothing that is used up comes back
            heap[0] = heap[n - 1]
            n -= 1
            _sift_down(heap, key, n)
            continue
        fresh = gain / price[j]
        if fresh < key[j]:
            key[j] = fresh
            _sift_down(heap, key, n)
            if heap[0] != j:
                continue
        heap[0] = heap[n - 1]
        n -= 1
        _sift_down(heap, key, n)
        treat(j, 1.0, kind, row, indptr, cells, times, weight, share)
        spent[0] += cost[j]
        days_used[k] += days[j]
        for level in range(area.shape[0]):
            a = area[level, j]
            if a >= 0:
                area_spent[level, a] += cost[j]
                met = min(cost[j], deficit[level, a])
                deficit[level, a] -= met
                owed[level] -= met
        for at in range(site_ptr[j], site_ptr[j + 1]):
            taken[site_idx[at]] = True
        chosen[n_chosen] = j
        gains[n_chosen] = gain
        n_chosen += 1
    return n_chosen
