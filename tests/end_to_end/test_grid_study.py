"""`rtm stability`: the same fit on other grids, here or on a cluster."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.city import DEMO_DATA, ROOT, Command, Night

from rtm_pipeline.config.load import load_config
from rtm_pipeline.model.stability import GridChoice
from rtm_pipeline.orchestration.paths import Paths
from rtm_pipeline.orchestration.studies.grid_study import GridStudy, grid_study, stability_of

CELL = 250.0
OTHERS = (GridChoice(500.0), GridChoice(500.0, shift_x_u=250.0), GridChoice(500.0, rotation_deg=30.0))


@pytest.fixture(scope="module")
def study() -> GridStudy:
    loaded = load_config(ROOT / "configs" / "demo_city.yaml")
    return grid_study(loaded, Paths.resolve(config_dir=None, output=None, data_dir=DEMO_DATA))


def test_the_grid_itself_gives_the_model_of_the_night(study: GridStudy, demo_night: Night) -> None:
    import json

    published = json.loads((demo_night.release / "model.json").read_text())
    terrain = study(GridChoice(CELL))
    assert {term.variable.name: pytest.approx(term.coefficient, abs=1e-9) for term in terrain.terms} == {
        term["variable"]: term["coefficient"] for term in published["terms"]
    }
    assert terrain.n_events == published["n_events"]


def test_a_turned_grid_loses_no_incident(study: GridStudy) -> None:
    straight, turned = study(GridChoice(500.0)), study(GridChoice(500.0, rotation_deg=90.0))
    assert turned.n_events == straight.n_events
    assert turned.n_cells == pytest.approx(straight.n_cells, rel=0.05)
    assert {t.variable.factor for t in turned.terms} & {t.variable.factor for t in straight.terms}


@pytest.mark.acceptance
def test_a_dask_cluster_gives_the_rows_of_the_serial_run(study: GridStudy) -> None:
    serial = stability_of(study, OTHERS)
    assert len({row.choice for row in serial}) == len(OTHERS)
    assert stability_of(study, OTHERS, scheduler="local") == serial


@pytest.mark.acceptance
def test_the_command_tells_in_how_many_grids_a_factor_stands(rtm: Command) -> None:
    answer = rtm("stability", "demo_city", "--data-dir", DEMO_DATA, "--set", "area.cell_size=500 ft")
    assert answer.code == 0, answer.err
    assert "turned by 45 degrees" in answer.out
    assert "liquor: 9 of 9" in answer.out


def test_a_scheduler_that_is_not_there_is_one_clear_message(rtm: Command, tmp_path: Path) -> None:
    answer = rtm(
        *("stability", "demo_city", "--data-dir", DEMO_DATA, "--scheduler", "tcp://127.0.0.1:9"),
        *("--set", "area.cell_size=1000 ft"),
    )
    assert answer.code == 2
    assert "does not answer" in answer.err


def test_a_rotation_keeps_distances() -> None:
    from rtm_pipeline.orchestration.studies.grid_study import _Turn

    turn = _Turn(10.0, -5.0, np.cos(0.3), np.sin(0.3))
    x, y = np.random.default_rng(0).normal(0, 1000, (2, 50))
    u, v = turn.points(x, y)
    np.testing.assert_allclose(np.hypot(u[1:] - u[:-1], v[1:] - v[:-1]), np.hypot(np.diff(x), np.diff(y)))
