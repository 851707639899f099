"""The whole configuration of the live portal, read from a portal on loopback that shapes its data as that one does."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from fakes import kansas_city as kc
from fakes.portal import FakePortal
from support.city import ROOT

from rtm_pipeline.config.load import load_config
from rtm_pipeline.orchestration.paths import Paths
from rtm_pipeline.orchestration.run import run_city
from rtm_pipeline.orchestration.studies.source_check import check_sources
from rtm_pipeline.sources.portals.transport import Transport

CONFIG = ROOT / "configs" / "kansas_city.yaml"
NIGHT = datetime(2026, 11, 20, 7, tzinfo=UTC)
VIOLENT = {"09A", "11A", "120", "13A"}
SMALL = ("area.cell_size=500 ft", "model.bootstrap.refits=20", "model.bootstrap.selections=2")


@pytest.fixture(scope="module")
def portal() -> Iterator[FakePortal]:
    with FakePortal() as portal:
        kc.add_kansas_city(portal, reports=150)
        yield portal


def way_to(portal: FakePortal) -> Transport:
    """The usual transport, but the portal's host is on loopback, and nobody waits."""
    return Transport(
        allow_http_hosts={portal.host}, routes={kc.HOST: portal.host}, backoff_s=0.001, sleep=lambda _: None
    )


def made_violence(portal: FakePortal) -> tuple[set[tuple[int, str, str]], Counter[str]]:
    """(year, report, code) that the layer must keep, and why others are set aside, told by the made rows alone."""
    kept, reasons = set(), Counter[str]()
    for year, name in kc.KCPD.items():
        date_name, number_name = kc.date_names(year)
        for row in portal.datasets[name].rows:
            if row.get("ibrs") not in VIOLENT:
                continue
            place = row.get("location") or row.get("location_1") or row.get("latitude")
            if row[date_name] < "2015":
                reasons["date_too_early"] += 1
            elif row[date_name] >= "2026-11-22":
                reasons["date_in_future"] += 1
            elif place is None or (isinstance(place, dict) and place.get("latitude") == "0.0"):
                reasons["no_location"] += 1
            else:
                kept.add((year, row[number_name], row["ibrs"]))
    return kept, reasons


def test_every_source_and_layer_is_read_as_configured(portal: FakePortal, tmp_path: Path) -> None:
    portal.requests.clear()
    way = way_to(portal)
    found: dict[str, Any] = check_sources(
        load_config(CONFIG), Paths.resolve(config_dir=ROOT / "configs", output=tmp_path), way, NIGHT
    )
    way.close()
    assert found["errors"] == {}
    for name, source in {"kcpd": kc.KCPD.values(), "requests": (kc.REQUESTS_BEFORE, kc.REQUESTS)}.items():
        assert found["sources"][name]["read"] == sum(len(portal.datasets[part].rows) for part in source)
    kept, reasons = made_violence(portal)
    violence = found["layers"]["violence"]
    assert violence["kept"] == len(kept)
    assert violence["quarantined"] == dict(reasons)
    assert reasons.keys() == {"date_too_early", "date_in_future", "no_location"}
    assert {year for year, _, _ in kept} == set(kc.KCPD)  # those with numbers, location objects and points
    years = found["layers"]["violence"]["notes"]["located_share"]
    assert years["2016"]["share"] == 1.0
    assert years["2020"]["share"] < 0.95
    requests = found["layers"]["requests_311"]
    assert requests["quarantined"].get("no_location") is None
    words = requests["notes"]["categories"]
    assert min(words[name] for name in ("dangerous_building", "dumping", "property_violation", "abandoned_vehicle"))
    asked = " ".join(str(request.query) for request in portal.requests)
    assert not any(name in asked for name in ("race", "sex", "'age", "involvement", "incident_address"))


@pytest.mark.acceptance
def test_a_night_of_the_live_configuration(portal: FakePortal, tmp_path: Path) -> None:
    way = way_to(portal)
    report = run_city(
        load_config(CONFIG, SMALL),
        Paths.resolve(config_dir=ROOT / "configs", output=tmp_path),
        as_of=date(2026, 11, 20),
        promote=True,
        resource_overrides={"transport": way, "clock": lambda: NIGHT},
    )
    way.close()
    assert report.ok, report.failures
    city = tmp_path / "releases" / "kansas_city"
    release = city / json.loads((city / "latest.json").read_text())["run_id"]
    ingest = json.loads((release / "ingest.json").read_text())
    assert set(ingest["sources"]) == {"neighborhoods", "kcpd", "requests", "violations", "dangerous", "land_bank"}
    assert ingest["layers"]["violence"]["kept"] == len(made_violence(portal)[0])
    model = json.loads((release / "model.json").read_text())
    assert model["n_events"] > 20
    with rasterio.open(release / "public" / "risk_terrain.tif") as raster:
        values = raster.read(1, masked=True)
        assert raster.crs.to_wkt().startswith("PROJCS")
    side_ft = 4 * kc.SIDE * np.array([111_000 / 0.3048, 111_000 * np.cos(np.radians(39.04)) / 0.3048])
    assert np.prod(side_ft / 500) < values.count() < np.prod(side_ft / 500 + 2)  # cells that meet the border count
    for path in (file for file in tmp_path.rglob("*") if file.is_file()):
        assert kc.CANARY.encode() not in path.read_bytes(), path
