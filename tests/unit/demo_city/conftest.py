"""The made city as the tests read it: plainly, with csv, pandas and pyogrio, never with the package."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely
from pyproj import Transformer

CITY = Path(__file__).resolve().parents[3] / "data" / "demo_city"
FEET = Transformer.from_crs("EPSG:4326", "EPSG:3436", always_xy=True)


@pytest.fixture(scope="session")
def city_dir() -> Path:
    return CITY


@pytest.fixture(scope="session")
def truth() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((CITY / "truth.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="session")
def cells() -> pd.DataFrame:
    return pd.read_csv(CITY / "truth_cells.csv.gz")


def decode(path: Path, encoding: str) -> str:
    raw = path.read_bytes()
    return (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode(encoding)


def csv_rows(name: str, encoding: str = "utf-8") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(decode(CITY / name, encoding), newline="")))


@pytest.fixture(scope="session")
def read_rows(truth: dict[str, Any]) -> Callable[[str], list[dict[str, str]]]:
    return lambda name: csv_rows(name, truth["files"][name].get("encoding", "utf-8"))


@pytest.fixture(scope="session")
def police(truth: dict[str, Any]) -> pd.DataFrame:
    """All police rows under the common headers, with the text as it stands in the files."""
    other = {"Report No": "ReportNo", "Coded Month": "CodedMonth", "Date Occur": "DateOccur", "X-Coord": "XCoord"}
    other |= {"Y-Coord": "YCoord", "Firearm Used": "Firearm", "Victim Race": "Race"}
    parts = []
    for name, facts in truth["files"].items():
        if name.startswith("crime/"):
            text = decode(CITY / name, facts["encoding"])
            part = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
            parts.append(part.rename(columns=other).assign(file=name))
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="session")
def study() -> shapely.Geometry:
    """Study area in feet: limits less water and airfield."""

    def read(name: str) -> shapely.Geometry:
        return shapely.union_all(gpd.read_file(CITY / name).to_crs("EPSG:3436").geometry.to_numpy())

    return shapely.difference(
        read("city_limits.geojson"), shapely.union(read("water.geojson"), read("airfield.geojson"))
    )


@pytest.fixture(scope="session")
def to_feet() -> Callable[[pd.Series, pd.Series], np.ndarray]:
    """Latitude and longitude, shape (n,) each, to feet, shape (n, 2)."""
    return lambda lat, lon: np.column_stack(FEET.transform(lon.to_numpy(float), lat.to_numpy(float)))


@pytest.fixture
def maker(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The city's maker can be imported."""
    monkeypatch.syspath_prepend(str(CITY))
    return


@pytest.fixture(scope="session")
def vectors() -> Callable[[str], gpd.GeoDataFrame]:
    return lambda name: pyogrio.read_dataframe(f"/vsizip/{CITY / name}" if name.endswith(".zip") else CITY / name)
