"""A new city's first configuration: valid, with a CRS that fits the place, and led to the end by `rtm check`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from support.city import Command

from rtm_pipeline.config.document import load_document
from rtm_pipeline.config.json_schema import config_schema
from rtm_pipeline.config.load import load_config
from rtm_pipeline.config.new_city import new_city
from rtm_pipeline.config.placeholders import placeholders
from rtm_pipeline.config.zone_proposal import propose_zone
from rtm_pipeline.errors import ConfigError
from rtm_pipeline.grid.crs_proposal import propose_crs


def square(west: float, south: float, side: float = 0.1) -> dict[str, Any]:
    ring = [[west, south], [west + side, south], [west + side, south + side], [west, south + side], [west, south]]
    return {
        "type": "FeatureCollection",
        "features": [{"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [ring]}}],
    }


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    (folder / "crime").mkdir(parents=True)
    (folder / "limits.geojson").write_text(json.dumps(square(-94.75, 39.05)))
    for month in (1, 2, 3):
        (folder / "crime" / f"incidents_2024-{month:02d}.csv").write_text("Case No;Occurred On;Offense;Lat;Lng\n")
    (folder / "vacant lots.csv").write_text("parcel,listed,x_coord,y_coord\n")
    return folder


@pytest.mark.parametrize(
    ("bounds", "code"),
    [
        ((-94.7, 38.8, -94.4, 39.3), "ESRI:102698"),  # Missouri West
        ((-83.3, 42.2, -82.9, 42.5), "EPSG:2253"),  # Michigan South, international feet
        ((-89.7, 39.75, -89.6, 39.85), "EPSG:3436"),  # Illinois West, as Riverbend's configuration has it
        ((-43.8, -23.1, -43.1, -22.7), "EPSG:32723"),  # south of the equator
    ],
)
def test_the_zone_that_holds_the_place(bounds: tuple[float, float, float, float], code: str) -> None:
    found = propose_crs(bounds)
    assert found.code == code
    assert found.parts_in_10_000 < 10


def test_a_place_at_a_state_line_is_told_of_both_zones() -> None:
    found = propose_crs((-94.75, 39.05, -94.65, 39.15))
    assert {found.code, *(code for code, _ in found.others)} == {"ESRI:102698", "EPSG:3419"}


@pytest.mark.parametrize("bounds", [(300000.0, 0.0, 310000.0, 10.0), (-100.0, 30.0, -80.0, 40.0)])
def test_bounds_of_no_city_are_refused(bounds: tuple[float, float, float, float]) -> None:
    with pytest.raises(ConfigError):
        propose_crs(bounds)


def test_it_is_valid_from_the_start_and_knows_the_files(data: Path, tmp_path: Path) -> None:
    made = new_city("twin_oaks", data / "limits.geojson")
    path = tmp_path / "twin_oaks.yaml"
    path.write_text(made.text)
    city = load_config(path).city
    assert jsonschema.Draft202012Validator(config_schema()).is_valid(load_document(path).values)
    assert city.timezone == "America/Chicago"
    assert city.sources["incidents"].path == "crime/incidents*.csv"  # type: ignore[union-attr]
    assert city.sources["incidents"].delimiter == ";"  # type: ignore[union-attr]
    assert city.layers["violence"].geometry.columns == ("Lat", "Lng")
    assert city.layers["violence"].date is not None
    assert city.layers["violence"].date.column == "Occurred On"
    assert '{kind: file, path: "vacant lots.csv"' in made.text
    assert "x: x_coord, y: y_coord, crs: REPLACE_ME" in made.text


def test_a_series_of_files_is_taken_for_the_incidents_whatever_its_language(tmp_path: Path) -> None:
    """A city of Germany: the names tell nothing, but one file a year is there, and the zone is not America's."""
    (tmp_path / "limits.geojson").write_text(json.dumps(square(9.9, 53.6)))
    for year in (2022, 2023):
        (tmp_path / f"vorgaenge_{year}.csv").write_text("Nummer;Tatzeit;Rechtswert;Hochwert\n")
    (tmp_path / "gaststaetten.csv").write_text("lfd,lat,lon\n")
    made = new_city("nordhafen", tmp_path / "limits.geojson")
    assert made.timezone == "Europe/Berlin"
    assert "incidents: {kind: file, path: vorgaenge*.csv" in made.text
    assert "its columns: Nummer, Tatzeit, Rechtswert, Hochwert" in made.text
    assert "# gaststaetten:" in made.text
    (tmp_path / "nordhafen.yaml").write_text(made.text)
    marks = placeholders(load_document(tmp_path / "nordhafen.yaml"))
    assert "layers.violence.geometry.lat" in [key for _, key in marks]
    assert not [key for _, key in marks if key.endswith(".0")]


@pytest.mark.parametrize(
    ("lon", "lat", "zone"),
    [(-46.6, -23.5, "America/Sao_Paulo"), (-93.3, 44.9, "America/Chicago"), (174.8, -36.8, "Pacific/Auckland")],
)
def test_the_zone_is_that_of_the_nearest_namesake(lon: float, lat: float, zone: str) -> None:
    assert propose_zone((lon - 0.1, lat - 0.1, lon + 0.1, lat + 0.1)) == zone


def test_taking_the_marks_off_a_proposed_layer_gives_a_valid_one(data: Path, tmp_path: Path) -> None:
    lines = []
    for line in new_city("twin_oaks", data / "limits.geojson").text.splitlines():
        taken = "vacant_lots" in line or line.startswith("  #   ")
        lines.append(line.replace("  # ", "  ", 1) if taken and "Offense" not in line else line)
    text = "\n".join(lines).replace("factors: {}", "factors:").replace("origin: REPLACE_ME", "origin: registry")
    path = tmp_path / "twin_oaks.yaml"
    path.write_text(text)
    city = load_config(path).city
    assert city.factors["vacant_lots"].layer == "vacant_lots"
    assert city.layers["vacant_lots"].geometry.columns == ("x_coord", "y_coord")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "can't be read"),
        (
            json.dumps(square(-94.75, 39.05))
            .replace("Polygon", "LineString")
            .replace("[[[", "[[")
            .replace("]]]", "]]"),
            "no polygon",
        ),
    ],
    ids=["empty", "no polygon"],
)
def test_a_boundary_that_is_none_is_refused(tmp_path: Path, content: str, words: str) -> None:
    boundary = tmp_path / "limits.geojson"
    boundary.write_text(content)
    with pytest.raises(ConfigError, match=words):
        new_city("twin_oaks", boundary)


def test_check_leads_from_one_thing_to_the_next(data: Path, tmp_path: Path, rtm: Command) -> None:
    configs = tmp_path / "configs"
    base = ("--config-dir", configs, "--data-dir", data)
    made = rtm("new-city", "twin_oaks", "--boundary", data / "limits.geojson", "--json", *base)
    assert made.code == 0, made.err
    assert (configs / "rtm.schema.json").is_file()
    assert "--force" in rtm("new-city", "twin_oaks", "--boundary", data / "limits.geojson", *base).err
    path = Path(made.json["config"])

    first = rtm("check", "twin_oaks", *base)
    assert first.code == 2
    line = next(n for n, text in enumerate(path.read_text().splitlines(), 1) if "REPLACE_ME_OFFENSE" in text)
    assert f"twin_oaks.yaml:{line}: layers.violence.where.REPLACE_ME_OFFENSE_COLUMN" in first.out

    path.write_text(path.read_text().replace("REPLACE_ME_OFFENSE_COLUMN: [REPLACE_ME]", "Offence: [Robbery]"))
    second = rtm("check", "twin_oaks", *base, "--json")
    assert second.code == 0
    assert "'Offence'" in second.json["missing"][0]
    assert "Did you mean 'Offense'" in second.json["missing"][0]
    assert "factors" in second.json["missing"][-1]

    path.write_text(path.read_text().replace("Offence:", "Offense:").replace("crime/incidents", "crimes/incidents"))
    assert "no file matches 'crimes/incidents*.csv'" in rtm("check", "twin_oaks", *base).out
    path.write_text(
        path.read_text().replace("crimes/incidents", "crime/incidents").replace('delimiter: ";"', 'delimiter: ","')
    )
    assert "parted by ';'" in rtm("check", "twin_oaks", *base).out
    assert "--data-dir" in rtm("check", "twin_oaks", "--config-dir", configs).out


def test_the_schema_is_printed_and_written(rtm: Command, tmp_path: Path) -> None:
    assert rtm("schema").json == config_schema()
    answer = rtm("schema", "--out", tmp_path / "city.json")
    assert "# yaml-language-server: $schema=city.json" in answer.out
    assert json.loads((tmp_path / "city.json").read_text()) == config_schema()
