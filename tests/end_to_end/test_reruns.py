"""Rerunning parts: what depends on other settings is refused by name, and an experiment never becomes current."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from support.city import DEMO_DATA, ROOT, Command, Night

from rtm_pipeline.config.load import load_config
from rtm_pipeline.orchestration.build import build_defs
from rtm_pipeline.orchestration.steps.night import steps_of

pytestmark = pytest.mark.acceptance  # each test is one or more nights


@pytest.fixture
def copied(demo_night: Night, tmp_path: Path) -> Path:
    """The night's output, to be worked on."""
    output = tmp_path / "output"
    shutil.copytree(demo_night.output, output, symlinks=True)
    return output


def materialize(output: Path, names: list[str], fields: dict[str, Any] | None = None) -> dg.ExecuteInProcessResult:
    """What the UI does when an analyst materializes some assets."""
    defs = build_defs(config_dir=ROOT / "configs", output=output, data_dir=DEMO_DATA)
    job = defs.resolve_implicit_global_asset_job_def()
    run_config = {"ops": {"demo_city__settings": {"config": fields}}} if fields is not None else {}
    return job.execute_in_process(
        run_config=run_config | {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        asset_selection=[dg.AssetKey(["demo_city", name]) for name in names],
        instance=dg.DagsterInstance.ephemeral(),
        raise_on_error=False,
    )


def failure(result: dg.ExecuteInProcessResult) -> str:
    event = next(event for event in result.all_events if event.event_type_value == "STEP_FAILURE")
    error = event.step_failure_data.error
    assert error is not None
    while error.cause is not None:
        error = error.cause
    return error.message


def current(output: Path) -> str:
    latest = json.loads((output / "releases" / "demo_city" / "latest.json").read_text())
    return str(latest["run_id"])


def test_one_factor_is_rerun_alone(copied: Path) -> None:
    assert materialize(copied, ["liquor_factor"]).success
    assert materialize(copied, ["risk_terrain"]).success


def test_a_factor_under_another_cell_size_does_not_mix(copied: Path) -> None:
    """The grid must come first; the model refuses and names, in order, what else must be made anew."""
    assert materialize(copied, ["settings"], {"cell_size": "500 ft"}).success
    assert "study_area" in failure(materialize(copied, ["liquor_factor"]))
    again = materialize(copied, ["study_area", "liquor_layer", "violence_layer", "vintages", "liquor_factor"])
    assert again.success
    message = failure(materialize(copied, ["risk_terrain"]))
    assert "vacant_lots_factor" in message
    assert "liquor_factor" not in message
    assert "Materialize" in message


def test_another_family_leaves_factors_valid_and_is_an_experiment(copied: Path) -> None:
    before = current(copied)
    result = materialize(copied, ["settings", "risk_terrain"], {"family": "poisson"})
    assert result.success
    assert materialize(copied, after("risk_terrain")).success
    assert current(copied) == before
    releases = [path.name for path in (copied / "releases" / "demo_city").iterdir() if path.is_dir()]
    assert len([name for name in releases if name.startswith("2024")]) == 2


def test_promote_makes_an_experiment_current(copied: Path) -> None:
    before = current(copied)
    names = ["settings", "risk_terrain", *after("risk_terrain")]
    assert materialize(copied, names, {"family": "poisson", "promote": True}).success
    assert current(copied) != before


def after(name: str) -> list[str]:
    """The steps of the night that stand behind one."""
    steps = list(steps_of(load_config(ROOT / "configs" / "demo_city.yaml").city))
    return steps[steps.index(name) + 1 :]


def test_an_out_of_range_field_fails_with_a_message_that_says_what_is_allowed(copied: Path) -> None:
    message = failure(materialize(copied, ["settings"], {"family": "gaussian"}))
    assert "model.family" in message
    assert "poisson" in message


def test_overrides_on_the_command_line_are_an_experiment(copied: Path, rtm: Command) -> None:
    before = current(copied)
    answer = rtm(
        *("run", "demo_city", "--data-dir", DEMO_DATA, "--output", copied, "--json"),
        *("--set", "model.bootstrap.selections=0", "--set", "model.bootstrap.refits=0"),
    )
    assert answer.code == 0, answer.err
    assert answer.json["current"] is False
    assert "experiment" in answer.json["why_not_current"]
    assert current(copied) == before


def test_a_broken_configuration_does_not_take_the_other_cities_down(tmp_path: Path) -> None:
    configs = tmp_path / "configs"
    configs.mkdir()
    shutil.copy(ROOT / "configs" / "demo_city.yaml", configs)
    (configs / "broken.yaml").write_text("schema: 1\ncity: broken\n")
    defs = build_defs(config_dir=configs, data_dir=DEMO_DATA, output=tmp_path / "out")
    names = {job.name for job in defs.jobs or []}
    assert names == {"demo_city_nightly", "demo_city_whatif", "maintenance"}
    result = defs.resolve_implicit_global_asset_job_def().execute_in_process(
        asset_selection=[dg.AssetKey("broken_broken")], instance=dg.DagsterInstance.ephemeral(), raise_on_error=False
    )
    assert "timezone: this key is missing" in failure(result)
