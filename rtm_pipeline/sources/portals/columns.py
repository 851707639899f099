"""Which columns are asked of a portal, and what it means when one of them is gone while it is read."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rtm_pipeline.errors import SchemaError
from rtm_pipeline.sources.headers import HeaderMatch, some_names

__all__ = ["RENAMED", "asked_columns", "refuse_gone"]

RENAMED = "Run again; if they were renamed, add their new names under the source's aliases."


def asked_columns(match: HeaderMatch, headers: Sequence[str]) -> tuple[str, ...]:
    """Headers of the declared columns, each once, as the portal names them."""
    return tuple(dict.fromkeys(headers[at] for _, at in match.positions if at is not None))


def refuse_gone(asked: Collection[str], there: Sequence[str], *, where: str) -> None:
    """Raise SchemaError if a column that was there when the reading began is gone."""
    gone = [name for name in asked if name not in there]
    if gone:
        raise SchemaError(
            f"{where}: the columns {some_names(gone)} were there when the reading began and are gone: the data were "
            f"changed while they were read. Columns now: {some_names(there)}. {RENAMED}"
        )
