"""One row per neighborhood and council district: its risk, what stands there, and what should be done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rtm_pipeline.grid.spec import StudyGrid
from rtm_pipeline.priorities.benefit import BenefitModel, simulate
from rtm_pipeline.priorities.columns import AREAS, build_table
from rtm_pipeline.priorities.grants import describe_work
from rtm_pipeline.priorities.portfolio.portfolio import Portfolio
from rtm_pipeline.priorities.portfolio.ranking import SiteValues
from rtm_pipeline.priorities.why import Contributions, around_areas, words

__all__ = ["Areas", "area_table", "district_of_neighborhood"]

TOP_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Areas:
    """A partition of the city.

    Attributes
    ----------
    level : str
        ``neighborhood`` or ``district``.
    names : tuple of str, length a
    of_cell : ndarray of int32, shape (n_cells,)
        Area of each cell, -1 for none.
    of_site : ndarray of int32, shape (n_sites,)
    open_311 : ndarray of int64, shape (a,)
        Open requests.
    """

    level: str
    names: tuple[str, ...]
    of_cell: NDArray[np.int32]
    of_site: NDArray[np.int32]
    open_311: NDArray[np.int64]


def district_of_neighborhood(
    neighborhood: NDArray[np.int32], district: NDArray[np.int32], n_neighborhoods: int
) -> NDArray[np.int32]:
    """District that holds most cells of each neighborhood (the first, where equal); -1 for none; int32."""
    both = (neighborhood >= 0) & (district >= 0)
    width = int(district.max(initial=-1)) + 1
    if width == 0 or not both.any():
        return np.full(n_neighborhoods, -1, dtype=np.int32)
    pair = neighborhood[both].astype(np.int64) * width + district[both]
    count = np.bincount(pair, minlength=n_neighborhoods * width)[: n_neighborhoods * width]
    table = count.reshape(n_neighborhoods, width)
    return np.where(table.any(axis=1), table.argmax(axis=1), -1).astype(np.int32)


def area_table(
    grid: StudyGrid,
    areas: Areas,
    model: BenefitModel,
    values: SiteValues,
    whole: NDArray[np.float64],
    *,
    districts: Sequence[str] = (),
    district: NDArray[np.int32] | None = None,
    risk: NDArray[np.float64] | None = None,
    contributions: Contributions | None = None,
    portfolio: Portfolio | None = None,
    with_benefit: bool = True,
    grant_rank: Sequence[int | None] | None = None,
) -> pa.Table:
    """Roll everything up by area, in the order of the areas' names list.

    Parameters
    ----------
    grid : StudyGrid
    areas : Areas
    model : BenefitModel
    values : SiteValues
    whole : ndarray of float64, shape (n_cells,)
        Expected incidents a year of the whole outcome.
    districts, district : optional
        Names of districts, and the district of each area (for neighborhoods).
    risk : ndarray of float64, shape (n_cells,), optional
        Relative risk score.
    contributions : Contributions, optional
    portfolio : Portfolio, optional
    with_benefit : bool
    grant_rank : sequence of int or None, length a, optional
    """
    n = len(areas.names)
    km2 = (grid.spec.cell_size_m / 1000.0) ** 2
    area_km2 = _sum(areas.of_cell, grid.exposure * km2, n)
    expected = _sum(areas.of_cell, whole, n)
    sites = model.sites
    lots, buildings = (_count(areas.of_site[sites.eligible & (sites.target == target)], n) for target in (0, 1))
    risk_mean, high = _risk(grid, areas, risk)
    factors = [""] * n
    if contributions is not None:
        factors = words(*around_areas(contributions, areas.of_cell, n, whole))
    home_names = [
        districts[district[a]] if district is not None and 0 <= district[a] < len(districts) else "" for a in range(n)
    ]
    return build_table(
        AREAS,
        {
            "area": list(areas.names),
            "level": [areas.level] * n,
            "district": home_names,
            "cells": _count(areas.of_cell, n),
            "area_km2": area_km2,
            "risk_mean": risk_mean,
            "risk_high_share": high,
            "expected_incidents": expected,
            "expected_per_km2": _ratio(expected, area_km2),
            "lots": lots,
            "buildings": buildings,
            "selectable_sites": _count(areas.of_site[sites.selectable], n),
            "open_311": areas.open_311,
            "top_factors": factors,
            "recommended_work": _work(areas, model, values, portfolio),
            **_benefits(areas, model, values, portfolio, with_benefit),
            "grant_rank": [None] * n if grant_rank is None else list(grant_rank),
        },
    )


def _risk(
    grid: StudyGrid, areas: Areas, risk: NDArray[np.float64] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Area-weighted mean of the relative risk score, and the share of the area that is among the top 5 % of cells."""
    n = len(areas.names)
    if risk is None:
        return np.full(n, np.nan), np.full(n, np.nan)
    size = _sum(areas.of_cell, grid.exposure, n)
    cut = np.sort(risk)[::-1][max(round(TOP_SHARE * risk.size) - 1, 0)]
    mean = _ratio(_sum(areas.of_cell, risk * grid.exposure, n), size)
    return mean, _ratio(_sum(areas.of_cell, (risk >= cut) * grid.exposure, n), size)


def _benefits(
    areas: Areas, model: BenefitModel, values: SiteValues, portfolio: Portfolio | None, with_benefit: bool
) -> dict[str, object]:
    """What is funded in each area, what that prevents there, and what all possible work would."""
    n = len(areas.names)
    potential, prevented = np.full(n, np.nan), np.full(n, np.nan)
    if with_benefit:
        every = np.flatnonzero(model.sites.selectable & (values.action >= 0))
        potential = _sum(areas.of_cell, simulate(model, every, values.action[every]).by_cell, n)
    usd, sites = np.zeros(n), np.zeros(n, dtype=np.int64)
    if portfolio is not None:
        home = areas.of_site[portfolio.site]
        usd, sites = _sum(home, portfolio.site_cost, n), _count(home, n)
        prevented = _sum(areas.of_cell, simulate(model, portfolio.site, portfolio.kind).by_cell, n)
    return {
        "funded_sites": sites,
        "funded_usd": usd,
        "expected_prevented": prevented,
        "potential_prevented": potential,
    }


def _work(areas: Areas, model: BenefitModel, values: SiteValues, portfolio: Portfolio | None) -> list[str]:
    """Funded work of each area, or what the recommended work at its selectable sites would be."""
    words_of = []
    every = np.flatnonzero(model.sites.selectable & (values.action >= 0))
    for a in range(len(areas.names)):
        funded = portfolio.kind[areas.of_site[portfolio.site] == a] if portfolio is not None else np.empty(0, np.int64)
        if funded.size:
            words_of.append(f"funded: {describe_work(funded, model.kinds)}")
            continue
        possible = describe_work(values.action[every[areas.of_site[every] == a]], model.kinds)
        words_of.append(f"possible: {possible}" if possible else "")
    return words_of


def _sum(index: NDArray[np.int32], weights: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    inside = index >= 0
    return np.bincount(index[inside], weights=weights[inside], minlength=n).astype(np.float64)


def _count(index: NDArray[np.int32], n: int) -> NDArray[np.int64]:
    return np.bincount(index[index >= 0], minlength=n).astype(np.int64)


def _ratio(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    ratio = np.full(part.shape, np.nan)
    np.divide(part, whole, out=ratio, where=whole > 0)
    return ratio
