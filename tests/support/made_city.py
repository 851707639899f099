"""A city small enough for a night of seconds: a square of some 400 cells, two factors, three years of incidents."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np

SIDE_M = 2000.0
EAST, NORTH = 400_000.0, 4_300_000.0  # a corner in UTM zone 15 north
FIRST, AS_OF = date(2021, 1, 1), date(2024, 1, 1)

CONFIG = """\
schema: 1
city: {name}
timezone: America/Chicago
{as_of}area: {{source: limits, crs: EPSG:26915, cell_size: 100 m, block: 200 m}}
sources:
  limits: {{kind: file, path: limits.geojson, expect_files: 1, origin: registry}}
  police: {{kind: file, path: "incidents_*.csv", origin: resident}}
  lots: {{kind: file, path: lots.csv, expect_files: 1, origin: registry}}
  shops: {{kind: file, path: shops.csv, expect_files: 1, origin: registry}}
layers:
  violence:
    source: police
    kind: events
    geometry: {{x: x, y: y, crs: EPSG:26915}}
    date: {{column: when, formats: ["%Y-%m-%dT%H:%M"], earliest: 2015-01-01}}
    key: [id]
  vacant_lots:
    source: lots
    kind: sites
    geometry: {{x: x, y: y, crs: EPSG:26915}}
    date: {{column: listed, formats: ["%Y-%m-%d"], earliest: 2000-01-01}}
    key: [id]
  liquor:
    source: shops
    kind: sites
    geometry: {{x: x, y: y, crs: EPSG:26915}}
    date: {{column: listed, formats: ["%Y-%m-%d"], earliest: 2000-01-01}}
    key: [id]
factors:
  vacant_lots: {{layer: vacant_lots, operationalization: proximity, max_influence: 2 blocks}}
  liquor: {{layer: liquor, operationalization: proximity, max_influence: 2 blocks}}
outcome: {{layer: violence, window: 1y, lag: 0d, unit: incident}}
model: {{family: poisson, direction: aggravating, folds: 3, bootstrap: {{refits: 20, selections: 2}}}}
forecast: {{horizon: 1y, history: all}}
{more}"""


@dataclass(frozen=True, slots=True)
class MadeFiles:
    """Where a made city lies."""

    name: str
    config: Path
    data: Path


def write_made_city(
    folder: Path, name: str = "smallville", *, seed: int = 7, more: str = "", as_of: bool = True, side_m: float = SIDE_M
) -> MadeFiles:
    """Write ``configs/NAME.yaml`` and ``data/NAME/*``; the seed decides where everything lies.

    Parameters
    ----------
    more : str
        Lines of YAML that are added to the configuration.
    as_of : bool
        Whether the configuration names its date; without one the night takes the tick's or today's.
    side_m : float
        Of the square; a verdict needs ten spatial blocks, and 4 km have them.
    """
    rng = np.random.default_rng(seed)
    configs, data = folder / "configs", folder / "data" / name
    configs.mkdir(parents=True, exist_ok=True)
    data.mkdir(parents=True, exist_ok=True)
    day = f"as_of: {AS_OF}\n" if as_of else ""
    (configs / f"{name}.yaml").write_text(CONFIG.format(name=name, as_of=day, more=more))
    _write_limits(data / "limits.geojson", side_m)
    lots = rng.uniform(0, side_m, (60, 2))
    shops = rng.uniform(0, side_m, (25, 2))
    for file, points in (("lots.csv", lots), ("shops.csv", shops)):
        rows = [[f"{file[0]}{i}", "2015-06-01", *place_of(point)] for i, point in enumerate(points)]
        write_rows(data / file, ["id", "listed", "x", "y"], rows)
    _write_incidents(data, rng, lots, side_m)
    return MadeFiles(name, configs / f"{name}.yaml", data)


def _write_limits(path: Path, side_m: float) -> None:
    corners = [(0, 0), (side_m, 0), (side_m, side_m), (0, side_m), (0, 0)]
    ring = [[EAST + x, NORTH + y] for x, y in corners]
    shape = {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::26915"}}
    path.write_text(json.dumps({"type": "FeatureCollection", "crs": crs, "features": [shape]}))


def _write_incidents(data: Path, rng: np.random.Generator, lots: np.ndarray, side_m: float) -> None:
    """Half of the incidents near vacant lots, half anywhere; one file a year."""
    days = (AS_OF - FIRST).days
    n = 900
    near = lots[rng.integers(0, len(lots), n)] + rng.normal(0, 60, (n, 2))
    anywhere = rng.uniform(0, side_m, (n, 2))
    points = np.where(rng.random((n, 1)) < 0.5, near, anywhere).clip(1, side_m - 1)
    when = [FIRST + timedelta(days=int(day)) for day in rng.integers(0, days, n)]
    rows = [[f"v{i}", f"{when[i]}T{i % 24:02}:15", *place_of(points[i])] for i in range(n)]
    for year in range(FIRST.year, AS_OF.year):
        write_rows(
            data / f"incidents_{year}.csv",
            ["id", "when", "x", "y"],
            [row for row in rows if str(row[1]).startswith(str(year))],
        )


def place_of(point: np.ndarray) -> list[str]:
    """East and north as the files write them, of meters from the corner."""
    return [f"{EAST + point[0]:.1f}", f"{NORTH + point[1]:.1f}"]


def write_rows(path: Path, header: list[str], rows: list[list[str]]) -> None:
    """A CSV file."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        writer.writerows(rows)
