"""The release that a command speaks of."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from rtm_pipeline.cli.arguments import date_of
from rtm_pipeline.errors import ConfigError

if TYPE_CHECKING:
    from rtm_pipeline.orchestration.paths import Paths

__all__ = ["current_release"]


def current_release(paths: Paths, city: str, run_id: str | None = None) -> tuple[Path, date]:
    """Folder and day of a release: the current one, or the one that is named.

    Raises
    ------
    ConfigError
        There is none.
    """
    from rtm_pipeline.publication.release.store import ReleaseStore

    store = ReleaseStore(paths.releases, city)
    if run_id is None:
        current = store.current()
        if current is None:
            raise ConfigError(f"There is no current release of {city} in {paths.output}. Run `rtm run` first.")
        run_id = str(current["run_id"])
    folder = store.folder / run_id
    day = date_of(run_id[:10], "--run")
    if day is None or not (folder / "manifest.json").is_file():
        raise ConfigError(f"There is no release {run_id} of {city} in {store.folder}.")
    return folder, day
