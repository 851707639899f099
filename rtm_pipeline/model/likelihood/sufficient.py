"""Sufficient statistics: what each family needs to know of the cells, by pattern, and of each candidate's share of it.

Exposure varies at the border, and the families differ in what that costs. Poisson needs only the summed exposure of a
pattern. NB1 too, for cells without incidents: its log-likelihood is linear in the mean there; cells with incidents
enter by (pattern, exposure, step). NB2 needs every (pattern, exposure) apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.model.candidates import Candidates
from rtm_pipeline.model.likelihood.cells import Cells, require_tail
from rtm_pipeline.model.likelihood.families import Family
from rtm_pipeline.model.likelihood.patterns import Patterns
from rtm_pipeline.model.workers import in_order, shares

if TYPE_CHECKING:
    from rtm_pipeline.model.likelihood.newton import RowArrays

__all__ = ["Rows", "Splits", "rows_of", "splits_of"]

_SMALL_SPLIT = 3_000_000  # additions below which threads cost more than they save


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a model and where each cell goes.

    Attributes
    ----------
    family : Family
    arrays : RowArrays
        For the compiled loops.
    bits : ndarray of uint8, shape (n_rows, n_terms)
        Terms that are on.
    partial_row : ndarray of int64, shape (n_partial,)
        Row of each partial cell.
    event_row : ndarray of int64, shape (n_event_cells,)
        Row of each cell with incidents.
    event_value : ndarray of int64, shape (n_event_cells,)
        What it adds to the row's ``linear``: its count, or (NB1) 1; times its weight.
    tail_entry : ndarray of int64, shape (n_tail,)
        Entry of each tail item (NB1; otherwise empty).
    constant : float
        What is missing from the log-likelihood of ``arrays``.
    """

    family: Family
    arrays: RowArrays
    bits: NDArray[np.uint8]
    partial_row: NDArray[np.int64]
    event_row: NDArray[np.int64]
    event_value: NDArray[np.int64]
    tail_entry: NDArray[np.int64]
    constant: float


@dataclass(frozen=True, slots=True)
class Splits:
    """Each candidate's share of the rows; float64, one row a candidate.

    Attributes
    ----------
    size0, size1, linear1 : ndarray, shape (n_candidates, n_rows)
        Size of the rows where the candidate is 0 and 1; ``linear`` where it is 1.
    tail1 : ndarray, shape (n_candidates, n_entries)
        Cells of the tail entries where it is 1.
    events1 : ndarray, shape (n_candidates,)
        Incidents where it is 1.
    """

    size0: NDArray[np.float64]
    size1: NDArray[np.float64]
    linear1: NDArray[np.float64]
    tail1: NDArray[np.float64]
    events1: NDArray[np.float64]

    def of(self, candidates: NDArray[np.intp]) -> Splits:
        """The shares of some candidates only."""
        return Splits(
            self.size0[candidates],
            self.size1[candidates],
            self.linear1[candidates],
            self.tail1[candidates],
            self.events1[candidates],
        )


def rows_of(family: Family, cells: Cells, patterns: Patterns) -> Rows:
    """Summarize the cells by pattern.

    Parameters
    ----------
    family : Family
    cells : Cells
    patterns : Patterns

    Returns
    -------
    Rows

    Raises
    ------
    ModelError
        If the counts are too large for NB1.
    """
    from rtm_pipeline.model.likelihood.newton import RowArrays

    n_patterns = len(patterns.bits)
    partial_row = patterns.of_cell[cells.partial].astype(np.int64)
    row_of_cell = patterns.of_cell
    row_pattern = np.arange(n_patterns)
    scale = np.ones(n_patterns)
    if family.name == "nb2":
        classes = cells.class_exposure.size
        groups, index = np.unique(partial_row * classes + cells.partial_class, return_inverse=True)
        partial_row = n_patterns + index
        row_of_cell = row_of_cell.copy()
        row_of_cell[cells.partial] = partial_row
        row_pattern = np.append(row_pattern, groups // classes)
        scale = np.append(np.full(n_patterns, cells.modal_exposure), cells.class_exposure[groups % classes])
        size = np.append(patterns.cells, np.bincount(index, cells.times(cells.partial), groups.size)).astype(float)
    else:
        border = cells.times(cells.partial) * cells.exposure[cells.partial]
        size = cells.modal_exposure * patterns.cells + np.bincount(partial_row, border, n_patterns)
    event_row = row_of_cell[cells.events].astype(np.int64)
    nb1 = family.name == "nb1"
    event_value = cells.times(cells.events, None if nb1 else cells.counts[cells.events])
    tail, exposure, step, entry = _tail(cells, patterns) if nb1 else _no_tail(scale.size)
    tail_cells = np.bincount(entry, cells.times(cells.tail)[: entry.size], exposure.size).astype(float)
    hist = _histogram(cells) if family.name == "nb2" else np.zeros(0)
    bits = patterns.bits[row_pattern]
    start, active = _active(bits)
    arrays = RowArrays(
        kind=family.kind,
        start=start,
        active=active,
        size=size,
        linear=np.bincount(event_row, event_value, size.size).astype(float),
        scale=scale,
        tail=tail,
        tail_exposure=exposure,
        tail_step=step,
        tail_cells=tail_cells,
        hist_step=np.arange(1.0, hist.size + 1.0),
        hist_cells=hist,
        events=float(cells.n_events),
    )
    constant = float(event_value @ np.log(cells.exposure[cells.events])) - cells.log_factorials
    return Rows(family, arrays, bits, partial_row, event_row, event_value, entry, constant)


def _no_tail(
    rows: int,
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    return np.zeros(rows + 1, np.int64), np.zeros(0), np.zeros(0), np.zeros(0, np.int64)


def _tail(
    cells: Cells, patterns: Patterns
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Pointers by pattern, exposure and step of each distinct entry, and the entry of each tail item."""
    require_tail(cells, "nb1")
    classes = cells.class_exposure.size
    steps = int(cells.tail_step.max(initial=0)) + 1
    key = (patterns.of_cell[cells.tail].astype(np.int64) * classes + cells.tail_class) * steps + cells.tail_step
    distinct, entry = np.unique(key, return_inverse=True)
    group, step = np.divmod(distinct, steps)
    pattern, which = np.divmod(group, classes)
    pointers = np.searchsorted(pattern, np.arange(len(patterns.bits) + 1))
    return pointers, cells.class_exposure[which], step.astype(float), entry


def _histogram(cells: Cells) -> NDArray[np.float64]:
    """Number of cells with a count above k, for k = 1, 2, ..."""
    require_tail(cells, "nb2")
    if not cells.events.size:
        return np.zeros(0)
    by_count = np.bincount(cells.counts[cells.events], cells.times(cells.events))
    return np.cumsum(by_count[::-1])[::-1][2:].astype(float)


def _active(bits: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    start = np.append(0, np.cumsum(bits.sum(axis=1, dtype=np.int64)))
    return start, np.nonzero(bits)[1].astype(np.int64) + 1


def splits_of(
    rows: Rows,
    cells: Cells,
    patterns: Patterns,
    candidates: Candidates,
    wanted: NDArray[np.intp],
    *,
    threads: int = 1,
) -> Splits:
    """Split the rows by each of some candidates.

    Parameters
    ----------
    rows : Rows
    cells : Cells
    patterns : Patterns
    candidates : Candidates
    wanted : ndarray of intp, shape (n_wanted,)
        Candidates, which become the rows of the result.
    threads : int
        The result does not depend on it.

    Returns
    -------
    Splits
    """
    from rtm_pipeline.model.likelihood.counting import expand

    n, n_rows, n_entries = wanted.size, rows.arrays.size.size, rows.arrays.tail_cells.size
    size0, size1 = np.zeros((n, n_rows)), np.zeros((n, n_rows))
    linear1, tail1, nowhere = np.zeros((n, n_rows)), np.zeros((n, n_entries)), np.zeros((0, 0))
    nb2 = rows.family.name == "nb2"
    border = cells.times(cells.partial).astype(np.float64)
    if not nb2:
        border *= cells.exposure[cells.partial]
    tail = cells.tail if n_entries else cells.tail[:0]
    times = cells.times(tail).astype(float)
    event_value = rows.event_value.astype(float)

    columns = candidates.positions(wanted)

    def split(layers: NDArray[np.int64]) -> None:
        coding = (candidates.offsets, candidates.bits, columns, candidates.widths, layers)
        expand(patterns.modal, *coding, size1, size0)
        if not nb2:
            mine = columns[layers]
            mine = mine[mine >= 0]
            size0[mine] *= cells.modal_exposure
            size1[mine] *= cells.modal_exposure
        add_listed(candidates, columns, layers, cells.partial, rows.partial_row, border, size1, size0)
        add_listed(candidates, columns, layers, cells.events, rows.event_row, event_value, linear1, nowhere)
        add_listed(candidates, columns, layers, tail, rows.tail_entry, times, tail1, nowhere)

    layers = np.flatnonzero((columns >= 0).any(axis=1))
    work = n_rows * candidates.n_states + (cells.events.size + tail.size + cells.partial.size) * layers.size
    in_order(split, shares(layers, threads if work > _SMALL_SPLIT else 1), threads=threads)
    # a cell with count y is once in linear and y - 1 times in the tail (NB1)
    return Splits(size0, size1, linear1, tail1, linear1.sum(axis=1) + tail1.sum(axis=1))


def add_listed(
    candidates: Candidates,
    columns: NDArray[np.int64],
    layers: NDArray[np.int64],
    listed: NDArray[np.int64],
    group: NDArray[np.int64],
    values: NDArray[np.float64],
    on: NDArray[np.float64],
    off: NDArray[np.float64],
) -> None:
    """Add the values of listed cells to ``on[row, group]`` where the row's candidate is 1, else to ``off``.

    Parameters
    ----------
    candidates : Candidates
    columns : ndarray of int64, shape (n_layers, width)
        Row of ``on`` and ``off`` of each column of a layer; below 0: left out.
    layers : ndarray of int64
        Layers to do.
    listed, group : ndarray of int64, shape (n_listed,)
        Cells and where they go.
    values : ndarray of float64, shape (n_listed,)
    on, off : ndarray of float64, shape (n_rows, n_groups)
        Added to in place; ``off`` may be empty if the values are whole numbers.
    """
    from rtm_pipeline.model.likelihood.counting import count_listed, expand, scatter

    coding = (candidates.offsets, candidates.bits, columns, candidates.widths, layers)
    if off.size == 0 and on.shape[1] * candidates.n_states < 2 * listed.size * layers.size:
        table = np.zeros((on.shape[1], candidates.n_states), np.int64)  # only counts come without ``off``
        count_listed(candidates.codes, candidates.offsets, layers, listed, group, values.astype(np.int64), table)
        expand(table, *coding, on, off)
    else:
        scatter(candidates.codes, *coding, listed, group, values, on, off)
