"""Proximal quasi-Newton for the lanes of a batch, to the exact optimality conditions.

A step solves the penalized problem for a quadratic model: sampled Hessian, exact gradient. The model only steers; a
lane is finished when its Karush-Kuhn-Tucker conditions hold at the exact gradient, and a lane that does not get there
is an error, never a quiet approximation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ModelError
from rtm_pipeline.model.penalized.curvature import Curvature
from rtm_pipeline.model.penalized.problem import LANES, Batch, Evaluation, Problem

__all__ = ["Penalty", "Solver", "State", "null_state", "start_state"]

MOST_PASSES = 300
PAIRS = 6
LEAST_DAMPING = 0.1
SWEEPS = 5000
INEXACT = 0.001
"""How exactly the quadratic model is solved, relative to the violation that it starts from."""
STRONG = 0.9
"""Columns whose gradient exceeds this share of the threshold enter the work with those that must."""
SLOW = 3
"""Passes at one penalty after which Hessians are sampled anew, and again after as many."""
OWN = 6
"""Passes at one penalty after which a lane gets a Hessian of its own."""


@dataclass(frozen=True, slots=True)
class Penalty:
    """``penalty * (alpha |b|_1 + (1 - alpha) / 2 |b|_2^2)`` with the signs that are allowed."""

    penalty: float
    alpha: float
    low: bool
    high: bool

    @property
    def l1(self) -> float:
        """Weight of the absolute values."""
        return self.penalty * self.alpha

    @property
    def l2(self) -> float:
        """Weight of half the squares."""
        return self.penalty * (1.0 - self.alpha)

    def cost(self, b: NDArray[np.float64]) -> NDArray[np.float64]:
        """Penalty of each lane; b has the intercept in row 0."""
        cost: NDArray[np.float64] = self.l1 * np.abs(b[1:]).sum(axis=0) + 0.5 * self.l2 * (b[1:] ** 2).sum(axis=0)
        return cost

    def pull(self, v: NDArray[np.float64]) -> NDArray[np.float64]:
        """How strongly a gradient pulls a zero coefficient towards the signs that are allowed."""
        pull: NDArray[np.float64] = np.maximum(v if self.high else 0.0, -v if self.low else 0.0)
        return pull

    def violation(self, b: NDArray[np.float64], gradient: NDArray[np.float64]) -> NDArray[np.float64]:
        """By how much each coefficient violates the optimality conditions, in units of the gradient."""
        v = gradient - self.l2 * b
        violation = np.where(b == 0.0, np.maximum(self.pull(v) - self.l1, 0.0), np.abs(v - self.l1 * np.sign(b)))
        violation[0] = np.abs(gradient[0])
        return violation


@dataclass(slots=True)
class State:
    """Where the lanes of a batch stand.

    Attributes
    ----------
    batch : Batch
    b : ndarray of float64, shape (K + 1, 8)
        Coefficients, the intercepts first.
    at : Evaluation
        Exact values at `b`.
    damping : ndarray of float64, shape (8,)
        By how much the diagonal of the Hessian is raised, relatively: after steps that went too far.
    curvatures : list of Curvature, length 8
        Approximate Hessian of each lane: shared by all, until a lane needs its own.
    steps, changes : list of ndarray of float64, shape (pairs, K + 1)
        For each lane the latest steps and by how much the negative gradient changed along them.
    violation : ndarray of float64, shape (8,)
        Violation of the optimality conditions at the last penalty, relative to ``penalty * alpha``.
    """

    batch: Batch
    b: NDArray[np.float64]
    at: Evaluation
    damping: NDArray[np.float64]
    curvatures: list[Curvature]
    steps: list[NDArray[np.float64]]
    changes: list[NDArray[np.float64]]
    violation: NDArray[np.float64]


def null_state(problem: Problem, batch: Batch, shared: Curvature) -> State:
    """Exact fit of the intercepts alone; every lane must have incidents and exposure."""
    b = np.zeros((problem.runs.n_columns + 1, LANES))
    exposure = problem.exposure_sums(batch)
    b[0, batch.used] = np.log(batch.incidents[batch.used] / exposure[batch.used])
    return start_state(problem, batch, b, shared)


def start_state(problem: Problem, batch: Batch, b: NDArray[np.float64], shared: Curvature) -> State:
    """Lanes at given coefficients; columns that do not vary in a lane are left out of it."""
    b = b.copy()
    b[1:][~batch.varies] = 0.0
    b[:, ~batch.used] = 0.0
    none = np.zeros((0, b.shape[0]))
    at = problem.evaluate(batch, b)
    return State(batch, b, at, np.zeros(LANES), [shared] * LANES, [none] * LANES, [none] * LANES, np.zeros(LANES))


class Solver:
    """Solves batches at one penalty after the other, each from where it stands.

    Parameters
    ----------
    problem : Problem
    shared : Curvature
        Approximate Hessian of all lanes that have none of their own; see `redraw`.
    tolerance : float
        Largest violation of the optimality conditions, relative to ``penalty * alpha``.
    """

    def __init__(self, problem: Problem, shared: Curvature, tolerance: float) -> None:
        self.problem = problem
        self.shared = shared
        self.tolerance = tolerance

    def redraw(self, state: State, lane: int, curvature: Curvature, more: NDArray[np.bool_] | None = None) -> None:
        """Sample a Hessian at the means of a lane, for the columns with coefficients other than zero, and `more`."""
        self.problem.evaluate(state.batch, state.b, mean_of=lane)
        needed = (state.b != 0).any(axis=1)
        curvature.draw(self.problem.mean, np.flatnonzero(needed if more is None else needed | more))

    def settle(self, state: State, penalty: Penalty, leads: bool = False, own: int = OWN) -> None:
        """Take steps until every lane satisfies the optimality conditions; `state` is changed in place.

        Parameters
        ----------
        state : State
        penalty : Penalty
        leads : bool
            Whether the shared Hessian may be sampled anew at the means of lane 0.
        own : int
            Passes after which lanes get Hessians of their own.

        Raises
        ------
        ModelError
            If a lane does not converge.
        """
        lanes = state.batch.used
        for passes in range(MOST_PASSES):
            violation = self._violation(state, penalty)
            worst = violation.max(axis=0) / penalty.l1
            unsettled = lanes & ~(worst <= self.tolerance)
            if not unsettled.any():
                state.violation = worst
                return
            if passes and passes % SLOW == 0:
                self._renew(state, penalty, violation, unsettled, leads and passes == SLOW, passes >= own)
            self._admit(state, penalty, violation, unsettled)
            self._accept(state, penalty, self._propose(state, penalty, unsettled, worst))
        raise ModelError(
            f"The penalized fit did not converge at penalty {penalty.penalty:.6g}: after {MOST_PASSES} steps the "
            f"optimality conditions are violated by {float(worst[lanes].max()):.3g} of the threshold, expected "
            f"{self.tolerance:.3g}. Drop columns that nearly repeat others, or use a smaller alpha."
        )

    def _violation(self, state: State, penalty: Penalty) -> NDArray[np.float64]:
        """Violations of the optimality conditions; columns that do not vary in a lane have none."""
        violation = penalty.violation(state.b, state.at.gradient)
        violation[1:][~state.batch.varies] = 0.0
        return violation

    def _admit(
        self, state: State, penalty: Penalty, violation: NDArray[np.float64], unsettled: NDArray[np.bool_]
    ) -> None:
        """Bring the columns into work that must move, and with them those that soon may."""
        must = (violation[:, unsettled] > 0).any(axis=1) | (state.b != 0).any(axis=1)
        for curvature in {id(c): c for c, needed in zip(state.curvatures, unsettled, strict=True) if needed}.values():
            known = np.zeros(must.size, np.bool_)
            known[curvature.columns] = True
            if (must & ~known).any():
                curvature.add(np.flatnonzero((must | self._near(state, penalty)) & ~known))

    def _near(self, state: State, penalty: Penalty) -> NDArray[np.bool_]:
        near: NDArray[np.bool_] = penalty.pull(state.at.gradient) > STRONG * penalty.l1
        near[1:] &= state.batch.varies
        return np.asarray(near[:, : state.batch.lanes].any(axis=1))

    def _renew(
        self,
        state: State,
        penalty: Penalty,
        violation: NDArray[np.float64],
        unsettled: NDArray[np.bool_],
        share: bool,
        own: bool,
    ) -> None:
        """Sample Hessians anew: the shared one where that is allowed and due, else those of the slow lanes.

        Where lanes differ much, as in small tables with more columns than cells, each gets its own.
        """
        more = (violation > 0).any(axis=1) | self._near(state, penalty)
        if share:
            self.redraw(state, 0, self.shared, more)
        for lane in np.flatnonzero(unsettled):
            if state.curvatures[lane] is not self.shared or own:
                state.curvatures[lane] = Curvature(self.problem.runs)
                self.redraw(state, int(lane), state.curvatures[lane], more)

    def _propose(
        self, state: State, penalty: Penalty, unsettled: NDArray[np.bool_], worst: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Minimize the quadratic models of the lanes that are not settled."""
        from rtm_pipeline.model.penalized.descent import descend

        batch = state.batch
        proposal = state.b.copy()

        def task(lane: int) -> None:
            curvature, gradient = state.curvatures[lane], state.at.gradient[:, lane]
            columns = curvature.columns
            incidents = np.concatenate([batch.incidents[lane : lane + 1], batch.column_incidents[:, lane]])
            diagonal = np.maximum(incidents / batch.size[lane] - gradient, 1e-300)
            H = curvature.hessian(diagonal, state.steps[lane], state.changes[lane])
            H[np.diag_indices_from(H)] *= 1.0 + state.damping[lane]
            free = np.concatenate([[True], batch.varies[:, lane]])[columns]
            b = state.b[columns, lane]
            signs = (penalty.low, penalty.high)
            close = max(0.03 * self.tolerance, INEXACT * min(1.0, float(worst[lane]))) * penalty.l1
            descend(H, gradient[columns], b, free, penalty.l1, penalty.l2, *signs, close, SWEEPS)
            proposal[columns, lane] = b

        self.problem.each(task, (int(lane) for lane in np.flatnonzero(unsettled)))
        return proposal

    def _accept(self, state: State, penalty: Penalty, proposal: NDArray[np.float64]) -> None:
        """Evaluate the proposal; lanes that it does not improve stay and take smaller steps next."""
        new = self.problem.evaluate(state.batch, proposal)
        before = penalty.cost(state.b) - state.at.loglik
        with np.errstate(invalid="ignore", over="ignore"):  # a step that leaves the range of numbers is no better
            after = penalty.cost(proposal) - new.loglik
        slack = 1e-12 * (np.abs(state.at.loglik) + state.batch.incidents / state.batch.size)
        better = after <= before + slack
        moved = (proposal != state.b).any(axis=0)
        for lane in np.flatnonzero(moved[: state.batch.lanes]):
            self._remember(state, proposal[:, lane] - state.b[:, lane], new.gradient[:, lane], int(lane))
        eased = np.where(state.damping > LEAST_DAMPING, state.damping / 4, 0.0)
        damping = np.where(better, eased, np.maximum(4 * state.damping, LEAST_DAMPING))
        state.damping = np.where(moved, damping, state.damping)
        state.b = np.where(better, proposal, state.b)
        state.at = Evaluation(
            np.where(better, new.loglik, state.at.loglik),
            np.where(better, new.outside_loglik, state.at.outside_loglik),
            np.where(better, new.gradient, state.at.gradient),
        )

    def _remember(self, state: State, step: NDArray[np.float64], gradient: NDArray[np.float64], lane: int) -> None:
        change = state.at.gradient[:, lane] - gradient
        if np.isfinite(change).all() and (step * change).sum() > 0.0:
            state.steps[lane] = np.vstack([state.steps[lane][-(PAIRS - 1) :], step])
            state.changes[lane] = np.vstack([state.changes[lane][-(PAIRS - 1) :], change])
