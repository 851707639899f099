"""A release: written aside, checked, then made current by one atomic step.

A reader never sees half a release, and a night that fails leaves yesterday's in place.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from rtm_pipeline.errors import PublishError

__all__ = ["MANIFEST", "Release", "ReleaseStore", "run_id_of", "write_json"]

MANIFEST = "manifest.json"
LATEST = "latest.json"


@dataclass(frozen=True, slots=True)
class Release:
    """A complete release on disk."""

    city: str
    run_id: str
    path: Path
    reused: bool


def run_id_of(as_of: date, parts: Mapping[str, Any]) -> str:
    """``<as_of>-<12 hex>``: the same settings, inputs and code give the same id."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return f"{as_of.isoformat()}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def write_json(path: Path, value: Any) -> None:
    """Plain, sorted, readable JSON; NaN is refused because other programs can't read it."""
    text = json.dumps(value, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


class ReleaseStore:
    """Releases of one city under ``releases/CITY``."""

    def __init__(self, root: Path, city: str) -> None:
        self.folder = root / city
        self._city = city

    def publish(self, run_id: str, fill: Callable[[Path], None], facts: Mapping[str, Any]) -> Release:
        """Write a release whole, or reuse the complete one with this id.

        Parameters
        ----------
        run_id : str
        fill : callable
            Writes every file of the release but the manifest into the folder that it is given.
        facts : mapping
            What the manifest says beside the digests of the files.

        Raises
        ------
        PublishError
            A file can't be written, or an existing release with this id is damaged.
        """
        target = self.folder / run_id
        if (target / MANIFEST).is_file():
            verify(target)
            return Release(self._city, run_id, target, reused=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._sweep()
        aside = Path(tempfile.mkdtemp(dir=self.folder, prefix=".making-"))
        try:
            fill(aside)
            manifest = {**facts, "run_id": run_id, "files": _digests(aside)}
            write_json(aside / MANIFEST, manifest)
            _sync(aside)
            aside.chmod(0o755)
            aside.replace(target)
        except OSError as error:
            raise PublishError(
                f"The release {run_id} could not be written: {error}. The one before stays current."
            ) from None
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        return Release(self._city, run_id, target, reused=False)

    def promote(self, release: Release, as_of: date, *, allow_earlier: bool = False) -> bool:
        """Make a release current; False if a later one already is."""
        current = self.current()
        if current and date.fromisoformat(current["as_of"]) > as_of and not allow_earlier:
            return False
        payload = {"run_id": release.run_id, "as_of": as_of.isoformat(), "path": release.run_id}
        _replace_text(self.folder / LATEST, json.dumps(payload, indent=2) + "\n")
        link = self.folder / f".latest-{os.getpid()}"
        link.unlink(missing_ok=True)
        link.symlink_to(release.run_id, target_is_directory=True)
        link.replace(self.folder / "latest")
        return True

    def current(self) -> dict[str, Any] | None:
        """Content of ``latest.json``, or None before the first release."""
        try:
            found = json.loads((self.folder / LATEST).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except ValueError:
            raise PublishError(
                f"{self.folder / LATEST} is not JSON. Restore it, or delete it and publish anew."
            ) from None
        return dict(found)

    def _sweep(self) -> None:
        """Remove what a killed run left behind; the city's lock is held, so nothing else is writing."""
        for left in self.folder.glob(".making-*"):
            shutil.rmtree(left, ignore_errors=True)


def verify(folder: Path) -> None:
    """Compare every file with the manifest.

    Raises
    ------
    PublishError
        A file is missing or differs.
    """
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    found = _digests(folder)
    wrong = sorted(name for name, digest in manifest["files"].items() if found.get(name) != digest)
    if wrong:
        raise PublishError(
            f"The release {folder.name} is damaged ({', '.join(wrong[:3])}). Move {folder} away and run again."
        )


def _digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).as_posix() != MANIFEST
    }


def _replace_text(path: Path, text: str) -> None:
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    with aside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)


def _sync(folder: Path) -> None:
    """Force the files to disk before the release becomes visible under its name."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
