"""The truth of the made city: its counts and variables are in the files, and a plain regression finds them."""

from __future__ import annotations

import json
from datetime import date

import numpy as np
import pandas as pd
import pytest
import shapely
import statsmodels.api as sm
from statsmodels.discrete.discrete_model import NegativeBinomialP

CELL = 250.0
VINTAGES = ("2022-01-01", "2023-01-01", "2024-01-01")
DUMPING = ("Illegal Dumping", "Trash Dumped in Alley", "Dumping-Right of Way", "Dumping-Private Lot")


def _incidents(police: pd.DataFrame, truth: dict, study: shapely.Geometry) -> pd.DataFrame:
    """One row an incident of the outcome, read as a careful person reads the files."""
    rows = police[police.Crime.str.zfill(6).str[:2].isin(["01", "03", "04"])]
    taken_back = set(map(tuple, rows[rows.Count == "-1"][["ReportNo", "Crime"]].to_numpy()))
    rows = rows[[key not in taken_back for key in zip(rows.ReportNo, rows.Crime, strict=True)]]
    when = pd.to_datetime(rows.DateOccur.mask(rows.DateOccur.str.startswith("00")), format="mixed")
    rows = rows.assign(
        year=when.dt.year,
        x=pd.to_numeric(rows.XCoord.replace("", "0")),
        y=pd.to_numeric(rows.YCoord.replace("", "0")),
        known=pd.PeriodIndex(rows.CodedMonth, freq="M").to_timestamp() + pd.offsets.MonthBegin(1),
    )
    hq = truth["police_headquarters"]
    rows = rows[rows.year.between(2015, 2025) & ~((rows.x == round(hq["x"], 1)) & (rows.y == round(hq["y"], 1)))]
    rows = rows[shapely.contains_xy(study, rows.x.to_numpy(), rows.y.to_numpy())]
    return rows.sort_values("known", kind="stable").drop_duplicates("ReportNo")


def _per_cell(rows: pd.DataFrame, cells: pd.DataFrame) -> np.ndarray:
    keys = pd.MultiIndex.from_arrays([np.floor(rows.x / CELL).astype(int), np.floor(rows.y / CELL).astype(int)])
    found = keys.value_counts()
    assert found.index.isin(pd.MultiIndex.from_frame(cells[["column", "row"]])).all()
    return found.reindex(pd.MultiIndex.from_frame(cells[["column", "row"]]), fill_value=0).to_numpy()


@pytest.mark.parametrize("year", [2021, 2022, 2023])
def test_incidents_per_cell_are_in_the_police_files(year, police, truth, cells, study):
    incidents = _incidents(police, truth, study)
    mine = incidents[incidents.year == year]
    facts = truth["incidents"][str(year)]
    assert len(mine) == facts["incidents_published"]
    assert int((mine.Firearm == "Y").sum()) == facts["firearm_published"]
    np.testing.assert_array_equal(_per_cell(mine, cells), cells[f"published_{year}"])
    known = mine[mine.known <= pd.Timestamp(year + 1, 1, 1)]
    np.testing.assert_array_equal(_per_cell(known, cells), cells[f"known_{year}"])
    assert len(known) == facts["incidents_known_at_year_end"]
    # Late coding holds back a little of the year, and what was drawn but never published is less still.
    assert 0.97 * len(mine) < len(known) < len(mine) <= facts["incidents_drawn"] == cells[f"count_{year}"].sum()
    assert (cells[f"published_{year}"] <= cells[f"count_{year}"]).all()


def test_cells_meet_the_study_area(cells, truth, study):
    west, south = cells["column"] * CELL, cells["row"] * CELL
    share = shapely.area(shapely.intersection(shapely.box(west, south, west + CELL, south + CELL), study)) / CELL**2
    np.testing.assert_allclose(share, cells.exposure, atol=1e-8)
    assert len(cells) == truth["n_cells"]
    assert share.sum() * CELL**2 == pytest.approx(study.area, rel=1e-9)
    assert 6000 <= len(cells) <= 9000


def _dated(rows: list[dict[str, str]], start: str, end: str, key: str) -> pd.DataFrame:
    frame = pd.DataFrame(rows)
    frame["start"] = pd.to_datetime(frame[start].mask(frame[start].str.startswith("0000")), format="mixed")
    frame["end"] = pd.to_datetime(frame[end].replace("", None), format="mixed")
    frame = frame[frame.start.dt.year.between(1990, 2025)]
    return frame[(frame[key] == "") | ~frame[key].duplicated()]


def _believed(places: np.ndarray) -> np.ndarray:
    return (abs(places[:, 0] - 2_080_000) < 30_000) & (abs(places[:, 1] - 1_553_500) < 30_000)


@pytest.fixture(scope="module")
def layers(read_rows, vectors, to_feet) -> dict[str, tuple[np.ndarray, pd.Series, pd.Series]]:
    """Places (n, 2) in feet, start and end of every believable row of the planted layers."""

    def pack(frame, places):
        good = _believed(places)
        return places[good], frame.start[good], frame.end[good]

    lots = pd.DataFrame(read_rows("vacant_lots.csv"))
    lots = lots[~lots.LATITUDE.isin(["", "NA", "0"])]
    lots = _dated(lots.to_dict("records"), "LISTED_DATE", "REMOVED_DATE", "PARCEL_ID")
    found = {"vacant_lots": pack(lots, to_feet(lots.LATITUDE, lots.LONGITUDE))}

    cases = [row for row in read_rows("dangerous_buildings.csv") if row["location"]]
    frame = _dated(cases, "case_opened", "case_closed", "casenumber")
    points = [json.loads(text) for text in frame.location]
    lon = pd.Series([float(p["coordinates"][0] if "coordinates" in p else p["longitude"]) for p in points])
    lat = pd.Series([float(p["coordinates"][1] if "coordinates" in p else p["latitude"]) for p in points])
    found["dilapidated"] = pack(frame, to_feet(lat, lon))

    outlets = vectors("liquor_licenses.gpkg")
    outlets = outlets[outlets.geometry.notna()].drop_duplicates("license_no").to_crs("EPSG:3436")
    dates = outlets.assign(start=pd.to_datetime(outlets.issued_date), end=pd.to_datetime(outlets.ended_date))
    found["liquor"] = pack(dates, np.column_stack([outlets.geometry.x, outlets.geometry.y]))

    stops = pd.DataFrame(read_rows("bus_stops.csv")).drop_duplicates("stop_id")
    stops = stops.assign(start=pd.Timestamp(2020, 8, 1), end=pd.NaT)
    found["bus_stops"] = pack(stops, stops[["x_coord", "y_coord"]].to_numpy(float))

    old = pd.DataFrame(read_rows("311/actioncenter_2021_2022.csv"))
    new = pd.DataFrame(read_rows("311/my311_2022_2024.csv"))
    new = new.rename(columns={"reported_issue": "CASE ID", "issue_sub_type": "REQUEST TYPE", "latitude": "LATITUDE"})
    new = new.rename(columns={"open_date_time": "CREATION DATE", "longitude": "LONGITUDE"})
    calls = pd.concat([old, new], ignore_index=True)
    calls = calls[calls["REQUEST TYPE"].isin(DUMPING) & ~calls.LATITUDE.isin(["", "0"])].assign(end="")
    calls = _dated(calls.to_dict("records"), "CREATION DATE", "end", "CASE ID")
    found["requests"] = pack(calls, to_feet(calls.LATITUDE, calls.LONGITUDE))
    return found


def _first_reports(places: np.ndarray, start: pd.Series) -> np.ndarray:
    """Rows that repeat no earlier one within 50 m and 30 days."""
    days = start.to_numpy().astype("datetime64[D]").astype(int)
    near = np.hypot(*(places[:, None, k] - places[None, :, k] for k in (0, 1))) <= 50 / 0.3048006
    gap = days[:, None] - days[None, :]
    order = np.arange(len(days))
    return ~(near & ((gap > 0) | ((gap == 0) & (order[:, None] > order[None, :]))) & (gap <= 30)).any(axis=1)


def _variable(planted: dict, at: date, cells: pd.DataFrame, layers: dict, *, first_only: bool) -> np.ndarray:
    """A planted variable by a full distance table, cells x places."""
    layer = "requests" if planted["factor"] == "dumping" else planted["factor"]
    places, start, end = layers[layer]
    when = pd.Timestamp(at)
    stands = (start < when) & (end.isna() | (end >= when))
    if layer == "requests":
        stands &= start >= when - pd.DateOffset(years=1)
        if first_only:
            stands &= _first_reports(places, start)
    places = places[stands.to_numpy()]
    centers = (cells[["column", "row"]].to_numpy() + 0.5) * CELL
    radius = planted["radius_ft"]
    value = np.empty(len(centers))
    for part in np.array_split(np.argsort(centers[:, 1], kind="stable"), 60):
        low, high = centers[part, 1].min() - radius, centers[part, 1].max() + radius
        near = places[(places[:, 1] >= low) & (places[:, 1] <= high)]
        distance = np.hypot(*(centers[part, None, k] - near[None, :, k] for k in (0, 1)))
        if planted["operationalization"] == "proximity":
            value[part] = (distance <= radius).any(axis=1)
        else:
            value[part] = np.where(distance < radius, (1 - (distance / radius) ** 2) ** 2, 0).sum(axis=1)
    return value if planted["operationalization"] == "proximity" else value > value.mean() + 2 * value.std()


@pytest.mark.parametrize("first_only", [False, True])
@pytest.mark.parametrize("at", VINTAGES)
def test_planted_variables_are_in_the_files(at, first_only, truth, cells, layers):
    """Whether or not repeated requests are left out: illegal dumping, which is planted, has none."""
    for planted in truth["planted"]:
        if first_only and planted["factor"] != "dumping":
            continue
        found = _variable(planted, date.fromisoformat(at), cells, layers, first_only=first_only)
        np.testing.assert_array_equal(found.astype(int), cells[f"{planted['variable']}@{at}"])


def _design(cells: pd.DataFrame, truth: dict, year: int) -> np.ndarray:
    names = [f"{planted['variable']}@{year}-01-01" for planted in truth["planted"]]
    return sm.add_constant(cells[names].to_numpy(float))


@pytest.mark.parametrize("year", [2022, 2023])
def test_a_plain_regression_recovers_the_planted_terrain(year, truth, cells):
    x, offset = _design(cells, truth, year), np.log(cells.exposure.to_numpy())
    counts = cells[f"count_{year}"].to_numpy()
    beta = np.array([truth["intercept"][str(year)], *(planted["beta"] for planted in truth["planted"])])
    poisson = sm.GLM(counts, x, family=sm.families.Poisson(), offset=offset).fit(cov_type="HC0")
    assert (abs(poisson.params - beta) < 2.6 * poisson.bse).all()
    nb1 = NegativeBinomialP(counts, x, p=1, offset=offset).fit(
        start_params=[*poisson.params, 1.0], method="bfgs", maxiter=500, disp=0
    )
    assert (abs(nb1.params[:-1] - beta) < 2.6 * nb1.bse[:-1]).all()
    assert nb1.params[-1] == pytest.approx(truth["dispersion"], abs=0.15)
    assert nb1.bic < sm.GLM(counts, x, family=sm.families.Poisson(), offset=offset).fit().bic_llf - 100
    assert truth["expected_incidents"][str(year)] == pytest.approx((np.exp(x @ beta) * cells.exposure).sum(), rel=1e-6)


def test_past_counts_rank_places_better_than_the_terrain(cells):
    """As in real cities: what makes a place bad is only partly in its features."""

    def hits(score, share=0.02):
        top = np.argsort(-score.to_numpy(), kind="stable")[: round(share * len(cells))]
        return cells.count_2023.to_numpy()[top].sum()

    assert hits(cells.count_2021 + cells.count_2022) > 1.2 * hits(cells.mean_2023)
    assert (cells.count_2023 == 0).mean() > 0.75
