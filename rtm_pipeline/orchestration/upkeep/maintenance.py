"""What is thrown away, and when: releases, snapshots, logs, and Dagster's own records, which it never purges itself.

Never removed: the current release, those that the next night is compared with, and the snapshots that a kept release
names, so that every kept night can be run again.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtm_pipeline.errors import PublishError
from rtm_pipeline.orchestration.locks import city_lock
from rtm_pipeline.orchestration.upkeep.snapshot_retention import prune_snapshots
from rtm_pipeline.publication.release.files import MANIFEST, manifest_of
from rtm_pipeline.publication.release.store import MAKING, ReleaseStore
from rtm_pipeline.sources.snapshots.snapshot import SnapshotStore
from rtm_pipeline.storage.roots import modified_at, remove_tree

if TYPE_CHECKING:
    import dagster as dg

    from rtm_pipeline.config.city import City
    from rtm_pipeline.config.operations import RetentionSpec
    from rtm_pipeline.orchestration.paths import Paths

__all__ = ["Removed", "maintain_city", "purge_events", "sweep_parts"]

logger = logging.getLogger(__name__)

# A half-made thing younger than this may still be in the making on another machine.
_MAKING_S = 86_400.0


@dataclass(slots=True)
class Removed:
    """What was removed of a city.

    Attributes
    ----------
    releases : list of str
        Their run ids.
    snapshots : int
    files : int
        Logs, artifacts of former steps, what killed runs left.
    runs : int
        Of Dagster's storage.
    freed_bytes : int
        By parts of snapshots that nothing names any more.
    """

    releases: list[str] = field(default_factory=list)
    snapshots: int = 0
    files: int = 0
    runs: int = 0
    freed_bytes: int = 0


def maintain_city(city: City, paths: Paths, *, now: datetime | None = None) -> Removed:
    """Apply the retention of one city, under its lock.

    Raises
    ------
    CityBusyError
        A run of the city is writing; come again later.
    PublishError
        ``latest.json`` is damaged: what is current is unknown, and nothing is removed. Or a manifest is: no snapshot
        is removed.
    SourceError
        A release does not tell its snapshots: none is removed.
    """
    now = now or datetime.now(UTC)
    removed = Removed()
    with city_lock(paths.locks, city.name, paths.output):
        _prune_releases(city, paths.releases, now, removed)
        pruned = prune_snapshots(paths, city.name, now, keep=city.operations.retention.snapshots)
        removed.snapshots += sum(map(len, pruned.manifests.values()))
        removed.freed_bytes += pruned.freed_bytes
        _prune_files(city, paths.artifacts / city.name, now, removed)
    return removed


def _prune_releases(city: City, root: Path, now: datetime, removed: Removed) -> None:
    store = ReleaseStore(root, city.name)
    keep = city.operations.retention
    current = store.current()
    if current is None or not store.folder.is_dir():
        return
    protected = _protected(store, str(current["run_id"]), keep)
    for folder in sorted(store.folder.iterdir(), key=lambda path: path.name):
        if folder.name in ("latest", "latest.json") or not folder.is_dir() or _is_link(folder):
            continue
        if folder.name.startswith(MAKING) or not (folder / MANIFEST).is_file():
            if time.time() - _newest(folder) > _MAKING_S:
                remove_tree(folder)
                removed.files += 1
        elif folder.name not in protected and now - _written(folder) > keep.experiments:
            # The manifest goes first: what is left of a removal that is cut is no release any more.
            (folder / MANIFEST).unlink(missing_ok=True)
            remove_tree(folder)
            removed.releases.append(folder.name)


def _protected(store: ReleaseStore, current_id: str, keep: RetentionSpec) -> set[str]:
    """Run ids that stay: the current one, those within the policy, those that it and the next are compared with."""
    promoted = store.promoted()
    days = [item.as_of for item in promoted if item.run_id == current_id]
    if not days:
        raise PublishError(f"{store.folder} has no release {current_id}, which is current. Nothing was removed.")
    current_day = days[-1]
    names = {item.run_id for item in promoted if current_day - item.as_of <= keep.releases}
    for day in (current_day, current_day + timedelta(days=1)):
        names |= {item.run_id for item in store.to_compare(day)}
    return names | {current_id}


def _prune_files(city: City, folder: Path, now: datetime, removed: Removed) -> None:
    before = now.timestamp() - city.operations.retention.logs.total_seconds()
    if not folder.is_dir():
        return
    from rtm_pipeline.orchestration.steps.night import steps_of

    steps = {"settings", *steps_of(city)}
    old = [path for path in folder.glob("*.artifact") if path.name.removesuffix(".artifact") not in steps]
    old += folder.glob("logs/*.log")
    for path in old:
        if modified_at(path) < before:
            path.unlink(missing_ok=True)
            removed.files += 1
    for path in folder.glob(".tmp-*"):
        if modified_at(path) < now.timestamp() - _MAKING_S:
            path.unlink(missing_ok=True)
            removed.files += 1


def sweep_parts(paths: Paths) -> int:
    """Remove parts of snapshots that no city names any more; bytes that were freed."""
    return SnapshotStore(paths.snapshots).collect() if paths.snapshots.is_dir() else 0


def purge_events(instance: dg.DagsterInstance, before: datetime, *, city: str | None = None, limit: int = 500) -> int:
    """Delete Dagster's finished runs that were created before a time, with their events and compute logs.

    The last run of every job stays, so that the UI still says how it ended.

    Parameters
    ----------
    city : str, optional
        Only runs with this tag ``city``.
    limit : int
        At most so many, so that one night of cleaning does not block the storage.
    """
    import dagster as dg
    from dagster._core.storage.dagster_run import FINISHED_STATUSES

    tags = {"city": city} if city else {}
    old = instance.get_runs(
        dg.RunsFilter(statuses=FINISHED_STATUSES, created_before=before, tags=tags), limit=limit, ascending=True
    )
    last: dict[str, str] = {}
    for run in old:
        if run.job_name not in last:
            newest = instance.get_runs(dg.RunsFilter(job_name=run.job_name, tags=tags), limit=1)
            last[run.job_name] = newest[0].run_id if newest else ""
    purged = 0
    for run in old:
        if run.run_id == last[run.job_name]:
            continue
        try:
            instance.compute_log_manager.delete_logs(prefix=[run.run_id])
        except Exception as error:  # whichever manager is configured; the records matter more than their logs
            logger.warning("The logs of run %s were not removed: %s", run.run_id, error)
        instance.delete_run(run.run_id)
        purged += 1
    return purged


def _is_link(path: Path) -> bool:
    return bool(getattr(path, "is_symlink", lambda: False)())


def _newest(folder: Path) -> float:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return max((modified_at(path) for path in files), default=modified_at(folder) if isinstance(folder, Path) else 0.0)


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        return manifest_of(folder)
    except PublishError as error:
        logger.warning("%s Until then the release is kept.", error)
        return {}


def _written(folder: Path) -> datetime:
    """When a release was written; one that does not tell counts as new, and is kept."""
    try:
        return datetime.fromisoformat(_manifest(folder)["written_at"])
    except (KeyError, TypeError, ValueError):
        return datetime.now(UTC)
