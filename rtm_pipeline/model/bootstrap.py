"""Refits of the final model to resampled spatial blocks: intervals given the selection.

Whole blocks are drawn with replacement, so that neighbors that share unmeasured causes stay together. A replicate
needs only each block's sums by pattern, so its cost does not depend on the number of cells. The number of cells of a
replicate varies with the blocks drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ModelError
from rtm_pipeline.model.candidates import candidates_of
from rtm_pipeline.model.design import Design
from rtm_pipeline.model.likelihood.cells import Cells, cells_of
from rtm_pipeline.model.likelihood.families import family_named
from rtm_pipeline.model.likelihood.patterns import Patterns, patterns_of
from rtm_pipeline.model.likelihood.sufficient import Rows, rows_of
from rtm_pipeline.model.terrain import FittedTerrain
from rtm_pipeline.model.workers import available_threads, in_order, slices

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["RefitBootstrap", "percentile_interval", "refit_bootstrap", "units_of_blocks"]

_CHUNK = 200  # replicates whose sums are held at once


@dataclass(frozen=True, slots=True)
class RefitBootstrap:
    """Coefficients of the final model in each replicate.

    Attributes
    ----------
    variables : tuple of str, length n_terms
    coefficients : ndarray of float64, shape (n_replicates, 1 + n_terms)
        Intercept first; NaN in replicates that could not be fitted.
    dispersion : ndarray of float64, shape (n_replicates,)
    level : float
        Of the intervals.
    unit : str
        What was drawn: ``blocks`` or ``cells``.
    n_units : int
    n_failed : int
        Replicates in which terms could not be told apart.
    """

    variables: tuple[str, ...]
    coefficients: NDArray[np.float64]
    dispersion: NDArray[np.float64]
    level: float
    unit: str
    n_units: int
    n_failed: int

    def interval(self, variable: str) -> tuple[float, float]:
        """Percentile interval of the RRV of a variable."""
        column = self.coefficients[:, 1 + self.variables.index(variable)]
        return percentile_interval(column, self.level)


def percentile_interval(coefficients: NDArray[np.float64], level: float) -> tuple[float, float]:
    """Percentile interval of an RRV from replicates of its coefficient; failed ones (NaN) don't count."""
    tail = (1.0 - level) / 2.0
    low, high = np.exp(np.nanquantile(coefficients, [tail, 1.0 - tail]))
    return float(low), float(high)


def refit_bootstrap(
    design: Design,
    terrain: FittedTerrain,
    block_id: NDArray[np.integer] | None,
    *,
    replicates: int,
    level: float,
    seed: np.random.SeedSequence,
    threads: int | None = None,
) -> RefitBootstrap:
    """Refit the terms of a terrain to resampled blocks.

    Parameters
    ----------
    design : Design
        What the terrain was fitted to.
    terrain : FittedTerrain
    block_id : ndarray of int, shape (n,), optional
        Spatial block of each cell; None: cells are drawn.
    replicates : int
    level : float
        Of the percentile intervals, such as 0.90.
    seed : numpy.random.SeedSequence
    threads : int, optional
        Default: all. The result does not depend on it.

    Returns
    -------
    RefitBootstrap

    Raises
    ------
    ModelError
        If there are fewer than two blocks, or a tenth of the replicates or more could not be fitted.
    """
    from rtm_pipeline.model.likelihood.newton import CONVERGED

    threads = available_threads() if threads is None else threads
    family = family_named(terrain.family)
    cells = cells_of(design)
    names = tuple(term.variable.name for term in terrain.terms)
    candidates = candidates_of(design, names)
    position = {variable.name: i for i, variable in enumerate(candidates.variables)}
    patterns = patterns_of(cells, candidates, tuple(position[name] for name in names), threads=threads)
    rows = rows_of(family, cells, patterns)
    units, times = _units(cells, patterns, block_id)
    draws = _draws(units, times, replicates, np.random.default_rng(seed))
    base = np.array([terrain.intercept, *(term.coefficient for term in terrain.terms)])
    coefficients, dispersion, status = _fit_draws(
        rows, _sums(rows, cells, patterns, units), draws, base, terrain.dispersion or 0.0, threads
    )
    failed = status != CONVERGED
    coefficients[failed], dispersion[failed] = np.nan, np.nan
    if 10 * failed.sum() >= replicates > 0:
        raise ModelError(
            f"{int(failed.sum())} of {replicates} bootstrap refits could not be fitted: too few blocks "
            f"({int(units.max()) + 1}) hold what tells the terms {', '.join(names)} apart. A smaller largest spatial "
            "influence gives more blocks."
        )
    return RefitBootstrap(
        names,
        coefficients,
        dispersion,
        level,
        "cells" if block_id is None else "blocks",
        int(cells.counts.size if block_id is None else times.size),
        int(failed.sum()),
    )


def units_of_blocks(block_id: NDArray[np.integer], n: int) -> NDArray[np.int64]:
    """Number the blocks 0, 1, ... for each cell; ModelError if there are fewer than two."""
    if block_id.shape != (n,):
        raise ModelError(f"There must be one block a cell: found shape {block_id.shape} for {n} cells.")
    blocks, unit = np.unique(block_id, return_inverse=True)
    number: NDArray[np.int64] = unit.astype(np.int64)
    if blocks.size < 2:
        raise ModelError(
            "A block bootstrap needs at least two spatial blocks; the study area is within one. A smaller largest "
            "spatial influence gives more blocks."
        )
    return number


def _units(
    cells: Cells, patterns: Patterns, block_id: NDArray[np.integer] | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The unit of each cell and how many of that unit there are to draw from.

    Cells of one pattern, exposure and count are interchangeable: when cells are drawn, such kinds are the units.
    """
    n = cells.counts.size
    if block_id is not None:
        units = units_of_blocks(block_id, n)
        return units, np.ones(int(units.max()) + 1, np.int64)
    exposure_class = np.full(n, cells.class_exposure.size - 1, np.int64)
    exposure_class[cells.partial] = cells.partial_class
    _, count_class = np.unique(cells.counts, return_inverse=True)
    key = (patterns.of_cell.astype(np.int64) * cells.class_exposure.size + exposure_class) * (
        int(count_class.max()) + 1
    )
    _, units, times = np.unique(key + count_class, return_inverse=True, return_counts=True)
    return units, times


def _draws(
    units: NDArray[np.int64], times: NDArray[np.int64], replicates: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """How often each unit is drawn in each replicate, float64, shape (replicates, n_units)."""
    total = int(times.sum())
    if total == times.size:
        return np.stack([np.bincount(rng.integers(total, size=total), minlength=total) for _ in range(replicates)]).astype(float)  # fmt: skip # noqa: E501
    return rng.multinomial(total, times / total, size=replicates) / times


def _sums(rows: Rows, cells: Cells, patterns: Patterns, units: NDArray[np.int64]) -> tuple[csr_array, ...]:
    """Sums of size, linear part, tail, histogram and incidents by unit: sparse, shape (n_units, columns)."""
    from scipy.sparse import csr_array

    n_units, n_rows = int(units.max()) + 1, rows.arrays.size.size
    row_of_cell = patterns.of_cell.astype(np.int64)
    if rows.family.name == "nb2":
        row_of_cell[cells.partial] = rows.partial_row
    size = np.ones(cells.counts.size) if rows.family.name == "nb2" else cells.exposure

    def sums(unit: NDArray[np.int64], column: NDArray[np.int64], value: NDArray[np.float64], width: int) -> csr_array:
        return csr_array((value, (unit, column)), shape=(n_units, width))

    hist = rows.arrays.hist_step.size
    none = np.zeros(0, np.int64)
    tail = cells.tail if rows.tail_entry.size else none
    steps = cells.tail if hist else none
    return (
        sums(units, row_of_cell, size, n_rows),
        sums(units[cells.events], rows.event_row, rows.event_value.astype(float), n_rows),
        sums(units[tail], rows.tail_entry, np.ones(tail.size), rows.arrays.tail_cells.size),
        sums(units[steps], cells.tail_step[: steps.size] - 1, np.ones(steps.size), hist),
        sums(units[cells.events], np.zeros_like(cells.events), cells.counts[cells.events].astype(float), 1),
    )


def _fit_draws(
    rows: Rows,
    sums: tuple[csr_array, ...],
    draws: NDArray[np.float64],
    base: NDArray[np.float64],
    phi: float,
    threads: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    from rtm_pipeline.model.likelihood.newton import Fits, empty_fits, fit_replicates

    out = empty_fits(len(draws), base.size)
    for first in range(0, len(draws), _CHUNK):
        part = draws[first : first + _CHUNK]
        size, linear, tail, hist, events = (np.ascontiguousarray((table.T @ part.T).T) for table in sums)
        window = slice(first, first + _CHUNK)
        here = Fits(out.beta[window], out.phi[window], out.total[window], out.status[window])
        shares = (size, linear, tail, hist, np.ascontiguousarray(events[:, 0]))

        def run(span: tuple[int, int]) -> None:
            fit_replicates(rows.arrays, base, phi, *shares, *span, here)  # noqa: B023 - used up within the loop

        in_order(run, slices(len(part), threads), threads=threads)
    return out.beta, out.phi, out.status
