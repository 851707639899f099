"""Bidirectional stepwise selection by BIC, from the model without terms.

At each step every admissible addition and every removal is considered and the one with the lowest BIC is taken; the
search ends when none lowers it. Admissible: at most one variable of a risk factor, no term of the wrong sign, all
coefficients finite and told apart from each other. BIC uses n = number of cells and counts the dispersion.

Ties (within 1e-6) go to a removal before an addition, then to the first name; candidates are sorted by name at the
start, so the result does not depend on the order of the columns. The shortcuts (pattern rows, batched fits, for
Poisson certified bounds) return what fitting every candidate to all cells would.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ModelError
from rtm_pipeline.model.candidates import Candidates
from rtm_pipeline.model.likelihood.cells import Cells
from rtm_pipeline.model.likelihood.families import Family
from rtm_pipeline.model.likelihood.fit import FamilyFit
from rtm_pipeline.model.likelihood.patterns import Patterns, null_patterns
from rtm_pipeline.model.likelihood.sufficient import add_listed
from rtm_pipeline.model.moves import TIE, DroppedVariable, Problem, additions, after, null_model, removals

__all__ = ["SIGNS", "DroppedVariable", "Selection", "Step", "select", "usable_candidates"]

SIGNS = {"aggravating": 1, "protective": -1, "both": 0}


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the search.

    Attributes
    ----------
    action : str
        ``start``, ``add`` or ``remove``.
    variable : str or None
        None for the start.
    log_likelihood, bic : float
        After the step.
    """

    action: str
    variable: str | None
    log_likelihood: float
    bic: float


@dataclass(frozen=True, slots=True)
class Selection:
    """The model that the search ended with.

    Attributes
    ----------
    family : Family
    terms : tuple of str
        Variables, in the order in which they entered.
    fit : FamilyFit
        Coefficients in the same order, after the intercept.
    steps : tuple of Step
    dropped : tuple of DroppedVariable
        Candidates without a finite or identifiable coefficient.
    n_fits : int
        Candidate models fitted.
    """

    family: Family
    terms: tuple[str, ...]
    fit: FamilyFit
    steps: tuple[Step, ...]
    dropped: tuple[DroppedVariable, ...]
    n_fits: int


def select(
    cells: Cells,
    candidates: Candidates,
    family: Family,
    direction: str = "aggravating",
    *,
    prune: bool = True,
    threads: int = 1,
) -> Selection:
    """Search the model with the lowest BIC by adding and removing one variable at a time.

    Parameters
    ----------
    cells : Cells
        At least one incident.
    candidates : Candidates
    family : Family
    direction : str
        ``aggravating`` (coefficients >= 0), ``protective`` (<= 0) or ``both``.
    prune : bool
        Leave out Poisson candidates that provably can't win. The result is the same without.
    threads : int
        The result does not depend on it.

    Returns
    -------
    Selection

    Raises
    ------
    ModelError
        If a fit does not converge, the direction is unknown, or there are no incidents.
    """
    if direction not in SIGNS:
        raise ModelError(f"There is no direction {direction!r}; choose one of {', '.join(SIGNS)}.")
    if cells.n_events == 0:
        raise ModelError("There are no incidents in any cell, so there is nothing to explain.")
    null = null_patterns(cells, candidates, threads=threads)
    usable, hopeless = usable_candidates(cells, candidates, null)
    problem = Problem(cells, candidates, usable, family, SIGNS[direction], prune, threads)
    model = null_model(problem, null)
    steps = [Step("start", None, model.fit.log_likelihood, model.fit.bic)]
    n_fits = 1
    while True:
        moves, dropped, fits = additions(problem, model)
        moves += removals(problem, model)
        n_fits += fits + len(model.patterns.terms)
        if not moves:
            break
        lowest = min(move.bic for move in moves)
        tied = [move for move in moves if move.bic <= lowest + TIE]
        best = min(tied, key=lambda move: (move.addition, move.name))
        model = after(problem, model, best)
        action = "add" if best.addition else "remove"
        steps.append(Step(action, best.name, model.fit.log_likelihood, model.fit.bic))
    terms = tuple(candidates.variables[term].name for term in model.patterns.terms)
    return Selection(family, terms, model.fit, tuple(steps), (*hopeless, *dropped), n_fits)


def usable_candidates(
    cells: Cells, candidates: Candidates, null: Patterns
) -> tuple[NDArray[np.bool_], tuple[DroppedVariable, ...]]:
    """Which candidates vary and have incidents on both sides, and why the others can't enter.

    Parameters
    ----------
    cells : Cells
    candidates : Candidates
    null : Patterns
        Of the model without terms.

    Returns
    -------
    usable : ndarray of bool, shape (n_candidates,)
    dropped : tuple of DroppedVariable
        Sorted by name.
    """
    from rtm_pipeline.model.likelihood.counting import expand

    on, off = np.zeros((candidates.size, 1)), np.zeros((candidates.size, 1))
    layers, nowhere = np.arange(len(candidates.widths)), np.zeros((0, 0))
    coding = (candidates.offsets, candidates.bits, candidates.columns, candidates.widths, layers)
    expand(null.modal, *coding, on, off)
    border, here = cells.times(cells.partial).astype(float), np.zeros(cells.partial.size, np.int64)
    add_listed(candidates, candidates.columns, layers, cells.partial, here, border, on, nowhere)
    inside = np.zeros((candidates.size, 1))
    counts, here = cells.times(cells.events, cells.counts[cells.events]).astype(float), np.zeros_like(cells.events)
    add_listed(candidates, candidates.columns, layers, cells.events, here, counts, inside, nowhere)
    busy = float(cells.times(cells.events).sum())
    found = [
        _hopeless(variable.name, int(size), int(events), cells, busy)
        for variable, size, events in zip(candidates.variables, on[:, 0], inside[:, 0], strict=True)
    ]
    return np.array([item is None for item in found], bool), tuple(item for item in found if item is not None)


def _hopeless(name: str, size: int, events: int, cells: Cells, busy: float) -> DroppedVariable | None:
    """Why a variable can't have a finite coefficient of its own; None where it can."""
    n, total = cells.n_cells, cells.n_events
    if size in (0, n):
        return DroppedVariable(name, f"it is {0 if size == 0 else 1} in every cell")
    if events == 0:
        reason = f"none of the {total} incidents lies in the {size} cells where it is 1, so its estimate is infinite"
        return DroppedVariable(name, reason, -1, (1.0 - size / n) ** busy)
    if events == total:
        reason = f"all {total} incidents lie in the {size} cells where it is 1, so its estimate is infinite"
        return DroppedVariable(name, reason, 1, (size / n) ** busy)
    return None
