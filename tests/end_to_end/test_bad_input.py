"""What a user gets for a mistake: one clear message, the right exit code, nothing half-written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from support.city import DEMO_DATA, QUICK, ROOT, Answer, Command

CONFIG = ROOT / "configs" / "demo_city.yaml"
Case = Callable[[Path, Path], None]


@pytest.fixture
def city(tmp_path: Path) -> tuple[Path, Path]:
    """A copy of the made city and of its configuration, to be damaged."""
    data = tmp_path / "data"
    shutil.copytree(DEMO_DATA, data, ignore=shutil.ignore_patterns("maker", "__pycache__", "*.py", "*.md", "truth*"))
    config = tmp_path / "demo_city.yaml"
    config.write_text(CONFIG.read_text())
    return data, config


def replace_in(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text, (path, old)
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def cut_last_record(data: Path, _: Path) -> None:
    path = data / "vacant_lots.csv"
    path.write_bytes(path.read_bytes().rstrip()[:-40])


def open_quote(data: Path, _: Path) -> None:
    path = data / "vacant_lots.csv"
    content = path.read_bytes().rstrip()
    assert content.endswith(b'"')
    path.write_bytes(content[:-1] + b"\n")


def no_rows(data: Path, _: Path) -> None:
    path = data / "vacant_lots.csv"
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])


def one_file_less(data: Path, _: Path) -> None:
    next(iter(sorted((data / "crime").glob("*.csv")))).unlink()


def renamed_column(data: Path, _: Path) -> None:
    path = data / "vacant_lots.csv"
    head, _, rest = path.read_bytes().partition(b"\n")
    path.write_bytes(head.replace(b"LATITUDE", b"LATTITUDE_WGS") + b"\n" + rest)


def html_for_csv(data: Path, _: Path) -> None:
    (data / "vacant_lots.csv").write_text("<!DOCTYPE html><html><body>Service unavailable</body></html>")


def no_area(data: Path, _: Path) -> None:
    collapsed = {"type": "Polygon", "coordinates": [[[-90.0, 39.0], [-90.1, 39.1], [-90.0, 39.0], [-90.0, 39.0]]]}
    feature = {"type": "Feature", "properties": {}, "geometry": collapsed}
    (data / "city_limits.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))


DATA_FAULTS: list[tuple[Case, str]] = [
    (cut_last_record, "vacant_lots.csv"),
    (open_quote, "vacant_lots.csv"),
    (no_rows, "vacant_lots"),
    (one_file_less, "37"),
    (renamed_column, "LATITUDE"),
    (html_for_csv, "vacant_lots.csv"),
    (no_area, "area"),
]


def is_one_clear_message(answer: Answer) -> None:
    assert "Traceback" not in answer.err
    assert answer.err.startswith("rtm: ")
    assert answer.out == ""


@pytest.mark.acceptance
@pytest.mark.parametrize(("damage", "named"), DATA_FAULTS, ids=[case.__name__ for case, _ in DATA_FAULTS])
def test_data_that_fails_stops_the_night_with_3(
    city: tuple[Path, Path], tmp_path: Path, rtm: Command, damage: Case, named: str
) -> None:
    data, config = city
    damage(data, config)
    answer = rtm("run", config, "--data-dir", data, "--output", tmp_path / "out", *QUICK)
    is_one_clear_message(answer)
    assert answer.code == 3, answer.err
    assert named in answer.err
    assert not (tmp_path / "out" / "releases").exists()


@pytest.mark.acceptance
def test_a_missing_file_is_a_wrong_request(city: tuple[Path, Path], tmp_path: Path, rtm: Command) -> None:
    data, config = city
    (data / "bus_stops.csv").unlink()
    answer = rtm("run", config, "--data-dir", data, "--output", tmp_path / "out", *QUICK)
    is_one_clear_message(answer)
    assert answer.code == 2
    assert "bus_stops.csv" in answer.err
    assert not (tmp_path / "out" / "releases").exists()


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("cell_size: 250 ft", "cell_sise: 250 ft", "Did you mean 'cell_size'?"),
        ("crs: EPSG:3436              #", "crs: EPSG:4326              #", "projected"),
        ("crs: EPSG:3436              #", "crs: EPSG:999999            #", "EPSG:999999"),
    ],
)
def test_a_wrong_configuration_is_told_before_anything_is_read(
    city: tuple[Path, Path], tmp_path: Path, rtm: Command, old: str, new: str, named: str
) -> None:
    data, config = city
    replace_in(config, old, new)
    answer = rtm("run", config, "--data-dir", data, "--output", tmp_path / "out")
    is_one_clear_message(answer)
    assert answer.code == 2
    assert named in answer.err
    assert not (tmp_path / "out").exists()


def test_a_wrong_data_folder_is_told(tmp_path: Path, rtm: Command) -> None:
    answer = rtm("run", "demo_city", "--data-dir", tmp_path / "nowhere", "--output", tmp_path / "out")
    is_one_clear_message(answer)
    assert answer.code == 2
    assert "nowhere" in answer.err


def test_a_wrong_option_is_told(rtm: Command) -> None:
    assert rtm("run", "demo_city", "--bogus").code == 2
    assert rtm("run").code == 2
    assert rtm("run", "demo_city", "--as-of", "yesterday").code == 2
    assert rtm("frobnicate").code == 2


@pytest.mark.acceptance
def test_coordinates_in_the_wrong_crs_are_told(city: tuple[Path, Path], tmp_path: Path, rtm: Command) -> None:
    """Feet read as degrees: nothing of the layer lies anywhere near the city."""
    data, config = city
    replace_in(config, "{x: x_coord, y: y_coord, crs: EPSG:3436}", "{x: x_coord, y: y_coord, crs: EPSG:4326}")
    answer = rtm("run", config, "--data-dir", data, "--output", tmp_path / "out", *QUICK)
    is_one_clear_message(answer)
    assert answer.code == 3
    assert "bus_stops" in answer.err


def test_bow_ties_in_a_layer_are_repaired_and_counted(rtm: Command) -> None:
    answer = rtm("check", "demo_city", "--data-dir", DEMO_DATA, "--sources", "--json")
    assert answer.code == 0, answer.err
    parcels = answer.json["layers"]["vacant_parcels"]
    truth = json.loads((DEMO_DATA / "truth.json").read_text())["layers"]["vacant_parcels"]
    assert parcels["kept"] == truth["kept"]
    assert truth["kept_by"]["invalid_polygon"] > 0
    assert str(truth["kept_by"]["invalid_polygon"]) in json.dumps(parcels["notes"])


def test_check_tells_of_a_source_that_fails_and_exits_with_3(city: tuple[Path, Path], rtm: Command) -> None:
    data, config = city
    cut_last_record(data, config)
    answer = rtm("check", config, "--data-dir", data, "--sources")
    assert answer.code == 3
    assert "vacant_lots.csv" in answer.out + answer.err
    assert "violence" in answer.out
