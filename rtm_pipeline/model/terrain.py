"""The fitted risk terrain: what each risk factor multiplies the expected count by, and the score of every cell."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.factors.spec import Variable
from rtm_pipeline.model.candidates import chosen_variables
from rtm_pipeline.model.design import Design
from rtm_pipeline.model.likelihood.fit import FamilyFit
from rtm_pipeline.model.selection import Selection, Step

__all__ = ["FittedTerrain", "Term", "terrain_of", "terrain_of_selection"]


@dataclass(frozen=True, slots=True)
class Term:
    """One risk factor in the model.

    Attributes
    ----------
    variable : Variable
        Operationalization and spatial influence.
    coefficient, se : float
        Logarithm of the RRV and its standard error (observed information).
    rrv_low, rrv_high : float or None
        Interval of the RRV given the selection; None without that bootstrap.
    rrv_low_unconditional, rrv_high_unconditional : float or None
        Interval that allows for the selection: a replicate that does not select the variable contributes 1.
    selection_frequency : float or None
        Share of replicates that select the variable.
    """

    variable: Variable
    coefficient: float
    se: float
    rrv_low: float | None = None
    rrv_high: float | None = None
    rrv_low_unconditional: float | None = None
    rrv_high_unconditional: float | None = None
    selection_frequency: float | None = None

    @property
    def rrv(self) -> float:
        """Relative risk value: exp(coefficient)."""
        return math.exp(self.coefficient)


@dataclass(frozen=True, slots=True)
class FittedTerrain:
    """The final model of counts.

    Attributes
    ----------
    family : str
        ``poisson``, ``nb1`` or ``nb2``.
    dispersion : float or None
        None for Poisson; 0 if the counts are not over-dispersed.
    dispersion_name, variance : str or None, str
        Its parametrization: ``sigma`` in ``mu + sigma * mu``, ``alpha`` in ``mu + alpha * mu**2``.
    intercept, intercept_se : float
        Logarithm of the expected count per unit of exposure where all variables are 0.
    terms : tuple of Term
        In the order in which they entered; none: no variable was worth its place.
    log_likelihood, deviance, aic, bic : float
        With all constants; deviance is -2 log L, as gamlss and RTMDx report it; both criteria count the dispersion.
    n_parameters, n_cells, n_events : int
    steps : tuple of Step
        How the selection got here.
    """

    family: str
    dispersion: float | None
    dispersion_name: str | None
    variance: str
    intercept: float
    intercept_se: float
    terms: tuple[Term, ...]
    log_likelihood: float
    deviance: float
    aic: float
    bic: float
    n_parameters: int
    n_cells: int
    n_events: int
    steps: tuple[Step, ...]

    @property
    def is_null(self) -> bool:
        """Whether the model has no terms: every place has the same risk."""
        return not self.terms

    def linear_predictor(self, design: Design) -> NDArray[np.float64]:
        """Sum of the coefficients of the variables that are 1, without intercept, float64, shape (n,).

        Raises
        ------
        ModelError
            If the design lacks a variable of the model.
        """
        coefficients = {term.variable.name: term.coefficient for term in self.terms}
        chosen_variables(design, coefficients)
        parts = []
        for block in design.blocks:
            used = [i for i, variable in enumerate(block.variables) if variable.name in coefficients]
            if used:
                names = [block.variables[i].name for i in used]
                by_state = block.bits[:, used] @ np.array([coefficients[name] for name in names])
                parts.append((min(names), by_state, block.codes))
        total = np.zeros(design.n_cells)
        for _, by_state, codes in sorted(parts, key=lambda part: part[0]):  # the same sums for any order of blocks
            total += by_state[codes]
        return total

    def relative_risk_scores(self, design: Design) -> NDArray[np.float64]:
        """Relative risk score of every cell, scaled so that the lowest of these cells has 1.

        Parameters
        ----------
        design : Design
            Of any vintage; must have the model's variables.

        Returns
        -------
        ndarray of float64, shape (n,)
            exp(sum of coefficients of the variables that are 1), divided by its minimum. With only aggravating
            terms the minimum is 1 already wherever some cell has none of them.

        Raises
        ------
        ModelError
            If the design lacks a variable of the model.
        """
        predictor = self.linear_predictor(design)
        scores: NDArray[np.float64] = np.exp(predictor - predictor.min())
        return scores

    def with_terms(self, terms: tuple[Term, ...]) -> FittedTerrain:
        """The same model with other particulars of its terms (intervals)."""
        return replace(self, terms=terms)


def terrain_of(
    fit: FamilyFit, variables: tuple[Variable, ...], n_events: int, steps: tuple[Step, ...] = ()
) -> FittedTerrain:
    """Assemble the terrain from a fit.

    Parameters
    ----------
    fit : FamilyFit
    variables : tuple of Variable
        In the order of the coefficients after the intercept.
    n_events : int
    steps : tuple of Step

    Returns
    -------
    FittedTerrain
    """
    terms = tuple(
        Term(variable, float(coefficient), float(se))
        for variable, coefficient, se in zip(variables, fit.coefficients[1:], fit.standard_errors[1:], strict=True)
    )
    return FittedTerrain(
        family=fit.family.name,
        dispersion=fit.dispersion,
        dispersion_name=fit.family.dispersion_name,
        variance=fit.family.variance,
        intercept=float(fit.coefficients[0]),
        intercept_se=float(fit.standard_errors[0]),
        terms=terms,
        log_likelihood=fit.log_likelihood,
        deviance=fit.deviance,
        aic=fit.aic,
        bic=fit.bic,
        n_parameters=fit.n_parameters,
        n_cells=fit.n_cells,
        n_events=n_events,
        steps=steps,
    )


def terrain_of_selection(selection: Selection, design: Design) -> FittedTerrain:
    """Assemble the terrain that a selection ended with."""
    by_name = {variable.name: variable for variable in design.variables}
    variables = tuple(by_name[name] for name in selection.terms)
    return terrain_of(selection.fit, variables, int(design.counts.sum()), selection.steps)
