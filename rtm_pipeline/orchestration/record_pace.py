"""Dagster's own records on one machine (SQLite): written without waiting for the disk at every event.

A night has some 1,400 events, and each is two commits. With SQLite's default every commit waits until the disk has it
(10 ms on a common disk), which doubles the time of a night of the made city. In the journal mode that Dagster chooses
(WAL) the mode NORMAL keeps the records whole in every case; a power cut may lose the last of them, as it would lose
the run that wrote them. Releases, snapshots and histories are written by `storage`, not by SQLite, and stay durable.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

__all__ = ["relax_records"]


def relax_records() -> None:
    """From now on, in this process, let SQLite databases in WAL mode write without waiting at every commit."""
    if not event.contains(Engine, "connect", _relax):
        event.listen(Engine, "connect", _relax)


def _relax(connection: Any, _: Any) -> None:
    if not isinstance(connection, sqlite3.Connection):  # Postgres has its own ways
        return
    cursor = connection.cursor()
    if cursor.execute("PRAGMA journal_mode").fetchone() == ("wal",):
        cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()
