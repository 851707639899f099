"""Reading a data set of a portal so that every row is there exactly once, or the reading fails.

Pages are asked for in a stable order, each from the last row of the one before: if that row is not at its beginning,
rows were inserted or deleted before it, and rows may be missing. The number of rows and the latest change are asked
for before and after. If nothing changed and as many distinct rows came as were promised, all is well, in whatever
order they came. If something changed, the changes are asked for and merged by key until nothing changes any more.
Then no row is missing if all pages joined, and a row that was deleted meanwhile shows as one too many; else everything
is read again.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa

from rtm_pipeline.errors import SourceError
from rtm_pipeline.sources.portals.feed import KEY, Feed, FeedState
from rtm_pipeline.sources.portals.pull_store import Base, KeptPage, PullStore

__all__ = ["Pulled", "pull"]

logger = logging.getLogger(__name__)

_ATTEMPTS = 3
_CATCH_UPS = 5


@dataclass(frozen=True, slots=True, eq=False)
class Pulled:
    """All rows of a data set.

    Attributes
    ----------
    table : pyarrow.Table
        ``_key`` and the feed's columns; every key once.
    n_bytes : int
        What was received for it.
    how : str
        ``all rows read`` or what was merged with the rows of an earlier night.
    """

    table: pa.Table
    n_bytes: int
    how: str


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    table: pa.Table
    n_bytes: int
    continuous: bool


def pull(feed: Feed, *, page_rows: int, now: datetime, full_every: timedelta, store: PullStore | None = None) -> Pulled:
    """Read a data set.

    Parameters
    ----------
    feed : Feed
    page_rows : int
        Rows of a page, at least 2.
    now : datetime
        Time of the reading, with its time zone.
    full_every : timedelta
        How long changes are merged into the rows of earlier nights before everything is read again.
    store : PullStore, optional
        Where pages and the rows of earlier nights are kept; without one everything is read.

    Raises
    ------
    SourceError
        If not all rows came, or the data set did not come to rest.
    SchemaError
        If a column is gone.
    """
    base = store.base() if store is not None and feed.catches_up else None
    if base is not None and base.state.stamp is not None and timedelta(0) <= now - base.full_at < full_every:
        pulled = _changes(feed, base, page_rows)
        if pulled is not None and store is not None:
            if pulled[1] != base.state:
                store.set_base(Base(pulled[0].table, pulled[1], base.full_at))
            return pulled[0]
        logger.info("%s: what changed does not add up with what was there, so all is read", feed.where)
    seen = ""
    for _ in range(_ATTEMPTS):
        read, state = _everything(feed, page_rows, now, store)
        if isinstance(read, _Read):
            if store is not None:
                store.set_base(Base(read.table, state, now))
            return Pulled(read.table, read.n_bytes, "all rows read")
        seen = read
        logger.warning("%s: %s; reading it again", feed.where, seen)
        if store is not None:
            store.clear()
    raise SourceError(
        f"{feed.where}: {seen}, in {_ATTEMPTS} readings. Nothing of it is used; run again when the portal is at rest."
    )


def _changes(feed: Feed, base: Base, page_rows: int) -> tuple[Pulled, FeedState] | None:
    """Rows of an earlier night with what changed since; None if they don't add up to what the portal has."""
    state = feed.state()
    changes = _page_through(feed, page_rows, since=base.state.stamp, most=_most(state, page_rows), pages=[])
    read = _Read(_latest(base.table, changes.table), changes.n_bytes, changes.continuous)
    settled = _settle(feed, read, state, page_rows)
    if isinstance(settled, str):
        return None
    read, state = settled
    how = f"{changes.table.num_rows:,} rows changed since {base.state.stamp}, merged with those read before"
    return Pulled(read.table, read.n_bytes, how), state


def _everything(feed: Feed, page_rows: int, now: datetime, store: PullStore | None) -> tuple[_Read | str, FeedState]:
    """All rows, or what was wrong with them."""
    state = feed.state()
    pages: list[KeptPage] = []
    if store is not None:
        state, pages = store.begin(state, now)
    read = _page_through(feed, page_rows, since=None, most=_most(state, page_rows), pages=pages, store=store)
    settled = _settle(feed, read, state, page_rows)
    return (settled, state) if isinstance(settled, str) else settled


def _settle(feed: Feed, read: _Read, before: FeedState, page_rows: int) -> tuple[_Read, FeedState] | str:
    """Add what changed since ``before`` until nothing does; text says what does not add up."""
    moved = False
    for _ in range(_CATCH_UPS):
        after = feed.state()
        if after == before:
            if read.table.num_rows != after.count:
                return f"{after.count:,} rows were promised and {read.table.num_rows:,} came"
            if moved and not read.continuous:
                return "rows came and went while it was read"
            return read, after
        if not feed.catches_up or before.stamp is None:
            return "it changed while it was read"
        moved = True
        changes = _page_through(feed, page_rows, since=before.stamp, most=_most(after, page_rows), pages=[])
        table, n_bytes = _latest(read.table, changes.table), read.n_bytes + changes.n_bytes
        read = _Read(table, n_bytes, read.continuous and changes.continuous)
        before = after
    return "it kept changing while it was read"


def _most(state: FeedState, page_rows: int) -> int:
    """Rows, repeats included, beyond which a portal that promised ``state.count`` is no longer believed."""
    return 3 * state.count + 10 * page_rows


def _page_through(
    feed: Feed, page_rows: int, *, since: str | None, most: int, pages: list[KeptPage], store: PullStore | None = None
) -> _Read:
    """Ask for page after page, each from the last row of the one before."""
    tables = [page.table for page in pages]
    continuous = all(page.joins for page in pages)
    n_bytes, offset, last = 0, 0, None
    if pages:
        offset, last = pages[-1].last_offset, tables[-1].column(KEY)[-1].as_py()
    came = 0
    while True:
        page = feed.page(offset, page_rows, since)
        n_bytes += page.n_bytes
        found = page.table.column(KEY).to_pylist()
        joins = last is None or found[:1] == [last]
        continuous = continuous and joins
        # The end is where a page brings nothing but the last row of the one before. A page of rows that are known is
        # no end: insertions before it may have pushed it back.
        if len(found) <= (0 if last is None else 1):
            return _Read(_latest(*tables, page.table), n_bytes, continuous)
        came += len(found)
        if came > most:
            raise SourceError(
                f"{feed.where}: more than {most:,} rows came, far more than were promised. It is not read on."
            )
        tables.append(page.table)
        offset, last = offset + len(found) - 1, found[-1]
        if store is not None:
            store.add(len(tables) - 1, KeptPage(page.table, offset, joins))


def _latest(*tables: pa.Table) -> pa.Table:
    """Rows of all tables; of those with equal keys the last."""
    table = pa.concat_tables(tables)
    at = pa.array(np.arange(table.num_rows, dtype=np.int64))
    last = pa.table({KEY: table.column(KEY), "at": at}).group_by(KEY, use_threads=False).aggregate([("at", "max")])
    return table.take(pa.array(np.sort(last.column("at_max").to_numpy())))
