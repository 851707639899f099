"""Every value as text in one stable form, so that the same content always gives the same bytes."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["as_text", "json_text", "stripped", "with_decimal_points"]

# json.dumps makes an encoder for each call that asks for anything special, which takes longer than the encoding.
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
_EXACT_WHOLE = 2.0**53  # beyond it a double no longer tells neighboring integers apart


def stripped(column: pa.ChunkedArray, null_values: Sequence[str] = ()) -> pa.ChunkedArray:
    """Drop blanks around values and turn empty text and the spellings of "missing" into null.

    Parameters
    ----------
    column : pyarrow.ChunkedArray of string
    null_values : sequence of str
        Spellings of "missing", compared after the blanks are gone.

    Returns
    -------
    pyarrow.ChunkedArray of string
    """
    trimmed = pc.utf8_trim_whitespace(column)
    missing = pc.equal(pc.binary_length(trimmed), 0)
    if null_values:
        spellings = pa.array(sorted({value.strip() for value in null_values}), pa.string())
        missing = pc.or_(missing, pc.is_in(trimmed, value_set=spellings))
    if not pc.any(missing, min_count=0).as_py():
        return trimmed
    return pc.if_else(missing, pa.scalar(None, pa.string()), trimmed)


def with_decimal_points(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Numbers that are written with a decimal comma (``5.938.000,25``), with a point (``5938000.25``).

    Any other text, such as ``B, 12`` or ``1,2,3``, stays as it is.
    """
    written = pc.match_substring_regex(column, r"^[-+]?(?:\d+|\d{1,3}(?:\.\d{3})+),\d+$")
    plain = pc.replace_substring(pc.replace_substring(column, ".", ""), ",", ".")
    return pc.if_else(written, plain, column)


def as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Text of values of any type: dates ISO, whole numbers without ``.0``, truth ``true``/``false``, NaN null.

    Binary values become hexadecimal, lists and records JSON. Times with a zone are told in UTC, with a ``Z``.
    """
    chunks = [_text_of(chunk) for chunk in column.chunks]
    return pa.chunked_array(chunks, type=pa.string())


def json_text(value: object) -> str:
    """Compact JSON with sorted keys: the same object always gives the same text."""
    return _ENCODER.encode(value)


def _text_of(array: pa.Array) -> pa.Array:
    kind = array.type
    if pa.types.is_dictionary(kind):
        return _text_of(array.dictionary_decode())
    if pa.types.is_floating(kind):
        return _text_of_floats(array)
    if pa.types.is_timestamp(kind):
        return _text_of_times(array)
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return pa.array([None if value is None else value.hex() for value in array.to_pylist()], pa.string())
    if pa.types.is_nested(kind):
        return pa.array([None if value is None else json_text(value) for value in array.to_pylist()], pa.string())
    return array.cast(pa.string())


def _text_of_floats(array: pa.Array) -> pa.Array:
    values = array.to_numpy(zero_copy_only=False)
    known = np.isfinite(values) | np.isinf(values)
    whole = np.isfinite(values) & (np.abs(values) < _EXACT_WHOLE) & (np.floor(values) == values)
    text = np.full(len(values), None, dtype=object)
    text[whole] = [str(value) for value in values[whole].astype(np.int64).tolist()]
    rest = known & ~whole
    # str of a numpy scalar is the shortest text that reads back the same in its own width
    text[rest] = [str(value) for value in values[rest]]
    return pa.array(text, pa.string())


def _text_of_times(array: pa.Array) -> pa.Array:
    zoned = array.type.tz is not None
    if zoned:
        array = array.cast(pa.timestamp(array.type.unit, "UTC"))
    text = pc.strftime(array, format="%Y-%m-%dT%H:%M:%S")
    text = pc.replace_substring_regex(text, pattern=r"\.0+$", replacement="")
    return pc.binary_join_element_wise(text, "Z", "") if zoned else text
