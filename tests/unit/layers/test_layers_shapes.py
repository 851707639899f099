from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
import shapely

from rtm_pipeline.errors import GridError, SchemaError
from rtm_pipeline.layers.layer import LayerResult
from rtm_pipeline.layers.spec import GeometrySpec, LayerSpec

Read = Callable[..., LayerResult]
Site = Callable[..., LayerSpec]
Snapshot = Callable[..., pa.Table]

WKT = GeometrySpec("wkt", ("shape",), "EPSG:26915")
X, Y = 360000, 4325000


def square(x: float = X, y: float = Y, side: float = 100) -> str:
    return str(shapely.to_wkt(shapely.box(x, y, x + side, y + side)))


def test_polygons_lines_and_points_together(read: Read, site: Site, snapshot: Snapshot) -> None:
    line = f"LINESTRING ({X} {Y}, {X + 300} {Y})"
    result = read(site(geometry=WKT), snapshot({"shape": [square(), line, f"POINT ({X} {Y})"]}))
    assert result.layer.geometry is not None
    assert [shape.geom_type for shape in result.layer.geometry] == ["Polygon", "LineString", "Point"]
    assert result.notes["geometry_types"] == {"point": 1, "linestring": 1, "polygon": 1}
    points = shapely.points(result.layer.x, result.layer.y)
    assert shapely.dwithin(result.layer.geometry, points, 1e-6).all()
    # inside the polygon, not on its edge
    assert shapely.contains(result.layer.geometry[0], points[0])


def test_only_points_have_no_geometry(read: Read, site: Site, snapshot: Snapshot) -> None:
    texts = [f"POINT ({X} {Y})", f"SRID=26915;POINT ({X} {Y})", f"MULTIPOINT (({X} {Y}))", f"POINT Z ({X} {Y} 7)"]
    result = read(site(geometry=WKT), snapshot({"shape": texts}))
    assert result.layer.geometry is None
    assert result.layer.x.tolist() == [X] * 4


def test_broken_polygons_are_mended_or_set_aside(read: Read, site: Site, snapshot: Snapshot) -> None:
    bow_tie = f"POLYGON (({X} {Y}, {X + 100} {Y + 100}, {X + 100} {Y}, {X} {Y + 100}, {X} {Y}))"
    spike = f"POLYGON (({X} {Y}, {X + 100} {Y}, {X + 100} {Y + 100}, {X + 100} {Y}, {X} {Y}))"
    flat = f"POLYGON (({X} {Y}, {X + 100} {Y}, {X + 50} {Y}, {X} {Y}))"
    still = f"LINESTRING ({X} {Y}, {X} {Y})"
    result = read(site(geometry=WKT), snapshot({"shape": [bow_tie, square(), spike, flat, still]}))
    assert result.counts.kept == 2
    assert result.counts.quarantined == {"invalid_geometry": 3}
    assert result.notes["repaired_geometries"] == 1
    assert result.layer.geometry is not None
    assert shapely.is_valid(result.layer.geometry).all()
    # both triangles of the bow tie
    assert shapely.area(result.layer.geometry[0]) == pytest.approx(5000.0)


def test_what_is_no_geometry(read: Read, site: Site, snapshot: Snapshot) -> None:
    texts = [
        None,
        "POLYGON EMPTY",
        "POLYGON ((1 1, 2 2",
        f"GEOMETRYCOLLECTION (POINT ({X} {Y}), LINESTRING (0 0, 1 1))",
        f"MULTIPOINT (({X} {Y}), ({X + 1} {Y}))",
        "POINT (0 0)",
        square(),
    ]
    result = read(site(geometry=WKT), snapshot({"shape": texts}))
    assert result.counts.kept == 1
    assert result.counts.quarantined == {"no_location": 3, "unreadable_location": 1, "unsupported_geometry": 2}


def test_polygons_against_the_study_area(read: Read, site: Site, snapshot: Snapshot) -> None:
    shapes = [
        square(354950, Y),  # across the edge
        square(354600, Y),  # in the buffer
        square(354300, Y),  # beyond the buffer
        square(300000, Y),  # nowhere near
        square(Y, X),  # x and y exchanged
    ]
    result = read(site(geometry=WKT), snapshot({"shape": shapes}))
    assert result.layer.inside is not None
    assert result.layer.inside.tolist() == [True, False]
    assert result.counts.filtered_by == {"outside_study_area": 1}
    assert result.counts.quarantined == {"implausible_location": 2}


def test_native_geometry_is_projected(read: Read, site: Site, snapshot: Snapshot) -> None:
    shape = shapely.box(-94.62, 39.06, -94.61, 39.07)
    table = snapshot({"name": ["a", "b", "c"]}, geometry=[shapely.to_wkb(shape), None, b"not wkb"])
    spec = site(kind="areas", geometry=GeometrySpec("native"), keep=("name",))
    result = read(spec, table, source_crs="EPSG:4326")
    assert result.layer.attributes.column("name").to_pylist() == ["a"]
    assert result.counts.quarantined == {"no_location": 1, "unreadable_location": 1}
    assert result.layer.geometry is not None
    assert shapely.area(result.layer.geometry[0]) == pytest.approx(0.96e6, rel=0.02)
    assert result.quarantine.column_names == ["name", "_file", "_row", "geometry", "_reason"]


def test_native_geometry_that_is_not_there(read: Read, site: Site, snapshot: Snapshot) -> None:
    with pytest.raises(SchemaError, match="Name the columns with the coordinates"):
        read(site(geometry=GeometrySpec("native", crs="EPSG:4326")), snapshot({"name": ["a"]}))


def test_geojson_text(read: Read, site: Site, snapshot: Snapshot) -> None:
    ring = [[-94.62, 39.06], [-94.61, 39.06], [-94.61, 39.07], [-94.62, 39.06]]
    texts = [
        f'{{"type": "Polygon", "coordinates": [{ring}]}}',
        '{"type": "Polygon"',
        '{"type": "Point", "coordinates": []}',
    ]
    result = read(site(geometry=GeometrySpec("geojson", ("g",))), snapshot({"g": texts}))
    assert result.counts.kept == 1
    assert result.counts.quarantined == {"no_location": 1, "unreadable_location": 1}


def test_areas_must_be_polygons(read: Read, site: Site, snapshot: Snapshot) -> None:
    spec = site(kind="areas", geometry=WKT)
    with pytest.raises(SchemaError, match=r"'things' breaks the contract of areas 1 time\(s\): polygon is so"):
        read(spec, snapshot({"shape": [square(), f"LINESTRING ({X} {Y}, {X + 300} {Y})"]}))


def test_coverage_is_carried_and_checked(read: Read, site: Site, snapshot: Snapshot) -> None:
    table = snapshot({"x": ["360000", "356000"], "y": ["4325000"] * 2})
    covered = shapely.box(359000, 4320000, 365000, 4330000)
    result = read(site(), table, coverage=covered)
    assert result.layer.coverage is covered
    assert result.notes["outside_coverage"] == 1
    with pytest.raises(GridError, match="its coverage must be a valid polygon"):
        read(site(), table, coverage=shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)]))


def test_vertices_without_a_place_in_the_city(read: Read, site: Site, snapshot: Snapshot) -> None:
    far = "POLYGON ((-94.62 39.06, 500 91, 600 92, -94.62 39.06))"
    good = "POLYGON ((-94.62 39.06, -94.61 39.06, -94.61 39.07, -94.62 39.06))"
    result = read(site(geometry=GeometrySpec("wkt", ("g",), "EPSG:4326")), snapshot({"g": [far, good]}))
    assert result.counts.quarantined == {"implausible_location": 1}
    assert np.isfinite(result.layer.x).all()
