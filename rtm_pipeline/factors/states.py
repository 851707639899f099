"""0/1 columns as states: a raw bit pattern a cell -> the variables that vary, and one small code a cell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ModelError
from rtm_pipeline.factors.lattice import Workers
from rtm_pipeline.factors.spec import FactorSpec, Variable

__all__ = ["RawStates", "States", "settle"]

Patterns = NDArray[Any]  # uint32 or uint64
Codes = NDArray[Any]  # uint8 or uint16

_TABLE_BITS = 20  # up to here, patterns are counted in a table; beyond, they are sorted
_MOST_STATES = 65536


@dataclass(slots=True, eq=False)
class RawStates:
    """Patterns of candidate columns, under construction.

    Attributes
    ----------
    raw : ndarray of uint32 or uint64, shape (n,)
        In the low bits, how many proximity bands are nearer than the nearest feature; above them a bit for each
        density band.
    n_proximity, n_density : int
        Numbers of bands.
    """

    raw: Patterns
    n_proximity: int
    n_density: int

    @classmethod
    def empty(cls, n_cells: int, n_proximity: int, n_density: int, where: str) -> RawStates:
        """Room for the bands of one factor."""
        bits = n_proximity.bit_length() + n_density
        if bits > 62:
            raise ModelError(f"{where}: {n_density} density bands are more than can be held apart. Use fewer bands.")
        return cls(np.empty(n_cells, np.uint32 if bits <= 31 else np.uint64), n_proximity, n_density)

    @property
    def level_bits(self) -> int:
        """Bits that hold the proximity level."""
        return self.n_proximity.bit_length()

    def density_bit(self, band: int) -> int:
        """The power of two that stands for a density band."""
        return 1 << (self.level_bits + band)

    def columns(self, patterns: Patterns) -> NDArray[np.uint8]:
        """The 0/1 columns of some patterns, shape (m, n_proximity + n_density): proximity first."""
        patterns = patterns.astype(np.int64)
        level = patterns & ((1 << self.level_bits) - 1)
        near = level[:, None] <= np.arange(self.n_proximity)
        dense = (patterns[:, None] >> (self.level_bits + np.arange(self.n_density))) & 1
        return np.hstack([near, dense]).astype(np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class States:
    """The variables of a factor that vary, and the state of each cell.

    Attributes
    ----------
    variables : tuple of Variable, length k
    codes : ndarray of uint8 or uint16, shape (n,)
    bits : ndarray of uint8, shape (n_states, k)
    dropped : tuple of (Variable, str)
    """

    variables: tuple[Variable, ...]
    codes: Codes
    bits: NDArray[np.uint8]
    dropped: tuple[tuple[Variable, str], ...]


def settle(
    states: RawStates,
    candidates: Sequence[Variable],
    known: NDArray[np.bool_] | None,
    spec: FactorSpec,
    workers: Workers,
    *,
    keep_all: bool,
) -> States:
    """Drop columns that can't be told apart from a constant or from one another; number the states that are left.

    Parameters
    ----------
    states : RawStates
    candidates : sequence of Variable
        One a column: proximity bands, then density bands.
    known : ndarray of bool, shape (n,), optional
        Cells that count when columns are judged.
    spec : FactorSpec
        For its rule of near-constant columns.
    workers : Workers
    keep_all : bool
        Keep every column, as where the variables are frozen.

    Returns
    -------
    States
    """
    patterns, cells, position = _patterns(states, known)
    columns = states.columns(patterns)
    everything: tuple[list[int], list[tuple[Variable, str]]] = (list(range(len(candidates))), [])
    kept, dropped = everything if keep_all else _judge(columns, cells, candidates, spec)
    bits, code_of = np.unique(columns[:, kept], axis=0, return_inverse=True) if kept else (columns[:1, :0], None)
    if bits.shape[0] > _MOST_STATES:
        raise ModelError(f"factors.{spec.name}: {bits.shape[0]:,} different states of its bands. Use fewer bands.")
    dtype = np.uint8 if bits.shape[0] <= 256 else np.uint16
    table = np.zeros(patterns.size, dtype) if code_of is None else code_of.reshape(-1).astype(dtype)
    codes = _codes(states.raw, patterns, table, position, workers)
    return States(tuple(candidates[j] for j in kept), codes, np.ascontiguousarray(bits), tuple(dropped))


def _patterns(
    states: RawStates, known: NDArray[np.bool_] | None
) -> tuple[Patterns, NDArray[np.int64], NDArray[np.intp] | None]:
    """Patterns that occur, ascending; in how many known cells; where each cell's is, if that had to be sorted out."""
    from rtm_pipeline.factors.state_kernels import tally

    bits = states.level_bits + states.n_density
    if bits <= _TABLE_BITS:
        everywhere, counted = np.zeros(1 << bits, np.int64), np.zeros(1 << bits, np.int64)
        tally(states.raw, np.zeros(0, np.bool_) if known is None else known, everywhere, counted)
        found = np.flatnonzero(everywhere)
        return found.astype(states.raw.dtype), counted[found], None
    patterns, position = np.unique(states.raw, return_inverse=True)
    weights = np.ones(position.size) if known is None else known.astype(np.float64)
    return patterns, np.bincount(position, weights, patterns.size).astype(np.int64), position


def _codes(
    raw: Patterns,
    patterns: Patterns,
    code_of: Codes,
    position: NDArray[np.intp] | None,
    workers: Workers,
) -> Codes:
    from rtm_pipeline.factors.state_kernels import relabel

    if position is not None:
        return code_of[position]
    table = np.zeros(int(patterns[-1]) + 1, code_of.dtype)
    table[patterns] = code_of
    codes = np.empty(raw.size, code_of.dtype)
    workers.over(raw.size, lambda first, last: relabel(raw, table, codes, first, last))
    return codes


def _judge(
    columns: NDArray[np.uint8], cells: NDArray[np.int64], candidates: Sequence[Variable], spec: FactorSpec
) -> tuple[list[int], list[tuple[Variable, str]]]:
    n = int(cells.sum())
    needed = max(spec.rare_cells, math.ceil(spec.rare_share * n))
    ones = cells @ columns
    seen: dict[bytes, Variable] = {}
    kept: list[int] = []
    dropped: list[tuple[Variable, str]] = []
    for j, variable in enumerate(candidates):
        one = int(ones[j])
        pattern = columns[cells > 0, j].tobytes()
        if one in (0, n):
            dropped.append((variable, f"constant: {int(one > 0)} in all {n:,} cells"))
        elif min(one, n - one) < needed:
            rare = f"{int(one < n - one)} in {min(one, n - one):,} of {n:,} cells"
            dropped.append((variable, f"near-constant: {rare}; at least {needed:,} are needed"))
        elif pattern in seen:
            dropped.append((variable, f"duplicate of {seen[pattern].name}"))
        else:
            seen[pattern] = variable
            kept.append(j)
    return kept, dropped
