"""An installation as deploy/ describes it: Postgres, queue, many cities in one night, a worker that is killed."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from support.made_city import write_made_city
from support.nights import assert_nothing_half
from support.server import Server, installation, postgres, wait_for

pytestmark = pytest.mark.acceptance

# ACCEPTANCE=full is for the numbers in the docs; ACCEPTANCE_CITIES=12 for fewer where time is short.
FULL = os.environ.get("ACCEPTANCE") == "full"
CITIES = int(os.environ.get("ACCEPTANCE_CITIES") or (100 if FULL else 3))
PATIENCE_S = 3600 if FULL else 900
NAMES = [f"town_{number:03}" for number in range(CITIES)]
LOCATION = """{ workspaceOrError { ... on Workspace { locationEntries { name loadStatus } } } }"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("server")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    for number, name in enumerate(NAMES):
        write_made_city(folder, name, seed=number)
    (folder / "configs" / "broken.yaml").write_text("schema: 1\ncity: [nowhere\n")
    environment = {
        "RTM_CONFIG_DIR": str(folder / "configs"),
        "RTM_DATA_DIR": str(folder / "data"),
        "RTM_OUTPUT": str(folder / "output"),
        "RTM_CACHE_DIR": str(folder / "cache"),
    }
    with postgres() as database, installation(folder, environment | database) as found:
        yield found


@pytest.fixture(scope="module")
def instance(server: Server) -> Iterator[dg.DagsterInstance]:
    patch = pytest.MonkeyPatch()
    for name in ("HOST", "PORT", "USER", "PASSWORD", "DB"):
        patch.setenv(f"DAGSTER_PG_{name}", server.environment[f"DAGSTER_PG_{name}"])
    with dg.DagsterInstance.from_config(server.environment["DAGSTER_HOME"]) as found:
        yield found
    patch.undo()


def run_of(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRun:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run


def worker_of(instance: dg.DagsterInstance, run_id: str) -> int:
    """Process of a run, as it said when it began."""
    said = [re.search(r"Started process for run \(pid: (\d+)\)", entry.message) for entry in instance.all_logs(run_id)]
    return next(int(found.group(1)) for found in said if found)


def ended(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRun:
    wait_for(lambda: run_of(instance, run_id).is_finished, PATIENCE_S, f"the end of run {run_id}")
    return run_of(instance, run_id)


def test_the_location_is_served_under_its_name(server: Server) -> None:
    (entry,) = server.ask(LOCATION)["workspaceOrError"]["locationEntries"]
    assert entry == {"name": "rtm_pipeline", "loadStatus": "LOADED"}


def test_a_broken_configuration_is_shown_as_a_failed_check(server: Server, instance: dg.DagsterInstance) -> None:
    def told() -> Any:
        key = dg.AssetCheckKey(dg.AssetKey("broken_broken"), "configuration_is_valid")
        return instance.event_log_storage.get_asset_check_execution_history(key, limit=1)

    (record,) = wait_for(told, 180, "the failed check")
    assert record.status.value == "FAILED"


def test_a_killed_worker_is_noticed_and_its_night_run_again(
    server: Server, instance: dg.DagsterInstance, folder: Path
) -> None:
    first = server.launch(f"{NAMES[0]}_nightly")
    stats = lambda: instance.get_run_stats(first).steps_succeeded >= 2  # noqa: E731
    wait_for(stats, PATIENCE_S, "the second step")
    os.kill(worker_of(instance, first), signal.SIGKILL)
    assert ended(instance, first).status == dg.DagsterRunStatus.FAILURE

    def again() -> Any:
        return [run for run in instance.get_runs() if run.tags.get("dagster/parent_run_id") == first]

    (retry,) = wait_for(again, 180, "the second try")
    assert ended(instance, retry.run_id).status == dg.DagsterRunStatus.SUCCESS
    assert_nothing_half(folder / "output", NAMES[0])


def test_many_cities_run_through_the_queue(server: Server, instance: dg.DagsterInstance, folder: Path) -> None:
    runs = {name: server.launch(f"{name}_nightly") for name in NAMES}
    twin = server.launch(f"{NAMES[0]}_nightly")  # waits: one run of a city at a time
    for name, run_id in runs.items():
        assert ended(instance, run_id).status == dg.DagsterRunStatus.SUCCESS, name
        assert_nothing_half(folder / "output", name)
    assert ended(instance, twin).status == dg.DagsterRunStatus.SUCCESS
    first, second = instance.get_run_records(dg.RunsFilter(run_ids=[runs[NAMES[0]], twin]), ascending=True)
    assert first.end_time is not None
    assert second.start_time is not None
    assert second.start_time >= first.end_time
    spans = [record.end_time - record.start_time for record in instance.get_run_records() if record.start_time]
    of_runs = instance.get_run_records(dg.RunsFilter(run_ids=list(runs.values())))
    whole = max(record.end_time or 0.0 for record in of_runs) - min(record.start_time or 0.0 for record in of_runs)
    print(f"{len(runs)} cities in {whole:.0f} s, {max(spans):.0f} s the longest")
