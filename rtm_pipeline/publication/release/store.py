"""A release: written aside, checked, then made current by one atomic step.

A reader never sees half a release, and a night that fails leaves yesterday's in place. On a disk the folder gets its
name when it is whole; in a bucket, which has no folders to rename, a release exists once its manifest does, and the
manifest is put last.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from rtm_pipeline.errors import PublishError, RtmError
from rtm_pipeline.publication.release.files import LATEST, MANIFEST, latest_of, manifest_of
from rtm_pipeline.storage.atomic import write_atomic
from rtm_pipeline.storage.roots import is_remote

__all__ = [
    "LATEST",
    "MAKING",
    "Promoted",
    "Release",
    "ReleaseStore",
    "run_id_of",
    "verify",
    "write_json",
]

logger = logging.getLogger(__name__)

MAKING = ".making-"
PROMOTED = "promoted.json"
"""All releases that ever were current, in the order in which they became so: ``[{run_id, as_of}]``."""
FULL_BYTES = 1024 * 1024
"""With less than this free, what was written is not trusted to be whole."""
COMPARED_DAYS = (1, 14)
"""A night is compared with the last current release that is at least so many days older."""


@dataclass(frozen=True, slots=True)
class Release:
    """A complete release on disk."""

    city: str
    run_id: str
    path: Path
    reused: bool


@dataclass(frozen=True, slots=True)
class Promoted:
    """A release that is or was current."""

    run_id: str
    as_of: date


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
        try:
            if (target / MANIFEST).is_file():
                verify(target)
                return Release(self._city, run_id, target, reused=True)
            if is_remote(target):
                with tempfile.TemporaryDirectory(prefix=MAKING) as folder:
                    self._complete(Path(folder), run_id, fill, facts)
                    _upload(Path(folder), target)
                return Release(self._city, run_id, target, reused=False)
            self.folder.mkdir(parents=True, exist_ok=True)
            self._sweep()
            aside = Path(tempfile.mkdtemp(dir=self.folder, prefix=MAKING))
            try:
                self._complete(aside, run_id, fill, facts)
                _sync(aside)
                aside.chmod(0o755)
                _make_way(target)
                aside.replace(target)
            finally:
                shutil.rmtree(aside, ignore_errors=True)
        except OSError as error:
            raise PublishError(
                f"The release {run_id} could not be written: {error}. The one before stays current."
            ) from None
        return Release(self._city, run_id, target, reused=False)

    def _complete(self, folder: Path, run_id: str, fill: Callable[[Path], None], facts: Mapping[str, Any]) -> None:
        try:
            fill(folder)
            write_json(folder / MANIFEST, {**facts, "run_id": run_id, "files": _digests(folder)})
        except Exception as error:
            # Libraries that write files have words of their own for a full disk.
            if not isinstance(error, OSError) and _is_full(folder):
                raise OSError(errno.ENOSPC, f"{os.strerror(errno.ENOSPC)} ({error})", str(folder.parent)) from error
            raise
        if _is_full(folder):  # ... or none at all: a file may have been cut without an error
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder.parent))

    def promote(self, release: Release, as_of: date, *, allow_earlier: bool = False) -> bool:
        """Make a release current; False if a later one already is.

        Raises
        ------
        PublishError
            ``latest.json`` can't be written; the one before stays current.
        """
        current = self.current()
        if current and date.fromisoformat(current["as_of"]) > as_of and not allow_earlier:
            return False
        payload = {"run_id": release.run_id, "as_of": as_of.isoformat(), "path": release.run_id}
        earlier = [item for item in self.promoted() if item.run_id != release.run_id]
        promoted = [*earlier, Promoted(release.run_id, as_of)]
        lines = [{"run_id": item.run_id, "as_of": item.as_of.isoformat()} for item in promoted]
        _replace_text(self.folder / LATEST, json.dumps(payload, indent=2) + "\n")
        _replace_text(self.folder / PROMOTED, json.dumps(lines, indent=2) + "\n")
        if not is_remote(self.folder):
            self._link(release.run_id)
        return True

    def _link(self, run_id: str) -> None:
        """Let the link ``latest`` follow; ``latest.json`` is the truth, so a link that can't be made is only logged."""
        link = self.folder / f".latest-{os.getpid()}"
        try:
            link.unlink(missing_ok=True)
            link.symlink_to(run_id, target_is_directory=True)
            link.replace(self.folder / "latest")
        except OSError as error:
            logger.warning("The link %s could not be moved: %s", self.folder / "latest", error)

    def current(self) -> dict[str, Any] | None:
        """Content of ``latest.json``, or None before the first release."""
        return latest_of(self.folder)

    def promoted(self) -> tuple[Promoted, ...]:
        """Releases that are or were current and are still there, in the order in which they became so.

        Raises
        ------
        PublishError
            Their list is damaged.
        """
        try:
            found = json.loads((self.folder / PROMOTED).read_text(encoding="utf-8"))
            items = [Promoted(str(item["run_id"]), date.fromisoformat(item["as_of"])) for item in found]
        except FileNotFoundError:
            items = []
        except (ValueError, KeyError, TypeError):
            raise PublishError(
                f"{self.folder / PROMOTED} is not a list of run_id and as_of. Restore it, or delete it: then only the "
                "current release is compared with."
            ) from None
        current = self.current()
        if current and all(item.run_id != current["run_id"] for item in items):
            items.append(Promoted(current["run_id"], date.fromisoformat(current["as_of"])))  # a stop came in between
        return tuple(item for item in items if (self.folder / item.run_id / MANIFEST).is_file())

    def to_compare(self, as_of: date) -> tuple[Promoted, ...]:
        """The releases that a night is compared with, the nearest first.

        The promoted release of the greatest ``as_of`` before this one, and that of the greatest at least 14 days
        before; of several with one date the last that became current. One may be both; at first there is none.
        """
        found: list[Promoted] = []
        for days in COMPARED_DAYS:
            fitting = [item for item in self.promoted() if item.as_of <= as_of - timedelta(days=days)]
            if fitting:
                greatest = max(item.as_of for item in fitting)
                found.append([item for item in fitting if item.as_of == greatest][-1])
        return tuple(dict.fromkeys(found))

    def _sweep(self) -> None:
        """Remove what a killed run left behind; the city's lock is held, so nothing else is writing."""
        for left in (*self.folder.glob(f"{MAKING}*"), *self.folder.glob(".latest-*"), *self.folder.glob(".tmp-*")):
            if left.is_dir() and not left.is_symlink():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)


def verify(folder: Path) -> dict[str, Any]:
    """Compare every file with the manifest.

    Returns
    -------
    dict
        The manifest.

    Raises
    ------
    PublishError
        The manifest is missing or damaged, or a file is missing or differs.
    """
    remedy = f"Move {folder} away and run again."
    manifest = manifest_of(folder)
    files = manifest.get("files")
    if not isinstance(files, dict):
        raise PublishError(f"The {MANIFEST} of the release {folder.name} is damaged: it names no files. {remedy}")
    wrong = sorted(name for name, digest in files.items() if _digest(folder / name) != digest)
    if wrong:
        raise PublishError(f"The release {folder.name} is damaged ({', '.join(wrong[:3])}). {remedy}")
    return manifest


def _is_full(folder: Path) -> bool:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize < FULL_BYTES or (found.f_files > 0 and found.f_favail == 0)


def _digest(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


def _digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).as_posix() != MANIFEST
    }


def _replace_text(path: Path, text: str) -> None:
    try:
        write_atomic(path, text.encode())
    except RtmError as error:
        raise PublishError(f"{error} The release before stays current.") from None


def _make_way(target: Path) -> None:
    """Remove a folder of this name that has no manifest, which is no release; one that has was found before."""
    if target.is_dir() and not (target / MANIFEST).exists():
        shutil.rmtree(target)


def _upload(folder: Path, target: Path) -> None:
    """Put every file, the manifest last."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / MANIFEST)
    for path in (*files, folder / MANIFEST):
        write_atomic(target / path.relative_to(folder).as_posix(), path.read_bytes())


def _sync(folder: Path) -> None:
    """Force files and folders to disk before the release becomes visible under its name."""
    for path in (*folder.rglob("*"), folder):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
