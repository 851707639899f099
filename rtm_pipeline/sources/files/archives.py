"""Opening .gz and .zip without trusting them: bounded in entries, size and ratio, and never unpacked onto the disk."""

from __future__ import annotations

import gzip
import io
import lzma
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO

from rtm_pipeline.errors import SourceError

__all__ = ["ArchiveLimits", "Member", "gunzip", "list_zip", "read_head", "read_member", "verify_members"]

_BLOCK = 1024 * 1024
# What zipfile raises, by trial, when bytes of an archive are changed.
_ZIP_FAULTS = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    LookupError,
    RuntimeError,  # a password is asked for, or a compression is not known
)
# Small files may compress arbitrarily well; a ratio says something only about large ones.
_RATIO_FROM_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """What an archive may hold. Text of city portals compresses 5 to 50 times; deflate can do 1000 times.

    Attributes
    ----------
    entries : int
        Most entries.
    total_bytes : int
        Most unpacked bytes of all entries together.
    ratio : float
        Most unpacked bytes to one packed byte, of an archive that unpacks to more than 8 MB.
    """

    entries: int = 4096
    total_bytes: int = 4 * 1024**3
    ratio: float = 200.0


@dataclass(frozen=True, slots=True)
class Member:
    """One file in a zip archive: its name with ``/`` and its unpacked size as the archive states it."""

    name: str
    n_bytes: int


def gunzip(path: Path, *, where: str, limits: ArchiveLimits | None = None) -> bytes:
    """Unpack a .gz file in memory.

    Raises
    ------
    SourceError
        If it is cut short, damaged, or unpacks to more than the limits allow.
    """
    limits = limits or ArchiveLimits()
    packed = path.stat().st_size
    out = io.BytesIO()
    try:
        with gzip.open(path, "rb") as stream:
            for block in _blocks(stream):
                out.write(block)
                _check_size(out.tell(), packed, limits, where)
    except EOFError:
        raise SourceError(f"{where}: the .gz file ends before its data do. It was cut; fetch it again.") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise SourceError(f"{where}: the .gz file is damaged ({error}). Fetch it again.") from None
    return out.getvalue()


def list_zip(path: Path, *, where: str, limits: ArchiveLimits | None = None) -> tuple[Member, ...]:
    """Files in a zip archive, sorted by name, after its table of contents was checked.

    Raises
    ------
    SourceError
        If it is no zip, has too many or too large entries, or entries with names that lead out of a folder, links,
        passwords or repeated names.
    """
    limits = limits or ArchiveLimits()
    with _opened(path, where) as archive:
        entries = archive.infolist()
        if len(entries) > limits.entries:
            raise SourceError(
                f"{where}: the zip has {len(entries):,} entries; at most {limits.entries:,} are opened. Send the data "
                "file alone."
            )
        files = [entry for entry in entries if not entry.is_dir()]
        for entry in files:
            _check_entry(entry, where)
        names = [entry.filename for entry in files]
        if len(set(names)) != len(names):
            raise SourceError(f"{where}: the zip holds several entries of one name. Pack it again.")
        _check_size(sum(entry.file_size for entry in files), path.stat().st_size, limits, where)
        return tuple(sorted((Member(e.filename, e.file_size) for e in files), key=lambda member: member.name))


def read_member(path: Path, member: Member, *, where: str) -> bytes:
    """Unpack one member in memory, its checksum verified; it may not be larger than the archive states."""
    with _opened(path, where) as archive, _member(archive, member, where) as stream:
        try:
            data = stream.read(member.n_bytes + 1)
        except _ZIP_FAULTS as error:
            raise _damaged(where, member, error) from None
    if len(data) != member.n_bytes:
        raise _damaged(where, member, f"{len(data):,} bytes came out, {member.n_bytes:,} were promised")
    return data


def read_head(path: Path, member: Member, n_bytes: int, *, where: str) -> bytes:
    """First bytes of one member."""
    with _opened(path, where) as archive, _member(archive, member, where) as stream:
        try:
            return stream.read(n_bytes)
        except _ZIP_FAULTS as error:
            raise _damaged(where, member, error) from None


def verify_members(path: Path, members: tuple[Member, ...], *, where: str) -> None:
    """Unpack members to nowhere, to see that their checksums and sizes hold before another library opens them."""
    with _opened(path, where) as archive:
        for member in members:
            with _member(archive, member, where) as stream:
                try:
                    size = sum(len(block) for block in _blocks(stream))
                except _ZIP_FAULTS as error:
                    raise _damaged(where, member, error) from None
            if size != member.n_bytes:
                raise _damaged(where, member, f"{size:,} bytes came out, {member.n_bytes:,} were promised")


def _opened(path: Path, where: str) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except _ZIP_FAULTS as error:
        raise SourceError(f"{where}: the zip can't be opened ({error}). It may be cut; fetch it again.") from None


def _member(archive: zipfile.ZipFile, member: Member, where: str) -> IO[bytes]:
    try:
        return archive.open(member.name)
    except _ZIP_FAULTS as error:
        raise _damaged(where, member, error) from None


def _damaged(where: str, member: Member, error: object) -> SourceError:
    return SourceError(f"{where}: {member.name!r} in the zip is damaged ({error}). Fetch it again.")


def _check_entry(entry: zipfile.ZipInfo, where: str) -> None:
    # Nothing is unpacked to disk here, but an archive that tries to climb out is not what a city sends.
    raw = entry.orig_filename
    path = PurePosixPath(raw.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or PureWindowsPath(raw).drive or "\0" in raw:
        raise SourceError(f"{where}: the zip holds an entry that leads out of its folder: {raw!r}. It is refused.")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise SourceError(f"{where}: the zip holds a link, {raw!r}. It is refused; pack the file itself.")
    if entry.flag_bits & 0x1:
        raise SourceError(f"{where}: {raw!r} in the zip is locked with a password. Send it without one.")


def _check_size(unpacked: int, packed: int, limits: ArchiveLimits, where: str) -> None:
    if unpacked > limits.total_bytes:
        raise SourceError(f"{where}: it unpacks to more than {limits.total_bytes:,} bytes, which is the limit.")
    if unpacked > _RATIO_FROM_BYTES and unpacked > limits.ratio * max(packed, 1):
        raise SourceError(
            f"{where}: it unpacks to more than {limits.ratio:g} times its {packed:,} bytes, as no data file does. "
            "It is refused."
        )


def _blocks(stream: IO[bytes] | gzip.GzipFile) -> Iterator[bytes]:
    while block := stream.read(_BLOCK):
        yield block
