"""The products in the real programs: QGIS, headless, and GDAL's own validator.

QGIS runs under the system's Python, which has its bindings (Debian: qgis, python3-qgis). Tried with 3.22.16 and GDAL
3.6.2 of Debian 12.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

TESTS = Path(__file__).parents[1]
if str(TESTS) not in sys.path:
    sys.path.insert(0, str(TESTS))

from fakes.release import Written, make_content, write  # noqa: E402

from rtm_pipeline.publication.vectors import looks  # noqa: E402
from rtm_pipeline.publication.vectors.feature_tables import feature_tables  # noqa: E402
from rtm_pipeline.publication.vectors.geopackage import write_geopackage  # noqa: E402
from rtm_pipeline.surface.tiers import TIERS  # noqa: E402

pytestmark = pytest.mark.acceptance

SYSTEM_PYTHON = "/usr/bin/python3"
PROBE = Path(__file__).with_name("qgis_probe.py")
Ask = Callable[[dict[str, Any]], dict[str, Any]]


def has(module: str) -> bool:
    if not Path(SYSTEM_PYTHON).exists():
        return False
    command = [SYSTEM_PYTHON, "-c", f"import {module}"]
    return subprocess.run(command, capture_output=True, env={"PATH": os.environ["PATH"]}, check=False).returncode == 0


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """Put a request to QGIS; see qgis_probe.py."""
    if not has("qgis.core"):
        pytest.skip("QGIS is not installed (Debian: apt-get install qgis python3-qgis)")
    home = tmp_path_factory.mktemp("qgis")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "XDG_RUNTIME_DIR": str(home),
        "QT_QPA_PLATFORM": "offscreen",
    }

    def call(request: dict[str, Any]) -> dict[str, Any]:
        path = home / "request.json"
        path.write_text(json.dumps(request))
        done = subprocess.run(
            [SYSTEM_PYTHON, str(PROBE), str(path)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout.splitlines()[-1]))

    return call


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """A release that was written in one place and lies in another, whose name has a blank and an umlaut."""
    folder = tmp_path_factory.mktemp("gis")
    written = write(make_content(hostile=True), folder / "made here")
    target = folder / "später anderswo"
    shutil.move(written.folder, target)
    return Written(written.content, target)


def map_request(written: Written, **what: Any) -> dict[str, Any]:
    spec = written.content.grid.spec
    extent = [spec.west_u, spec.south_u, spec.east_u, spec.north_u]
    return {"extent": extent, "size": [spec.n_cols * 10, spec.n_rows * 10], **what}


def points_of(written: Written, tiers: Any, tier: int, count: int = 5) -> list[list[float]]:
    grid = written.content.grid
    at = np.flatnonzero(tiers == tier)[:count]
    return [[float(grid.center_x_u[i]), float(grid.center_y_u[i])] for i in at]


def outside_of(written: Written) -> list[list[float]]:
    spec = written.content.grid.spec
    empty = np.delete(np.arange(spec.n_rows * spec.n_cols), written.content.grid.flat)
    rows, cols = empty // spec.n_cols, empty % spec.n_cols
    x, y = spec.column_centers_u[cols], spec.row_centers_u[rows]
    return [[float(a), float(b)] for a, b in zip(x, y, strict=True)]


def test_rasters_open_in_their_classes(ask: Ask, moved: Written) -> None:
    paths = sorted(moved.folder.rglob("*.tif"))
    answer = ask({"rasters": [str(path) for path in paths]})
    for path in paths:
        found = answer["rasters"][str(path)]
        assert found["valid"], path
        assert found["crs"] == "EPSG:3436"
        classed = path.name in ("risk_tier.tif", "forecast_tier.tif")
        assert found["renderer"] == ("paletted" if classed else "singlebandpseudocolor"), path
        assert 1 <= len(found["legend"]) <= 5, "a palette of 256 entries is no legend"
    for name in ("public/risk_tier.tif", "restricted/forecast_tier.tif"):
        legend = answer["rasters"][str(moved.folder / name)]["legend"]
        assert legend == [[tier.label, tier.color] for tier in TIERS]


@pytest.mark.parametrize("surface", ["risk_tier", "risk_terrain", "forecast_tier", "forecast"])
def test_a_pixel_of_a_tier_has_its_color_and_outside_is_blank(ask: Ask, moved: Written, surface: str) -> None:
    """Values and tiers are drawn in the same colors, in the tier's own."""
    tiers = moved.content.tiers["risk_terrain" if surface.startswith("risk") else "forecast"]
    points = {tier.number: points_of(moved, tiers, tier.number) for tier in TIERS}
    blank = outside_of(moved)
    every = [point for number in points for point in points[number]] + blank
    source = str(moved.restricted / f"{surface}.tif")
    (colors,) = ask({"maps": [map_request(moved, sources=[[source]], points=every)]})["maps"]
    expected = [tier.color for tier in TIERS for _ in points[tier.number]] + ["#ffffff"] * len(blank)
    assert len(points[1]) == 5
    assert blank
    assert colors == expected


def test_layers_of_the_geopackages_open_with_their_styles(ask: Ask, moved: Written) -> None:
    private, public = str(moved.restricted / "priorities.gpkg"), str(moved.public / "neighborhoods.gpkg")
    names = ["priority_lots", "priority_buildings", "zones", "neighborhoods", "districts", "study_area"]
    answer = ask({"layers": [[private, name] for name in names]})["layers"]
    for name in names:
        assert answer[name]["valid"]
        assert answer[name]["renderer"] == "RuleRenderer", name
        assert answer[name]["crs"] == "EPSG:3436"
        assert answer[name]["map_tip"]
        assert answer[name]["labels"] is (name != "study_area")
    lots = answer["priority_lots"]
    assert lots["features"] == 60
    assert lots["legend"][0].startswith("rank 1 to")
    assert lots["legend"][-1] == "funded"
    assert lots["aliases"]["cost_usd"] == "Cost (USD)"
    assert answer["neighborhoods"]["label_fields"] == ['"area"']
    told = ask({"layers": [[public, "neighborhoods"]]})["layers"]["neighborhoods"]
    assert told["renderer"] == "RuleRenderer"
    assert len(told["legend"]) > 2, "the public layer is shaded by risk"


def test_many_sites_are_drawn_from_the_scale_of_blocks_on(
    ask: Ask, moved: Written, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over the whole city only the first sites show, so that the surface is not hidden; near by all of them do."""
    monkeypatch.setattr(looks, "_CITY_SCALE_SITES", 12)  # of 60 lots: what a city has in the thousands
    content = moved.content
    package = tmp_path / "priorities.gpkg"
    crs = content.grid.spec.crs
    write_geopackage(package, feature_tables(content), crs=crs, as_of=content.as_of)
    rows = [row for row in content.tables["priority_lots"].to_pylist() if row["selectable"]]
    first = [[row["x"], row["y"]] for row in rows if row["rank"] <= 12]
    late = [row for row in rows if row["rank"] > 20 and not row["funded"]]
    points = [[row["x"], row["y"]] for row in late]
    source = [[str(package), "priority_lots"]]
    spec = content.grid.spec
    far = map_request(moved, sources=source, points=points + first)
    near = []
    for x, y in points[:5]:
        half = 10.0 * spec.cell_size_u / 2
        extent = [x - half, y - half, x + half, y + half]
        near.append({"extent": extent, "size": [800, 800], "sources": source, "points": [[x, y]]})
    drawn, *blocks = ask({"maps": [far, *near]})["maps"]
    assert drawn[: len(points)].count("#ffffff") > 0.8 * len(points)  # some lie under the sites that are shown
    assert len(first) > 5
    assert "#ffffff" not in drawn[len(points) :]
    assert [colors[0] for colors in blocks] == [TIERS[-1].color] * 5


def test_map_tips_show_text_from_sources_as_text(ask: Ask, moved: Written) -> None:
    """The name of a factor, which stands in the reasons, tries to run a script."""
    package = str(moved.restricted / "priorities.gpkg")
    tips = ask({"tips": [[package, "neighborhoods"], [package, "priority_lots"]]})["tips"]
    assert "&lt;img src=x onerror=alert(1)&gt;" in tips["priority_lots"][0]
    for tip in (*tips["neighborhoods"], *tips["priority_lots"]):
        assert "<img" not in tip
        assert "[%" not in tip, "every expression was worked out"
    assert "DROP TABLE" in "".join(tips["neighborhoods"])
    assert "not known" in "".join(tips["priority_lots"]), "a cost that is not known says so"


def test_the_project_opens_styled_from_another_folder(ask: Ask, moved: Written) -> None:
    path = str(moved.restricted / "rtm.qgz")
    project = ask({"projects": [path]})["projects"][path]
    assert project["read"]
    assert project["crs"] == "EPSG:3436"
    assert project["title"] == "Testville, as of 2024-01-01"
    invalid = [name for name, layer in project["layers"].items() if not layer["valid"]]
    assert not invalid
    rasters = len(list(moved.restricted.rglob("*.tif")))
    assert len(project["layers"]) == rasters + 9
    for name, layer in project["layers"].items():
        expected = {"paletted", "singlebandpseudocolor", "RuleRenderer"} | ({None} if "features" in layer else set())
        assert layer["renderer"] in expected, name
    assert "Vacant lots by priority" in project["visible"]
    assert "Forecast: tiers by share of cells" in project["visible"]
    assert project["groups"][:2] == ["Where to work", "Areas"]
    assert project["layers"]["Vacant lots by priority"]["labels"]


def test_the_project_is_drawn_in_the_colors_of_the_tiers(ask: Ask, moved: Written) -> None:
    """Sites and lines lie on top, so most, not all, of the looked-at pixels show the tier; outside is blank."""
    tiers = moved.content.tiers["forecast"]
    points = points_of(moved, tiers, 1, 8)
    blank = outside_of(moved)
    request = map_request(moved, project=str(moved.restricted / "rtm.qgz"), points=points + blank)
    (colors,) = ask({"maps": [request]})["maps"]
    assert colors[: len(points)].count(TIERS[0].color) > len(points) / 2
    assert colors[len(points) :].count("#ffffff") > 0.7 * len(blank)


def test_without_the_styles_nothing_of_this_holds(ask: Ask, moved: Written, tmp_path: Path) -> None:
    """The checks above can fail: take the styles away, and colors, classes, labels and names are gone."""
    bare = tmp_path / "bare"
    shutil.copytree(moved.folder, bare)
    for style in bare.rglob("*.qml"):
        style.unlink()
    package = bare / "restricted" / "priorities.gpkg"
    with closing(sqlite3.connect(package)) as connection, connection:
        connection.execute("DELETE FROM layer_styles")
    raster = bare / "restricted" / "forecast.tif"
    points = points_of(moved, moved.content.tiers["forecast"], 1)
    answer = ask(
        {
            "rasters": [str(raster)],
            "layers": [[str(package), "priority_lots"]],
            "maps": [map_request(moved, sources=[[str(raster)]], points=points)],
        }
    )
    assert answer["rasters"][str(raster)]["renderer"] == "singlebandgray"
    assert answer["layers"]["priority_lots"]["renderer"] == "singleSymbol"
    assert not answer["layers"]["priority_lots"]["labels"]
    assert TIERS[0].color not in answer["maps"][0]


def test_gdal_finds_every_raster_a_valid_cog(moved: Written) -> None:
    if not has("osgeo_utils.samples"):
        pytest.skip("GDAL's Python tools are not installed (Debian: apt-get install gdal-bin python3-gdal)")
    paths = sorted(str(path) for path in moved.folder.rglob("*.tif"))
    assert paths
    program = (
        "import sys; from osgeo_utils.samples.validate_cloud_optimized_geotiff import validate\n"
        "for path in sys.argv[1:]:\n"
        "    warnings, errors, _ = validate(path, full_check=True)\n"
        "    print('bad' if warnings or errors else 'good', path, warnings, errors)"
    )
    command = [SYSTEM_PYTHON, "-c", program, *paths]
    done = subprocess.run(command, capture_output=True, text=True, env={"PATH": os.environ["PATH"]}, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == len(paths)
    assert all(line.startswith("good") for line in lines), done.stdout


def test_rio_cogeo_validates_from_the_command_line(moved: Written) -> None:
    """All rasters are validated by its library in the unit tests; this is what a user types."""
    program = Path(sys.executable).with_name("rio")
    for path in (moved.public / "risk_tier.tif", moved.restricted / "contributions" / "forecast.tif"):
        command = [str(program), "cogeo", "validate", "--strict", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert "is a valid cloud optimized GeoTIFF" in done.stdout, done.stdout + done.stderr


def test_older_gdal_reads_the_geopackages_without_a_warning(moved: Written) -> None:
    """Debian 12 has 3.6; the files are written by a newer one."""
    program = shutil.which("ogrinfo")
    if program is None:
        pytest.skip("ogrinfo is not installed (Debian: apt-get install gdal-bin)")
    for path in (moved.restricted / "priorities.gpkg", moved.public / "neighborhoods.gpkg"):
        done = subprocess.run(
            [program, "-ro", "-so", "-al", str(path)],
            capture_output=True,
            text=True,
            env={"PATH": os.environ["PATH"]},
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert not done.stderr.strip(), done.stderr
        assert "Layer name: neighborhoods" in done.stdout


def test_gdal_reads_categories_and_attribute_table(moved: Written) -> None:
    program = shutil.which("gdalinfo")
    if program is None:
        pytest.skip("gdalinfo is not installed (Debian: apt-get install gdal-bin)")
    command = [program, "-json", str(moved.public / "risk_tier.tif")]
    done = subprocess.run(command, capture_output=True, text=True, env={"PATH": os.environ["PATH"]}, check=True)
    info = json.loads(done.stdout)
    assert [row["f"][2] for row in info["rat"]["row"]] == [tier.label for tier in TIERS]
