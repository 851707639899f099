"""GeoPackages: layers, styles, names for people, nulls, hostile text, and the same bytes every time."""

from __future__ import annotations

import hashlib
import sqlite3
import xml.etree.ElementTree as ET
from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyogrio
import pytest
import shapely
from fakes.release import FORMULA, INJECTION, SCRIPT

from rtm_pipeline.errors import PublishError
from rtm_pipeline.publication.content import ReleaseContent
from rtm_pipeline.publication.vectors.feature_tables import FeatureTable, alias_of, feature_tables
from rtm_pipeline.publication.vectors.geopackage import write_geopackage

LAYERS = {
    "priority_lots": "Point",
    "priority_buildings": "Point",
    "zones": "MultiPolygon",
    "neighborhoods": "MultiPolygon",
    "districts": "MultiPolygon",
    "study_area": "MultiPolygon",
    "frontier": None,
    "run_metadata": None,
    "data_dictionary": None,
    "layer_styles": None,
}


def query(path: Path, sql: str) -> list[tuple]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def test_the_layers_are_there(written) -> None:
    path = written.restricted / "priorities.gpkg"
    assert dict(pyogrio.list_layers(path).tolist()) == LAYERS
    assert query(path, "PRAGMA user_version") == [(10300,)], "GeoPackage 1.3"
    assert query(path, "PRAGMA integrity_check") == [("ok",)]
    assert query(path, "PRAGMA foreign_key_check") == []


def test_rows_come_through_as_they_are(written) -> None:
    """Integers stay integers, null stays null, true is no 1.0."""
    path = written.restricted / "priorities.gpkg"
    table = written.content.tables["priority_lots"]
    meta, read = pyogrio.read_arrow(path, layer="priority_lots")
    assert meta["crs"] == "EPSG:3436"
    for name in table.column_names:
        assert read.column(name).to_pylist() == table.column(name).to_pylist(), name
    points = shapely.from_wkb(read.column("geom").to_numpy(zero_copy_only=False))
    assert np.array_equal(shapely.get_x(points), table.column("x").to_numpy())
    assert table.column("cost_usd").null_count, "the test needs a null"


def test_a_zone_is_the_outline_of_its_cells(written) -> None:
    frame = pyogrio.read_dataframe(written.restricted / "priorities.gpkg", layer="zones")
    cells = [int(cell) for cell in frame["zone_cells"][0].split()]
    grid = written.content.grid
    shape = frame.geometry[0]
    assert shape.area == pytest.approx(len(cells) * grid.spec.cell_size_u**2)
    assert all(shape.contains(shapely.Point(grid.center_x_u[i], grid.center_y_u[i])) for i in cells)


def test_every_layer_with_a_place_has_a_default_style(written) -> None:
    for path, count in ((written.restricted / "priorities.gpkg", 6), (written.public / "neighborhoods.gpkg", 2)):
        rows = query(
            path, "SELECT f_table_name, f_geometry_column, useAsDefault, styleQML, f_table_schema FROM layer_styles"
        )
        columns = dict(query(path, "SELECT table_name, column_name FROM gpkg_geometry_columns"))
        assert {row[0] for row in rows} == set(columns)
        assert len(rows) == count
        for name, geometry, default, qml, schema in rows:
            assert geometry == columns[name]
            assert default == 1
            assert schema == "", "QGIS looks for the empty text"
            root = ET.fromstring(qml.split("\n", 1)[1])  # noqa: S314  (our own text)
            assert root.find("renderer-v2") is not None
            assert len(root.findall(".//alias")) >= 1
            assert root.findtext("mapTip")


def test_columns_have_names_for_people_and_meanings(written) -> None:
    rows = query(
        written.restricted / "priorities.gpkg",
        "SELECT column_name, name, description FROM gpkg_data_columns WHERE table_name = 'priority_lots'",
    )
    said = {column: (name, description) for column, name, description in rows}
    assert said["cost_usd"][0] == "Cost (USD)"
    assert said["prevented_per_10k_usd"][0] == "Prevented (incidents per 10,000 USD)"
    assert said["expected_prevented"][0] == "Expected prevented (incidents a year)"
    assert "Work and upkeep" in said["cost_usd"][1]
    assert set(said) == set(written.content.tables["priority_lots"].column_names)


def test_a_name_for_people_comes_once() -> None:
    fields = [pa.field("risk", pa.int64()), pa.field("Risk", pa.int64())]
    item = FeatureTable("t", "T", pa.Table.from_arrays([pa.array([1])] * 2, schema=pa.schema(fields)))
    assert item.aliases() == {"risk": "Risk", "Risk": "Risk (Risk)"}
    assert alias_of(pa.field("area_km2", pa.float64(), metadata={"unit": "km2"})) == "Area (km2)"


def test_the_dictionary_explains_every_column(written) -> None:
    frame = pyogrio.read_dataframe(written.restricted / "priorities.gpkg", layer="data_dictionary")
    for name, table in written.content.tables.items():
        if name in LAYERS:
            mine = frame[frame["table"] == name]
            assert set(mine["column"]) == set(table.column_names), name
            assert mine["description"].str.len().min() > 3, name


def test_bytes_are_the_same_and_the_clock_is_left_out(content: ReleaseContent, tmp_path: Path) -> None:
    before = pyogrio.get_gdal_config_option("OGR_CURRENT_DATE")
    digests = set()
    for attempt in "ab":
        path = tmp_path / f"{attempt}.gpkg"
        write_geopackage(path, feature_tables(content), crs=content.grid.spec.crs, as_of=content.as_of)
        digests.add(hashlib.sha256(path.read_bytes()).hexdigest())
    assert len(digests) == 1
    assert pyogrio.get_gdal_config_option("OGR_CURRENT_DATE") == before
    assert set(query(path, "SELECT last_change FROM gpkg_contents")) == {("2024-01-01T00:00:00.000Z",)}


def test_hostile_text_is_only_text(hostile) -> None:
    path = hostile.restricted / "priorities.gpkg"
    lots = pyogrio.read_dataframe(path, layer="priority_lots")
    assert len(lots) == 60
    assert set(lots["status"]) == {FORMULA}
    assert INJECTION in set(pyogrio.read_dataframe(path, layer="neighborhoods")["area"])
    facts = pyogrio.read_dataframe(path, layer="run_metadata")
    assert any("parks & <b>greens</b>" in str(value) for value in facts["value"])
    for (style,) in query(path, "SELECT styleQML FROM layer_styles"):
        ET.fromstring(style.split("\n", 1)[1])  # noqa: S314  (our own text)
        assert "<img" not in style
        assert SCRIPT not in style


def test_an_area_without_polygon_keeps_its_row(content: ReleaseContent, tmp_path: Path) -> None:
    import dataclasses

    half = dataclasses.replace(content, areas={"neighborhood": content.areas["neighborhood"]})
    tables = feature_tables(half)
    write_geopackage(tmp_path / "x.gpkg", tables, crs=content.grid.spec.crs, as_of=content.as_of)
    frame = pyogrio.read_dataframe(tmp_path / "x.gpkg", layer="districts")
    assert len(frame) == 2
    assert frame.geometry.isna().all()


def test_without_priorities_only_what_exists_is_written(content: ReleaseContent, tmp_path: Path) -> None:
    import dataclasses

    bare = dataclasses.replace(content, tables={}, areas={}, forecast=None, compared=None)
    write_geopackage(tmp_path / "x.gpkg", feature_tables(bare), crs=content.grid.spec.crs, as_of=content.as_of)
    assert set(dict(pyogrio.list_layers(tmp_path / "x.gpkg").tolist())) == {
        "study_area",
        "run_metadata",
        "layer_styles",
    }


def test_a_file_that_can_not_be_written_is_named(content: ReleaseContent, tmp_path: Path) -> None:
    with pytest.raises(PublishError, match=r"x\.gpkg could not be written"):
        write_geopackage(tmp_path / "no" / "x.gpkg", feature_tables(content), crs="EPSG:3436", as_of=content.as_of)


def test_parts_of_one_area_come_together(content: ReleaseContent) -> None:
    """A source may have a row for each island of a district."""
    import dataclasses

    from rtm_pipeline.publication.content import AreaPolygons

    parts = [shapely.box(0, 0, 1, 1), shapely.box(5, 0, 6, 2), shapely.box(9, 0, 10, 1)]
    names = ("District 1", "District 1", "District 2")
    areas = {"district": AreaPolygons("district", names, np.array(parts, dtype=object))}
    tables = {item.name: item for item in feature_tables(dataclasses.replace(content, areas=areas))}
    shapes = tables["districts"].geometry
    assert [shape.area for shape in shapes] == [3.0, 1.0]
    assert {shape.geom_type for shape in shapes} == {"MultiPolygon"}
