"""The steps that a selection may take from a model: every admissible addition and removal, with its BIC."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ModelError
from rtm_pipeline.model.candidates import Candidates
from rtm_pipeline.model.likelihood.cells import Cells
from rtm_pipeline.model.likelihood.families import Family
from rtm_pipeline.model.likelihood.fit import FamilyFit, fit_family
from rtm_pipeline.model.likelihood.patterns import Patterns, add_term, drop_term
from rtm_pipeline.model.likelihood.separation import SUSPICIOUS, estimate_exists
from rtm_pipeline.model.likelihood.sufficient import Rows, Splits, rows_of, splits_of
from rtm_pipeline.model.workers import in_order, slices

__all__ = ["TIE", "DroppedVariable", "Model", "Move", "Problem", "additions", "after", "null_model", "removals"]

TIE = 1e-6
"""BICs closer than this are tied; a step must lower BIC by more."""

_BOUND_SLACK = 1e-4  # twice nats, for the last digits of the fit that the bounds start from
_FIRST_FITS = 4
_MOST_NUMBERS = 20_000_000  # of candidates' shares that are held at once
_SMALL_BATCH = 20_000  # row fits below which threads cost more than they save
INFINITE = "its coefficient has no finite estimate beside the chosen terms (complete separation)"
ALIASED = "it is a linear combination of the chosen terms"


@dataclass(frozen=True, slots=True)
class DroppedVariable:
    """A variable that could not enter, and why.

    Attributes
    ----------
    variable : str
    reason : str
    sign : int
        1 where all incidents lie in its cells, -1 where none does, else 0.
    chance : float
        That this would be so were the cells with incidents any cells.
    """

    variable: str
    reason: str
    sign: int = 0
    chance: float = 1.0


@dataclass(frozen=True, slots=True)
class Problem:
    """What stays the same during a selection.

    Attributes
    ----------
    cells : Cells
    candidates : Candidates
    usable : ndarray of bool, shape (n_candidates,)
        Not constant, and with incidents both inside and outside.
    family : Family
    sign : int
        1: coefficients must be >= 0, -1: <= 0, 0: any.
    prune : bool
        Leave out Poisson candidates that provably can't win.
    threads : int
    """

    cells: Cells
    candidates: Candidates
    usable: NDArray[np.bool_]
    family: Family
    sign: int
    prune: bool
    threads: int


@dataclass(frozen=True, slots=True)
class Model:
    """A model on the way: its patterns, their statistics and the fit."""

    patterns: Patterns
    rows: Rows
    fit: FamilyFit


@dataclass(frozen=True, slots=True)
class Move:
    """An admissible step that lowers BIC.

    Attributes
    ----------
    bic : float
        After the step.
    addition : bool
    name : str
        Of the variable.
    index : int
        Of the candidate (addition) or of the term (removal).
    coefficients : ndarray of float64
    phi : float
        Dispersion.
    """

    bic: float
    addition: bool
    name: str
    index: int
    coefficients: NDArray[np.float64]
    phi: float


def null_model(problem: Problem, patterns: Patterns) -> Model:
    """The model without terms; ``patterns`` are those without terms."""
    return _model(problem, patterns, None, None)


def after(problem: Problem, model: Model, move: Move) -> Model:
    """The model that a step leads to."""
    if move.addition:
        patterns = add_term(model.patterns, problem.cells, problem.candidates, move.index, threads=problem.threads)
    else:
        patterns = drop_term(model.patterns, move.index)
    return _model(problem, patterns, move.coefficients, move.phi)


def _model(problem: Problem, patterns: Patterns, start: NDArray[np.float64] | None, phi: float | None) -> Model:
    rows = rows_of(problem.family, problem.cells, patterns)
    return Model(patterns, rows, fit_family(rows, problem.cells.n_cells, start, phi))


def removals(problem: Problem, model: Model) -> list[Move]:
    """Every removal that lowers BIC and leaves no wrong sign."""
    from rtm_pipeline.model.likelihood.newton import CONVERGED, empty_fits, fit_removals

    fit, terms = model.fit, model.patterns.terms
    if not terms:
        return []
    out = empty_fits(len(terms), fit.coefficients.size - 1)
    fit_removals(model.rows.arrays, fit.coefficients, fit.dispersion or 0.0, out)
    names = [problem.candidates.variables[term].name for term in terms]
    if (out.status != CONVERGED).any():
        name = names[int(np.argmax(out.status != CONVERGED))]
        raise ModelError(f"The fit without {name} did not converge (family {problem.family.name}).")
    bic = _bic(problem, out.total + model.rows.constant, out.beta.shape[1])
    lower = (bic < fit.bic - TIE) & ~_wrong_sign(problem, out.beta)
    return [
        Move(float(bic[i]), False, names[i], i, out.beta[i], float(out.phi[i])) for i in np.flatnonzero(lower).tolist()
    ]


def additions(problem: Problem, model: Model) -> tuple[list[Move], list[DroppedVariable], int]:
    """The additions that lower BIC, the best and all tied with it among them.

    Parameters
    ----------
    problem : Problem
    model : Model

    Returns
    -------
    moves : list of Move
    dropped : list of DroppedVariable
        Candidates that would lower BIC but have no finite or identifiable coefficient.
    n_fits : int
    """
    factor = problem.candidates.factor
    free = problem.usable & ~np.isin(factor, factor[list(model.patterns.terms)])
    if not free.any():
        return [], [], 0
    todo = np.flatnonzero(free)
    search = _AdditionSearch(problem, model, [], [])
    if problem.prune and problem.family.kind == 0:
        return search.moves, search.dropped, search.pruned(todo)
    arrays = model.rows.arrays
    step = max(1, _MOST_NUMBERS // (3 * arrays.size.size + arrays.tail_cells.size))
    for first in range(0, todo.size, step):
        part = todo[first : first + step]
        search.fit(part, search.splits(part))
    return search.moves, search.dropped, todo.size


@dataclass(frozen=True, slots=True)
class _AdditionSearch:
    """Fits candidates and collects what came of it."""

    problem: Problem
    model: Model
    moves: list[Move]
    dropped: list[DroppedVariable]

    def splits(self, todo: NDArray[np.intp]) -> Splits:
        """Shares of the candidates in ``todo``."""
        problem, model = self.problem, self.model
        return splits_of(model.rows, problem.cells, model.patterns, problem.candidates, todo, threads=problem.threads)

    def pruned(self, todo: NDArray[np.intp]) -> int:
        """Fit the candidates with the best scores, then those whose bound reaches the best found; how many."""
        splits = self.splits(todo)
        score, bound = self._bounds(splits)
        if self.problem.sign:
            right = (score * self.problem.sign > 0) | np.isinf(bound)
            todo, score, bound, splits = todo[right], score[right], bound[right], splits.of(np.flatnonzero(right))
        needed = np.log(self.problem.cells.n_cells)  # twice the gain that lowers BIC at all
        order = np.argsort(-np.abs(score), kind="stable")
        bound, n_fits = bound * (1 + 1e-9) + _BOUND_SLACK, 0
        while order.size:
            order = order[bound[order] >= needed]
            now, order = (order[:_FIRST_FITS], order[_FIRST_FITS:]) if not self.moves else (order, order[:0])
            self.fit(todo[now], splits.of(now))
            n_fits += now.size
            best = min((move.bic for move in self.moves), default=np.inf)
            needed = max(needed, self.model.fit.bic + np.log(self.problem.cells.n_cells) - best - TIE)
        return n_fits

    def _bounds(self, splits: Splits) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        from rtm_pipeline.model.likelihood.gain_bounds import gain_bounds

        rows, bits, beta = self.model.rows.arrays, self.model.rows.bits, self.model.fit.coefficients
        rate = np.exp(beta[0] + bits @ beta[1:])
        X = np.column_stack([np.ones(rate.size), bits])
        inverse = np.linalg.inv((X * (rows.size * rate)[:, None]).T @ X)
        n = len(splits.size0)
        score, bound = np.empty(n), np.empty(n)
        shares = (splits.size0, splits.size1, splits.linear1)

        def run(span: tuple[int, int]) -> None:
            gain_bounds(rows.start, rows.active, rate, inverse, *shares, *span, score, bound)

        in_order(run, slices(n, self._threads(n)), threads=self._threads(n))
        return score, bound

    def _threads(self, n: int) -> int:
        return self.problem.threads if n * self.model.rows.arrays.size.size > _SMALL_BATCH else 1

    def fit(self, todo: NDArray[np.intp], splits: Splits) -> None:
        """Fit candidates, whose shares are ``splits``, and keep those that are admissible and lower BIC."""
        from rtm_pipeline.model.likelihood.newton import CONVERGED, empty_fits, fit_candidates

        rows, fit = self.model.rows.arrays, self.model.fit
        out = empty_fits(todo.size, fit.coefficients.size + 1)
        shares = (splits.size0, splits.size1, splits.linear1, splits.tail1, splits.events1)

        def run(span: tuple[int, int]) -> None:
            fit_candidates(rows, fit.coefficients, fit.dispersion or 0.0, *shares, *span, out)

        in_order(run, slices(todo.size, self._threads(todo.size)), threads=self._threads(todo.size))
        bic = _bic(self.problem, out.total + self.model.rows.constant, out.beta.shape[1])
        settled = out.status == CONVERGED
        uninteresting = settled & ((bic >= fit.bic - TIE) | _wrong_sign(self.problem, out.beta))
        for i in np.flatnonzero(~uninteresting).tolist():
            move = self._move(int(todo[i]), out.beta[i], float(out.phi[i]), float(bic[i]))
            self._judge(move, int(out.status[i]), splits.of(np.array([i])))

    def _move(self, candidate: int, beta: NDArray[np.float64], phi: float, bic: float) -> Move:
        return Move(bic, True, self.problem.candidates.variables[candidate].name, candidate, beta, phi)

    def _judge(self, move: Move, status: int, share: Splits) -> None:
        """Keep a candidate that would lower BIC, unless it has no finite or identifiable coefficient."""
        from rtm_pipeline.model.likelihood.newton import CONVERGED, ITERATIONS, SINGULAR

        suspicious = status == ITERATIONS or np.abs(move.coefficients[1:]).max() > SUSPICIOUS
        if suspicious and not self._exists(share):
            self.dropped.append(DroppedVariable(move.name, INFINITE))
        elif status == SINGULAR:
            self.dropped.append(DroppedVariable(move.name, ALIASED))
        elif status != CONVERGED:
            raise ModelError(f"The fit with {move.name} did not converge (family {self.problem.family.name}).")
        else:
            self.moves.append(move)

    def _exists(self, share: Splits) -> bool:
        bits = self.model.rows.bits
        off, on = share.size0[0] > 0, share.size1[0] > 0
        linear1 = share.linear1[0]
        linear0 = self.model.rows.arrays.linear - linear1
        both = np.concatenate([np.pad(bits[off], ((0, 0), (0, 1))), np.pad(bits[on], ((0, 0), (0, 1)), constant_values=1)])  # fmt: skip # noqa: E501
        return estimate_exists(both, np.concatenate([linear0[off] > 0, linear1[on] > 0]))


def _bic(problem: Problem, log_likelihood: NDArray[np.float64], n_coefficients: int) -> NDArray[np.float64]:
    n_parameters = n_coefficients + problem.family.n_dispersion
    bic: NDArray[np.float64] = -2.0 * log_likelihood + float(np.log(problem.cells.n_cells)) * n_parameters
    return bic


def _wrong_sign(problem: Problem, beta: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which fits (rows of ``beta``) have a coefficient of the wrong sign."""
    return np.asarray((problem.sign * beta[:, 1:] < 0).any(axis=1))
