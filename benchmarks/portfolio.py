"""Benchmark of the portfolio: made sites on a grid of the size of St. Louis.

Run ``python benchmarks/portfolio.py`` (20,000 and 200,000 sites) or ``--sites N --budget USD [--bundles] [--shares]``.
Printed per stage: wall and CPU seconds; at the end the gap, the peak memory and, for comparison, what a plain 0/1
program over all items finds in the same time (``--milp``).
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from rtm_pipeline.grid.spec import GridSpec, StudyGrid
from rtm_pipeline.priorities.benefit import BenefitModel, benefit_model, make_kinds
from rtm_pipeline.priorities.effects.evidence import load_registry
from rtm_pipeline.priorities.effects.registry import Registry
from rtm_pipeline.priorities.outcome import CellForecast
from rtm_pipeline.priorities.portfolio.candidates import Candidates, make_candidates
from rtm_pipeline.priorities.portfolio.funding import funding_uncertainty
from rtm_pipeline.priorities.portfolio.limits import Limits, make_limits
from rtm_pipeline.priorities.portfolio.portfolio import choose, frontier, own_gains
from rtm_pipeline.priorities.sites import Sites, make_sites
from rtm_pipeline.priorities.spec import BudgetSpec, BundleSpec, InterventionSpec, ShareSpec

T = TypeVar("T")
DISTRICTS = [f"d{number}" for number in range(28)]


def interventions(registry: Registry) -> tuple[InterventionSpec, ...]:
    """The four kinds of work as the registry's defaults have them, at 500 ft; the grid is in feet."""
    found = [(name, registry.defaults[name]) for name in ("greening", "mowing", "repair", "demolition")]
    return tuple(InterventionSpec(name, work.target, work.effect, 500.0, work.cost) for name, work in found)


def made_city(n_sites: int, seed: int = 1) -> tuple[StudyGrid, Sites, CellForecast]:
    """An ellipse of 30,143 cells of 250 ft with smooth risk and clustered sites, 30 % of them buildings."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(seed)
    rows, cols = 260, 160
    y, x = np.mgrid[:rows, :cols]
    inside = ((y - 130) / 128) ** 2 + ((x - 80) / 75) ** 2 < 1
    flat = np.flatnonzero(inside.ravel()).astype(np.int32)
    spec = GridSpec("ESRI:102696", 0.3048006096012192, 250.0, 3000, 3500, rows, cols)
    grid = StudyGrid(spec, flat, np.ones(flat.size), np.zeros(flat.size, bool))
    risk = gaussian_filter(rng.gamma(0.3, 1, (rows, cols)), 4).ravel()[flat]
    risk *= 2500 / risk.sum()
    shape = risk * 8 + 0.2
    density = gaussian_filter(rng.gamma(0.2, 1, (rows, cols)), 6).ravel()[flat] ** 3
    cell = rng.choice(flat.size, n_sites, p=density / density.sum())
    sites = make_sites(
        [f"s{number:07d}" for number in range(n_sites)],
        grid.center_x_u[cell] + rng.uniform(-125, 125, n_sites),
        grid.center_y_u[cell] + rng.uniform(-125, 125, n_sites),
        (rng.random(n_sites) < 0.3).astype(np.int8),
        neighborhood=(cell // 400).astype(np.int32),
        district=np.minimum(cell // 1200, len(DISTRICTS) - 1).astype(np.int32),
    )
    return grid, sites, CellForecast("firearm", risk, shape=shape, rate=shape / risk)


def timed(what: str, work: Callable[[], T]) -> T:
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    print(f"  {what:<28}{time.perf_counter() - wall:8.2f} s wall {time.process_time() - cpu:8.2f} s CPU")
    return result


def run(n_sites: int, usd: float, *, bundles: bool, shares: bool, draws: int, milp: bool) -> None:
    print(f"{n_sites:,} sites, {usd:,.0f} USD{', bundles' if bundles else ''}{', shares' if shares else ''}")
    grid, sites, forecast = made_city(n_sites)
    registry = load_registry({"costs": {"repair_unknown": {"build_usd": 2500, "upkeep_usd_per_year": 0}}})
    kinds, _ = make_kinds(interventions(registry), registry, outcome="firearm", horizon_years=3)
    spread = (ShareSpec("district", "d3", 0.1, 0.5), ShareSpec("district", "d5", 0.1, 0.5))
    budget = BudgetSpec(
        usd=usd,
        bundles=BundleSpec(500.0) if bundles else None,
        shares=spread if shares else (),
        crew_days={"mowing": 1e9},
    )
    model = timed("incidence and benefit", lambda: benefit_model(grid, sites, forecast, kinds))
    items = timed("candidates", lambda: make_candidates(model, budget))
    limits = make_limits(model, budget, districts=DISTRICTS)
    portfolio = timed("portfolio with bound", lambda: choose(model, items, limits))
    timed("frontier of nine budgets", lambda: frontier(model, items, limits))
    action = np.where(sites.target == 0, 1, 2).astype(np.int64)
    timed(
        f"{draws} draws funded anew",
        lambda: funding_uncertainty(
            model, registry, action, items=items, limits=limits, portfolio=portfolio, draws=draws
        ),
    )
    print(
        f"  {len(items):,} items, {portfolio.site.size:,} sites funded, prevented {portfolio.prevented:.4f} a year, "
        f"bound {portfolio.bound:.4f}, gap {portfolio.gap:.4%} ({portfolio.rule})"
    )
    if milp:
        timed("peer: one 0/1 program", lambda: plain_program(model, items, limits))
    print(f"  peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def plain_program(model: BenefitModel, items: Candidates, limits: Limits) -> None:
    """The knapsack over all single gains as one program, stopped after ten seconds."""
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_array, vstack

    own = own_gains(items, model.own_benefit())
    site, _, position = items.expand(np.arange(len(items), dtype=np.int64))
    once = csr_array((np.ones(site.size), (site, position)), shape=(len(model.sites), len(items)))
    rows = vstack([csr_array(items.cost[None, :] / limits.budget), once], format="csr")
    solved = milp(
        -own,
        integrality=np.ones(own.size),
        bounds=Bounds(0, 1),
        constraints=LinearConstraint(rows, -np.inf, 1.0),
        options={"time_limit": 10.0, "mip_rel_gap": 1e-4},
    )
    found = "nothing" if solved.x is None else f"{-float(solved.fun):.4f} (linear objective)"
    print(f"  {'':<28}{found}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sites", type=int)
    parser.add_argument("--budget", type=float, default=1_000_000.0)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--bundles", action="store_true")
    parser.add_argument("--shares", action="store_true")
    parser.add_argument("--milp", action="store_true")
    given = parser.parse_args()
    made_city(100)  # imports
    warm = benefit_model(*made_city(100), make_kinds(
        interventions(load_registry()), load_registry(), outcome="firearm", horizon_years=3
    )[0])  # fmt: skip
    plain = BudgetSpec(usd=5_000.0)
    choose(warm, make_candidates(warm, plain), make_limits(warm, plain))  # compiled code comes from its cache
    cases = [(given.sites, given.budget)] if given.sites else [(20_000, 1_000_000.0), (200_000, 5_000_000.0)]
    for n_sites, usd in cases:
        run(n_sites, usd, bundles=given.bundles, shares=given.shares, draws=given.draws, milp=given.milp)


if __name__ == "__main__":
    main()
