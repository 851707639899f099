"""Which rows pass a declared filter."""

from __future__ import annotations

import re

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from rtm_pipeline.layers.columns import Distinct, TextColumns
from rtm_pipeline.layers.conditions import Condition, Filter

__all__ = ["passes"]


def passes(wanted: Filter, columns: TextColumns) -> NDArray[np.bool_]:
    """Rows (n,) for which any group of conditions holds, a group holding if all of its conditions do."""
    result = np.zeros(len(columns), bool)
    for group in wanted.groups:
        holds = np.ones(len(columns), bool)
        for condition in group:
            holds &= _holds(condition, columns.distinct(condition.column))
        result |= holds
    return result


def _holds(condition: Condition, column: Distinct) -> NDArray[np.bool_]:
    if not condition.tests_value:
        null_wanted = condition.is_null
        on_value = null_wanted is not True
        on_missing = null_wanted is not False
        by_value = np.full(len(column.values), on_value != condition.negate)
        return column.spread(by_value, on_missing != condition.negate).astype(bool)
    by_value = _test_values(condition, column) != condition.negate
    on_missing = condition.negate
    if condition.is_null is True:
        by_value, on_missing = np.zeros_like(by_value), True
    elif condition.is_null is False:
        on_missing = False
    return column.spread(by_value, on_missing).astype(bool)


def _test_values(condition: Condition, column: Distinct) -> NDArray[np.bool_]:
    """All tests of a condition on the distinct values of its column."""
    padded = pc.utf8_lpad(column.values, width=condition.pad, padding="0") if condition.pad else column.values
    values: list[str] = padded.to_pylist()
    if condition.ignore_case:
        values = [value.casefold() for value in values]
    result = np.ones(len(values), bool)
    if condition.isin:
        allowed = frozenset(_fold(text, condition) for text in condition.isin)
        result &= np.fromiter((value in allowed for value in values), bool, len(values))
    if condition.prefix:
        starts = tuple(_fold(text, condition) for text in condition.prefix)
        result &= np.fromiter((value.startswith(starts) for value in values), bool, len(values))
    if condition.pattern is not None:
        search = re.compile(condition.pattern, re.IGNORECASE if condition.ignore_case else 0).search
        result &= np.fromiter((search(value) is not None for value in padded.to_pylist()), bool, len(values))
    if condition.minimum is not None or condition.maximum is not None:
        result &= _within(condition, values)
    return result


def _fold(text: str, condition: Condition) -> str:
    stripped = text.strip()
    return stripped.casefold() if condition.ignore_case else stripped


def _within(condition: Condition, values: list[str]) -> NDArray[np.bool_]:
    import pandas as pd

    numbers = pd.to_numeric(pd.Series(values, dtype=object), errors="coerce").to_numpy(np.float64)
    low = -np.inf if condition.minimum is None else condition.minimum
    high = np.inf if condition.maximum is None else condition.maximum
    within: NDArray[np.bool_] = (numbers >= low) & (numbers <= high)
    return within
