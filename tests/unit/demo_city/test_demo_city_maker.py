"""The maker gives the same city again."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import shapely

NUMBER = re.compile(r"-?\d+\.\d+(?:e[+-]?\d+)?")


def _assert_same_text(made: str, kept: str, name: str) -> None:
    """Equal but for the last digit of decimals: sines of another processor may round the other way."""
    if made == kept:
        return
    assert NUMBER.sub("#", made) == NUMBER.sub("#", kept), name
    a, b = (np.array(NUMBER.findall(text), dtype=float) for text in (made, kept))
    digits = np.array([len(text.partition("e")[0].partition(".")[2]) for text in NUMBER.findall(kept)])
    unit = np.where(abs(b) < 1e-3, abs(b) * 1e-9, 10.0**-digits)
    assert (abs(a - b) <= 1.01 * unit).all(), name


def _content(path: Path) -> str:
    if path.suffix == ".gz":
        return gzip.decompress(path.read_bytes()).decode()
    if path.suffix in (".gpkg", ".zip"):
        frame = pyogrio.read_dataframe(f"/vsizip/{path}" if path.suffix == ".zip" else path)
        shapes = shapely.to_wkt(frame.geometry.to_numpy(), rounding_precision=3)
        return "\n".join([*map(str, shapes), frame.drop(columns="geometry").to_csv(index=False), str(frame.crs)])
    return path.read_bytes().decode("cp1252" if b"\xf1" in path.read_bytes() else "utf-8", errors="surrogateescape")


def _make(folder: Path, city_dir: Path) -> None:
    subprocess.run(
        [sys.executable, str(city_dir / "generate.py"), "--out", str(folder)],
        check=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        timeout=600,
    )


@pytest.mark.acceptance
def test_the_whole_city_is_made_again(tmp_path, city_dir, truth):
    first, second = tmp_path / "first", tmp_path / "second"
    _make(first, city_dir)
    _make(second, city_dir)
    made = sorted(p.relative_to(first).as_posix() for p in first.rglob("*") if p.is_file())
    assert made == sorted([*truth["files"], "truth.json", "truth_cells.csv.gz"])
    for name in made:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name
        _assert_same_text(_content(first / name), _content(city_dir / name), name)


def test_the_ground_is_made_again(maker, city_dir):
    """The quick part of the same: outline, river, lake, airfield as the files have them."""
    from maker.land import make_land
    from maker.portals import in_degrees

    land = make_land()
    for name, shape in (("city_limits", land.limits), ("airfield", land.airfield)):
        kept = pyogrio.read_dataframe(city_dir / f"{name}.geojson").geometry.iloc[0]
        assert shapely.equals_exact(in_degrees(shape), kept, tolerance=2e-7), name
    hoods = pyogrio.read_dataframe(city_dir / "neighborhoods.geojson").geometry.to_numpy()
    made = [in_degrees(shape) for shape in land.neighborhoods]
    assert shapely.equals_exact(made, hoods, tolerance=2e-7).all()


def test_parts_have_streams_of_their_own(maker):
    from maker.plan import stream

    first = stream("liquor").random(4)
    stream("vacant lots").random(1000)
    np.testing.assert_array_equal(first, stream("liquor").random(4))
    assert not np.array_equal(first, stream("bus stops").random(4))


def test_no_shapes_are_broken_on_the_way(city_dir):
    with zipfile.ZipFile(city_dir / "parks.zip") as archive:
        assert archive.testzip() is None
        assert {Path(name).suffix for name in archive.namelist()} >= {".shp", ".shx", ".dbf", ".prj"}
