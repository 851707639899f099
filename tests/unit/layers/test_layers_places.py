from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
import shapely
from pyproj import Transformer

from rtm_pipeline.errors import ConfigError, GridError, SchemaError
from rtm_pipeline.layers.frame import Frame
from rtm_pipeline.layers.layer import LayerResult
from rtm_pipeline.layers.location_text import read_locations
from rtm_pipeline.layers.spec import DefaultGeocode, GeometrySpec, LayerSpec

Read = Callable[..., LayerResult]
Site = Callable[..., LayerSpec]
Snapshot = Callable[..., pa.Table]

TO_DEGREES = Transformer.from_crs("EPSG:26915", "EPSG:4326", always_xy=True)
LON, LAT = TO_DEGREES.transform(360000.0, 4325000.0)


def test_where_points_end_up(read: Read, site: Site, snapshot: Snapshot) -> None:
    rows = [
        ("360000", "4325000", None),
        ("355000", "4320000", None),  # a corner of the study area belongs to it
        ("354600", "4325000", None),  # in the buffer
        ("354499", "4325000", "outside_study_area"),
        ("365300", "4330300", None),  # 424 m off the corner
        ("365400", "4330400", "outside_study_area"),  # 566 m off the corner, though within its box
        ("334000", "4325000", "implausible_location"),
        ("0", "0.0", "no_location"),
        ("0", "4325000", "implausible_location"),
        (None, "4325000", "no_location"),
        ("360000", "n/a", "unreadable_location"),
        ("inf", "4325000", "unreadable_location"),
        ("4325000", "360000", "swapped_coordinates"),
        ("-1", "-1", "no_location"),
    ]
    table = snapshot({"x": [row[0] for row in rows], "y": [row[1] for row in rows]})
    result = read(site(geometry=GeometrySpec("xy", ("x", "y"), "EPSG:26915", missing=((-1.0, -1.0),))), table)
    assert result.counts.quarantined == {
        "no_location": 3,
        "unreadable_location": 2,
        "swapped_coordinates": 1,
        "implausible_location": 2,
    }
    assert result.counts.filtered_by == {"outside_study_area": 2}
    assert result.layer.attributes.column("_row").to_pylist() == [1, 2, 3, 5]
    assert result.layer.inside is not None
    assert result.layer.inside.tolist() == [True, True, False, False]
    assert (result.notes["inside_study_area"], result.notes["in_buffer"]) == (2, 2)
    # every quarantined row carries the reason that is its own
    by_row = dict(zip(*(result.quarantine.column(name).to_pylist() for name in ("_row", "_reason")), strict=True))
    assert by_row == {
        row: reason for row, (_, _, reason) in enumerate(rows, 1) if reason and reason != "outside_study_area"
    }


def test_degrees_are_projected_and_swaps_seen(read: Read, site: Site, snapshot: Snapshot) -> None:
    table = snapshot({"lat": [str(LAT), str(LON), "95", str(LAT)], "lon": [str(LON), str(LAT), "-94", str(LON + 1.5)]})
    result = read(site(geometry=GeometrySpec("latlon", ("lat", "lon"))), table)
    assert (result.layer.x[0], result.layer.y[0]) == pytest.approx((360000.0, 4325000.0), abs=1e-3)
    assert result.counts.quarantined == {"swapped_coordinates": 1, "implausible_location": 2}


@pytest.mark.parametrize(
    ("geometry", "columns"),
    [
        (GeometrySpec("latlon", ("a", "b")), {"a": [f"{LAT}", f"{LAT + 0.01}"], "b": [f"{LON}"] * 2}),
        (
            GeometrySpec("location", ("a",)),
            {"a": [f"{{'latitude': '{lat}', 'longitude': '{LON}'}}" for lat in (LAT, LAT + 0.01)]},
        ),
        (
            GeometrySpec("geojson", ("a",)),
            {"a": [f'{{"type": "Point", "coordinates": [{LON}, {lat}]}}' for lat in (LAT, LAT + 0.01)]},
        ),
    ],
)
def test_default_geocodes_in_degrees(
    read: Read, site: Site, snapshot: Snapshot, geometry: GeometrySpec, columns: dict[str, list[str]]
) -> None:
    spot = DefaultGeocode("headquarters", round(LAT, 7), round(LON, 7))
    result = read(site(geometry=geometry, default_geocodes=(spot,)), snapshot(columns))
    assert result.counts.quarantined == {"default_geocode": 1}
    assert result.quarantine.column("_row").to_pylist() == [1]
    assert result.counts.kept == 1


def test_default_geocode_in_the_citys_units(read: Read, site: Site, snapshot: Snapshot) -> None:
    table = snapshot({"x": ["360000", "360000.4", "360002"], "y": ["4325000"] * 3})
    spec = site(default_geocodes=(DefaultGeocode("hall", 360000.0, 4325000.0, tolerance=1.0),))
    assert read(spec, table).counts.quarantined == {"default_geocode": 2}


@pytest.mark.parametrize(
    ("declared", "columns", "looks_like"),
    [
        ("EPSG:26915", [(LON, LAT)] * 3, "degrees of longitude and latitude"),
        ("EPSG:26915", [(LAT, LON)] * 3, "degrees with latitude first"),
        ("EPSG:26915", [Transformer.from_crs(4326, 3857, always_xy=True).transform(LON, LAT)] * 3, "web-mercator"),
        ("EPSG:4326", [(360000, 4325000)] * 3, "the city's own CRS"),
        ("EPSG:26915", [(360000 / 0.3048, 4325000 / 0.3048)] * 3, "EPSG:26915 in feet instead of meters"),
    ],
)
def test_a_wrong_crs_is_guessed_and_blocks(
    read: Read,
    site: Site,
    snapshot: Snapshot,
    declared: str,
    columns: list[tuple[float, float]],
    looks_like: str,
) -> None:
    table = snapshot({"x": [str(x) for x, _ in columns] * 10, "y": [str(y) for _, y in columns] * 10})
    spec = site(geometry=GeometrySpec("xy", ("x", "y"), declared), may_be_empty=True)
    with pytest.raises(SchemaError, match=rf"30 quarantined .*coordinates look like {looks_like}.*read as {declared}"):
        read(spec, table)


def test_few_strange_rows_do_not_stop_a_layer_that_may_be_empty(read: Read, site: Site, snapshot: Snapshot) -> None:
    table = snapshot({"x": [str(LON)] * 29, "y": [str(LAT)] * 29})
    result = read(site(may_be_empty=True), table)
    assert result.counts.quarantined == {"implausible_location": 29}
    with pytest.raises(SchemaError, match="coordinates look like degrees"):
        read(site(may_be_empty=False), table)


def test_most_rows_wrong_is_noted(read: Read, site: Site, snapshot: Snapshot) -> None:
    table = snapshot({"x": ["360000", str(LON), str(LON)], "y": ["4325000", str(LAT), str(LAT)]})
    result = read(site(), table)
    assert result.counts.kept == 1
    assert result.notes["implausible_rows"] == "2 of 3 located rows lie nowhere near the city"
    assert "degrees of longitude" in str(result.notes["coordinates_look_like"])


def test_an_unknown_crs_is_a_wrong_request(read: Read, site: Site, snapshot: Snapshot) -> None:
    table = snapshot({"x": ["1"], "y": ["1"]})
    with pytest.raises(ConfigError, match="'EPSG:999999' is not a coordinate reference system"):
        read(site(geometry=GeometrySpec("xy", ("x", "y"), "EPSG:999999")), table)
    with pytest.raises(ConfigError, match=r"no CRS is known for its xy geometry. Give geometry.crs"):
        read(site(geometry=GeometrySpec("xy", ("x", "y"))), table)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{'type': 'Point', 'coordinates': [-94.5, 39.1]}", (39.1, -94.5)),
        ('{"type":"Point","coordinates":[-94.5,39.1]}', (39.1, -94.5)),
        ('{"coordinates": [-94.5, 39.1, 0.0], "type": "Point"}', (39.1, -94.5)),
        ("""{'latitude': '39.1', 'longitude': '-94.5', 'human_address': '{"address": "1 A ST"}'}""", (39.1, -94.5)),
        ('{"human_address": "{}", "longitude": -94.5, "needs_recoding": false, "latitude": 39.1}', (39.1, -94.5)),
        ("POINT (-94.5 39.1)", (39.1, -94.5)),
        ("point(-94.5 39.1)", (39.1, -94.5)),
        ("901 E 27th St64109\n(39.1, -94.5)", (39.1, -94.5)),
        ("(39.1, -94.5)", (39.1, -94.5)),
        ("{'latitude': '3.91e1', 'longitude': '-94.5'}", (39.1, -94.5)),
    ],
)
def test_location_texts(text: str, expected: tuple[float, float]) -> None:
    latitude, longitude, without = read_locations(pa.array([text]))
    assert (latitude[0], longitude[0]) == expected
    assert not without[0]


@pytest.mark.parametrize(
    ("text", "without"),
    [
        ("1705 E 39th St64110", True),
        ("""{'human_address': '{"address": "1 A ST", "city": "KANSAS CITY"}'}""", True),
        ("{'latitude': None, 'longitude': None}", True),
        ('{"latitude": "", "longitude": ""}', True),
        ("{'latitude': 'north', 'longitude': '-94.5'}", True),
        ("{'latitude': '39.1x', 'longitude': '-94.5'}", False),
        ("POINT EMPTY", False),
        ("901 E 27th St\n(39.1; -94.5, 3)", False),
    ],
)
def test_location_texts_without_place(text: str, without: bool) -> None:
    latitude, longitude, found = read_locations(pa.array([text]))
    assert np.isnan(latitude[0])
    assert np.isnan(longitude[0])
    assert found.tolist() == [without]


def test_location_objects_in_a_layer(read: Read, site: Site, snapshot: Snapshot) -> None:
    texts = [
        f"somewhere\n({LAT}, {LON})",
        None,
        "just an address",
        "(0.0, 0.0)",
        "{'latitude': '39.1x', 'longitude': '1'}",
    ]
    result = read(site(geometry=GeometrySpec("location", ("a",))), snapshot({"a": texts}))
    assert result.counts.kept == 1
    assert result.counts.quarantined == {"no_location": 3, "unreadable_location": 1}


def test_frame_refuses_what_is_no_area(frame: Frame) -> None:
    bow_tie = shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])
    with pytest.raises(GridError, match="not a valid polygon: Self-intersection"):
        Frame("EPSG:26915", 1.0, bow_tie, 0.0, 1.0, "America/Chicago")
    with pytest.raises(GridError, match="empty"):
        Frame("EPSG:26915", 1.0, shapely.Polygon(), 0.0, 1.0, "America/Chicago")
    with pytest.raises(GridError, match="must be a polygon; found LineString"):
        Frame("EPSG:26915", 1.0, shapely.LineString([(0, 0), (1, 1)]), 0.0, 1.0, "America/Chicago")
    with pytest.raises(GridError, match="at most the distance within which places are plausible"):
        Frame("EPSG:26915", 1.0, frame.area, 5.0, 1.0, "America/Chicago")
    with pytest.raises(ConfigError, match="'America/Kansas_City' is not a known time zone"):
        Frame("EPSG:26915", 1.0, frame.area, 0.0, 1.0, "America/Kansas_City")


def test_alternatives_fill_in_what_the_first_way_does_not_tell(read: Read, site: Site, snapshot: Snapshot) -> None:
    here, there = f"{{'latitude': '{LAT}', 'longitude': '{LON}'}}", f"{LAT + 0.01}"
    table = snapshot(
        {
            "place": [here, None, "{'latitude': '0.0', 'longitude': '0.0'}", None, None, here],
            "lat": [there, there, there, None, "x", "x"],
            "lon": [f"{LON}", f"{LON}", f"{LON}", f"{LON}", f"{LON}", f"{LON}"],
        }
    )
    ways = GeometrySpec("location", ("place",), alternatives=(GeometrySpec("latlon", ("lat", "lon")),))
    result = read(site(geometry=ways), table)
    alone = read(site(geometry=GeometrySpec("latlon", ("lat", "lon"))), table)
    first = read(site(geometry=GeometrySpec("location", ("place",))), table)
    assert result.counts.kept == 4
    assert result.counts.quarantined == {"no_location": 1, "unreadable_location": 1}
    assert result.layer.y.tolist() == [first.layer.y[0], alone.layer.y[1], alone.layer.y[2], first.layer.y[1]]


def test_alternatives_may_have_another_crs(read: Read, site: Site, snapshot: Snapshot) -> None:
    table = snapshot({"x": [None, "400000"], "y": [None, "4300000"], "lat": [f"{LAT}", None], "lon": [f"{LON}", None]})
    ways = GeometrySpec("xy", ("x", "y"), "EPSG:26915", alternatives=(GeometrySpec("latlon", ("lat", "lon")),))
    alone = read(site(geometry=GeometrySpec("latlon", ("lat", "lon"))), table)
    result = read(site(geometry=ways), table)
    assert result.layer.x[0] == pytest.approx(alone.layer.x[0], abs=1e-3)


def test_alternatives_are_for_points(read: Read, site: Site, snapshot: Snapshot) -> None:
    shape = '{"type": "LineString", "coordinates": [[0, 0], [1, 1]]}'
    table = snapshot({"g": [shape], "lat": [f"{LAT}"], "lon": [f"{LON}"]})
    ways = GeometrySpec("geojson", ("g",), alternatives=(GeometrySpec("latlon", ("lat", "lon")),))
    with pytest.raises(ConfigError, match="are for points"):
        read(site(geometry=ways), table)


def test_coordinates_with_decimal_commas_are_shown_with_the_remedy(site: Site, snapshot: Snapshot, read: Read) -> None:
    spec = site(geometry=GeometrySpec("xy", ("x", "y"), "EPSG:26915"), may_be_empty=False)
    table = snapshot({"x": ["360000,25"] * 2, "y": ["4325000,5"] * 2})
    with pytest.raises(SchemaError, match=r"in 'x' look like \{'999999,99': 2\}.* Write decimal: \",\" at sources"):
        read(spec, table)
    table = snapshot({"x": ["withheld", "360000"], "y": ["4325000", "4325000"]})
    result = read(spec, table)
    assert result.notes["unreadable_x"] == {"AAAAAAAA": 1}
    assert "unreadable_y" not in result.notes
