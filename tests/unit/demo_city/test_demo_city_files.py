"""The raw files carry what truth.json says, found again without its help."""

from __future__ import annotations

import ast
import json
import re

import pandas as pd
import pytest

PLACES = {
    "vacant_lots.csv": ("LATITUDE", "LONGITUDE"),
    "311/actioncenter_2021_2022.csv": ("LATITUDE", "LONGITUDE"),
    "311/my311_2022_2024.csv": ("latitude", "longitude"),
    "overdoses.csv": ("lat", "lon"),
    "crashes.csv.gz": ("lat", "lon"),
}
KEYS = {
    "vacant_lots.csv": "PARCEL_ID",
    "311/actioncenter_2021_2022.csv": "CASE ID",
    "311/my311_2022_2024.csv": "reported_issue",
    "overdoses.csv": "incident_number",
    "dangerous_buildings.csv": "casenumber",
    "bus_stops.csv": "stop_id",
}
PERSONS = {
    "vacant_lots.csv": ["OWNER_NAME"],
    "dangerous_buildings.csv": ["owner_name"],
    "311/actioncenter_2021_2022.csv": ["CALLER NAME"],
    "311/my311_2022_2024.csv": ["caller_name"],
    "overdoses.csv": ["patient_sex", "patient_age"],
    "crime/rpd_incidents_2022-03.csv": ["Race", "Sex", "Age"],
    "crime/rpd_incidents_2022-05.csv": ["Victim Race", "Victim Sex", "Victim Age"],
}


def test_the_city_is_small_and_every_data_file_is_accounted_for(city_dir, truth):
    files = [p for p in city_dir.rglob("*") if p.is_file() and p.suffix not in (".py", ".pyc", ".md")]
    assert sum(p.stat().st_size for p in files) < 10_000_000
    named = {p.relative_to(city_dir).as_posix() for p in files} - {"truth.json", "truth_cells.csv.gz"}
    assert named == set(truth["files"])


def test_files_have_the_rows_that_are_told(truth, read_rows, vectors):
    for name, facts in truth["files"].items():
        found = len(vectors(name)) if name.endswith((".geojson", ".gpkg", ".zip")) else len(read_rows(name))
        assert found == facts["rows"] == facts["clean"] + sum(facts["faults"].values()), name


@pytest.mark.parametrize("name", sorted(PLACES))
def test_faults_of_place_are_as_many_as_told(name, truth, read_rows):
    rows = pd.DataFrame(read_rows(name))
    lat, lon = (rows[column].replace("NA", "") for column in PLACES[name])
    faults = truth["files"][name]["faults"]
    a, b = pd.to_numeric(lat), pd.to_numeric(lon)
    assert int(((lat == "") & (lon == "")).sum()) == faults.get("missing_coordinates", 0)
    assert int(((a == 0) & (b == 0)).sum()) == faults.get("zero_coordinates", 0)
    assert int(((a < -80) & (b > 35)).sum()) == faults.get("swapped_coordinates", 0)
    assert int((a.between(20, 35)).sum()) == faults.get("out_of_state", 0)
    near = a.between(40.8, 41.1) & b.between(-91.1, -90.8)
    elsewhere = sum(faults.get(kind, 0) for kind in ("missing_coordinates", "zero_coordinates"))
    elsewhere += faults.get("swapped_coordinates", 0) + faults.get("out_of_state", 0)
    assert int(near.sum()) == len(rows) - elsewhere


@pytest.mark.parametrize("name", sorted(KEYS))
def test_repeated_keys_are_as_many_as_told(name, truth, read_rows):
    keys = pd.Series([row[KEYS[name]] for row in read_rows(name)])
    faults = truth["files"][name]["faults"]
    assert int((keys == "").sum()) == faults.get("null_key", 0)
    assert int(keys[keys != ""].duplicated().sum()) == faults["duplicate"]


def test_headers_dates_and_encodings_change_from_file_to_file(city_dir, truth, police):
    first = (city_dir / "crime/rpd_incidents_2021-01.csv").read_bytes()
    assert first.startswith(b"\xef\xbb\xbf")
    assert first.count(b"\r\n") == truth["files"]["crime/rpd_incidents_2021-01.csv"]["rows"] + 1
    heads = {}
    for path in sorted((city_dir / "crime").glob("*.csv")):
        heads.setdefault(path.read_bytes().split(b"\n")[0].strip(b"\xef\xbb\xbf\r"), []).append(path.name)
    assert sorted(map(len, heads.values())) == [1, 36]
    with pytest.raises(UnicodeDecodeError):
        (city_dir / "crime/rpd_incidents_2022-11.csv").read_bytes().decode("utf-8")
    with pytest.raises(UnicodeDecodeError):
        (city_dir / "311/actioncenter_2021_2022.csv").read_bytes().decode("utf-8")
    iso = police.DateOccur.str.contains("T")
    assert set(police.CodedMonth[iso]) == {f"2023-{m:02d}" for m in range(7, 13)} | {"2024-01"}
    assert police.Crime.str.fullmatch(r"[1-9]\d{4,5}").all()


def test_addresses_of_the_old_311_hold_a_newline(truth, read_rows):
    rows = read_rows("311/actioncenter_2021_2022.csv")
    assert all("\n" in row["ADDRESS WITH GEOCODE"] for row in rows)
    assert truth["files"]["311/actioncenter_2021_2022.csv"]["embedded_newlines"] == len(rows)


def test_the_vocabulary_of_311_changes_with_the_system(read_rows):
    old = {row["REQUEST TYPE"] for row in read_rows("311/actioncenter_2021_2022.csv")}
    new = {row["issue_sub_type"] for row in read_rows("311/my311_2022_2024.csv")}
    assert not old & new
    assert "Tree Down – Street" in old


def test_locations_of_buildings_have_two_shapes(read_rows):
    kinds = {"point": 0, "object": 0, "": 0}
    for row in read_rows("dangerous_buildings.csv"):
        place = json.loads(row["location"]) if row["location"] else {}
        kinds["" if not place else "point" if place.get("type") == "Point" else "object"] += 1
        if "human_address" in place:
            assert ast.literal_eval(place["human_address"])["city"] == "Riverbend"
    assert min(kinds.values()) > 5


def test_the_default_geocode_is_a_pile(truth, police):
    hq = truth["police_headquarters"]
    on_it = (police.XCoord == f"{hq['x']:.1f}") & (police.YCoord == f"{hq['y']:.1f}")
    violent = police.Crime.str.zfill(6).str[:2].isin(["01", "03", "04"])
    assert int((on_it & violent).sum()) == truth["layers"]["violence"]["quarantined_by"]["default_geocode"]
    assert (
        int(on_it.sum())
        > 3 * police[~on_it & (police.XCoord != "0") & (police.XCoord != "")].value_counts(["XCoord", "YCoord"]).max()
    )


def test_every_reversal_takes_back_one_row(truth, police):
    back = police[police.Count == "-1"]
    assert len(back) == truth["layers"]["violence"]["filtered_by"]["reversal"]
    for row in back.itertuples():
        twin = police[(police.ReportNo == row.ReportNo) & (police.Crime == row.Crime) & (police.Count == "1")]
        assert len(twin) == 1
        assert twin.CodedMonth.iloc[0] < row.CodedMonth


def test_late_coding_and_old_occurrences(truth, police):
    good = police[~police.DateOccur.str.contains("00/00|19[0-9][0-9]|20[89][0-9]")]
    when = pd.to_datetime(good.DateOccur, format="mixed").dt.strftime("%Y-%m")
    late = good.CodedMonth > when
    assert 0.07 < late.mean() < 0.14
    assert (when[good.CodedMonth < "2021-04"] < "2021-01").sum() >= truth["incidents"]["2020"]["incidents_published"]


def test_invalid_and_missing_polygons(truth, vectors):
    parcels = vectors("vacant_parcels.geojson")
    faults = truth["files"]["vacant_parcels.geojson"]["faults"]
    there = parcels[parcels.geometry.notna()]
    assert len(parcels) - len(there) == faults["missing_geometry"]
    assert int((~there.is_valid).sum()) == faults["invalid_polygon"]
    assert int(parcels.parcel_id.duplicated().sum()) == faults["duplicate"]
    assert int((~vectors("parks.zip").is_valid).sum()) == 1
    assert vectors("liquor_licenses.gpkg").crs.to_epsg() == 3857


@pytest.mark.parametrize("name", sorted(PERSONS))
def test_persons_are_planted_in_columns_that_nobody_declares(name, truth, read_rows):
    planted = set(truth["canaries"])
    found = {column for row in read_rows(name) for column, value in row.items() if value in planted}
    assert found == set(PERSONS[name])


def test_no_canary_stands_where_the_config_reads(city_dir, truth):
    config = (city_dir.parents[1] / "configs" / "demo_city.yaml").read_text(encoding="utf-8")
    for column in {c for columns in PERSONS.values() for c in columns}:
        assert not re.search(rf"\b{re.escape(column)}\b", config), column
    owners = [row for row in truth["canaries"] if " " in row]
    parcels = (city_dir / "vacant_parcels.geojson").read_text(encoding="utf-8")
    assert any(owner in parcels for owner in owners)


def test_neighborhoods_cover_the_land_once(truth, vectors, study):
    hoods = vectors("neighborhoods.geojson").to_crs(truth["crs"])
    assert 20 <= len(hoods) <= 25
    assert any("'" in name for name in hoods.nbhd_name)
    assert any(not name.isascii() for name in hoods.nbhd_name)
    assert hoods.union_all().intersection(study).area == pytest.approx(study.area, rel=1e-4)
    assert hoods.area.sum() == pytest.approx(hoods.union_all().area, rel=1e-5)
    assert hoods.council_district.nunique() == len(vectors("council_districts.geojson")) == 4
    assert len(vectors("city_limits.geojson").geometry.iloc[0].interiors) == 1


def test_poverty_is_known_for_all_but_one(read_rows, vectors):
    rows = read_rows("neighborhood_poverty.csv")
    assert {row["nbhd_id"] for row in rows} == set(vectors("neighborhoods.geojson").nbhd_id)
    assert [row["nbhd_name"] for row in rows if row["poverty_pct"] == "-"] == ["Airport"]
