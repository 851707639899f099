"""What may be bought: single sites by kind of work, and blocks worked together at a lower cost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ConfigError
from rtm_pipeline.priorities.benefit import BenefitModel
from rtm_pipeline.priorities.spec import BudgetSpec, BundleSpec

__all__ = ["Candidates", "make_candidates"]


@dataclass(frozen=True, slots=True)
class Candidates:
    """Items of the portfolio, single sites first (by site, then kind), bundles after them.

    Attributes
    ----------
    kind : ndarray of int64, shape (m,)
    row : ndarray of int64, shape (m,)
        Row of (``indptr``, ``cells``, ``times``) that says which cells the item touches, and how many of its sites
        reach each.
    indptr, cells, times : ndarray of int64, int32, uint16
    cost, days : ndarray of float64, shape (m,)
        USD over the horizon, crew days.
    area : ndarray of int32, shape (2, m)
        District and neighborhood; -1 for none.
    site_ptr, site_idx : ndarray of int64
        Sites of each item.
    n_single : int
        Items before this one are single sites.
    block : ndarray of int64, shape (m,)
        Bundles with the same number share a site, so that at most one can be taken; -1 for single sites.
    """

    kind: NDArray[np.int64]
    row: NDArray[np.int64]
    indptr: NDArray[np.int64]
    cells: NDArray[np.int32]
    times: NDArray[np.uint16]
    cost: NDArray[np.float64]
    days: NDArray[np.float64]
    area: NDArray[np.int32]
    site_ptr: NDArray[np.int64]
    site_idx: NDArray[np.int64]
    n_single: int
    block: NDArray[np.int64]

    def __len__(self) -> int:
        return int(self.kind.size)

    def expand(self, items: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Sites of several items: (site, kind, position of the item in ``items``), each of shape (s,)."""
        lengths = self.site_ptr[items + 1] - self.site_ptr[items]
        position = np.repeat(np.arange(items.size, dtype=np.int64), lengths)
        starts = np.repeat(self.site_ptr[items] - np.concatenate(([0], np.cumsum(lengths)[:-1])), lengths)
        site = self.site_idx[starts + np.arange(position.size, dtype=np.int64)]
        return site, self.kind[items][position], position


@dataclass(frozen=True, slots=True)
class _Bundle:
    kind: int
    block: int
    sites: NDArray[np.int64]


def make_candidates(model: BenefitModel, budget: BudgetSpec) -> Candidates:
    """All items that a budget may buy: selectable sites by kinds whose cost is known, and bundles where configured.

    Parameters
    ----------
    model : BenefitModel
    budget : BudgetSpec

    Raises
    ------
    ConfigError
        A site that must (not) be chosen is not in the inventory, or can't be worked on at a known cost.
    """
    sites = model.sites
    can = model.allowed & sites.selectable[:, None]
    can[sites.index_of(budget.must_not, "budget.must_not list")] = False
    for k, work in enumerate(model.kinds):
        if work.cost_usd is None:
            can[:, k] = False
    must = sites.index_of(budget.must, "budget.must list")
    lost = must[~can[must].any(axis=1)]
    if lost.size:
        shown = ", ".join(f"{sites.site_id[s]} ({sites.reason[s] or 'no work with a known cost'})" for s in lost[:5])
        raise ConfigError(f"{lost.size} sites of budget.must can't be chosen: {shown}.")
    site, kind = np.nonzero(can)
    site, kind = site.astype(np.int64), kind.astype(np.int64)
    bundles = _bundles(model, can, budget.bundles) if budget.bundles is not None else []
    return _assemble(model, site, kind, bundles, budget.bundles)


def _bundles(model: BenefitModel, can: NDArray[np.bool_], spec: BundleSpec) -> list[_Bundle]:
    """Sites of one kind on one square block, district and neighborhood."""
    sites = model.sites
    tile = np.stack(
        [
            np.floor(sites.x / spec.side_u),
            np.floor(sites.y / spec.side_u),
            sites.district.astype(np.float64),
            sites.neighborhood.astype(np.float64),
            sites.target.astype(np.float64),
        ]
    )
    _, block = np.unique(tile, axis=1, return_inverse=True)
    block = np.asarray(block).reshape(-1)
    found = []
    for k in range(len(model.kinds)):
        mine = np.flatnonzero(can[:, k])
        order = mine[np.argsort(block[mine], kind="stable")]
        cuts = np.flatnonzero(np.diff(block[order])) + 1
        found += [
            _Bundle(k, int(block[group[0]]), group) for group in np.split(order, cuts) if group.size >= spec.min_sites
        ]
    return found


def _assemble(
    model: BenefitModel,
    site: NDArray[np.int64],
    kind: NDArray[np.int64],
    bundles: list[_Bundle],
    spec: BundleSpec | None,
) -> Candidates:
    n_sites = len(model.sites)
    # rows of all reaches one under the other, so that single sites of any radius share one table
    starts = np.concatenate(([0], np.cumsum([near.cells.size for near in model.reaches])))
    indptr = np.concatenate([near.indptr[:-1] + start for near, start in zip(model.reaches, starts, strict=False)])
    cells = [near.cells for near in model.reaches]
    times = [np.ones(int(starts[-1]), dtype=np.uint16)]
    reach_of = np.array(model.reach_of_kind, dtype=np.int64)
    row = reach_of[kind] * n_sites + site
    cost = np.array([item.cost_usd if item.cost_usd is not None else np.nan for item in model.kinds])
    days = np.array([item.crew_days for item in model.kinds], dtype=np.float64)
    pointers, at = [indptr], int(starts[-1])
    for bundle in bundles:
        near = model.reach(bundle.kind)
        touched = np.concatenate([near.cells[near.indptr[s] : near.indptr[s + 1]] for s in bundle.sites])
        unique, count = np.unique(touched, return_counts=True)
        if count.size and count.max() > np.iinfo(np.uint16).max:
            raise ConfigError("A bundle holds more sites than can be worked as one job; make the blocks smaller.")
        cells.append(unique)
        times.append(count.astype(np.uint16))
        pointers.append(np.array([at]))
        at += unique.size
    pointers.append(np.array([at]))
    n_rows = indptr.size
    sizes = np.array([bundle.sites.size for bundle in bundles], dtype=np.int64)
    b_kind = np.array([bundle.kind for bundle in bundles], dtype=np.int64)
    first = np.array([bundle.sites[0] for bundle in bundles], dtype=np.int64)
    less = 1.0 - (spec.discount if spec is not None else 0.0)
    area = np.stack([model.sites.district, model.sites.neighborhood]).astype(np.int32)
    return Candidates(
        kind=np.concatenate([kind, b_kind]),
        row=np.concatenate([row, n_rows + np.arange(len(bundles), dtype=np.int64)]),
        indptr=np.concatenate(pointers).astype(np.int64),
        cells=np.concatenate(cells).astype(np.int32),
        times=np.concatenate(times),
        cost=np.concatenate([cost[kind], cost[b_kind] * sizes * less]),
        days=np.concatenate([days[kind], days[b_kind] * sizes * less]),
        area=np.concatenate([area[:, site], area[:, first]], axis=1),
        site_ptr=np.concatenate([np.arange(site.size + 1), site.size + np.cumsum(sizes)]).astype(np.int64),
        site_idx=np.concatenate([site, *[bundle.sites for bundle in bundles]]).astype(np.int64),
        n_single=int(site.size),
        block=_share_a_site(bundles, site.size),
    )


def _share_a_site(bundles: list[_Bundle], n_single: int) -> NDArray[np.int64]:
    """Number bundles so that equal numbers have a site in common (and so exclude each other)."""
    number = np.full(n_single + len(bundles), -1, dtype=np.int64)
    common: dict[int, tuple[int, NDArray[np.int64]]] = {}
    for position, bundle in enumerate(bundles):
        known = common.get(bundle.block)
        shared = bundle.sites if known is None else np.intersect1d(known[1], bundle.sites)
        if known is not None and shared.size == 0:
            number[n_single + position] = len(bundles) + position  # no common site: on its own
            continue
        common[bundle.block] = (position if known is None else known[0], shared)
        number[n_single + position] = common[bundle.block][0]
    return number
