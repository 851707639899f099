"""A small city that lives on a portal: incidents and lots on Socrata, shops on ArcGIS, its border on Socrata too."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from fakes.portal import Dataset, FakePortal, Layer

from rtm_pipeline.config.load import LoadedConfig, load_config
from rtm_pipeline.orchestration.paths import Paths
from rtm_pipeline.orchestration.run import RunReport, StepEvent, loaded_again, run_city
from rtm_pipeline.sources.portals.transport import Transport
from rtm_pipeline.storage.roots import root_of

FIRST = date(2024, 6, 1)
WEST, SOUTH, SIDE = -94.60, 39.00, 0.016  # degrees; about 1.4 by 1.8 km
LIMITS, CRIMES, LOTS = "area-0001", "crim-0001", "lots-0001"
SHOPS = "/arcgis/rest/services/shops/FeatureServer/0"
CANARY = "CANARY-PERSON-7781"

CONFIG = """\
schema: 1
city: portalville
timezone: America/Chicago
area: {{source: limits, crs: EPSG:26915, cell_size: 100 m, block: 200 m}}
portals: {{"{host}": {{allow_http: true}}}}
sources:
  limits: {{kind: socrata, host: "{host}", dataset: area-0001, origin: registry}}
  crimes: {{kind: socrata, host: "{host}", dataset: crim-0001, origin: resident, token_env: CITY_TOKEN}}
  lots: {{kind: socrata, host: "{host}", dataset: lots-0001, origin: registry, attribution: Land Bank}}
  shops: {{kind: arcgis, url: "http://{host}{shops}", origin: registry, token_env: CITY_TOKEN}}
layers:
  violence:
    source: crimes
    kind: events
    geometry: {{geojson: place}}
    date: {{column: reported, earliest: 2015-01-01}}
    key: [number]
    where: {{code: [A, B]}}
  vacant_lots:
    source: lots
    geometry: {{lat: lat, lon: lon}}
    date: {{column: listed}}
    key: [parcel]
    keep: [parcel]
    restricted: [parcel]
  liquor: {{source: shops, geometry: native, known_at: 2020-01-01}}
factors:
  vacant_lots: {{layer: vacant_lots, operationalization: proximity, max_influence: 2 blocks}}
  liquor: {{layer: liquor, operationalization: proximity, max_influence: 2 blocks}}
outcome: {{layer: violence, window: 1y, lag: 0d, unit: incident}}
model: {{family: poisson, folds: 3, bootstrap: {{refits: 0, selections: 0}}}}
forecast: {{horizon: 1y, history: all}}
{more}"""


@dataclass
class PortalCity:
    """The city, its portal and its nights. Each night is a day after the one before, and brings a few rows."""

    portal: FakePortal
    folder: Path
    more: str = ""
    as_of: date = FIRST
    draw: random.Random = field(default_factory=lambda: random.Random(4))
    bucket: str | None = None

    def __post_init__(self) -> None:
        self.portal.datasets[LIMITS] = limits()
        self.portal.datasets[CRIMES] = Dataset(
            [("number", "text"), ("reported", "calendar_date"), ("code", "text"), ("place", "point"), ("race", "text")]
        )
        self.portal.datasets[LOTS] = Dataset(
            [("parcel", "text"), ("listed", "calendar_date"), ("lat", "number"), ("lon", "number"), ("owner", "text")]
        )
        spots = [self._spot() for _ in range(40)]
        for i, (lon, lat) in enumerate(spots):
            listed = {"parcel": f"P{i:04d}", "listed": "2016-01-01T00:00:00.000", "owner": CANARY}
            self.portal.datasets[LOTS].insert({**listed, "lat": f"{lat:.6f}", "lon": f"{lon:.6f}"})
        for i in range(600):
            self.add_crime(self.as_of - timedelta(days=1 + i), near=spots if i % 2 else None)
        shop = [({"OBJECTID": i + 1, "name": f"shop {i}"}, point(*self._spot())) for i in range(25)]
        self.portal.layers[SHOPS] = Layer([("OBJECTID", "esriFieldTypeOID"), ("name", "esriFieldTypeString")], shop)

    def add_crime(self, day: date, near: list[tuple[float, float]] | None = None, **values: Any) -> None:
        """One more incident of a day."""
        data = self.portal.datasets[CRIMES]
        lon, lat = self._spot()
        if near:
            a, b = self.draw.choice(near)
            lon, lat = a + self.draw.uniform(-4e-4, 4e-4), b + self.draw.uniform(-4e-4, 4e-4)
        row = {
            "number": f"N{data.made:05d}",
            "reported": f"{day}T12:00:00.000",
            "code": self.draw.choice(["A", "B", "A", "C"]),
            "place": point(lon, lat),
            "race": CANARY,
        }
        data.insert({**row, **values})

    def night(
        self,
        *,
        days: int = 1,
        rows: int = 1,
        transport: Mapping[str, Any] | None = None,
    ) -> RunReport:
        """Let days pass, each with new rows, and run."""
        for _ in range(days):
            self.as_of += timedelta(days=1)
            for _ in range(rows):
                self.add_crime(self.as_of - timedelta(days=1))
        return self.run(transport=transport)

    def run(
        self,
        *,
        transport: Mapping[str, Any] | None = None,
        from_run: str | None = None,
        listen: Callable[[StepEvent], None] | None = None,
    ) -> RunReport:
        """Run as things stand; the clock says the morning of ``as_of``, and waits take no time."""
        paths = Paths.resolve(config_dir=self.folder, output=self.output)
        loaded = self.loaded()
        if from_run:
            loaded, from_run = loaded_again(loaded, paths, from_run)
        way = Transport(
            **{"backoff_s": 0.001, "retries": 3, "read_timeout_s": 5.0, "sleep": _no_wait, **(transport or {})}
        )
        morning = datetime(self.as_of.year, self.as_of.month, self.as_of.day, 8, tzinfo=UTC)
        try:
            return run_city(
                loaded,
                paths,
                from_run=from_run,
                listen=listen,
                resource_overrides={"transport": way, "clock": lambda: morning},
            )
        finally:
            way.close()

    def loaded(self) -> LoadedConfig:
        """The configuration, dated tonight as the tick of a schedule would date it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / "portalville.yaml"
        text = CONFIG.format(host=self.portal.host, shops=SHOPS, more=self.more)
        path.write_text(text + f"as_of: {self.as_of}\n")
        return load_config(path)

    @property
    def output(self) -> Path:
        return root_of(self.bucket) if self.bucket else self.folder / "output"

    @property
    def releases(self) -> Path:
        return self.output / "releases" / "portalville"

    def _spot(self) -> tuple[float, float]:
        margin = 0.0008
        return tuple(round(at + self.draw.uniform(margin, SIDE - margin), 6) for at in (WEST, SOUTH))  # type: ignore[return-value]


def point(lon: float, lat: float) -> dict[str, Any]:
    return {"type": "Point", "coordinates": [round(lon, 6), round(lat, 6)]}


def limits() -> Dataset:
    data = Dataset([("the_geom", "polygon"), ("name", "text")])
    east, north = WEST + SIDE, SOUTH + SIDE
    ring = [[WEST, SOUTH], [east, SOUTH], [east, north], [WEST, north], [WEST, SOUTH]]
    data.insert({"the_geom": {"type": "Polygon", "coordinates": [ring]}, "name": "city"})
    return data


def _no_wait(_: float) -> None:
    return None
