"""Any table of 0/1 columns as a design: the door for data that did not come through the pipeline."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rtm_pipeline.errors import ModelError
from rtm_pipeline.factors.spec import Variable
from rtm_pipeline.model.design import Block, Design
from rtm_pipeline.model.validation import checked_counts, checked_exposure

__all__ = ["design_from_table"]

_MOST_STATES = 256  # one byte a cell and block
_MOST_COLUMNS = 62  # that fit into one integer key


def design_from_table(
    columns: Mapping[str, ArrayLike],
    counts: ArrayLike,
    exposure: ArrayLike | None = None,
    factor_of: str | None = None,
) -> Design:
    r"""Pack a table of 0/1 columns into a design.

    Parameters
    ----------
    columns : mapping of str to array_like, each of shape (n,)
        0/1 values (bool, integer or floating) of each variable, by name.
    counts : array_like, shape (n,)
        Incidents in each row: whole numbers, not negative.
    exposure : array_like, shape (n,), optional
        Positive; default 1 everywhere.
    factor_of : str, optional
        Regular expression with one group: what it finds in a column's name is the column's risk factor, of which at
        most one variable enters a model. Columns that don't match, and all columns by default, are factors of their
        own.

    Returns
    -------
    Design

    Raises
    ------
    ModelError
        If there are no rows, a column has other values than 0 and 1, a count is negative, fractional or missing,
        an exposure is not positive, lengths differ, or the expression has no group.

    Examples
    --------
    >>> design = design_from_table(
    ...     {"bars_250": [1, 1, 0], "bars_500": [1, 1, 1], "school": [0, 1, 0]}, counts=[3, 1, 0], factor_of="(.*)_"
    ... )
    >>> [variable.factor for variable in design.variables]
    ['bars', 'bars', 'school']
    """
    values = checked_counts(counts)
    weights = checked_exposure(np.ones(values.size) if exposure is None else exposure, values.size)
    groups: dict[str, list[str]] = {}
    pattern = _pattern(factor_of)
    for name in columns:
        groups.setdefault(_factor(pattern, name), []).append(name)
    blocks: list[Block] = []
    for factor, names in groups.items():
        bits = {name: _zero_one(name, columns[name], values.size) for name in names}
        blocks += _blocks(factor, names, bits)
    return Design(tuple(blocks), values, weights)


def _pattern(factor_of: str | None) -> re.Pattern[str] | None:
    if factor_of is None:
        return None
    try:
        pattern = re.compile(factor_of)
    except re.error as problem:
        raise ModelError(f"The expression for factors, {factor_of!r}, is not valid: {problem}.") from problem
    if pattern.groups != 1:
        raise ModelError(
            f"The expression for factors, {factor_of!r}, must have one group in parentheses, found {pattern.groups}. "
            "For columns such as bars_250 write '(.*)_'."
        )
    return pattern


def _factor(pattern: re.Pattern[str] | None, name: str) -> str:
    match = pattern.search(name) if pattern else None
    return match.group(1) if match and match.group(1) else name


def _zero_one(name: str, values: ArrayLike, n: int) -> NDArray[np.uint8]:
    try:
        column = np.asarray(values)
        numbers = column if column.dtype == bool else column.astype(np.float64)
    except (TypeError, ValueError) as problem:
        raise ModelError(f"Column {name!r} has values that are not numbers: {problem}.") from problem
    if numbers.shape != (n,):
        raise ModelError(f"Column {name!r} has shape {numbers.shape}, but there are {n} counts.")
    wrong = np.flatnonzero((numbers != 0) & (numbers != 1))
    if wrong.size:
        raise ModelError(
            f"Column {name!r} must hold only 0 and 1; found {np.asarray(column[wrong[0]]).item()!r} in row "
            f"{int(wrong[0])} and {wrong.size - 1} more such values. Turn distances and densities into 0/1 columns "
            "first."
        )
    return numbers.astype(np.uint8)


def _blocks(factor: str, names: list[str], bits: dict[str, NDArray[np.uint8]]) -> list[Block]:
    """Pack the columns of a factor, halving the pack until it takes one byte a cell."""
    if len(names) <= _MOST_COLUMNS:
        key = np.zeros(bits[names[0]].size, np.int64)
        for i, name in enumerate(names):
            key |= bits[name].astype(np.int64) << i
        states, codes = np.unique(key, return_inverse=True)
        if states.size <= _MOST_STATES:
            table = ((states[:, None] >> np.arange(len(names))) & 1).astype(np.uint8)
            return [Block(codes.astype(np.uint8), table, tuple(Variable(name, factor) for name in names))]
    half = len(names) // 2
    return _blocks(factor, names[:half], bits) + _blocks(factor, names[half:], bits)
