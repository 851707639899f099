"""Files that are there whole or not at all, whatever kills the process that writes them."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from rtm_pipeline.errors import RtmError

__all__ = ["TEMPORARY", "write_atomic"]

TEMPORARY = ".tmp-"


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file beside its place, see it onto the disk, then put it into its place in one step.

    Raises
    ------
    RtmError
        If the disk is full, read-only or otherwise unwilling; what stood at ``path`` still stands there.
    """
    temporary = path.parent / f"{TEMPORARY}{secrets.token_hex(8)}"
    try:
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
        _sync_folder(path.parent)
    except OSError as error:
        raise RtmError(
            f"{path} can't be written ({error.strerror or error}). What stood there is unchanged. Make room or mend "
            "the rights of the folder, then run again."
        ) from error


def _sync_folder(folder: Path) -> None:
    # Without this a power cut may forget the new name although the file's bytes are safe.
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
