"""The risk terrain as a surface: what each risk factor multiplies, cell by cell, read from the factors' codes.

Nothing here looks at where incidents were: a cell's score follows from the landscape alone, which is why only this
surface may be shown to the public cell by cell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ModelError
from rtm_pipeline.factors.factor import Factor
from rtm_pipeline.model.terrain import FittedTerrain, Term

__all__ = ["TerrainSurface", "terrain_surface"]


@dataclass(frozen=True, slots=True, eq=False)
class TerrainSurface:
    """Relative risk scores and what they are made of.

    Attributes
    ----------
    scores : ndarray of float64, shape (n,)
        Relative risk score, the lowest 1; NaN where a factor of the model is unknown.
    multipliers : ndarray of float32, shape (n, k)
        RRV of each term where its variable is 1, else 1; NaN where unknown.
    factors : tuple of str, length k
    base : float
        ``scores == base * multipliers.prod(axis=1)``; below 1 only if protective terms make it so.
    """

    scores: NDArray[np.float64]
    multipliers: NDArray[np.float32]
    factors: tuple[str, ...]
    base: float


def terrain_surface(terrain: FittedTerrain, factors: Mapping[str, Factor], n_cells: int) -> TerrainSurface:
    """Score every cell by the terms of a fitted terrain.

    Parameters
    ----------
    terrain : FittedTerrain
    factors : mapping of str to Factor
        Of the vintage at which the model is applied, with the cut-offs of the fit.
    n_cells : int

    Raises
    ------
    ModelError
        If a factor or a variable of the model is missing, or no cell knows all of them.
    """
    multipliers = np.ones((n_cells, len(terrain.terms)), np.float32)
    predictor = np.zeros(n_cells)
    for index, term in enumerate(terrain.terms):
        factor, column = _find(term, factors)
        by_state = np.where(factor.bits[:, column] == 1, term.coefficient, 0.0)
        step = by_state[factor.codes]
        if factor.known is not None:
            step = np.where(factor.known, step, np.nan)
        predictor += step
        multipliers[:, index] = np.exp(step)
    known = np.isfinite(predictor)
    if not known.any():
        raise ModelError(
            "No cell knows all factors of the model: their coverage has no cell in common. Leave the factor with the "
            "smallest coverage out."
        )
    lowest = float(predictor[known].min())
    names = tuple(term.variable.factor for term in terrain.terms)
    return TerrainSurface(np.exp(predictor - lowest), multipliers, names, float(np.exp(-lowest)))


def _find(term: Term, factors: Mapping[str, Factor]) -> tuple[Factor, int]:
    factor = factors.get(term.variable.factor)
    if factor is None:
        raise ModelError(
            f"The model has the factor {term.variable.factor!r}, which is not among those to apply it with "
            f"({', '.join(factors) or 'none'})."
        )
    for column, variable in enumerate(factor.variables):
        if variable.name == term.variable.name:
            return factor, column
    raise ModelError(
        f"The model has the variable {term.variable.name!r}, which the factor {factor.name!r} lacks at "
        f"{factor.known_at} (it has {', '.join(v.name for v in factor.variables) or 'none'}). Make it with the "
        "cut-offs of the fit."
    )
