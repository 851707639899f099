"""Distances and kernel sums against brute force and quadrature that know nothing of the compiled loops."""

from itertools import pairwise

import numpy as np
import pytest
import shapely
from scipy.integrate import quad
from shapely.geometry import LineString, MultiPolygon, Point, Polygon, box

from rtm_pipeline.errors import SchemaError
from rtm_pipeline.factors.features import features_of
from rtm_pipeline.factors.fields import kernel_sums, known_cells, squared_distance
from rtm_pipeline.factors.lattice import Lattice, Workers
from rtm_pipeline.grid import study_grid

CRS = "EPSG:26915"
ORIGIN = np.array([361_000.0, 4_318_000.0])  # coordinates of real size, as they round in practice


def at(x, y):
    return ORIGIN + np.array([x, y], float)


def grid_of(size=100.0, radius=1500.0, hole=True):
    area = Point(*ORIGIN).buffer(radius)
    if hole:
        area = area.difference(Point(*at(300, 200)).buffer(500))
    return study_grid(area, crs=CRS, cell_size_u=size)


def compute(features, grid, band=None, threads=1):
    with Workers(threads) as workers:
        lattice = Lattice.of(grid, workers.parts)
        if band is None:
            return squared_distance(features, lattice, workers)
        return kernel_sums(features, band, lattice, workers, np.full(grid.n_cells, np.nan))


def points_features(xy):
    return features_of(xy[:, 0].copy(), xy[:, 1].copy(), None, layer="made")


def shape_features(shapes):
    shapes = np.array(shapes, dtype=object)
    on_it = shapely.point_on_surface(shapes)
    return features_of(shapely.get_x(on_it), shapely.get_y(on_it), shapes, layer="made")


def clouds(rng):
    """Point sets that are awkward in different ways."""
    lattice = np.stack(np.meshgrid(np.arange(-1400, 1401, 50.0), np.arange(-1400, 1401, 50.0)), -1).reshape(-1, 2)
    return {
        "one": np.array([[12.3, -45.6]]),
        "two at one place": np.array([[50.0, 50.0], [50.0, 50.0]]),
        "uniform": rng.uniform(-2500, 2500, (700, 2)),
        "clustered": rng.normal(0, 40, (900, 2)) + rng.choice([-900.0, 100.0, 800.0], (900, 1)),
        "on cell centers and corners": lattice,
        "on a line": np.column_stack([np.linspace(-3000, 3000, 400), np.full(400, 50.0)]),
        "far away": rng.uniform(20_000, 30_000, (50, 2)),
        "pile": np.vstack([np.tile([[400.0, 300.0]], (500, 1)), [[-900.0, -900.0]]]),
    }


CLOUDS = clouds(np.random.default_rng(42))


@pytest.mark.parametrize("name", CLOUDS)
@pytest.mark.parametrize("size", [100.0, 37.3])
def test_point_distances_equal_brute_force_to_the_bit(name, size):
    grid = grid_of(size)
    xy = CLOUDS[name] + ORIGIN
    dx = xy[:, 0] - grid.center_x_u[:, None]
    dy = xy[:, 1] - grid.center_y_u[:, None]
    expected = (dx * dx + dy * dy).min(axis=1)
    assert np.array_equal(compute(points_features(xy), grid), expected)


@pytest.mark.parametrize("name", CLOUDS)
@pytest.mark.parametrize("band", [60.0, 250.0, 1000.0])
def test_point_sums_equal_brute_force(name, band):
    grid = grid_of()
    xy = CLOUDS[name] + ORIGIN
    squared = (xy[:, 0] - grid.center_x_u[:, None]) ** 2 + (xy[:, 1] - grid.center_y_u[:, None]) ** 2
    expected = (np.maximum(1 - squared / band**2, 0) ** 2).sum(axis=1)
    found = compute(points_features(xy), grid, band)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-20)
    assert np.array_equal(found == 0, expected == 0)


def random_lines(rng, n):
    lines = []
    for _ in range(n):
        start = rng.uniform(-2000, 2000, 2)
        steps = rng.normal(0, rng.choice([20.0, 200.0, 1500.0]), (rng.integers(1, 6), 2))
        lines.append(LineString(np.vstack([start, start + np.cumsum(steps, axis=0)]) + ORIGIN))
    level = LineString([at(-1000, 50), at(1000, 50), at(1000, 50), at(1000, -500)])
    return [*lines, level, LineString([at(250, -1000), at(250, 1000)])]


def stars(rng, n):
    shapes = []
    for _ in range(n):
        center, m = rng.uniform(-1800, 1800, 2), int(rng.integers(3, 12))
        radius = rng.choice([15.0, 120.0, 900.0]) * rng.uniform(0.3, 1, m)
        angle = np.sort(rng.uniform(0, 2 * np.pi, m))
        shape = Polygon(center + ORIGIN + radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)]))
        shapes.append(shape if shape.is_valid else shape.convex_hull)
    return shapes


def aligned(*bounds):
    return shapely.affinity.translate(box(*bounds), *ORIGIN)


def awkward_polygons():
    """Boundaries and corners that run exactly through cell centers (which lie at 50, 150, ... from the origin)."""
    diamond = Polygon(ORIGIN + np.array([[50, -250], [350, 50], [50, 350], [-250, 50]], float))
    holed = (
        aligned(-850, -850, 850, 850).difference(aligned(-450, -350, 150, 250)).difference(aligned(500, 500, 600, 600))
    )
    comb = Polygon(ORIGIN + np.array(
        [[-1050, -1050], [1050, -1050], [1050, -950], [850, -950], [850, -50], [750, -50], [750, -950],
         [550, -950], [550, 250], [450, 250], [450, -950], [-1050, -950]], float))  # fmt: skip
    return {
        "square on centers": [aligned(-250, -150, 350, 450)],
        "diamond through centers": [diamond],
        "holes on centers": [holed],
        "comb": [comb],
        "two that share an edge": [aligned(-350, -350, 50, 350), aligned(50, -350, 450, 350)],
        "corner to corner": [MultiPolygon([aligned(-350, -350, 50, 50), aligned(50, 50, 450, 450)])],
        "tiny": [aligned(49.9, 49.9, 50.1, 50.1), aligned(750, 750, 750.01, 750.01)],
        "covers all": [Point(*ORIGIN).buffer(50_000)],
    }


@pytest.mark.parametrize("size", [100.0, 41.7])
def test_line_distances_are_those_of_shapely(size):
    grid = grid_of(size)
    lines = random_lines(np.random.default_rng(7), 60)
    centers = shapely.points(grid.center_x_u, grid.center_y_u)
    expected = shapely.distance(centers, shapely.union_all(lines))
    np.testing.assert_allclose(np.sqrt(compute(shape_features(lines), grid)), expected, rtol=1e-11, atol=1e-8)


@pytest.mark.parametrize("name", [*awkward_polygons(), "stars"])
def test_polygon_distances_are_those_of_shapely(name):
    grid = grid_of()
    shapes = stars(np.random.default_rng(8), 40) if name == "stars" else awkward_polygons()[name]
    centers = shapely.points(grid.center_x_u, grid.center_y_u)
    expected = np.min([shapely.distance(centers, shape) for shape in shapes], axis=0)
    found = np.sqrt(compute(shape_features(shapes), grid))
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-8)
    inside = np.any([shapely.contains_properly(shape, centers) for shape in shapes], axis=0)
    assert (found[inside] == 0).all()


def line_integral(center, vertices, h):
    """Adaptive quadrature of the kernel along a line, split where it enters and leaves the disc."""
    total = 0.0
    for a, b in pairwise(vertices):
        length = float(np.hypot(*(b - a)))
        if length == 0:
            continue
        foot = float(np.dot(center - a, b - a)) / length
        across2 = float(np.sum((center - a) ** 2)) - foot**2
        half = np.sqrt(max(h * h - across2, 0.0))
        low, high = max(0.0, foot - half), min(length, foot + half)
        if low < high:
            kernel = lambda t, foot=foot, across2=across2: max(1 - (across2 + (t - foot) ** 2) / h**2, 0.0) ** 2  # noqa: E731
            total += quad(kernel, low, high, epsabs=1e-12, epsrel=1e-12)[0]
    return total


@pytest.mark.parametrize("band", [80.0, 400.0])
def test_line_sums_equal_quadrature(band):
    grid = grid_of(150.0, radius=900.0)
    lines = random_lines(np.random.default_rng(9), 12)
    some = np.random.default_rng(2).choice(grid.n_cells, 45, replace=False)
    found = compute(shape_features(lines), grid, band)[some]
    x, y = grid.center_x_u[some], grid.center_y_u[some]
    expected = [
        sum(line_integral(np.array(c), shapely.get_coordinates(line), band) for line in lines)
        for c in zip(x, y, strict=True)
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9 * band)
    assert np.array_equal(found > 0, np.array(expected) > 0)


def area_integral(center, polygon, h):
    """Kernel over a polygon by slices: exact along each level line, adaptive quadrature across, split at all kinks."""

    def along(x, dy2):  # antiderivative of (1 - (x^2 + dy2) / h^2)^2
        a = 1 - dy2 / h**2
        return a * a * x - 2 * a * x**3 / (3 * h**2) + x**5 / (5 * h**4)

    def slice_at(y):
        dy2 = (y - center[1]) ** 2
        half = np.sqrt(max(h * h - dy2, 0.0))
        crossings = []
        for ring in (polygon.exterior, *polygon.interiors):
            v = np.asarray(ring.coords)
            (ax, ay), (bx, by) = v[:-1].T, v[1:].T
            hit = (ay <= y) != (by <= y)
            crossings += list(ax[hit] + (y - ay[hit]) / (by[hit] - ay[hit]) * (bx[hit] - ax[hit]) - center[0])
        crossings = np.clip(np.sort(crossings), -half, half)
        return sum(
            along(right, dy2) - along(left, dy2) for left, right in zip(crossings[::2], crossings[1::2], strict=True)
        )

    circle = Point(*center).buffer(h, quad_segs=2)
    vertices = shapely.get_coordinates(polygon)
    kinks = {float(v) for v in vertices[:, 1]} | {center[1] - h, center[1] + h}
    boundary = shapely.get_coordinates(polygon)
    for a, b in pairwise(boundary):  # where edges cross the circle
        d, f = b - a, a - center
        roots = np.roots([d @ d, 2 * f @ d, f @ f - h * h]) if d @ d else []
        kinks |= {float(a[1] + t.real * d[1]) for t in roots if abs(t.imag) < 1e-9 and 0 <= t.real <= 1}
    low, high = max(circle.bounds[1], polygon.bounds[1]), min(circle.bounds[3], polygon.bounds[3])
    cuts = sorted({low, high} | {k for k in kinks if low < k < high}) if low < high else []
    return sum(quad(slice_at, a, b, epsabs=1e-11, epsrel=1e-11, limit=80)[0] for a, b in pairwise(cuts))


@pytest.mark.filterwarnings("ignore::scipy.integrate.IntegrationWarning")
@pytest.mark.parametrize("name", [*awkward_polygons(), "stars"])
@pytest.mark.parametrize("band", [130.0, 600.0])
def test_polygon_sums_equal_quadrature(name, band):
    """Stated accuracy: 1e-12 of the whole kernel (pi h^2 / 3) a polygon; quadrature itself reaches about 1e-10."""
    grid = grid_of(100.0, radius=700.0, hole=False)
    shapes = stars(np.random.default_rng(10), 12) if name == "stars" else awkward_polygons()[name]
    some = np.random.default_rng(1).choice(grid.n_cells, 24, replace=False)
    found = compute(shape_features(shapes), grid, band)[some]
    centers = np.column_stack([grid.center_x_u, grid.center_y_u])[some]
    expected = [
        sum(area_integral(center, part, band) for part in shapely.get_parts(np.array(shapes, dtype=object)))
        for center in centers
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-10 * np.pi * band**2 / 3)


def test_deep_inside_a_polygon_the_whole_kernel_counts():
    grid = grid_of()
    found = compute(shape_features([Point(*ORIGIN).buffer(50_000)]), grid, 300.0)
    np.testing.assert_allclose(found, np.pi * 300.0**2 / 3, rtol=1e-15)
    far = compute(shape_features([aligned(9_000, 9_000, 9_500, 9_500)]), grid, 300.0)
    assert (far == 0).all()


def test_a_cut_polygon_is_the_sum_of_its_parts():
    """Splitting a polygon, or adding vertices along its edges, changes nothing but rounding."""
    grid = grid_of(53.0)
    whole = stars(np.random.default_rng(3), 1)[0].union(aligned(-700, -300, 500, 900)).buffer(0)
    halves = [whole.intersection(aligned(-9000, -9000, 77, 9000)), whole.intersection(aligned(77, -9000, 9000, 9000))]
    dense = shapely.segmentize(whole, 13.0)
    expected = compute(shape_features([whole]), grid, 400.0)
    scale = np.pi * 400.0**2 / 3
    np.testing.assert_allclose(compute(shape_features(halves), grid, 400.0), expected, atol=1e-12 * scale)
    np.testing.assert_allclose(compute(shape_features([dense]), grid, 400.0), expected, atol=1e-11 * scale)


def test_orientation_of_rings_does_not_matter():
    grid = grid_of()
    ring = np.array([[0, 0], [500, 0], [500, 500], [0, 500]], float) + ORIGIN
    hole = np.array([[100, 100], [200, 100], [200, 200], [100, 200]], float) + ORIGIN
    base = compute(shape_features([Polygon(ring, [hole])]), grid, 250.0)
    for outer, inner in ((ring[::-1], hole), (ring, hole[::-1]), (ring[::-1], hole[::-1])):
        assert np.array_equal(compute(shape_features([Polygon(outer, [inner])]), grid, 250.0), base)


@pytest.mark.parametrize("kind", ["points", "lines", "polygons"])
def test_threads_and_order_of_rows_change_no_bit(kind):
    rng = np.random.default_rng(4)
    grid = grid_of(29.0)
    if kind == "points":
        xy = rng.uniform(-2000, 2000, (3000, 2)) + ORIGIN
        features, shuffled = points_features(xy), points_features(rng.permutation(xy))
    else:
        shapes = random_lines(rng, 200) if kind == "lines" else stars(rng, 100)
        features, shuffled = shape_features(shapes), shape_features([shapes[k] for k in rng.permutation(len(shapes))])
    assert features.kind == kind
    for band in (None, 333.0):
        one = compute(features, grid, band, threads=1)
        assert np.array_equal(one, compute(features, grid, band, threads=2))
        assert np.array_equal(one, compute(features, grid, band, threads=5))
        assert np.array_equal(one, compute(shuffled, grid, band))


def test_mixed_kinds_have_a_distance_but_no_density():
    grid = grid_of()
    mixed = shape_features([Point(*ORIGIN), LineString([at(500, 0), at(500, 300)]), aligned(-500, 0, -400, 99)])
    assert mixed.kind == "mixed"
    centers = shapely.points(grid.center_x_u, grid.center_y_u)
    shapes = [Point(*ORIGIN), LineString([at(500, 0), at(500, 300)]), aligned(-500, 0, -400, 99)]
    expected = np.min([shapely.distance(centers, shape) for shape in shapes], axis=0)
    np.testing.assert_allclose(np.sqrt(compute(mixed, grid)), expected, atol=1e-8)
    with pytest.raises(SchemaError, match="can't be added"):
        compute(mixed, grid, 100.0)


def test_no_features_are_infinitely_far():
    grid = grid_of()
    nothing = points_features(np.zeros((0, 2)))
    assert nothing.kind == "none"
    assert np.isinf(compute(nothing, grid)).all()
    assert (compute(nothing, grid, 100.0) == 0).all()


def test_rows_without_a_place_are_refused():
    with pytest.raises(SchemaError, match="1 coordinates that are not finite"):
        points_features(np.array([[0.0, 1.0], [np.nan, 2.0]]))


def test_a_single_column_or_row_of_cells():
    for area in (aligned(0, 0, 100, 900), aligned(0, 0, 900, 100), aligned(0, 0, 100, 100)):
        grid = study_grid(area, crs=CRS, cell_size_u=100.0)
        xy = np.random.default_rng(0).uniform(-300, 1000, (40, 2)) + ORIGIN
        squared = (xy[:, 0] - grid.center_x_u[:, None]) ** 2 + (xy[:, 1] - grid.center_y_u[:, None]) ** 2
        assert np.array_equal(compute(points_features(xy), grid), squared.min(axis=1))
        expected = (np.maximum(1 - squared / 250.0**2, 0) ** 2).sum(axis=1)
        np.testing.assert_allclose(compute(points_features(xy), grid, 250.0), expected, rtol=1e-12)


def test_known_cells_lie_deep_enough_in_the_coverage():
    grid = grid_of()
    coverage = aligned(-800, -900, 700, 600).difference(aligned(-100, -100, 100, 100))
    centers = shapely.points(grid.center_x_u, grid.center_y_u)
    expected = shapely.contains_properly(coverage, centers) & (shapely.distance(coverage.boundary, centers) >= 250.0)
    with Workers(1) as workers:
        lattice = Lattice.of(grid)
        assert np.array_equal(known_cells(coverage, 250.0, lattice, workers), expected)
        assert not known_cells(Polygon(), 250.0, lattice, workers).any()
