"""Candidate variables of a selection, in an order that does not depend on how the design lists them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ModelError
from rtm_pipeline.factors.spec import Variable
from rtm_pipeline.model.design import Block, Design

__all__ = ["Candidates", "StateLayer", "candidates_of"]


@dataclass(frozen=True, slots=True)
class StateLayer:
    """Candidates that share a code, recoded to the states that they tell apart.

    Attributes
    ----------
    codes : ndarray of uint8 or uint16, shape (n,)
        State of each cell.
    bits : ndarray of uint8, shape (n_states, m)
        0 or 1 of each candidate in each state.
    columns : ndarray of int64, shape (m,)
        Which candidates they are.
    """

    codes: NDArray[np.uint8] | NDArray[np.uint16]
    bits: NDArray[np.uint8]
    columns: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Candidates:
    """Variables to choose from, sorted by name.

    Attributes
    ----------
    variables : tuple of Variable, length n_candidates
    factor : ndarray of int64, shape (n_candidates,)
        Equal numbers: the same risk factor.
    layers : tuple of StateLayer
    """

    variables: tuple[Variable, ...]
    factor: NDArray[np.int64]
    layers: tuple[StateLayer, ...]

    @property
    def size(self) -> int:
        """Number of candidates."""
        return len(self.variables)

    def column(self, candidate: int) -> NDArray[np.uint8]:
        """0/1 values of a candidate, uint8, shape (n,)."""
        layer, position = self.locate(candidate)
        values: NDArray[np.uint8] = layer.bits[:, position][layer.codes]
        return values

    def locate(self, candidate: int) -> tuple[StateLayer, int]:
        """The layer of a candidate and its position there."""
        for layer in self.layers:
            at = np.flatnonzero(layer.columns == candidate)
            if at.size:
                return layer, int(at[0])
        raise IndexError(candidate)


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
    wanted = {variable.name for variable in design.variables} if names is None else set(names)
    missing = wanted - {variable.name for variable in design.variables}
    if missing:
        raise ModelError(
            f"The design has no variable named {', '.join(sorted(missing)[:5])} ({len(missing)} missing of "
            f"{len(wanted)} asked for). Score with a design made by the same factors as the fit."
        )
    variables = tuple(sorted((v for v in design.variables if v.name in wanted), key=lambda v: v.name))
    position = {variable.name: i for i, variable in enumerate(variables)}
    factors = {name: i for i, name in enumerate(sorted({v.factor for v in variables}))}
    layers = [layer for block in design.blocks if (layer := _layer(block, position)) is not None]
    layers.sort(key=lambda layer: int(layer.columns[0]))
    return Candidates(variables, np.array([factors[v.factor] for v in variables], np.int64), tuple(layers))


def _layer(block: Block, position: dict[str, int]) -> StateLayer | None:
    pairs = sorted((position[v.name], i) for i, v in enumerate(block.variables) if v.name in position)
    if not pairs:
        return None
    columns = np.array([candidate for candidate, _ in pairs], np.int64)
    bits = np.ascontiguousarray(block.bits[:, [i for _, i in pairs]], np.uint8)
    if len(pairs) == len(block.variables):
        return StateLayer(block.codes, bits, columns)
    states, state_of = np.unique(bits, axis=0, return_inverse=True)
    states = np.ascontiguousarray(states)
    if len(states) <= 256:
        return StateLayer(state_of.astype(np.uint8)[block.codes], states, columns)
    return StateLayer(state_of.astype(np.uint16)[block.codes], states, columns)
