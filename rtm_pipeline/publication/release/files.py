"""The JSON files of a release, read back: the one reader of manifests, on a disk and in a bucket."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

from rtm_pipeline.errors import PublishError

__all__ = ["LATEST", "MANIFEST", "latest_of", "manifest_of", "release_facts"]

MANIFEST = "manifest.json"
LATEST = "latest.json"


def release_facts(folder: Path, name: str) -> dict[str, Any] | None:
    """Content of one of the JSON files of a release, such as ``model.json``; None if it is not there.

    Raises
    ------
    PublishError
        It can't be read, or holds no JSON object.
    """
    path = folder / name
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, RecursionError) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        raise PublishError(
            f"The {name} of the release {folder.name} can't be read or is damaged ({why}): {path}. "
            "Restore it from a backup, or move the release away and run again."
        ) from None
    if not isinstance(found, dict):
        raise PublishError(
            f"The {name} of the release {folder.name} is damaged: {path} must hold a JSON object; found "
            f"{type(found).__name__}. Restore it from a backup, or move the release away and run again."
        )
    return found


def manifest_of(folder: Path) -> dict[str, Any]:
    """The manifest of a release: its run id, settings, sources, and the digest of every file.

    Raises
    ------
    PublishError
        There is none (then it is no release), or it is damaged.
    """
    found = release_facts(folder, MANIFEST)
    if found is None:
        raise PublishError(
            f"The release {folder.name} has no {MANIFEST}, so it is none: {folder}. Move it away and run again."
        )
    return found


def latest_of(folder: Path) -> dict[str, Any] | None:
    """Content of ``latest.json`` of a city, which says what is current; None before the first release.

    Raises
    ------
    PublishError
        It is damaged, or names no release.
    """
    path = folder / LATEST
    remedy = "Restore it, or delete it and publish anew."
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is not JSON"
        raise PublishError(f"{path} can't be read: {why}. {remedy}") from None
    try:
        date.fromisoformat(found["as_of"])
        run_id = str(found["run_id"])
    except (KeyError, TypeError, ValueError) as error:
        raise PublishError(f"{path} lacks or garbles {error}. {remedy}") from None
    if run_id != Path(run_id).name or run_id.startswith("."):
        raise PublishError(f"{path} names {run_id!r}, which is no run id. {remedy}")
    return dict(found)
