"""Which cell a point lies in; images; neighborhoods."""

import numpy as np
import pytest
import shapely
from shapely.geometry import Point, box

from rtm_pipeline.errors import GridError
from rtm_pipeline.grid import GridSpec, StudyGrid, area_shares, cells_of, count, study_grid, to_raster
from rtm_pipeline.grid.blocks import spatial_blocks

CRS = "EPSG:26915"


def full_grid(n_rows, n_cols, size=100.0, west=0, south=0, **offsets):
    n = n_rows * n_cols
    spec = GridSpec(CRS, 1.0, size, west, south, n_rows, n_cols, **offsets)
    return StudyGrid(spec, np.arange(n, dtype=np.int32), np.ones(n), np.zeros(n, bool))


def test_half_open_edges():
    grid = full_grid(2, 2)
    x = np.array([0.0, 100.0, 200.0, -1e-12, 50.0, 50.0, 50.0])
    y = np.array([50.0, 50.0, 50.0, 50.0, 0.0, 100.0, 200.0])
    assert cells_of(grid, x, y).tolist() == [2, 3, -1, -1, 2, 0, -1]


def test_not_finite_is_outside():
    grid = full_grid(1, 1)
    bad = np.array([np.nan, np.inf, -np.inf, 50.0])
    assert cells_of(grid, bad, np.full(4, 50.0)).tolist() == [-1, -1, -1, 0]
    assert cells_of(grid, np.full(4, 50.0), bad).tolist() == [-1, -1, -1, 0]


@pytest.mark.parametrize("size", [0.1, 1 / 3, 76.2, 250.0, 250 * 0.3048006096012192])
@pytest.mark.parametrize("offset", [0.0, 0.7])
def test_edges_as_they_round_decide(size, offset):
    """A point on the float64 value of an edge belongs to the cell east of it, its predecessor to the one west."""
    first = 40_321
    grid = full_grid(1, 3000, size, west=first, offset_x_u=offset)
    index = np.arange(3000)
    edges = (first + index) * size + offset
    y = np.full(3000, 0.5 * size)
    assert np.array_equal(cells_of(grid, edges, y), index)
    assert np.array_equal(cells_of(grid, np.nextafter(edges, -np.inf), y), index - 1)


def test_pixel_value_is_its_coordinate():
    """Centers, cells and images agree: half-cell errors and flipped axes can't hide."""
    grid = study_grid(Point(3210, 8765).buffer(1234.5), crs=CRS, cell_size_u=100.0)
    assert np.array_equal(cells_of(grid, grid.center_x_u, grid.center_y_u), np.arange(grid.n_cells))
    image_x = to_raster(grid, grid.center_x_u, np.nan)
    image_y = to_raster(grid, grid.center_y_u, np.nan)
    spec = grid.spec
    for row, col in zip(*np.nonzero(np.isfinite(image_x)), strict=True):
        assert image_x[row, col] == spec.west_u + (col + 0.5) * 100.0
        assert image_y[row, col] == spec.north_u - (row + 0.5) * 100.0
    assert np.array_equal(image_x[grid.rows, grid.cols], grid.center_x_u)


def test_image_refuses_other_lengths():
    with pytest.raises(GridError, match="one value a study cell"):
        to_raster(full_grid(2, 2), np.zeros(3), 0)


def test_counts_and_weights():
    grid = full_grid(1, 2)
    x, y = np.array([10.0, 20.0, 150.0, 900.0]), np.full(4, 5.0)
    assert count(grid, x, y).tolist() == [2, 1]
    assert count(grid, x, y).dtype == np.int64
    assert count(grid, x, y, np.array([0.5, 0.25, 2.0, 9.0])).tolist() == [0.75, 2.0]
    assert count(grid, np.zeros(0), np.zeros(0), np.zeros(0)).dtype == np.float64


def test_points_between_study_cells_are_outside():
    grid = study_grid(box(0, 0, 1000, 1000), crs=CRS, cell_size_u=100.0, exclude=[box(300, 300, 700, 700)])
    assert cells_of(grid, np.array([500.0]), np.array([500.0])).tolist() == [-1]
    everything = count(grid, *np.random.default_rng(1).uniform(0, 1000, (2, 5000)))
    assert everything.sum() == pytest.approx(5000 * 0.84, abs=120)


def test_neighborhoods_against_shapely():
    area = Point(0, 0).buffer(1000)
    grid = study_grid(area, crs=CRS, cell_size_u=90.0)
    rng = np.random.default_rng(5)
    cells = shapely.get_parts(shapely.voronoi_polygons(shapely.multipoints(rng.uniform(-1200, 1200, (30, 2)))))
    hoods = [
        *shapely.intersection(cells, Point(0, 0).buffer(1400)),
        None,
        Point(50, 60).buffer(15),
        box(9e5, 0, 9e6, 9),
    ]
    shares = area_shares(grid, hoods)
    half = grid.spec.cell_size_u / 2
    x, y = grid.center_x_u, grid.center_y_u
    squares = shapely.box(x - half, y - half, x + half, y + half)
    expected = np.zeros((grid.n_cells, len(hoods)))
    for j, hood in enumerate(hoods):
        if hood is not None:
            expected[:, j] = shapely.area(shapely.intersection(squares, hood)) / (4 * half**2)
    found = np.zeros_like(expected)
    found[shares.cell, shares.area] = shares.share
    np.testing.assert_allclose(found, expected, atol=2e-9)
    largest = np.where(expected.max(1) > 0, expected.argmax(1), -1)
    clear = np.sort(expected, axis=1)[:, -1] - np.sort(expected, axis=1)[:, -2] > 1e-6
    assert np.array_equal(shares.largest[clear], largest[clear])
    centers = [
        [j for j, hood in enumerate(hoods) if hood is not None and hood.intersects(Point(*c))]
        for c in zip(x, y, strict=True)
    ]
    assert shares.center.tolist() == [min(inside, default=-1) for inside in centers]
    values = rng.gamma(1, 1, grid.n_cells)
    for by in ("largest", "center", "share"):
        assert shares.totals(values, by).sum() == pytest.approx(values.sum())
    assert shares.totals(values).shape == (len(hoods),)
    with pytest.raises(GridError, match="rolled up"):
        shares.totals(values, "nearest")


def test_equal_shares_go_to_the_first():
    grid = full_grid(1, 1)
    left, right = box(0, 0, 50, 100), box(50, 0, 100, 100)
    assert area_shares(grid, [left, right]).largest.tolist() == [0]
    assert area_shares(grid, [right, left]).largest.tolist() == [0]
    assert area_shares(grid, [right, left]).center.tolist() == [0]


def test_no_areas_at_all():
    shares = area_shares(full_grid(2, 2), [])
    assert shares.largest.tolist() == [-1] * 4
    assert shares.totals(np.ones(4)).tolist() == []


def test_blocks_have_the_side_that_was_asked_for():
    grid = full_grid(7, 7)
    blocks = spatial_blocks(grid, 250.0)
    assert np.unique(blocks).tolist() == list(range(9))
    assert np.bincount(blocks).max() == 9
    with pytest.raises(GridError):
        spatial_blocks(grid, 0.0)
