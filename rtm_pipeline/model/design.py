"""The design of a model, compact: one small code a cell and factor instead of a wide 0/1 matrix.

The columns of a factor are nested bands, so a cell takes few of the possible patterns. A `Block` keeps the pattern of
each cell as a code and the table from codes to bits; column ``j`` of the block is ``bits[codes, j]``. Nothing in this
room ever builds the full matrix.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.factors.spec import Variable

__all__ = ["Block", "Design"]


@dataclass(frozen=True, slots=True)
class Block:
    """0/1 columns that share a code.

    Attributes
    ----------
    codes : ndarray of uint8 or uint16, shape (n,)
        Pattern of each cell.
    bits : ndarray of uint8, shape (n_states, n_columns)
        0 or 1: what each pattern means.
    variables : tuple of Variable, length n_columns
    """

    codes: NDArray[np.uint8] | NDArray[np.uint16]
    bits: NDArray[np.uint8]
    variables: tuple[Variable, ...]


@dataclass(frozen=True, slots=True)
class Design:
    """Counts, exposure and candidate variables of n cells.

    Attributes
    ----------
    blocks : tuple of Block
    counts : ndarray of int64, shape (n,)
        Incidents in each cell.
    exposure : ndarray of float64, shape (n,)
        Positive; ``log(exposure)`` is the offset.
    """

    blocks: tuple[Block, ...]
    counts: NDArray[np.int64]
    exposure: NDArray[np.float64]

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return int(self.counts.size)

    @property
    def variables(self) -> tuple[Variable, ...]:
        """All candidate variables, in column order."""
        return tuple(variable for block in self.blocks for variable in block.variables)
