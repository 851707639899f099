"""Counting cells by pattern and state, compiled: the one thing in selection whose cost grows with the cells.

Layers write to columns and rows of their own, so a list of layers can be cut anywhere between threads and the sums
keep their order. This module imports numba; import it inside functions, not at the head of modules on a start-up path.
"""

# mypy: disable-error-code="untyped-decorator, no-untyped-def"

from __future__ import annotations

from numba import njit

__all__ = ["count_all", "count_listed", "expand", "scatter"]


@njit(cache=True, nogil=True)
def count_all(codes, offsets, layers, weights, out):
    """Add the weight of every cell (1 where ``weights`` is empty) to ``out[0, state]`` for the given layers."""
    for layer in layers:
        first = offsets[layer]
        if weights.size:
            for i in range(codes.shape[1]):
                out[0, first + codes[layer, i]] += weights[i]
        else:
            for i in range(codes.shape[1]):
                out[0, first + codes[layer, i]] += 1


@njit(cache=True, nogil=True)
def count_listed(codes, offsets, layers, cells, group, values, out):
    """Add ``values[i]`` (1 where empty) of the i-th listed cell to ``out[group[i], state]``, in the order listed."""
    for layer in layers:
        first = offsets[layer]
        if values.size:
            for i in range(cells.size):
                out[group[i], first + codes[layer, cells[i]]] += values[i]
        else:
            for i in range(cells.size):
                out[group[i], first + codes[layer, cells[i]]] += 1


@njit(cache=True, nogil=True)
def expand(table, offsets, bits, columns, widths, layers, on, off):
    """Add ``table[row, state]`` to ``on[column, row]`` where the bit is 1, else to ``off`` (unless empty).

    Columns below 0 are left out.
    """
    for layer in layers:
        for r in range(table.shape[0]):
            for s in range(offsets[layer], offsets[layer + 1]):
                value = table[r, s]
                if value != 0:
                    for c in range(widths[layer]):
                        column = columns[layer, c]
                        if column >= 0:
                            if bits[s, c]:
                                on[column, r] += value
                            elif off.size:
                                off[column, r] += value


@njit(cache=True, nogil=True)
def scatter(codes, offsets, bits, columns, widths, layers, cells, group, values, on, off):
    """The same straight from listed cells: add ``values[i]`` to ``on`` (and ``off``, unless empty) at ``group[i]``."""
    for layer in layers:
        first = offsets[layer]
        for i in range(cells.size):
            s = first + codes[layer, cells[i]]
            for c in range(widths[layer]):
                column = columns[layer, c]
                if column >= 0:
                    if bits[s, c]:
                        on[column, group[i]] += values[i]
                    elif off.size:
                        off[column, group[i]] += values[i]
