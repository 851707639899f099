"""The full log of one run: beside the artifacts, also where those lie in a bucket."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from rtm_pipeline.errors import ConfigError, RtmError
from rtm_pipeline.orchestration.paths import Paths
from rtm_pipeline.storage.atomic import write_atomic
from rtm_pipeline.storage.roots import is_remote

__all__ = ["RunLog", "open_log"]

logger = logging.getLogger(__name__)

_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST)


@dataclass(frozen=True, slots=True)
class RunLog:
    """A log that is being written; ``path`` is where it can be read afterwards."""

    stream: TextIO
    path: Path


@contextmanager
def open_log(paths: Paths, city: str) -> Iterator[RunLog]:
    """A log of its own for every run, so that a second run does not overwrite why the first failed.

    Raises
    ------
    ConfigError
        The output is read-only or no folder.
    RtmError
        It can't be written for another reason, such as a full disk.
    """
    # To the microsecond: one process may end a run and begin the next within a second.
    name = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}-{os.getpid()}.log"
    path = paths.artifacts / city / "logs" / name
    local = paths.cache / "logs" / city / name if is_remote(path) else path
    try:
        local.parent.mkdir(parents=True, exist_ok=True)
        stream = local.open("x", encoding="utf-8")
    except OSError as error:
        kind = ConfigError if error.errno in _REFUSED else RtmError
        raise kind(
            f"The output {paths.output} can't be written ({error.strerror}: {error.filename}). Nothing was changed. "
            "Make room, mend its rights, or give another folder with --output."
        ) from None
    try:
        yield RunLog(stream, path)
    finally:
        with suppress(OSError):  # what could not be flushed to a full disk is lost; the steps have told of it
            stream.close()
        if is_remote(path):
            try:
                write_atomic(path, local.read_bytes())
                local.unlink(missing_ok=True)
            except (RtmError, OSError) as error:
                logger.warning("The log %s stays on this machine: %s", local, error)
