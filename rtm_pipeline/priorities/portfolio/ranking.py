"""What each site is worth, which work it should get, and its place in the list."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.priorities.benefit import BenefitModel
from rtm_pipeline.priorities.portfolio.portfolio import Portfolio

__all__ = ["SiteValues", "alternatives", "rank_sites", "site_values"]


@dataclass(frozen=True, slots=True)
class SiteValues:
    """Numbers of each site's recommended work, float64, shape (n_sites,); NaN where there is none.

    Attributes
    ----------
    action : ndarray of int64
        Kind of work, -1 where no kind is for this site.
    incidents, incidents_read : ndarray
        Expected incidents a year within the radius: of the whole outcome, and of the part that evidence reads.
    prevented : ndarray
        Incidents a year that it prevents if treated alone.
    cost : ndarray
        USD over the horizon, as a single site.
    per_10k : ndarray
        Prevented over the horizon per 10,000 USD.
    """

    action: NDArray[np.int64]
    incidents: NDArray[np.float64]
    incidents_read: NDArray[np.float64]
    prevented: NDArray[np.float64]
    cost: NDArray[np.float64]
    per_10k: NDArray[np.float64]


def site_values(
    model: BenefitModel,
    whole: NDArray[np.float64],
    horizon_years: float,
    *,
    portfolio: Portfolio | None = None,
    with_benefit: bool = True,
) -> SiteValues:
    """Choose the recommended work at each site: what is funded, else the best value for money where all
    costs are known, else what prevents most.

    Parameters
    ----------
    model : BenefitModel
    whole : ndarray of float64, shape (n_cells,)
        Expected incidents a year of the whole outcome.
    horizon_years : float
    portfolio : Portfolio, optional
    with_benefit : bool
        False where no benefit can be computed: the first kind for the target, prevented NaN.
    """
    n, k = len(model.sites), len(model.kinds)
    every = np.arange(n)
    own = model.own_benefit() if with_benefit else np.zeros((n, k))
    cost = np.array([np.nan if kind.cost_usd is None else kind.cost_usd for kind in model.kinds])
    value = own * horizon_years * 10_000.0 / cost[None, :]
    if with_benefit:
        # value for money only where every kind at the site has a cost: a costly kind must not win for being priced
        priced = ~(np.isnan(cost)[None, :] & model.allowed).any(axis=1)
        score = np.where(priced[:, None], value, own)
        score[~model.allowed] = -np.inf
        action = np.argmax(score, axis=1)
    else:
        action = np.argmax(model.allowed, axis=1)
    action = np.where(model.allowed.any(axis=1), action, -1).astype(np.int64)
    if portfolio is not None:
        action[portfolio.site] = portfolio.kind
    some = action >= 0

    def pick(table: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(some, table[every, action], np.nan)

    nothing = np.full(n, np.nan)
    return SiteValues(
        action=action,
        incidents=pick(model.incidents_near(whole)),
        incidents_read=pick(model.incidents_near()) if with_benefit else nothing,
        prevented=pick(own) if with_benefit else nothing,
        cost=pick(np.broadcast_to(cost, (n, k))),
        per_10k=pick(value) if with_benefit else nothing,
    )


def rank_sites(values: SiteValues, which: NDArray[np.bool_], selectable: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Ranks from 1 among the sites ``which``; 0 for the others; int64, shape (n_sites,).

    Sites that may be worked on come first. Among them by value for money; sites without it after those with it, by
    what is prevented, then by expected incidents, then by id (sites are sorted by id).
    """
    at = np.flatnonzero(which)
    keys = [np.nan_to_num(-column[at], nan=np.inf) for column in (values.per_10k, values.prevented, values.incidents)]
    order = at[np.lexsort((at, keys[2], keys[1], keys[0], ~selectable[at]))]
    rank = np.zeros(which.size, dtype=np.int64)
    rank[order] = np.arange(1, order.size + 1)
    return rank


def alternatives(model: BenefitModel, action: NDArray[np.int64]) -> list[str]:
    """The kinds of work at each site beside the recommended one, in words; empty where there is no other.

    Parameters
    ----------
    model : BenefitModel
    action : ndarray of int64, shape (n_sites,)
        Recommended kind, -1 for none.
    """
    own = model.own_benefit()
    words: list[list[str]] = [[] for _ in range(len(model.sites))]
    for k, kind in enumerate(model.kinds):
        cost = "cost not known" if kind.cost_usd is None else f"{kind.cost_usd:,.0f} USD"
        for at in np.flatnonzero(model.allowed[:, k] & (action != k)).tolist():
            words[at].append(f"{kind.words}: {own[at, k]:.4f} a year, {cost}")
    return ["; ".join(parts) for parts in words]
