"""Oxbow, a made city of some 320 cells, in shapes that no configuration of the project has.

What a stranger brings: limits in web mercator, incidents as one CSV a year with semicolons, coordinates in UTM and
offenses in words, vacant lots as GeoJSON polygons from an ArcGIS service with epoch dates, taverns as a tab-separated
list with WKT. No 311. The risk is planted: taverns and vacant lots raise it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from pyproj import Transformer

UTM = "EPSG:26915"
WEST, SOUTH, WIDE, HIGH = 352_000.0, 4_330_000.0, 2_000.0, 1_600.0  # in Kansas City, Kansas, meters
START = datetime(2021, 1, 1)  # local time, as the police writes it
YEARS = 3
OFFENSES = ("ROBBERY - ARMED", "ASSAULT, AGGRAVATED", "HOMICIDE")
OTHERS = ("THEFT FROM AUTO", "VANDALISM")


@dataclass(frozen=True, slots=True)
class Oxbow:
    """Where its files lie, and what is in them."""

    folder: Path
    incidents: int
    inside: tuple[float, float]  # latitude, longitude of a place in the city


@dataclass(frozen=True, slots=True)
class OxbowNight:
    """A finished run of it."""

    city: Oxbow
    configs: Path
    output: Path
    release: Path
    facts: dict[str, Any]


def write_oxbow(folder: Path, seed: int = 7) -> Oxbow:
    """Write the raw files of the city; the same ones every time."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    _limits(folder / "city_boundary.geojson")
    taverns = np.column_stack([WEST + rng.uniform(100, WIDE - 100, 9), SOUTH + rng.uniform(100, HIGH - 100, 9)])
    # Lots lie in the west, in rows along a few streets.
    lots = np.column_stack([WEST + rng.uniform(50, WIDE * 0.6, 140), SOUTH + 100 + 200 * rng.integers(0, 8, 140)])
    _taverns(folder / "taverns.tsv", taverns)
    _lots(folder / "vacant_parcels.geojson", lots, rng)
    _stops(folder / "transit_stops.csv", rng)
    count = _incidents(folder, taverns, lots, rng)
    lon, lat = _to("EPSG:4326", WEST + WIDE / 2 + 25, SOUTH + HIGH / 2 + 25)
    return Oxbow(folder, count, (float(lat), float(lon)))


def oxbow_config(name: str = "oxbow") -> str:
    """The configuration that docs/adding_a_city.md leads to."""
    return f"""\
schema: 1
city: {name}
timezone: America/Chicago
as_of: 2024-01-01
area: {{source: limits, crs: EPSG:26915, cell_size: 100 m, block: 200 m}}
sources:
  limits: {{kind: file, path: city_boundary.geojson, origin: registry}}
  incidents: {{kind: file, path: "offenses_*.csv", delimiter: ";", expect_files: 3, origin: resident}}
  parcels: {{kind: file, path: vacant_parcels.geojson, origin: registry}}
  taverns_file: {{kind: file, path: taverns.tsv, delimiter: "\\t", origin: registry}}
  stops_file: {{kind: file, path: transit_stops.csv, origin: registry}}
layers:
  violence:
    label: violent crime
    source: incidents
    kind: events
    geometry: {{x: GRID_E, y: GRID_N, crs: EPSG:26915}}
    date: {{column: Reported On, formats: ["%d.%m.%Y %H:%M"]}}
    key: [Case Nbr]
    where: {{OFFENSE: {{pattern: "ROBBERY|AGGRAVATED|HOMICIDE"}}}}
  vacant_lots:
    label: vacant lots
    source: parcels
    kind: sites
    geometry: native
    date: {{column: DATE_LISTED, formats: [epoch_ms]}}
    key: [OBJECTID]
    keep: [OBJECTID]
  taverns:
    source: taverns_file
    kind: sites
    geometry: {{wkt: SHAPE, crs: EPSG:3857}}
    known_at: 2020-06-30
factors:
  vacant_lots: {{layer: vacant_lots}}
  taverns: {{layer: taverns}}
outcome: {{layer: violence}}
model: {{bootstrap: {{refits: 50, selections: 4}}}}
"""


# The layer of five lines that is added later.
STOPS_LAYER = """\
  bus_stops:
    source: stops_file
    kind: sites
    geometry: {lat: stop_lat, lon: stop_lon}
    known_at: 2020-06-30
"""


def _to(crs: str, x: Any, y: Any) -> tuple[Any, Any]:
    return Transformer.from_crs(UTM, crs, always_xy=True).transform(x, y)


def _limits(path: Path) -> None:
    corners = [(0, 0), (WIDE, 0), (WIDE, HIGH), (0, HIGH), (0, 0)]
    ring = [list(map(float, _to("EPSG:3857", WEST + x, SOUTH + y))) for x, y in corners]
    shape = {"type": "Polygon", "coordinates": [ring]}
    crs = {"type": "name", "properties": {"name": "EPSG:3857"}}
    feature = {"type": "Feature", "id": 1, "properties": {"OBJECTID": 1, "NAME": "Oxbow"}, "geometry": shape}
    path.write_text(json.dumps({"type": "FeatureCollection", "crs": crs, "features": [feature]}))


def _taverns(path: Path, places: np.ndarray[Any, Any]) -> None:
    x, y = _to("EPSG:3857", places[:, 0], places[:, 1])
    rows = [f"TV{n:03d}\tTavern {n}\tPOINT ({a:.2f} {b:.2f})" for n, (a, b) in enumerate(zip(x, y, strict=True))]
    path.write_text("\n".join(["LIC_NO\tNAME\tSHAPE", *rows]) + "\n")


def _lots(path: Path, places: np.ndarray[Any, Any], rng: np.random.Generator) -> None:
    features = []
    for number, (x, y) in enumerate(places, start=1):
        ring = [(x, y), (x + 15, y), (x + 15, y + 30), (x, y + 30), (x, y)]
        lonlat = [list(map(float, _to("EPSG:4326", a, b))) for a, b in ring]
        day = datetime(2019, 1, 1, tzinfo=UTC) + timedelta(days=int(rng.integers(0, 700)))
        properties = {"OBJECTID": number, "DATE_LISTED": int(day.timestamp() * 1000), "OWNER": "withheld"}
        shape = {"type": "Polygon", "coordinates": [lonlat]}
        features.append({"type": "Feature", "id": number, "properties": properties, "geometry": shape})
    whole = {"type": "FeatureCollection", "properties": {"exceededTransferLimit": False}, "features": features}
    path.write_text(json.dumps(whole))


def _stops(path: Path, rng: np.random.Generator) -> None:
    lon, lat = _to("EPSG:4326", WEST + rng.uniform(0, WIDE, 24), SOUTH + rng.uniform(0, HIGH, 24))
    rows = [f"{n},{a:.6f},{b:.6f}" for n, (a, b) in enumerate(zip(lat, lon, strict=True))]
    path.write_text("\n".join(["stop_id,stop_lat,stop_lon", *rows]) + "\n")


def _incidents(
    folder: Path, taverns: np.ndarray[Any, Any], lots: np.ndarray[Any, Any], rng: np.random.Generator
) -> int:
    x, y = np.meshgrid(WEST + 50 + 100 * np.arange(20), SOUTH + 50 + 100 * np.arange(16))
    centers = np.column_stack([x.ravel(), y.ravel()])

    def near(places: np.ndarray[Any, Any], reach: float) -> Any:
        return np.hypot(*(centers[:, None] - places[None]).transpose(2, 0, 1)).min(axis=1) <= reach

    rate = 0.9 * np.where(near(taverns, 200.0), 3.0, 1.0) * np.where(near(lots, 100.0), 2.2, 1.0)
    total = 0
    for year in range(YEARS):
        counts = rng.poisson(rate * rng.gamma(4.0, 0.25, rate.size))
        cell = np.repeat(np.arange(rate.size), counts)
        rows = []
        for place in centers[cell] + rng.uniform(-49, 49, (cell.size, 2)):
            when = START + timedelta(days=365 * year + float(rng.uniform(0, 364)))
            total += 1
            number, kind = f"{21 + year}-{total:05d}", OFFENSES[int(rng.integers(0, 3))]
            rows.append(f"{number};{when:%d.%m.%Y %H:%M};{kind};{place[0]:.1f};{place[1]:.1f}")
        for extra in range(120):
            when = START + timedelta(days=365 * year + float(rng.uniform(0, 364)))
            at = (WEST + rng.uniform(0, WIDE), SOUTH + rng.uniform(0, HIGH))
            kind = OTHERS[extra % 2]
            rows.append(f"{21 + year}-9{extra:04d};{when:%d.%m.%Y %H:%M};{kind};{at[0]:.1f};{at[1]:.1f}")
        text = "\n".join(["Case Nbr;Reported On;OFFENSE;GRID_E;GRID_N", *rows]) + "\n"
        (folder / f"offenses_{2021 + year}.csv").write_text(text, encoding="utf-8")
    return total
