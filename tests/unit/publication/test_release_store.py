"""A release appears whole or not at all, and only moves forward."""

from __future__ import annotations

import json
import os
from datetime import date
from pathlib import Path

import pytest

from rtm_pipeline.errors import PublishError
from rtm_pipeline.publication.release.store import ReleaseStore, run_id_of

DAY = date(2026, 11, 22)


def fill(folder: Path) -> None:
    (folder / "public").mkdir()
    (folder / "public" / "surface.tif").write_bytes(b"pixels")


def test_a_complete_release_lists_the_digest_of_every_file(tmp_path: Path) -> None:
    store = ReleaseStore(tmp_path, "demo")
    release = store.publish("2026-11-22-abc", fill, {"city": "demo"})
    manifest = json.loads((release.path / "manifest.json").read_text())
    assert manifest["city"] == "demo"
    assert set(manifest["files"]) == {"public/surface.tif"}
    assert [path.name for path in store.folder.iterdir()] == ["2026-11-22-abc"]


def test_a_failure_while_writing_leaves_nothing_and_the_current_one_in_place(tmp_path: Path) -> None:
    store = ReleaseStore(tmp_path, "demo")
    store.promote(store.publish("2026-11-21-aaa", fill, {}), date(2026, 11, 21))

    def broken(folder: Path) -> None:
        fill(folder)
        raise OSError(28, "No space left on device")

    with pytest.raises(PublishError, match="No space left"):
        store.publish("2026-11-22-bbb", broken, {})
    assert store.current() == {"run_id": "2026-11-21-aaa", "as_of": "2026-11-21", "path": "2026-11-21-aaa"}
    assert sorted(path.name for path in store.folder.iterdir() if path.is_dir() and not path.is_symlink()) == [
        "2026-11-21-aaa"
    ]


def test_what_a_killed_run_left_is_swept_away(tmp_path: Path) -> None:
    store = ReleaseStore(tmp_path, "demo")
    left = store.folder / ".making-dead"
    left.mkdir(parents=True)
    (left / "half.tif").write_bytes(b"ha")
    store.publish("2026-11-22-abc", fill, {})
    assert not left.exists()


def test_the_same_run_id_is_verified_and_reused(tmp_path: Path) -> None:
    store = ReleaseStore(tmp_path, "demo")
    first = store.publish("2026-11-22-abc", fill, {})
    again = store.publish("2026-11-22-abc", lambda folder: pytest.fail("written twice"), {})
    assert (first.reused, again.reused) == (False, True)
    (first.path / "public" / "surface.tif").write_bytes(b"other")
    with pytest.raises(PublishError, match="damaged"):
        store.publish("2026-11-22-abc", fill, {})


def test_latest_never_moves_back_without_being_told(tmp_path: Path) -> None:
    store = ReleaseStore(tmp_path, "demo")
    late = store.publish("2026-11-22-bbb", fill, {})
    early = store.publish("2026-11-21-aaa", fill, {})
    assert store.promote(late, DAY)
    assert not store.promote(early, date(2026, 11, 21))
    assert (tmp_path / "demo" / "latest").resolve().name == "2026-11-22-bbb"
    assert store.promote(early, date(2026, 11, 21), allow_earlier=True)
    assert (tmp_path / "demo" / "latest").resolve().name == "2026-11-21-aaa"


def test_the_run_id_depends_on_every_part() -> None:
    base = {"settings": {"a": 1}, "snapshots": {"s": "x"}, "code": "c"}
    ids = {run_id_of(DAY, base | change) for change in ({}, {"settings": {"a": 2}}, {"snapshots": {}}, {"code": "d"})}
    assert len(ids) == 4
    assert run_id_of(DAY, base) == run_id_of(DAY, dict(reversed(base.items())))
    assert run_id_of(DAY, base).startswith("2026-11-22-")


def test_a_full_disk_is_named_whatever_a_library_says_and_nothing_cut_is_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GDAL tells a full disk as a missing table, or not at all."""
    whole = os.statvfs(tmp_path)
    left = os.statvfs_result((*whole[:4], 3, *whole[5:]))  # three blocks that one may use
    monkeypatch.setattr("os.statvfs", lambda _: left)
    store = ReleaseStore(tmp_path, "town")

    def garbled(_: Path) -> None:
        raise PublishError("sqlite3_exec failed: no such table: gpkg_contents.")

    def silent(folder: Path) -> None:
        (folder / "cut.tif").write_bytes(b"II")

    for fill in (garbled, silent):
        with pytest.raises(PublishError, match=r"could not be written: .*No space left.*stays current"):
            store.publish("2024-01-01-aaaaaaaaaaaa", fill, {})
        assert list((tmp_path / "town").iterdir()) == []
