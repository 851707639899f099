"""A layer is added in five lines: it appears as its own assets and is run alone; nothing else is made anew."""

from __future__ import annotations

import shutil
from pathlib import Path

import dagster as dg
import pytest
from support.small_city import STOPS_LAYER, OxbowNight, oxbow_config

from rtm_pipeline.orchestration.artifacts import ArtifactStore
from rtm_pipeline.orchestration.build import build_defs

NEW = {"stops_file_snapshot", "bus_stops_layer", "bus_stops_factor"}


@pytest.fixture
def extended(oxbow_night: OxbowNight, tmp_path: Path) -> tuple[Path, Path]:
    """Configurations with the layer, and the output of the night before it."""
    assert len(STOPS_LAYER.splitlines()) == 5
    text = oxbow_config()
    text = text.replace("factors:\n", STOPS_LAYER + "factors:\n  bus_stops: {layer: bus_stops}\n")
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "oxbow.yaml").write_text(text)
    shutil.copytree(oxbow_night.output, tmp_path / "output", symlinks=True)
    return tmp_path / "configs", tmp_path / "output"


def names(configs: Path, output: Path, data: Path) -> tuple[dg.Definitions, set[str]]:
    defs = build_defs(config_dir=configs, output=output, data_dir=data)
    keys = {key for asset in defs.assets or [] for key in asset.keys}  # type: ignore[union-attr]
    return defs, {key.path[-1] for key in keys if key.path[0] == "oxbow"}


def test_it_stands_in_the_graph_and_runs_alone(oxbow_night: OxbowNight, extended: tuple[Path, Path]) -> None:
    configs, output = extended
    data = oxbow_night.city.folder
    _, before = names(oxbow_night.configs, oxbow_night.output, data)
    defs, after = names(configs, output, data)
    assert after - before == NEW
    assert before - after == set()

    store = ArtifactStore(output / "artifacts", "oxbow")
    old = {name: store.path(name).read_bytes() for name in before - {"settings"} if store.path(name).is_file()}
    done = defs.resolve_implicit_global_asset_job_def().execute_in_process(
        asset_selection=[dg.AssetKey(["oxbow", name]) for name in (*sorted(NEW), "settings")],
        instance=dg.DagsterInstance.ephemeral(),
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        raise_on_error=False,
    )
    assert done.success
    assert {event.step_key for event in done.all_events if event.event_type_value == "STEP_SUCCESS"} == {
        f"oxbow__{name}" for name in (*NEW, "settings")
    }
    fresh = ArtifactStore(output / "artifacts", "oxbow")
    assert fresh.load("bus_stops_layer").value.counts.kept == 24
    assert fresh.load("bus_stops_factor").value["nightly"].apply.n_features > 0
    assert {name: store.path(name).read_bytes() for name in old} == old


def test_the_model_is_not_run_on_a_factor_that_was_not_made(
    oxbow_night: OxbowNight, extended: tuple[Path, Path]
) -> None:
    configs, output = extended
    defs, _ = names(configs, output, oxbow_night.city.folder)
    done = defs.resolve_implicit_global_asset_job_def().execute_in_process(
        asset_selection=[dg.AssetKey(["oxbow", name]) for name in ("settings", "risk_terrain")],
        instance=dg.DagsterInstance.ephemeral(),
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        raise_on_error=False,
    )
    assert not done.success
    failure = next(event for event in done.all_events if event.event_type_value == "STEP_FAILURE")
    error = failure.step_failure_data.error
    while error is not None and error.cause is not None:
        error = error.cause
    assert error is not None
    assert "bus_stops_layer" in error.message
    assert "bus_stops_factor" in error.message
