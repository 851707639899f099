"""Properties of the grid: every point has one cell, every share is part of the area, shifts change nothing."""

import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from rtm_pipeline.grid import GridSpec, StudyGrid, area_shares, cells_of, count, study_grid, to_raster

CRS = "EPSG:26915"
sizes = st.floats(0.01, 5000, allow_nan=False)
coordinates = st.floats(-1e7, 1e7, allow_nan=False)


@st.composite
def grids(draw):
    rows, cols = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    spec = GridSpec(
        CRS, 1.0, draw(sizes), draw(st.integers(-50_000, 50_000)), draw(st.integers(-50_000, 50_000)), rows, cols,
        draw(st.floats(0, 100)), draw(st.floats(0, 100)),
    )  # fmt: skip
    kept = np.sort(draw(st.sets(st.integers(0, rows * cols - 1), min_size=1).map(list)))
    n = len(kept)
    return StudyGrid(spec, np.array(kept, np.int32), np.ones(n), np.zeros(n, bool))


@st.composite
def polygons(draw):
    """A star-shaped polygon, possibly with a hole, anywhere."""
    m = draw(st.integers(3, 14))
    radii = np.array(draw(st.lists(st.floats(30, 900), min_size=m, max_size=m)))
    angle = 2 * np.pi * np.arange(m) / m + draw(st.floats(0, 6))
    center = np.array([draw(st.floats(-1e6, 1e6)), draw(st.floats(-1e6, 1e6))])
    shape = shapely.Polygon(center + radii[:, None] * np.column_stack([np.cos(angle), np.sin(angle)]))
    if draw(st.booleans()):
        shape = shape.difference(shapely.Point(*center).buffer(20))
    return shape


@given(grids(), st.data())
def test_every_point_is_in_exactly_one_cell(grid, data):
    spec = grid.spec
    fraction = st.floats(-0.1, 1.1)
    x = spec.west_u + data.draw(fraction) * (spec.east_u - spec.west_u)
    y = spec.south_u + data.draw(fraction) * (spec.north_u - spec.south_u)
    size = spec.cell_size_u
    rows, cols = grid.rows.astype(float), grid.cols.astype(float)
    south_row = spec.n_rows - 1 - rows
    west = (spec.west_index + cols) * size + spec.offset_x_u
    east = (spec.west_index + cols + 1) * size + spec.offset_x_u
    south = (spec.south_index + south_row) * size + spec.offset_y_u
    north = (spec.south_index + south_row + 1) * size + spec.offset_y_u
    holds = np.flatnonzero((west <= x) & (x < east) & (south <= y) & (y < north))
    assert len(holds) <= 1
    assert cells_of(grid, np.array([x]), np.array([y])).tolist() == ([holds[0]] if len(holds) else [-1])


@given(grids())
def test_edges_belong_to_the_cell_east_and_north(grid):
    spec = grid.spec
    everything = StudyGrid(spec, np.arange(spec.n_rows * spec.n_cols, dtype=np.int32), np.ones(1), np.zeros(1, bool))
    col, row = np.arange(spec.n_cols), np.arange(spec.n_rows)
    x = (spec.west_index + col) * spec.cell_size_u + spec.offset_x_u
    y = (spec.south_index + row) * spec.cell_size_u + spec.offset_y_u
    assert np.array_equal(cells_of(everything, x, np.full(x.size, spec.row_centers_u[0])), col)
    assert np.array_equal(
        cells_of(everything, np.full(y.size, spec.column_centers_u[0]), y), (spec.n_rows - 1 - row) * spec.n_cols
    )


@given(grids(), st.lists(st.tuples(coordinates, coordinates), max_size=30))
def test_counts_are_of_points_inside(grid, points):
    xy = np.array(points, float).reshape(-1, 2)
    inside = cells_of(grid, xy[:, 0], xy[:, 1]) >= 0
    assert count(grid, xy[:, 0], xy[:, 1]).sum() == inside.sum()
    assert count(grid, xy[:, 0], xy[:, 1], np.full(len(xy), 0.5)).sum() == 0.5 * inside.sum()


@given(grids())
def test_images_give_the_cells_back(grid):
    values = np.arange(grid.n_cells, dtype=np.int32)
    image = to_raster(grid, values, np.int32(-1))
    assert np.array_equal(image[grid.rows, grid.cols], values)
    assert (image >= 0).sum() == grid.n_cells


@settings(max_examples=60, deadline=None)
@given(polygons(), st.floats(20, 400), st.floats(0, 400), st.floats(0, 400))
def test_exposure_sums_to_the_area(area, size, offset_x, offset_y):
    grid = study_grid(area, crs=CRS, cell_size_u=size, offset_x_u=offset_x, offset_y_u=offset_y)
    assert abs(grid.area_u2 - area.area) <= 1e-9 * area.area + 1e-8 * size**2
    assert (grid.exposure > 0).all()
    assert (grid.exposure <= 1).all()
    assert (np.diff(grid.flat) > 0).all()
    x, y = area.representative_point().coords[0]
    assert cells_of(grid, np.array([x]), np.array([y]))[0] >= 0


@settings(max_examples=40, deadline=None)
@given(polygons(), st.integers(20, 400), st.integers(-500, 500), st.integers(-500, 500))
def test_a_shift_by_whole_cells_moves_the_grid_and_nothing_else(area, size, east, north):
    area = shapely.set_precision(area, 2**-7)  # coordinates that shift without rounding
    if area.is_empty or area.geom_type != "Polygon":
        return
    grid = study_grid(area, crs=CRS, cell_size_u=float(size))
    moved = study_grid(shapely.affinity.translate(area, east * size, north * size), crs=CRS, cell_size_u=float(size))
    assert (moved.spec.west_index - grid.spec.west_index, moved.spec.south_index - grid.spec.south_index) == (
        east,
        north,
    )
    assert np.array_equal(moved.flat, grid.flat)
    np.testing.assert_allclose(moved.exposure, grid.exposure, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(polygons(), st.floats(20, 400))
def test_pieces_of_an_area_share_its_cells(area, size):
    grid = study_grid(area, crs=CRS, cell_size_u=size)
    west, south, east, north = area.bounds
    middle = (west + east) / 2
    halves = [
        area.intersection(shapely.box(west, south, middle, north)),
        area.intersection(shapely.box(middle, south, east, north)),
    ]
    shares = area_shares(grid, halves)
    summed = np.bincount(shares.cell, weights=shares.share, minlength=grid.n_cells)
    np.testing.assert_allclose(summed, grid.exposure, atol=1e-8)
