"""Compiled loops over run-length coded cells: one exact pass for eight problems ("lanes") that advance in lock-step.

A row of eight numbers holds one number for each lane. Compilers can't prove that two arrays don't overlap and turn a
loop over eight lanes into scalar code; the operations here say what is meant, one vector operation a row, at a fifth of
the cost. Lanes never mix and nothing is reassociated or fused, so a lane has the same bits beside any neighbors.

Imports numba: import this module inside functions only.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import types

from rtm_pipeline.model.penalized.compile import kernel, operation

__all__ = ["column_sums", "state_factors", "state_logs", "sweep", "sweep_logs"]

LANES = 8
_VECTOR = ir.VectorType(ir.DoubleType(), LANES)


def _row_code(rows: int, combine: Callable[..., Any]) -> Callable[..., Any]:
    """Code that replaces a row by ``combine`` of itself, the further rows, and what is passed after the rows.

    The arguments are (array, index) pairs; the arrays are C-contiguous float64 with eight columns.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointers = []
        for row in range(rows):
            array, index = args[2 * row], args[2 * row + 1]
            data = context.make_array(signature.args[2 * row])(context, builder, array).data
            first = builder.mul(index, ir.Constant(index.type, LANES))
            pointers.append(builder.bitcast(builder.gep(data, [first]), _VECTOR.as_pointer()))
        values = [builder.load(pointer, align=8) for pointer in pointers]
        builder.store(combine(builder, *values, *args[2 * rows :]), pointers[0], align=8)
        return context.get_dummy_value()

    return generate


def _spread(builder: Any, number: Any) -> Any:
    """The same number in every lane."""
    undefined = ir.Constant(_VECTOR, ir.Undefined)
    lane = builder.insert_element(undefined, number, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(lane, undefined, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))


@operation
def _copy(typing: Any, A: Any, i: Any, B: Any, j: Any) -> Any:
    """``A[i] = B[j]``."""
    return types.void(A, i, B, j), _row_code(2, lambda _, a, b: b)


@operation
def _add(typing: Any, A: Any, i: Any, B: Any, j: Any) -> Any:
    """``A[i] += B[j]``."""
    return types.void(A, i, B, j), _row_code(2, lambda code, a, b: code.fadd(a, b))


@operation
def _scale(typing: Any, A: Any, i: Any, B: Any, j: Any) -> Any:
    """``A[i] *= B[j]``."""
    return types.void(A, i, B, j), _row_code(2, lambda code, a, b: code.fmul(a, b))


@operation
def _scale_twice(typing: Any, A: Any, i: Any, B: Any, j: Any, C: Any, k: Any) -> Any:
    """``A[i] *= B[j] * C[k]``."""
    return types.void(A, i, B, j, C, k), _row_code(3, lambda code, a, b, c: code.fmul(a, code.fmul(b, c)))


@operation
def _add_difference(typing: Any, A: Any, i: Any, B: Any, j: Any, C: Any, k: Any) -> Any:
    """``A[i] += B[j] - C[k]``."""
    return types.void(A, i, B, j, C, k), _row_code(3, lambda code, a, b, c: code.fadd(a, code.fsub(b, c)))


@operation
def _add_product(typing: Any, A: Any, i: Any, B: Any, j: Any, C: Any, k: Any, number: Any) -> Any:
    """``A[i] += (B[j] * number) * C[k]``."""

    def combine(code: Any, a: Any, b: Any, c: Any, x: Any) -> Any:
        return code.fadd(a, code.fmul(code.fmul(b, _spread(code, x)), c))

    return types.void(A, i, B, j, C, k, number), _row_code(3, combine)


@kernel
def state_logs(state_offset: Any, column_offset: Any, bits_offset: Any, bits: Any, b: Any, T: Any) -> None:
    """What each state adds to the linear predictor: ``T[s] = sum_j bits[s, j] b[j]``; T starts at zero."""
    for layer in range(state_offset.size - 1):
        width = column_offset[layer + 1] - column_offset[layer]
        for s in range(state_offset[layer], state_offset[layer + 1]):
            at = bits_offset[layer] + (s - state_offset[layer]) * width
            for j in range(width):
                if bits[at + j]:
                    _add(T, s, b, column_offset[layer] + j)


@kernel
def state_factors(layers: Any, state_offset: Any, T: Any, up: Any, down: Any) -> None:
    """``up = exp(T)`` and ``down = 1 / up`` for the states of the given layers."""
    for layer in layers:
        for s in range(state_offset[layer], state_offset[layer + 1]):
            for f in range(LANES):
                factor = math.exp(T[s, f])
                up[s, f] = factor
                down[s, f] = 1.0 / factor


@kernel
def column_sums(state_offset: Any, column_offset: Any, bits_offset: Any, bits: Any, G: Any, sums: Any) -> None:
    """Sums over states to sums over columns: ``sums[j] = sum_s bits[s, j] G[s]``; `sums` starts at zero."""
    for layer in range(state_offset.size - 1):
        width = column_offset[layer + 1] - column_offset[layer]
        for s in range(state_offset[layer], state_offset[layer + 1]):
            at = bits_offset[layer] + (s - state_offset[layer]) * width
            for j in range(width):
                if bits[at + j]:
                    _add(sums, column_offset[layer] + j, G, s)


@kernel
def _collect(pointers: Any, starts: Any, states: Any, state_offset: Any, strip: int, n: int, D: Any, G: Any) -> None:
    """Add to each state the sums over its runs, as differences of the running sums D."""
    for layer in range(state_offset.size - 1):
        p0 = pointers[strip, layer]
        last = pointers[strip, layer + 1] - 1
        offset = state_offset[layer]
        for p in range(p0, last):
            _add_difference(G, offset + np.int64(states[p]), D, np.int64(starts[p + 1]), D, np.int64(starts[p]))
        _add_difference(G, offset + np.int64(states[last]), D, n, D, np.int64(starts[last]))


@kernel
def sweep(
    strip_size: int,
    runs: Any,
    layers: Any,
    up: Any,
    down: Any,
    base: Any,
    values: Any,
    group: Any,
    inside: Any,
    outside: Any,
    first: int,
    last: int,
    G: Any,
    totals: Any,
    lane: int,
    mean: Any,
) -> None:
    """One exact pass over the strips ``first .. last - 1`` for eight lanes.

    The mean of a cell is a running product over the places where a layer changes its state, so there is one
    exponential a state and none a cell. The sums of the means over the cells of a state, weighted with
    ``inside[group]``, are differences of running sums at the ends of its runs.

    runs : (pointers, starts, states, state_offset). layers : those that have coefficients other than zero. up, down,
    base : exp of what states add, its inverse, and the exp of the intercepts. values : (n,) factor of each cell.
    G : (n_states, 8) gets the weighted sums. totals : (2, 8) gets the weighted sums over all cells, with `inside` and
    with `outside`. mean : (n,) or (0,) gets the weighted means of `lane`.
    """
    pointers, starts, states, state_offset = runs
    D = np.empty((strip_size + 1, LANES))
    one = np.ones((1, LANES))
    current = np.empty((1, LANES))
    total = np.empty((1, LANES))
    for strip in range(first, last):
        start = strip * strip_size
        n = min(strip_size, values.size - start)
        for i in range(n):
            _copy(D, i, one, 0)
        _copy(current, 0, base, 0)
        for layer in layers:
            p0 = pointers[strip, layer]
            offset = state_offset[layer]
            previous = offset + np.int64(states[p0])
            _scale(current, 0, up, previous)
            for p in range(p0 + 1, pointers[strip, layer + 1]):
                state = offset + np.int64(states[p])
                _scale_twice(D, np.int64(starts[p]), up, state, down, previous)
                previous = state
        total[:] = 0.0
        for i in range(n):
            cell = start + i
            g = np.int64(group[cell])
            _scale(current, 0, D, i)
            _copy(D, i, total, 0)
            _add_product(total, 0, current, 0, inside, g, values[cell])
            _add_product(totals, 1, current, 0, outside, g, values[cell])
            if mean.size:
                mean[cell] = current[0, lane] * values[cell] * inside[g, lane]
        _copy(D, n, total, 0)
        _add(totals, 0, total, 0)
        _collect(pointers, starts, states, state_offset, strip, n, D, G)


@kernel
def sweep_logs(
    strip_size: int,
    runs: Any,
    layers: Any,
    T: Any,
    base: Any,
    values: Any,
    group: Any,
    inside: Any,
    outside: Any,
    first: int,
    last: int,
    G: Any,
    totals: Any,
    lane: int,
    mean: Any,
) -> None:
    """The same pass with running sums of logarithms, one exponential a cell and lane.

    For coefficients so large that a running product would leave the range of float64. base : the intercepts.
    """
    pointers, starts, states, state_offset = runs
    D = np.empty((strip_size + 1, LANES))
    current = np.empty((1, LANES))
    value = np.empty((1, LANES))
    total = np.empty((1, LANES))
    for strip in range(first, last):
        start = strip * strip_size
        n = min(strip_size, values.size - start)
        D[:n] = 0.0
        _copy(current, 0, base, 0)
        for layer in layers:
            p0 = pointers[strip, layer]
            offset = state_offset[layer]
            previous = offset + np.int64(states[p0])
            _add(current, 0, T, previous)
            for p in range(p0 + 1, pointers[strip, layer + 1]):
                state = offset + np.int64(states[p])
                _add_difference(D, np.int64(starts[p]), T, state, T, previous)
                previous = state
        total[:] = 0.0
        for i in range(n):
            cell = start + i
            g = np.int64(group[cell])
            _add(current, 0, D, i)
            _copy(D, i, total, 0)
            for f in range(LANES):
                value[0, f] = math.exp(current[0, f])
            _add_product(total, 0, value, 0, inside, g, values[cell])
            _add_product(totals, 1, value, 0, outside, g, values[cell])
            if mean.size:
                mean[cell] = value[0, lane] * values[cell] * inside[g, lane]
        _copy(D, n, total, 0)
        _add(totals, 0, total, 0)
        _collect(pointers, starts, states, state_offset, strip, n, D, G)
