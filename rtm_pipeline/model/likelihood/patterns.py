"""Row compression: cells with the same values of the chosen 0/1 terms are one pattern.

A few terms give few patterns (nine variables: some two hundred) whatever the number of cells, and the likelihoods
need no more than sums by pattern. The table of cells by pattern and state of each layer is kept while terms come and
go: when a term enters, only the cells on its rarer side are counted, the others follow by subtraction of integers,
exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.model.candidates import Candidates
from rtm_pipeline.model.likelihood.cells import Cells
from rtm_pipeline.model.workers import in_order, shares

__all__ = ["Patterns", "add_term", "drop_term", "null_patterns", "patterns_of"]

_SMALL_COUNT = 2_000_000  # cells times layers below which threads cost more than they save


@dataclass(frozen=True, slots=True)
class Patterns:
    """The distinct values of the chosen terms.

    Attributes
    ----------
    terms : tuple of int
        Chosen candidates, in the order of the columns of ``bits``.
    of_cell : ndarray of int32, shape (n,)
        Pattern of each cell.
    bits : ndarray of uint8, shape (n_patterns, n_terms)
    cells : ndarray of int64, shape (n_patterns,)
        Cells (with weights) of the modal exposure in each pattern.
    modal : ndarray of int64, shape (n_patterns, n_states)
        The same by state of each layer.
    """

    terms: tuple[int, ...]
    of_cell: NDArray[np.int32]
    bits: NDArray[np.uint8]
    cells: NDArray[np.int64]
    modal: NDArray[np.int64]


def null_patterns(cells: Cells, candidates: Candidates, *, threads: int = 1) -> Patterns:
    """The one pattern of a model without terms."""
    from rtm_pipeline.model.likelihood.counting import count_all, count_listed

    weights = np.zeros(0, np.int64) if cells.weights is None else cells.weights
    group = np.zeros(cells.partial.size, np.int64)
    border = cells.times(cells.partial)
    modal = np.zeros((1, candidates.n_states), np.int64)

    def count(layers: NDArray[np.int64]) -> None:
        count_all(candidates.codes, candidates.offsets, layers, weights, modal)
        count_listed(candidates.codes, candidates.offsets, layers, cells.partial, group, -border, modal)

    _by_layer(count, candidates, cells.counts.size, threads)
    whole = np.array([cells.n_cells - int(border.sum())], np.int64)
    return Patterns((), np.zeros(cells.counts.size, np.int32), np.zeros((1, 0), np.uint8), whole, modal)


def add_term(patterns: Patterns, cells: Cells, candidates: Candidates, term: int, *, threads: int = 1) -> Patterns:
    """Split every pattern by one more term.

    Parameters
    ----------
    patterns : Patterns
    cells : Cells
    candidates : Candidates
    term : int
        Candidate that is not yet among the terms.
    threads : int
        Layers are counted side by side; the result does not depend on it.

    Returns
    -------
    Patterns
        With the term's bits as last column.
    """
    from rtm_pipeline.model.likelihood.counting import count_listed

    column = candidates.column(term)
    key = 2 * patterns.of_cell + column
    seen = np.flatnonzero(np.bincount(key, minlength=2 * len(patterns.bits)))
    lookup = np.zeros(2 * len(patterns.bits), np.int32)
    lookup[seen] = np.arange(seen.size)
    parent, value = seen >> 1, seen & 1
    rare = int(2 * np.count_nonzero(column) <= column.size)
    listed = _modal_cells(cells, column == rare)
    group = patterns.of_cell[listed].astype(np.int64)
    weights = np.zeros(0, np.int64) if cells.weights is None else cells.weights[listed]
    inside = np.zeros_like(patterns.modal)

    def count(layers: NDArray[np.int64]) -> None:
        count_listed(candidates.codes, candidates.offsets, layers, listed, group, weights, inside)

    _by_layer(count, candidates, listed.size, threads)
    counted = np.bincount(group, weights if weights.size else None, len(patterns.cells)).astype(np.int64)
    on_rare_side = value == rare
    modal = np.where(on_rare_side[:, None], inside[parent], patterns.modal[parent] - inside[parent])
    whole = np.where(on_rare_side, counted[parent], patterns.cells[parent] - counted[parent])
    bits = np.concatenate([patterns.bits[parent], value[:, None].astype(np.uint8)], axis=1)
    return Patterns((*patterns.terms, term), lookup[key], bits, whole, modal)


def drop_term(patterns: Patterns, position: int) -> Patterns:
    """Merge the patterns that differ only in the term at ``position``."""
    left = np.delete(patterns.bits, position, axis=1)
    bits, merged = np.unique(left, axis=0, return_inverse=True)
    modal = np.zeros((len(bits), patterns.modal.shape[1]), np.int64)
    np.add.at(modal, merged, patterns.modal)
    whole = np.zeros(len(bits), np.int64)
    np.add.at(whole, merged, patterns.cells)
    terms = patterns.terms[:position] + patterns.terms[position + 1 :]
    return Patterns(terms, merged.astype(np.int32)[patterns.of_cell], bits, whole, modal)


def patterns_of(cells: Cells, candidates: Candidates, terms: tuple[int, ...], *, threads: int = 1) -> Patterns:
    """The patterns of given terms."""
    patterns = null_patterns(cells, candidates, threads=threads)
    for term in terms:
        patterns = add_term(patterns, cells, candidates, term, threads=threads)
    return patterns


def _modal_cells(cells: Cells, wanted: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Wanted cells that have the modal exposure and a weight, ascending. Uses up ``wanted``."""
    wanted[cells.partial] = False
    if cells.weights is not None:
        wanted &= cells.weights > 0
    return np.flatnonzero(wanted)


def _by_layer(count: Callable[[NDArray[np.int64]], None], candidates: Candidates, cells: int, threads: int) -> None:
    layers = np.arange(len(candidates.widths))
    in_order(count, shares(layers, threads if cells * layers.size > _SMALL_COUNT else 1), threads=threads)
