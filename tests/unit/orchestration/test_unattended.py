"""Schedules, sensors, retries and what Dagster is told of a city; broken configurations beside whole ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
import yaml
from support.city import ROOT
from support.made_city import write_made_city

from rtm_pipeline.config.load import load_config
from rtm_pipeline.errors import ConfigError
from rtm_pipeline.orchestration.assets import TICK_TAG
from rtm_pipeline.orchestration.build import build_defs
from rtm_pipeline.orchestration.paths import Paths
from rtm_pipeline.orchestration.upkeep.sensors import sources_mark
from rtm_pipeline.orchestration.upkeep.ticks import tick_date
from rtm_pipeline.orchestration.webserver import INSTANCE, prepare_home

NIGHTLY = 'schedule: {cron: "30 23 * * *", watch: true}\n'


@pytest.mark.parametrize(
    ("tick", "zone", "day"),
    [
        ("2026-11-23T05:30:00+00:00", "America/Chicago", "2026-11-22"),
        ("2026-11-22T12:00:00+00:00", "Pacific/Kiritimati", "2026-11-23"),
        ("2026-03-08T07:59:00+00:00", "America/Chicago", "2026-03-08"),  # a minute before the clocks go forward
        ("2026-11-01T04:59:00+00:00", "America/Chicago", "2026-10-31"),
        ("2026-11-01T06:30:00+00:00", "America/Chicago", "2026-11-01"),  # the hour that is there twice
    ],
)
def test_the_date_of_a_tick_is_the_citys_own(tick: str, zone: str, day: str) -> None:
    assert tick_date(datetime.fromisoformat(tick), zone) == day


def test_a_tick_gives_its_run_the_local_date_however_late_it_starts(tmp_path: Path) -> None:
    made = write_made_city(tmp_path, more=NIGHTLY, as_of=False)
    defs = build_defs(config_dir=made.config.parent, output=tmp_path / "out", data_dir=made.data)
    schedule = defs.resolve_schedule_def("smallville_every_night")
    assert schedule.execution_timezone == "America/Chicago"
    tick = datetime(2026, 11, 23, 5, 30, tzinfo=UTC)  # 22 November, 23:30 in the city
    # Left before the instance, which would else stay in Dagster's globals and fail whatever is loaded next.
    with (
        dg.instance_for_test() as instance,
        dg.build_schedule_context(instance=instance, scheduled_execution_time=tick) as context,
    ):
        requests = schedule.evaluate_tick(context).run_requests
    assert requests is not None
    assert requests[0].tags[TICK_TAG] == "2026-11-22"
    assert requests[0].tags["city"] == "smallville"


@pytest.mark.parametrize(("value", "running"), [(None, False), ("0", False), ("1", True)])
def test_nothing_begins_by_itself_unless_the_installation_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str | None, running: bool
) -> None:
    if value is not None:
        monkeypatch.setenv("RTM_UNATTENDED", value)
    made = write_made_city(tmp_path, more=NIGHTLY)
    defs = build_defs(config_dir=made.config.parent, output=tmp_path / "out")
    schedule = defs.resolve_schedule_def("smallville_every_night")
    sensor = defs.resolve_sensor_def("smallville_sources_changed")
    assert (schedule.default_status == dg.DefaultScheduleStatus.RUNNING) is running
    assert (sensor.default_status == dg.DefaultSensorStatus.RUNNING) is running


def test_the_job_carries_the_tags_of_queue_and_monitor(tmp_path: Path) -> None:
    made = write_made_city(tmp_path, more=NIGHTLY + "operations: {max_runtime: 2h}\n")
    defs = build_defs(config_dir=made.config.parent, output=tmp_path / "out")
    job = defs.resolve_job_def("smallville_nightly")
    assert job.tags["city"] == "smallville"
    assert job.tags["dagster/max_runtime"] == "7200"
    release = defs.resolve_assets_def(dg.AssetKey(["smallville", "release"]))
    (policy,) = [spec.freshness_policy for spec in release.specs]
    assert policy is not None
    assert policy.warn_window.to_timedelta().total_seconds() == 26 * 3600  # type: ignore[attr-defined]
    assert policy.fail_window.to_timedelta().total_seconds() == 36 * 3600  # type: ignore[attr-defined]


def test_portals_are_asked_again_and_files_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = write_made_city(tmp_path)
    text = made.config.read_text().replace(
        "{kind: file, path: lots.csv, expect_files: 1, origin: registry}",
        "{kind: socrata, host: data.example.org, dataset: [ab12-cd34], origin: registry}",
    )
    made.config.write_text(text)
    monkeypatch.delenv("RTM_FETCH_RETRIES")
    defs = build_defs(config_dir=made.config.parent, output=tmp_path / "out", strict=True)
    policies = {name: defs.resolve_assets_def(dg.AssetKey(["smallville", f"{name}_snapshot"])).op.retry_policy
                for name in ("lots", "shops")}  # fmt: skip
    assert policies["shops"] is None
    lots = policies["lots"]
    assert lots is not None
    assert (lots.max_retries, lots.delay, lots.backoff) == (2, 60, dg.Backoff.EXPONENTIAL)


def test_a_changed_source_starts_one_run_once_it_stands_still(tmp_path: Path) -> None:
    made = write_made_city(tmp_path)
    defs = build_defs(config_dir=made.config.parent, output=tmp_path / "out", data_dir=made.data)
    sensor = defs.resolve_sensor_def("smallville_sources_changed")
    cursor: str | None = None
    runs: list[int] = []

    def look() -> None:
        nonlocal cursor
        with dg.instance_for_test() as instance:
            found = sensor.evaluate_tick(dg.build_sensor_context(instance=instance, cursor=cursor))
        cursor = found.cursor
        runs.append(len(found.run_requests or ()))

    look()
    look()
    with (made.data / "lots.csv").open("a") as stream:
        stream.write("new,2023-01-01,400100,4300100\n")
    look()  # it may still be being copied
    with (made.data / "lots.csv").open("a") as stream:
        stream.write("new2,2023-01-01,400200,4300200\n")
    look()
    look()
    look()
    assert runs == [0, 0, 0, 0, 1, 0]
    (made.data / "lots.csv").unlink()
    look()
    assert runs[-1] == 0


def test_the_mark_of_sources_depends_on_every_file(tmp_path: Path) -> None:
    made = write_made_city(tmp_path)
    paths = Paths.resolve(config_dir=made.config.parent, output=tmp_path / "out", data_dir=made.data)
    loaded = load_config(made.config)
    marks = [sources_mark(loaded, paths)]
    for name in ("limits.geojson", "incidents_2022.csv", "shops.csv"):
        os.utime(made.data / name, (1, 1))
        marks.append(sources_mark(loaded, paths))
    assert len(set(marks)) == 4
    assert sources_mark(loaded, paths) == marks[-1]


def test_a_broken_configuration_is_a_failed_check_and_stops_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = write_made_city(tmp_path)
    (made.config.parent / "broken city.yaml").write_text("schema: 1\ncity: nowhere\nlayerz: {}\n")
    (made.config.parent / "half.yaml").write_text("schema: [1\n")
    (made.config.parent / "twin.yaml").write_text(made.config.read_text())
    with caplog.at_level("ERROR", logger="rtm_pipeline"):
        defs = build_defs(config_dir=made.config.parent, output=tmp_path / "out", data_dir=made.data)
    assert caplog.text.count("is left out") == 3
    assert defs.resolve_job_def("smallville_nightly")
    with dg.instance_for_test() as instance:
        found = defs.resolve_sensor_def("report_broken_configurations").evaluate_tick(
            dg.build_sensor_context(instance=instance)
        )
    checks = {event.asset_key.to_user_string(): event for event in found.asset_events}
    assert set(checks) == {"broken_broken_city", "broken_half", "broken_twin"}
    assert not any(event.passed for event in checks.values())  # type: ignore[union-attr]
    assert "layerz" in str(checks["broken_broken_city"].description)
    with pytest.raises(ConfigError):
        build_defs(config_dir=made.config.parent, output=tmp_path / "out", strict=True)


def test_the_location_has_one_name_everywhere(tmp_path: Path) -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["dg"]["project"]
    assert project["code_location_name"] == "rtm_pipeline"
    for path in (ROOT / "workspace.yaml", prepare_home(tmp_path / "home")):
        (entry,) = yaml.safe_load(path.read_text())["load_from"]
        assert entry["python_module"] == {"module_name": "rtm_pipeline.definitions", "location_name": "rtm_pipeline"}


def test_an_instance_sends_nothing_home_and_keeps_what_was_changed_in_it(tmp_path: Path) -> None:
    prepare_home(tmp_path)
    settings = tmp_path / "dagster.yaml"
    assert settings.read_text() == (INSTANCE / "dagster.yaml").read_text()
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert instance.telemetry_enabled is False
        assert instance.nux_enabled is False
        assert instance.run_monitoring_enabled
        assert instance.run_retries_enabled
        assert not instance.get_settings("run_retries")["retry_on_asset_or_op_failure"]
    settings.write_text("telemetry: {enabled: false}\n")
    prepare_home(tmp_path)
    assert settings.read_text() == "telemetry: {enabled: false}\n"


def test_blas_has_one_thread_and_kernels_a_folder_of_their_own(tmp_path: Path) -> None:
    program = (
        "from rtm_pipeline.orchestration.process import prepare_process; prepare_process(); import os, json, sys;"
        "assert 'numpy' not in sys.modules and 'numba' not in sys.modules;"
        "import numba; print(json.dumps([os.environ['OPENBLAS_NUM_THREADS'], numba.config.CACHE_DIR]))"
    )
    environment = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    environment |= {"RTM_CACHE_DIR": str(tmp_path / "cache"), "OPENBLAS_NUM_THREADS": "8"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ["1", str(tmp_path / "cache" / "numba")]
