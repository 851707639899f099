"""The limits of a portfolio as arrays: money, crew days, shares of districts and neighborhoods, required sites."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ConfigError
from rtm_pipeline.priorities.benefit import BenefitModel
from rtm_pipeline.priorities.spec import BudgetSpec

__all__ = ["LEVELS", "Limits", "make_limits"]

LEVELS = ("district", "neighborhood")
TOLERANCE_USD = 1e-6


@dataclass(frozen=True, slots=True)
class Limits:
    """Right-hand sides of the portfolio's constraints.

    Attributes
    ----------
    budget : float
        USD.
    days : ndarray of float64, shape (K,)
        Crew days per kind, infinite where there is no limit.
    cap, floor : ndarray of float64, shape (2, A)
        Most and least USD per area and level (district, neighborhood); infinite and 0 where not limited.
    must : ndarray of bool, shape (n_sites,)
    names : tuple of tuple of str
        Names of the areas per level.
    """

    budget: float
    days: NDArray[np.float64]
    cap: NDArray[np.float64]
    floor: NDArray[np.float64]
    must: NDArray[np.bool_]
    names: tuple[tuple[str, ...], tuple[str, ...]]

    def without(self, level: int, area: int) -> Limits:
        """The same limits without the minimum of one area."""
        floor = self.floor.copy()
        floor[level, area] = 0.0
        return replace(self, floor=floor)


def make_limits(
    model: BenefitModel,
    budget: BudgetSpec,
    *,
    districts: Sequence[str] = (),
    neighborhoods: Sequence[str] = (),
) -> Limits:
    """Resolve a budget against the city's districts and neighborhoods.

    Raises
    ------
    ConfigError
        A share names an area that the city does not have.
    """
    names = (tuple(districts), tuple(neighborhoods))
    seen = [
        max(len(name), int(index.max(initial=-1)) + 1)
        for name, index in zip(names, (model.sites.district, model.sites.neighborhood), strict=True)
    ]
    width = max(1, *seen)
    cap = np.full((2, width), np.inf)
    floor = np.zeros((2, width))
    for share in budget.shares:
        level = LEVELS.index(share.level)
        if share.area not in names[level]:
            known = ", ".join(names[level][:8]) or "none"
            raise ConfigError(f"budget.shares names the {share.level} {share.area!r}; the city has: {known}.")
        area = names[level].index(share.area)
        floor[level, area] = share.minimum * budget.usd
        if share.maximum < 1.0:
            cap[level, area] = share.maximum * budget.usd
    must = np.zeros(len(model.sites), dtype=bool)
    must[model.sites.index_of(budget.must, "budget.must list")] = True
    days = np.array([budget.crew_days.get(kind.name, np.inf) for kind in model.kinds], dtype=np.float64)
    return Limits(float(budget.usd), days, cap, floor, must, names)
