"""The snapshot that a night uses for a source: read tonight, stored by a past night, or the last good one."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rtm_pipeline.config.city import City
from rtm_pipeline.errors import ConfigError, SchemaError, SourceError
from rtm_pipeline.orchestration.step import CheckReport, StepContext, StepResult
from rtm_pipeline.orchestration.studies.stored_night import PinnedSnapshot
from rtm_pipeline.sources.snapshots.snapshot import Snapshot, SnapshotStore
from rtm_pipeline.sources.source_read import SourceRead

if TYPE_CHECKING:
    from rtm_pipeline.sources.portals.transport import Transport

__all__ = ["READ", "source_rows", "take_snapshot"]

logger = logging.getLogger(__name__)

READ = "read_tonight"


def source_rows(
    city: City,
    name: str,
    data_dir: Path,
    *,
    transport: Transport | None = None,
    state_dir: Path | None = None,
    now: datetime | None = None,
) -> SourceRead:
    """Read the declared columns of a source; ``state_dir`` lets a portal be asked for changes only."""
    from rtm_pipeline.sources.read import read_source

    return read_source(
        city.sources[name],
        city.columns[name],
        data_dir=data_dir,
        geometry=name in city.native_geometry,
        transport=transport,
        state_dir=state_dir,
        now=now,
    )


def take_snapshot(context: StepContext, name: str) -> StepResult:
    """Read a source once and store it, or take the stored snapshot that stands for it.

    Raises
    ------
    SourceError, SchemaError
        The source can't be read, and no good snapshot is young enough to stand in.
    ConfigError
        A past night is run again that does not tell its snapshot of this source.
    """
    if context.settings.snapshots:
        snapshot = _of_that_night(context, name)
    else:
        try:
            snapshot = _read(context, name)
        except (SourceError, SchemaError) as error:
            snapshot = _last_good(context, name, error)
    message = snapshot.stands_in or "read" if not context.settings.snapshots else "stored by the night that is rerun"
    return StepResult(
        snapshot,
        {
            "rows": snapshot.rows,
            "files": len(snapshot.files),
            "digest": snapshot.digest,
            "fetched at": snapshot.fetched_at,
            "columns": ", ".join(snapshot.columns),
            "columns not kept": ", ".join(snapshot.dropped_columns) or "none",
        },
        (CheckReport(READ, snapshot.stands_in is None, message),),
    )


def _read(context: StepContext, name: str) -> Snapshot:
    city = context.city
    state_dir = context.output / "snapshots" / city.name / name / "pull"
    now = context.now()
    read = source_rows(city, name, context.data_dir, transport=context.transport, state_dir=state_dir, now=now)
    return SnapshotStore(context.output / "snapshots").put(city.name, name, read, fetched_at=now)


def _of_that_night(context: StepContext, name: str) -> Snapshot:
    pinned: PinnedSnapshot | None = context.settings.snapshots.get(name)
    if pinned is None:
        raise ConfigError(
            f"The night that is run again does not tell its snapshot of {name!r}; it was made by an older version, "
            "which did not store it."
        )
    stored = SnapshotStore(context.output / "snapshots").load(context.city.name, name, pinned.digest)
    return replace(stored, fetched_at=pinned.fetched_at, stands_in=pinned.stands_in)


def _last_good(context: StepContext, name: str, error: SourceError | SchemaError) -> Snapshot:
    """The snapshot that was last read, if it is young enough and has all that is asked for; else raises ``error``."""
    city = context.city
    allowed = city.health.last_good[name]
    if allowed.is_zero:
        raise error
    last = SnapshotStore(context.output / "snapshots").latest(city.name, name)
    if last is None:
        raise error
    age_days = (context.now() - datetime.fromisoformat(last.fetched_at)).total_seconds() / 86_400
    wanted = {column.name for column in city.columns[name]}
    fits = wanted <= set(last.columns) and last.geometry == (name in city.native_geometry)
    if not fits or not 0 <= age_days <= allowed.approximate_days:
        why = "is too old" if fits else "lacks columns that are declared now"
        raise type(error)(
            f"{error} The last good snapshot, of {last.fetched_at}, {why} to stand in (health.last_good: {allowed})."
        ) from None
    logger.warning("%s: %s", name, error)
    return replace(
        last,
        stands_in=f"it could not be read, so that its last good snapshot stands in, fetched {last.fetched_at} "
        f"({age_days:.1f} days before; {allowed} at most). {error}",
    )
