"""Finding a release by what a person calls it: a run id, a city's latest, or its folder."""

from __future__ import annotations

from pathlib import Path

from rtm_pipeline.errors import ConfigError
from rtm_pipeline.orchestration.paths import Paths
from rtm_pipeline.publication.release.reading import ReleaseFolder
from rtm_pipeline.publication.release.store import ReleaseStore
from rtm_pipeline.storage.roots import is_remote

__all__ = ["find_release", "latest_release"]


def latest_release(paths: Paths, city: str) -> ReleaseFolder:
    """The current release of a city.

    Raises
    ------
    ConfigError
        There is none yet, or it lies in a bucket.
    """
    current = ReleaseStore(_local(paths.releases), city).current()
    if current is None:
        raise ConfigError(
            f"There is no release of {city} in {paths.releases}. Run `rtm run {city}` first, or say with --output "
            "where the releases are."
        )
    return ReleaseFolder.at(paths.releases / city / str(current["run_id"]))


def find_release(paths: Paths, name: str, city: str | None = None) -> ReleaseFolder:
    """A release by its run id, by ``CITY`` or ``CITY/latest`` for the current one, or by its folder.

    Raises
    ------
    ConfigError
        None is called so; the message lists those that are there.
    """
    folder = Path(name)
    if (folder / "manifest.json").is_file():
        return ReleaseFolder.at(folder)
    releases = _local(paths.releases)
    slug, _, rest = name.partition("/")
    if name == "latest" and city is not None:
        return latest_release(paths, city)
    if rest in ("", "latest") and (releases / slug / "latest.json").is_file():
        return latest_release(paths, slug)
    pattern = f"{name}/manifest.json" if rest else f"{city or '*'}/{name}/manifest.json"
    found = sorted(releases.glob(pattern))
    if len(found) == 1:
        return ReleaseFolder.at(found[0].parent)
    there = sorted(path.parent.relative_to(releases).as_posix() for path in releases.glob("*/*/manifest.json"))
    what = "There is no release" if not found else f"{len(found)} releases are called"
    raise ConfigError(
        f"{what} '{name}' in {releases}. Give a run id, CITY/latest or a folder. There are: "
        f"{', '.join(dict.fromkeys(there)) or 'none'}."
    )


def _local(releases: Path) -> Path:
    if is_remote(releases):
        raise ConfigError(
            f"Rasters are read from a local disk; {releases} is a bucket. Copy the release's folder here and name it."
        )
    return releases
