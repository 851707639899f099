"""The QGIS project and the styles as files; what QGIS makes of them is tested by the acceptance tests."""

from __future__ import annotations

import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path

import numpy as np
from fakes.release import Written, write

from rtm_pipeline.publication.markup import plain, xml_attribute, xml_text
from rtm_pipeline.publication.rasters.styles import write_qml


def project(written: Written) -> ET.Element:
    with zipfile.ZipFile(written.restricted / "rtm.qgz") as archive:
        assert archive.namelist() == ["rtm.qgs"]
        assert archive.testzip() is None
        text = archive.read("rtm.qgs").decode()
    return ET.fromstring(text.split("\n", 1)[1])  # noqa: S314  (our own text)


def test_every_layer_of_the_project_is_there_and_relative(written: Written) -> None:
    sources = [item.text for item in project(written).iter("datasource")]
    assert len(sources) == len(set(sources))
    for source in sources:
        assert source.startswith("./")
        assert ".." not in source
        assert (written.restricted / source.split("|")[0]).is_file(), source
    tifs = {path.relative_to(written.restricted).as_posix() for path in written.restricted.rglob("*.tif")}
    assert {source[2:] for source in sources if source.endswith(".tif")} == tifs


def test_ids_are_unique_and_long_enough(written: Written) -> None:
    root = project(written)
    ids = [item.text for item in root.iter("id")]
    assert len(ids) == len(set(ids))
    assert min(len(item) for item in ids) > 10
    assert {item.get("id") for item in root.iter("layer-tree-layer")} == set(ids)


def test_the_project_knows_its_crs(written: Written) -> None:
    root = project(written)
    assert root.findtext("projectCrs/spatialrefsys/authid") == "EPSG:3436"
    assert "Illinois West" in root.findtext("projectCrs/spatialrefsys/wkt")
    assert root.findtext("properties/SpatialRefSys/ProjectionsEnabled") == "1"
    assert root.findtext("properties/Paths/Absolute") == "false"
    assert float(root.findtext("mapcanvas/extent/xmin")) == written.content.grid.spec.west_u


def test_every_shown_layer_has_its_renderer_inside(written: Written) -> None:
    for layer in project(written).iter("maplayer"):
        if layer.get("type") == "raster":
            assert layer.find("pipe/rasterrenderer") is not None
        elif layer.get("geometry") != "No geometry":
            assert layer.find("renderer-v2") is not None
            assert layer.find("renderer-v2").get("type") == "RuleRenderer"


def test_no_place_of_this_machine_is_in_any_product(written: Written) -> None:
    """Products lie anywhere; a path of the machine that made them is of no use and tells too much."""
    for path in written.folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            if path.suffix == ".qgz":
                with zipfile.ZipFile(path) as archive:
                    content = archive.read("rtm.qgs")
            assert str(written.folder).encode() not in content, path
            assert str(Path.home()).encode() + b"/" not in content, path


def test_two_runs_write_the_same_bytes(written: Written, tmp_path: Path) -> None:
    again = write(written.content, tmp_path / "again")
    for path in sorted(written.folder.rglob("*")):
        if path.is_file() and path.name != "manifest.json":
            twin = again.folder / path.relative_to(written.folder)
            assert twin.read_bytes() == path.read_bytes(), path.relative_to(written.folder)


def test_hostile_names_stay_names(hostile: Written) -> None:
    root = project(hostile)
    names = {item.text for item in root.iter("layername")}
    assert "Risk factor: <img src=x onerror=alert(1)>" in names
    for tip in root.iter("mapTip"):
        assert "<img" not in tip.text
        assert "<script" not in tip.text


def test_text_that_xml_forbids_is_dropped(tmp_path: Path) -> None:
    assert plain("a\x00b\x0bc\ud800d\nx") == "abcd\nx"
    assert xml_text("<a href='x'>&\"") == "&lt;a href=&#39;x&#39;&gt;&amp;&quot;"
    every = "".join(map(chr, np.arange(0x300))) + "\ufffe\U0001f600"
    parsed = ET.fromstring(f"<x a={xml_attribute(every)}>{xml_text(every)}</x>")  # noqa: S314  (our own text)
    assert "\U0001f600" in parsed.text
    assert parsed.get("a").endswith("\U0001f600")
    write_qml(tmp_path / "x.qml", "<rasterrenderer/>")
    ET.fromstring((tmp_path / "x.qml").read_text().split("\n", 1)[1])  # noqa: S314  (our own text)
