"""Snapshots: the same content is the same thing, forever; damage and full disks are seen."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from rtm_pipeline.errors import ConfigError, RtmError, SourceError
from rtm_pipeline.sources.snapshots import content
from rtm_pipeline.sources.snapshots.snapshot import Snapshot, SnapshotStore
from rtm_pipeline.sources.source_read import FileRead, SourceRead
from rtm_pipeline.storage import atomic

NIGHT = datetime(2024, 5, 1, 7, tzinfo=UTC)


def make(columns: dict[str, list], files: tuple[int, ...] | None = None, crs=None, geometry=None, **more) -> SourceRead:
    n = len(next(iter(columns.values())))
    files = files or (n,)
    data = {name: pa.array(values, pa.string()) for name, values in columns.items()}
    data["_file"] = pa.array(np.repeat(np.arange(len(files), dtype=np.int32), files))
    data["_row"] = pa.array(np.concatenate([np.arange(1, k + 1, dtype=np.int64) for k in files]))
    data["_malformed"] = pa.array([False] * n)
    if geometry is not None:
        data["geometry"] = pa.array(geometry, pa.binary())
    seen = tuple(FileRead(f"f{at}.csv", "0" * 64, 1, k, dropped=("owner",)) for at, k in enumerate(files))
    return SourceRead(pa.table(data), seen, crs, **more)


@pytest.fixture
def store(tmp_path) -> SnapshotStore:
    return SnapshotStore(tmp_path / "snapshots")


def stored_parts(store) -> list[Path]:
    return sorted((store.root / "parts").glob("*/*.parquet"))


def test_what_is_put_is_got(store):
    read = make({"b": ["x", None, ""], "a": ["1", "2", "ü"]}, (1, 2), "EPSG:4326", [b"\x01", None, b""])
    snapshot = store.put("kc", "lots", read, NIGHT)
    table = store.table(snapshot)
    assert table.column_names == ["a", "b", "_file", "_row", "_malformed", "geometry"]
    assert table.to_pylist() == read.table.select(table.column_names).to_pylist()
    assert (snapshot.rows, snapshot.columns, snapshot.crs) == (3, ("a", "b"), "EPSG:4326")
    assert snapshot.dropped_columns == ("owner",)
    assert snapshot.fetched_at == "2024-05-01T07:00:00Z"
    again = Snapshot.from_json(json.loads(json.dumps(snapshot.to_json())))
    assert again == snapshot == store.load("kc", "lots", snapshot.digest) == store.latest("kc", "lots")


def test_layout_is_the_documented_one(store):
    snapshot = store.put("kc", "lots", make({"a": ["1"]}), NIGHT)
    assert (store.root / "kc" / "lots" / f"{snapshot.digest}.json").is_file()
    (part,) = stored_parts(store)
    assert part.stem == snapshot.parts[0].sha256 == hashlib.sha256(part.read_bytes()).hexdigest()


def test_empty_source(store):
    for read in (make({"a": []}), make({"a": []}, (0, 0))):
        table = store.table(store.put("kc", "lots", read, NIGHT))
        assert table.num_rows == 0
        assert table.schema.field("a").type == pa.string()


def test_same_content_is_stored_once_and_keeps_its_first_time(store):
    read = make({"a": ["1", "2"], "b": ["x", None]})
    first = store.put("kc", "lots", read, NIGHT)
    before = {path: path.read_bytes() for path in stored_parts(store)}
    later = store.put("kc", "lots", read, NIGHT + timedelta(days=1))
    assert later.digest == first.digest
    assert later.parts == first.parts
    assert {path: path.read_bytes() for path in stored_parts(store)} == before
    assert (later.first_fetched_at, later.fetched_at) == ("2024-05-01T07:00:00Z", "2024-05-02T07:00:00Z")
    assert len(store.list("kc", "lots")) == 1
    store.put("stl", "other", read, NIGHT)
    assert len(stored_parts(store)) == 1


def test_latest_is_the_last_read_even_if_its_content_is_old(store):
    one, two = make({"a": ["1"]}), make({"a": ["2"]})
    store.put("kc", "lots", one, NIGHT)
    store.put("kc", "lots", two, NIGHT + timedelta(days=1))
    back = store.put("kc", "lots", one, NIGHT + timedelta(days=2))
    assert store.latest("kc", "lots") == back
    assert [snapshot.digest for snapshot in store.list("kc", "lots")][-1] == back.digest
    assert store.latest("kc", "nothing") is None


def test_time_zone_is_needed_and_told_in_utc(store):
    snapshot = store.put(
        "kc", "lots", make({"a": ["1"]}), datetime(2024, 5, 1, 2, tzinfo=timezone(timedelta(hours=-5)))
    )
    assert snapshot.fetched_at == "2024-05-01T07:00:00Z"
    with pytest.raises(ValueError, match="time zone"):
        store.put("kc", "lots", make({"a": ["1"]}), datetime(2024, 5, 1))


def test_digest_does_not_depend_on_order_of_columns_or_chunks(store):
    plain = make({"a": ["1", None, "33"], "b": ["x", "y", ""]})
    turned = make({"b": ["x", "y", ""], "a": ["1", None, "33"]})
    pieces = pa.concat_tables([plain.table.slice(0, 1), plain.table.slice(1, 0), plain.table.slice(1, 2)])
    chunked = SourceRead(pieces, plain.files)
    sliced_from = make({"a": ["9", "1", None, "33", "9"], "b": ["9", "x", "y", "", "9"]})
    columns = {n: sliced_from.table.column(n).slice(1, 3) for n in ("a", "b")}
    tail = {n: plain.table.column(n) for n in ("_file", "_row", "_malformed")}
    sliced = SourceRead(pa.table({**columns, **tail}), plain.files)
    snapshots = [store.put("kc", "lots", read, NIGHT) for read in (plain, turned, chunked, sliced)]
    assert len({snapshot.digest for snapshot in snapshots}) == 1
    assert len({content.part_bytes(r.table.select(["a", "b"])) for r in (plain, turned, chunked, sliced)}) == 1


def test_bytes_under_missing_values_do_not_count():
    validity, offsets = pa.py_buffer(bytes([0b101])), pa.py_buffer(np.array([0, 1, 3, 4], np.int32).tobytes())
    hidden = pa.StringArray.from_buffers(3, offsets, pa.py_buffer(b"1zz2"), validity)
    plain = make({"a": ["1", None, "2"]})
    odd = SourceRead(plain.table.set_column(0, "a", hidden), plain.files)
    assert odd.table.column("a").to_pylist() == ["1", None, "2"]
    assert content.content_digest(odd) == content.content_digest(plain)
    assert content.part_bytes(odd.table) == content.part_bytes(plain.table)


@pytest.mark.parametrize(
    "other",
    [
        make({"a": ["1", ""], "b": ["x", "y"]}),
        make({"a": ["1", "None"], "b": ["x", "y"]}),
        make({"a": ["1x", None], "b": ["", "y"]}),
        make({"b": ["1", None], "a": ["x", "y"]}),
        make({"a": ["1", None], "c": ["x", "y"]}),
        make({"a": ["1", None], "b": ["x", "y"]}, crs="EPSG:4326"),
        make({"a": ["1", None], "b": ["x", "y"]}, (1, 1)),
        make({"a": [None, "1"], "b": ["y", "x"]}),
        make({"a": ["1", None], "b": ["x", "y"]}, geometry=[None, None]),
    ],
)
def test_digest_tells_contents_apart(other):
    assert content.content_digest(make({"a": ["1", None], "b": ["x", "y"]})) != content.content_digest(other)


def test_a_file_between_others_shares_their_parts(store):
    rows = [str(i) for i in range(30)]
    first = store.put("kc", "c", make({"a": rows[:20]}, (10, 10)), NIGHT)
    second = store.put("kc", "c", make({"a": [*rows[:10], "new", *rows[10:20]]}, (10, 1, 10)), NIGHT)
    assert {part.sha256 for part in first.parts} < {part.sha256 for part in second.parts}
    assert len(stored_parts(store)) == 3


def test_rows_ordered_by_date_share_the_months_that_did_not_change(store):
    days = [f"20{y:02d}-{m:02d}-01" for y in range(10, 20) for m in range(1, 13) for _ in range(1000)]
    values = [str(i) for i in range(len(days))]
    night = make({"d": days, "v": values}, part_by=("d", 7))
    first = store.put("kc", "c", night, NIGHT)
    assert len(first.parts) > 10
    assert all(part.rows >= content.MIN_PART_ROWS for part in first.parts[:-1])
    values[-5] = "closed"
    second = store.put("kc", "c", make({"d": [*days, "2020-01-01"], "v": [*values, "new"]}, part_by=("d", 7)), NIGHT)
    shared = {part.sha256 for part in first.parts} & {part.sha256 for part in second.parts}
    assert len(shared) >= len(first.parts) - 1
    assert store.table(second).num_rows == len(days) + 1
    assert store.table(second).column("v").to_pylist() == [*values, "new"]


def test_large_files_are_cut(store, monkeypatch):
    monkeypatch.setattr(content, "MAX_PART_ROWS", 10)
    snapshot = store.put("kc", "c", make({"a": [str(i) for i in range(37)]}, (25, 0, 12)), NIGHT)
    assert [(part.file, part.rows) for part in snapshot.parts] == [(0, 10), (0, 10), (0, 5), (2, 10), (2, 2)]
    assert store.table(snapshot).column("_row").to_pylist() == [*range(1, 26), *range(1, 13)]


@pytest.mark.parametrize("harm", ["flip", "cut", "remove", "swap"])
def test_damaged_part_is_named_and_mended_by_the_next_put(store, harm):
    read = make({"a": [str(i) for i in range(100)]})
    snapshot = store.put("kc", "lots", read, NIGHT)
    (part,) = stored_parts(store)
    data = bytearray(part.read_bytes())
    if harm == "flip":
        data[len(data) // 2] ^= 1
        part.write_bytes(data)
    elif harm == "cut":
        part.write_bytes(data[:-1])
    elif harm == "swap":
        part.write_bytes(content.part_bytes(pa.table({"a": ["z"], "_malformed": [False]})))
    else:
        part.unlink()
    with pytest.raises(SourceError, match=part.stem) as caught:
        store.table(snapshot)
    assert "read the source again" in str(caught.value)
    store.put("kc", "lots", read, NIGHT)
    assert store.table(snapshot).num_rows == 100


def test_damaged_manifest(store, caplog):
    snapshot = store.put("kc", "lots", make({"a": ["1"]}), NIGHT)
    path = store.root / "kc" / "lots" / f"{snapshot.digest}.json"
    path.write_text(path.read_text()[:50])
    with pytest.raises(SourceError, match="damaged"):
        store.load("kc", "lots", snapshot.digest)
    assert store.latest("kc", "lots") is None
    assert "damaged" in caplog.text
    with pytest.raises(SourceError, match="damaged"):
        store.collect(min_age_s=-1)
    assert store.put("kc", "lots", make({"a": ["1"]}), NIGHT) == store.latest("kc", "lots")


def test_names_can_not_leave_the_folder(store):
    for city, source in (("../x", "a"), ("kc", "../../a"), ("parts", "a"), ("", "a"), ("KC", "a")):
        with pytest.raises(ConfigError):
            store.put(city, source, make({"a": ["1"]}), NIGHT)
    with pytest.raises(SourceError, match="no snapshot"):
        store.load("kc", "lots", "0" * 64)
    with pytest.raises(ConfigError):
        store.load("kc", "lots", "../../../etc/passwd")


def test_numbering_is_checked(store):
    good = make({"a": ["1", "2"]})
    bad = SourceRead(good.table.set_column(2, "_row", pa.array([1, 3], pa.int64())), good.files)
    with pytest.raises(ValueError, match="numbered"):
        store.put("kc", "lots", bad, NIGHT)


def test_prune_and_collect(store):
    nights = [store.put("kc", "lots", make({"a": [str(i)]}), NIGHT + timedelta(days=i)) for i in range(4)]
    assert store.collect(min_age_s=-1) == 0
    removed = store.prune("kc", "lots", keep={nights[1].digest})
    assert set(removed) == {nights[0].digest, nights[2].digest}
    assert store.collect() == 0  # too young: another city may be about to name them
    (store.root / "parts" / ".tmp-dead").write_bytes(b"x" * 10)
    assert store.collect(min_age_s=-1) == 10 + sum(nights[at].parts[0].n_bytes for at in (0, 2))
    for kept in (nights[1], nights[3]):
        assert store.table(kept).num_rows == 1
    assert store.prune("kc", "lots", keep=()) == (nights[1].digest,)
    assert store.latest("kc", "lots") == nights[3]


def test_wanted_again_parts_are_not_collected(store):
    snapshot = store.put("kc", "lots", make({"a": ["1"]}), NIGHT)
    (part,) = stored_parts(store)
    os.utime(part, (1, 1))
    store.put("stl", "lots", make({"a": ["1"]}), NIGHT)
    assert time.time() - part.stat().st_mtime < 3600
    assert store.table(snapshot).num_rows == 1


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_full_disk_changes_nothing(store, monkeypatch, call):
    snapshot = store.put("kc", "lots", make({"a": ["1"]}), NIGHT)
    before = {path: path.read_bytes() for path in store.root.rglob("*") if path.is_file()}

    def full(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    if call == "fsync":
        monkeypatch.setattr(atomic.os, "fsync", full)
    else:
        monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(RtmError, match="No space left"):
        store.put("kc", "lots", make({"a": ["2"]}), NIGHT + timedelta(days=1))
    monkeypatch.undo()
    assert {path: path.read_bytes() for path in store.root.rglob("*") if path.is_file()} == before
    assert store.latest("kc", "lots") == snapshot


WRITER = """
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
import pyarrow as pa, numpy as np
from rtm_pipeline.sources.snapshots.snapshot import SnapshotStore
from rtm_pipeline.sources.source_read import FileRead, SourceRead
store = SnapshotStore(Path(sys.argv[1]))
print("ready", flush=True)
i = int(sys.argv[2])
while True:
    i += 1
    n = 3000
    table = pa.table({"a": [f"{i} {k}" for k in range(n)], "_file": np.zeros(n, np.int32),
                      "_row": np.arange(1, n + 1), "_malformed": [False] * n})
    read = SourceRead(table, (FileRead("f", "0", 1, n),))
    store.put("kc", "lots", read, datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=i))
"""


def test_kill_at_random_moments_leaves_no_half_snapshot(tmp_path):
    store = SnapshotStore(tmp_path / "snapshots")
    delays = np.random.default_rng(7).uniform(0.0, 0.1, 3)
    for at, delay in enumerate(delays):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(store.root), str(at * 10_000)], stdout=subprocess.PIPE, text=True
        )
        process.stdout.readline()
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        for snapshot in store.list("kc", "lots"):
            assert store.table(snapshot).num_rows == 3000
    manifests = list((store.root / "kc" / "lots").glob("*.json"))
    assert len(manifests) == len(store.list("kc", "lots"))
    store.collect(min_age_s=-1)
    assert not list(store.root.rglob(".tmp-*"))
    for snapshot in store.list("kc", "lots"):
        assert store.table(snapshot).num_rows == 3000
