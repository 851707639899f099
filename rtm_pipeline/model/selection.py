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

from rtm_pipeline.errors import ModelError
from rtm_pipeline.model.candidates import Candidates
from rtm_pipeline.model.cells import Cells
from rtm_pipeline.model.families import Family, FamilyFit
from rtm_pipeline.model.moves import TIE, DroppedVariable, Problem, additions, after, null_model, removals
from rtm_pipeline.model.patterns import null_patterns

__all__ = ["SIGNS", "DroppedVariable", "Selection", "Step", "select"]

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
    usable, hopeless = _usable(cells, candidates)
    problem = Problem(cells, candidates, usable, family, SIGNS[direction], prune, threads)
    model = null_model(problem)
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


def _usable(cells: Cells, candidates: Candidates) -> tuple[np.ndarray, tuple[DroppedVariable, ...]]:
    """Which candidates vary and have incidents on both sides, and why the others can't enter."""
    usable = np.ones(candidates.size, bool)
    dropped = []
    counts = cells.times(cells.events, cells.counts[cells.events])
    total = cells.n_events
    sizes = null_patterns(cells, candidates).modal
    for layer, modal in zip(candidates.layers, sizes, strict=True):
        states = len(layer.bits)
        border = np.bincount(layer.codes[cells.partial], cells.times(cells.partial), states)
        on = (modal[0] + border) @ layer.bits
        inside = np.bincount(layer.codes[cells.events], counts, states) @ layer.bits
        for candidate, size, events in zip(layer.columns.tolist(), on, inside, strict=True):
            reason = _reason(int(size), cells.n_cells, int(events), total)
            if reason:
                usable[candidate] = False
                dropped.append(DroppedVariable(candidates.variables[candidate].name, reason))
    return usable, tuple(sorted(dropped, key=lambda item: item.variable))


def _reason(size: int, n_cells: int, events: int, total: int) -> str | None:
    if size in (0, n_cells):
        return f"it is {0 if size == 0 else 1} in every cell"
    if events == 0:
        return f"none of the {total} incidents lies in the {size} cells where it is 1, so its estimate is infinite"
    if events == total:
        return f"all {total} incidents lie in the {size} cells where it is 1, so its estimate is infinite"
    return None
