"""Row compression: cells with the same values of the chosen 0/1 terms are one pattern.

A few terms give few patterns (nine variables: some two hundred) whatever the number of cells, and the likelihoods
need no more than sums by pattern. The tables of cells by pattern and state of each layer are kept while terms come
and go: when a term enters, only the cells on its rarer side are counted, the others follow by subtraction of
integers, exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.model.candidates import Candidates, StateLayer
from rtm_pipeline.model.cells import Cells
from rtm_pipeline.model.workers import in_order

__all__ = ["Patterns", "add_term", "drop_term", "null_patterns", "patterns_of"]


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
    modal : tuple of ndarray of int64, shape (n_patterns, n_states)
        One for each layer: cells (with weights) of the modal exposure by pattern and state.
    """

    terms: tuple[int, ...]
    of_cell: NDArray[np.int32]
    bits: NDArray[np.uint8]
    modal: tuple[NDArray[np.int64], ...]


def null_patterns(cells: Cells, candidates: Candidates, *, threads: int = 1) -> Patterns:
    """The one pattern of a model without terms."""
    from rtm_pipeline.model.counting import count_all, count_listed

    weights = np.zeros(0, np.int64) if cells.weights is None else cells.weights
    group = np.zeros(cells.partial.size, np.int64)
    negative = -cells.times(cells.partial)

    def count(layer: StateLayer) -> NDArray[np.int64]:
        table = np.zeros((1, len(layer.bits)), np.int64)
        count_all(layer.codes, weights, table)
        count_listed(layer.codes, cells.partial, group, negative, table)
        return table

    modal = in_order(count, candidates.layers, threads=threads)
    return Patterns((), np.zeros(cells.counts.size, np.int32), np.zeros((1, 0), np.uint8), tuple(modal))


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
    column = candidates.column(term)
    key = 2 * patterns.of_cell + column
    seen = np.flatnonzero(np.bincount(key, minlength=2 * len(patterns.bits)))
    lookup = np.zeros(2 * len(patterns.bits), np.int32)
    lookup[seen] = np.arange(seen.size)
    parent, value = seen >> 1, seen & 1
    rare = int(2 * int(column.sum(dtype=np.int64)) <= column.size)
    tabulate = _rare_side(patterns, cells, column == rare)

    def split(item: tuple[StateLayer, NDArray[np.int64]]) -> NDArray[np.int64]:
        layer, before = item
        inside = tabulate(layer)
        mixed: NDArray[np.int64] = np.where((value == rare)[:, None], inside[parent], before[parent] - inside[parent])
        return mixed

    modal = in_order(split, list(zip(candidates.layers, patterns.modal, strict=True)), threads=threads)
    bits = np.concatenate([patterns.bits[parent], value[:, None].astype(np.uint8)], axis=1)
    return Patterns((*patterns.terms, term), lookup[key], bits, tuple(modal))


def _rare_side(patterns: Patterns, cells: Cells, side: NDArray[np.bool_]) -> Callable[[StateLayer], NDArray[np.int64]]:
    """A function that counts the modal cells of one side by pattern and state of a layer."""
    from rtm_pipeline.model.counting import count_listed

    side = side.copy()
    side[cells.partial] = False
    if cells.weights is not None:
        side &= cells.weights > 0
    listed = np.flatnonzero(side)
    group = patterns.of_cell[listed]
    values = np.zeros(0, np.int64) if cells.weights is None else cells.weights[listed]

    def tabulate(layer: StateLayer) -> NDArray[np.int64]:
        table = np.zeros((len(patterns.bits), len(layer.bits)), np.int64)
        count_listed(layer.codes, listed, group, values, table)
        return table

    return tabulate


def drop_term(patterns: Patterns, position: int) -> Patterns:
    """Merge the patterns that differ only in the term at ``position``."""
    left = np.delete(patterns.bits, position, axis=1)
    bits, merged = np.unique(left, axis=0, return_inverse=True)
    modal = []
    for table in patterns.modal:
        total = np.zeros((len(bits), table.shape[1]), np.int64)
        np.add.at(total, merged, table)
        modal.append(total)
    terms = patterns.terms[:position] + patterns.terms[position + 1 :]
    return Patterns(terms, merged.astype(np.int32)[patterns.of_cell], bits, tuple(modal))


def patterns_of(cells: Cells, candidates: Candidates, terms: tuple[int, ...], *, threads: int = 1) -> Patterns:
    """The patterns of given terms."""
    patterns = null_patterns(cells, candidates, threads=threads)
    for term in terms:
        patterns = add_term(patterns, cells, candidates, term, threads=threads)
    return patterns
