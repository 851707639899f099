"""A risk factor and the ways in which nearness to it, or density of it, may matter."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rtm_pipeline.errors import ConfigError
from rtm_pipeline.units import Duration

__all__ = ["DENSITY", "OPERATIONALIZATIONS", "PROXIMITY", "FactorSpec", "Variable"]

PROXIMITY = "proximity"
DENSITY = "density"
OPERATIONALIZATIONS = (PROXIMITY, DENSITY, "both", "auto")


@dataclass(frozen=True, slots=True)
class FactorSpec:
    """How one layer becomes a risk factor.

    Attributes
    ----------
    name, layer : str
    operationalization : str
        ``proximity``, ``density``, ``both`` or ``auto``.
    bands_u : tuple of float
        The ladder of spatial influences, ascending, CRS units.
    categories : tuple of str
        Only these categories of the layer; empty: all.
    lookback : Duration, optional
        Only rows dated within this time before the vintage (311 of the last year); None: all that stand.
    unit : str
        ``incident``: rows of an event or request layer that belong to one incident are one feature, at the place of
        the first (victims of one shooting, reports of one broken door do not make it denser). ``row``: every row is
        a feature.
    smallest_density_cells : float
        Least bandwidth of a density in cells. A kernel narrower than the cell, taken at the cell's center, misses
        most of what lies in the cell, so such bands are left out for density, and reported.
    rare_cells : int
    rare_share : float
        A column is near-constant, and dropped, if its rarer value has fewer than ``max(rare_cells, rare_share * n)``
        of the n cells: no rate can be estimated from fewer.

    Raises
    ------
    ConfigError
        The operationalization is unknown, or the bands are not a rising ladder of lengths.
    """

    name: str
    layer: str
    operationalization: str
    bands_u: tuple[float, ...]
    categories: tuple[str, ...] = ()
    lookback: Duration | None = None
    unit: str = "incident"
    smallest_density_cells: float = 1.0
    rare_cells: int = 5
    rare_share: float = 1e-4

    def __post_init__(self) -> None:
        where = f"factors.{self.name}"
        if self.operationalization not in OPERATIONALIZATIONS:
            allowed = ", ".join(OPERATIONALIZATIONS)
            raise ConfigError(f"{where}.operationalization is {self.operationalization!r}; allowed: {allowed}.")
        if self.unit not in ("incident", "row"):
            raise ConfigError(f"{where}.unit is {self.unit!r}; allowed: incident, row.")
        rising = all(low < high for low, high in zip(self.bands_u, self.bands_u[1:], strict=False))
        if not self.bands_u or not rising or not all(band > 0 and math.isfinite(band) for band in self.bands_u):
            raise ConfigError(f"{where}: spatial influences must be rising positive lengths; found {self.bands_u}.")


@dataclass(frozen=True, slots=True)
class Variable:
    """One 0/1 column of the design.

    Attributes
    ----------
    name : str
        Unique; ``<factor>_<proximity|density>_<meters>m`` for spatial factors, the column's name for tables.
    factor : str
        The risk factor: at most one variable of a factor enters a model.
    operationalization : str or None
    spatial_influence_m : float or None
        Radius in meters.
    spatial_influence_u : float or None
        The same in CRS units.
    """

    name: str
    factor: str
    operationalization: str | None = None
    spatial_influence_m: float | None = None
    spatial_influence_u: float | None = None
