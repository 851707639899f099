"""What a pull has got so far, kept on disk so that a cut night goes on where it was cut, and the last full pull."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from rtm_pipeline.sources.portals.feed import FeedState
from rtm_pipeline.storage.atomic import write_atomic

__all__ = ["Base", "KeptPage", "PullStore"]

logger = logging.getLogger(__name__)

# A pull that was begun longer ago is begun anew: most of a data set may have changed since.
_RESUME_WITHIN = timedelta(hours=20)


@dataclass(frozen=True, slots=True, eq=False)
class Base:
    """A data set as it stood when it was last read.

    Attributes
    ----------
    table : pyarrow.Table
        All its rows, with ``_key``.
    state : FeedState
        At that time.
    full_at : datetime
        When everything was last read; later nights added what had changed.
    """

    table: pa.Table
    state: FeedState
    full_at: datetime


@dataclass(frozen=True, slots=True, eq=False)
class KeptPage:
    """A page, the offset of its last row in the feed, and whether it began with the last row of the page before."""

    table: pa.Table
    last_offset: int
    joins: bool


@dataclass(frozen=True, slots=True)
class PullStore:
    """Pages and base of one data set under one folder; only declared columns are in them.

    Attributes
    ----------
    folder : Path
    signature : str
        Of the feed; what was stored under another one is not used.
    """

    folder: Path
    signature: str

    def begin(self, state: FeedState, now: datetime) -> tuple[FeedState, list[KeptPage]]:
        """State at which the pull began, and the pages that are there already (none for a pull that begins now)."""
        plan = _json(self.folder / "pull.json")
        if plan.get("signature") == self.signature:
            age = now - _time(plan["begun_at"])
            pages = self._pages() if timedelta(0) <= age <= _RESUME_WITHIN else []
            if pages:
                logger.info("%s: going on after %d pages that are there already", self.folder, len(pages))
                return FeedState(**plan["state"]), pages
        self.clear()
        plan = {"signature": self.signature, "begun_at": now.astimezone(UTC).isoformat(), "state": asdict(state)}
        write_atomic(self.folder / "pull.json", json.dumps(plan).encode())
        return state, []

    def add(self, at: int, page: KeptPage) -> None:
        """Keep page ``at`` (from 0)."""
        data = _parquet(page.table)
        digest = hashlib.sha256(data).hexdigest()[:16]
        name = f"page-{at:06d}-{page.last_offset:012d}-{page.joins:d}-{digest}.parquet"
        write_atomic(self.folder / name, data)

    def clear(self) -> None:
        """Forget the pages."""
        for path in self.folder.glob("page-*.parquet"):
            path.unlink(missing_ok=True)
        (self.folder / "pull.json").unlink(missing_ok=True)

    def base(self) -> Base | None:
        """The data set as last read; None if there is none of this signature, or it is damaged."""
        plan = _json(self.folder / "base.json")
        if plan.get("signature") != self.signature:
            return None
        table = _table(self.folder / f"base-{plan['sha256'][:16]}.parquet", plan["sha256"])
        return None if table is None else Base(table, FeedState(**plan["state"]), _time(plan["full_at"]))

    def set_base(self, base: Base) -> None:
        """Keep the data set as read now; the pages are no longer needed."""
        data = _parquet(base.table)
        digest = hashlib.sha256(data).hexdigest()
        name = f"base-{digest[:16]}.parquet"
        write_atomic(self.folder / name, data)
        plan = {
            "signature": self.signature,
            "sha256": digest,
            "state": asdict(base.state),
            "full_at": base.full_at.astimezone(UTC).isoformat(),
        }
        write_atomic(self.folder / "base.json", json.dumps(plan).encode())
        for path in self.folder.glob("base-*.parquet"):
            if path.name != name:
                path.unlink(missing_ok=True)
        self.clear()

    def _pages(self) -> list[KeptPage]:
        pages: list[KeptPage] = []
        for path in sorted(self.folder.glob("page-*.parquet")):
            _, number, offset, joins, digest = path.stem.split("-")
            table = _table(path, digest)
            if table is None or int(number) != len(pages):
                break
            pages.append(KeptPage(table, int(offset), joins == "1"))
        return pages


def _parquet(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", write_statistics=False)
    return bytes(sink.getvalue())


def _table(path: Path, digest: str) -> pa.Table | None:
    """Table of a file whose sha256 begins with ``digest``; None if it is missing or damaged."""
    try:
        data = path.read_bytes()
    except OSError:
        data = b""
    if not hashlib.sha256(data).hexdigest().startswith(digest):
        logger.warning("%s is missing or damaged; it is read from the portal again", path)
        return None
    return pq.read_table(pa.BufferReader(data), use_threads=False)


def _json(path: Path) -> Mapping[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        logger.warning("%s is damaged; the source is read from its beginning", path)
        return {}
    return value if isinstance(value, dict) else {}


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
