"""Counting cells by pattern and state, compiled: the one thing in selection whose cost grows with the cells.

This module imports numba; import it inside functions, not at the head of modules on a start-up path.
"""

# mypy: disable-error-code="untyped-decorator, no-untyped-def"

from __future__ import annotations

from numba import njit

__all__ = ["count_all", "count_listed", "expand"]


@njit(cache=True, nogil=True)
def count_all(codes, weights, out):
    """Add each cell's weight (1 where ``weights`` is empty) to ``out[0, state]``."""
    if weights.size:
        for i in range(codes.size):
            out[0, codes[i]] += weights[i]
    else:
        for i in range(codes.size):
            out[0, codes[i]] += 1


@njit(cache=True, nogil=True)
def count_listed(codes, cells, group, values, out):
    """Add ``values[i]`` (1 where empty) of the i-th listed cell to ``out[group[i], state]``, in the order listed."""
    if values.size:
        for i in range(cells.size):
            out[group[i], codes[cells[i]]] += values[i]
    else:
        for i in range(cells.size):
            out[group[i], codes[cells[i]]] += 1


@njit(cache=True, nogil=True)
def expand(table, bits, columns, on, off):
    """Sums by column: add ``table[row, state]`` to ``on[column, row]`` where the state's bit is 1, else to ``off``."""
    for r in range(table.shape[0]):
        for s in range(table.shape[1]):
            value = table[r, s]
            if value != 0:
                for c in range(columns.size):
                    if bits[s, c]:
                        on[columns[c], r] += value
                    else:
                        off[columns[c], r] += value
