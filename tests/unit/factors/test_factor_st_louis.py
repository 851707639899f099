"""The real St. Louis: its grid, its vacant lots and its neighborhoods, against shapely and scipy."""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely
from pyproj import Transformer
from scipy.spatial import cKDTree

from rtm_pipeline.factors import FactorSpec, Features, operationalize
from rtm_pipeline.factors.features import features_of
from rtm_pipeline.grid import area_shares, count, study_area, study_grid

CRS = "ESRI:102696"
BANDS = (250.0, 500.0, 750.0, 1000.0, 1250.0, 1500.0)


@pytest.fixture(scope="module")
def data(trial_data: Path) -> Path:
    return trial_data / "st_louis"


@pytest.fixture(scope="module")
def area(data):
    meta, _, geometry, _ = pyogrio.raw.read(data / "city_limits.shp")
    return study_area(geometry, meta["crs"], CRS)


@pytest.fixture(scope="module")
def grid(area):
    return study_grid(area, crs=CRS, cell_size_u=250.0)


@pytest.fixture(scope="module")
def vacant(data):
    rows = pd.read_csv(
        data / "vacancy_2017.csv", usecols=["HANDLE", "lon", "lat", "c_typeSimple"], dtype={"HANDLE": str}
    )
    lots = rows[rows["c_typeSimple"] == "lot"].dropna(subset=["lon", "lat"]).drop_duplicates("HANDLE")
    return np.column_stack(Transformer.from_crs("EPSG:4326", CRS, always_xy=True).transform(lots["lon"], lots["lat"]))


def test_cells_that_meet_the_city(grid, area):
    assert grid.n_cells == 30_036
    assert shapely.contains_xy(area, grid.center_x_u, grid.center_y_u).sum() == 29_485
    assert grid.area_u2 == pytest.approx(area.area, rel=1e-12)
    half = 125.0
    x, y = grid.center_x_u, grid.center_y_u
    cut = np.flatnonzero(grid.exposure < 1)
    squares = shapely.box(x[cut] - half, y[cut] - half, x[cut] + half, y[cut] + half)
    exact = shapely.area(shapely.intersection(squares, area)) / 250.0**2
    np.testing.assert_allclose(grid.exposure[cut], exact, atol=1e-10)


def test_vacant_lots_as_points(grid, vacant):
    assert 17_000 < len(vacant) < 18_099
    assert count(grid, *vacant.T).sum() > 0.99 * len(vacant)
    spec = FactorSpec("vacant_lots", "vacancy", "both", BANDS)
    factor = operationalize(Features.of_points(*vacant.T), grid, spec, date(2018, 1, 1), keep_density="all")
    assert len(factor.variables) == 12
    centers = np.column_stack([grid.center_x_u, grid.center_y_u])
    nearest, _ = cKDTree(vacant).query(centers)
    np.testing.assert_allclose(factor.distance_u, nearest, rtol=1e-6)
    for j, band in enumerate(BANDS):
        assert np.array_equal(factor.column(j), nearest <= band)
    some = np.random.default_rng(0).choice(grid.n_cells, 300, replace=False)
    squared = ((centers[some, None, :] - vacant[None]) ** 2).sum(-1)
    for k, band in enumerate(BANDS):
        sums = (np.maximum(1 - squared / band**2, 0) ** 2).sum(axis=1)
        np.testing.assert_allclose(factor.density[k][some], sums, rtol=1e-6)
    auto = operationalize(Features.of_points(*vacant.T), grid, FactorSpec("v", "v", "auto", BANDS), date(2018, 1, 1))
    assert auto.operationalization == "density"
    assert auto.clustering.index < 0.7


def test_neighborhoods_as_polygons(grid, data):
    meta, _, geometry, _ = pyogrio.raw.read(data / "neighborhoods.geojson")
    transformer = Transformer.from_crs(meta["crs"], CRS, always_xy=True)
    lonlat = shapely.from_wkb(geometry)
    shapes = shapely.transform(lonlat, lambda v: np.column_stack(transformer.transform(v[:, 0], v[:, 1])))
    assert len(shapes) == 88
    shares = area_shares(grid, shapes)
    assert (shares.largest >= 0).mean() > 0.93
    assert (shares.largest != shares.center).mean() < 0.05
    assert shares.totals(grid.exposure).sum() == pytest.approx(grid.exposure[shares.largest >= 0].sum())

    middle = shapely.point_on_surface(shapes)
    features = features_of(shapely.get_x(middle), shapely.get_y(middle), shapes, layer="neighborhoods")
    spec = FactorSpec("hood", "hood", "both", BANDS, rare_cells=0)
    factor = operationalize(features, grid, spec, date(2018, 1, 1), keep_density=(500.0,))
    centers = shapely.points(grid.center_x_u, grid.center_y_u)
    expected = shapely.distance(shapely.union_all(shapes), centers)
    np.testing.assert_allclose(factor.distance_u, expected, rtol=1e-5, atol=1e-3)
    # Neighborhoods lie side by side, so where they surround a center the whole kernel counts once.
    surrounded = shapely.contains_properly(shapely.union_all(shapes).buffer(-501), centers)
    assert surrounded.sum() > 10_000
    np.testing.assert_allclose(factor.intensity(500.0)[surrounded], 1.0, atol=2e-3)
