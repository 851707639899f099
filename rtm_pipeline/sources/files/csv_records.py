"""Where the records of a CSV file begin and end, row by row: the careful reading of files that are not clean.

Text in the form of RFC 4180 is read by pyarrow (`csv_table`). This module tells whether a file is in that form, and
reads those that are not: a stray quote must not swallow the rows after it, a row that does not fit its header must
not vanish, and a file that was cut must not look whole.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from rtm_pipeline.errors import SourceError

__all__ = ["Header", "Record", "is_clean", "read_header", "records"]

_QUOTE, _LF, _CR = ord('"'), ord("\n"), ord("\r")
_BLOCK = 16 * 1024 * 1024
_BLANK = " \t\r\n\x1a\ufeff\u00a0"  # 0x1a ends files that DOS wrote
_SENTINEL = "\x00end\x00"


@dataclass(frozen=True, slots=True)
class Header:
    """The first record of a file.

    Attributes
    ----------
    names : tuple of str
    end : int
        Byte at which the data begin.
    lines : int
        Physical lines before the data.
    closed : bool
        Whether a line break follows the header.
    """

    names: tuple[str, ...]
    end: int
    lines: int
    closed: bool


@dataclass(frozen=True, slots=True)
class Record:
    """One data row: its fields, or None where it does not fit the header, and its first physical line (from 1)."""

    fields: list[str] | None
    line: int


def is_clean(data: bytes, start: int, delimiter: str) -> bool:
    """Whether every quote from ``start`` on opens a field, closes one, or is doubled within one (RFC 4180).

    In such text quotes pair up from the left: a left one must follow a delimiter, a line break or the quote that it
    doubles; a right one must be followed by a delimiter, a line break, the end, or the quote that it doubles.
    """
    view = np.frombuffer(data, np.uint8)
    may_touch = np.zeros(256, bool)
    may_touch[[ord(delimiter), _LF, _CR, _QUOTE]] = True
    seen = 0
    for begin in range(start, len(view), _BLOCK):
        quotes = np.flatnonzero(view[begin : begin + _BLOCK] == _QUOTE) + begin
        left, right = quotes[seen % 2 :: 2], quotes[1 - seen % 2 :: 2]
        left, right = left[left > start], right[right + 1 < len(view)]
        if not (may_touch[view[left - 1]].all() and may_touch[view[right + 1]].all()):
            return False
        seen += len(quotes)
    return seen % 2 == 0


def read_header(data: bytes, delimiter: str, *, where: str) -> Header:
    """Read the first record that is not blank.

    Raises
    ------
    SourceError
        If there is none, or it ends within quotes.
    """
    _allow_long_fields(len(data))
    lines = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", newline="")
    used: list[str] = []

    def feed() -> Iterator[str]:
        for line in lines:
            used.append(line)
            yield line

    reader = csv.reader(feed(), delimiter=delimiter, strict=True)
    try:
        names = next((fields for fields in reader if any(name.strip(_BLANK) for name in fields)), None)
    except csv.Error as error:
        raise SourceError(f"{where}: the header line can't be read ({error}). The file may be cut.") from None
    if names is None:
        raise SourceError(
            f"{where}: the file is empty ({len(data)} bytes); a header line was expected. Fetch it again."
        )
    return Header(
        names=tuple(names),
        end=sum(len(line.encode()) for line in used),
        lines=len(used),
        closed=used[-1].endswith(("\n", "\r")),
    )


def records(text: str, n_fields: int, delimiter: str, *, first_line: int, where: str) -> Iterator[Record]:
    """Each data row of ``text``, in order; blank lines are none.

    A row that does not fit the header is given without fields. A record with a broken quote ends at its first line
    break, so that the rows after it are read; so does one of several lines with the wrong number of fields, if one
    of its lines is a whole row.

    Parameters
    ----------
    text : str
        What follows the header.
    n_fields : int
        Number of headers.
    first_line : int
        Physical line (from 1) with which ``text`` begins, for messages.

    Raises
    ------
    SourceError
        If the last record has too few fields, or ends within quotes: the file was cut.
    """
    _allow_long_fields(len(text))
    lines = list(io.StringIO(text, newline=""))
    last, found = 0, n_fields
    for begin, fields in _pieces(lines, n_fields, delimiter, first_line, where):
        if fields == [] or (n_fields > 1 and len(fields or ()) == 1 and not lines[begin].strip(_BLANK)):
            continue
        last, found = begin, -1 if fields is None else len(fields)
        yield Record(fields if found == n_fields else None, first_line + begin)
    if found < n_fields:
        seen = "a quote that is not closed" if found < 0 else f"{found} of {n_fields} fields"
        raise SourceError(
            f"{where}: the last record, at line {first_line + last:,}, has {seen}: the file was cut. Fetch it again."
        )


def _pieces(
    lines: Sequence[str], n_fields: int, delimiter: str, first_line: int, where: str
) -> Iterator[tuple[int, list[str] | None]]:
    """(index of the first line, fields) of each record; None for a line that ends within quotes it can't have meant."""
    at = 0
    while at < len(lines):
        for begin, end, fields in _strict(lines, at, delimiter):
            if fields is None and end > len(lines):
                raise SourceError(
                    f"{where}: line {first_line + begin:,} opens a quote that is not closed before the end of the "
                    f"file, {len(lines) - begin:,} lines on: the file was cut, or the quote is stray. Fetch it again."
                )
            hides = (
                fields is not None
                and len(fields) != n_fields
                and _hides_rows(lines[begin + 1 : end], n_fields, delimiter)
            )
            if fields is None or hides:
                yield begin, _alone(lines[begin], delimiter)
                at = begin + 1
                break
            yield begin, fields
        else:
            return


def _strict(lines: Sequence[str], at: int, delimiter: str) -> Iterator[tuple[int, int, list[str] | None]]:
    """(first line, line after the last, fields) of each record from line ``at`` on.

    At the first broken quote the fields are None and the reading stops; the end is then beyond the last line if it
    was the end of the text that broke it.
    """
    taken = at

    def feed() -> Iterator[str]:
        nonlocal taken
        while taken < len(lines):
            taken += 1
            yield lines[taken - 1]
        taken += 1

    reader = csv.reader(feed(), delimiter=delimiter, strict=True)
    begin = at
    while True:
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield begin, taken, None
            return
        yield begin, taken, fields
        begin = taken


def _alone(line: str, delimiter: str) -> list[str] | None:
    """Fields of one line read leniently by itself; None if it ends within quotes."""
    reader = csv.reader(iter((line.rstrip("\r\n") + "\n", _SENTINEL)), delimiter=delimiter)
    fields = next(reader)
    return fields if reader.line_num == 1 else None


def _hides_rows(rest: Sequence[str], n_fields: int, delimiter: str) -> bool:
    return any(len(_alone(line, delimiter) or ()) == n_fields for line in rest)


def _allow_long_fields(length: int) -> None:
    # The limit is the process's; it only grows, since a city's boundary as WKT is longer than the default allows.
    csv.field_size_limit(max(csv.field_size_limit(), length + 1))
