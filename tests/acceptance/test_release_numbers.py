"""One release of the made city: raster, GeoPackage, Parquet, CSV, JSON, HTML and PDF say the same numbers."""

from __future__ import annotations

import base64
import csv
import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pyogrio
import pytest
import rasterio
from support.city import Night

pytestmark = pytest.mark.acceptance


@pytest.fixture(scope="module")
def release(demo_night: Night) -> Path:
    return demo_night.release


def map_data(release: Path, edition: str) -> dict[str, Any]:
    text = (release / edition / "report.html").read_text()
    found = re.search(r'<script type="application/json" id="map-data">(.*?)</script>', text, re.S)
    return json.loads(found.group(1))


def pdf_text(path: Path, *, first_page: int = 1) -> str:
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext is not installed (Debian: apt-get install poppler-utils)")
    command = ["pdftotext", "-layout", "-f", str(first_page), str(path), "-"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def facts_on(page: str) -> dict[str, str]:
    return {html.unescape(k): html.unescape(v) for k, v in re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page)}


def test_cells_of_the_rasters_are_those_that_a_click_tells(release: Path) -> None:
    for edition, names in (("public", {"score": "risk_terrain"}), ("restricted", {"score": "risk_terrain"})):
        cells = map_data(release, edition)["cells"]
        if edition == "restricted":
            names |= {"expected": "forecast", "low": "forecast_low", "high": "forecast_high", "pTop5": "p_top5"}
        for key, raster in names.items():
            with rasterio.open(release / edition / f"{raster}.tif") as file:
                values = file.read(1, masked=True)
            told = np.frombuffer(base64.b64decode(cells[key]), "<f4")
            assert np.array_equal(told, values.compressed()), (edition, raster)


def test_a_neighborhood_has_one_number_everywhere(release: Path) -> None:
    public = pyogrio.read_dataframe(release / "public" / "neighborhoods.gpkg", layer="neighborhoods").set_index("area")
    package = release / "restricted" / "priorities.gpkg"
    private = pyogrio.read_dataframe(package, layer="neighborhoods").set_index("area")
    parquet = geopandas.read_parquet(release / "restricted" / "neighborhoods.parquet").set_index("area")
    pages = {}
    for edition in ("public", "restricted"):
        for path in (release / edition / "neighborhoods").glob("*.html"):
            text = path.read_text()
            pages[edition, html.unescape(re.search(r"<h1>(.*?)</h1>", text).group(1))] = facts_on(text)
    assert {name for _, name in pages} == set(public.index) == set(private.index)
    paper = pdf_text(release / "public" / "essentials.pdf", first_page=2)
    count = "Violent crime, 2023 (incidents)"
    for name, row in private.iterrows():
        assert parquet.loc[name, "expected_incidents"] == row["expected_incidents"]
        for edition, table in (("public", public), ("restricted", private)):
            said = pages[edition, name]
            for key, column in (("Vacant lots", "lots"), ("Vacant or dangerous buildings", "buildings")):
                value = table.loc[name, column]
                assert said[key] == ("held back" if np.isnan(value) else f"{int(value):,}"), (edition, name)
        assert pages["public", name][count] in ("held back", pages["restricted", name][count])
        assert np.isnan(public.loc[name, "lots"]) or public.loc[name, "lots"] == row["lots"]
        line = next(line for line in paper.splitlines() if line.strip().startswith(name))
        assert re.search(rf"\b{re.escape(pages['public', name][count])}\b", line), line
        assert re.search(rf"\b{int(public.loc[name, 'expected_incidents'])}\b", line), line


def test_the_model_is_the_same_in_json_html_card_and_rasters(release: Path) -> None:
    model = json.loads((release / "model.json").read_text())
    report = html.unescape((release / "public" / "report.html").read_text())
    card = (release / "MODEL_CARD.md").read_text()
    paper = " ".join(pdf_text(release / "public" / "essentials.pdf").split())
    table = re.search(r'<table[^>]*id="model-table".*?</table>', report, re.S).group()
    for term in model["terms"]:
        said = f"{term['rrv']:.2f}".rstrip("0").rstrip(".")
        for place in (table, card, paper):
            assert said in place, (term["variable"], said)
    with rasterio.open(release / "restricted" / "contributions" / "risk_terrain.tif") as raster:
        score = np.prod([raster.read(band, masked=True).astype(float) for band in range(1, raster.count + 1)], axis=0)
    with rasterio.open(release / "public" / "risk_terrain.tif") as raster:
        published = raster.read(1, masked=True)
    assert np.allclose(score[~published.mask], published.compressed(), rtol=1e-5)


def test_accuracy_is_the_same_in_json_html_and_card(release: Path) -> None:
    accuracy = json.loads((release / "accuracy.json").read_text())
    share = accuracy["surfaces"]["forecast"]["hit_rate"]["0.05"]["expected"]
    said = f"{100 * share:.0f}\u00a0%"
    report = html.unescape((release / "restricted" / "report.html").read_text())
    row = re.search(r'<tr><th scope="row">Forecast</th>.*?</tr>', report, re.S).group()
    assert said in row
    assert said.replace("\u00a0", " ") in (release / "MODEL_CARD.md").read_text()


def test_work_orders_are_the_funded_sites(release: Path) -> None:
    with (release / "restricted" / "work_orders.csv").open(encoding="utf-8-sig", newline="") as file:
        orders = {row["parcel_id"]: row for row in csv.DictReader(file)}
    funded = {}
    for name in ("priority_lots", "priority_buildings"):
        sites = geopandas.read_parquet(release / "restricted" / f"{name}.parquet").set_index("site_id")
        funded |= sites[sites["funded"]]["expected_prevented"].to_dict()
    assert set(orders) == set(funded)
    for site, order in orders.items():
        assert float(order["expected_prevented"]) == pytest.approx(funded[site], abs=5e-7)
    clicked = [
        values[1]
        for kind in map_data(release, "restricted")["sites"]["kinds"]
        for values, is_funded in zip(kind["sites"], kind["funded"], strict=True)
        if is_funded
    ]
    assert set(clicked) == set(funded)


def test_the_money_adds_up_everywhere(release: Path) -> None:
    """Spent and prevented are the same by site, by order, by neighborhood, on the frontier, in HTML and on paper."""
    work = json.loads((release / "restricted" / "programs.json").read_text())["work"]
    funded = work["portfolio"]
    sites = [
        row
        for name in ("priority_lots", "priority_buildings")
        for row in geopandas.read_parquet(release / "restricted" / f"{name}.parquet").to_dict("records")
    ]
    chosen = [row for row in sites if row["funded"]]
    assert len(chosen) == sum(funded["sites"].values()) == sum(funded["owners"].values())
    assert sum(row["cost_usd"] for row in chosen) == pytest.approx(funded["spent_usd"])
    assert sum(row["marginal_prevented"] for row in chosen) == pytest.approx(funded["prevented"])
    areas = geopandas.read_parquet(release / "restricted" / "neighborhoods.parquet")
    assert areas["funded_usd"].sum() == pytest.approx(funded["spent_usd"])
    assert areas["funded_sites"].sum() == len(chosen)
    assert areas["expected_prevented"].sum() == pytest.approx(funded["prevented"])
    with (release / "restricted" / "work_orders.csv").open(encoding="utf-8-sig", newline="") as file:
        assert sum(float(row["cost_usd"]) for row in csv.DictReader(file)) == pytest.approx(funded["spent_usd"])
    frontier = pyogrio.read_dataframe(release / "restricted" / "priorities.gpkg", layer="frontier", read_geometry=False)
    (here,) = frontier[frontier["budget_usd"] == funded["budget_usd"]].to_dict("records")
    assert here["expected_prevented"] == pytest.approx(funded["prevented"], rel=5e-3)  # the plain greedy's
    spent = f"${funded['spent_usd']:,.0f}"
    report = html.unescape((release / "restricted" / "report.html").read_text())
    paper = " ".join(pdf_text(release / "restricted" / "essentials.pdf").split())
    for said in (spent, funded["work"]):
        assert said in report
        assert said in paper


def test_the_public_paper_names_no_site(release: Path) -> None:
    text = pdf_text(release / "public" / "essentials.pdf")
    lots = geopandas.read_parquet(release / "restricted" / "priority_lots.parquet")
    restricted = pdf_text(release / "restricted" / "essentials.pdf")
    names = [*lots["site_id"], *(address for address in lots["address"].dropna() if address)]
    assert not [name for name in names if name in text]
    first = lots.head(10)
    assert any(name in restricted for name in [*first["site_id"], *first["address"].dropna()] if name)
