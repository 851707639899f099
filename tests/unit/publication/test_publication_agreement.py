"""One release, one number: rasters, GeoPackage, Parquet, CSV and JSON say the same."""

from __future__ import annotations

import csv
import json

import geopandas
import numpy as np
import pyogrio
import pytest
import rasterio
from fakes.release import Written


def test_a_site_has_the_same_numbers_everywhere(written: Written) -> None:
    with (written.restricted / "work_orders.csv").open(encoding="utf-8-sig", newline="") as file:
        orders = {row["parcel_id"]: row for row in csv.DictReader(file)}
    for name in ("priority_lots", "priority_buildings"):
        package = pyogrio.read_dataframe(written.restricted / "priorities.gpkg", layer=name).set_index("site_id")
        parquet = geopandas.read_parquet(written.restricted / f"{name}.parquet").set_index("site_id")
        assert package.index.tolist() == parquet.index.tolist()
        for column in ("rank", "expected_prevented", "x", "y"):
            assert np.array_equal(package[column].to_numpy(float), parquet[column].to_numpy(float)), column
        for site, row in package[package["funded"]].iterrows():
            order = orders.pop(site)
            assert float(order["expected_prevented"]) == pytest.approx(row["expected_prevented"], abs=5e-7)
            assert int(order["priority_rank"]) == row["rank"]
            assert float(order["cost_usd"] or "nan") == pytest.approx(row["cost_usd"], nan_ok=True)
    assert not orders, "every work order is a funded site"


def test_tiers_are_the_ranks_of_the_values(written: Written) -> None:
    for value, tier in (("risk_terrain", "risk_tier"), ("forecast", "forecast_tier")):
        with rasterio.open(written.restricted / f"{value}.tif") as file:
            values = file.read(1, masked=True)
        with rasterio.open(written.restricted / f"{tier}.tif") as file:
            tiers = file.read(1, masked=True)
        assert np.array_equal(values.mask, tiers.mask)
        v, t = values.compressed(), tiers.compressed()
        for better in range(1, 5):
            if (t == better).any() and (t > better).any():
                assert v[t == better].min() > v[t > better].max()


def test_both_editions_carry_the_same_risk_terrain(written: Written) -> None:
    for name in ("risk_terrain.tif", "risk_tier.tif", "risk_terrain.qml", "risk_tier.tif.vat.dbf"):
        assert (written.public / name).read_bytes() == (written.restricted / name).read_bytes()


def test_the_forecast_of_neighborhoods_is_the_sum_of_its_cells(written: Written) -> None:
    """The raster's cells by their center against the tables; cells that two areas share make the difference."""
    with rasterio.open(written.restricted / "forecast.tif") as raster:
        total = raster.read(1, masked=True).astype(np.float64).sum()
    districts = pyogrio.read_dataframe(written.restricted / "priorities.gpkg", layer="districts")
    assert districts["expected_incidents"].sum() == pytest.approx(total, rel=0.05)
    public = pyogrio.read_dataframe(written.public / "neighborhoods.gpkg", layer="neighborhoods").set_index("area")
    private = pyogrio.read_dataframe(written.restricted / "priorities.gpkg", layer="neighborhoods").set_index("area")
    told = public["expected_incidents"].dropna()
    assert len(told)
    assert np.array_equal(told, np.rint(private.loc[told.index, "expected_incidents"]))


def test_one_run_id_everywhere(written: Written) -> None:
    run = written.content.run_id
    facts = pyogrio.read_dataframe(written.restricted / "priorities.gpkg", layer="run_metadata").set_index("key")
    assert facts.loc["run_id", "value"] == run
    assert json.loads((written.public / "item.json").read_text())["id"] == run
    for path in written.folder.rglob("*.tif"):
        with rasterio.open(path) as raster:
            assert raster.tags()["RUN_ID"] == run


def test_the_model_and_its_rasters_agree(written: Written) -> None:
    model = json.loads((written.folder / "model.json").read_text())
    with rasterio.open(written.restricted / "contributions" / "risk_terrain.tif") as raster:
        for band, (name, term) in enumerate(zip(raster.descriptions, model["terms"], strict=True), start=1):
            assert term["variable"] in name
            values = raster.read(band, masked=True).compressed()
            assert set(np.unique(values)) == {np.float32(1.0), np.float32(term["rrv"])}
