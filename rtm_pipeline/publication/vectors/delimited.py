"""CSV that spreadsheets and work-order systems read right, and that runs nothing when it is opened."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pyarrow as pa

__all__ = ["neutralized", "write_csv"]

_DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # the full-width ones count in some locales


def neutralized(text: str) -> str:
    """Text that no spreadsheet takes for a formula: an apostrophe goes before a leading ``= + - @``.

    The first character that is not a blank decides, since programs trim.
    """
    return f"'{text}" if text.lstrip(" \u00a0\ufeff").startswith(_DANGEROUS) or text.startswith(_DANGEROUS) else text


def write_csv(path: Path, table: pa.Table, *, decimals: int = 6) -> None:
    """Write a table: UTF-8 with BOM, CRLF, at most ``decimals`` digits after the point, null as nothing.

    Text is neutralized, in the header as well; numbers are written as numbers and never need it.
    """
    columns = [_cells(column, decimals) for column in table.columns]
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, lineterminator="\r\n", quoting=csv.QUOTE_ALL)  # a ; must not split a cell
        writer.writerow([neutralized(name) for name in table.column_names])
        writer.writerows(zip(*columns, strict=True))


def _cells(column: pa.ChunkedArray, decimals: int) -> list[str]:
    values: list[Any] = column.to_pylist()
    if pa.types.is_floating(column.type):
        return ["" if value is None or value != value else _number(value, decimals) for value in values]
    if pa.types.is_boolean(column.type):
        return ["" if value is None else ("true" if value else "false") for value in values]
    if pa.types.is_integer(column.type):
        return ["" if value is None else str(value) for value in values]
    return ["" if value is None else neutralized(str(value)) for value in values]


def _number(value: float, decimals: int) -> str:
    text = f"{value:.{decimals}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text
