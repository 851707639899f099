"""Ranks of areas: the command against scipy, and rasters summed by polygons."""

from __future__ import annotations

import itertools
from pathlib import Path

import geopandas
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest
import rasterio
import shapely
from scipy import stats
from support.city import Command

from rtm_pipeline.errors import ModelError, PublishError, SchemaError
from rtm_pipeline.evaluation.areas import rank_agreement
from rtm_pipeline.publication.lookup.area_totals import raster_by_area

RNG = np.random.default_rng(0)


def test_the_correlation_is_spearmans():
    a = RNG.normal(size=60)
    b = np.round(a + RNG.normal(size=60), 1)
    found = rank_agreement(np.r_[a, np.nan], np.r_[b, 1.0])
    assert found.correlation == pytest.approx(stats.spearmanr(a, b).statistic)
    assert found.areas == 60
    assert found.low < found.correlation < found.high  # type: ignore[operator]


def test_the_interval_covers():
    """Rank correlation of a bivariate normal with correlation r is 6 / pi asin(r / 2)."""
    truth = 6 / np.pi * np.arcsin(0.7 / 2)
    hits = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        a, b = rng.multivariate_normal([0, 0], [[1, 0.7], [0.7, 1]], size=80).T
        found = rank_agreement(a, b, seed=seed)
        hits += found.low <= truth <= found.high  # type: ignore[operator]
    assert hits >= 51  # 57 expected


def test_too_little_has_no_correlation():
    assert rank_agreement(np.arange(4.0), np.arange(4.0)).correlation is None
    assert rank_agreement(np.ones(9), np.arange(9.0)).correlation is None
    with pytest.raises(ModelError, match="same areas"):
        rank_agreement(np.ones(3), np.ones(4))


@pytest.fixture
def city(tmp_path: Path) -> Path:
    """A raster of 8 by 6 cells, shifted against the origin, and six wards, one cutting through cells."""
    image = np.arange(48, dtype=np.float32).reshape(6, 8)
    image[0, 0] = -9999
    with rasterio.open(
        tmp_path / "forecast.tif",
        "w",
        driver="GTiff",
        height=6,
        width=8,
        count=1,
        dtype="float32",
        crs="EPSG:26915",
        transform=rasterio.Affine(100, 0, 1030, 0, -100, 2650),
        nodata=-9999,
    ) as raster:
        raster.write(image, 1)
    edges = [1030, 1130, 1280, 1430, 1530, 1630, 1830]
    wards = [shapely.box(west, 2050, east, 2650) for west, east in itertools.pairwise(edges)]
    frame = geopandas.GeoDataFrame({"ward": list("abcdef")}, geometry=wards, crs="EPSG:26915")
    frame.to_crs(4326).to_file(tmp_path / "wards.geojson")
    return tmp_path


def test_a_raster_is_summed_by_area(city: Path):
    found = raster_by_area(city / "forecast.tif", city / "wards.geojson", "ward")
    image = np.arange(48.0).reshape(6, 8)
    sums = image.sum(axis=0)
    assert found["a"] == pytest.approx(sums[0], rel=1e-4)  # the cell without value would have added 0
    assert found["b"] == pytest.approx(sums[1] + sums[2] / 2, rel=1e-4)
    assert found["f"] == pytest.approx(sums[6] + sums[7], rel=1e-4)
    assert sum(found.values()) == pytest.approx(image.sum(), rel=1e-4)


def test_bad_files_are_named(city: Path):
    with pytest.raises(SchemaError, match="no column 'name'"):
        raster_by_area(city / "forecast.tif", city / "wards.geojson", "name")
    with pytest.raises(PublishError, match="can't be read"):
        raster_by_area(city / "wards.geojson", city / "wards.geojson", "ward")
    (city / "notes.txt").write_text("nothing")
    with pytest.raises(SchemaError, match="can't be read as polygons"):
        raster_by_area(city / "forecast.tif", city / "notes.txt", "ward")


def test_the_command_ranks_beside_earlier_counts(city: Path, rtm: Command):
    counts = pa.table({"area": [*"abcdef", "nowhere"], "2017": [6, 5, 4, 3, 2, 1, 9], "2018": [1, 2, 3, 4, 5, 6, 9]})
    pyarrow.csv.write_csv(counts, city / "counts.csv")
    call = ("areas", city / "counts.csv", "--raster", city / "forecast.tif", "--areas", city / "wards.geojson")
    answer = rtm(*call, "--name", "ward", "--baseline", "2017", "--json")
    assert answer.code == 0, answer.err
    found = answer.json["periods"]["2018"]
    sums = raster_by_area(city / "forecast.tif", city / "wards.geojson", "ward")
    expected = stats.spearmanr([sums[ward] for ward in "abcdef"], range(6)).statistic
    assert found["surface"]["correlation"] == pytest.approx(expected)
    assert found["2017"]["correlation"] == pytest.approx(-1.0)
    assert found["surface"]["areas"] == found["2017"]["areas"] == 6
    assert answer.json["without_polygon"] == ["nowhere"]
    assert "1 areas left out" in rtm(*call, "--name", "ward").out
    assert "--baseline" in rtm(*call, "--name", "ward", "--baseline", "2016").err
