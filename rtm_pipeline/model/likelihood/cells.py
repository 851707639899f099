"""Cells as the likelihoods need them: which have the usual exposure, which have incidents, and how many times over."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ModelError
from rtm_pipeline.model.design import Design

__all__ = ["Cells", "cells_of"]

MOST_TAIL = 5_000_000
"""Incidents beyond the first of their cells that a negative binomial takes: some 30 bytes each."""


@dataclass(frozen=True, slots=True)
class Cells:
    """Counts and exposure of n cells, split into the parts that compress and the parts that don't.

    Most cells lie wholly inside the study area and share one exposure: they are counted as integers. The others
    (*partial*: the border) enter with their own exposure. A cell with count y is also listed y - 1 times in the
    *tail*, once for each step k = 1 .. y - 1 of the factorial moments that NB1 needs.

    Attributes
    ----------
    counts : ndarray of int64, shape (n,)
    exposure : ndarray of float64, shape (n,)
    modal_exposure : float
        The exposure that most cells have.
    partial : ndarray of int64, shape (n_partial,)
        Cells with another exposure, ascending.
    partial_class : ndarray of int64, shape (n_partial,)
        Index of the exposure of each of them in ``class_exposure``.
    class_exposure : ndarray of float64, shape (n_classes,)
        Distinct exposures, ascending; the modal one last, once more.
    events : ndarray of int64, shape (n_event_cells,)
        Cells with incidents, ascending.
    tail, tail_step, tail_class : ndarray of int64, shape (n_tail,)
        Cell, step k and index of the exposure of each tail entry. Empty if ``tail_too_long``.
    tail_too_long : bool
        Whether counts are so large that NB1 is refused.
    log_factorials : float
        Sum of log y!, with weights.
    n_cells, n_events : int
        Cells and incidents, counted with weights.
    weights : ndarray of int64, shape (n,), optional
        How often each cell counts (a bootstrap replicate); None: once.
    """

    counts: NDArray[np.int64]
    exposure: NDArray[np.float64]
    modal_exposure: float
    partial: NDArray[np.int64]
    partial_class: NDArray[np.int64]
    class_exposure: NDArray[np.float64]
    events: NDArray[np.int64]
    tail: NDArray[np.int64]
    tail_step: NDArray[np.int64]
    tail_class: NDArray[np.int64]
    tail_too_long: bool
    log_factorials: float
    n_cells: int
    n_events: int
    weights: NDArray[np.int64] | None = None

    def times(self, cells: NDArray[np.int64], values: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
        """``values`` (default 1) of the listed ``cells`` times their weights, int64."""
        if self.weights is None:
            return np.ones(cells.size, np.int64) if values is None else values
        return self.weights[cells] if values is None else values * self.weights[cells]

    def weighted(self, weights: NDArray[np.integer]) -> Cells:
        """The same cells, each counted ``weights`` times (int, shape (n,)); cells with weight 0 leave the lists."""
        times = np.ascontiguousarray(weights, np.int64)
        partial, events, tail = times[self.partial] > 0, times[self.events] > 0, times[self.tail] > 0
        kept = self.events[events]
        return replace(
            self,
            partial=self.partial[partial],
            partial_class=self.partial_class[partial],
            events=kept,
            tail=self.tail[tail],
            tail_step=self.tail_step[tail],
            tail_class=self.tail_class[tail],
            log_factorials=_log_factorials(self.counts[kept], times[kept]),
            n_cells=int(times.sum()),
            n_events=int((self.counts[kept] * times[kept]).sum()),
            weights=times,
        )


def cells_of(design: Design) -> Cells:
    """Split the cells of a design.

    Parameters
    ----------
    design : Design
        Validated: counts not negative, exposure positive and finite.

    Returns
    -------
    Cells
    """
    counts = np.ascontiguousarray(design.counts, np.int64)
    exposure = np.ascontiguousarray(design.exposure, np.float64)
    modal = _modal(exposure)
    partial = np.flatnonzero(exposure != modal)
    distinct, partial_class = np.unique(exposure[partial], return_inverse=True)
    events = np.flatnonzero(counts)
    steps = counts[events] - 1
    too_long = bool(steps.sum() > MOST_TAIL)
    if too_long:
        steps = np.zeros_like(steps)
    tail = np.repeat(events, steps)
    ends = np.cumsum(steps)
    tail_step = np.arange(tail.size) - np.repeat(ends - steps, steps) + 1
    class_of = np.full(counts.size if tail.size else 0, distinct.size, np.int64)
    if tail.size:
        class_of[partial] = partial_class
    return Cells(
        counts=counts,
        exposure=exposure,
        modal_exposure=modal,
        partial=partial,
        partial_class=partial_class,
        class_exposure=np.append(distinct, modal),
        events=events,
        tail=tail,
        tail_step=tail_step,
        tail_class=class_of[tail],
        tail_too_long=too_long,
        log_factorials=_log_factorials(counts[events], np.ones(events.size, np.int64)),
        n_cells=counts.size,
        n_events=int(counts.sum()),
    )


def require_tail(cells: Cells, family: str) -> None:
    """Raise ModelError if the counts are too large for a negative binomial fit."""
    if cells.tail_too_long:
        raise ModelError(
            f"Family {family}: the counts are too large (the largest is {int(cells.counts.max()):,}, "
            f"{int(cells.counts.sum()):,} in all; a negative binomial takes up to {MOST_TAIL:,}). "
            "Check that the count column holds incidents per cell, or fit family poisson."
        )


def _modal(exposure: NDArray[np.float64]) -> float:
    """The most frequent exposure; the median is it wherever more than half the cells share one."""
    middle = float(np.partition(exposure, exposure.size // 2)[exposure.size // 2])
    if 2 * np.count_nonzero(exposure == middle) > exposure.size:
        return middle
    values, times = np.unique(exposure, return_counts=True)
    return float(values[int(np.argmax(times))])


def _log_factorials(counts: NDArray[np.int64], times: NDArray[np.int64]) -> float:
    from scipy.special import gammaln

    values, index = np.unique(counts, return_inverse=True)
    return float(np.bincount(index, times, values.size) @ gammaln(values + 1.0))
