"""Text columns of a snapshot, looked at by their distinct values.

A column of a city's export has few distinct values against its rows, so tests and parsers run on those, once, and
are spread over the rows by number.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from rtm_pipeline.errors import SchemaError

__all__ = ["Distinct", "Numbers", "TextColumns", "factorize_rows"]


@dataclass(frozen=True, slots=True, eq=False)
class Distinct:
    """A column as its distinct values and, for every row, the number of its value.

    Attributes
    ----------
    values : pyarrow.StringArray, length k
        Distinct values in the order of their first row, none missing.
    codes : ndarray of int64, shape (n,)
        Index into ``values``; -1 where the row has none.
    """

    values: pa.StringArray
    codes: NDArray[np.int64]

    def spread(self, by_value: NDArray[np.generic], missing: object) -> NDArray[np.generic]:
        """One result per row from one per distinct value; ``missing`` where the row has no value."""
        # The entry past the end is what code -1 points at.
        extended = np.append(by_value, np.array([missing], dtype=by_value.dtype))
        spread: NDArray[np.generic] = extended[self.codes]
        return spread


@dataclass(frozen=True, slots=True, eq=False)
class Numbers:
    """A column as numbers.

    Attributes
    ----------
    values : ndarray of float64, shape (n,)
        NaN where the row has no number.
    missing : ndarray of bool, shape (n,)
        The row has no value.
    unreadable : ndarray of bool, shape (n,)
        The row has a value that is no finite number.
    """

    values: NDArray[np.float64]
    missing: NDArray[np.bool_]
    unreadable: NDArray[np.bool_]


class TextColumns:
    """The columns of a table for one layer, each encoded at most once.

    Parameters
    ----------
    table : pyarrow.Table
        Text columns; missing is null.
    reader : str
        Who reads them, for messages.
    """

    def __init__(self, table: pa.Table, reader: str = "A filter") -> None:
        self.table = table
        self.reader = reader
        self._distinct: dict[str, Distinct] = {}

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def require(self, names: Iterable[str]) -> None:
        """Raise SchemaError if a column is not there, naming what is alike."""
        there = self.table.column_names
        absent = [name for name in dict.fromkeys(names) if name not in there]
        if absent:
            alike = difflib.get_close_matches(absent[0], there, n=1, cutoff=0.6)
            hint = f" Did you mean {alike[0]!r}?" if alike else ""
            raise SchemaError(
                f"{self.reader} needs the column(s) {', '.join(map(repr, absent))}, which the source does not have."
                f"{hint} Found: {', '.join(name for name in there if not name.startswith('_'))}. Name the column "
                "as the source does, or give the source an alias for it."
            )

    def text(self, name: str) -> pa.StringArray:
        """A column as one array of strings."""
        self.require([name])
        column = self.table.column(name)
        if column.type != pa.string():
            column = pc.cast(column, pa.string())
        return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column

    def distinct(self, name: str) -> Distinct:
        """A column by its distinct values."""
        if name not in self._distinct:
            encoded = self.text(name).dictionary_encode()
            codes = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
            self._distinct[name] = Distinct(encoded.dictionary, codes)
        return self._distinct[name]

    def numbers(self, name: str) -> Numbers:
        """A column as numbers."""
        text = self.text(name)
        missing = text.is_null().to_numpy(zero_copy_only=False)
        try:
            values = pc.cast(text, pa.float64()).to_numpy(zero_copy_only=False)
        except pa.ArrowInvalid:
            # Arrow refuses the whole column for one bad value; this way tells which.
            import pandas as pd

            values = pd.to_numeric(pd.Series(text.to_numpy(zero_copy_only=False)), errors="coerce").to_numpy(np.float64)
        unreadable = ~missing & ~np.isfinite(values)
        return Numbers(np.where(unreadable | missing, np.nan, values), missing, unreadable)

    def identity(self, names: tuple[str, ...]) -> NDArray[np.int64]:
        """Numbers (n,) that are equal for rows with equal values in all of ``names``; -1 where all are missing."""
        codes = [self.distinct(name).codes for name in names]
        numbers = factorize_rows(codes)
        numbers[np.logical_and.reduce([code < 0 for code in codes])] = -1
        return numbers


def factorize_rows(codes: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Number the distinct combinations of several columns of codes (each >= -1), in the order of their first row."""
    import pandas as pd

    combined = np.zeros(codes[0].size, np.int64)
    for column in codes:
        # Renumbering after each column keeps the product of the sizes far from overflow.
        width = int(column.max(initial=-1)) + 2
        combined = pd.factorize(combined * width + (column + 1))[0].astype(np.int64)
    return combined
