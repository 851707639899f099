"""A past night as its release tells it: its settings, its date and the snapshots that it was made from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from rtm_pipeline.errors import ConfigError, SourceError
from rtm_pipeline.publication.release.files import MANIFEST, manifest_of, release_facts
from rtm_pipeline.publication.release.store import ReleaseStore

__all__ = ["PinnedSnapshot", "StoredNight", "snapshots_of_releases", "stored_night"]

_RUN_ID = re.compile(r"^\d{4}-\d{2}-\d{2}-[0-9a-f]{12}$")
MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class PinnedSnapshot:
    """The snapshot that a night used.

    Attributes
    ----------
    digest : str
    fetched_at : str
        When that night read it, ISO 8601 in UTC; the same content may have been read again since.
    stands_in : str, optional
        Why it stood in for a source that could not be read that night.
    """

    digest: str
    fetched_at: str
    stands_in: str | None = None


@dataclass(frozen=True, slots=True)
class StoredNight:
    """What a rerun needs.

    Attributes
    ----------
    run_id : str
    as_of : date
    config : dict
        The resolved configuration of that night, as JSON values.
    snapshots : mapping of str to PinnedSnapshot
        By source.
    """

    run_id: str
    as_of: date
    config: dict[str, Any]
    snapshots: dict[str, PinnedSnapshot]


def stored_night(releases: Path, city: str, run_id: str) -> StoredNight:
    """Look a night up in the releases of a city.

    Parameters
    ----------
    releases : Path
        Root of the releases.
    run_id : str
        Of the release, or ``latest``.

    Raises
    ------
    ConfigError
        There is no such release; the message names the last ones.
    PublishError, SourceError
        Its manifest is damaged, or does not tell what a rerun needs.
    """
    folder = releases / city
    if run_id == "latest":
        current = ReleaseStore(releases, city).current()
        run_id = str(current["run_id"]) if current else run_id
    manifest = release_facts(folder / run_id, MANIFEST) if _RUN_ID.match(run_id) else None
    if manifest is None:
        known = sorted((path.parent.name for path in folder.glob(f"*/{MANIFEST}")), reverse=True)[:MOST_NAMED]
        raise ConfigError(
            f"There is no release {run_id!r} of {city} in {folder}. The last ones: {', '.join(known) or 'none'}."
        )
    try:
        return _night(run_id, manifest, release_facts(folder / run_id, "ingest.json") or {})
    except (KeyError, TypeError, ValueError):
        raise SourceError(
            f"The manifest of the release {run_id} does not tell its settings and snapshots. Restore it from a backup."
        ) from None


def _night(run_id: str, manifest: dict[str, Any], ingest: dict[str, Any]) -> StoredNight:
    read = ingest.get("sources", {})
    pinned = {
        name: PinnedSnapshot(str(digest), str(read[name]["fetched_at"]), read[name].get("stands_in"))
        for name, digest in dict(manifest["sources"]).items()
    }
    return StoredNight(run_id, date.fromisoformat(manifest["as_of"]), dict(manifest["settings"]), pinned)


def snapshots_of_releases(releases: Path, city: str) -> dict[str, set[str]]:
    """Source -> digests of the snapshots that some release of the city was made from.

    Raises
    ------
    PublishError, SourceError
        A manifest can't be read, or tells of no snapshots: what it needs is then unknown.
    """
    found: dict[str, set[str]] = {}
    for path in sorted((releases / city).glob(f"*/{MANIFEST}")):
        if not _RUN_ID.match(path.parent.name):
            continue
        sources = manifest_of(path.parent).get("sources")
        if not isinstance(sources, dict):
            raise SourceError(
                f"{path} does not tell its snapshots, so none may be removed. Restore it or move it away."
            )
        for name, digest in sources.items():
            found.setdefault(str(name), set()).add(str(digest))
    return found
