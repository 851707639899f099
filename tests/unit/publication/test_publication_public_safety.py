"""Every public file is read; none lets one recover past counts or the forecast of a small place."""

from __future__ import annotations

import base64
import dataclasses
import json
import re
import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import rasterio
from fakes.release import Written, write

from rtm_pipeline.publication.content import ReleaseContent
from rtm_pipeline.publication.editions.protected_counts import LEAST_COUNT, LEAST_DOUBT, bounds
from rtm_pipeline.publication.facts.hours import LADDER, whole_months
from rtm_pipeline.units import Window

ROW = re.compile(r"<tr>(.*?)</tr>", re.S)
CELL = re.compile(r"<td[^>]*>(.*?)</td>", re.S)


@pytest.fixture(scope="module")
def mixed(content: ReleaseContent, tmp_path_factory: pytest.TempPathFactory) -> Written:
    """The same city, where a tenth of the incidents are sexual offenses."""
    return write(dataclasses.replace(content, sexual="sexual"), tmp_path_factory.mktemp("mixed") / "run")


@pytest.fixture(scope="module")
def unsaid(content: ReleaseContent, tmp_path_factory: pytest.TempPathFactory) -> Written:
    """The same city, where nobody says which rows are sexual offenses."""
    return write(dataclasses.replace(content, sexual=None), tmp_path_factory.mktemp("unsaid") / "run")


def hours_in(html: str) -> list[list[int | None]]:
    """Rows of the table of hours, None where a number is held back."""
    table = re.search(r'<table class="hours">.*?</table>', html, re.S)
    if table is None:
        return []
    return [
        [None if "held back" in cell else int(cell.replace(",", "")) for cell in CELL.findall(row)]
        for row in ROW.findall(table.group())
        if "<td" in row
    ]


def said_counts(html: str) -> dict[str, str]:
    return dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", html))


def test_hours_and_counts_of_neighborhoods_can_not_be_undone_by_subtraction(written: Written) -> None:
    """An adversary takes the tables off the pages, the city's table off the report, and subtracts."""
    content = written.content
    layer = content.layers["violence"].layer
    names, polygons = content.areas["neighborhood"].names, content.areas["neighborhood"].polygons
    hour = (layer.time - layer.time.astype("datetime64[D]")).astype(int) // 3600
    day = (layer.time.astype("datetime64[D]").astype(int) + 3) % 7
    pages = {page.stem: page.read_text() for page in (written.public / "neighborhoods").glob("*.html")}
    assert len(pages) == len(names)
    seen = {re.search(r"<h1>(.*?)</h1>", text).group(1): text for text in pages.values()}
    import html

    seen = {html.unescape(name): text for name, text in seen.items()}
    tables = {name: hours_in(text) for name, text in seen.items()}
    shape = next((len(table), len(table[0])) for table in tables.values() if table)
    slots = next(item for item in LADDER if (len(item.hours), len(item.days)) == shape)
    from rtm_pipeline.publication.facts.places import places_of

    of_cell = places_of(content, "restricted", ()).of_cell
    order = [place.name for place in places_of(content, "restricted", ()).places]
    from rtm_pipeline.grid.locate import cells_of

    area = of_cell[cells_of(content.grid, layer.x, layer.y)]
    truth = np.zeros((len(order), len(slots.days) * len(slots.hours)), np.int64)
    np.add.at(truth, (area[area >= 0], slots.table(day, hour)[area >= 0]), 1)
    hidden = np.ones(truth.shape, bool)
    rows_told = np.zeros(len(order), bool)
    for at, name in enumerate(order):
        count = said_counts(seen[name])["Violent crime, 2023 (incidents)"]
        rows_told[at] = count != "held back"
        if rows_told[at]:
            assert int(count) == truth[at].sum() >= LEAST_COUNT
        for h, row in enumerate(tables[name]):
            for d, value in enumerate(row):
                if value is not None:
                    hidden[at, d * len(slots.hours) + h] = False
                    assert value == truth[at, d * len(slots.hours) + h] >= LEAST_COUNT
    assert not hidden.all(), "something must be told for the test to mean anything"
    assert (hidden & (truth < LEAST_COUNT)).any()
    low, high = bounds(truth, hidden, rows_told, np.ones(truth.shape[1], bool))
    small = truth < LEAST_COUNT
    found = small & (high - low < LEAST_DOUBT)
    assert not (found & ~(hidden.all(axis=1)[:, None] & hidden.all(axis=0)[None, :])).any()
    assert polygons.size


def test_sexual_offenses_are_told_for_the_city_only(mixed: Written, written: Written) -> None:
    layer = mixed.content.layers["violence"].layer
    sexual = int(layer.flags["sexual"].sum())
    total = {}
    for release in (mixed, written):
        counts = [
            said_counts(page.read_text()).get("Violent crime, 2023 (incidents)", "held back")
            for page in (release.public / "neighborhoods").glob("*.html")
        ]
        total[release is mixed] = sum(int(count) for count in counts if count != "held back")
    assert 0 < total[False] - total[True] <= sexual
    page = next((mixed.public / "neighborhoods").glob("*.html")).read_text()
    assert "Forecast of violent crime" not in page
    assert "may be told for the city only" in page
    with closing(sqlite3.connect(mixed.public / "neighborhoods.gpkg")) as package:
        columns = [row[1] for row in package.execute("PRAGMA table_info(neighborhoods)")]
    assert "expected_incidents" not in columns
    card = (mixed.public / "MODEL_CARD.md").read_text()
    assert "may be told for the city only" in card, "accuracy by neighborhood is held back with the reason"
    city = hours_in((mixed.public / "report.html").read_text())
    seconds = (layer.time - layer.time.astype("datetime64[D]")).astype(int)
    truth = np.zeros((24, 7), int)
    np.add.at(truth, (seconds // 3600, (layer.time.astype("datetime64[D]").astype(int) + 3) % 7), 1)
    shown = [(h, d) for h in range(24) for d in range(7) if city[h][d] is not None]
    assert len(shown) > 50
    assert all(city[h][d] == truth[h, d] for h, d in shown), "the city's table has them"


def test_nothing_is_counted_by_neighborhood_while_nobody_says_what_is_sexual(unsaid: Written) -> None:
    for path in (unsaid.public / "neighborhoods").glob("*.html"):
        text = path.read_text()
        assert "Violent crime, 2023" not in said_counts(text)
        assert not hours_in(text)
        assert "outcome.sexual_offenses" in text
    assert "outcome.sexual_offenses" in (unsaid.public / "report.html").read_text()
    restricted = next((unsaid.restricted / "neighborhoods").glob("*.html")).read_text()
    assert "Violent crime, 2023 (incidents)" in said_counts(restricted)


def test_the_data_of_the_public_map_are_the_score_only(written: Written) -> None:
    text = (written.public / "report.html").read_text()
    block = json.loads(re.search(r'<script type="application/json" id="map-data">(.*?)</script>', text, re.S).group(1))
    assert block["sites"] is None
    cells = block["cells"]
    assert not {"expected", "low", "high", "pTop5", "forecastTier", "partLogs", "termBits"} & set(cells)
    packed = {name: value for name, value in cells.items() if isinstance(value, str) and len(value) > 100}
    assert set(packed) == {"score", "scoreTier"}
    score = np.frombuffer(base64.b64decode(packed["score"]), "<f4")
    assert np.array_equal(score, written.content.terrain.rrs.astype(np.float32))
    assert {item["id"] for item in block["overlays"]} == {"risk_terrain", "areas"}


def test_every_public_file_is_read_for_what_is_restricted(written: Written) -> None:
    """Values of cells, sites, addresses and zones, in every encoding in which products carry them."""
    content = written.content
    forecast = content.forecast
    needles = {}
    for name in ("priority_lots", "priority_buildings"):
        table = content.tables[name]
        needles |= {f"id {site}": site.encode() for site in table.column("site_id").to_pylist()}
        needles |= {f"address {text}": text.encode() for text in table.column("address").to_pylist() if text}
    for label, values in (("forecast", forecast.expected), ("counts", content.terrain.counts.astype(float))):
        part = values[100:104]
        for kind in ("<f4", "<f8", ">f4"):
            raw = part.astype(kind).tobytes()
            if len(set(part.tolist())) > 1:
                needles[f"{label} as {kind}"] = raw
                needles[f"{label} as {kind}, base64"] = base64.b64encode(raw[: len(raw) // 3 * 3])[4:-4]
    files = [path for path in written.public.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} >= {".tif", ".gpkg", ".html", ".json", ".pdf", ".md", ".png", ".qml", ".txt"}
    for path in files:
        data = path.read_bytes()
        for what, needle in needles.items():
            assert needle not in data, (path.name, what)
        if path.suffix == ".tif":
            with rasterio.open(path) as raster:
                assert raster.count == 1
                assert not {"FORECAST", "EXPECTED"} & {key.upper() for key in raster.tags(1)}
    report = (written.restricted / "report.html").read_bytes()
    assert sum(needle in report for needle in needles.values()) > 10, "the test must look for what is there"


def test_no_number_of_a_public_table_is_small(written: Written) -> None:
    with closing(sqlite3.connect(written.public / "neighborhoods.gpkg")) as package:
        package.row_factory = sqlite3.Row
        rows = [dict(row) for row in package.execute("SELECT * FROM neighborhoods")]
    for row in rows:
        for column in ("lots", "buildings", "open_311", "selectable_sites", "funded_sites", "expected_incidents"):
            value = row.get(column)
            assert value is None or value >= LEAST_COUNT, (row["area"], column)
        assert not re.search(r"[0-9]", str(row.get("recommended_work") or ""))


@pytest.mark.parametrize(
    ("window", "counted"),
    [
        (Window(date(2023, 1, 1), date(2024, 1, 1)), Window(date(2023, 1, 1), date(2024, 1, 1))),
        (Window(date(2025, 3, 10), date(2026, 3, 10)), Window(date(2025, 3, 1), date(2026, 3, 1))),
        (Window(date(2025, 8, 31), date(2026, 2, 28)), Window(date(2025, 8, 4), date(2026, 2, 1))),
        (Window(date(2025, 10, 15), date(2026, 1, 15)), Window(date(2025, 10, 1), date(2026, 1, 1))),
    ],
)
def test_public_counts_step_by_month(window: Window, counted: Window) -> None:
    """From night to night nothing moves by which a single incident could be told."""
    assert whole_months(window) == counted


def test_both_files_of_a_name_are_there(written: Written) -> None:
    for edition in ("public", "restricted"):
        names = {path.name for path in (written.folder / edition).iterdir()}
        assert {"report.html", "essentials.pdf", "neighborhoods", "SOURCES.txt"} <= names
    assert Path(written.public / "MODEL_CARD.md").is_file()
