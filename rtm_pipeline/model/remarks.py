"""What a reader of a fitted model should know about it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rtm_pipeline.model.candidates import candidates_of
from rtm_pipeline.model.design import Design
from rtm_pipeline.model.likelihood.cells import Cells
from rtm_pipeline.model.likelihood.families import family_named
from rtm_pipeline.model.likelihood.fit import FamilyFit, fit_family
from rtm_pipeline.model.likelihood.patterns import patterns_of
from rtm_pipeline.model.likelihood.sufficient import rows_of
from rtm_pipeline.model.moves import DroppedVariable
from rtm_pipeline.model.terrain import FittedTerrain

__all__ = ["STRONG_EVIDENCE", "fit_terms", "remarks", "separation_remarks"]

_RARE = 0.001
_NAMES_SHOWN = 5

STRONG_EVIDENCE = 10.0
"""Difference of BIC above which another family is pointed out (Kass & Raftery 1995: very strong)."""


def remarks(terrain: FittedTerrain, design: Design, cells: Cells) -> list[str]:
    """Sentences on a model without terms, counts without over-dispersion, and a variance that NB1 does not fit.

    Parameters
    ----------
    terrain : FittedTerrain
    design : Design
        What it was fitted to.
    cells : Cells
        Of the design.

    Returns
    -------
    list of str
    """
    found = []
    if terrain.is_null:
        found.append("No variable that can enter lowers BIC: the model has no terms, every place the same score.")
    if terrain.dispersion == 0.0:
        found.append(f"The counts are not over-dispersed: {terrain.family} with dispersion 0 is the Poisson model.")
    if terrain.family == "nb1" and terrain.dispersion:
        other = fit_terms(terrain, design, cells, "nb2")
        if other.bic < terrain.bic - STRONG_EVIDENCE:
            ours = np.array([term.coefficient for term in terrain.terms])
            largest = float(np.abs(np.exp(other.coefficients[1:] - ours) - 1.0).max(initial=0.0))
            found.append(
                f"NB2 with the same terms has a BIC lower by {terrain.bic - other.bic:.0f}: the variance grows faster "
                "than the mean, and NB1, which the method prescribes, then misstates strong risk values and their "
                f"intervals (the values of NB2 differ by up to {100 * largest:.0f} %). Consider family: nb2."
            )
    return found


def separation_remarks(dropped: Sequence[DroppedVariable], sign: int) -> list[str]:
    """A sentence on variables that mark all incidents, or none, beyond chance: no coefficient can say so.

    Parameters
    ----------
    dropped : sequence of DroppedVariable
        Variables without a finite coefficient of their own.
    sign : int
        Of the coefficients that were asked for; 0 for any.
    """
    rare = _RARE / max(len(dropped), 1)
    telling = sorted(item.variable for item in dropped if item.sign and item.sign * sign >= 0 and item.chance < rare)
    if not telling:
        return []
    more = f" and {len(telling) - _NAMES_SHOWN} more" if len(telling) > _NAMES_SHOWN else ""
    return [
        f"{', '.join(telling[:_NAMES_SHOWN])}{more}: all incidents lie on one side, which is no chance. The relative "
        "risk has no finite estimate, so the model leaves out what may matter most. Check that it is no copy of the "
        "outcome; else take a longer window."
    ]


def fit_terms(terrain: FittedTerrain, design: Design, cells: Cells, family: str) -> FamilyFit:
    """Fit the terms of a terrain with another family, in the terrain's order."""
    names = [term.variable.name for term in terrain.terms]
    candidates = candidates_of(design, names)
    position = {variable.name: i for i, variable in enumerate(candidates.variables)}
    patterns = patterns_of(cells, candidates, tuple(position[name] for name in names))
    return fit_family(rows_of(family_named(family), cells, patterns), cells.n_cells)
