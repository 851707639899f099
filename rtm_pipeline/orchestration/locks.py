"""One writer a city: a lock held for the length of a run, whatever started it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rtm_pipeline.errors import RtmError

__all__ = ["CityBusyError", "city_lock"]


class CityBusyError(RtmError):
    """Another run of the same city is writing."""


@contextmanager
def city_lock(folder: Path, city: str, output: Path) -> Iterator[Path]:
    """Hold the lock of a city's output; the kernel lets go of it when the process ends, however it ends.

    Raises
    ------
    CityBusyError
        Another process holds it; the message names that process.
    """
    import hashlib

    folder.mkdir(parents=True, exist_ok=True)
    place = hashlib.sha256(str(output).encode()).hexdigest()[:12]
    path = folder / f"{city}-{place}.lock"
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise CityBusyError(
                f"Another run of {city} is writing to {output} (process {holder}). Wait for it, or stop it."
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield path
