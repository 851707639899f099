"""The same stores over a bucket as over a folder; one writer through a lease."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from support.bucket import bucket_server

from rtm_pipeline.errors import ConfigError, PublishError
from rtm_pipeline.orchestration.artifacts import ArtifactStore
from rtm_pipeline.orchestration.locks import CityBusyError, city_lock
from rtm_pipeline.publication.release.store import ReleaseStore
from rtm_pipeline.storage.lease import LeaseLostError, hold_lease
from rtm_pipeline.storage.roots import is_remote, local_copy, remove_tree, root_of


@pytest.fixture(scope="module")
def server() -> Iterator[None]:
    with bucket_server():
        yield


@pytest.fixture
def root(server: None, request: pytest.FixtureRequest) -> Path:
    return root_of(f"s3://city/{request.node.name.replace('[', '-').replace(']', '')}")


def test_a_root_is_a_folder_or_a_bucket_and_nothing_else(tmp_path: Path, server: None) -> None:
    assert root_of(tmp_path) == tmp_path
    assert not is_remote(root_of("output"))
    assert root_of(f"file://{tmp_path}") == tmp_path
    assert is_remote(root_of("s3://city/x"))
    for wrong in ("s3://", "gs://city/x", "https://example.org/x"):
        with pytest.raises(ConfigError, match="neither a folder nor s3"):
            root_of(wrong)


def fill(folder: Path) -> None:
    (folder / "public").mkdir()
    (folder / "public" / "surface.tif").write_bytes(b"pixels")


def test_a_release_in_a_bucket_is_there_once_its_manifest_is(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = ReleaseStore(root / "releases", "demo")
    first = store.publish("2026-11-21-aaa", fill, {})
    assert store.promote(first, date(2026, 11, 21))
    from rtm_pipeline.publication.release import store as module

    written = []

    def until_the_manifest(path: Path, data: bytes) -> None:
        if path.name == "manifest.json":
            raise OSError(5, "cut")
        written.append(path.name)
        path.write_bytes(data)

    monkeypatch.setattr(module, "write_atomic", until_the_manifest)
    with pytest.raises(PublishError, match="cut"):
        store.publish("2026-11-22-bbb", fill, {})
    monkeypatch.undo()
    assert written == ["surface.tif"]
    assert store.current() == {"run_id": "2026-11-21-aaa", "as_of": "2026-11-21", "path": "2026-11-21-aaa"}
    again = store.publish("2026-11-22-bbb", fill, {})
    assert not again.reused
    assert store.publish("2026-11-22-bbb", fill, {}).reused
    (root / "releases" / "demo" / "2026-11-22-bbb" / "public" / "surface.tif").write_bytes(b"other")
    with pytest.raises(PublishError, match="damaged"):
        store.publish("2026-11-22-bbb", fill, {})


def test_artifacts_come_back_from_a_bucket(root: Path) -> None:
    ArtifactStore(root / "artifacts", "demo").save("factor", {"a": 1}, recipe="r", inputs={"b": "c"})
    found = ArtifactStore(root / "artifacts", "demo").load("factor")
    assert found.value == {"a": 1}
    assert found.header.inputs == {"b": "c"}


def test_snapshots_come_back_from_a_bucket_and_are_collected(root: Path) -> None:
    from datetime import UTC, datetime

    import pyarrow as pa

    from rtm_pipeline.sources.snapshots.snapshot import SnapshotStore
    from rtm_pipeline.sources.source_read import FileRead, SourceRead

    def read(value: str) -> SourceRead:
        table = pa.table(
            {
                "name": [value, "b"],
                "_file": pa.array([0, 0], pa.int32()),
                "_row": pa.array([1, 2], pa.int64()),
                "_malformed": [False, False],
            }
        )
        return SourceRead(table, (FileRead("x.csv", "0" * 64, 1, 2),))

    store = SnapshotStore(root / "snapshots")
    old = store.put("demo", "lots", read("a"), datetime(2026, 1, 1, tzinfo=UTC))
    new = store.put("demo", "lots", read("z"), datetime(2026, 1, 2, tzinfo=UTC))
    assert store.table(old).column("name").to_pylist() == ["a", "b"]
    assert store.latest("demo", "lots") == new
    assert store.prune("demo", "lots", keep=()) == (old.digest,)
    assert store.collect(min_age_s=-3600) > 0
    assert store.table(new).num_rows == 2


def test_a_second_writer_is_refused_and_named(root: Path, tmp_path: Path) -> None:
    with city_lock(tmp_path, "demo", root) as lock:
        lock.ensure_held()
        with pytest.raises(CityBusyError, match=f"process {os.getpid()}"), city_lock(tmp_path, "demo", root):
            pass
        with city_lock(tmp_path, "other", root):
            pass
    with city_lock(tmp_path, "demo", root):
        pass


def test_a_lease_outlives_its_time_while_its_owner_lives_and_is_taken_over_when_not(root: Path) -> None:
    path = root / "locks" / "demo.lease"
    with hold_lease(path, ttl_s=2) as lease:
        time.sleep(4)
        lease.ensure_held()
    path.write_bytes(json.dumps({"owner": "a dead machine", "ttl_s": 1}).encode())
    time.sleep(2.2)
    with hold_lease(path, ttl_s=60) as lease:
        assert json.loads(path.read_bytes())["owner"] == lease.owner


def test_a_stolen_lease_stops_its_former_owner(root: Path) -> None:
    path = root / "locks" / "demo.lease"
    with hold_lease(path, ttl_s=1.5) as lease:
        path.write_bytes(json.dumps({"owner": "somebody else", "ttl_s": 60}).encode())
        time.sleep(1.5)
        with pytest.raises(LeaseLostError, match="somebody else"):
            lease.ensure_held()
    assert json.loads(path.read_bytes())["owner"] == "somebody else"  # not ours to remove


def test_a_file_of_a_bucket_can_be_had_on_disk(root: Path) -> None:
    (root / "a" / "surface.tif").write_bytes(b"pixels")
    with local_copy(root / "a" / "surface.tif") as copy:
        assert copy.read_bytes() == b"pixels"
    assert not copy.exists()
    remove_tree(root / "a")
    assert not (root / "a" / "surface.tif").is_file()
    remove_tree(root / "a")
