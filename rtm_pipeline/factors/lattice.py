"""The study cells as compiled loops want them, and the way to run such a loop over rows with several threads."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.grid.spec import StudyGrid

__all__ = ["Lattice", "Workers"]

_PARTS = 4


@dataclass(frozen=True, slots=True, eq=False)
class Lattice:
    """Cell centers by row and column.

    Attributes
    ----------
    x : ndarray of float64, shape (n_cols,)
        Centers of columns, west to east, CRS units.
    y : ndarray of float64, shape (n_rows,)
        Centers of rows, north to south.
    row_start : ndarray of int64, shape (n_rows + 1,)
        Where each row begins among the cells.
    cols : ndarray of int32, shape (n,)
        Column of each cell.
    parts : tuple of (int, int)
        The rows cut into runs of about equally many cells, as half-open ranges of rows.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    row_start: NDArray[np.int64]
    cols: NDArray[np.int32]
    parts: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, grid: StudyGrid, parts: int = 1) -> Lattice:
        """Lattice of a study grid, its rows cut into at most ``parts`` runs."""
        spec, row_start = grid.spec, grid.row_start
        first = np.arange(spec.n_rows, dtype=np.int32) * np.int32(spec.n_cols)
        cols = grid.flat - np.repeat(first, np.diff(row_start))
        edges = np.searchsorted(row_start, np.linspace(0, grid.n_cells, parts + 1)[1:-1])
        edges = np.unique(np.concatenate([[0], edges, [spec.n_rows]]))
        runs = tuple((int(low), int(high)) for low, high in pairwise(edges))
        return cls(spec.column_centers_u, spec.row_centers_u, row_start, cols, runs)

    @property
    def n_cells(self) -> int:
        """Number of study cells."""
        return int(self.cols.size)

    @property
    def arrays(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64], NDArray[np.int32]]:
        """``x, y, row_start, cols``: the order in which the compiled loops take them."""
        return self.x, self.y, self.row_start, self.cols


class Workers:
    """Threads that share out ranges of rows or cells; compiled loops release the interpreter lock.

    Parameters
    ----------
    threads : int, optional
        By default the processors that this process may use. Results never depend on it.
    """

    __slots__ = ("_pool", "threads")

    def __init__(self, threads: int | None = None) -> None:
        available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self.threads = max(1, available if threads is None else threads)
        self._pool = ThreadPoolExecutor(self.threads) if self.threads > 1 else None

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._pool is not None:
            self._pool.shutdown()

    @property
    def parts(self) -> int:
        """Into how many pieces rows are best cut: several a thread, as rows differ in how many features are near."""
        return self.threads * _PARTS if self.threads > 1 else 1

    def run(self, work: Callable[[int, int], object], ranges: Sequence[tuple[int, int]]) -> None:
        """Call ``work(first, last)`` for every range."""
        if self._pool is None:
            for first, last in ranges:
                work(first, last)
        else:
            list(self._pool.map(lambda part: work(*part), ranges))

    def over_rows(self, lattice: Lattice, work: Callable[[int, int], object]) -> None:
        """Call ``work(first_row, last_row)`` for parts of the raster."""
        self.run(work, lattice.parts)

    def over(self, n: int, work: Callable[[int, int], object]) -> None:
        """Call ``work(first, last)`` for parts of ``range(n)``."""
        edges = [n * part // self.threads for part in range(self.threads + 1)]
        self.run(work, [(low, high) for low, high in pairwise(edges) if low < high])
