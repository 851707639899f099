"""Finding the files of a source under the data folder, and nowhere else."""

from __future__ import annotations

import difflib
import hashlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from rtm_pipeline.errors import ConfigError, SourceError
from rtm_pipeline.sources.spec import FileSource

__all__ = ["MAX_FILE_BYTES", "FoundFile", "digest_of", "find_files", "stamp_of"]

MAX_FILE_BYTES = 4 * 1024**3
_GLOB = "*?["
# What belongs to a Shapefile beside its .shp; its digest covers them all.
_SHAPEFILE = (".shp", ".shx", ".dbf", ".prj", ".cpg", ".qpj")


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file (or geodatabase folder) of a source.

    Attributes
    ----------
    path : Path
        Where it is, links resolved.
    name : str
        Relative to the data folder, with ``/``; for messages and manifests.
    """

    path: Path
    name: str


def find_files(spec: FileSource, data_dir: Path) -> tuple[FoundFile, ...]:
    """Files that a source's path or glob names, sorted by name.

    Raises
    ------
    ConfigError
        If the path is absolute, leaves the data folder (``..``, a link), or nothing is there.
    SourceError
        If the number of files is not the expected one.
    """
    pattern = _checked(spec)
    root = data_dir.resolve()
    if not root.is_dir():
        raise ConfigError(
            f"Source {spec.name!r}: the data folder {data_dir} does not exist. Give it with --data-dir or RTM_DATA_DIR."
        )
    try:
        matches = list(root.glob(pattern)) if any(mark in pattern for mark in _GLOB) else [root / pattern]
    except ValueError as error:
        raise ConfigError(f"Source {spec.name!r}: the path {spec.path!r} is not a valid pattern ({error}).") from None
    found = [FoundFile(path, path.relative_to(root).as_posix()) for path in matches if _is_file(path)]
    found.sort(key=lambda file: file.name)
    if not found:
        raise ConfigError(_nothing(spec, root, data_dir))
    if spec.expect_files is not None and len(found) != spec.expect_files:
        names = ", ".join(file.name for file in found[:40]) + (" ..." if len(found) > 40 else "")
        raise SourceError(
            f"Source {spec.name!r}: {spec.path!r} should find {spec.expect_files} files (expect_files) and finds "
            f"{len(found)} in {data_dir}: {names}. Add what is missing, take away what does not belong, or mend "
            "expect_files."
        )
    return tuple(_inside(file, root, spec) for file in found)


def digest_of(path: Path) -> tuple[str, int]:
    """Sha256 (hex) and size of a file, of all files of a Shapefile, or of a geodatabase folder.

    For several files the digest is that of their relative names and digests, in the order of the names.
    """
    members = _members(path)
    if members == [path]:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest(), path.stat().st_size
    total, size = hashlib.sha256(), 0
    for member in members:
        with member.open("rb") as stream:
            own = hashlib.file_digest(stream, "sha256").hexdigest()
        name = member.relative_to(path if path.is_dir() else path.parent).as_posix()
        total.update(f"{name}\0{own}\n".encode())
        size += member.stat().st_size
    return total.hexdigest(), size


def stamp_of(path: Path) -> tuple[tuple[str, int, int], ...]:
    """Names, sizes and times of change of all files that `digest_of` covers: tells whether one was changed."""
    stats = [(member, member.stat()) for member in _members(path)]
    return tuple((str(member), stat.st_size, stat.st_mtime_ns) for member, stat in stats)


def _members(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(inner for inner in path.rglob("*") if inner.is_file())
    if path.suffix.lower() == ".shp":
        stem = path.stem.casefold()
        return sorted(other for other in path.parent.iterdir() if _is_sidecar(other, stem))
    return [path]


def _checked(spec: FileSource) -> str:
    pattern = spec.path.strip()
    pieces = PurePosixPath(pattern.replace("\\", "/")).parts
    absolute = PurePosixPath(pattern).is_absolute() or bool(PureWindowsPath(pattern).drive) or pattern.startswith("\\")
    if not pattern or absolute or ".." in pieces or "\0" in pattern:
        raise ConfigError(
            f"Source {spec.name!r}: the path {spec.path!r} must be relative to the data folder and must not contain "
            "'..'. Write it as in 'crime/*.csv' and say with --data-dir where the data folder is."
        )
    return pattern


def _is_file(path: Path) -> bool:
    return path.is_file() or (path.is_dir() and path.suffix.lower() == ".gdb")


def _is_sidecar(path: Path, stem: str) -> bool:
    return path.is_file() and path.stem.casefold() == stem and path.suffix.lower() in _SHAPEFILE


def _inside(file: FoundFile, root: Path, spec: FileSource) -> FoundFile:
    real = file.path.resolve()
    if not real.is_relative_to(root):
        raise ConfigError(
            f"Source {spec.name!r}: {file.name} is a link that leads out of the data folder. Copy the file into it."
        )
    for member in _members(real):
        if not member.resolve().is_relative_to(root):
            raise ConfigError(
                f"Source {spec.name!r}: {member.name} of {file.name} is a link that leads out of the data folder. "
                "Copy the file into it."
            )
    if real.is_file() and real.stat().st_size > MAX_FILE_BYTES:
        raise SourceError(
            f"Source {spec.name!r}: {file.name} has {real.stat().st_size:,} bytes, more than the "
            f"{MAX_FILE_BYTES:,} that are read. Split it, or send it as Parquet."
        )
    return FoundFile(real, file.name)


def _nothing(spec: FileSource, root: Path, data_dir: Path) -> str:
    text = f"Source {spec.name!r}: no file matches {spec.path!r} in {data_dir}."
    wanted = PurePosixPath(spec.path)
    folder = root / wanted.parent
    if any(mark in str(wanted.parent) for mark in _GLOB) or not folder.is_dir():
        folder = root
    there = sorted(path.name for path in folder.iterdir() if _is_file(path))
    shown = folder.relative_to(root).as_posix()
    place = f"{data_dir}" if shown == "." else f"{data_dir}/{shown}"
    by_case = {name.casefold(): name for name in there}
    close = [by_case[name] for name in difflib.get_close_matches(wanted.name.casefold(), list(by_case), 3, 0.6)]
    if close:
        return f"{text} Similar files in {place}: {', '.join(close)}."
    if there:
        return f"{text} Files in {place}: {', '.join(there[:8])}{' ...' if len(there) > 8 else ''}."
    return f"{text} The folder {place} holds no files."
