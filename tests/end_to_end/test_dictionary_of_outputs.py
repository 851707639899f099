"""The dictionary of outputs has every band and every column that a release has."""

from __future__ import annotations

import csv
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import rasterio
from support.city import ROOT, Night
from support.small_city import OxbowNight

FREE = {"quarantine", "evidence_311"}  # their columns are those of the sources, which the dictionary says of them


@pytest.fixture(scope="module")
def text() -> str:
    spec = importlib.util.spec_from_file_location("dictionary", ROOT / "docs" / "dictionary.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return str(module.dictionary_text())


def missing(release: Path, text: str) -> Iterator[str]:
    """Bands and columns of a release that the dictionary has not got."""
    sections = {m[1]: m[0] for m in re.finditer(r"### [^\n]*: `([^`]+)`\n.*?(?=\n### |\Z)", text, re.S)}
    for path in release.glob("*/*.tif"):
        with rasterio.open(path) as raster:
            for band in raster.descriptions:
                if not re.search(rf"\| `{path.name}` \|[^\n]*\| {re.escape(band)} \|", text):
                    yield f"{path.name}: {band}"
    for path in release.glob("restricted/*.parquet"):
        # A table of districts has the columns of that of neighborhoods.
        name = {"districts": "neighborhoods"}.get(path.stem, path.stem)
        if name not in sections:
            yield path.name
        elif name not in FREE:
            shape = {"geometry", "x", "y"}  # a site's place stands as columns or as geometry
            yield from (
                f"{path.name}: {column}"
                for column in pq.read_schema(path).names
                if column not in shape and f"| `{column}` |" not in sections[name]
            )
    for path in release.glob("restricted/work_orders.csv"):
        with path.open(newline="", encoding="utf-8-sig") as file:
            header = next(csv.reader(file))
        yield from (f"{path.name}: {name}" for name in header if f"| `{name}` |" not in sections["work_orders.csv"])


def test_a_plain_release(oxbow_night: OxbowNight, text: str) -> None:
    assert list(missing(oxbow_night.release, text)) == []


@pytest.mark.acceptance
def test_a_release_with_programs(demo_night: Night, text: str) -> None:
    assert list(missing(demo_night.release, text)) == []


def test_what_is_not_described_is_found(oxbow_night: OxbowNight, text: str) -> None:
    holes = text.replace("Forecast: expected incidents", "").replace("| `area_km2` |", "")
    assert set(missing(oxbow_night.release, holes)) == {
        "forecast.tif: Forecast: expected incidents",
        "study_area.parquet: area_km2",
    }
