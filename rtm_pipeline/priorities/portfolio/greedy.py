"""The lazy greedy: required sites, then minimum shares within their areas, then the rest of the budget."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ConfigError
from rtm_pipeline.priorities.benefit import BenefitModel
from rtm_pipeline.priorities.portfolio.candidates import Candidates
from rtm_pipeline.priorities.portfolio.limits import LEVELS, TOLERANCE_USD, Limits

__all__ = ["Choice", "greedy", "replay", "violations"]


@dataclass(frozen=True, slots=True)
class Choice:
    """Items in the order in which they were taken.

    Attributes
    ----------
    items : ndarray of int64, shape (m,)
    gains : ndarray of float64, shape (m,)
        Incidents a year that each adds; they sum to what all prevent together.
    unmet : tuple of (level, area)
        Minimum shares that could not be filled.
    """

    items: NDArray[np.int64]
    gains: NDArray[np.float64]
    unmet: tuple[tuple[int, int], ...] = ()

    @property
    def prevented(self) -> float:
        """Incidents a year prevented by all."""
        return float(self.gains.sum())


class _Pass:
    """One run of the greedy: what has been used up so far, changed in place by the compiled passes."""

    def __init__(
        self,
        model: BenefitModel,
        items: Candidates,
        limits: Limits,
        price: NDArray[np.float64],
        values: NDArray[np.float64],
        reductions: NDArray[np.float64],
        share: NDArray[np.float64] | None,
    ) -> None:
        self.start = np.zeros_like(model.weight) if share is None else share
        self.model, self.items, self.limits = model, items, limits
        self.price, self.values, self.reductions = price, values, reductions
        self.clear()

    def clear(self) -> None:
        """Begin again with nothing chosen."""
        limits = self.limits
        self.share = self.start.copy()
        self.taken = np.zeros(len(self.model.sites), dtype=np.bool_)
        self.spent = np.zeros(1)
        self.days_used = np.zeros(len(self.model.kinds))
        self.area_spent = np.zeros_like(limits.cap)
        self.deficit = limits.floor.copy()
        self.owed = limits.floor.sum(axis=1)
        self.chosen = np.empty(len(self.items), dtype=np.int64)
        self.gains = np.empty(len(self.items))
        self.n = 0

    def take(
        self, queue: NDArray[np.int64], key: NDArray[np.float64], *, harm: bool = False, level: int = -1, area: int = -1
    ) -> None:
        """Take what fits of ``queue`` (descending in ``key``), until the minimum of (level, area) is met if given."""
        from rtm_pipeline.priorities.kernels import greedy_phase

        items, limits = self.items, self.limits
        self.n = greedy_phase(
            queue, key.copy(), self.price, harm, items.kind, items.row, items.indptr, items.cells, items.times,
            self.values, self.reductions, self.model.weight, items.cost, items.days, items.area, items.site_ptr,
            items.site_idx, self.share, self.taken, self.spent, self.days_used, self.area_spent, limits.budget,
            limits.days, limits.cap, self.deficit, self.owed, level, area, self.chosen, self.gains, self.n,
        )  # fmt: skip

    def take_best(self, key: NDArray[np.float64]) -> bool:
        """The plain case without sorting everything; whether that provably is what the full pass would take."""
        least = float(self.items.cost.min(initial=np.inf))
        enough = 2 * int(min(self.limits.budget / least, key.size)) + 2_000
        if enough >= key.size // 2:
            return False
        cut = float(np.partition(key, key.size - enough)[key.size - enough])
        queue = np.flatnonzero((key >= cut) & (key > 0))
        self.take(queue[np.argsort(-key[queue], kind="stable")], key)
        if self.spent[0] + least <= self.limits.budget + TOLERANCE_USD:
            return False
        taken = self.chosen[: self.n]
        return bool((self.gains[: self.n] / self.price[taken]).min(initial=np.inf) >= cut)

    def take_required(self, order: NDArray[np.int64], key: NDArray[np.float64]) -> None:
        """First the best work for each required site; if that does not fit, the cheapest."""
        items, must = self.items, self.limits.must
        queue = order[order < items.n_single]
        queue = queue[must[items.site_idx[items.site_ptr[queue]]]]
        self.take(queue, key, harm=True)
        if not self.taken[must].all():
            self.clear()
            by_cost = queue[np.lexsort((queue, items.cost[queue], items.site_idx[items.site_ptr[queue]]))]
            _, first = np.unique(items.site_idx[items.site_ptr[by_cost]], return_index=True)
            self.take(queue[np.isin(queue, by_cost[first])], key, harm=True)

    def take_minimums(self, order: NDArray[np.int64], key: NDArray[np.float64]) -> tuple[tuple[int, int], ...]:
        """Fill minimum shares within their areas; those that can't be filled are given up and returned."""
        unmet = []
        for level, area in zip(*np.nonzero(self.limits.floor > 0), strict=True):
            if self.deficit[level, area] > TOLERANCE_USD:
                queue = order[self.items.area[level, order] == area]
                self.take(queue, key, level=int(level), area=int(area))
            if self.deficit[level, area] > TOLERANCE_USD:
                unmet.append((int(level), int(area)))
                self.deficit[level, area] = 0.0
                self.owed[level] = self.deficit[level].sum()
        return tuple(unmet)


def greedy(
    model: BenefitModel,
    items: Candidates,
    limits: Limits,
    own: NDArray[np.float64],
    *,
    price: NDArray[np.float64] | None = None,
    expected: NDArray[np.float64] | None = None,
    reductions: NDArray[np.float64] | None = None,
    share: NDArray[np.float64] | None = None,
) -> Choice:
    """Take items by gain per price until nothing more fits.

    Parameters
    ----------
    model : BenefitModel
    items : Candidates
    limits : Limits
    own : ndarray of float64, shape (m,)
        Gain of each item alone (an upper bound of its gain at any time).
    price : ndarray of float64, shape (m,), optional
        What the gain is divided by: the cost, by default; or a cost made of shadow prices.
    expected, reductions : optional
        Draws in place of the model's numbers.
    share : ndarray of float64, shape (K, n_cells), optional
        Work that is done already.

    Raises
    ------
    ConfigError
        The required sites do not fit.
    """
    run = _Pass(
        model,
        items,
        limits,
        items.cost if price is None else price,
        np.ascontiguousarray(model.forecast.expected if expected is None else expected),
        np.ascontiguousarray(model.reductions if reductions is None else reductions),
        share,
    )
    key = own / run.price
    if not limits.must.any() and not (limits.floor > 0).any() and run.take_best(key):
        return Choice(run.chosen[: run.n].copy(), run.gains[: run.n].copy())
    run.clear()
    order = np.argsort(-key, kind="stable").astype(np.int64)
    if limits.must.any():
        run.take_required(order, key)
        left = np.flatnonzero(limits.must & ~run.taken)
        if left.size:
            shown = ", ".join(str(name) for name in model.sites.site_id[left][:5])
            raise ConfigError(
                f"The required sites (budget.must) do not fit: {left.size} are left out with {run.spent[0]:,.0f} of "
                f"{limits.budget:,.0f} USD spent, such as {shown}. Raise budget, crew days or shares, or require fewer."
            )
    positive = order[own[order] > 0]
    unmet = run.take_minimums(positive, key)
    run.take(positive, key)
    return Choice(run.chosen[: run.n].copy(), run.gains[: run.n].copy(), unmet)


def replay(model: BenefitModel, items: Candidates, chosen: NDArray[np.int64]) -> NDArray[np.float64]:
    """Gain of each item on top of those before it, float64, shape (m,)."""
    from rtm_pipeline.priorities.kernels import gains_of, treat

    share = np.zeros_like(model.weight)
    gains = np.empty(chosen.size)
    for position, item in enumerate(chosen):
        one = chosen[position : position + 1]
        gains[position] = gains_of(
            one, items.kind, items.row, items.indptr, items.cells, items.times, model.forecast.expected,
            model.reductions, model.weight, share,
        )[0]  # fmt: skip
        treat(int(item), 1.0, items.kind, items.row, items.indptr, items.cells, items.times, model.weight, share)
    return gains


def violations(items: Candidates, limits: Limits, chosen: NDArray[np.int64]) -> list[str]:
    """What a set of items breaks, in words; empty if it keeps within all limits (minimum shares included)."""
    found = []
    spent = items.cost[chosen].sum()
    if spent > limits.budget + 1e-3:
        found.append(f"money: {spent:,.2f} of {limits.budget:,.2f} USD")
    site, _, _ = items.expand(chosen)
    if np.unique(site).size < site.size:
        found.append("a site is treated twice")
    if limits.must.any() and not np.isin(np.flatnonzero(limits.must), site).all():
        found.append("a required site is missing")
    days = np.bincount(items.kind[chosen], weights=items.days[chosen], minlength=limits.days.size)
    found += [f"crew days of kind {k}: {days[k]:g}" for k in np.flatnonzero(days > limits.days + 1e-6)]
    for level, name in enumerate(LEVELS):
        area = items.area[level, chosen]
        placed = area >= 0
        used = np.bincount(area[placed], weights=items.cost[chosen][placed], minlength=limits.cap.shape[1])
        found += [f"most of {name} {a}: {used[a]:,.2f}" for a in np.flatnonzero(used > limits.cap[level] + 1e-3)]
        found += [f"least of {name} {a}: {used[a]:,.2f}" for a in np.flatnonzero(used < limits.floor[level] - 1e-3)]
    return found
