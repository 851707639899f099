"""Improve a portfolio at its funding line: a small exact program over the items that are neither clearly in nor out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.priorities.benefit import BenefitModel
from rtm_pipeline.priorities.portfolio.bound import resources
from rtm_pipeline.priorities.portfolio.candidates import Candidates
from rtm_pipeline.priorities.portfolio.greedy import Choice, replay, violations
from rtm_pipeline.priorities.portfolio.limits import Limits

__all__ = ["polish", "repair"]

CORE_ITEMS = 300
REPAIR_ITEMS = 4_000
NODES = 500


def polish(
    model: BenefitModel, items: Candidates, limits: Limits, choice: Choice, reduced: NDArray[np.float64]
) -> Choice:
    """Exchange items near the funding line where that prevents more; the choice itself if it does not.

    Parameters
    ----------
    model : BenefitModel
    items : Candidates
    limits : Limits
        Without minimum shares that can't be met.
    choice : Choice
        Within the limits.
    reduced : ndarray of float64, shape (m,)
        Gain less shadow cost: the items with the smallest absolute value are exchanged.
    """
    core = np.sort(np.argsort(np.abs(reduced), kind="stable")[:CORE_ITEMS])
    return _exchange(model, items, limits, choice, core) or choice


def repair(model: BenefitModel, items: Candidates, limits: Limits, choice: Choice) -> Choice | None:
    """A choice that meets minimum shares which the greedy could not, if the exact program finds one."""
    if len(items) > REPAIR_ITEMS:
        return None
    empty = Choice(np.empty(0, dtype=np.int64), np.empty(0))
    found = _exchange(model, items, limits, empty, np.arange(len(items), dtype=np.int64))
    if found is None or violations(items, limits, found.items):
        return None
    return found


def _exchange(
    model: BenefitModel, items: Candidates, limits: Limits, choice: Choice, core: NDArray[np.int64]
) -> Choice | None:
    """Decide the core anew with the rest of the choice kept; None if that is no better or breaks a limit."""
    from rtm_pipeline.priorities.kernels import gains_of, treat

    arguments = (items.kind, items.row, items.indptr, items.cells, items.times)
    share = np.zeros_like(model.weight)
    for item in choice.items:
        treat(int(item), 1.0, *arguments, model.weight, share)
    kept = choice.items[~np.isin(choice.items, core)]
    taken = np.zeros(limits.must.size, dtype=bool)
    taken[items.expand(kept)[0]] = True
    site, _, position = items.expand(core)
    blocked = np.zeros(core.size, dtype=bool)
    blocked[position[taken[site]]] = True
    core = core[~blocked]
    if core.size == 0:
        return None
    # within a kind the benefit is linear, so these are the gains of leaving out as well as of adding
    gain = gains_of(core, *arguments, model.forecast.expected, model.reductions, model.weight, share)
    picked = _program(items, limits, core, kept, taken, gain)
    if picked is None:
        return None
    new = np.concatenate([kept, core[picked]])
    density = gain_density(model, items, new)
    new = new[np.argsort(-density, kind="stable")]
    gains = replay(model, items, new)
    if gains.sum() <= choice.prevented * (1 + 1e-12) or violations(items, limits, new):
        return None
    return replace(choice, items=new, gains=gains)


def gain_density(model: BenefitModel, items: Candidates, which: NDArray[np.int64]) -> NDArray[np.float64]:
    """Gain of each item alone per USD, float64, shape (len(which),)."""
    from rtm_pipeline.priorities.kernels import gains_of

    none = np.zeros_like(model.weight)
    own = gains_of(
        which, items.kind, items.row, items.indptr, items.cells, items.times, model.forecast.expected,
        model.reductions, model.weight, none,
    )  # fmt: skip
    return np.asarray(own / items.cost[which])


def _program(
    items: Candidates,
    limits: Limits,
    core: NDArray[np.int64],
    kept: NDArray[np.int64],
    taken: NDArray[np.bool_],
    gain: NDArray[np.float64],
) -> NDArray[np.bool_] | None:
    """The 0/1 program over the core, its limits less what the kept items use."""
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_array, vstack

    rows = resources(limits)
    scale = np.maximum(np.abs(rows.right), 1.0)
    use = np.stack([rows.use(items, core, r) / scale[r] for r in range(rows.right.size)])
    spent = np.array([rows.use(items, kept, r).sum() for r in range(rows.right.size)])
    site, _, position = items.expand(core)
    used, site_row = np.unique(site, return_inverse=True)
    once = csr_array((np.ones(site.size), (site_row, position)), shape=(used.size, core.size))
    least = np.where(limits.must[used] & ~taken[used], 1.0, 0.0)
    peak = max(float(np.abs(gain).max(initial=0.0)), 1e-300)
    solved = milp(
        -gain / peak,
        integrality=np.ones(core.size, dtype=np.int64),
        bounds=Bounds(0, 1),
        constraints=LinearConstraint(
            vstack([csr_array(use), once], format="csr"),
            np.concatenate([np.full(rows.right.size, -np.inf), least]),
            np.concatenate([(rows.right - spent) / scale, np.ones(used.size)]),
        ),
        # a limit on nodes, not on time: the same answer on every machine
        options={"mip_rel_gap": 1e-6, "node_limit": NODES},
    )
    return None if solved.x is None else np.asarray(solved.x > 0.5)
