"""Which areas a step takes does not hang on the order of a file: stored settings sort their keys."""

from __future__ import annotations

import dataclasses

from support.city import ROOT

from rtm_pipeline.config.load import load_config
from rtm_pipeline.orchestration.steps.evaluation import area_layers
from rtm_pipeline.orchestration.steps.evidence import first_areas


def test_the_first_areas_are_the_neighborhoods_in_whatever_order_they_come() -> None:
    city = load_config(ROOT / "configs" / "demo_city.yaml").city
    written = dataclasses.replace(city, programs=None)
    stored = dataclasses.replace(written, layers=dict(sorted(city.layers.items())))
    assert list(written.layers) != list(stored.layers)
    assert area_layers(written) == area_layers(stored) == ("council_districts", "neighborhoods")
    assert first_areas(written) == first_areas(stored) == ("neighborhoods",)
