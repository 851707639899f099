"""How sure the funded set is: draws of effects and forecast, and how often each site is in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.priorities.benefit import BenefitModel
from rtm_pipeline.priorities.effects.draws import draw_reductions
from rtm_pipeline.priorities.effects.registry import Registry
from rtm_pipeline.priorities.portfolio.candidates import Candidates
from rtm_pipeline.priorities.portfolio.greedy import greedy
from rtm_pipeline.priorities.portfolio.limits import Limits
from rtm_pipeline.priorities.portfolio.portfolio import Portfolio, own_gains

__all__ = ["Uncertainty", "funding_uncertainty"]


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """What draws of the effects and of the forecast say.

    Attributes
    ----------
    draws : int
    level : float
    low, high : ndarray of float64, shape (n_sites,)
        Interval of what the recommended work at each site prevents alone, incidents a year; NaN where there is none.
    funded_probability : ndarray of float64, shape (n_sites,)
        Share of the draws in which the site is in the funded set; NaN without a budget.
    total_low, total_high : float
        Interval of what the funded set prevents, incidents a year; NaN without a budget.
    """

    draws: int
    level: float
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    funded_probability: NDArray[np.float64]
    total_low: float
    total_high: float


def funding_uncertainty(
    model: BenefitModel,
    registry: Registry,
    action: NDArray[np.int64],
    *,
    items: Candidates | None = None,
    limits: Limits | None = None,
    portfolio: Portfolio | None = None,
    draws: int = 200,
    level: float = 0.90,
    seed: int = 0,
) -> Uncertainty:
    """Draw effects and forecast together; in each draw take the interval's quantities and fund anew.

    Parameters
    ----------
    model : BenefitModel
    registry : Registry
    action : ndarray of int64, shape (n_sites,)
        Recommended kind of work at each site, -1 for none.
    items, limits, portfolio : optional
        With a budget: what may be bought, within what, and what was funded. Draws use the portfolio's ordering.
    draws : int
    level : float
    seed : int
    """
    n = len(model.sites)
    some = np.flatnonzero(action >= 0)
    effects = np.stack([draw_reductions(registry, kind.effect, draws, seed=seed) for kind in model.kinds], axis=1)
    rng = np.random.default_rng([seed, 1])
    benefit = np.empty((draws, some.size), dtype=np.float32)
    funded = np.zeros(n, dtype=np.int64)
    totals = np.empty(draws)
    with_budget = items is not None and limits is not None and portfolio is not None
    share = model.treated_share(portfolio.site, portfolio.kind) if portfolio is not None else None
    for d in range(draws):
        expected, e = model.forecast.draw(rng), effects[d]
        own = model.own_benefit(expected, e)
        benefit[d] = own[some, action[some]]
        if items is None or limits is None or portfolio is None or share is None:
            continue
        gains = own_gains(items, own)
        choice = greedy(model, items, limits, gains, price=portfolio.price, expected=expected, reductions=e)
        funded[items.expand(choice.items)[0]] += 1
        totals[d] = _prevented(expected, e, share)
    tails = [(1 - level) / 2, (1 + level) / 2]
    low, high = np.full(n, np.nan), np.full(n, np.nan)
    if draws and some.size:
        low[some], high[some] = _quantiles(benefit, tails)
    nothing = not (with_budget and draws)
    total = (np.nan, np.nan) if nothing else tuple(np.quantile(totals, tails))
    return Uncertainty(
        draws=draws,
        level=level,
        low=low,
        high=high,
        funded_probability=np.full(n, np.nan) if nothing else funded / draws,
        total_low=float(total[0]),
        total_high=float(total[1]),
    )


def _prevented(expected: NDArray[np.float64], reductions: NDArray[np.float64], share: NDArray[np.float64]) -> float:
    """What the funded set prevents in one draw, incidents a year."""
    left = np.ones(expected.size)
    for k in range(reductions.size):
        left *= 1.0 - reductions[k] * share[k]
    return float((expected * (1.0 - left)).sum())


def _quantiles(values: NDArray[np.float32], tails: list[float]) -> NDArray[np.float64]:
    """Quantiles by column, in slices of bounded memory; float64, shape (2, n)."""
    out = np.empty((2, values.shape[1]))
    for start in range(0, values.shape[1], 8192):
        stop = start + 8192
        out[:, start:stop] = np.quantile(values[:, start:stop].astype(np.float64), tails, axis=0)
    return out
