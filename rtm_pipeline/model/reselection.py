"""Selection repeated on resampled spatial blocks: how often each variable is chosen, intervals that allow for it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ModelError
from rtm_pipeline.model.bootstrap import percentile_interval, units_of_blocks
from rtm_pipeline.model.candidates import candidates_of
from rtm_pipeline.model.design import Design
from rtm_pipeline.model.likelihood.cells import cells_of
from rtm_pipeline.model.likelihood.families import Family
from rtm_pipeline.model.selection import select
from rtm_pipeline.model.workers import available_threads, in_order

__all__ = ["Rescreen", "SelectionBootstrap", "selection_bootstrap"]

logger = logging.getLogger(__name__)

_MOST_DRAWS = 50_000_000  # units times replicates that are held at once

Rescreen = Callable[[NDArray[np.integer], NDArray[np.int64]], NDArray[np.bool_]]
"""Screening at the chosen penalty: from how often each replicate draws each unit, shape (replicates, n_units), and the
unit of each cell, to whether each replicate keeps each variable of the design, shape (replicates, n_variables)."""


@dataclass(frozen=True, slots=True)
class SelectionBootstrap:
    """What each replicate selected.

    Attributes
    ----------
    selected : tuple of tuple of (str, float)
        Variables and coefficients of each replicate that could be fitted.
    level : float
        Of the intervals.
    unit : str
        What was drawn: ``blocks`` or ``cells``.
    n_units : int
    n_failed : int
        Replicates without a model (no incidents drawn, no convergence).
    """

    selected: tuple[tuple[tuple[str, float], ...], ...]
    level: float
    unit: str
    n_units: int
    n_failed: int

    def frequency(self, variable: str) -> float:
        """Share of the replicates that select a variable."""
        return float(np.mean([any(name == variable for name, _ in terms) for terms in self.selected]))

    def frequencies(self) -> dict[str, float]:
        """Share of the replicates for every variable that any selects, the most frequent first."""
        names = {name for terms in self.selected for name, _ in terms}
        shares = {name: self.frequency(name) for name in names}
        return dict(sorted(shares.items(), key=lambda item: (-item[1], item[0])))

    def interval(self, variable: str) -> tuple[float, float]:
        """Percentile interval of the RRV of a variable; a replicate without it contributes 1."""
        coefficients = np.array([dict(terms).get(variable, 0.0) for terms in self.selected])
        return percentile_interval(coefficients, self.level)


def selection_bootstrap(
    design: Design,
    family: Family,
    direction: str,
    block_id: NDArray[np.integer] | None,
    *,
    replicates: int,
    level: float,
    seed: np.random.SeedSequence,
    rescreen: Rescreen | None = None,
    threads: int | None = None,
) -> SelectionBootstrap:
    """Repeat screening and selection on resampled blocks.

    Parameters
    ----------
    design : Design
    family : Family
        The one that won on the data; replicates keep it.
    direction : str
    block_id : ndarray of int, shape (n,), optional
        Spatial block of each cell; None: cells are drawn.
    replicates : int
    level : float
        Of the percentile intervals.
    seed : numpy.random.SeedSequence
        Each replicate has a child of it, so that more replicates extend fewer.
    rescreen : callable, optional
        Which variables each replicate keeps at the chosen penalty. None: all are candidates.
    threads : int, optional
        Default: all. The result does not depend on it.

    Returns
    -------
    SelectionBootstrap

    Raises
    ------
    ModelError
        If there are fewer than two blocks, or a tenth of the replicates or more fail.
    """
    threads = available_threads() if threads is None else threads
    cells = cells_of(design)
    units = np.arange(design.n_cells) if block_id is None else units_of_blocks(block_id, design.n_cells)
    n_units = int(units.max()) + 1
    events = np.bincount(units, design.counts)
    everything = candidates_of(design) if rescreen is None else None

    def run(task: tuple[NDArray[np.int32], NDArray[np.bool_] | None]) -> tuple[tuple[str, float], ...] | None:
        drawn, kept = task
        try:
            candidates = everything or candidates_of(design, _names(design, kept))
            found = select(cells.weighted(drawn[units]), candidates, family, direction)
        except ModelError as problem:
            logger.warning("A replicate of the selection bootstrap has no model: %s", problem)
            return None
        return tuple(zip(found.terms, found.fit.coefficients[1:].tolist(), strict=True))

    results: list[tuple[tuple[str, float], ...] | None] = []
    children, chunk = seed.spawn(replicates), max(8, _MOST_DRAWS // n_units // 8 * 8)
    for first in range(0, replicates, chunk):
        draws = np.stack([_draw(child, n_units) for child in children[first : first + chunk]])
        draws = draws[draws @ events > 0]  # a replicate without incidents has no model
        if len(draws):
            kept = [None] * len(draws) if rescreen is None else list(rescreen(draws, units))
            results += in_order(run, list(zip(draws, kept, strict=True)), threads=threads)
    selected = tuple(terms for terms in results if terms is not None)
    failed = replicates - len(selected)
    if 10 * failed >= replicates > 0:
        raise ModelError(
            f"{failed} of {replicates} bootstrap selections have no model; the log says why. There may be too few "
            f"incidents ({int(design.counts.sum())}) or blocks ({n_units})."
        )
    return SelectionBootstrap(selected, level, "cells" if block_id is None else "blocks", n_units, failed)


def _names(design: Design, kept: NDArray[np.bool_] | None) -> list[str] | None:
    if kept is None:
        return None
    return [variable.name for variable, keep in zip(design.variables, kept, strict=True) if keep]


def _draw(seed: np.random.SeedSequence, n_units: int) -> NDArray[np.int32]:
    """How often each unit is drawn when as many are drawn as there are."""
    drawn = np.random.default_rng(seed).integers(n_units, size=n_units)
    return np.bincount(drawn, minlength=n_units).astype(np.int32)
