"""Files that only describe data make GDAL read other files, programs or addresses; none is opened."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from support.city import ROOT

from rtm_pipeline.errors import ConfigError, SourceError
from rtm_pipeline.sources.files.files import read_files
from rtm_pipeline.sources.files.vector_head import check_driver
from rtm_pipeline.sources.spec import ColumnRequest, FileSource

GML = (
    '<?xml version="1.0"?>{doctype}<ogr:FeatureCollection xmlns:ogr="http://ogr.maptools.org/" '
    'xmlns:gml="http://www.opengis.net/gml"><gml:featureMember><ogr:p fid="1"><ogr:geometryProperty><gml:Point '
    'srsName="EPSG:4326"><gml:coordinates>1,2</gml:coordinates></gml:Point></ogr:geometryProperty>'
    "<ogr:name>{name}</ogr:name></ogr:p></gml:featureMember></ogr:FeatureCollection>"
)


def descriptions(secret: Path) -> dict[str, str]:
    return {
        "virtual layer": (
            f'<OGRVRTDataSource><OGRVRTLayer name="secret"><SrcDataSource>{secret}</SrcDataSource>'
            "<GeometryType>wkbPoint</GeometryType><LayerSRS>EPSG:4326</LayerSRS><GeometryField "
            'encoding="PointFromColumns" x="x" y="y"/></OGRVRTLayer></OGRVRTDataSource>'
        ),
        "behind a comment": f"<!-- x -->\n<OGRVRTDataSource><SrcDataSource>{secret}</SrcDataSource></OGRVRTDataSource>",
        "recipe of algorithms": (
            '{"type":"gdal_streamed_alg","command_line":"gdal vector pipeline ! read '
            f'{secret} ! write --of=stream streamed"}}'
        ),
        "address of a service": "<OGRWFSDataSource><URL>http://127.0.0.1:9/wfs</URL></OGRWFSDataSource>",
    }


def read(folder: Path, name: str) -> list[str | None]:
    source = FileSource(name="shapes", path=name)
    return read_files(source, [ColumnRequest("name")], data_dir=folder, geometry=True).table.column("name").to_pylist()


@pytest.mark.parametrize("ending", ["geojson", "json", "gml", "kml", "gpkg", "fgb", "geojson.gz", "zip"])
def test_a_description_under_any_ending_is_refused(tmp_path: Path, ending: str) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("name,x,y\nCANARY,1,2\n")
    data = tmp_path / "data"
    data.mkdir()
    for what, text in descriptions(secret).items():
        path = data / f"shapes.{ending}"
        if ending == "zip":
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("shapes.geojson", text)
        else:
            path.write_bytes(gzip.compress(text.encode()) if ending.endswith("gz") else text.encode())
        with pytest.raises(SourceError, match="description that makes GDAL read other") as caught:
            read(data, path.name)
        assert "CANARY" not in str(caught.value), what


def test_xml_with_entities_is_refused_and_other_xml_leaves_nothing_beside_it(tmp_path: Path) -> None:
    doctype = '<!DOCTYPE f [<!ENTITY x SYSTEM "file:///etc/hostname">]>'
    (tmp_path / "a.gml").write_text(GML.format(doctype=doctype, name="&x;"))
    with pytest.raises(SourceError, match="declares a document type or entities"):
        read(tmp_path, "a.gml")
    (tmp_path / "a.gml").write_text(GML.format(doctype="", name="one"))
    assert read(tmp_path, "a.gml") == ["one"]
    assert [path.name for path in tmp_path.iterdir()] == ["a.gml"]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"<html><body>", b"name,x,y\n1,2,3\n", b"%PDF-1.7"])
def test_what_is_no_vector_file_is_told_by_its_beginning(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.geojson").write_bytes(content)
    with pytest.raises(SourceError, match="it is no GeoJSON, GeoPackage"):
        read(tmp_path, "a.geojson")


def test_a_driver_that_is_not_meant_is_refused() -> None:
    with pytest.raises(SourceError, match="takes it for 'OGR_VRT'"):
        check_driver("OGR_VRT", where="shapes")


def test_gdal_does_not_even_know_drivers_that_lead_elsewhere() -> None:
    code = (
        "from rtm_pipeline.orchestration.process import prepare_process; prepare_process(); "
        "import pyogrio; print(*pyogrio.list_drivers(), sep='|')"
    )
    env = {name: value for name, value in os.environ.items() if name != "OGR_SKIP"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    drivers = set(done.stdout.strip().split("|"))
    assert not drivers & {"OGR_VRT", "GDALG", "WFS", "HTTP", "ADBC", "GPSBabel"}
    assert {"GPKG", "GeoJSON", "ESRI Shapefile", "OpenFileGDB"} <= drivers


def test_parts_of_a_file_that_are_links_out_of_the_folder_are_refused(tmp_path: Path) -> None:
    data, outside = tmp_path / "data", tmp_path / "outside"
    data.mkdir()
    outside.mkdir()
    with zipfile.ZipFile(ROOT / "data" / "demo_city" / "parks.zip") as archive:
        for name in archive.namelist():
            if "." in name:
                (outside / f"parks{Path(name).suffix}").write_bytes(archive.read(name))
    for path in outside.iterdir():
        shutil.copy(path, data)
    (data / "parks.dbf").unlink()
    (data / "parks.dbf").symlink_to(outside / "parks.dbf")
    with pytest.raises(ConfigError, match=r"parks\.dbf of parks\.shp is a link that leads out of the data folder"):
        read(data, "parks.shp")
    (data / "a.gdb").mkdir()
    (data / "a.gdb" / "a00000001.gdbtable").symlink_to(outside / "parks.dbf")
    with pytest.raises(ConfigError, match="is a link that leads out of the data folder"):
        read(data, "a.gdb")
