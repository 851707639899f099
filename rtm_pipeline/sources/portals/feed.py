"""What a data set of a portal must offer to be read whole, whatever the portal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

__all__ = ["KEY", "Feed", "FeedState", "Page"]

KEY = "_key"


@dataclass(frozen=True, slots=True)
class FeedState:
    """What a portal says of a data set at one moment; two equal states mean that nothing changed between them.

    Attributes
    ----------
    count : int
        Rows.
    stamp : str, optional
        Latest change of a row, as the portal writes it; changes since then can be asked for.
    version : str, optional
        Whatever else changes with the data set, deletions included.
    """

    count: int
    stamp: str | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """Some rows in the order of the feed.

    Attributes
    ----------
    table : pyarrow.Table
        ``_key`` (string, identity of a row within the data set) and the feed's columns (string; ``geometry`` binary).
    n_bytes : int
        Size of the answer.
    """

    table: pa.Table
    n_bytes: int


class Feed(Protocol):
    """One data set of a portal with the columns that are asked of it."""

    @property
    def where(self) -> str:
        """Source and data set, for messages."""

    @property
    def signature(self) -> str:
        """What is asked for: data set, columns and filter. Pages of another signature can't be used."""

    @property
    def catches_up(self) -> bool:
        """Whether changes since a stamp can be asked for."""

    def state(self) -> FeedState:
        """Ask for the present state; raises SchemaError if a column is gone."""

    def page(self, offset: int, limit: int, since: str | None) -> Page:
        """Rows ``offset`` to ``offset + limit`` in stable order, of all or of those changed since a stamp."""
