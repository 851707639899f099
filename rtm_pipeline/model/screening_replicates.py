"""Screening repeated at one penalty: under other weights of the cells, eight replicates at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ModelError
from rtm_pipeline.model.design import Design
from rtm_pipeline.model.penalized.curvature import Curvature
from rtm_pipeline.model.penalized.path import largest_penalty
from rtm_pipeline.model.penalized.problem import LANES, Problem
from rtm_pipeline.model.penalized.solver import Penalty, Solver, State, null_state, start_state
from rtm_pipeline.model.screening import KKT_TOLERANCE, Screening
from rtm_pipeline.model.screening_checks import (
    check_design,
    check_incidents,
    check_penalties,
    check_spec,
    check_weights,
    signs,
)
from rtm_pipeline.model.spec import ModelSpec

__all__ = ["Replicates", "screen_at"]

OWN = 15
"""Passes after which a replicate gets a Hessian of its own: replicates differ more than folds do, but there are many
of them, and a Hessian costs as much as two passes for each."""


@dataclass(frozen=True, slots=True)
class Replicates:
    """Penalized fits at one penalty.

    Attributes
    ----------
    penalty : float
    intercepts : ndarray of float64, shape (R,)
    coefficients : ndarray of float64, shape (R, K)
    kkt_violation : ndarray of float64, shape (R,)
        Relative to ``penalty * alpha``.
    """

    penalty: float
    intercepts: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    kkt_violation: NDArray[np.float64]

    @property
    def kept(self) -> NDArray[np.bool_]:
        """Whether each replicate keeps each variable, shape (R, K)."""
        return np.asarray(self.coefficients != 0.0)


def screen_at(
    design: Design,
    penalty: float,
    spec: ModelSpec,
    *,
    weights: NDArray[np.integer] | None = None,
    groups: NDArray[np.integer] | None = None,
    warm: Screening | None = None,
    tolerance: float = KKT_TOLERANCE,
    threads: int | None = None,
) -> Replicates:
    """Fit the penalized model at one penalty, for each of several weightings of the cells.

    The fits are those of `screen` with ``(1/n) sum_i`` replaced by ``sum_i w_i / sum_i w_i``. Replicates of a
    spatial-block bootstrap pass the block of each cell and how often each replicate drew each block.

    Parameters
    ----------
    design : Design
    penalty : float
        Positive.
    spec : ModelSpec
        `alpha` and `direction` are used.
    weights : ndarray of int, shape (R, n_groups), (R, n) or (n,), optional
        How often each replicate has each group of cells (each cell, without `groups`). One fit with weights of 1 if
        not given.
    groups : ndarray of int, shape (n,), optional
        Group of each cell, ``0 .. n_groups - 1``.
    warm : Screening, optional
        Of the same design: where the fits start. Saves the time to get there; the result does not depend on it beyond
        the tolerance.
    tolerance : float
        Largest violation of the optimality conditions, relative to ``penalty * alpha``.
    threads : int, optional
        All cores if not given. The result does not depend on it.

    Returns
    -------
    Replicates

    Raises
    ------
    ModelError
        If design, weights or settings can't be used, a replicate has no incidents, or a fit does not converge.
    """
    check_spec(spec)
    check_design(design)
    size = float(check_penalties(np.array([penalty]))[0])
    table, group = check_weights(weights, groups, design.n_cells)
    if warm is not None and warm.coefficients.size != len(design.variables):
        raise ModelError(
            f"The screening to start from has {warm.coefficients.size} variables, the design {len(design.variables)}. "
            "Pass the screening of this design."
        )
    low, high = signs(spec)
    wanted = Penalty(size, spec.alpha, low, high)
    with Problem(design, group, threads) as problem:
        solver, start = _full_fit(problem, table.shape[1], wanted, warm, tolerance)
        states = [
            _replicates(problem, solver, table[cut : cut + LANES], start.b[:, 0], wanted, cut)
            for cut in range(0, table.shape[0], LANES)
        ]
        b = np.hstack([state.b[:, state.batch.used] for state in states])
        violation = np.concatenate([state.violation[state.batch.used] for state in states])
        return Replicates(size, b[0] + problem.intercept_shift, np.ascontiguousarray(b[1:].T), violation)


def _full_fit(
    problem: Problem, n_groups: int, wanted: Penalty, warm: Screening | None, tolerance: float
) -> tuple[Solver, State]:
    """Fit of all cells, and a solver with a Hessian sampled there."""
    batch = problem.batch(np.ones((n_groups, 1)))
    shared = Curvature(problem.runs)
    solver = Solver(problem, shared, tolerance)
    if warm is None:
        state = null_state(problem, batch, shared)
        solver.redraw(state, 0, shared)
        largest = largest_penalty(state, wanted)
        halvings = int(np.ceil(np.log2(max(largest / wanted.penalty, 1.0))))
    else:
        b = np.zeros((problem.runs.n_columns + 1, LANES))
        b[0, 0] = warm.intercept - problem.intercept_shift
        b[1:, 0] = warm.coefficients
        state = start_state(problem, batch, b, shared)
        solver.redraw(state, 0, shared)
        halvings = 0
    for step in range(halvings, -1, -1):
        solver.settle(state, Penalty(wanted.penalty * 2.0**step, wanted.alpha, wanted.low, wanted.high), leads=True)
    solver.redraw(state, 0, shared)
    return solver, state


def _replicates(
    problem: Problem,
    solver: Solver,
    weights: NDArray[np.integer],
    start: NDArray[np.float64],
    wanted: Penalty,
    first: int,
) -> State:
    """Fit up to eight replicates, from the fit of all cells."""
    batch = problem.batch(weights.T.astype(np.float64))
    check_incidents([batch], "Replicate {0} of the batch that begins with replicate " + str(first))
    state = start_state(problem, batch, np.repeat(start[:, None], LANES, axis=1), solver.shared)
    solver.settle(state, wanted, own=OWN)
    return state
