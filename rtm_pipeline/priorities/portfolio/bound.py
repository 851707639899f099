"""How good a portfolio can be at most: linear relaxations of the same problem, and the Lagrangian bound they price.

The benefit is submodular, so it lies below two linear functions of the choice: the sum of what every item gains alone,
and an expansion around the portfolio in hand (Nemhauser, Wolsey & Fisher 1978). Each is maximized under the same
limits with fractions allowed, first over a core of items near the funding line; the shadow prices of the core give a
Lagrangian bound over *all* items, which holds however the core was chosen, and items on the wrong side of the prices
join the core until both agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.priorities.benefit import BenefitModel
from rtm_pipeline.priorities.portfolio.candidates import Candidates
from rtm_pipeline.priorities.portfolio.limits import Limits

__all__ = ["Bound", "Resources", "expansion", "resources", "upper_bound"]

CORE_ITEMS = 3_000
ROUNDS = 12
CLOSE = 1e-5


@dataclass(frozen=True, slots=True)
class Resources:
    """Limits as rows ``use @ x <= right``; minimum shares enter with a minus sign.

    Attributes
    ----------
    right : ndarray of float64, shape (r,)
    area : ndarray of (level, area, sign) int64, shape (r, 3)
        What a row is about: level 0 or 1 for areas, -1 for the budget, -2 for crew days (then ``area`` is the kind).
    """

    right: NDArray[np.float64]
    about: NDArray[np.int64]

    def use(self, items: Candidates, which: NDArray[np.int64], row: int) -> NDArray[np.float64]:
        """What each of the items ``which`` uses of one row."""
        level, area, sign = self.about[row]
        if level == -1:
            return items.cost[which]
        if level == -2:
            return np.where(items.kind[which] == area, items.days[which], 0.0)
        return np.asarray(np.where(items.area[level, which] == area, sign * items.cost[which], 0.0))


@dataclass(frozen=True, slots=True)
class Bound:
    """An upper bound and the prices that prove it.

    Attributes
    ----------
    value : float
        No portfolio within the limits prevents more (incidents a year).
    price : ndarray of float64, shape (m,)
        Cost of each item in shadow prices; a good divisor for another greedy pass.
    reduced : ndarray of float64, shape (m,)
        Gain alone less that cost: near zero at the funding line.
    """

    value: float
    price: NDArray[np.float64]
    reduced: NDArray[np.float64]


def resources(limits: Limits) -> Resources:
    """The rows that actually limit something."""
    right, about = [limits.budget], [(-1, 0, 1)]
    for k in np.flatnonzero(np.isfinite(limits.days)):
        right.append(float(limits.days[k]))
        about.append((-2, int(k), 1))
    for level in range(2):
        for a in np.flatnonzero(np.isfinite(limits.cap[level])):
            right.append(float(limits.cap[level, a]))
            about.append((level, int(a), 1))
        for a in np.flatnonzero(limits.floor[level] > 0):
            right.append(-float(limits.floor[level, a]))
            about.append((level, int(a), -1))
    return Resources(np.array(right), np.array(about, dtype=np.int64))


def expansion(
    model: BenefitModel, items: Candidates, chosen: NDArray[np.int64], prevented: float
) -> tuple[float, NDArray[np.float64]] | None:
    """A linear function above the benefit that is tight near ``chosen``: (constant, coefficient by item).

    Choosing S prevents at most what ``chosen`` prevents, plus what each further item adds to it, less what each
    missing item is worth at least (with every other kind of work done everywhere). None if reductions are so large
    that a site counted by two items would leave less than nothing, where this does not hold.
    """
    from rtm_pipeline.priorities.kernels import gains_of, treat

    times_over = 2.0 if items.n_single < len(items) else 1.0
    if (model.reductions * times_over >= 1.0).any():
        return None
    arguments = (items.kind, items.row, items.indptr, items.cells, items.times)
    share = np.zeros_like(model.weight)
    for item in chosen:
        treat(int(item), 1.0, *arguments, model.weight, share)
    everything = np.arange(len(items), dtype=np.int64)
    values = (model.forecast.expected, model.reductions, model.weight)
    coefficient = gains_of(everything, *arguments, *values, share)
    full = np.where(model.weight > 0, times_over, 0.0)
    coefficient[chosen] = gains_of(chosen, *arguments, *values, full)
    return prevented - float(coefficient[chosen].sum()), coefficient


def upper_bound(
    items: Candidates,
    limits: Limits,
    coefficient: NDArray[np.float64],
    constant: float,
    chosen: NDArray[np.int64],
) -> Bound:
    """Maximize a linear function of the choice with fractions allowed; bounded over all items by its prices.

    Parameters
    ----------
    items : Candidates
    limits : Limits
    coefficient : ndarray of float64, shape (m,)
    constant : float
    chosen : ndarray of int64
        A choice within the limits: it starts the core.
    """
    rows = resources(limits)
    fixed = np.zeros(len(items), dtype=bool)
    fixed[chosen] = True
    distance = np.abs(coefficient - _line(items, coefficient, limits.budget) * items.cost)
    in_core = np.zeros(len(items), dtype=bool)
    in_core[np.argsort(distance, kind="stable")[:CORE_ITEMS]] = True
    best: Bound | None = None
    for _ in range(ROUNDS):
        _with_rivals(items, limits, in_core)
        core, kept = np.flatnonzero(in_core), np.flatnonzero(fixed & ~in_core)
        inside, prices = _core_program(items, limits, rows, coefficient, core, kept)
        bound = _lagrangian(items, limits, rows, coefficient, constant, prices)
        if best is None or bound.value < best.value:
            best = bound
        if best.value - (inside + constant) <= CLOSE * max(abs(best.value), 1e-12):
            break
        wrong = np.flatnonzero(((bound.reduced > 0) != fixed) & ~in_core)
        if wrong.size == 0:
            break
        in_core[wrong[np.argsort(-np.abs(bound.reduced[wrong]), kind="stable")[: 2 * CORE_ITEMS]]] = True
    if best is None:  # pragma: no cover - ROUNDS is positive
        raise RuntimeError("the relaxation was not solved once")
    return best


def _line(items: Candidates, coefficient: NDArray[np.float64], budget: float) -> float:
    """Gain per USD at which the money runs out if items are bought by it: the funding line."""
    density = coefficient / items.cost
    order = np.argsort(-density, kind="stable")
    at = int(np.searchsorted(np.cumsum(items.cost[order]), budget))
    return float(density[order[at]]) if at < order.size else 0.0


def _with_rivals(items: Candidates, limits: Limits, in_core: NDArray[np.bool_]) -> None:
    """Put into the core, in place, every item that shares a site with one of the core, and all of required sites."""
    n_sites = limits.must.size
    touched = limits.must.copy()
    site, _, position = items.expand(np.flatnonzero(in_core))
    touched[site] = True
    every_site, _, position = items.expand(np.arange(len(items), dtype=np.int64))
    hit = np.zeros(len(items), dtype=bool)
    hit[position[touched[every_site]]] = True
    if items.n_single == len(items):
        in_core |= hit
        return
    # a bundle brings its single sites along, so that fractions of both are priced together
    bundles = hit.copy()
    bundles[: items.n_single] = False
    more = np.zeros(n_sites, dtype=bool)
    more[items.expand(np.flatnonzero(bundles))[0]] = True
    hit[position[more[every_site]]] = True
    in_core |= hit


def _core_program(
    items: Candidates,
    limits: Limits,
    rows: Resources,
    coefficient: NDArray[np.float64],
    core: NDArray[np.int64],
    kept: NDArray[np.int64],
) -> tuple[float, NDArray[np.float64]]:
    """Value and resource prices of the linear program over the core, with the kept items bought."""
    from scipy.optimize import linprog
    from scipy.sparse import csr_array, vstack

    scale = np.maximum(np.abs(rows.right), 1.0)
    blocks = np.stack([rows.use(items, core, r) / scale[r] for r in range(rows.right.size)])
    site, _, position = items.expand(core)
    used, site_row = np.unique(site, return_inverse=True)
    count = np.bincount(site_row)
    required = limits.must[used]
    shared = (count > 1) & ~required
    once = csr_array((np.ones(site.size), (site_row, position)), shape=(used.size, core.size))
    left = rows.right - np.array([rows.use(items, kept, r).sum() for r in range(rows.right.size)])
    upper = vstack([csr_array(blocks), once[np.flatnonzero(shared)]], format="csr")
    right = np.concatenate([left / scale, np.ones(int(shared.sum()))])
    peak = max(float(np.abs(coefficient[core]).max(initial=0.0)), 1e-300)
    solve: Any = linprog  # the stubs know no sparse matrices
    solved = solve(
        -coefficient[core] / peak,
        A_ub=upper,
        b_ub=right,
        A_eq=once[np.flatnonzero(required)] if required.any() else None,
        b_eq=np.ones(int(required.sum())) if required.any() else None,
        bounds=(0.0, 1.0),
        method="highs",
    )
    if solved.status != 0:
        return -np.inf, np.zeros(rows.right.size)  # prices of zero still prove a (loose) bound
    prices = np.maximum(-solved.ineqlin.marginals[: rows.right.size], 0.0) * peak / scale
    return -float(solved.fun) * peak + float(coefficient[kept].sum()), prices


def _lagrangian(
    items: Candidates,
    limits: Limits,
    rows: Resources,
    coefficient: NDArray[np.float64],
    constant: float,
    prices: NDArray[np.float64],
) -> Bound:
    """Bound over all items at given prices: each site takes its best item, each block its bundle if that is better."""
    everything = np.arange(len(items), dtype=np.int64)
    price = np.zeros(len(items))
    for r in np.flatnonzero(prices > 0):
        price += prices[r] * rows.use(items, everything, int(r))
    reduced = coefficient - price
    n = items.n_single
    best = np.full(limits.must.size, -np.inf)
    np.maximum.at(best, items.site_idx[:n], reduced[:n])
    site_value = np.where(limits.must, best, np.maximum(best, 0.0))
    total = constant + float(prices @ rows.right) + float(site_value[np.isfinite(site_value)].sum())
    if n < len(items):
        within = np.add.reduceat(
            site_value[items.site_idx[items.site_ptr[n] :]], items.site_ptr[n:-1] - items.site_ptr[n]
        )
        excess = np.maximum(reduced[n:] - within, 0.0)
        per_block = np.zeros(int(items.block[n:].max()) + 1)
        np.maximum.at(per_block, items.block[n:], excess)
        total += float(per_block.sum())
    return Bound(total, price, reduced)
