"""One writer in a bucket: an object that only one process can create, with its owner and an expiry.

The kernel does not watch over a bucket as it does over a locked file: a process that dies leaves its lease, which then
expires. While its owner lives a thread renews it. Ages are told by the bucket's own clock, so that a machine whose
clock jumps neither loses its lease nor takes another's.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, cast

from rtm_pipeline.errors import RtmError

__all__ = ["TTL_S", "Lease", "LeaseLostError", "LeaseTakenError", "hold_lease"]

logger = logging.getLogger(__name__)

TTL_S = 300.0
_REFUSED = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")


class LeaseTakenError(RtmError):
    """Another process holds the lease; ``holder`` says which."""

    def __init__(self, holder: str) -> None:
        super().__init__(f"the lease is held by {holder}")
        self.holder = holder


class LeaseLostError(RtmError):
    """The lease could not be renewed in time and may be another's now; nothing more may be written."""


@dataclass(slots=True)
class Lease:
    """A lease that this process holds.

    Attributes
    ----------
    path : Path
        The object.
    owner : str
        Host, process and a random part.
    ttl_s : float
        Seconds without renewal after which others may take it.
    """

    path: Path
    owner: str
    ttl_s: float
    _tag: str = ""
    _lost: str | None = None
    _stop: threading.Event = field(default_factory=threading.Event)

    def ensure_held(self) -> None:
        """Raise `LeaseLostError` if it is not ours any more."""
        if self._lost is not None:
            raise LeaseLostError(
                f"The lease {self.path} was lost ({self._lost}): another run may be writing. This run stops; what is "
                "current stays current."
            )

    def take(self) -> None:
        """Create the object, or take over one that has expired.

        Raises
        ------
        LeaseTakenError
            Another process holds it.
        """
        if self._put(IfNoneMatch="*"):
            return
        found, tag, age = self._read()
        if found.get("owner") == self.owner:  # our put arrived, only its answer was lost
            self._tag = tag
        elif tag == "":  # its holder let go between our two requests
            if not self._put(IfNoneMatch="*"):
                raise LeaseTakenError("another process")
        elif age <= float(found.get("ttl_s", TTL_S)) or not self._put(IfMatch=tag):
            raise LeaseTakenError(f"{found.get('owner', 'unknown')}, renewed {age:.0f} s ago")
        else:
            logger.warning("Took over the lease %s that %s left %.0f s ago.", self.path, found.get("owner"), age)

    def renew_until_stopped(self) -> None:
        """Renew a third of the time before it expires; runs in its own thread."""
        missed = 0.0
        while not self._stop.wait(self.ttl_s / 3):
            try:
                if not self._put(IfMatch=self._tag):
                    found, tag, _ = self._read()
                    if found.get("owner") != self.owner:
                        self._lost = f"it is held by {found.get('owner', 'nobody')}"
                        return
                    self._tag = tag
                missed = 0.0
            except Exception as error:
                missed += self.ttl_s / 3
                logger.warning("The lease %s could not be renewed: %s", self.path, type(error).__name__)
                if missed >= self.ttl_s:
                    self._lost = f"the bucket did not answer for {missed:.0f} s"
                    return

    def release(self) -> None:
        """Stop renewing, and remove the object if it is still ours."""
        self._stop.set()
        try:
            found, _, _ = self._read()
            if found.get("owner") == self.owner:
                self.path.unlink(missing_ok=True)
        except Exception as error:
            logger.warning("The lease %s could not be removed (%s); it expires.", self.path, type(error).__name__)

    def _put(self, **condition: str) -> bool:
        body = json.dumps({"owner": self.owner, "ttl_s": self.ttl_s}).encode()
        try:
            answer = self._call("put_object", Body=body, **condition)
        except Exception as error:
            if _is_refusal(error):
                return False
            raise
        self._tag = str(answer["ETag"])
        return True

    def _read(self) -> tuple[dict[str, Any], str, float]:
        """Content, tag and age in seconds by the bucket's clock; an empty tag if there is none."""
        try:
            head = self._call("head_object")
            found = json.loads(self.path.read_bytes())
        except FileNotFoundError:
            return {}, "", 0.0
        except ValueError:
            found = {}
        now = parsedate_to_datetime(head["ResponseMetadata"]["HTTPHeaders"]["date"])
        age = (now - head["LastModified"]).total_seconds()
        return found, str(head["ETag"]), max(0.0, age)

    def _call(self, method: str, **arguments: Any) -> dict[str, Any]:
        bucket, _, key = str(self.path).removeprefix("s3://").partition("/")
        answer = cast(Any, self.path).fs.call_s3(method, Bucket=bucket, Key=key, **arguments)
        return cast(dict[str, Any], answer)


@contextmanager
def hold_lease(path: Path, *, ttl_s: float = TTL_S) -> Iterator[Lease]:
    """Hold a lease for a block.

    Raises
    ------
    LeaseTakenError
        Another process holds it.
    """
    lease = Lease(path, f"{socket.gethostname()} process {os.getpid()} {secrets.token_hex(4)}", ttl_s)
    lease.take()
    thread = threading.Thread(target=lease.renew_until_stopped, name="lease", daemon=True)
    thread.start()
    try:
        yield lease
    finally:
        lease.release()
        thread.join(timeout=5)


def _is_refusal(error: BaseException | None) -> bool:
    """Whether the bucket refused a conditional put; s3fs wraps botocore's error in one of its own."""
    while error is not None:
        code = getattr(error, "response", {}).get("Error", {}).get("Code", "")
        if str(code) in _REFUSED:
            return True
        error = error.__cause__
    return False
