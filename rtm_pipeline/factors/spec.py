"""A risk factor and the ways in which nearness to it, or density of it, may matter."""

from __future__ import annotations

from dataclasses import dataclass

from rtm_pipeline.units import Duration

__all__ = ["FactorSpec", "Variable"]


@dataclass(frozen=True, slots=True)
class FactorSpec:
    """How one layer becomes a risk factor.

    Attributes
    ----------
    name, layer : str
    categories : tuple of str
        Only these categories of the layer; empty: all.
    operationalization : str
        ``proximity``, ``density``, ``both`` or ``auto``.
    bands_u : tuple of float
        The ladder of spatial influences, ascending, CRS units.
    lookback : Duration, optional
        Only rows dated within this time before the vintage (311 of the last year); None: all that stand.
    """

    name: str
    layer: str
    operationalization: str
    bands_u: tuple[float, ...]
    categories: tuple[str, ...] = ()
    lookback: Duration | None = None


@dataclass(frozen=True, slots=True)
class Variable:
    """One 0/1 column of the design.

    Attributes
    ----------
    name : str
        Unique; ``<factor>_<proximity|density>_<meters>`` for spatial factors, the column's name for tables.
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
