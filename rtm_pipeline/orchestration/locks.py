"""One writer a city: a lock held for the length of a run, whatever started it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from rtm_pipeline.errors import RtmError
from rtm_pipeline.storage.lease import LeaseTakenError, hold_lease
from rtm_pipeline.storage.roots import is_remote

__all__ = ["CityBusyError", "CityLock", "city_lock"]


class CityBusyError(RtmError):
    """Another run of the same city is writing."""


@dataclass(frozen=True, slots=True)
class CityLock:
    """A held lock.

    Attributes
    ----------
    path : Path
        The locked file, or the object that stands for the lease.
    ensure_held : callable
        Raises if the lock was lost meanwhile, which only a lease in a bucket can be.
    """

    path: Path
    ensure_held: Callable[[], None]


@contextmanager
def city_lock(folder: Path, city: str, output: Path) -> Iterator[CityLock]:
    """Hold the lock of a city's output: a locked file in ``folder``, or a lease in the bucket that the output is.

    The kernel lets go of a locked file when the process ends, however it ends; a lease expires.

    Raises
    ------
    CityBusyError
        Another process holds it; the message names that process.
    """
    if is_remote(output):
        try:
            with hold_lease(output / "locks" / f"{city}.lease") as lease:
                yield CityLock(lease.path, lease.ensure_held)
        except LeaseTakenError as error:
            raise _busy(city, output, error.holder) from None
        return
    import hashlib

    place = hashlib.sha256(str(output).encode()).hexdigest()[:12]
    path = folder / f"{city}-{place}.lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = path.open("a+")
    except OSError as error:
        raise RtmError(
            f"The lock {path} can't be opened ({error.strerror}). Set RTM_CACHE_DIR to a folder that can be written, "
            "the same for every process that runs cities."
        ) from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            raise _busy(city, output, f"process {file.read().strip() or 'unknown'}") from None
        with suppress(OSError):  # on a full disk the lock holds all the same, only its holder's name is missing
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
        yield CityLock(path, lambda: None)


def _busy(city: str, output: Path, holder: str) -> CityBusyError:
    return CityBusyError(f"Another run of {city} is writing to {output} ({holder}). Wait for it, or stop it.")
