"""The real, faulty files of two cities: what `rtm check --sources` must count in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.city import Command


def years(found: dict[str, Any], step: str, what: str) -> list[int]:
    return [y[step][what] for y in found["outcome_by_year"]["years"] if 2017 <= y["year"] <= 2019]


def test_st_louis(trial_data: Path, rtm: Command) -> None:
    answer = rtm("check", "st_louis_2018", "--data-dir", trial_data / "st_louis", "--sources", "--json")
    assert answer.code == 0, answer.err
    found = answer.json
    files = found["sources"]["slmpd"]["files"]
    assert len(files) == 36
    renamed = {file["path"]: dict(file["renamed"]) for file in files if file["renamed"]}
    assert set(renamed) == {"slmpd/may2017.csv"}
    assert years(found, "located", "rows") == [6182, 5221, 5483]
    assert years(found, "unlocated", "rows") == [99, 88, 93]
    assert years(found, "located", "incidents") == [4979, 4213, 4361]
    # Reversals are netted on complaint and code: 40 to 90 incidents a year fewer.
    assert years(found, "standing", "rows") == [6095, 5129, 5406]
    assert years(found, "standing", "incidents") == [4915, 4134, 4297]
    lots, buildings = found["layers"]["vacant_lots"], found["layers"]["vacant_buildings"]
    assert lots["read"] - lots["filtered"] == 18_099
    assert buildings["read"] - buildings["filtered"] == 7_499
    assert lots["quarantined"]["no_location"] + buildings["quarantined"]["no_location"] == 25
    assert lots["duplicate"] + buildings["duplicate"] == 681


def test_kansas_city(trial_data: Path, rtm: Command) -> None:
    answer = rtm("check", "kansas_city_2017", "--data-dir", trial_data / "kansas_city", "--sources", "--json")
    assert answer.code == 0, answer.err
    found = answer.json
    assert found["sources"]["kcpd"]["read"] == 32_283
    assert found["sources"]["parcels"]["read"] == 204_762
    assert years(found, "wanted", "rows") == [4_637]
    assert years(found, "inside", "rows") == [4_570]
    assert years(found, "inside", "incidents") == [3_423]
    assert years(found, "counted", "incidents") == [3_394]
    assert found["layers"]["violence"]["quarantined"]["default_geocode"] == 36
    lots = found["layers"]["vacant_lots"]
    assert lots["read"] - lots["filtered_by"]["where"] == 20_444
    assert lots["inside"] == 20_385


@pytest.mark.parametrize("city", ["st_louis_2018", "kansas_city_2017", "kansas_city_midtown"])
def test_every_row_of_every_layer_is_accounted_for(trial_data: Path, rtm: Command, city: str) -> None:
    folder = trial_data / ("st_louis" if city.startswith("st_louis") else "kansas_city")
    answer = rtm("check", city, "--data-dir", folder, "--sources", "--json")
    assert answer.code == 0, answer.err
    for name, layer in answer.json["layers"].items():
        total = layer["kept"] + layer["filtered"] + layer["duplicate"] + sum(layer["quarantined"].values())
        assert total == layer["read"], name
