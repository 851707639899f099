"""The portfolio: which sites, by which work, within a budget, with a bound on how much better one could be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ConfigError
from rtm_pipeline.priorities.benefit import BenefitModel
from rtm_pipeline.priorities.portfolio.bound import Bound, expansion, upper_bound
from rtm_pipeline.priorities.portfolio.candidates import Candidates
from rtm_pipeline.priorities.portfolio.greedy import Choice, greedy, violations
from rtm_pipeline.priorities.portfolio.limits import LEVELS, Limits
from rtm_pipeline.priorities.portfolio.polish import polish, repair

__all__ = ["Frontier", "Portfolio", "choose", "frontier", "own_gains"]


CLOSE_ENOUGH = 1e-3
"""A first bound this close to the portfolio is not worth a second one."""


@dataclass(frozen=True, slots=True)
class Portfolio:
    """A funded set.

    Attributes
    ----------
    items : ndarray of int64, shape (m,)
        Candidates in the order of their value.
    gains : ndarray of float64, shape (m,)
        Incidents a year that each adds to those before it.
    site, kind, item : ndarray of int64, shape (s,)
        Treated sites, the work at each, and the position in ``items`` that buys it.
    site_cost : ndarray of float64, shape (s,)
        USD, a bundle's cost divided among its sites.
    spent : float
        USD.
    prevented : float
        Expected incidents a year; the sum of ``gains``.
    bound : float
        No portfolio within the limits prevents more.
    gap : float
        ``(bound - prevented) / bound``, 0 where nothing can be prevented.
    rule : str
        Which ordering of the greedy won, and whether it was polished.
    unmet : tuple of str
        Minimum shares that could not be filled, in words.
    price : ndarray of float64, shape (all candidates,)
        The divisor of the winning ordering: draws of the uncertainty use the same rule.
    """

    items: NDArray[np.int64]
    gains: NDArray[np.float64]
    site: NDArray[np.int64]
    kind: NDArray[np.int64]
    item: NDArray[np.int64]
    site_cost: NDArray[np.float64]
    spent: float
    prevented: float
    bound: float
    gap: float
    rule: str
    unmet: tuple[str, ...]
    price: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Frontier:
    """What each budget buys.

    Attributes
    ----------
    budget, spent : ndarray of float64, shape (b,)
        USD.
    prevented : ndarray of float64, shape (b,)
        Incidents a year.
    n_sites : ndarray of int64, shape (b,)
    next_per_10k : ndarray of float64, shape (b,)
        Incidents a year that the next 10,000 USD prevent, from here to the next budget; NaN at the last.
    """

    budget: NDArray[np.float64]
    spent: NDArray[np.float64]
    prevented: NDArray[np.float64]
    n_sites: NDArray[np.int64]
    next_per_10k: NDArray[np.float64]


def own_gains(items: Candidates, own: NDArray[np.float64]) -> NDArray[np.float64]:
    """Incidents a year prevented by each item alone, float64, shape (m,).

    Parameters
    ----------
    items : Candidates
    own : ndarray of float64, shape (n_sites, K)
        From `BenefitModel.own_benefit`.
    """
    if len(items) == 0:
        return np.empty(0)
    per_site = own[items.site_idx, np.repeat(items.kind, np.diff(items.site_ptr))]
    if items.n_single == len(items):
        return np.asarray(per_site)
    # within a kind the benefit is linear: a bundle alone gains what its sites gain
    return np.asarray(np.add.reduceat(per_site, items.site_ptr[:-1]))


def choose(model: BenefitModel, items: Candidates, limits: Limits) -> Portfolio:
    """Fund the set that prevents most, as far as lazy greedy, shadow prices and an exact core find it.

    Parameters
    ----------
    model : BenefitModel
    items : Candidates
    limits : Limits

    Returns
    -------
    Portfolio

    Raises
    ------
    ConfigError
        Nothing can be bought at all, or required sites do not fit.
    """
    if len(items) == 0:
        may = int(model.sites.selectable.sum())
        if may:
            raise ConfigError(
                f"No site can be funded: {may:,} sites may be worked on, but no kind of work has a known cost. Give "
                "the costs of repair and the like under the registry's costs."
            )
        left = ", ".join(f"{reason} {count:,}" for reason, count in model.sites.excluded.items())
        raise ConfigError(
            f"No site can be funded: of {len(model.sites):,} sites none may be worked on (left out: {left or 'none'}). "
            "Look at the rules under eligible and at the registers."
        )
    own = own_gains(items, model.own_benefit())
    tries = {
        "gain per USD": (items.cost, greedy(model, items, limits, own)),
        "gain": (np.ones(len(items)), greedy(model, items, limits, own, price=np.ones(len(items)))),
    }
    rule = _best(tries)
    price, choice = tries[rule]
    if choice.unmet:
        mended = repair(model, items, limits, choice)
        if mended is not None:
            rule, choice = "exact program (minimum shares)", replace(mended, unmet=())
    for level, area in choice.unmet:
        limits = limits.without(level, area)
    bound = upper_bound(items, limits, own, 0.0, choice.items)
    dearest = float(bound.price.max(initial=0.0))
    if dearest > 1e-9 * float(own.max(initial=0.0)) and not choice.unmet and rule in tries:
        shadow = np.maximum(bound.price, 1e-6 * dearest)
        tries["gain per shadow price"] = (shadow, greedy(model, items, limits, own, price=shadow))
        rule = _best(tries)
        price, choice = tries[rule]
    polished = polish(model, items, limits, choice, bound.reduced)
    if polished is not choice:
        rule, choice = f"{rule}, polished", polished
    value = min(bound.value, _second_bound(model, items, limits, choice, bound))
    return _portfolio(items, limits, choice, value, rule, price)


def _best(tries: dict[str, tuple[NDArray[np.float64], Choice]]) -> str:
    """Fewest minimum shares unmet, then most prevented, then the order given."""
    return min(tries, key=lambda name: (len(tries[name][1].unmet), -tries[name][1].prevented))


def _second_bound(model: BenefitModel, items: Candidates, limits: Limits, choice: Choice, first: Bound) -> float:
    """The bound of the expansion around the choice; worth its time only where kinds of work overlap."""
    used = np.unique(items.kind)
    if used.size < 2 or first.value - choice.prevented <= CLOSE_ENOUGH * first.value:
        return np.inf
    linear = expansion(model, items, choice.items, choice.prevented)
    if linear is None:
        return np.inf
    return upper_bound(items, limits, linear[1], linear[0], choice.items).value


def _portfolio(
    items: Candidates, limits: Limits, choice: Choice, bound: float, rule: str, price: NDArray[np.float64]
) -> Portfolio:
    broken = violations(items, _without_unmet(limits, choice), choice.items)
    if broken:
        raise RuntimeError(f"A portfolio broke its own limits, which must not happen: {'; '.join(broken)}.")
    site, kind, item = items.expand(choice.items)
    size = (items.site_ptr[choice.items + 1] - items.site_ptr[choice.items]).astype(np.float64)
    prevented = choice.prevented
    return Portfolio(
        items=choice.items,
        gains=choice.gains,
        site=site,
        kind=kind,
        item=item,
        site_cost=(items.cost[choice.items] / size)[item],
        spent=float(items.cost[choice.items].sum()),
        prevented=prevented,
        bound=max(bound, prevented),
        gap=float(max(0.0, bound - prevented) / bound) if bound > 0 else 0.0,
        rule=rule,
        unmet=tuple(
            f"{LEVELS[level]} {limits.names[level][area] if area < len(limits.names[level]) else area}"
            for level, area in choice.unmet
        ),
        price=price,
    )


def _without_unmet(limits: Limits, choice: Choice) -> Limits:
    for level, area in choice.unmet:
        limits = limits.without(level, area)
    return limits


def frontier(
    model: BenefitModel,
    items: Candidates,
    limits: Limits,
    *,
    multiples: Sequence[float] = (0.1, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0),
) -> Frontier:
    """What other budgets would buy, by the plain greedy; shares scale with the budget, crew days stay.

    Budgets that can't pay for the required sites are left out.
    """
    own = own_gains(items, model.own_benefit())
    rows = []
    for multiple in sorted(multiples):
        scaled = replace(
            limits, budget=limits.budget * multiple, cap=limits.cap * multiple, floor=limits.floor * multiple
        )
        try:
            choice = greedy(model, items, scaled, own)
        except ConfigError:
            continue
        treated = items.expand(choice.items)[0].size
        rows.append((scaled.budget, float(items.cost[choice.items].sum()), choice.prevented, treated))
    budget, spent, prevented, sites = (
        (np.array(column) for column in zip(*rows, strict=True)) if rows else (np.empty(0),) * 4
    )
    step = np.diff(spent)
    slope = np.divide(np.diff(prevented), step, out=np.zeros_like(step), where=step > 0) * 10_000.0
    return Frontier(budget, spent, prevented, sites.astype(np.int64), np.append(slope, np.nan)[: budget.size])
