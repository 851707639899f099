"""The facts of two real cities' files, faults included. The expected numbers come from the publisher's side: each was
counted apart from this program (see the data's own README where there is one)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely

from rtm_pipeline.layers.build import build_layer
from rtm_pipeline.layers.conditions import Condition, Filter
from rtm_pipeline.layers.frame import Frame
from rtm_pipeline.layers.layer import LayerResult
from rtm_pipeline.layers.spec import (
    Categories,
    DateSpec,
    DefaultGeocode,
    GeometrySpec,
    History,
    KnownAt,
    LayerSpec,
    Reversal,
)
from rtm_pipeline.layers.vintage import as_known, count_unit, rows_known
from rtm_pipeline.layers.yearly import OutcomeByYear, Tally, outcome_by_year
from rtm_pipeline.sources.files.files import read_files
from rtm_pipeline.sources.source_read import SourceRead
from rtm_pipeline.sources.spec import ColumnRequest, FileSource
from rtm_pipeline.units import Window

NOW = datetime(2026, 1, 2, tzinfo=UTC)
US_FOOT = 1200 / 3937
MILE_FT = 5280.0

SLMPD = FileSource(
    "slmpd",
    "st_louis/slmpd/*.csv",
    expect_files=36,
    aliases={
        "CodedMonth": ("Coded Month",),
        "DateOccur": ("Date Occur",),
        "XCoord": ("X-Coord",),
        "YCoord": ("Y-Coord",),
    },
)
STL_VIOLENCE = LayerSpec(
    name="violence",
    source="slmpd",
    kind="events",
    geometry=GeometrySpec("xy", ("XCoord", "YCoord"), "ESRI:102696"),
    date=DateSpec("DateOccur", ("%m/%d/%Y %H:%M",)),
    known_at=KnownAt(column="CodedMonth", formats=("%Y-%m",), period="month"),
    incident=("Complaint",),
    where=Filter(((Condition("Crime", prefix=("01", "03", "04"), pad=6),),)),
    categories=Categories(
        ("Crime",), {"homicide": ("01*",), "robbery": ("03*",), "aggravated_assault": ("04*",)}, pad=6
    ),
    reversal=Reversal("Count", "-1", ("Complaint", "Crime")),
    origin="police",
)
VACANCY = FileSource("vacancy", "st_louis/vacancy_2017.csv")
STL_LOTS = LayerSpec(
    name="vacant_lots",
    source="vacancy",
    kind="sites",
    geometry=GeometrySpec("latlon", ("lat", "lon")),
    known_at=KnownAt(fixed=date(2017, 12, 31)),
    key=("HANDLE",),
    where=Filter(((Condition("c_typeSimple", isin=("lot",)),),)),
)
STL_BUILDINGS = replace(
    STL_LOTS, name="vacant_buildings", where=Filter(((Condition("c_typeSimple", isin=("building",)),),))
)
KCPD = FileSource("kcpd", "kansas_city/kcpd_2017_victims.csv")
KC_VIOLENCE = LayerSpec(
    name="violence",
    source="kcpd",
    kind="events",
    geometry=GeometrySpec("latlon", ("Latitude", "Longitude")),
    date=DateSpec("Date", ("%Y-%m-%d",), hour="Hour"),
    key=("Date", "Hour", "Crime", "Latitude", "Longitude"),
    categories=Categories(
        ("Crime",),
        {
            "homicide": ("HOMICIDE/Non Neglige",),
            "rape": ("Rape", "Forcible Sodomy"),
            "robbery": ("Armed Robbery", "Strong Arm Robbery"),
            "aggravated_assault": ("Aggravated Assault*", "Agg Assault - *"),
        },
    ),
    default_geocodes=(DefaultGeocode("police headquarters", 39.10091, -94.577328),),
    flags={"firearm": Filter(((Condition("Firearm", isin=("Y",)),),))},
    origin="police",
)
PARCELS = FileSource("parcels", "kansas_city/parcels_2015.csv")
KC_LOTS = LayerSpec(
    name="vacant_lots",
    source="parcels",
    kind="sites",
    geometry=GeometrySpec("latlon", ("latitude", "longitude")),
    known_at=KnownAt(fixed=date(2015, 6, 30)),
    key=("kivapin",),
    where=Filter(((Condition("landusecode", prefix=("9500", "9600")),),)),
    history=History("assumed", "A parcel list of June 2015 stands for all years."),
)

Load = Callable[[FileSource, LayerSpec], SourceRead]


@pytest.fixture(scope="module")
def load(trial_data: Path) -> Load:
    def run(source: FileSource, spec: LayerSpec) -> SourceRead:
        return read_files(source, [ColumnRequest(name) for name in spec.columns()], data_dir=trial_data)

    return run


def city(boundary: Path, crs: str, buffer_u: float = 0.0) -> Frame:
    area = shapely.union_all(gpd.read_file(boundary).to_crs(crs).geometry.to_numpy())
    return Frame(crs, US_FOOT, area, buffer_u, 5 * MILE_FT, "America/Chicago")


@pytest.fixture(scope="module")
def st_louis(trial_data: Path) -> Frame:
    return city(trial_data / "st_louis" / "city_limits.shp", "ESRI:102696", 1500.0)


@pytest.fixture(scope="module")
def kansas_city(trial_data: Path) -> Frame:
    return city(trial_data / "kansas_city" / "city_limits.geojson", "ESRI:102698")


def build(spec: LayerSpec, read: SourceRead, frame: Frame) -> LayerResult:
    return build_layer(spec, read.table, frame, source_crs=read.crs, fetched_at=NOW)


def by_year(spec: LayerSpec, read: SourceRead, frame: Frame) -> OutcomeByYear:
    return outcome_by_year(spec, read.table, frame, source_crs=read.crs, fetched_at=NOW)


def test_st_louis_violence_by_year(load: Load, st_louis: Frame) -> None:
    found = by_year(STL_VIOLENCE, load(SLMPD, STL_VIOLENCE), st_louis)
    years = [found.year(year) for year in (2017, 2018, 2019)]
    assert found.read == 144_629
    assert [year.located.rows for year in years] == [6182, 5221, 5483]
    assert [year.unlocated.rows for year in years] == [99, 88, 93]
    assert [year.located.incidents for year in years] == [4979, 4213, 4361]
    # reversals, matched by complaint and crime code, take 87, 92 and 77 rows off
    assert [year.standing for year in years] == [Tally(6095, 4915), Tally(5129, 4134), Tally(5406, 4297)]
    assert (found.netted, found.without_partner) == (268, 12)
    assert all(share.verdict == "ok" for share in found.shares if share.year >= 2017)


def test_st_louis_violence_layer(load: Load, st_louis: Frame) -> None:
    result = build(STL_VIOLENCE, load(SLMPD, STL_VIOLENCE), st_louis)
    counts = result.counts
    assert (counts.read, counts.kept, counts.duplicate) == (144_629, 16_647, 0)
    assert counts.filtered_by == {"where": 127_156, "reversal": 280 + 268}
    # one row is dated 1900
    assert counts.quarantined == {"date_too_early": 1, "no_location": 277}
    layer = result.layer
    assert sum(result.notes["categories"].values()) == counts.kept  # type: ignore[attr-defined]
    for year, rows, incidents in ((2017, 6095, 4915), (2018, 5129, 4134), (2019, 5406, 4297)):
        window = Window(date(year, 1, 1), date(year + 1, 1, 1))
        assert np.count_nonzero(count_unit(layer, window, "offence")) == rows
        assert np.count_nonzero(count_unit(layer, window, "incident")) == incidents


def test_st_louis_rows_of_2018_coded_in_2019(load: Load, st_louis: Frame) -> None:
    prefix, counted = Condition("Crime", prefix=("01", "03", "04"), pad=6), Condition("Count", isin=("1",))
    spec = replace(STL_VIOLENCE, reversal=None, where=Filter(((prefix, counted),)))
    layer = build(spec, load(SLMPD, spec), st_louis).layer
    of_2018 = Window(date(2018, 1, 1), date(2019, 1, 1)).contains(layer.time)
    assert np.count_nonzero(of_2018) == 5221
    assert np.count_nonzero(of_2018 & ~rows_known(layer, date(2019, 1, 1))) == 30


def test_st_louis_as_it_was_known(load: Load, st_louis: Frame) -> None:
    read = load(SLMPD, STL_VIOLENCE)
    layer = build(STL_VIOLENCE, read, st_louis).layer
    months = read.table.column("CodedMonth").to_numpy(zero_copy_only=False)
    early = SourceRead(read.table.filter(months < "2019-01"), read.files)
    # what would have been read on the day is what is seen of the whole today, reversals of later months included
    then = build(STL_VIOLENCE, early, st_louis).layer
    now = as_known(layer, date(2019, 1, 1))
    for column in ("_file", "_row"):
        assert then.attributes.column(column).equals(now.attributes.column(column))
    assert len(now) == np.count_nonzero(rows_known(layer, date(2019, 1, 1))) + 7


def test_st_louis_rapes_have_no_place(load: Load, st_louis: Frame) -> None:
    spec = replace(
        STL_VIOLENCE,
        where=Filter(((Condition("Crime", prefix=("02",), pad=6),),)),
        categories=None,
        may_be_empty=True,
    )
    found = by_year(spec, load(SLMPD, spec), st_louis)
    assert {share.verdict for share in found.shares if share.year >= 2017} == {"leave_out"}
    assert sum(year.located.rows for year in found.years) == 0


def test_st_louis_vacancy(load: Load, st_louis: Frame) -> None:
    read = load(VACANCY, STL_LOTS)
    lots, buildings = build(STL_LOTS, read, st_louis), build(STL_BUILDINGS, read, st_louis)
    assert lots.counts.read - lots.counts.filtered_by["where"] == 18_099
    assert buildings.counts.read - buildings.counts.filtered_by["where"] == 7_499
    assert lots.counts.quarantined["no_location"] + buildings.counts.quarantined["no_location"] == 25
    assert lots.counts.duplicate + buildings.counts.duplicate == 681
    assert (lots.counts.kept, buildings.counts.kept) == (17_613, 7_279)
    assert rows_known(lots.layer, date(2018, 1, 1)).all()
    assert not rows_known(lots.layer, date(2017, 12, 31)).any()


def test_st_louis_blight_requests(load: Load, st_louis: Frame) -> None:
    spec = LayerSpec(
        name="blight",
        source="csb",
        kind="requests",
        geometry=GeometrySpec("latlon", ("y", "x")),
        date=DateSpec("datetimeinit"),
        categories=Categories(
            ("problemcode",),
            {
                "unsecured_building": ("Vacnt Bldg Unsecured",),
                "board_up": ("LRA Board up",),
                "collapse": ("Building Collapse",),
            },
        ),
    )
    read = load(FileSource("csb", "st_louis/csb_311_blight_2017_2018.csv", null_values=("NA",)), spec)
    result = build(spec, read, st_louis)
    assert result.counts.read == 23_788
    assert result.counts.kept + result.counts.set_aside == 3932 + 1734 + 623


def test_st_louis_requests_in_state_plane_feet(load: Load, st_louis: Frame) -> None:
    # the Z of this export lies: the file holds the local month
    spec = LayerSpec(
        name="requests",
        source="csb",
        kind="requests",
        geometry=GeometrySpec("xy", ("SRX", "SRY"), "ESRI:102696", missing=((1.0, 1.0),)),
        date=DateSpec("DATETIMEINIT", ("%Y-%m-%dT%H:%M:%SZ",)),
        until=DateSpec("DATETIMECLOSED"),
        key=("REQUESTID",),
    )
    source = FileSource("csb", "st_louis/csb_311_january_2018.csv", null_values=("NA", "NULL"))
    result = build(spec, load(source, spec), st_louis)
    assert result.counts.read == 8_812
    assert result.layer.time.astype("datetime64[M]").astype(str).tolist() == ["2018-01"] * len(result.layer)
    # 619 without a place, 285 that say so with (1, 1), and two at (2, 2)
    assert result.counts.quarantined == {"no_location": 619 + 285, "implausible_location": 2}
    assert len(result.layer) > 7_800


def test_kansas_city_violence_2017(load: Load, kansas_city: Frame) -> None:
    read = load(KCPD, KC_VIOLENCE)
    found = by_year(KC_VIOLENCE, read, kansas_city)
    year = found.year(2017)
    assert found.read == 32_283
    assert year.wanted.rows == 4_637
    assert year.inside == Tally(4_570, 3_423)
    assert year.counted == Tally(4_570 - 36, 3_394)
    result = build(KC_VIOLENCE, read, kansas_city)
    assert result.counts.kept == 3_394
    assert result.counts.duplicate == 4_570 - 36 - 3_394
    assert result.counts.quarantined == {"default_geocode": 36, "implausible_location": 15}
    assert result.counts.filtered_by == {"category": 32_283 - 4_637, "outside_study_area": 52}
    assert result.notes["unused_category_values"] == []
    assert result.layer.flags["firearm"].sum() > 1_000


def test_kansas_city_parcels(load: Load, kansas_city: Frame) -> None:
    result = build(KC_LOTS, load(PARCELS, KC_LOTS), kansas_city)
    assert result.counts.read == 204_762
    assert result.counts.read - result.counts.filtered_by["where"] == 20_444
    assert (result.counts.kept, result.counts.duplicate) == (20_385, 0)
    assert not rows_known(result.layer, date(2015, 6, 30)).any()
    assert rows_known(result.layer, date(2015, 6, 30), assume_history=True).all()


def test_kansas_city_location_objects(load: Load, kansas_city: Frame) -> None:
    spec = LayerSpec(
        name="crime",
        source="soda",
        kind="events",
        geometry=GeometrySpec("location", ("location",)),
        date=DateSpec("reported_date", hour="reported_time"),
        incident=("report_no",),
    )
    result = build(spec, load(FileSource("soda", "kansas_city/kcpd_2018_soda_sample_a.csv"), spec), kansas_city)
    assert result.counts.read == 1_000
    # some 57 % of these rows have a place, and every place that is there can be read
    assert result.counts.quarantined["no_location"] == 435
    assert "unreadable_location" not in result.counts.quarantined
    assert len(set(result.layer.incident.tolist())) < len(result.layer)


def test_kansas_city_311_across_its_vocabularies(load: Load, kansas_city: Frame) -> None:
    names = {
        "open_to_entry": (
            "Vacant Structure Open to Entry",
            "Nuisance Violations on Private Property Vacant Structure",
            "Prop/Build/Construct-Dangerous Building-Open to entry",
        ),
        "dangerous_building": ("Dangerous Building*", "Prop/Build/Construct-Dangerous Building-*"),
    }
    spec = LayerSpec(
        name="buildings",
        source="kc311",
        kind="requests",
        geometry=GeometrySpec("location", ("ADDRESS WITH GEOCODE",)),
        date=DateSpec("CREATION DATE", ("%m/%d/%Y",), hour="CREATION TIME"),
        until=DateSpec("CLOSED DATE", ("%m/%d/%Y",)),
        key=("CASE ID",),
        categories=Categories(("REQUEST TYPE",), names),
    )
    columns = replace(spec, geometry=GeometrySpec("latlon", ("LATITUDE", "LONGITUDE")))
    source = FileSource("kc311", "kansas_city/311/*.csv", expect_files=16)
    result = build(spec, load(source, spec), kansas_city)
    assert result.counts.read == 80_203
    assert result.counts.duplicate == 0
    # 1,921 of the old vocabulary and 459 of the new, which overlap from 2012 on
    assert result.notes["categories"] == {"open_to_entry": 1_921 + 459, "dangerous_building": 411 + 48 + 1 + 150 + 18}
    # the address with its geocode on a second line says the same place as the number columns
    other = build(columns, load(source, columns), kansas_city)
    np.testing.assert_allclose(result.layer.x, other.layer.x, atol=0.5)
    assert result.notes.get("hour_missing_or_unreadable", 0) == 0
    assert np.count_nonzero(np.isnat(result.layer.until)) < 100


def test_a_year_in_the_wrong_crs_says_so(load: Load, st_louis: Frame) -> None:
    from rtm_pipeline.errors import SchemaError

    spec = replace(STL_VIOLENCE, geometry=GeometrySpec("xy", ("XCoord", "YCoord"), "EPSG:4326"))
    with pytest.raises(
        SchemaError, match=r"looks? like the city's own CRS \(ESRI:102696\), but were read as EPSG:4326"
    ):
        build(spec, load(SLMPD, spec), st_louis)
