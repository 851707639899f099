"""The files that two cities really sent. Counts are those of pandas and csv, or of the data's own description."""

from __future__ import annotations

import csv
import os
from collections import Counter
from pathlib import Path

import pytest

from rtm_pipeline.sources.files.files import read_files
from rtm_pipeline.sources.spec import ColumnRequest, FileSource

DATA = Path(os.environ.get("RTM_TRIAL_DATA", Path(__file__).parents[4] / "shared" / "data"))

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the trial data are not here (set RTM_TRIAL_DATA)")

CRIME = (
    ColumnRequest("Complaint"),
    ColumnRequest("CodedMonth", ("Coded Month",)),
    ColumnRequest("DateOccur", ("Date Occur",)),
    ColumnRequest("Count"),
    ColumnRequest("Crime"),
    ColumnRequest("XCoord", ("X-Coord",)),
    ColumnRequest("YCoord", ("Y-Coord",)),
)


def read(city, path, *names, geometry=False, **spec):
    request = tuple(ColumnRequest(name) for name in names)
    return read_files(FileSource("s", path, **spec), request, data_dir=DATA / city, geometry=geometry)


def by_csv_module(path: Path, encoding: str) -> list[list[str]]:
    csv.field_size_limit(10**9)
    with path.open(encoding=encoding, newline="") as stream:
        return [row for row in csv.reader(stream) if row][1:]


def test_36_months_of_crime_equal_the_csv_module():
    result = read_files(FileSource("c", "slmpd/*.csv", expect_files=36), CRIME, data_dir=DATA / "st_louis")
    assert sum(file.malformed for file in result.files) == 0
    at = 0
    for file in result.files:
        expected = by_csv_module(DATA / "st_louis" / file.path, "utf-8-sig" if file.encoding == "utf-8" else "cp1252")
        assert file.rows == len(expected)
        mine = result.table.slice(at, file.rows)
        assert mine.column("Complaint").to_pylist() == [row[0].strip() for row in expected]
        assert mine.column("_row").to_pylist() == list(range(1, file.rows + 1))
        at += file.rows
    other = next(file for file in result.files if file.path == "slmpd/may2017.csv")
    assert dict(other.renamed)["XCoord"] == "X-Coord"
    assert len(other.dropped) == 26 - len(CRIME)
    assert {file.path for file in result.files if file.encoding == "cp1252"} == {
        "slmpd/december2019.csv", "slmpd/january2017.csv", "slmpd/march2017.csv"
    }  # fmt: skip


def test_violence_by_year_is_what_the_description_says():
    result = read_files(FileSource("c", "slmpd/*.csv", expect_files=36), CRIME, data_dir=DATA / "st_louis")
    years: Counter[str] = Counter()
    for row in result.table.to_pylist():
        located = (row["XCoord"], row["YCoord"]) not in (("0", "0"), (None, None))
        if row["Crime"].zfill(6)[:2] in ("01", "03", "04") and row["Count"] == "1" and located:
            years[row["DateOccur"].split()[0].split("/")[2]] += 1
    assert [years[year] for year in ("2017", "2018", "2019")] == [6182, 5221, 5483]


def test_parcels():
    result = read("kansas_city", "parcels_2015.csv", "kivapin", "longitude", "latitude", "landusecode")
    assert result.table.num_rows == 204_762
    uses = Counter(result.table.column("landusecode").to_pylist())
    assert (uses["9500 - Vacant Residential"], uses["9600 - Vacant Non-Residential (including billboards)"]) == (
        17_251,
        3_193,
    )
    assert result.table.column("kivapin").null_count == 69


def test_requests_with_embedded_newlines():
    result = read("kansas_city", "311/*.csv", "CASE ID", "ADDRESS WITH GEOCODE", expect_files=16)
    assert result.table.num_rows == 80_203 == len(set(result.table.column("CASE ID").to_pylist()))
    assert "\n" in result.table.column("ADDRESS WITH GEOCODE")[0].as_py()


@pytest.mark.parametrize(
    ("city", "path", "columns", "rows", "crs"),
    [
        ("kansas_city", "liquor_licences_2023.gpkg", ("address",), 711, "EPSG:4326"),
        ("kansas_city", "neighborhoods.geojson", ("nbhid", "nbhname"), 246, "EPSG:4326"),
        ("kansas_city", "city_limits.geojson", ("GEOID",), 1, "EPSG:4326"),
        ("st_louis", "neighborhoods.geojson", (), 88, "EPSG:4326"),
        ("st_louis", "city_limits.shp", ("GEOID",), 1, "GEOGCS["),
    ],
)
def test_vector_files(city, path, columns, rows, crs):
    result = read(city, path, *columns, geometry=True)
    assert result.table.num_rows == rows
    assert result.table.column("geometry").null_count == 0
    assert str(result.crs).startswith(crs)


@pytest.mark.parametrize(
    ("city", "path", "columns", "rows"),
    [
        ("kansas_city", "tracts_2017_wkt.csv", ("GEOID", "wkt"), 168),
        ("kansas_city", "population_2010_blockgroup.csv.gz", (), 22_540),
        ("kansas_city", "kcpd_2017_victims.csv", ("Date", "Crime"), 32_283),
        ("kansas_city", "kcpd_2018_soda_sample_a.csv", ("report_no", "location"), 1_000),
        ("st_louis", "vacancy_2017.csv", ("HANDLE", "c_typeSimple"), 25_598),
        ("st_louis", "csb_311_blight_2017_2018.csv", ("problemcode",), 23_788),
        ("st_louis", "csb_311_january_2018.csv", (), 8_812),
    ],
)
def test_other_tables(city, path, columns, rows):
    result = read(city, path, *columns)
    assert result.table.num_rows == rows
    assert result.files[0].malformed == 0
