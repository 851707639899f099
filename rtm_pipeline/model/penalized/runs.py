"""Designs as runs: in raster order neighboring cells are mostly alike, so a factor's codes come in runs.

A run is where in its strip of 256 cells it starts (one byte) and its state (two bytes). At 250 ft a run holds about 4
cells, at 50 ft about 14: work on runs grows much more slowly than the number of cells. Nothing depends on the order
of cells but speed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.model.design import Block

__all__ = ["STRIP", "Runs", "encode_runs"]

STRIP = 256
"""Cells in a strip. Runs end where a strip ends, so strips can be worked on apart; offsets fit in one byte."""

MOST_JOINT_STATES = 256

Codes: TypeAlias = NDArray[np.uint8] | NDArray[np.uint16]
Layer: TypeAlias = tuple[Codes, NDArray[np.uint8]]


@dataclass(frozen=True, slots=True)
class Runs:
    """The columns of a design, run-length coded by layer and strip.

    A *layer* is a block, or several small neighboring blocks taken together. Columns keep the design's order.

    Attributes
    ----------
    n_cells : int
    pointers : ndarray of int64, shape (n_strips, n_layers + 1)
        Runs ``pointers[s, l] : pointers[s, l + 1]`` are those of layer l in strip s.
    starts : ndarray of uint8, shape (n_runs,)
        First cell of the run, counted from the strip's first.
    states : ndarray of uint16, shape (n_runs,)
        State of the run within its layer.
    state_offset, column_offset : ndarray of int64, shape (n_layers + 1,)
        First state and first column of each layer.
    bits_offset : ndarray of int64, shape (n_layers + 1,)
        First entry of each layer in `bits`.
    bits : ndarray of uint8
        For each layer its table (states by columns) of 0 and 1, row by row, one after the other.
    """

    n_cells: int
    pointers: NDArray[np.int64]
    starts: NDArray[np.uint8]
    states: NDArray[np.uint16]
    state_offset: NDArray[np.int64]
    column_offset: NDArray[np.int64]
    bits_offset: NDArray[np.int64]
    bits: NDArray[np.uint8]

    @property
    def n_columns(self) -> int:
        """Number of columns."""
        return int(self.column_offset[-1])

    @property
    def n_states(self) -> int:
        """Number of states of all layers."""
        return int(self.state_offset[-1])

    @property
    def n_strips(self) -> int:
        """Number of strips."""
        return int(self.pointers.shape[0])

    @property
    def arrays(self) -> tuple[NDArray[np.int64], NDArray[np.uint8], NDArray[np.uint16], NDArray[np.int64]]:
        """Pointers, starts, states and first states, for compiled loops."""
        return self.pointers, self.starts, self.states, self.state_offset

    def table(self, layer: int) -> NDArray[np.uint8]:
        """Table of a layer: states by columns."""
        bits = self.bits[self.bits_offset[layer] : self.bits_offset[layer + 1]]
        return bits.reshape(int(self.state_offset[layer + 1] - self.state_offset[layer]), -1)


def encode_runs(blocks: tuple[Block, ...], n_cells: int) -> Runs:
    """Code the blocks of a design as runs.

    Parameters
    ----------
    blocks : tuple of Block
        Codes must be below the number of states; at least one block and one cell.
    n_cells : int

    Returns
    -------
    Runs
    """
    from rtm_pipeline.model.penalized.coding import count_runs, fill_runs

    layers = _joined(blocks, n_cells)
    counts = np.empty((-(-n_cells // STRIP), len(layers)), np.int64)
    column = np.empty(counts.shape[0], np.int64)
    for layer, (codes, _) in enumerate(layers):
        count_runs(STRIP, codes, column)
        counts[:, layer] = column
    ends = np.cumsum(counts).reshape(counts.shape)
    pointers = np.ascontiguousarray(np.column_stack([ends[:, 0] - counts[:, 0], ends]))
    starts = np.empty(int(ends[-1, -1]), np.uint8)
    states = np.empty(starts.size, np.uint16)
    for layer, (codes, _) in enumerate(layers):
        fill_runs(STRIP, codes, np.ascontiguousarray(pointers[:, layer]), starts, states)
    return Runs(
        n_cells=n_cells,
        pointers=pointers,
        starts=starts,
        states=states,
        state_offset=_offsets(bits.shape[0] for _, bits in layers),
        column_offset=_offsets(bits.shape[1] for _, bits in layers),
        bits_offset=_offsets(bits.size for _, bits in layers),
        bits=np.concatenate([bits.ravel() for _, bits in layers]),
    )


def _offsets(sizes: Iterable[int]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(list(sizes))]).astype(np.int64)


def _joined(blocks: tuple[Block, ...], n_cells: int) -> list[Layer]:
    """Layers of the design: neighboring blocks with few states are taken together.

    Eight unrelated 0/1 columns of a table are one layer with at most 256 states instead of eight with two: an eighth
    of the runs. Layers with many states stay as they are.
    """
    most = min(MOST_JOINT_STATES, max(n_cells // 16, 16))
    layers: list[Layer] = []
    for block in blocks:
        layer = _trimmed(block.codes, np.ascontiguousarray(block.bits, np.uint8))
        if layers and layers[-1][1].shape[0] * layer[1].shape[0] <= most:
            layers[-1] = _together(layers[-1], layer)
        else:
            layers.append(layer)
    return layers


def _together(left: Layer, right: Layer) -> Layer:
    states = right[1].shape[0]
    joint = left[0].astype(np.uint8) * np.uint8(states) + right[0].astype(np.uint8)
    bits = np.hstack([np.repeat(left[1], states, axis=0), np.tile(right[1], (left[1].shape[0], 1))])
    return _trimmed(joint, bits)


def _trimmed(codes: Codes, bits: NDArray[np.uint8]) -> Layer:
    """Drop states that no cell has."""
    seen = np.flatnonzero(np.bincount(codes, minlength=bits.shape[0]))
    if seen.size == bits.shape[0]:
        return codes, bits
    table = np.zeros(bits.shape[0], codes.dtype)
    table[seen] = np.arange(seen.size)
    return table[codes], np.ascontiguousarray(bits[seen])
