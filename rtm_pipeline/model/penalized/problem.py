"""Penalized Poisson problems over one set of columns: eight lanes to a batch, exact values and gradients.

A lane is a weighting of the cells: all of them, all but one fold, or a bootstrap replicate. Counts enter only through
their sums over the ones of each column.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.model.design import Design
from rtm_pipeline.model.penalized.runs import STRIP, Runs, encode_runs

__all__ = ["LANES", "Batch", "Evaluation", "Problem", "available_threads"]

LANES = 8
MOST_CHUNKS = 16
CHUNK_BYTES = 64 << 20
SAFE_LOG = 300.0
"""Running products stay within exp(+-2 SAFE_LOG), inside the limits of float64 (exp(+-708))."""


def available_threads() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class Batch:
    """Up to eight weightings of the cells, by group of cells.

    Attributes
    ----------
    lanes : int
        Lanes in use, the first ones.
    inside, outside : ndarray of float64, shape (n_groups, 8)
        Weight of a group's cells in the fit, and in the held-out sums.
    size, outside_size : ndarray of float64, shape (8,)
        Weighted number of cells; `size` is 1 in lanes that are not used.
    incidents, outside_incidents : ndarray of float64, shape (8,)
        Weighted incidents.
    column_incidents, outside_column_incidents : ndarray of float64, shape (K, 8)
        Weighted incidents in the cells where a column is one.
    varies : ndarray of bool, shape (K, 8)
        Whether the column is neither all 0 nor all 1 in the lane.
    """

    lanes: int
    inside: NDArray[np.float64]
    outside: NDArray[np.float64]
    size: NDArray[np.float64]
    outside_size: NDArray[np.float64]
    incidents: NDArray[np.float64]
    outside_incidents: NDArray[np.float64]
    column_incidents: NDArray[np.float64]
    outside_column_incidents: NDArray[np.float64]
    varies: NDArray[np.bool_]

    @property
    def used(self) -> NDArray[np.bool_]:
        """Which lanes are in use, shape (8,)."""
        return np.arange(LANES) < self.lanes


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Exact values at given coefficients, for the lanes of a batch.

    Attributes
    ----------
    loglik : ndarray of float64, shape (8,)
        Mean log-likelihood without terms that do not depend on the coefficients, ``(1/n) sum w (y eta - mu)``.
    outside_loglik : ndarray of float64, shape (8,)
        Held-out *sum* of the same.
    gradient : ndarray of float64, shape (K + 1, 8)
        Of `loglik`; row 0 is the intercept's.
    """

    loglik: NDArray[np.float64]
    outside_loglik: NDArray[np.float64]
    gradient: NDArray[np.float64]


class Problem:
    """Run-length coded columns with counts and exposure.

    Exposures are scaled to a mean of one: coefficients do not change but for the intercept (`intercept_shift` takes it
    back), and extreme units do no harm.

    Parameters
    ----------
    design : Design
        Checked before.
    group : ndarray of int, shape (n,)
        Group of each cell: fold or spatial block. Weights are by group.
    threads : int, optional
        Threads to use, all cores if not given. Results do not depend on it to the last bit: sums are taken over a
        fixed partition of the cells and in a fixed order.
    """

    def __init__(self, design: Design, group: NDArray[np.integer], threads: int | None = None) -> None:
        mean_exposure = float((design.exposure / design.n_cells).sum())
        self.runs: Runs = encode_runs(design.blocks, design.n_cells)
        self.group = np.ascontiguousarray(group, np.int32)
        self.counts = design.counts.astype(np.float64)
        self.exposure = design.exposure / mean_exposure
        self.intercept_shift = -float(np.log(mean_exposure))
        self.mean: NDArray[np.float64] = np.zeros(design.n_cells)
        chunks = min(MOST_CHUNKS, self.runs.n_strips, CHUNK_BYTES // (self.runs.n_states * LANES * 8))
        self._cuts = np.linspace(0, self.runs.n_strips, max(1, chunks) + 1).astype(np.int64)
        self._sums = _rows(max(1, chunks), self.runs.n_states)
        self._pool = ThreadPoolExecutor(max(1, threads or available_threads()))

    def __enter__(self) -> Problem:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._pool.shutdown()

    def batch(self, inside: NDArray[np.float64], outside: NDArray[np.float64] | None = None) -> Batch:
        """Prepare up to eight lanes.

        Parameters
        ----------
        inside, outside : ndarray of float64, shape (n_groups, lanes)
            Weights of the groups in the fit, and in the held-out sums (nothing is held out if not given).
        """
        held = _rows(inside.shape[0]) if outside is None else _padded(outside)
        fitted, lanes = _padded(inside), inside.shape[1]
        ones = np.ones_like(self.exposure)
        size, column_size = self._weighted(ones, fitted)
        incidents, column_incidents = self._weighted(self.counts, fitted)
        outside_size, _ = self._weighted(ones, held)
        outside_incidents, outside_column_incidents = self._weighted(self.counts, held)
        return Batch(
            lanes=lanes,
            inside=fitted,
            outside=held,
            size=np.where(np.arange(LANES) < lanes, size, 1.0),
            outside_size=outside_size,
            incidents=incidents,
            outside_incidents=outside_incidents,
            column_incidents=column_incidents,
            outside_column_incidents=outside_column_incidents,
            varies=(column_size > 0) & (column_size < size),
        )

    def exposure_sums(self, batch: Batch) -> NDArray[np.float64]:
        """Weighted exposure of each lane, shape (8,)."""
        return self._weighted(self.exposure, batch.inside)[0]

    def evaluate(self, batch: Batch, b: NDArray[np.float64], mean_of: int | None = None) -> Evaluation:
        """Exact log-likelihood, held-out log-likelihood and gradient.

        Parameters
        ----------
        batch : Batch
        b : ndarray of float64, shape (K + 1, 8)
            Coefficients of each lane, the intercept first.
        mean_of : int, optional
            Leave the weighted means of this lane in `mean`.
        """
        sums, inside, outside = self._sweep(b, self.exposure, batch.inside, batch.outside, mean_of)
        gradient = np.vstack([batch.incidents - inside, batch.column_incidents - sums]) / batch.size
        loglik = b[0] * batch.incidents + (b[1:] * batch.column_incidents).sum(axis=0) - inside
        held = b[0] * batch.outside_incidents + (b[1:] * batch.outside_column_incidents).sum(axis=0) - outside
        return Evaluation(loglik / batch.size, held, gradient)

    def each(self, task: Callable[[int], None], items: Iterable[int]) -> None:
        """Run independent tasks on the threads; return when all are done."""
        list(self._pool.map(task, items))

    def _weighted(
        self, values: NDArray[np.float64], weights: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Weighted sums of `values` over all cells and over the ones of each column."""
        b = np.zeros((self.runs.n_columns + 1, LANES))
        sums, total, _ = self._sweep(b, values, weights, _rows(weights.shape[0]))
        return total, sums

    def _sweep(
        self,
        b: NDArray[np.float64],
        values: NDArray[np.float64],
        inside: NDArray[np.float64],
        outside: NDArray[np.float64],
        mean_of: int | None = None,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Weighted sums of ``values * exp(b0 + x b)`` over the ones of each column, over all cells, and held out."""
        from rtm_pipeline.model.penalized.sweeps import column_sums, sweep, sweep_logs

        runs, chunks = self.runs, self._cuts.size - 1
        layers, steps, safe = self._states(b)
        loop: Callable[..., None] = sweep if safe else sweep_logs
        parts, totals = self._sums, _rows(chunks, 2)
        mean = (0, self.mean[:0]) if mean_of is None else (mean_of, self.mean)
        cells = (values, self.group, inside, outside)

        def task(chunk: int) -> None:
            parts[chunk] = 0.0
            strips = int(self._cuts[chunk]), int(self._cuts[chunk + 1])
            loop(STRIP, runs.arrays, layers, *steps, *cells, *strips, parts[chunk], totals[chunk], *mean)

        self.each(task, range(chunks))
        sums, total = _rows(runs.n_states), np.zeros((2, LANES))
        for chunk in range(chunks):  # one order of summation, whatever the number of threads
            sums += parts[chunk]
            total += totals[chunk]
        columns = _rows(runs.n_columns)
        column_sums(runs.state_offset, runs.column_offset, runs.bits_offset, runs.bits, sums, columns)
        return columns, total[0], total[1]

    def _states(self, b: NDArray[np.float64]) -> tuple[NDArray[np.intp], tuple[NDArray[np.float64], ...], bool]:
        """Layers that matter, what their states and the intercepts do to the mean, and whether as factors or logs."""
        from rtm_pipeline.model.penalized.sweeps import state_factors, state_logs

        runs = self.runs
        T = _rows(runs.n_states)
        slopes = np.ascontiguousarray(b[1:])
        state_logs(runs.state_offset, runs.column_offset, runs.bits_offset, runs.bits, slopes, T)
        spans = np.maximum.reduceat(np.abs(T), runs.state_offset[:-1], axis=0)
        layers = np.flatnonzero(spans.any(axis=1))
        if float((spans.sum(axis=0) + np.abs(b[0])).max()) >= SAFE_LOG:
            return layers, (T, b[:1].copy()), False
        up, down = _rows(runs.n_states), _rows(runs.n_states)
        state_factors(layers, runs.state_offset, T, up, down)
        return layers, (up, down, np.exp(b[:1])), True


def _rows(*shape: int) -> NDArray[np.float64]:
    """Zeros in rows of eight that begin on cache lines: rows across two lines cost a third more time."""
    line, size = 64, int(np.prod(shape)) * LANES
    buffer = np.zeros(size + line // 8)
    first = (-buffer.ctypes.data % line) // 8
    return buffer[first : first + size].reshape(*shape, LANES)


def _padded(table: NDArray[np.float64]) -> NDArray[np.float64]:
    out = _rows(table.shape[0])
    out[:, : table.shape[1]] = table
    return out
