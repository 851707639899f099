"""An approximate Hessian that is cheap because cells are sampled in proportion to their mean.

The Hessian of a Poisson likelihood is ``X' diag(mu) X``. Of cells drawn in proportion to mu it is a plain count of
joint ones, and counts of joint ones are bit operations: 64 draws at a time. It only steers the steps: the point they
end at satisfies the exact optimality conditions whatever the approximation. Diagonal and intercept are replaced by
their exact values for each lane, which are known from the gradient.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.model.penalized.runs import STRIP, Runs

__all__ = ["Curvature"]

DRAWS = 1 << 16
"""Draws: the relative error of the Hessian is about sqrt(columns / draws), 6 % for 200 columns."""


class Curvature:
    """Sampled Hessian of the columns that are in work.

    Column 0 is the intercept, column ``j + 1`` is the design's column j. Columns are added as they are needed.

    Parameters
    ----------
    runs : Runs
    draws : int
    """

    def __init__(self, runs: Runs, draws: int = DRAWS) -> None:
        self._runs = runs
        self._draws = draws
        self._before = np.zeros(runs.n_cells + 1, np.int64)
        self._layer_of = np.repeat(np.arange(runs.column_offset.size - 1), np.diff(runs.column_offset))
        self.columns: NDArray[np.intp] = np.zeros(0, np.intp)
        self._row_of = np.full(runs.n_columns + 1, -1, np.int64)
        self._words = np.zeros((0, draws // 64), np.uint64)
        self._counts = np.zeros((0, 0))

    def draw(self, mean: NDArray[np.float64], columns: NDArray[np.intp]) -> None:
        """Draw cells anew, in proportion to `mean`, and start over with the intercept and `columns`."""
        from rtm_pipeline.model.penalized.descent import sample_positions

        sample_positions(mean, self._draws, self._before)
        self.columns = np.zeros(0, np.intp)
        self._row_of[:] = -1
        self._words = np.zeros((0, self._draws // 64), np.uint64)
        self._counts = np.zeros((0, 0))
        self.add(np.concatenate([[0], columns[columns > 0]]).astype(np.intp))

    def add(self, columns: NDArray[np.intp]) -> None:
        """Add columns that are not there yet."""
        from rtm_pipeline.model.penalized.descent import joint_counts

        wanted = columns[self._row_of[columns] < 0]
        if wanted.size == 0:
            return
        old, new = self.columns.size, self.columns.size + wanted.size
        self._row_of[wanted] = np.arange(old, new)
        self.columns = np.concatenate([self.columns, wanted])
        self._words = np.concatenate([self._words, np.zeros((wanted.size, self._draws // 64), np.uint64)])
        self._mark(wanted)
        counts = np.zeros((new, new))
        counts[:old, :old] = self._counts
        joint_counts(self._words, old, new, counts)
        self._counts = counts

    def hessian(
        self, diagonal: NDArray[np.float64], steps: NDArray[np.float64], changes: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Approximate Hessian of one lane on `columns`.

        Parameters
        ----------
        diagonal : ndarray of float64, shape (n_columns + 1,)
            Exact diagonal of all columns (the mean of ``mu x``).
        steps, changes : ndarray of float64, shape (pairs, n_columns + 1)
            Past steps and how the negative gradient changed along them.

        Returns
        -------
        ndarray of float64, shape (len(columns), len(columns))
        """
        from rtm_pipeline.model.penalized.descent import bracketed

        size = self.columns.size
        seen = np.diagonal(self._counts)
        weight = np.sqrt(diagonal[self.columns] / np.where(seen > 0, seen, 1.0))
        counts = self._counts
        if not seen.all():
            counts = counts.copy()
            counts[np.diag_indices(size)] = np.where(seen > 0, seen, 1.0)
        H = np.empty((size, size))
        bracketed(
            counts,
            weight,
            np.ascontiguousarray(steps[:, self.columns]),
            np.ascontiguousarray(changes[:, self.columns]),
            H,
        )
        return H

    def _mark(self, wanted: NDArray[np.intp]) -> None:
        from rtm_pipeline.model.penalized.descent import mark_bits

        runs = self._runs
        self._words[self._row_of[wanted[wanted == 0]]] = np.uint64(0xFFFFFFFFFFFFFFFF)
        wanted = wanted[wanted > 0]
        layers = self._layer_of[wanted - 1]
        for layer in np.unique(layers):
            mine = wanted[layers == layer]
            state, column = np.nonzero(runs.table(int(layer))[:, mine - 1 - runs.column_offset[layer]])
            states = int(runs.state_offset[layer + 1] - runs.state_offset[layer])
            first_one = np.searchsorted(state, np.arange(states + 1))
            ones = self._row_of[mine][column]
            mark_bits(STRIP, *runs.arrays[:3], int(layer), first_one, ones, self._before, self._words)
