"""Files that are there whole or not at all, whatever kills the process that writes them."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from rtm_pipeline.errors import StorageError
from rtm_pipeline.storage.roots import is_remote

__all__ = ["TEMPORARY", "freshen", "write_atomic"]

TEMPORARY = ".tmp-"


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file so that a reader finds the old bytes or the new ones, never half of either.

    On a disk: beside its place, onto the disk, then into its place in one step. In a bucket: one put, which is atomic.

    Raises
    ------
    StorageError
        If the disk is full, read-only or otherwise unwilling; what stood at ``path`` still stands there.
    """
    try:
        if is_remote(path):
            path.write_bytes(data)
        else:
            _replace(path, data)
    except Exception as error:
        if not (isinstance(error, OSError) or is_remote(path)):
            raise
        reason = getattr(error, "strerror", None) or error
        raise StorageError(
            f"{path} can't be written ({reason}). What stood there is unchanged. Make room or mend "
            "the rights of the folder, then run again."
        ) from error


def freshen(path: Path, data: bytes) -> None:
    """Make a file that holds ``data`` look newly written, which keeps a concurrent clean-up from removing it."""
    if is_remote(path):
        path.write_bytes(data)
    else:
        os.utime(path)


def _replace(path: Path, data: bytes) -> None:
    temporary = path.parent / f"{TEMPORARY}{secrets.token_hex(8)}"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with temporary.open("xb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    # Without this a power cut may forget the new name although the file's bytes are safe.
    handle = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
