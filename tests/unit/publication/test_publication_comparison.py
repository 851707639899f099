"""An earlier release is read back cell by cell, on whatever extent it had."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from fakes.release import Written

from rtm_pipeline.errors import PublishError
from rtm_pipeline.grid.spec import GridSpec, StudyGrid
from rtm_pipeline.publication.release.earlier import read_release, read_surface


def put_manifest(folder: Path) -> None:
    (folder / "manifest.json").write_text(json.dumps({"run_id": "r", "as_of": "2023-12-01"}))


def shifted(grid: StudyGrid, west: int, south: int, rows: int, cols: int) -> StudyGrid:
    spec = dataclasses.replace(
        grid.spec,
        west_index=grid.spec.west_index + west,
        south_index=grid.spec.south_index + south,
        n_rows=rows,
        n_cols=cols,
    )
    flat = np.arange(rows * cols, dtype=np.int32)
    return StudyGrid(spec, flat, np.ones(flat.size), np.zeros(flat.size, bool))


def test_the_same_cells_give_the_same_values(written: Written) -> None:
    put_manifest(written.folder)
    found = read_release(written.folder, written.content.grid)
    assert (found.surface, found.run_id) == ("forecast", "r")
    assert np.array_equal(found.values, written.content.forecast.expected.astype(np.float32).astype(float))


@pytest.mark.parametrize(
    ("west", "south", "rows", "cols"), [(3, 5, 20, 20), (-4, -2, 50, 40), (10, 30, 20, 5), (100, 0, 5, 5)]
)
def test_another_extent_is_matched_by_place(written: Written, west: int, south: int, rows: int, cols: int) -> None:
    grid = shifted(written.content.grid, west, south, rows, cols)
    path = written.restricted / "forecast.tif"
    values = read_surface(path, grid)
    with rasterio.open(path) as raster:
        sampled = np.array(list(raster.sample(zip(grid.center_x_u, grid.center_y_u, strict=True))))[:, 0]
        inside = (
            (grid.center_x_u > raster.bounds.left)
            & (grid.center_x_u < raster.bounds.right)
            & (grid.center_y_u > raster.bounds.bottom)
            & (grid.center_y_u < raster.bounds.top)
        )
    expected = np.where(inside & (sampled != -9999), sampled, np.nan)
    assert np.array_equal(values, expected, equal_nan=True)


def test_other_cells_can_not_be_compared(written: Written) -> None:
    grid, path = written.content.grid, written.restricted / "forecast.tif"
    for change in ({"cell_size_u": 300.0}, {"crs": "EPSG:3435"}, {"offset_x_u": 10.0}):
        other = StudyGrid(dataclasses.replace(grid.spec, **change), grid.flat, grid.exposure, grid.border)
        assert read_surface(path, other) is None, change
    spec = GridSpec("EPSG:26915", 1.0, 100.0, 0, 0, 2, 2)
    assert read_surface(path, StudyGrid(spec, np.arange(4, dtype=np.int32), np.ones(4), np.zeros(4, bool))) is None


def test_without_a_forecast_the_terrain_is_compared(written: Written, tmp_path: Path) -> None:
    put_manifest(tmp_path)
    (tmp_path / "restricted").mkdir()
    assert read_release(tmp_path, written.content.grid) is None
    (tmp_path / "restricted" / "risk_terrain.tif").write_bytes((written.restricted / "risk_terrain.tif").read_bytes())
    assert read_release(tmp_path, written.content.grid).surface == "risk_terrain"


def test_a_broken_release_is_named(written: Written, tmp_path: Path) -> None:
    with pytest.raises(PublishError, match="manifest is unreadable"):
        read_release(tmp_path, written.content.grid)
    put_manifest(tmp_path)
    (tmp_path / "restricted").mkdir()
    (tmp_path / "restricted" / "forecast.tif").write_bytes(b"II*\x00 no raster")
    with pytest.raises(PublishError, match=r"forecast\.tif can't be read"):
        read_release(tmp_path, written.content.grid)
