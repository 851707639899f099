"""Which snapshots stay: all that a release was made from, all recent ones, and the last of every source."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from rtm_pipeline.orchestration.paths import Paths
from rtm_pipeline.orchestration.studies.stored_night import snapshots_of_releases
from rtm_pipeline.sources.snapshots.snapshot import SnapshotStore

__all__ = ["PrunedSnapshots", "prune_snapshots"]

logger = logging.getLogger(__name__)

USUAL = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class PrunedSnapshots:
    """What was removed.

    Attributes
    ----------
    manifests : mapping of str to tuple of str
        Source -> digests.
    freed_bytes : int
        Of parts that no snapshot of any city names any more.
    """

    manifests: dict[str, tuple[str, ...]]
    freed_bytes: int


def prune_snapshots(
    paths: Paths, city: str, now: datetime, *, keep: timedelta = USUAL, min_part_age_s: float = 86_400.0
) -> PrunedSnapshots:
    """Remove the snapshots of a city that nothing needs any more.

    A snapshot stays if a release that is still there was made from it (so every night that has a release can be
    rerun: remove releases first), if it was read within ``keep``, or if it is the last of its source. The lock of
    the city must be held.

    Parameters
    ----------
    paths : Paths
    city : str
    now : datetime
        With its time zone.
    keep : timedelta
    min_part_age_s : float
        Younger parts stay, since the night of another city may be about to name them.

    Raises
    ------
    PublishError, SourceError
        A release or snapshot can't be read: what it needs is then unknown, and nothing is removed.
    """
    wanted = snapshots_of_releases(paths.releases, city)
    store = SnapshotStore(paths.snapshots)
    since = (now - keep).strftime("%Y-%m-%dT%H:%M:%SZ")
    removed = {}
    folder = paths.snapshots / city
    sources = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    for source in sources:
        recent = {snapshot.digest for snapshot in store.list(city, source) if snapshot.fetched_at >= since}
        gone = store.prune(city, source, keep=recent | wanted.get(source, set()))
        if gone:
            removed[source] = gone
            logger.info("%s: %d snapshots of %s were removed", city, len(gone), source)
    return PrunedSnapshots(removed, store.collect(min_age_s=min_part_age_s))
