"""From a vintage to its risk terrain: the one way, taken by the nightly run, the backtest and every what-if."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ModelError
from rtm_pipeline.grid.blocks import spatial_blocks
from rtm_pipeline.grid.locate import cells_of, count
from rtm_pipeline.grid.spec import StudyGrid
from rtm_pipeline.layers.layer import Layer
from rtm_pipeline.layers.vintage import as_known, count_unit, select_rows
from rtm_pipeline.model.design import Block, Design
from rtm_pipeline.model.spec import ModelSpec
from rtm_pipeline.surface.history import History
from rtm_pipeline.units import Duration, Window

if TYPE_CHECKING:
    from datetime import date

    from rtm_pipeline.factors import Factor
    from rtm_pipeline.model.engine import RtmFit

__all__ = ["RiskTerrain", "design_of", "fit_terrain", "outcome_counts", "outcome_history"]


@dataclass(frozen=True, slots=True)
class RiskTerrain:
    """A fitted risk terrain model and its surfaces.

    Attributes
    ----------
    fit : RtmFit
    covered : ndarray of bool, shape (n_cells,)
        Cells whose factors are all known; the others are in no fit and have no score.
    rrs_fit : ndarray of float64, shape (n_cells,)
        Relative risk score with the factors of the fit; NaN where not covered.
    rrs : ndarray of float64, shape (n_cells,)
        Relative risk score with the factors as known when the model is applied; NaN where not covered.
    counts : ndarray of int64, shape (n_cells,)
        The outcome that was fitted.
    """

    fit: RtmFit
    covered: NDArray[np.bool_]
    rrs_fit: NDArray[np.float64]
    rrs: NDArray[np.float64]
    counts: NDArray[np.int64]


def outcome_counts(layer: Layer, grid: StudyGrid, window: Window, unit: str, *, known_at: date) -> NDArray[np.int64]:
    """Incidents (or offences) of a window in each cell, shape (n_cells,), as they were known at a date.

    Rows that were published later are not there yet; rows that a reversal took back later still are.
    """
    seen = as_known(layer, known_at)
    rows = count_unit(seen, window, unit, rows=seen.inside)
    return np.asarray(count(grid, seen.x[rows], seen.y[rows]), np.int64)


def design_of(
    factors: Mapping[str, Factor], counts: NDArray[np.int64], grid: StudyGrid
) -> tuple[Design, NDArray[np.bool_]]:
    """The design over the cells where every factor is known, and which cells these are."""
    covered = np.ones(grid.n_cells, bool)
    for factor in factors.values():
        if factor.known is not None:
            covered &= factor.known
    if not covered.any():
        raise ModelError(
            "No cell is covered by all factors: the coverage polygons and the spatial influences leave nothing. "
            "Lower max_influence, or leave the layer with the small coverage out."
        )
    blocks = tuple(
        Block(factor.codes[covered], factor.bits, factor.variables) for factor in factors.values() if factor.variables
    )
    return Design(blocks, counts[covered], grid.exposure[covered]), covered


def fit_terrain(
    fitted: Mapping[str, Factor],
    applied: Mapping[str, Factor],
    counts: NDArray[np.int64],
    grid: StudyGrid,
    spec: ModelSpec,
    *,
    block_side_u: float,
) -> RiskTerrain:
    """Fit on the factors known at the vintage's date; score with those known when it is applied.

    Raises
    ------
    ModelError
        Nothing can be fitted; the message says why.
    """
    from rtm_pipeline.model.engine import fit_rtm

    design, covered = design_of(fitted, counts, grid)
    blocks = spatial_blocks(grid, block_side_u)[covered]
    fit = fit_rtm(design, spec, block_id=np.unique(blocks, return_inverse=True)[1].astype(np.int32))
    later, covered_later = design_of(applied, counts, grid)
    return RiskTerrain(
        fit,
        covered,
        _spread(fit.terrain.relative_risk_scores(design), covered),
        _spread(fit.terrain.relative_risk_scores(later), covered_later),
        counts,
    )


def _spread(values: NDArray[np.float64], covered: NDArray[np.bool_]) -> NDArray[np.float64]:
    full = np.full(covered.size, np.nan)
    full[covered] = values
    return full


def outcome_history(
    layer: Layer, grid: StudyGrid, unit: str, *, known_at: date, reach: Duration | None = None
) -> History:
    """The outcome's past as it was known at a date, by cell.

    Parameters
    ----------
    layer : Layer
        The outcome.
    grid : StudyGrid
    unit : str
        ``incident`` or ``offence``.
    known_at : date
    reach : Duration, optional
        How far back; None: as far as the record goes.
    """
    seen = as_known(layer, known_at)
    if len(seen) and reach is not None:
        seen = select_rows(seen, seen.time >= np.datetime64(reach.before(known_at)))
    past = seen.time < np.datetime64(known_at)
    if seen.inside is not None:
        past &= seen.inside
    if past.any():
        span = Window(seen.time[past].min().astype("datetime64[D]").item(), known_at)
        past = count_unit(seen, span, unit, rows=past)
    return History.of(
        cells_of(grid, seen.x[past], seen.y[past]),
        seen.time[past],
        seen.known_at[past],
        grid.n_cells,
        incident=seen.incident[past] if unit == "offence" else None,
        cutoff=known_at,
    )
