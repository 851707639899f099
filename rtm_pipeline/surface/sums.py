"""Products of tall matrices whose rounding does not depend on the number of threads.

BLAS splits a long sum among its threads, so the last digits of ``columns.T @ values`` hang on how many there are.
The loops of numpy, and products too small to be shared, do not.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["block_sums", "gram", "row_sums", "weighted_sums"]

_SMALL_PRODUCT = 200_000  # multiplications up to which BLAS does not share a product among threads


def row_sums(columns: NDArray[np.floating], coefficients: NDArray[np.float64]) -> NDArray[np.float64]:
    """``columns @ coefficients``, shape (m,)."""
    return np.asarray(np.einsum("ij,j->i", columns, coefficients), np.float64)


def weighted_sums(columns: NDArray[np.floating], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """``columns.T @ weights``, shape (q,)."""
    return np.asarray(np.einsum("ij,i->j", columns, weights), np.float64)


def gram(columns: NDArray[np.floating], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """``columns.T @ diag(weights) @ columns``, shape (q, q): summed over slices too small to be shared, in order."""
    m, q = columns.shape
    total = np.zeros((q, q))
    rows = max(8, _SMALL_PRODUCT // max(q * q, 1))
    for start in range(0, m, rows):
        part = columns[start : start + rows].astype(np.float64)
        total += (part * weights[start : start + rows, None]).T @ part
    return total


def block_sums(draws: NDArray[np.float64], by_block: NDArray[np.float64]) -> NDArray[np.float64]:
    """``draws @ by_block``, shape (r, c): sums of the blocks of each bootstrap draw."""
    return np.asarray(np.einsum("rb,bc->rc", draws, by_block), np.float64)
