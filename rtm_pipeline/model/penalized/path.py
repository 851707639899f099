"""The path of penalties: from the smallest that leaves nothing but the intercept, downwards."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.model.penalized.curvature import Curvature
from rtm_pipeline.model.penalized.problem import Batch, Problem
from rtm_pipeline.model.penalized.solver import Penalty, Solver, State, null_state

__all__ = ["Deviances", "Path", "Point", "largest_penalty", "penalty_path", "walk"]

PENALTIES = 100
PATIENCE = 10
"""The path ends this many penalties past the minimum of the cross-validated deviance."""
SATURATED = 0.999
FLAT = 1e-5
FLAT_STEPS = 5
NOISE = 1e-10
"""Gradients smaller than this share of the mean count are rounding."""


@dataclass(frozen=True, slots=True)
class Deviances:
    """What turns log-likelihoods into deviances.

    Attributes
    ----------
    constant : ndarray of float64, shape (k,)
        For each fold the sum of ``y log y - y - y log exposure``.
    """

    constant: NDArray[np.float64]

    def fitted(self, state: State) -> float:
        """Deviance of all cells at the coefficients of lane 0 of the first batch."""
        return 2.0 * float(self.constant.sum() - state.at.loglik[0] * state.batch.size[0])

    def held_out(self, states: list[State]) -> NDArray[np.float64]:
        """Mean deviance of each fold's cells at the coefficients that were found without them, shape (k,)."""
        held = np.concatenate([state.at.outside_loglik[: state.batch.lanes] for state in states])[1:]
        size = np.concatenate([state.batch.outside_size[: state.batch.lanes] for state in states])[1:]
        deviance: NDArray[np.float64] = 2.0 * (self.constant - held) / size
        return deviance


@dataclass(frozen=True, slots=True)
class Point:
    """One penalty of the path: full-data fit and held-out deviances."""

    penalty: float
    b: NDArray[np.float64]
    fold_deviance: NDArray[np.float64]
    explained: float
    violation: float


@dataclass(frozen=True, slots=True)
class Path:
    """All penalties that were fitted, and why the path ends."""

    points: tuple[Point, ...]
    stopped: str


def largest_penalty(state: State, penalty: Penalty) -> float:
    """Smallest penalty at which lane 0, standing at its null model, keeps every coefficient at zero; 0 if any does."""
    pull = penalty.pull(state.at.gradient[1:, 0])[state.batch.varies[:, 0]]
    largest = float(pull.max(initial=0.0))
    mean_count = float(state.batch.incidents[0] / state.batch.size[0])
    return largest / penalty.alpha if largest > NOISE * mean_count else 0.0


def penalty_path(largest: float, n_cells: int, n_columns: int) -> NDArray[np.float64]:
    """100 penalties, evenly spaced in the logarithm, to 1e-4 of the largest (1e-2 with more columns than cells)."""
    ratio = 1e-4 if n_cells >= n_columns else 1e-2
    path: NDArray[np.float64] = largest * ratio ** (np.arange(PENALTIES) / (PENALTIES - 1))
    return path


def walk(
    problem: Problem,
    batches: list[Batch],
    penalty: Penalty,
    penalties: NDArray[np.float64] | None,
    deviances: Deviances,
    tolerance: float,
) -> Path:
    """Fit full data and folds at one penalty after the other, each from where the last one ended.

    Parameters
    ----------
    problem : Problem
    batches : list of Batch
        Lane 0 of the first is the full data, the others leave one fold out each.
    penalty : Penalty
        Mixing and signs; its size is ignored.
    penalties : ndarray of float64, optional
        Descending, and all of them are fitted; `penalty_path` with early stops if not given.
    deviances : Deviances
    tolerance : float

    Returns
    -------
    Path
    """
    shared = Curvature(problem.runs)
    states = [null_state(problem, batch, shared) for batch in batches]
    solver = Solver(problem, shared, tolerance)
    solver.redraw(states[0], 0, shared)
    null = deviances.fitted(states[0])
    wanted = penalties
    if wanted is None:
        largest = largest_penalty(states[0], penalty)
        if largest == 0.0:
            point = Point(0.0, states[0].b[:, 0].copy(), deviances.held_out(states), 0.0, 0.0)
            return Path((point,), "no column is associated with the incidents in an allowed direction")
        wanted = penalty_path(largest, problem.runs.n_cells, problem.runs.n_columns)
    points: list[Point] = []
    for size in wanted:
        now = Penalty(float(size), penalty.alpha, penalty.low, penalty.high)
        for state in states:
            solver.settle(state, now, leads=state is states[0])
        explained = 1.0 - deviances.fitted(states[0]) / null if null > 0 else 0.0
        worst = max(float(state.violation[: state.batch.lanes].max()) for state in states)
        points.append(Point(now.penalty, states[0].b[:, 0].copy(), deviances.held_out(states), explained, worst))
        stopped = None if penalties is not None else _stop(points, batches)
        if stopped is not None:
            return Path(tuple(points), stopped)
    return Path(tuple(points), "all penalties were fitted")


def _stop(points: list[Point], batches: list[Batch]) -> str | None:
    """Why the path ends here, if it does."""
    size = np.concatenate([batch.outside_size[: batch.lanes] for batch in batches])[1:]
    deviance = np.array([float((point.fold_deviance * size).sum()) for point in points])
    if len(points) - 1 - int(deviance.argmin()) >= PATIENCE:
        return f"the cross-validated deviance has not fallen for {PATIENCE} penalties"
    explained = points[-1].explained
    if explained > SATURATED:
        return f"the model explains {explained:.4f} of the deviance"
    if len(points) >= FLAT_STEPS and explained - points[-FLAT_STEPS].explained < FLAT * explained:
        return f"the deviance explained has not risen for {FLAT_STEPS} penalties"
    return None
