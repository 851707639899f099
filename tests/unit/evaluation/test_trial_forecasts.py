"""The forecast against every simple rule on two real cities, at cut-offs before 2019 (no look at a test year)."""

from __future__ import annotations

import io
import re
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from rtm_pipeline.evaluation.baseline import choose_baseline
from rtm_pipeline.evaluation.calibration import calibrate
from rtm_pipeline.evaluation.compare import compare
from rtm_pipeline.evaluation.measures import measure
from rtm_pipeline.grid import study_grid
from rtm_pipeline.grid.blocks import spatial_blocks
from rtm_pipeline.grid.locate import cells_of
from rtm_pipeline.grid.spec import StudyGrid
from rtm_pipeline.surface.forecast import forecast
from rtm_pipeline.surface.history import History
from rtm_pipeline.surface.past import past_surfaces
from rtm_pipeline.units import Window

gpd = pytest.importorskip("geopandas")


@pytest.fixture(scope="module")
def st_louis(trial_data: Path) -> tuple[StudyGrid, History]:
    tables = []
    for path in sorted((trial_data / "st_louis" / "slmpd").glob("*201[78].csv")):
        text = path.read_bytes().decode("latin-1").removeprefix("ï»¿")
        table = pd.read_csv(io.StringIO(text), dtype=str)
        table.columns = [re.sub("[^a-z]", "", name.lower()) for name in table.columns]
        tables.append(table[["complaint", "codedmonth", "dateoccur", "count", "crime", "xcoord", "ycoord"]])
    rows = pd.concat(tables, ignore_index=True)
    x, y = rows.xcoord.astype(float), rows.ycoord.astype(float)
    violent = rows.crime.str.strip().str.zfill(6).str[:2].isin(["01", "03", "04"])
    rows, x, y = (part[violent & (rows["count"].str.strip() == "1") & (x != 0)] for part in (rows, x, y))
    area = gpd.read_file(trial_data / "st_louis" / "city_limits.shp").to_crs("ESRI:102696").union_all()
    grid = study_grid(area, crs="ESRI:102696", cell_size_u=250.0)
    coded = pd.PeriodIndex(rows.codedmonth.str.strip(), freq="M")
    history = History.of(
        cells_of(grid, x.to_numpy(), y.to_numpy()),
        pd.to_datetime(rows.dateoccur.str.strip(), format="mixed").to_numpy().astype("datetime64[s]"),
        (coded + 1).to_timestamp().to_numpy().astype("datetime64[s]"),
        grid.n_cells,
        incident=pd.factorize(rows.complaint)[0],
        observed=Window(date(2017, 1, 1), date(2019, 1, 1)),
    )
    return grid, history


@pytest.mark.parametrize("cutoff", [date(2018, 1, 1), date(2018, 7, 1)])
def test_st_louis_2018_beats_every_rule_at_every_share(st_louis: tuple[StudyGrid, History], cutoff: date):
    grid, record = st_louis
    assert grid.n_cells == pytest.approx(30_036, abs=40)
    history, window = record.known_by(cutoff), Window(cutoff, date(2019, 1, 1))
    observed = record.rows(window)
    ahead = forecast(grid, history, (), cutoff, window)
    rules = past_surfaces(grid, history, cutoff)
    mine = measure(observed, ahead.expected)
    for surface in rules.surfaces.values():
        for ours, theirs in zip(mine.shares, measure(observed, surface).shares, strict=True):
            assert ours.hits.expected > theirs.hits.expected
    chosen = choose_baseline(grid, history, cutoff)
    assert chosen.name == "counts_decayed"
    found = compare(observed, ahead.expected, rules.surfaces[chosen.name], chosen.name, spatial_blocks(grid, 3000.0))
    assert found.verdict == "better"
    assert min(found.hit_ratio[share].low or 0 for share in (0.05, 0.1, 0.2)) > 0.97


def test_st_louis_2018_has_a_flat_transform(st_louis: tuple[StudyGrid, History]):
    grid, record = st_louis
    cutoff, window = date(2018, 1, 1), Window(date(2018, 1, 1), date(2019, 1, 1))
    history, incidents = record.known_by(cutoff), record.incidents(window)
    ahead = forecast(grid, history, (), cutoff, window)
    factor = ahead.scale / ahead.rows_per_incident
    found = calibrate(incidents, ahead.posterior, factor * incidents.sum() / (ahead.posterior.mean().sum() * factor))
    assert max(abs(share - 0.1) for share in found.pit) < 0.008
    assert found.pit_statistic < 0.012


@pytest.mark.parametrize("cell_m", [pytest.param(76.2, marks=pytest.mark.acceptance), 152.4])
def test_kansas_city_second_half_of_2017_beats_every_rule(trial_data: Path, cell_m: float):
    """One year on record, split in the middle; no factors; 3,400 incidents in 320 square miles."""
    folder = trial_data / "kansas_city"
    rows = pd.read_csv(folder / "kcpd_2017_victims.csv", dtype=str)
    kind = rows.Crime.str.strip().str.lower()
    violent = kind.str.contains("homicide|robbery|rape|sodomy|assault|drive") & ~kind.str.contains("justif|^non")
    rows = rows[violent].drop_duplicates(["Date", "Hour", "Crime", "Latitude", "Longitude"])
    rows = rows[rows.Latitude.astype(float) > 30]
    places = gpd.GeoSeries(
        gpd.points_from_xy(rows.Longitude.astype(float), rows.Latitude.astype(float)), crs=4326
    ).to_crs("EPSG:26915")
    area = gpd.read_file(folder / "city_limits.geojson").to_crs("EPSG:26915").union_all()
    grid = study_grid(area, crs="EPSG:26915", cell_size_u=cell_m)
    time = pd.to_datetime(rows.Date).to_numpy().astype("datetime64[s]")
    record = History.of(
        cells_of(grid, places.x.to_numpy(), places.y.to_numpy()), time, time, grid.n_cells, cutoff=date(2018, 1, 1)
    )
    cutoff, window = date(2017, 7, 1), Window(date(2017, 7, 1), date(2018, 1, 1))
    history, observed = record.known_by(cutoff), record.rows(window)
    ahead = forecast(grid, history, (), cutoff, window)
    mine = measure(observed, ahead.expected)
    for surface in past_surfaces(grid, history, cutoff).surfaces.values():
        for ours, theirs in zip(mine.shares, measure(observed, surface).shares, strict=True):
            assert ours.hits.expected > theirs.hits.expected
