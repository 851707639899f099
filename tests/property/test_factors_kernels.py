"""Properties of distances and kernel sums, for shapes that nobody thought of."""

from datetime import date

import numpy as np
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rtm_pipeline.factors import FactorSpec, Features, operationalize
from rtm_pipeline.factors.features import features_of
from rtm_pipeline.factors.fields import kernel_sums, squared_distance
from rtm_pipeline.factors.lattice import Lattice, Workers
from rtm_pipeline.grid import GridSpec, StudyGrid

SIZE = 64.0
ROWS = COLS = 24
SPAN = int(SIZE * COLS)
#: Half-cell steps make features fall on centers, edges and corners of cells all the time; the rest is arbitrary.
steps = st.integers(-12, 2 * COLS + 12).map(lambda k: k * SIZE / 2)
places = st.one_of(steps, st.integers(-400, SPAN + 400).map(float), st.floats(-400, SPAN + 400))
points = st.tuples(places, places)
bands = st.sampled_from([40.0, 64.0, 100.0, 256.0, 500.0])


def grid_with(holes=(), west=100, south=-50):
    keep = np.setdiff1d(np.arange(ROWS * COLS), np.array(sorted(holes), int)).astype(np.int32)
    spec = GridSpec("EPSG:26915", 1.0, SIZE, west, south, ROWS, COLS)
    return StudyGrid(spec, keep, np.ones(keep.size), np.zeros(keep.size, bool))


def compute(features, grid, band=None):
    with Workers(1) as workers:
        lattice = Lattice.of(grid)
        if band is None:
            return squared_distance(features, lattice, workers)
        return kernel_sums(features, band, lattice, workers, np.empty(grid.n_cells))


def at(grid, xy):
    return np.asarray(xy, float).reshape(-1, 2) + np.array([grid.spec.west_u, grid.spec.south_u])


def features_from(shapes):
    shapes = np.array(shapes, dtype=object)
    middle = shapely.point_on_surface(shapes)
    return features_of(shapely.get_x(middle), shapely.get_y(middle), shapes, layer="made")


@settings(deadline=None)
@given(st.lists(points, min_size=1, max_size=40), bands, st.sets(st.integers(0, ROWS * COLS - 1), max_size=300))
def test_points_equal_brute_force(xy, band, holes):
    grid = grid_with(holes)
    xy = at(grid, xy)
    squared = (xy[:, 0] - grid.center_x_u[:, None]) ** 2 + (xy[:, 1] - grid.center_y_u[:, None]) ** 2
    features = Features.of_points(xy[:, 0], xy[:, 1])
    assert np.array_equal(compute(features, grid), squared.min(axis=1))
    expected = (np.maximum(1 - squared / band**2, 0) ** 2).sum(axis=1)
    np.testing.assert_allclose(compute(features, grid, band), expected, rtol=1e-11, atol=1e-25)


@settings(deadline=None)
@given(st.lists(points, min_size=1, max_size=30), st.integers(-1000, 1000), st.integers(-1000, 1000), bands)
def test_a_shift_by_whole_cells_changes_no_bit(xy, east, north, band):
    """On coordinates that shift without rounding, in powers of two."""
    xy = np.round(np.array(xy) * 8) / 8
    here, there = grid_with(), grid_with(west=100 + east, south=-50 + north)
    one, two = (Features.of_points(*at(grid, xy).T) for grid in (here, there))
    assert np.array_equal(compute(one, here), compute(two, there))
    assert np.array_equal(compute(one, here, band), compute(two, there, band))


@settings(deadline=None, max_examples=60)
@given(st.lists(points, min_size=2, max_size=8), bands)
def test_lines_may_be_cut_or_turned_around(xy, band):
    grid = grid_with()
    xy = at(grid, xy)
    assume(np.abs(np.diff(xy, axis=0)).max() > 0)
    whole = features_from([shapely.LineString(xy)])
    middle = (xy[:-1] + xy[1:]) / 2
    pieces = np.stack([xy[:-1], middle, xy[1:]], axis=1)
    cut = features_from([shapely.LineString(piece[::-1]) for piece in pieces if np.ptp(piece, axis=0).max() > 0])
    np.testing.assert_allclose(np.sqrt(compute(cut, grid)), np.sqrt(compute(whole, grid)), atol=1e-7)
    np.testing.assert_allclose(compute(cut, grid, band), compute(whole, grid, band), atol=1e-10 * band)
    centers = shapely.points(grid.center_x_u, grid.center_y_u)
    np.testing.assert_allclose(
        np.sqrt(compute(whole, grid)), shapely.distance(shapely.LineString(xy), centers), atol=1e-7
    )


@settings(deadline=None, max_examples=80)
@given(st.lists(points, min_size=3, max_size=8), bands)
def test_polygons_are_zero_inside_and_sum_to_their_area(xy, band):
    """Any hull; then the same area as the difference of two polygons, which share no edge with it."""
    grid = grid_with()
    hull = shapely.MultiPoint(at(grid, xy)).convex_hull
    assume(hull.geom_type == "Polygon" and hull.area > 1)
    features = features_from([hull])
    centers = shapely.points(grid.center_x_u, grid.center_y_u)
    np.testing.assert_allclose(np.sqrt(compute(features, grid)), shapely.distance(hull, centers), atol=1e-7)
    found = compute(features, grid, band)
    frame = shapely.box(
        grid.spec.west_u - 5000, grid.spec.south_u - 5000, grid.spec.east_u + 5000, grid.spec.north_u + 5000
    )
    rest = frame.difference(hull)
    whole = np.pi * band**2 / 3
    np.testing.assert_allclose(found + compute(features_from([rest]), grid, band), whole, rtol=1e-11)
    reach = shapely.distance(hull, centers) < band * (1 - 1e-9)
    assert (found[~reach] <= 1e-12 * whole).all()


@settings(deadline=None, max_examples=60)
@given(
    st.lists(points, max_size=25),
    st.sampled_from(["proximity", "density", "both", "auto"]),
    st.lists(st.integers(30, 900), min_size=1, max_size=7, unique=True),
    st.integers(0, 8),
)
def test_codes_and_bits_give_the_columns(xy, how, ladder, rare):
    grid = grid_with()
    ladder = tuple(float(band) for band in sorted(ladder))
    spec = FactorSpec("made", "made", how, ladder, rare_cells=rare, rare_share=0.0)
    xy = at(grid, xy)
    factor = operationalize(Features.of_points(xy[:, 0], xy[:, 1]), grid, spec, date(2020, 1, 1), keep_density="all")
    dropped = {variable for variable, _ in factor.dropped}
    assert not dropped & set(factor.variables)
    kinds = {"both": 2}.get(factor.operationalization, 1)
    assert len(factor.variables) + len(factor.dropped) == kinds * len(ladder)
    seen = set()
    for j, variable in enumerate(factor.variables):
        column = factor.column(j)
        assert max(rare, 1) <= column.sum() <= grid.n_cells - max(rare, 1)
        assert column.tobytes() not in seen
        seen.add(column.tobytes())
        band = variable.spatial_influence_u
        if variable.operationalization == "proximity":
            expected = factor.distance_u.astype(float) <= band + 1e-3
            assert (column <= expected).all()
            assert (column >= (factor.distance_u.astype(float) <= band - 1e-3)).all()
        else:
            density = factor.density[factor.density_bands_u.index(band)].astype(float)
            threshold = factor.cuts.cut(band).threshold
            assert (column <= (density >= threshold * (1 - 1e-6))).all()
            assert (column >= (density > threshold * (1 + 1e-6))).all()
