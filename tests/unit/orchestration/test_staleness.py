"""Values made under other settings or from other data are refused by name, never mixed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rtm_pipeline.config.load import load_config
from rtm_pipeline.errors import StaleArtifactError
from rtm_pipeline.orchestration.artifacts import ArtifactStore
from rtm_pipeline.orchestration.settings import Settings, launch_settings
from rtm_pipeline.orchestration.step import Step, StepResult, recipes, stale_inputs

CONFIG = Path(__file__).parents[3] / "configs" / "st_louis_2018.yaml"


def step(name: str, inputs: tuple[str, ...], reads: Any) -> Step:
    return Step(name, inputs, reads, lambda context, values: StepResult(None), "group", "words")


GRID = step("grid", (), lambda city, _: city.area.cell_size_u)
LAYER = step("layer", (), lambda city, _: city.layers["vacant_lots"])
FACTOR = step("factor", ("grid", "layer"), lambda city, _: city.factors["vacant_lots"])
MODEL = step("model", ("factor", "layer"), lambda city, _: city.model)
STEPS = {s.name: s for s in (GRID, LAYER, FACTOR, MODEL)}


@pytest.fixture
def settings() -> Settings:
    loaded = load_config(CONFIG)
    return launch_settings(loaded.settings, overridden=False, tick=None, fields={})


def make_all(store: ArtifactStore, settings: Settings, names: list[str] | None = None) -> None:
    wanted = recipes(STEPS, settings)
    for name in names or list(STEPS):
        inputs = {parent: store.header(parent).content for parent in STEPS[name].inputs}  # type: ignore[union-attr]
        store.save(name, f"{name} under {wanted[name]}", recipe=wanted[name], inputs=inputs)


def changed(settings: Settings, **fields: Any) -> Settings:
    return launch_settings(settings.config, overridden=False, tick=None, fields=fields)


def test_fresh_values_are_used(tmp_path: Path, settings: Settings) -> None:
    store = ArtifactStore(tmp_path, "city")
    make_all(store, settings)
    assert stale_inputs(MODEL, STEPS, recipes(STEPS, settings), store) == []


def test_another_cell_size_makes_grid_and_factor_stale_in_order(tmp_path: Path, settings: Settings) -> None:
    store = ArtifactStore(tmp_path, "city")
    make_all(store, settings)
    assert stale_inputs(MODEL, STEPS, recipes(STEPS, changed(settings, cell_size="500 ft")), store) == [
        "grid",
        "factor",
    ]


def test_a_setting_that_only_the_model_reads_leaves_factors_valid(tmp_path: Path, settings: Settings) -> None:
    store = ArtifactStore(tmp_path, "city")
    make_all(store, settings)
    assert stale_inputs(MODEL, STEPS, recipes(STEPS, changed(settings, family="nb2")), store) == []


def test_remaking_one_step_under_other_settings_does_not_cure_the_rest(tmp_path: Path, settings: Settings) -> None:
    store = ArtifactStore(tmp_path, "city")
    make_all(store, settings)
    other = changed(settings, cell_size="500 ft")
    make_all(store, other, ["factor"])
    assert stale_inputs(MODEL, STEPS, recipes(STEPS, other), store) == ["grid", "factor"]
    assert stale_inputs(FACTOR, STEPS, recipes(STEPS, other), store) == ["grid"]


def test_new_data_upstream_makes_what_was_made_from_the_old_stale(tmp_path: Path, settings: Settings) -> None:
    store = ArtifactStore(tmp_path, "city")
    make_all(store, settings)
    store.save("layer", "tonight's rows", recipe=recipes(STEPS, settings)["layer"], inputs={})
    assert stale_inputs(MODEL, STEPS, recipes(STEPS, settings), store) == ["factor"]


def test_a_value_that_was_never_made_is_named(tmp_path: Path, settings: Settings) -> None:
    store = ArtifactStore(tmp_path, "city")
    make_all(store, settings, ["grid"])
    assert stale_inputs(FACTOR, STEPS, recipes(STEPS, settings), store) == ["layer"]
    with pytest.raises(StaleArtifactError, match="Materialize layer first"):
        store.load("layer")


def test_a_damaged_file_is_refused(tmp_path: Path, settings: Settings) -> None:
    store = ArtifactStore(tmp_path, "city")
    make_all(store, settings)
    path = store.path("grid")
    path.write_bytes(path.read_bytes()[:-3] + b"xyz")
    with pytest.raises(StaleArtifactError, match="damaged"):
        ArtifactStore(tmp_path, "city").load("grid")


def test_values_survive_the_way_through_the_disk(tmp_path: Path, settings: Settings) -> None:
    ArtifactStore(tmp_path, "city").save("settings", settings, recipe="settings", inputs={})
    assert ArtifactStore(tmp_path, "city").load("settings").value == settings


def test_a_launch_with_fields_is_an_experiment(settings: Settings) -> None:
    assert settings.changed == ()
    assert changed(settings, family="nb1", max_influence="2 blocks").changed == ("family", "max_influence")
    assert changed(settings, max_influence="2 blocks").city.area.buffer_u == 1000.0
    assert replace(settings, promote=True).promote
