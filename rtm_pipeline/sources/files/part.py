"""What a reader of one kind of file hands on: a file's rows, not yet numbered."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from rtm_pipeline.sources.headers import HeaderMatch

__all__ = ["Part"]


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Rows of one file.

    Attributes
    ----------
    table : pyarrow.Table
        Declared columns (string), ``_malformed`` (bool), and ``geometry`` (binary WKB) where asked for.
    match : HeaderMatch
        Which header was which column.
    crs : str, optional
        CRS of ``geometry``.
    more_to_come : bool
        Whether the file says itself that the service had more rows than it gave (``exceededTransferLimit``).
    """

    table: pa.Table
    match: HeaderMatch
    encoding: str | None = None
    crs: str | None = None
    notes: tuple[str, ...] = ()
    more_to_come: bool = False
