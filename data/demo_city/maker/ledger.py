"""The account of what was planted: per file its rows and faults, per layer what a right reading makes of them."""

from __future__ import annotations

import csv
import gzip
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

Row = Mapping[str, object]


@dataclass(slots=True)
class Ledger:
    """Filled while the files are written."""

    files: dict[str, dict[str, object]] = field(default_factory=dict)
    layers: dict[str, dict[str, object]] = field(default_factory=dict)

    def file(self, path: str, tags: Iterable[str], **facts: object) -> None:
        """Note a file: the tag of each row in it (``clean`` or the kind of fault), and facts about its shape."""
        tally = Counter(tags)
        clean = tally.pop("clean", 0)
        self.files[path] = {
            "rows": clean + sum(tally.values()),
            "clean": clean,
            "faults": dict(sorted(tally.items())),
            **facts,
        }

    def layer(self, name: str, tags: Iterable[str], *, reading: Mapping[str, str]) -> None:
        """Note what becomes of each row; ``reading`` says for each tag: kept, filtered, duplicate or quarantined."""
        tally = Counter(tags)
        counts: dict[str, object] = {"read": sum(tally.values())}
        for outcome in ("kept", "filtered", "duplicate", "quarantined"):
            mine = {tag: n for tag, n in sorted(tally.items()) if reading[tag] == outcome}
            counts[outcome] = sum(mine.values())
            counts[f"{outcome}_by"] = mine
        self.layers[name] = counts


READING = {
    "clean": "kept",
    "null_key": "kept",
    "invalid_polygon": "kept",
    "repeat_request": "kept",
    "duplicate": "duplicate",
    "missing_coordinates": "quarantined",
    "zero_coordinates": "quarantined",
    "swapped_coordinates": "quarantined",
    "out_of_state": "quarantined",
    "wrong_unit": "quarantined",
    "missing_geometry": "quarantined",
    "century_back": "quarantined",
    "future_date": "quarantined",
    "unreadable_date": "quarantined",
    "other_kind": "filtered",
}


def write_csv(
    path: Path,
    header: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    encoding: str = "utf-8",
    newline: str = "\n",
    quote_all: bool = False,
) -> None:
    """Write a CSV with the same bytes everywhere; ``.gz`` is packed without a clock time."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=newline, quoting=csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL)
    writer.writerow(header)
    writer.writerows(rows)
    raw = text.getvalue().encode(encoding)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(raw, compresslevel=9, mtime=0) if path.suffix == ".gz" else raw)
