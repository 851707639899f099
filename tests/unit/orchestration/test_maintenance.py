"""Retention removes what is old and never what is current, compared with, or named."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from support.made_city import write_made_city

from rtm_pipeline.config.load import LoadedConfig, load_config
from rtm_pipeline.orchestration.locks import CityBusyError, city_lock
from rtm_pipeline.orchestration.paths import Paths
from rtm_pipeline.orchestration.upkeep.maintenance import maintain_city, purge_events
from rtm_pipeline.orchestration.upkeep.maintenance_job import maintain_all
from rtm_pipeline.publication.release.store import ReleaseStore

NOW = datetime.now(UTC)
TODAY = NOW.date()
KEEP = "operations: {retention: {releases: 30d, experiments: 7d, logs: 10d}}\n"


@pytest.fixture
def loaded(tmp_path: Path) -> LoadedConfig:
    return load_config(write_made_city(tmp_path, more=KEEP).config)


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    monkeypatch.setenv("RTM_CACHE_DIR", str(tmp_path / "cache"))
    return Paths.resolve(output=tmp_path / "out", config_dir=tmp_path / "configs")


def publish(paths: Paths, days_ago: int, *, experiment: bool = False) -> str:
    store = ReleaseStore(paths.releases, "smallville")
    day = TODAY - timedelta(days=days_ago)
    run_id = f"{day}-{'eee' if experiment else 'aaa'}"
    facts = {
        "as_of": day.isoformat(),
        "written_at": (NOW - timedelta(days=days_ago)).isoformat(),
        "changed": ["--set"] if experiment else [],
    }
    release = store.publish(run_id, lambda folder: (folder / "x").write_text("x") and None, facts)
    if not experiment:
        store.promote(release, day)
    return run_id


def there(paths: Paths) -> set[str]:
    return {path.name for path in (paths.releases / "smallville").iterdir() if path.is_dir() and not path.is_symlink()}


def test_releases_go_by_age_but_what_a_night_is_compared_with_stays(loaded: LoadedConfig, paths: Paths) -> None:
    nights = {days: publish(paths, days) for days in (60, 45, 31, 29, 20, 3, 0)}
    old, young = publish(paths, 8, experiment=True), publish(paths, 2, experiment=True)
    removed = maintain_city(loaded.city, paths)
    assert sorted(removed.releases) == sorted([nights[60], nights[45], nights[31], old])
    assert there(paths) == {nights[29], nights[20], nights[3], nights[0], young}
    assert (paths.releases / "smallville" / "latest" / "manifest.json").is_file()


def test_the_last_releases_stay_however_old_they_are(loaded: LoadedConfig, paths: Paths) -> None:
    kept = [publish(paths, days) for days in (400, 300)]
    gone = publish(paths, 500)
    store = ReleaseStore(paths.releases, "smallville")
    store.promote(store.publish(kept[1], lambda _: None, {}), TODAY - timedelta(days=300), allow_earlier=True)
    maintain_city(loaded.city, paths)
    assert there(paths) == set(kept)
    assert gone not in there(paths)


def test_what_killed_nights_left_goes_once_it_is_old(loaded: LoadedConfig, paths: Paths) -> None:
    import os

    publish(paths, 0)
    folder = paths.releases / "smallville"
    for name, age in ((".making-old", 2 * 86_400), (".making-now", 60), ("2020-01-01-half", 2 * 86_400)):
        (folder / name).mkdir()
        (folder / name / "part.tif").write_text("p")
        then = NOW.timestamp() - age
        os.utime(folder / name / "part.tif", (then, then))
    maintain_city(loaded.city, paths)
    assert there(paths) == {f"{TODAY}-aaa", ".making-now"}


def test_logs_and_artifacts_of_former_steps_go(loaded: LoadedConfig, paths: Paths) -> None:
    import os

    folder = paths.artifacts / "smallville"
    (folder / "logs").mkdir(parents=True)
    names = ("logs/a.log", "old_factor.artifact", "forecast.artifact", "settings.artifact")
    for name in names:
        (folder / name).write_text("x")
        then = NOW.timestamp() - 11 * 86_400
        os.utime(folder / name, (then, then))
    (folder / "logs" / "b.log").write_text("x")
    publish(paths, 0)
    maintain_city(loaded.city, paths)
    left = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert left == {"logs/b.log", "forecast.artifact", "settings.artifact"}


def test_a_city_that_is_running_is_left_and_named(loaded: LoadedConfig, paths: Paths) -> None:
    publish(paths, 0)
    with city_lock(paths.locks, "smallville", paths.output):
        with pytest.raises(CityBusyError):
            maintain_city(loaded.city, paths)
        done, left = maintain_all([loaded], paths, None)
    assert "Another run" in left["smallville"]
    assert "smallville" not in done


def test_a_damaged_latest_stops_the_cleaning(loaded: LoadedConfig, paths: Paths) -> None:
    run_id = publish(paths, 400, experiment=True)
    publish(paths, 0)
    (paths.releases / "smallville" / "latest.json").write_text("{half")
    _, left = maintain_all([loaded], paths, None)
    assert "latest.json" in left["smallville"]
    assert run_id in there(paths)


def test_old_runs_of_dagster_go_and_the_last_of_a_job_stays(tmp_path: Path) -> None:
    @dg.op
    def nothing() -> None:
        pass

    @dg.job
    def night() -> None:
        nothing()

    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        runs = [night.execute_in_process(instance=instance, tags={"city": "demo"}).run_id for _ in range(3)]
        other = night.execute_in_process(instance=instance, tags={"city": "other"}).run_id
        soon = datetime.now(UTC) + timedelta(minutes=5)
        assert purge_events(instance, datetime.now(UTC) - timedelta(days=1), city="demo") == 0
        assert purge_events(instance, soon, city="demo") == 2
        assert {run.run_id for run in instance.get_runs()} == {runs[-1], other}
        assert instance.all_logs(runs[0]) == []
        assert json.dumps([record.run_id for record in instance.all_logs(runs[-1])])


def test_snapshots_of_every_release_that_is_there_stay_though_none_is_current(
    loaded: LoadedConfig, paths: Paths
) -> None:
    import pyarrow as pa

    from rtm_pipeline.sources.snapshots.snapshot import SnapshotStore
    from rtm_pipeline.sources.source_read import FileRead, SourceRead

    def read(text: str) -> SourceRead:
        first = {"_file": pa.array([0], pa.int32()), "_row": pa.array([1], pa.int64()), "_malformed": [False]}
        return SourceRead(pa.table({"a": [text], **first}), (FileRead("lots.csv", "0" * 64, 1, 1),))

    snapshots = SnapshotStore(paths.snapshots)
    ages = (400, 300, 200)
    made = [snapshots.put("smallville", "lots", read(f"{age}"), NOW - timedelta(days=age)) for age in ages]
    ReleaseStore(paths.releases, "smallville").publish(
        f"{TODAY}-0123456789ab", lambda _: None, {"sources": {"lots": made[0].digest}}
    )
    removed = maintain_city(loaded.city, paths)
    left = {snapshot.digest for snapshot in snapshots.list("smallville", "lots")}
    assert left == {made[0].digest, made[2].digest}  # named by a release; the last of its source
    assert removed.snapshots == 1
