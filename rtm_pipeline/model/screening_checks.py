"""What penalized screening needs of its input, checked before any work is done."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ModelError
from rtm_pipeline.model.design import Design
from rtm_pipeline.model.penalized.problem import Batch
from rtm_pipeline.model.spec import ModelSpec

__all__ = [
    "check_design",
    "check_folds",
    "check_incidents",
    "check_penalties",
    "check_spec",
    "check_weights",
    "signs",
]

_SIGNS = {"aggravating": (False, True), "protective": (True, False), "both": (True, True)}


def signs(spec: ModelSpec) -> tuple[bool, bool]:
    """Whether negative and whether positive coefficients are allowed."""
    return _SIGNS[spec.direction]


def check_spec(spec: ModelSpec) -> None:
    """Raise ModelError if alpha, direction or penalty rule is not one that screening knows."""
    if spec.direction not in _SIGNS:
        raise ModelError(f"direction is {spec.direction!r}; expected one of {', '.join(_SIGNS)}. Correct the setting.")
    if not 0.0 < spec.alpha <= 1.0:
        raise ModelError(
            f"alpha is {spec.alpha!r}; expected more than 0 and at most 1. At 0 (ridge) no coefficient is ever zero, "
            "so nothing would be screened. Use 0.5, or 1 for a lasso."
        )
    if spec.penalty_rule not in ("min", "one_se"):
        raise ModelError(f"penalty_rule is {spec.penalty_rule!r}; expected 'min' or 'one_se'. Correct the setting.")


def check_design(design: Design) -> None:
    """Raise ModelError if counts, exposure or blocks can't be modeled."""
    _check_cells(design)
    for number, block in enumerate(design.blocks):
        where = f"block {number} ({block.variables[0].factor if block.variables else 'without variables'})"
        if block.codes.shape != (design.n_cells,):
            raise ModelError(
                f"The codes of {where} have shape {block.codes.shape}; expected one for each of {design.n_cells} cells."
            )
        if block.bits.ndim != 2 or block.bits.shape[1] != len(block.variables):
            raise ModelError(
                f"The table of {where} has shape {block.bits.shape}; expected one column for each of "
                f"{len(block.variables)} variables."
            )
        if int(block.codes.max()) >= block.bits.shape[0]:
            raise ModelError(
                f"{where.capitalize()} has code {int(block.codes.max())} but only {block.bits.shape[0]} states. "
                "Make codes and table from the same values."
            )
        if not np.isin(block.bits, (0, 1)).all():
            raise ModelError(f"The table of {where} has values other than 0 and 1. Screening is for 0/1 columns.")
    if not design.variables:
        raise ModelError("There are no candidate variables to screen. Configure at least one risk factor.")


def _check_cells(design: Design) -> None:
    counts, exposure = design.counts, design.exposure
    if counts.ndim != 1 or counts.size == 0 or exposure.shape != counts.shape:
        raise ModelError(
            f"Counts and exposure must be vectors of one length: found {counts.shape} and {exposure.shape}. "
            "Pass one count and one exposure a cell."
        )
    if not np.issubdtype(counts.dtype, np.integer):
        raise ModelError(f"Counts must be whole numbers: found type {counts.dtype}. Count incidents a cell.")
    if counts.min() < 0:
        raise ModelError(f"Counts can't be negative: found {counts.min()} in cell {int(counts.argmin())}.")
    sound = np.isfinite(exposure) & (exposure > 0)
    if not sound.all():
        first = int(np.flatnonzero(~sound)[0])
        raise ModelError(
            f"Exposure must be positive and finite: {int((~sound).sum())} of {sound.size} cells are not, the first is "
            f"cell {first} with {exposure[first]!r}. Leave cells without exposure out of the design."
        )
    if counts.sum() == 0:
        raise ModelError(
            f"There are no incidents in {counts.size} cells, so there is nothing to model. Check the outcome's window, "
            "category and location filters."
        )


def check_folds(folds: NDArray[np.integer], n_cells: int) -> NDArray[np.int32]:
    """Fold numbers without gaps, ``0 .. k - 1``.

    Raises
    ------
    ModelError
        If there is not one whole number a cell, or they are all alike.
    """
    if folds.shape != (n_cells,) or not np.issubdtype(folds.dtype, np.integer):
        raise ModelError(
            f"Folds must be one whole number for each of {n_cells} cells: found shape {folds.shape} and type "
            f"{folds.dtype}. Make them with balanced_folds or block_folds."
        )
    names, numbers = np.unique(folds, return_inverse=True)
    if names.size < 2:
        raise ModelError(
            f"Cross-validation needs at least 2 folds: all {n_cells} cells are in fold {names[0]}. Make folds with "
            "balanced_folds or block_folds."
        )
    return np.asarray(numbers, np.int32)


def check_incidents(batches: list[Batch], what: str) -> None:
    """Raise ModelError if a lane has no incidents; `what` names lane 1, 2, ... in the message."""
    incidents = np.concatenate([batch.incidents[: batch.lanes] for batch in batches])
    empty = np.flatnonzero(incidents == 0)
    if empty.size:
        raise ModelError(
            f"{what.format(int(empty[0]))} has no incidents, so nothing can be fitted to it "
            f"({empty.size} of {incidents.size} fits; the most incidents in one are {int(incidents.max())}). Use a "
            "longer outcome window, fewer folds, or smaller spatial blocks."
        )


def check_penalties(penalties: NDArray[np.float64]) -> NDArray[np.float64]:
    """Penalties as a vector; raise ModelError unless they are positive, finite and descending."""
    values = np.atleast_1d(np.asarray(penalties, np.float64))
    if values.ndim != 1 or values.size == 0 or not (np.isfinite(values) & (values > 0)).all():
        raise ModelError(f"Penalties must be positive and finite numbers: found {values!r}.")
    if (np.diff(values) >= 0).any():
        raise ModelError("Penalties must descend, so that each fit starts close to the last one. Sort them.")
    return values


def check_weights(
    weights: NDArray[np.integer] | None, groups: NDArray[np.integer] | None, n_cells: int
) -> tuple[NDArray[np.integer], NDArray[np.int32]]:
    """Weights by replicate and group, and the group of each cell.

    Raises
    ------
    ModelError
        If shapes do not fit, weights are not whole numbers or negative, or a group has no weight.
    """
    if weights is None:
        return np.ones((1, 1), np.int64), np.zeros(n_cells, np.int32)
    table = np.atleast_2d(weights)
    group = np.arange(n_cells) if groups is None else np.asarray(groups)
    if group.shape != (n_cells,) or not np.issubdtype(group.dtype, np.integer) or group.min() < 0:
        raise ModelError(f"Groups must be one number from 0 for each of {n_cells} cells: found shape {group.shape}.")
    if table.ndim != 2 or not np.issubdtype(table.dtype, np.integer) or (table.size and table.min() < 0):
        raise ModelError(
            f"Weights must be whole numbers from 0, one row a replicate: found shape {table.shape} and type "
            f"{table.dtype}. Count how often each group was drawn."
        )
    if table.shape[1] <= int(group.max()):
        raise ModelError(
            f"Weights are given for {table.shape[1]} groups, but cells speak of group {int(group.max())}. Pass one "
            "weight a group."
        )
    return table, group.astype(np.int32)
