"""Does the model hang on the grid? The same fit on other cell sizes, origins and rotations."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from rtm_pipeline.errors import ModelError
from rtm_pipeline.model.terrain import FittedTerrain

__all__ = ["GridChoice", "StabilityRow", "stability", "stability_choices"]


@dataclass(frozen=True, slots=True)
class GridChoice:
    """An alternative grid.

    Attributes
    ----------
    cell_size_u : float
        Side of a cell, CRS units.
    shift_x_u, shift_y_u : float
        Shift of the grid's origin, CRS units.
    rotation_deg : float
        Counter-clockwise, degrees.
    """

    cell_size_u: float
    shift_x_u: float = 0.0
    shift_y_u: float = 0.0
    rotation_deg: float = 0.0


@dataclass(frozen=True, slots=True)
class StabilityRow:
    """One term of the model on one grid; a grid whose model has no terms has one row without a variable.

    Attributes
    ----------
    choice : GridChoice
    family : str
    bic : float
    n_cells : int
    variable, factor : str or None
    coefficient, rrv : float or None
    """

    choice: GridChoice
    family: str
    bic: float
    n_cells: int
    variable: str | None
    factor: str | None
    coefficient: float | None
    rrv: float | None


def stability_choices(cell_size_u: float) -> tuple[GridChoice, ...]:
    """The usual set: the grid itself, half and one and a half times the cell, half-cell shifts, 15, 30, 45 degrees.

    Parameters
    ----------
    cell_size_u : float
        CRS units.

    Returns
    -------
    tuple of GridChoice
        The grid itself comes first.
    """
    half = cell_size_u / 2
    return (
        GridChoice(cell_size_u),
        GridChoice(half),
        GridChoice(3 * half),
        GridChoice(cell_size_u, shift_x_u=half),
        GridChoice(cell_size_u, shift_y_u=half),
        GridChoice(cell_size_u, shift_x_u=half, shift_y_u=half),
        *(GridChoice(cell_size_u, rotation_deg=angle) for angle in (15.0, 30.0, 45.0)),
    )


def stability(
    fit: Callable[[GridChoice], FittedTerrain],
    choices: Sequence[GridChoice],
    *,
    map_calls: Callable[[Callable[[GridChoice], FittedTerrain], Sequence[GridChoice]], Iterable[FittedTerrain]] = map,
) -> tuple[StabilityRow, ...]:
    """Fit the model on each grid and list the terms.

    Parameters
    ----------
    fit : callable
        From a grid to the terrain fitted on it. Must be pickled to run elsewhere.
    choices : sequence of GridChoice
    map_calls : callable
        Applies ``fit`` to the choices and returns the results in their order: `map`, ``executor.map``, or for Dask
        ``lambda f, items: client.gather(client.map(f, items))``. The table does not depend on it.

    Returns
    -------
    tuple of StabilityRow
        By choice, then by the model's order of terms.

    Raises
    ------
    ModelError
        If the results are not as many as the choices.
    """
    terrains = list(map_calls(fit, choices))
    if len(terrains) != len(choices):
        raise ModelError(f"The map returned {len(terrains)} models for {len(choices)} grids; it must keep them all.")
    return tuple(row for choice, terrain in zip(choices, terrains, strict=True) for row in _rows(choice, terrain))


def _rows(choice: GridChoice, terrain: FittedTerrain) -> list[StabilityRow]:
    shared = (choice, terrain.family, terrain.bic, terrain.n_cells)
    if terrain.is_null:
        return [StabilityRow(*shared, None, None, None, None)]
    return [
        StabilityRow(*shared, term.variable.name, term.variable.factor, term.coefficient, math.exp(term.coefficient))
        for term in terrain.terms
    ]
