"""The engine finds what was planted: benchmarks/planted.py, small in every run and whole in acceptance."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from rtm_pipeline.model.spec import BootstrapSpec

HARNESS = Path(__file__).parents[3] / "benchmarks" / "planted.py"


@pytest.fixture(scope="module")
def planted():
    spec = importlib.util.spec_from_file_location("planted_harness", HARNESS)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def found(results, least):
    return [item for result in results for item in result["found"] if item["rrv"] >= least]


def test_a_few_cities(planted):
    results = [planted.run(seed, BootstrapSpec(100, 0), "simulated") for seed in range(100, 105)]
    strong = found(results, 2.0)
    assert len(strong) >= 8
    assert np.mean([item["factor"] for item in strong]) > 0.9
    assert np.mean([item["adjacent"] for item in strong]) > 0.8
    assert np.mean([result["false"] for result in results]) < 1.0
    assert np.mean([item["covered"] for item in strong if item["covered"] is not None]) > 0.6
    assert "RRV" in planted.table(results)


def test_exposed_incidents_are_as_many_as_promised(planted):
    for seed in range(3):
        city = planted.simulate(seed)
        columns = {variable.name: x for variable, x in planted._columns(city.design)}
        for name in city.truth:
            exposed = city.design.counts[columns[name] > 0].sum()
            assert exposed > 200 - 6 * np.sqrt(200 * (1 + city.dispersion * 10))
        assert len({name.split("_")[0] for name in city.truth}) == len(city.truth)


@pytest.mark.acceptance
def test_fifty_cities(planted):
    """Recall of at least 90 % from an RRV of 2, under half a false selection a model, coverage of 80 to 97 %."""
    results = [planted.run(seed, BootstrapSpec(1000, 0), "simulated") for seed in range(50)]
    print(planted.table(results))
    assert np.mean([item["adjacent"] for item in found(results, 2.0)]) > 0.9
    assert np.mean([result["false"] for result in results]) < 0.5
    covered = [item["covered"] for item in found(results, 0.0) if item["covered"] is not None]
    assert len(covered) > 150
    assert 0.80 <= np.mean(covered) <= 0.97
