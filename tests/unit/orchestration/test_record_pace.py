"""Dagster's records on one machine are written without waiting for the disk; nothing else of SQLite changes."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy

from rtm_pipeline.orchestration.record_pace import relax_records


def test_only_databases_in_wal_mode_are_relaxed(tmp_path: Path) -> None:
    relax_records()
    relax_records()  # a code server loads the definitions again and again
    found = {}
    for mode in ("wal", "delete"):
        address = f"sqlite:///{tmp_path / mode}.db"
        with sqlalchemy.create_engine(address).connect() as first:
            first.execute(sqlalchemy.text(f"PRAGMA journal_mode={mode}"))
            first.execute(sqlalchemy.text("CREATE TABLE kept (number INTEGER)"))
            first.commit()
        with sqlalchemy.create_engine(address).connect() as again:
            found[mode] = again.execute(sqlalchemy.text("PRAGMA synchronous")).scalar_one()
    assert found == {"wal": 1, "delete": 2}  # 1 is NORMAL, 2 FULL
