"""Refuse designs that no model can be fitted to, with the reason, before any fit is tried."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rtm_pipeline.errors import ModelError
from rtm_pipeline.model.design import Block, Design

__all__ = ["checked_counts", "checked_exposure", "validate_design"]

_LARGEST_COUNT = 2**53  # beyond it a float64 no longer tells neighboring integers apart


def validate_design(design: Design) -> Design:
    """Check a design and give it the types that its class promises.

    Parameters
    ----------
    design : Design

    Returns
    -------
    Design
        The same values with int64 counts and float64 exposure.

    Raises
    ------
    ModelError
        If there are no cells or no incidents; counts are missing, negative or fractional; an exposure is not positive
        and finite, or their sum overflows; a block does not fit; a variable's name occurs twice.
    """
    counts = checked_counts(design.counts)
    exposure = checked_exposure(design.exposure, counts.size)
    if not counts.any():
        raise ModelError(
            f"There are no incidents in any of the {counts.size} cells, so there is nothing to explain. "
            "Check the outcome window, the outcome's filter, and that incidents lie inside the study area."
        )
    for number, block in enumerate(design.blocks):
        _check_block(block, number, counts.size)
    names = [variable.name for variable in design.variables]
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise ModelError(f"Names of variables must be unique; these occur more than once: {', '.join(twice[:5])}.")
    return Design(design.blocks, counts, exposure)


def checked_counts(counts: ArrayLike) -> NDArray[np.int64]:
    """Counts as int64; ModelError if one is missing, negative, fractional or beyond 2**53, or there are none."""
    values = _numbers(counts, "count")
    if values.ndim != 1 or values.size == 0:
        raise ModelError(f"Counts must be one number a cell for at least one cell; found shape {values.shape}.")
    if values.dtype.kind == "f":
        _refuse(~np.isfinite(values), values, "count", "is missing or infinite", "give 0 where nothing happened")
        _refuse(values != np.floor(values), values, "count", "is not a whole number", "give incidents, not rates")
    _refuse(values < 0, values, "count", "is negative", "counts of incidents start at 0")
    _refuse(values > _LARGEST_COUNT, values, "count", "is too large", "check the column's unit")
    return np.ascontiguousarray(values, np.int64)


def checked_exposure(exposure: ArrayLike, n: int) -> NDArray[np.float64]:
    """Exposure as float64; ModelError if one is missing or not positive, or the lengths differ."""
    values = _numbers(exposure, "exposure").astype(np.float64)
    if values.shape != (n,):
        raise ModelError(f"There must be one exposure a cell: found shape {values.shape} for {n} counts.")
    _refuse(~np.isfinite(values), values, "exposure", "is missing or infinite", "drop the cell or give its exposure")
    _refuse(values <= 0, values, "exposure", "is not positive", "drop cells that are wholly outside")
    with np.errstate(over="ignore"):
        total, smallest = float(values.sum()), float(values.min())
    if not np.isfinite(total) or total / smallest > 1e150:
        raise ModelError(
            f"Exposure ranges from {smallest:g} to {float(values.max()):g}, too far for floating-point numbers. "
            "Give it in a unit that makes a usual cell about 1."
        )
    return np.ascontiguousarray(values)


def _numbers(values: ArrayLike, what: str) -> NDArray[Any]:
    array = np.asarray(values)
    if array.dtype.kind == "O":
        try:
            array = array.astype(np.float64)
        except (TypeError, ValueError) as problem:
            raise ModelError(f"The {what} column has values that are not numbers: {problem}.") from problem
    if array.dtype.kind not in "biuf":
        raise ModelError(f"The {what} column must be numbers; found {array.dtype}.")
    return array


def _refuse(wrong: NDArray[np.bool_], values: NDArray[Any], what: str, problem: str, remedy: str) -> None:
    where = np.flatnonzero(wrong)
    if where.size:
        raise ModelError(
            f"The {what} of cell {int(where[0])} {problem}: {values[where[0]].item():.17g} ({where.size} such cells of "
            f"{values.size}); {remedy}."
        )


def _check_block(block: Block, number: int, n: int) -> None:
    names = ", ".join(variable.name for variable in block.variables[:3])
    if block.codes.shape != (n,):
        raise ModelError(f"Block {number} ({names}, ...) has {block.codes.shape} codes for {n} cells.")
    if block.bits.ndim != 2 or block.bits.shape[1] != len(block.variables):
        raise ModelError(
            f"Block {number} ({names}, ...) has bits of shape {block.bits.shape} for {len(block.variables)} variables."
        )
    if int(block.codes.max()) >= len(block.bits):
        raise ModelError(f"Block {number} ({names}, ...) has a code beyond its {len(block.bits)} states.")
    if not ((block.bits == 0) | (block.bits == 1)).all():
        raise ModelError(f"Block {number} ({names}, ...) has bits other than 0 and 1.")
