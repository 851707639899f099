"""Candidate variables of a selection, in an order that does not depend on how the design lists them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ModelError
from rtm_pipeline.factors.spec import Variable
from rtm_pipeline.model.design import Block, Design

__all__ = ["Candidates", "candidates_of"]


@dataclass(frozen=True, slots=True)
class Candidates:
    """Variables to choose from, sorted by name, recoded to the states that they tell apart.

    A layer is what is left of a block of the design. States are numbered through all layers.

    Attributes
    ----------
    variables : tuple of Variable, length n_candidates
    factor : ndarray of int64, shape (n_candidates,)
        Equal numbers: the same risk factor.
    codes : ndarray of uint8 or uint16, shape (n_layers, n)
        State of each cell within the layer.
    offsets : ndarray of int64, shape (n_layers + 1,)
        First state of each layer.
    bits : ndarray of uint8, shape (n_states, width)
        0 or 1 of the layer's candidates in each state; unused columns are 0.
    columns : ndarray of int64, shape (n_layers, width)
        Which candidates a layer's columns are, ascending; -1 where unused.
    widths : ndarray of int64, shape (n_layers,)
        Number of candidates of each layer.
    """

    variables: tuple[Variable, ...]
    factor: NDArray[np.int64]
    codes: NDArray[np.uint8] | NDArray[np.uint16]
    offsets: NDArray[np.int64]
    bits: NDArray[np.uint8]
    columns: NDArray[np.int64]
    widths: NDArray[np.int64]

    @property
    def size(self) -> int:
        """Number of candidates."""
        return len(self.variables)

    @property
    def n_states(self) -> int:
        """Number of states of all layers."""
        return int(self.offsets[-1])

    def column(self, candidate: int) -> NDArray[np.uint8]:
        """0/1 values of a candidate, uint8, shape (n,)."""
        layer, position = np.argwhere(self.columns == candidate)[0]
        of_state = np.ascontiguousarray(self.bits[self.offsets[layer] : self.offsets[layer + 1], position])
        values: NDArray[np.uint8] = of_state[self.codes[layer]]
        return values

    def positions(self, wanted: NDArray[np.intp]) -> NDArray[np.int64]:
        """``columns`` with each candidate's position in ``wanted``, -1 for the others; int64, the same shape."""
        position = np.full(self.size + 1, -1, np.int64)
        position[wanted] = np.arange(wanted.size)
        renumbered: NDArray[np.int64] = position[self.columns]  # -1 takes the last, which is -1
        return renumbered


def candidates_of(design: Design, names: Collection[str] | None = None) -> Candidates:
    """Pick the candidates of a design by name.

    Parameters
    ----------
    design : Design
    names : collection of str, optional
        Default: all variables.

    Returns
    -------
    Candidates

    Raises
    ------
    ModelError
        If the design lacks one of the names.
    """
    variables = chosen_variables(design, names)
    position = {variable.name: i for i, variable in enumerate(variables)}
    factors = {name: i for i, name in enumerate(sorted({v.factor for v in variables}))}
    layers = [layer for block in design.blocks if (layer := _layer(block, position)) is not None]
    layers.sort(key=lambda layer: int(layer[0][0]))
    width = max((columns.size for columns, _, _ in layers), default=0)
    offsets = np.append(0, np.cumsum([len(bits) for _, bits, _ in layers])).astype(np.int64)
    many = any(len(bits) > 256 for _, bits, _ in layers)
    codes = np.empty((len(layers), design.n_cells), np.uint16 if many else np.uint8)
    bits = np.zeros((int(offsets[-1]), width), np.uint8)
    columns = np.full((len(layers), width), -1, np.int64)
    for number, (columns_here, bits_here, codes_here) in enumerate(layers):
        codes[number] = codes_here
        bits[offsets[number] : offsets[number + 1], : columns_here.size] = bits_here
        columns[number, : columns_here.size] = columns_here
    factor = np.array([factors[v.factor] for v in variables], np.int64)
    return Candidates(variables, factor, codes, offsets, bits, columns, (columns >= 0).sum(axis=1))


def chosen_variables(design: Design, names: Collection[str] | None) -> tuple[Variable, ...]:
    """Variables of a design by name, sorted by name; ModelError if it lacks one."""
    wanted = {variable.name for variable in design.variables} if names is None else set(names)
    chosen = tuple(sorted((v for v in design.variables if v.name in wanted), key=lambda v: v.name))
    missing = sorted(wanted - {variable.name for variable in chosen})
    if missing:
        raise ModelError(
            f"The design has no variable named {', '.join(missing[:5])} ({len(missing)} missing of {len(wanted)} "
            "asked for). Score with a design made by the same factors as the fit."
        )
    return chosen


def _layer(
    block: Block, position: dict[str, int]
) -> tuple[NDArray[np.int64], NDArray[np.uint8], NDArray[np.uint8] | NDArray[np.uint16]] | None:
    """Candidates, bits and codes of what is wanted of a block, with as few states as they tell apart."""
    pairs = sorted((position[v.name], i) for i, v in enumerate(block.variables) if v.name in position)
    if not pairs:
        return None
    columns = np.array([candidate for candidate, _ in pairs], np.int64)
    bits = np.ascontiguousarray(block.bits[:, [i for _, i in pairs]], np.uint8)
    if len(pairs) == len(block.variables):
        return columns, bits, block.codes
    states, state_of = _distinct_rows(bits)
    if len(states) <= 256:
        return columns, states, state_of.astype(np.uint8)[block.codes]
    return columns, states, state_of.astype(np.uint16)[block.codes]


def _distinct_rows(bits: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.intp]]:
    """Distinct rows and the number of each row's, as ``numpy.unique`` by rows, but fast for up to 62 columns."""
    if bits.shape[1] > 62:
        states, state_of = np.unique(bits, axis=0, return_inverse=True)
        return states, state_of
    key = bits @ (np.int64(1) << np.arange(bits.shape[1], dtype=np.int64))
    _, first, state_of = np.unique(key, return_index=True, return_inverse=True)
    return bits[first], state_of
