"""Immutable, content-addressed snapshots of sources: what a night read can be read again, to the letter.

::

    ROOT/CITY/SOURCE/<digest>.json    manifest
    ROOT/parts/ab/<sha256>.parquet    rows, shared between nights, sources and cities
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from rtm_pipeline.errors import ConfigError, SourceError
from rtm_pipeline.sources.snapshots.content import content_digest, part_bounds, part_bytes, stored_columns
from rtm_pipeline.sources.snapshots.manifest import Snapshot, SnapshotPart
from rtm_pipeline.sources.source_read import FILE, GEOMETRY, MALFORMED, ROW, SourceRead
from rtm_pipeline.storage.atomic import TEMPORARY, freshen, write_atomic
from rtm_pipeline.storage.roots import modified_at

__all__ = ["Snapshot", "SnapshotPart", "SnapshotStore"]

logger = logging.getLogger(__name__)

_SLUG = re.compile(r"^[a-z][a-z0-9_]{0,60}$")
_DIGEST = re.compile(r"^[0-9a-f]{64}$")


@dataclass(frozen=True, slots=True)
class SnapshotStore:
    """Snapshots under one folder.

    Attributes
    ----------
    root : Path
        The ``snapshots`` folder of an output.
    """

    root: Path

    def put(self, city: str, source: str, read: SourceRead, fetched_at: datetime) -> Snapshot:
        """Store what was read; content that is there already is not stored again.

        Parameters
        ----------
        city, source : str
            Their slugs.
        read : SourceRead
        fetched_at : datetime
            When it was read, with its time zone.

        Raises
        ------
        RtmError
            If it can't be written; nothing that was there is changed, and no half manifest is left.
        """
        when = _utc(fetched_at)
        _check_numbering(read)
        digest = content_digest(read)
        known = self._known(city, source, digest)
        snapshot = Snapshot(
            city=city,
            source=source,
            digest=digest,
            fetched_at=max(known.fetched_at, when) if known else when,
            first_fetched_at=min(known.first_fetched_at, when) if known else when,
            rows=read.table.num_rows,
            columns=tuple(sorted(read.columns)),
            files=read.files,
            crs=read.crs,
            geometry=GEOMETRY in read.table.column_names,
            # Parts of known content are kept as they are: another version of pyarrow would write other bytes, and
            # what an earlier night stored must still be found.
            parts=known.parts if known and self._keeps(known) else self._write_parts(read),
            dropped_columns=read.dropped_columns,
        )
        text = json.dumps(snapshot.to_json(), indent=1, ensure_ascii=False)
        write_atomic(self._manifest(city, source, digest), text.encode())
        return snapshot

    def table(self, snapshot: Snapshot) -> pa.Table:
        """Rows of a snapshot, every part verified.

        Returns
        -------
        pyarrow.Table
            As `SourceRead.table`, the declared columns ordered by name.

        Raises
        ------
        SourceError
            If a part is missing or damaged.
        """
        schema = _schema(snapshot)
        tables = [schema.empty_table()]
        row = dict.fromkeys(range(len(snapshot.files)), 0)
        for part in snapshot.parts:
            stored = self._part_table(snapshot, part)
            numbers = np.arange(row[part.file] + 1, row[part.file] + part.rows + 1, dtype=np.int64)
            row[part.file] += part.rows
            added = stored.append_column(FILE, pa.array(np.full(part.rows, part.file, np.int32)))
            tables.append(added.append_column(ROW, pa.array(numbers)).select(schema.names).cast(schema))
        table = pa.concat_tables(tables)
        if table.num_rows != snapshot.rows:
            raise SourceError(
                f"The snapshot {snapshot.digest[:12]} of {snapshot.source!r} has {table.num_rows:,} rows; its manifest "
                f"says {snapshot.rows:,}. Delete the manifest and read the source again."
            )
        return table

    def load(self, city: str, source: str, digest: str) -> Snapshot:
        """The snapshot of one digest.

        Raises
        ------
        SourceError
            If it is not there, or its manifest is damaged.
        """
        path = self._manifest(city, source, digest)
        try:
            snapshot = Snapshot.from_json(json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            raise SourceError(
                f"There is no snapshot {digest} of {source!r} for {city!r} in {self.root}. It may have been removed by "
                "retention; restore it from a backup or read the source again."
            ) from None
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise SourceError(f"The manifest {path} is damaged ({error!r}). Restore it, or delete it.") from None
        if snapshot.digest != digest:
            raise SourceError(
                f"The manifest {path} is of another snapshot, {snapshot.digest}. Restore it, or delete it."
            )
        return snapshot

    def list(self, city: str, source: str) -> tuple[Snapshot, ...]:
        """All snapshots of a source, by the time at which they were last read; damaged manifests are logged."""
        found = []
        folder = self._manifest(city, source, "0" * 64).parent
        for path in sorted(folder.glob("*.json")) if folder.is_dir() else []:
            if not _DIGEST.match(path.stem):
                continue
            try:
                found.append(self.load(city, source, path.stem))
            except SourceError as error:
                logger.warning("%s", error)
        return tuple(sorted(found, key=lambda snapshot: (snapshot.fetched_at, snapshot.digest)))

    def latest(self, city: str, source: str) -> Snapshot | None:
        """The snapshot that was last read; None if there is none."""
        found = self.list(city, source)
        return found[-1] if found else None

    def prune(self, city: str, source: str, *, keep: Collection[str]) -> tuple[str, ...]:
        """Remove the manifests of a source whose digests are not in ``keep``; the last one read always stays.

        Returns
        -------
        tuple of str
            Digests that were removed. Their parts go with `collect`.
        """
        removed = []
        for snapshot in self.list(city, source)[:-1]:
            if snapshot.digest not in keep:
                self._manifest(city, source, snapshot.digest).unlink(missing_ok=True)
                removed.append(snapshot.digest)
        return tuple(removed)

    def collect(self, *, min_age_s: float = 86_400.0) -> int:
        """Remove parts that no manifest of any city names, and what killed writers left.

        Parameters
        ----------
        min_age_s : float
            Seconds; younger files stay, since another city may be about to name them.

        Returns
        -------
        int
            Bytes that were freed.

        Raises
        ------
        SourceError
            If a manifest can't be read: what it names is then unknown, and nothing is removed.
        """
        named: set[str] = set()
        for path in self.root.glob("*/*/*.json"):
            if _DIGEST.match(path.stem):
                named |= {part.sha256 for part in self.load(path.parts[-3], path.parts[-2], path.stem).parts}
        freed, before = 0, time.time() - min_age_s
        leftovers = [path for path in self.root.rglob(f"{TEMPORARY}*") if path.is_file()]
        unnamed = [path for path in (self.root / "parts").glob("*/*.parquet") if path.stem not in named]
        for path in (*unnamed, *leftovers):
            if modified_at(path) < before:
                freed += path.stat().st_size
                path.unlink(missing_ok=True)
        return freed

    def _known(self, city: str, source: str, digest: str) -> Snapshot | None:
        if not self._manifest(city, source, digest).exists():
            return None
        try:
            return self.load(city, source, digest)
        except SourceError as error:
            logger.warning("%s It is written anew.", error)
            return None

    def _keeps(self, known: Snapshot) -> bool:
        return all(self._has_part(part.sha256) for part in known.parts)

    def _has_part(self, digest: str) -> bool:
        path = self._part(digest)
        data = path.read_bytes() if path.is_file() else b""
        if hashlib.sha256(data).hexdigest() != digest:
            return False
        freshen(path, data)  # tells `collect` of a concurrent night that it is wanted
        return True

    def _write_parts(self, read: SourceRead) -> tuple[SnapshotPart, ...]:
        table = read.table.select(list(stored_columns(read)))
        parts = []
        for file, start, stop in part_bounds(read):
            data = part_bytes(table.slice(start, stop - start))
            digest = hashlib.sha256(data).hexdigest()
            if not self._has_part(digest):
                write_atomic(self._part(digest), data)
            parts.append(SnapshotPart(digest, len(data), stop - start, file))
        return tuple(parts)

    def _part_table(self, snapshot: Snapshot, part: SnapshotPart) -> pa.Table:
        path = self._part(part.sha256)
        where = f"The snapshot {snapshot.digest[:12]} of {snapshot.source!r}, fetched {snapshot.fetched_at}"
        remedy = "Restore it from a backup, or delete the snapshot's manifest and read the source again."
        try:
            data = path.read_bytes()
        except OSError as error:
            raise SourceError(f"{where}: its part {path} can't be read ({error.strerror}). {remedy}") from None
        found = hashlib.sha256(data).hexdigest()
        if found != part.sha256:
            raise SourceError(
                f"{where}: its part {path} is damaged: sha256 expected {part.sha256}, found {found} "
                f"({len(data):,} bytes of {part.n_bytes:,}). {remedy}"
            )
        return pq.read_table(pa.BufferReader(data), use_threads=False)

    def _manifest(self, city: str, source: str, digest: str) -> Path:
        if not (_SLUG.match(city) and _SLUG.match(source) and _DIGEST.match(digest)) or city == "parts":
            raise ConfigError(f"{city!r}/{source!r}/{digest!r} can't name a snapshot; slugs and a sha256 are expected.")
        return self.root / city / source / f"{digest}.json"

    def _part(self, digest: str) -> Path:
        if not _DIGEST.match(digest):
            raise SourceError(f"{digest!r} is no sha256; the manifest that names it as a part is damaged.")
        return self.root / "parts" / digest[:2] / f"{digest}.parquet"


def _schema(snapshot: Snapshot) -> pa.Schema:
    fields = [pa.field(name, pa.string()) for name in snapshot.columns]
    fields += [pa.field(FILE, pa.int32()), pa.field(ROW, pa.int64()), pa.field(MALFORMED, pa.bool_())]
    return pa.schema([*fields, *([pa.field(GEOMETRY, pa.binary())] if snapshot.geometry else [])])


def _check_numbering(read: SourceRead) -> None:
    counts = [file.rows for file in read.files]
    files = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    rows = np.concatenate([np.arange(1, n + 1, dtype=np.int64) for n in counts] or [np.empty(0, np.int64)])
    same = read.table.num_rows == len(rows) and (
        np.array_equal(read.table.column(FILE).to_numpy(), files)
        and np.array_equal(read.table.column(ROW).to_numpy(), rows)
    )
    if not same:
        raise ValueError("a SourceRead must hold the rows of its files in order, numbered from 1 without a gap")


def _utc(when: datetime) -> str:
    if when.tzinfo is None:
        raise ValueError(f"fetched_at must have a time zone; found {when!r}")
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
