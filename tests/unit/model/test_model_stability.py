"""The stability table does not depend on where the fits run."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from rtm_pipeline.errors import ModelError
from rtm_pipeline.model.engine import fit_rtm
from rtm_pipeline.model.spec import BootstrapSpec, ModelSpec
from rtm_pipeline.model.stability import GridChoice, stability, stability_choices
from rtm_pipeline.model.table import design_from_table

SPEC = ModelSpec(screen=False, bootstrap=BootstrapSpec(0, 0))


def fit(choice):
    """A small city: one hot place, cells of the chosen grid around it."""
    rng = np.random.default_rng(1)
    points = rng.uniform(-1000, 1000, (4000, 2))
    events = np.concatenate([rng.normal(0, 150, (300, 2)), rng.uniform(-1000, 1000, (200, 2))])
    angle = np.deg2rad(choice.rotation_deg)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    shift = np.array([choice.shift_x_u, choice.shift_y_u])

    def cell(xy):
        return np.floor((xy @ turn - shift) / choice.cell_size_u).astype(int)

    cells, index = np.unique(cell(np.concatenate([points, events])), axis=0, return_inverse=True)
    counts = np.bincount(index[4000:], minlength=len(cells))
    centers = ((cells + 0.5) * choice.cell_size_u + shift) @ turn.T
    distance = np.hypot(*centers.T)
    columns = {f"bar_{h}": distance <= h for h in (150, 300, 450)} | {"odd": cells[:, 0] % 2 == 1}
    return fit_rtm(design_from_table(columns, counts, factor_of="(bar)"), SPEC).terrain


def serial(f, items):
    return [f(item) for item in items]


def test_parallel_equals_serial():
    choices = stability_choices(200.0)
    table = stability(fit, choices)
    with ThreadPoolExecutor(2) as pool:
        assert stability(fit, choices, map_calls=pool.map) == table
    assert [row.choice for row in table if row.factor == "bar"] == list(choices)
    assert len({row.n_cells for row in table}) > 3


def test_futures_are_gathered_as_dask_does():
    """A client maps to futures; the caller's lambda gathers them."""

    class Client:
        def map(self, f, items):
            with ThreadPoolExecutor(2) as pool:
                return [pool.submit(f, item) for item in items]

        def gather(self, futures):
            return [future.result() for future in futures]

    client, choices = Client(), stability_choices(250.0)[:3]
    table = stability(fit, choices, map_calls=lambda f, items: client.gather(client.map(f, items)))
    assert table == stability(fit, choices, map_calls=serial)


def test_null_model_has_a_row():
    rng = np.random.default_rng(2)

    def flat(choice):
        return fit_rtm(design_from_table({"x": rng.random(50) < 0.5}, [1] * 50), SPEC).terrain

    (row,) = stability(flat, [GridChoice(100.0)])
    assert row.variable is None
    assert row.n_cells == 50


def test_lost_results_are_an_error():
    with pytest.raises(ModelError, match="keep them all"):
        stability(fit, stability_choices(250.0)[:3], map_calls=lambda f, items: [f(items[0])])
