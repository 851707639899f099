"""What treating sites prevents: effects of the study's unit, spread over its sites.

The reduction of cell *i* by kind of work *k* is ``e_k * c_ik``, where ``c_ik`` is the share of the k-eligible sites
within ``r_k`` of the cell that are treated; treating all gives ``e_k`` once. Kinds combine as
``1 - prod_k (1 - e_k * c_ik)``. The benefit of a set of treated sites is the sum over cells of expected incidents
times that reduction: monotone and submodular in the set, and linear within a kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ConfigError
from rtm_pipeline.grid.spec import StudyGrid
from rtm_pipeline.priorities.effects.registry import Registry
from rtm_pipeline.priorities.outcome import CellForecast
from rtm_pipeline.priorities.reach import Reach, reach
from rtm_pipeline.priorities.sites import TARGETS, Sites
from rtm_pipeline.priorities.spec import InterventionSpec

__all__ = ["BenefitModel", "Kind", "Simulation", "benefit_model", "make_kinds", "scale_radius", "simulate"]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of work with its numbers resolved.

    Attributes
    ----------
    name : str
    target : int
        Index into `sites.TARGETS`.
    effect : str
        Key of the registry.
    reduction : float
        Expected relative reduction, below 1.
    radius_u : float
    cost_usd : float or None
        Building and upkeep over the horizon; None where no cost is known.
    cost_basis : str
    crew_days : float
    min_unit_sites : int
    label : str
        What people call it; empty: the name says it.
    cost_key : str, optional
        Key of the cost in the registry.
    """

    name: str
    target: int
    effect: str
    reduction: float
    radius_u: float
    cost_usd: float | None
    cost_basis: str = "sourced"
    crew_days: float = 0.0
    min_unit_sites: int = 1
    label: str = ""
    cost_key: str | None = None

    @property
    def words(self) -> str:
        """Its name for people."""
        return self.label or self.name.replace("_", " ")


@dataclass(frozen=True, slots=True)
class BenefitModel:
    """Everything that decides what a set of treated sites prevents.

    Attributes
    ----------
    sites : Sites
    kinds : tuple of Kind, length K
    forecast : CellForecast
        Of the outcome that the kinds' evidence reads, incidents a year.
    reaches : tuple of Reach
        One per distinct radius.
    reach_of_kind : tuple of int, length K
    weight : ndarray of float64, shape (K, n_cells)
        What one treated site adds to the share of a cell: one over the number of k-eligible sites within reach of it,
        0 where there are none.
    allowed : ndarray of bool, shape (n_sites, K)
        Eligible sites of the kind's target.
    """

    sites: Sites
    kinds: tuple[Kind, ...]
    forecast: CellForecast
    reaches: tuple[Reach, ...]
    reach_of_kind: tuple[int, ...]
    weight: NDArray[np.float64]
    allowed: NDArray[np.bool_]

    @property
    def reductions(self) -> NDArray[np.float64]:
        """Expected reductions of the kinds, float64, shape (K,)."""
        return np.array([kind.reduction for kind in self.kinds], dtype=np.float64)

    def reach(self, kind: int) -> Reach:
        """Reach of all sites at the radius of a kind."""
        return self.reaches[self.reach_of_kind[kind]]

    def incidents_near(self, expected: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """Expected incidents a year within each kind's radius of each site, float64, shape (n_sites, K)."""
        values = self.forecast.expected if expected is None else expected
        by_reach = [row.sums(values) for row in self.reaches]
        return np.stack([by_reach[at] for at in self.reach_of_kind], axis=1)

    def own_benefit(
        self,
        expected: NDArray[np.float64] | None = None,
        reductions: NDArray[np.float64] | None = None,
    ) -> NDArray[np.float64]:
        """Incidents a year prevented by treating one site alone, by kind.

        Parameters
        ----------
        expected : ndarray of float64, shape (n_cells,), optional
            In place of the forecast's (a draw of it).
        reductions : ndarray of float64, shape (K,), optional
            In place of the kinds' (a draw of them).

        Returns
        -------
        ndarray of float64, shape (n_sites, K)
            0 where the site is not eligible for the kind.
        """
        values = self.forecast.expected if expected is None else expected
        e = self.reductions if reductions is None else reductions
        own = np.zeros((len(self.sites), len(self.kinds)), dtype=np.float64)
        alike: dict[tuple[int, int, int], tuple[NDArray[np.int64], NDArray[np.float64]]] = {}
        for k, kind in enumerate(self.kinds):
            # kinds on the same sites at the same radius differ in their reduction only
            group = (self.reach_of_kind[k], kind.target, kind.min_unit_sites)
            if group not in alike:
                rows = np.flatnonzero(self.allowed[:, k])
                alike[group] = (rows, self.reach(k).sums(values * self.weight[k], rows))
            rows, base = alike[group]
            own[rows, k] = base * e[k]
        return own

    def treated_share(self, site: NDArray[np.int64], kind: NDArray[np.int64]) -> NDArray[np.float64]:
        """Share of the eligible sites near each cell that (site, kind) pairs treat, float64, shape (K, n_cells)."""
        share = np.zeros_like(self.weight)
        for k in range(len(self.kinds)):
            near = self.reach(k)
            treated = np.zeros(len(self.sites), dtype=bool)
            treated[site[kind == k]] = True
            count = np.bincount(near.cells[np.repeat(treated, np.diff(near.indptr))], minlength=share.shape[1])
            share[k] = count * self.weight[k]
        return share


@dataclass(frozen=True, slots=True)
class Simulation:
    """What a set of treated sites prevents.

    Attributes
    ----------
    prevented : float
        Incidents a year.
    by_cell : ndarray of float64, shape (n_cells,)
        Incidents a year prevented in each cell.
    remaining : ndarray of float64, shape (n_cells,)
        Expected incidents a year that are left: the surface after the work.
    """

    prevented: float
    by_cell: NDArray[np.float64]
    remaining: NDArray[np.float64]


def make_kinds(
    specs: Sequence[InterventionSpec], registry: Registry, *, outcome: str, horizon_years: float
) -> tuple[tuple[Kind, ...], dict[str, str]]:
    """Resolve interventions against the registry.

    Parameters
    ----------
    specs : sequence of InterventionSpec
    registry : Registry
    outcome : str
        The subset whose prevention is counted; kinds whose evidence reads another are left out, with the reason.
    horizon_years : float
        Years of upkeep in the cost.

    Returns
    -------
    kinds : tuple of Kind
    left_out : dict of str to str
        Intervention -> why no benefit is computed for it.

    Raises
    ------
    ConfigError
        An optimistic scenario is named as the effect, or the effect works on another target.
    """
    kinds, left_out = [], {}
    for spec in specs:
        effect = registry.effect(spec.effect)
        if effect.evidence == "none found":
            left_out[spec.name] = f"evidence: none found ({spec.effect})"
            continue
        if effect.target != spec.target:
            raise ConfigError(
                f"Intervention {spec.name!r} works on a {spec.target}, but effect {spec.effect!r} was measured on a "
                f"{effect.target}. Choose another effect."
            )
        if effect.optimistic:
            raise ConfigError(
                f"Intervention {spec.name!r} uses {spec.effect!r}, which the registry marks as an optimistic scenario"
                f"{': ' + effect.applies_to if effect.applies_to else ''}. It may only be shown as a labeled scenario."
            )
        if effect.reads != outcome:
            left_out[spec.name] = f"its evidence ({spec.effect}) reads {effect.reads}, the programs count {outcome}"
            continue
        cost = registry.cost(spec.cost) if spec.cost is not None else None
        known = registry.defaults.get(spec.name)
        kinds.append(
            Kind(
                name=spec.name,
                target=TARGETS.index(spec.target),
                effect=spec.effect,
                reduction=float(registry.reduction(spec.effect) or 0.0),
                radius_u=spec.radius_u,
                cost_usd=None if cost is None else cost.over(horizon_years),
                cost_basis="none found" if cost is None else cost.basis,
                crew_days=spec.crew_days,
                min_unit_sites=spec.min_unit_sites,
                label=known.label if known is not None else "",
                cost_key=spec.cost,
            )
        )
    return tuple(kinds), left_out


def benefit_model(grid: StudyGrid, sites: Sites, forecast: CellForecast, kinds: Sequence[Kind]) -> BenefitModel:
    """Prepare the benefit of any set of sites.

    Parameters
    ----------
    grid : StudyGrid
    sites : Sites
    forecast : CellForecast
        On the cells of ``grid``.
    kinds : sequence of Kind
    """
    if forecast.n_cells != grid.n_cells:
        raise ConfigError(f"The forecast has {forecast.n_cells} cells, the grid {grid.n_cells}.")
    if any(not kind.reduction < 1.0 for kind in kinds):
        raise ConfigError("A relative reduction must lie below 1.")
    radii = sorted({kind.radius_u for kind in kinds})
    reaches = tuple(reach(grid, sites.x, sites.y, radius) for radius in radii)
    reach_of_kind = tuple(radii.index(kind.radius_u) for kind in kinds)
    allowed = np.zeros((len(sites), len(kinds)), dtype=bool)
    weight = np.zeros((len(kinds), grid.n_cells), dtype=np.float64)
    for k, kind in enumerate(kinds):
        allowed[:, k] = sites.eligible & (sites.target == kind.target)
        near = reaches[reach_of_kind[k]]
        mine = np.repeat(allowed[:, k], np.diff(near.indptr))
        count = np.bincount(near.cells[mine], minlength=grid.n_cells)
        some = count > 0
        weight[k, some] = 1.0 / np.maximum(count[some], kind.min_unit_sites)
    return BenefitModel(sites, tuple(kinds), forecast, reaches, reach_of_kind, weight, allowed)


def scale_radius(grid: StudyGrid, model: BenefitModel, factor: float) -> BenefitModel:
    """The same model with every influence radius multiplied by ``factor``: the sensitivity that is published."""
    kinds = tuple(replace(kind, radius_u=kind.radius_u * factor) for kind in model.kinds)
    return benefit_model(grid, model.sites, model.forecast, kinds)


def simulate(
    model: BenefitModel,
    site: NDArray[np.int64],
    kind: NDArray[np.int64],
    *,
    expected: NDArray[np.float64] | None = None,
    reductions: NDArray[np.float64] | None = None,
) -> Simulation:
    """What treating these sites prevents, straight from the definition.

    Parameters
    ----------
    model : BenefitModel
    site, kind : ndarray of int64, shape (m,)
        Positions of the treated sites, and by which kind of work each is treated.
    expected, reductions : optional
        As in `BenefitModel.own_benefit`.
    """
    if not model.allowed[site, kind].all():
        wrong = model.sites.site_id[site[~model.allowed[site, kind]]][:5]
        raise ConfigError(f"Sites {', '.join(map(str, wrong))} are not eligible for the work that they are given.")
    if np.unique(site).size < site.size:
        raise ConfigError("A site can be treated once only; the list names one twice.")
    values = model.forecast.expected if expected is None else expected
    e = model.reductions if reductions is None else reductions
    left = np.prod(1.0 - e[:, None] * model.treated_share(site, kind), axis=0)
    by_cell = values * (1.0 - left)
    return Simulation(float(by_cell.sum()), by_cell, values - by_cell)
