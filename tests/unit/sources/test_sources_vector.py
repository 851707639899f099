"""Vector files and GeoParquet: declared attributes as stable text, geometry as WKB, CRS never guessed."""

from __future__ import annotations

import gzip
import json
import zipfile
from datetime import date

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import pytest
import shapely
from shapely.geometry import Point, box

from rtm_pipeline.errors import ConfigError, SchemaError, SourceError
from rtm_pipeline.sources.files.files import read_files
from rtm_pipeline.sources.spec import ColumnRequest, FileSource

REQUEST = tuple(ColumnRequest(name) for name in ("name", "units", "share", "seen"))
EXPECTED = [("a", "1", "0.5", "2018-01-31"), (None, "10019000015", "2", None), ("ü", "3", None, "1999-12-31")]


def frame(crs="EPSG:26915"):
    return gpd.GeoDataFrame(
        {
            "name": [" a ", None, "ü"],
            "units": [1, 10019000015, 3],
            "share": [0.5, 2.0, np.nan],
            "seen": pd.Series([date(2018, 1, 31), None, date(1999, 12, 31)], dtype=object),
            "owner": ["CANARY"] * 3,
        },
        geometry=[Point(1, 2), None, Point(5, 6)],
        crs=crs,
    )


def read(folder, path, request=REQUEST, geometry=True, **spec):
    return read_files(FileSource("src", path, **spec), request, data_dir=folder, geometry=geometry)


def rows(result):
    return [tuple(row[name] for name in result.columns) for row in result.table.to_pylist()]


def points(result):
    shapes = shapely.from_wkb(result.table.column("geometry").to_numpy(zero_copy_only=False))
    return [None if shape is None else (shape.x, shape.y) for shape in shapes]


def check(result, crs="EPSG:26915"):
    assert rows(result) == EXPECTED
    assert points(result) == [(1, 2), None, (5, 6)]
    assert result.table.schema.field("geometry").type == pa.binary()
    assert result.table.column_names[-4:] == ["_file", "_row", "_malformed", "geometry"]
    assert result.crs == crs == result.files[0].crs
    assert "owner" in result.files[0].dropped
    assert "CANARY" not in str(result.table.to_pylist())


def test_geopackage(tmp_path):
    frame().to_file(tmp_path / "x.gpkg", engine="pyogrio")
    check(read(tmp_path, "x.gpkg"))
    (tmp_path / "x.gpkg.gz").write_bytes(gzip.compress((tmp_path / "x.gpkg").read_bytes()))
    check(read(tmp_path, "x.gpkg.gz"))


def test_shapefile_plain_and_zipped(tmp_path):
    frame().to_file(tmp_path / "x.shp", engine="pyogrio")
    result = read(tmp_path, "x.shp")
    assert rows(result) == EXPECTED
    assert points(result) == [(1, 2), None, (5, 6)]
    with zipfile.ZipFile(tmp_path / "z.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(tmp_path.glob("x.*")):
            archive.write(path, f"inner folder/{path.name}")
    zipped = read(tmp_path, "z.zip")
    assert zipped.files[0].path == "z.zip/inner folder/x.shp"
    assert zipped.table.equals(result.table)
    assert zipped.crs == result.crs == "EPSG:26915"


def test_file_geodatabase_folder_and_zipped(tmp_path):
    if "OpenFileGDB" not in pyogrio.list_drivers(write=True):
        pytest.skip("this GDAL can't write a File Geodatabase to test with")
    pyogrio.write_dataframe(frame(), tmp_path / "x.gdb", driver="OpenFileGDB", layer="lots")
    result = read(tmp_path, "x.gdb")
    assert [row[0] for row in rows(result)] == ["a", None, "ü"]
    assert points(result) == [(1, 2), None, (5, 6)]
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        for path in sorted((tmp_path / "x.gdb").iterdir()):
            archive.write(path, f"x.gdb/{path.name}")
    assert read(tmp_path, "z.zip").table.equals(result.table)


def test_geojson_keeps_text_as_it_stands(tmp_path):
    features = [
        {"type": "Feature", "properties": p, "geometry": g}
        for p, g in (
            (
                {
                    "name": "a",
                    "seen": "2018/01/31",
                    "id": "007",
                    "n": 5,
                    "f": 5.0,
                    "l": ["x", 1],
                    "o": {"b": 1, "a": 2},
                },
                {"type": "Point", "coordinates": [1, 2]},
            ),
            ({"name": None, "seen": "2018-01-31T05:06:07.000", "id": "8", "n": None, "f": 0.25}, None),
        )
    ]
    (tmp_path / "x.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    result = read(tmp_path, "x.geojson", tuple(ColumnRequest(c) for c in ("name", "seen", "id", "n", "f", "o")))
    first, second = rows(result)
    assert first[:5] == ("a", "2018/01/31", "007", "5", "5")
    assert json.loads(first[5]) == {"a": 2, "b": 1}
    assert second == (None, "2018-01-31T05:06:07.000", "8", None, "0.25", None)
    assert points(result) == [(1, 2), None]
    assert result.crs == "EPSG:4326"


def test_cut_geojson_and_geopackage(tmp_path):
    frame("EPSG:4326").to_file(tmp_path / "x.geojson", engine="pyogrio")
    whole = (tmp_path / "x.geojson").read_bytes()
    for share in (0.3, 0.6, 0.9):
        (tmp_path / "x.geojson").write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(SourceError, match=r"x\.geojson"):
            read(tmp_path, "x.geojson")
    frame().to_file(tmp_path / "x.gpkg", engine="pyogrio")
    whole = (tmp_path / "x.gpkg").read_bytes()
    for share in (0.001, 0.3, 0.6):
        (tmp_path / "x.gpkg").write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(SourceError, match=r"x\.gpkg"):
            read(tmp_path, "x.gpkg")


@pytest.mark.parametrize("ending", [".shp", ".dbf", ".shx"])
def test_cut_shapefile(tmp_path, ending):
    gdf = gpd.GeoDataFrame({"name": [f"n{i:030d}" for i in range(500)]}, geometry=[Point(i, i) for i in range(500)])
    gdf.set_crs("EPSG:26915").to_file(tmp_path / "x.shp", engine="pyogrio")
    path = tmp_path / f"x{ending}"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SourceError, match=r"x\.shp"):
        read(tmp_path, "x.shp", (ColumnRequest("name"),))


@pytest.mark.parametrize("ending", [".shp", ".dbf", ".shx"])
def test_shapefile_without_a_part_or_with_a_foreign_one(tmp_path, ending):
    frame().to_file(tmp_path / "x.shp", engine="pyogrio")
    frame().iloc[:1].to_file(tmp_path / "other.shp", engine="pyogrio")
    (tmp_path / f"x{ending}").unlink()
    if ending != ".shp":
        with pytest.raises(SourceError, match=rf"\{ending} is missing"):
            read(tmp_path, "x.shp")
    if ending == ".dbf":
        (tmp_path / "other.dbf").rename(tmp_path / "x.dbf")
        with pytest.raises(SourceError, match="3 shapes and 1 rows"):
            read(tmp_path, "x.shp")


def test_several_layers_need_a_sheet(tmp_path):
    frame().to_file(tmp_path / "x.gpkg", layer="lots", engine="pyogrio")
    frame().iloc[:1].to_file(tmp_path / "x.gpkg", layer="plots", engine="pyogrio")
    with pytest.raises(ConfigError, match=r"2 layers: 'lots', 'plots'.*sheet"):
        read(tmp_path, "x.gpkg")
    with pytest.raises(ConfigError, match=r"no layer 'lot'.*Did you mean 'lots'"):
        read(tmp_path, "x.gpkg", sheet="lot")
    assert read(tmp_path, "x.gpkg", sheet="plots").table.num_rows == 1


def test_crs_is_never_guessed(tmp_path):
    with pytest.warns(UserWarning, match="crs"):
        frame(None).to_file(tmp_path / "x.shp", engine="pyogrio")
    with pytest.raises(SchemaError, match=r"does not say its CRS"):
        read(tmp_path, "x.shp")
    assert read(tmp_path, "x.shp", crs="EPSG:26915").crs == "EPSG:26915"
    assert read(tmp_path, "x.shp", geometry=False).crs is None
    frame().to_file(tmp_path / "y.gpkg", engine="pyogrio")
    assert read(tmp_path, "y.gpkg", crs="EPSG:4326").crs == "EPSG:26915"


def test_files_in_two_crs(tmp_path):
    frame().to_file(tmp_path / "a.gpkg", engine="pyogrio")
    frame("EPSG:4326").to_file(tmp_path / "b.gpkg", engine="pyogrio")
    with pytest.raises(SchemaError, match=r"different CRS.*a\.gpkg.*b\.gpkg"):
        read(tmp_path, "*.gpkg")
    assert read(tmp_path, "*.gpkg", geometry=False).table.num_rows == 6


def test_missing_attribute(tmp_path):
    frame().to_file(tmp_path / "x.gpkg", engine="pyogrio")
    with pytest.raises(SchemaError, match=r"x\.gpkg: the required column 'nmae'.*Did you mean 'name'"):
        read(tmp_path, "x.gpkg", (ColumnRequest("nmae"),))


def test_table_without_geometry(tmp_path):
    pyogrio.write_dataframe(pd.DataFrame({"name": ["a"]}), tmp_path / "x.gpkg", driver="GPKG", layer="t")
    assert rows(read(tmp_path, "x.gpkg", (ColumnRequest("name"),), geometry=False)) == [("a",)]
    with pytest.raises(SchemaError, match="no geometry"):
        read(tmp_path, "x.gpkg", (ColumnRequest("name"),))


def test_empty_layer_and_polygons(tmp_path):
    gpd.GeoDataFrame({"name": ["a"]}, geometry=[box(0, 0, 1, 1)], crs="EPSG:4326").to_file(tmp_path / "x.gpkg")
    result = read(tmp_path, "x.gpkg", (ColumnRequest("name"),))
    assert shapely.from_wkb(result.table.column("geometry")[0].as_py()).area == 1
    frame().iloc[:0].to_file(tmp_path / "y.gpkg", engine="pyogrio")
    assert read(tmp_path, "y.gpkg", (ColumnRequest("owner"),)).table.num_rows == 0


def test_geoparquet(tmp_path):
    frame().to_parquet(tmp_path / "x.parquet")
    check(read(tmp_path, "x.parquet"))
    frame("EPSG:4326").to_parquet(tmp_path / "x.parquet")
    check(read(tmp_path, "x.parquet"), "EPSG:4326")


def test_geoparquet_without_crs(tmp_path):
    def with_crs(change):
        frame("EPSG:4326").to_parquet(tmp_path / "x.parquet")
        table = pq.read_table(tmp_path / "x.parquet")
        geo = json.loads(table.schema.metadata[b"geo"])
        change(geo["columns"]["geometry"])
        pq.write_table(table.replace_schema_metadata({b"geo": json.dumps(geo).encode()}), tmp_path / "x.parquet")

    with_crs(lambda column: column.pop("crs"))
    assert read(tmp_path, "x.parquet").crs == "OGC:CRS84"
    with_crs(lambda column: column.update(crs=None))
    with pytest.raises(SchemaError, match="unknown"):
        read(tmp_path, "x.parquet")
    assert read(tmp_path, "x.parquet", crs="EPSG:26915").crs == "EPSG:26915"
    with_crs(lambda column: column.update(encoding="point"))
    with pytest.raises(SchemaError, match="'point'"):
        read(tmp_path, "x.parquet")


def test_plain_parquet(tmp_path):
    table = pa.table(
        {
            "i": pa.array([1, None], pa.int64()),
            "t": pa.array([0, 1_500], pa.timestamp("ms")),
            "z": pa.array([0, 1_000], pa.timestamp("ms", "America/Chicago")),
            "b": pa.array([True, None]),
            "d": pa.array([1e15, 1e-7]),
            "f": pa.array([0.1, 2.0], pa.float32()),
            "k": pa.array(["x", "y"]).dictionary_encode(),
            "l": pa.array([[1, 2], None]),
            "bytes": pa.array([b"\x01\xff", None]),
            "day": pa.array([0, None], pa.date32()),
        }
    )
    pq.write_table(table, tmp_path / "x.parquet")
    result = read(tmp_path, "x.parquet", tuple(ColumnRequest(n) for n in table.column_names), geometry=False)
    assert rows(result) == [
        ("1", "1970-01-01T00:00:00", "1970-01-01T00:00:00Z", "true", "1000000000000000", "0.1", "x", "[1,2]", "01ff",
         "1970-01-01"),
        (None, "1970-01-01T00:00:01.500", "1970-01-01T00:00:01Z", None, "1e-07", "2", "y", None, None, None),
    ]  # fmt: skip
    with pytest.raises(SchemaError, match="plain Parquet"):
        read(tmp_path, "x.parquet", (ColumnRequest("i"),))
    whole = (tmp_path / "x.parquet").read_bytes()
    (tmp_path / "x.parquet").write_bytes(whole[:-20])
    with pytest.raises(SourceError, match=r"x\.parquet"):
        read(tmp_path, "x.parquet", geometry=False)


def page(path, more, at):
    """A page as an ArcGIS service answers ``f=geojson``."""
    feature = {"type": "Feature", "id": at, "properties": {"OBJECTID": at}, "geometry": None}
    whole = {"type": "FeatureCollection", "features": [feature] * 200}
    mark = {"exceededTransferLimit": more}
    path.write_text(json.dumps(whole | mark if at % 2 else {**whole, "properties": mark}))


@pytest.mark.parametrize("packed", [False, True])
def test_a_service_that_had_more_rows_is_no_whole_source(tmp_path, packed):
    request = (ColumnRequest("OBJECTID"),)
    ending = "json.gz" if packed else "json"
    for number in (1, 2):
        page(tmp_path / f"lots_{number}.json", True, number)
        if packed:
            plain = (tmp_path / f"lots_{number}.json").read_bytes()
            (tmp_path / f"lots_{number}.json.gz").write_bytes(gzip.compress(plain))
    with pytest.raises(SourceError, match=r"gave 400 rows and says that it has more .*kind: arcgis"):
        read(tmp_path, f"lots_*.{ending}", request, geometry=False)
    page(tmp_path / "lots_3.json", False, 3)
    if packed:
        (tmp_path / "lots_3.json.gz").write_bytes(gzip.compress((tmp_path / "lots_3.json").read_bytes()))
    assert read(tmp_path, f"lots_*.{ending}", request, geometry=False).table.num_rows == 600
