"""The worked examples of the API page and of docstrings give what they say."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[3] / "docs"
MODULES = (
    "rtm_pipeline.config.json_schema",
    "rtm_pipeline.config.zone_proposal",
    "rtm_pipeline.grid.crs_proposal",
    "rtm_pipeline.layers.value_shapes",
    "rtm_pipeline.grid.locate",
    "rtm_pipeline.orchestration.assets",
)


def test_the_worked_engine_example_runs() -> None:
    found = doctest.testfile(str(DOCS / "api.md"), module_relative=False)
    assert found.attempted >= 10
    assert found.failed == 0


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_docstrings_run(name: str) -> None:
    found = doctest.testmod(importlib.import_module(name))
    assert found.attempted > 0
    assert found.failed == 0
