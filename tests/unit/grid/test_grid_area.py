"""Study area and study cells: shares against shapely, anchoring, masks, and what is refused."""

import numpy as np
import pyarrow as pa
import pytest
import shapely
from shapely.geometry import MultiPolygon, Point, Polygon, box

from rtm_pipeline.errors import ConfigError, GridError
from rtm_pipeline.grid import StudyGrid, resolve_crs, study_area, study_grid, with_border

CRS = "EPSG:26915"


def boxes(grid: StudyGrid):
    x, y, half = grid.center_x_u, grid.center_y_u, grid.spec.cell_size_u / 2
    return shapely.box(x - half, y - half, x + half, y + half)


def whole(grid: StudyGrid) -> StudyGrid:
    n = grid.spec.n_rows * grid.spec.n_cols
    return StudyGrid(grid.spec, np.arange(n, dtype=np.int32), np.ones(n), np.zeros(n, bool))


def star(center, radius, points=23, phase=0.3):
    angle = np.linspace(0, 2 * np.pi, 2 * points, endpoint=False) + phase
    r = radius * np.where(np.arange(2 * points) % 2, 0.45, 1.0)
    return Polygon(np.column_stack([center[0] + r * np.cos(angle), center[1] + r * np.sin(angle)]))


SHAPES = {
    "star": star((360_017.3, 4_320_013.9), 2100.0),
    "hole": star((360_000.0, 4_320_000.0), 2500.0).difference(Point(360_100, 4_320_050).buffer(700)),
    "parts": MultiPolygon([box(1010.5, 2003, 1512.25, 2390), star((3000, 3000), 800, 5)]),
    "thin": Polygon([(0.5, 0.5), (3000, 1201), (3000, 1201.5)]),
    "one cell": box(10, 10, 20, 20),
    "aligned": box(-300, -200, 500, 400),
    "on edges": Polygon([(0, 0), (400, 0), (400, 400), (200, 200), (0, 400)]),
}


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("size", [100.0, 250.0, 33.7])
def test_shares_are_those_of_shapely(name, size):
    area = SHAPES[name]
    grid = study_grid(area, crs=CRS, cell_size_u=size)
    everywhere = whole(grid)
    expected = shapely.area(shapely.intersection(boxes(everywhere), area)) / size**2
    found = np.zeros(expected.size)
    found[grid.flat] = grid.exposure
    np.testing.assert_allclose(found, expected, atol=2e-9)
    assert grid.exposure.min() > 0
    assert grid.exposure.max() <= 1
    assert np.isclose(grid.area_u2, area.area, rtol=1e-12)
    # A cell that is wholly in has exactly 1, so that its offset is exactly 0.
    inner = shapely.contains_properly(area, boxes(everywhere))
    assert (found[inner] == 1.0).all()


def test_cells_are_those_that_meet_the_area():
    area = SHAPES["hole"]
    grid = study_grid(area, crs=CRS, cell_size_u=100.0)
    meets = shapely.area(shapely.intersection(boxes(whole(grid)), area)) > 1e-6
    assert np.array_equal(grid.flat, np.flatnonzero(meets))


def test_a_cell_that_only_touches_does_not_belong():
    grid = study_grid(box(0, 0, 300, 200), crs=CRS, cell_size_u=100.0)
    assert (grid.spec.n_rows, grid.spec.n_cols, grid.n_cells) == (2, 3, 6)
    assert (grid.exposure == 1).all()


def test_cells_are_anchored_at_multiples_of_the_cell_size():
    grid = study_grid(box(-130, 510, 130, 620), crs=CRS, cell_size_u=100.0)
    assert (grid.spec.west_index, grid.spec.south_index) == (-2, 5)
    assert (grid.spec.west_u, grid.spec.south_u, grid.spec.east_u, grid.spec.north_u) == (-200, 500, 200, 700)
    moved = study_grid(box(-130, 510, 130, 620), crs=CRS, cell_size_u=100.0, offset_x_u=30.0, offset_y_u=-20.0)
    assert moved.spec.west_u % 100 == 30
    assert moved.spec.south_u % 100 == 80
    assert np.isclose(moved.area_u2, grid.area_u2)


def test_row_0_is_the_northernmost():
    grid = study_grid(box(0, 0, 100, 300), crs=CRS, cell_size_u=100.0)
    assert grid.center_y_u.tolist() == [250.0, 150.0, 50.0]
    assert grid.row_start.tolist() == [0, 1, 2, 3]


def test_large_grids_are_made_in_bands_with_the_same_result(monkeypatch):
    area = SHAPES["star"]
    one = study_grid(area, crs=CRS, cell_size_u=33.7)
    monkeypatch.setattr("rtm_pipeline.grid.area._BAND_CELLS", 700)
    many = study_grid(area, crs=CRS, cell_size_u=33.7)
    assert np.array_equal(one.flat, many.flat)
    assert np.array_equal(one.exposure, many.exposure)


def test_excluded_area_does_not_count():
    area, lake = box(0, 0, 1000, 1000), Point(500, 500).buffer(260)
    grid = study_grid(area, crs=CRS, cell_size_u=100.0, exclude=[lake])
    assert np.isclose(grid.area_u2, 1e6 - lake.area)
    assert grid.n_cells < 100
    with pytest.raises(GridError, match="cover the whole study area"):
        study_grid(area, crs=CRS, cell_size_u=100.0, exclude=[box(-1, -1, 2000, 2000)])


def test_perimeter_leaves_wiggles_out():
    straight = box(0, 0, 10_000, 10_000)
    teeth = np.arange(0, 10_000, 10.0)
    jagged = Polygon([(0, 0), *zip(teeth, np.where(np.arange(teeth.size) % 2, 9.0, 0.0), strict=True),
                      (10_000, 0), (10_000, 10_000), (0, 10_000)])  # fmt: skip
    assert study_grid(straight, crs=CRS, cell_size_u=100.0).perimeter_u == 40_000
    assert study_grid(jagged, crs=CRS, cell_size_u=100.0).perimeter_u == pytest.approx(40_000, rel=1e-3)


def test_too_many_cells_are_refused_with_a_size_that_works():
    with pytest.raises(GridError, match=r"about 1,000,000 cells; the limit is 10,000.*at least 10 CRS"):
        study_grid(box(0, 0, 1000, 1000), crs=CRS, cell_size_u=1.0, max_cells=10_000)
    for size in (0.0, -3.0, np.nan, np.inf):
        with pytest.raises(GridError, match="positive"):
            study_grid(box(0, 0, 1000, 1000), crs=CRS, cell_size_u=size)
    with pytest.raises(GridError, match="billionth of a cell"):
        study_grid(box(1, 1, 1.001, 1.001), crs=CRS, cell_size_u=250.0)


def test_border_cells_lie_near_the_end_of_what_sources_cover():
    grid = study_grid(box(0, 0, 1000, 300), crs=CRS, cell_size_u=100.0)
    assert not grid.border.any()
    flagged = with_border(grid, box(-5000, -5000, 800, 5000), 200.0)
    assert np.array_equal(flagged.border, grid.center_x_u > 600)
    assert np.array_equal(flagged.exposure, grid.exposure)


# --- CRS ---


def test_projected_crs_are_resolved_with_their_unit():
    info = resolve_crs("ESRI:102696")
    assert info.code == "ESRI:102696"
    assert info.unit_m == pytest.approx(1200 / 3937, rel=1e-15)
    assert resolve_crs("EPSG:26915").unit_m == 1.0


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("EPSG:4326", "in degrees.*Choose the projected CRS"),
        ("EPSG:3857", "stretches lengths"),
        ("EPSG:4978", "not a plane"),
        ("EPSG:99999", "not a coordinate reference system"),
        ("nonsense", "not a coordinate reference system"),
        ("+proj=utm +zone=15 +ellps=bessel", "no authority code"),
    ],
)
def test_other_crs_are_refused_with_advice(code, words):
    with pytest.raises(ConfigError, match=words):
        resolve_crs(code)


# --- study area ---


def city_lonlat():
    return box(-90.32, 38.53, -90.17, 38.77)


def test_area_is_united_and_projected():
    west, east = box(-90.32, 38.53, -90.25, 38.77), box(-90.25, 38.53, -90.17, 38.77)
    area = study_area(pa.array(shapely.to_wkb([west, east])), "EPSG:4326", "ESRI:102696")
    assert area.geom_type == "Polygon"
    assert area.area * 0.3048**2 / 1e6 == pytest.approx(348, rel=0.01)
    same = study_area([shapely.to_wkb(area), None], "ESRI:102696", "ESRI:102696")
    assert same.equals(area)


def test_a_ring_that_crosses_itself_is_repaired():
    bow = Polygon([(700_000, 4_300_000), (720_000, 4_320_000), (720_000, 4_300_000), (700_000, 4_320_000)])
    area = study_area([shapely.to_wkb(bow)], "EPSG:26915", "EPSG:26915")
    assert area.is_valid
    assert area.area == pytest.approx(2e8)


@pytest.mark.parametrize(
    ("geometries", "crs", "words"),
    [
        ([], "EPSG:4326", "no geometry"),
        ([None], "EPSG:4326", "no geometry"),
        ([b"\x01\x02"], "EPSG:4326", "can't be read"),
        ([shapely.to_wkb(Point(-90, 38))], "EPSG:4326", "must be polygons.*Point"),
        ([shapely.to_wkb(Polygon([(-90, 38), (-90.1, 38), (-90.2, 38), (-90, 38)]))], "EPSG:4326", "can't be repaired"),
        ([shapely.to_wkb(shapely.transform(city_lonlat(), lambda v: v[:, ::-1]))], "EPSG:4326", "exchanged"),
        ([shapely.to_wkb(box(38.53, -90.32, 38.77, -90.17))], "EPSG:4326", "exchanged"),
        ([shapely.to_wkb(box(880_000, 980_000, 900_000, 1_000_000))], "EPSG:4326", "not degrees"),
        ([shapely.to_wkb(box(-100, 30, -80, 45))], "EPSG:4326", "square kilometers; no city"),
        ([shapely.to_wkb(box(2.2, 48.8, 2.4, 48.9))], "EPSG:4326", "far outside the region"),
    ],
)
def test_what_can_not_be_a_study_area_is_refused(geometries, crs, words):
    with pytest.raises(GridError, match=words):
        study_area(geometries, crs, "ESRI:102696")


def test_not_a_number_is_refused():
    ring = np.array([(-90.3, 38.5), (-90.2, 38.5), (-90.2, np.nan), (-90.3, 38.5)])
    with np.errstate(invalid="ignore"):
        wkb = shapely.to_wkb(shapely.polygons(ring))
        with pytest.raises(GridError, match="not numbers"):
            study_area([wkb], "EPSG:4326", "ESRI:102696")
