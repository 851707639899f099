"""Whole nights against a portal that changes, stalls and lies: every row once, or one message and nothing published."""

from __future__ import annotations

import html
import json
import logging
import re
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from fakes import portal as fake
from fakes.portal import FakePortal
from support.portal_city import CANARY, CRIMES, LOTS, SHOPS, SIDE, SOUTH, WEST, PortalCity, point

from rtm_pipeline.orchestration.paths import Paths
from rtm_pipeline.orchestration.run import StepEvent
from rtm_pipeline.orchestration.upkeep.snapshot_retention import prune_snapshots
from rtm_pipeline.orchestration.upkeep.status import status_of, status_text
from rtm_pipeline.sources.snapshots.snapshot import SnapshotStore

pytestmark = pytest.mark.acceptance  # each test is several nights

TOKEN = "CANARY-TOKEN-5566"  # noqa: S105 - sent to loopback only
STRICT = "health: {last_good: 0d}\n"
Fault = Callable[[FakePortal], fake.Fault]


@pytest.fixture
def portal() -> Iterator[FakePortal]:
    with FakePortal() as portal:
        portal.page_cap = 100  # 600 incidents come in seven pages
        yield portal


@pytest.fixture
def city(portal: FakePortal, tmp_path: Path) -> PortalCity:
    return PortalCity(portal, tmp_path / "city")


def current(city: PortalCity) -> str:
    return str(json.loads((city.releases / "latest.json").read_text())["run_id"])


def published(city: PortalCity) -> dict[str, Any]:
    """``ingest.json`` of the current release."""
    return dict(json.loads((city.releases / current(city) / "ingest.json").read_text()))


def stored(city: PortalCity, source: str) -> list[dict[str, Any]]:
    store = SnapshotStore(city.output / "snapshots")
    snapshot = store.latest("portalville", source)
    assert snapshot is not None
    return store.table(snapshot).to_pylist()


def numbers(city: PortalCity) -> list[str]:
    return sorted(row["number"] for row in city.portal.datasets[CRIMES].rows)


def on(what: str, fault: fake.Fault) -> fake.Fault:
    """A fault of one data set or layer only."""
    return lambda portal, request: fault(portal, request) if what in request.path else None


def pages_of(what: str, fault: fake.Fault) -> fake.Fault:
    return on(what, lambda portal, request: fault(portal, request) if request.kind == "page" else None)


def renamed_midway(city: PortalCity) -> fake.Fault:
    return on(CRIMES, fake.before_page(3, lambda: city.portal.datasets[CRIMES].rename("code", "offence")))


FOR_EVER: list[tuple[str, Callable[[PortalCity], fake.Fault], dict[str, Any], str]] = [
    ("web pages", lambda _: pages_of(CRIMES, fake.html), {}, "Scheduled maintenance"),
    ("cut JSON", lambda _: pages_of(LOTS, fake.truncated(0.5, honest_length=True)), {}, "JSON that can't be read"),
    ("cut bodies", lambda _: pages_of(LOTS, fake.truncated(0.5)), {}, "broke off"),
    ("status 500", lambda _: pages_of(CRIMES, fake.status(500)), {}, "status 500"),
    (
        "long Retry-After",
        lambda _: pages_of(CRIMES, fake.status(429, Retry_After="86400")),
        {},
        "asks to wait 86,400 s",
    ),
    ("stalls", lambda _: pages_of(CRIMES, fake.stall(0.5)), {"read_timeout_s": 0.1, "retries": 1}, "does not answer"),
    ("ArcGIS errors", lambda _: on(SHOPS, fake.arcgis_error(500)), {}, "error 500"),
    ("ArcGIS refusals", lambda _: on(SHOPS, fake.arcgis_error(499, "Token Required")), {}, "Token Required"),
    ("wrong counts", lambda _: on(CRIMES, fake.wrong_count(3)), {}, "were promised"),
    ("wrong counts of ArcGIS", lambda _: on(SHOPS, fake.wrong_count(-2)), {}, "were promised"),
    ("a renamed column", renamed_midway, {}, "'code'"),
    ("an endless answer", lambda _: pages_of(CRIMES, fake.huge), {"max_bytes": 1_000_000}, "more than 1,000,000 bytes"),
    ("ten gigabytes", lambda _: pages_of(LOTS, fake.huge_by_its_header), {}, "10,737,418,240 bytes"),
    ("another host", lambda _: pages_of(LOTS, fake.redirect("https://evil.example/x")), {}, "not the configured host"),
]


def test_a_fault_that_stays_fails_the_night_with_one_message(
    city: PortalCity, caplog: pytest.LogCaptureFixture
) -> None:
    """One good night, then every fault on a night of its own, and a good night at the end."""
    city.more = STRICT
    assert city.night().ok
    before, listed = current(city), sorted(path.name for path in city.releases.iterdir())
    for name, fault, patience, words in FOR_EVER:
        city.portal.faults = [fault(city)]
        report = city.night(transport=patience)
        assert not report.ok, name
        assert [failure.exit_code for failure in report.failures] == [3], (name, report.failures)
        assert words in report.failures[0].message, (name, report.failures[0].message)
        assert "Traceback" not in report.failures[0].message, name
        assert current(city) == before, name
        assert sorted(path.name for path in city.releases.iterdir()) == listed, name
        city.portal.faults = []
        if name == "a renamed column":
            city.portal.datasets[CRIMES].rename("offence", "code")
    assert city.night().ok
    assert current(city) != before
    assert [row["number"] for row in sorted(stored(city, "crimes"), key=lambda row: row["number"])] == numbers(city)


def test_faults_that_pass_cost_no_row(city: PortalCity) -> None:
    """Every passing fault in one night, while rows come; the next nights read what changed, and now and then all."""
    portal = city.portal
    portal.faults = [
        on(CRIMES, fake.times(1, fake.status(429, Retry_After="1"))),
        on(CRIMES, fake.times(1, fake.status(500), after=1)),
        on(CRIMES, fake.times(1, fake.html, after=3)),
        on(CRIMES, fake.times(1, fake.truncated(), after=5)),
        on(SHOPS, fake.times(1, fake.arcgis_error(503))),
        on(CRIMES, fake.before_page(4, lambda: [city.add_crime(city.as_of - timedelta(days=3)) for _ in range(5)])),
        on(LOTS, fake.shuffled()),
    ]
    report = city.night()
    assert report.ok, report.failures
    assert sorted(row["number"] for row in stored(city, "crimes")) == numbers(city)
    assert sorted(row["parcel"] for row in stored(city, "lots")) == [f"P{i:04d}" for i in range(40)]
    assert len(stored(city, "shops")) == 25
    portal.faults = []
    portal.requests.clear()
    changed = portal.datasets[CRIMES].rows[7][":id"]
    portal.datasets[CRIMES].update(changed, code="C")
    report = city.night(rows=3)
    assert report.ok, report.failures
    asked = [request for request in portal.asked("page") if CRIMES in request.path]
    assert all(":updated_at >=" in request.query["$where"] for request in asked)
    assert sorted(row["number"] for row in stored(city, "crimes")) == numbers(city)
    portal.requests.clear()
    assert city.night(days=7).ok  # full_every_days
    asked = [request for request in portal.asked("page") if CRIMES in request.path]
    assert not any("$where" in request.query for request in asked)
    assert sorted(row["number"] for row in stored(city, "crimes")) == numbers(city)


def test_a_night_that_was_cut_goes_on_where_it_was_cut(city: PortalCity) -> None:
    city.more = STRICT
    city.portal.faults = [on(CRIMES, fake.times(99, fake.status(503), after=4))]
    assert not city.night().ok
    city.portal.faults = []
    city.portal.requests.clear()
    assert city.run().ok
    first = next(request for request in city.portal.asked("page") if CRIMES in request.path)
    assert int(first.query["$offset"]) > 300
    assert sorted(row["number"] for row in stored(city, "crimes")) == numbers(city)


def products(folder: Path) -> dict[str, bytes]:
    """Every file but the manifest, whose clock times differ."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "manifest.json"
    }


def test_a_past_night_is_run_again_from_its_snapshots(city: PortalCity, tmp_path: Path) -> None:
    assert city.night().ok
    run_id = current(city)
    kept = tmp_path / "kept"
    shutil.copytree(city.releases / run_id, kept)
    for row in city.portal.datasets[CRIMES].rows[:50]:
        row["code"] = "C"
    city.portal.datasets[CRIMES].version += 1
    city.portal.datasets[LOTS].delete(*[row[":id"] for row in city.portal.datasets[LOTS].rows[:4]])
    assert city.night(days=45, rows=2).ok
    newest = current(city)
    assert newest != run_id
    paths = Paths.resolve(config_dir=city.folder, output=city.output)
    morning = datetime(city.as_of.year, city.as_of.month, city.as_of.day, tzinfo=UTC) + timedelta(days=60)
    assert prune_snapshots(paths, "portalville", morning, min_part_age_s=0.0).manifests == {}
    requests = len(city.portal.requests)

    def lose_the_products(event: StepEvent) -> None:
        """Once the night is looked up, its release is taken away, so that the rerun has to make it."""
        if (event.step, event.state) == ("settings", "done"):
            shutil.rmtree(city.releases / run_id)

    report = city.run(from_run=run_id, listen=lose_the_products)
    assert report.ok, report.failures
    assert len(city.portal.requests) == requests, "a rerun reads no source"
    assert current(city) == newest
    again = city.releases / run_id
    assert products(again).keys() == products(kept).keys()
    different = [name for name, content in products(again).items() if content != products(kept)[name]]
    for path in sorted(kept.rglob("*.tif")):
        with rasterio.open(path) as one, rasterio.open(again / path.relative_to(kept)) as other:
            assert one.profile == other.profile
            assert one.tags() == other.tags()
            for band in one.indexes:
                assert one.tags(band) == other.tags(band)
                assert np.array_equal(one.read(band), other.read(band), equal_nan=True)
    assert [name for name in different if not name.endswith((".pdf", ".png", ".gpkg", ".qgz"))] == []
    # Without its release, nothing needs the snapshots of that night any more.
    shutil.rmtree(city.releases / run_id)
    pruned = prune_snapshots(paths, "portalville", morning, min_part_age_s=0.0)
    assert {name: len(digests) for name, digests in pruned.manifests.items()} == {"crimes": 1, "lots": 1}
    assert pruned.freed_bytes > 0
    assert len(stored(city, "crimes")) == len(numbers(city))


def test_a_feed_that_shrank_stops_the_night_until_it_is_accepted(city: PortalCity) -> None:
    assert city.night().ok
    assert city.night().ok
    before = current(city)
    data = city.portal.datasets[CRIMES]
    data.delete(*[row[":id"] for row in data.rows[::2]])
    report = city.night()
    assert [failure.exit_code for failure in report.failures] == [3]
    assert "crimes" in report.failures[0].message
    assert "rows where 60" in report.failures[0].message
    first_seen = city.as_of
    assert current(city) == before
    again = city.night()
    assert f"since {first_seen}" in again.failures[0].message
    city.more = f"health: {{sources: {{crimes: {{accepted: {first_seen}}}}}}}\n"
    assert city.night().ok
    assert current(city) != before


def test_a_feed_that_piles_loses_columns_and_moves_is_doubted_on_the_release_and_in_status(city: PortalCity) -> None:
    """Three nights of a feed that gets worse; what only warns is published with its warning, the rest is not."""
    crimes = city.portal.datasets[CRIMES]
    assert city.night().ok
    assert city.night().ok

    def doubts() -> dict[str, str]:
        """Kind -> message of the current release, which `rtm status` and both reports have to tell too."""
        found = [finding for source in published(city)["sources"].values() for finding in source["health"]]
        status = status_of(city.output, "portalville", max_age=timedelta(days=1e4))
        assert len(status.doubts) == len(found)
        for finding in found:
            assert any(finding["message"] in doubt for doubt in status.doubts)
            assert finding["message"] in status_text(status)
            for name in ("MODEL_CARD.md", "restricted/report.html"):
                text = html.unescape((city.releases / current(city) / name).read_text()).replace("\\_", "_")
                assert finding["message"] in text, name
        return {finding["kind"]: finding["message"] for finding in found}

    assert doubts() == {}
    first_doubted = city.as_of + timedelta(days=1)
    for _ in range(60):  # a geocoder that answers with the middle of the city
        city.add_crime(city.as_of, code="A", place=point(WEST + SIDE / 2, SOUTH + SIDE / 2))
    crimes.rename("race", "perceived_race")
    crimes.columns.append(("beat", "text"))
    report = city.night()
    assert report.ok, report.failures
    found = doubts()
    assert found.keys() == {"piled", "columns"}
    assert found["columns"] == "new columns: 'beat', 'perceived_race'; gone columns: 'race'"
    assert found["piled"].startswith("60 of its rows (")
    before = current(city)
    for row in crimes.rows:  # a portal that changed its datum, or its axes
        lon, lat = row["place"]["coordinates"]
        crimes.update(row[":id"], place=point(lon, lat + 0.004))
    report = city.night()
    assert [failure.exit_code for failure in report.failures] == [3]
    # 0.004 degrees of latitude are 444 m; the 60 piled rows had drawn the middle to them before.
    assert re.search(
        r"violence: the middle of its points lies 4\d\d m from .* 4\d\d m north", report.failures[0].message
    )
    assert current(city) == before
    status = status_of(city.output, "portalville", max_age=timedelta(days=1e4))
    assert status.last_night is not None
    assert (status.last_night.state, status.last_night.message) == ("failed", report.failures[0].message)
    city.more = "health: {layers: {violence: {moved: warn}}}\n"
    report = city.night()
    assert report.ok, report.failures
    found = doubts()
    assert found.keys() == {"piled", "moved"}  # that columns came and went was news of one night
    assert f"since {first_doubted}" in " ".join(status_of(city.output, "portalville", max_age=timedelta(1e4)).doubts)
    crimes.rename("code", "offence")  # a column that the configuration needs: the last good snapshot stands in
    report = city.night()
    assert report.ok, report.failures
    found = doubts()
    assert "the required column 'code' is missing" in found["stands_in"]


def test_doubts_and_stand_ins_are_told_on_the_release(city: PortalCity, tmp_path: Path) -> None:
    city.more = "editions: {lots: [restricted]}\nhealth: {last_good: 2d}\n"
    assert city.night().ok
    read_at = city.as_of
    for row in city.portal.datasets[CRIMES].rows[::3]:
        row["code"] = row["code"].replace("C", "C-new")
    city.portal.datasets[CRIMES].version += 1
    city.portal.datasets[CRIMES].clock += 1
    for row in city.portal.datasets[CRIMES].rows:
        row[":updated_at"] = city.portal.datasets[CRIMES]._tick()
    city.portal.faults = [on(LOTS, fake.status(503))]
    report = city.night()
    assert report.ok, report.failures
    sources = published(city)["sources"]
    assert f"fetched {read_at}" in sources["lots"]["stands_in"]
    assert [finding["kind"] for finding in sources["lots"]["health"]] == ["stands_in"]
    (doubt,) = sources["crimes"]["health"]
    assert (doubt["kind"], doubt["layer"], doubt["since"]) == ("vocabulary", "violence", city.as_of.isoformat())
    assert "'C-new'" in doubt["message"]
    release = city.releases / current(city)
    manifest = json.loads((release / "manifest.json").read_text())
    assert manifest["terms"]["lots"] == {"attribution": "Land Bank", "editions": "restricted"}
    for name in ("MODEL_CARD.md", "restricted/report.html", "public/report.html"):
        text = (release / name).read_text()
        assert "its last good snapshot stands in" in text, name
        assert "C-new" in text, name
    model = json.loads((release / "model.json").read_text())
    barred = "vacant_lots" in {term["factor"] for term in model["terms"]}
    assert (release / "public" / "risk_terrain.tif").exists() is not barred
    assert "editions: restricted" in (release / "restricted" / "SOURCES.txt").read_text()
    before = current(city)
    assert city.night().ok
    report = city.night()  # the good snapshot is three days old now
    assert not report.ok
    assert "is too old to stand in" in report.failures[0].message
    assert current(city) != before


def test_no_secret_and_no_person_is_left_anywhere(
    city: PortalCity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A good night and bad ones whose portal repeats the token and rows of persons in its errors."""
    home = tmp_path / "dagster_home"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    monkeypatch.setenv("CITY_TOKEN", TOKEN)
    city.more = STRICT
    logging.getLogger().setLevel(logging.DEBUG)
    assert city.night().ok
    sent = {value for request in city.portal.requests for value in request.headers.values()}
    assert any(TOKEN in value for value in sent), "the token must have been used at all"
    said = json.dumps({"message": f"token {TOKEN} is not valid", "error": True}).encode()
    messages = []
    for fault in (
        on(CRIMES, lambda _portal, _request: fake.Reply(said, 403)),
        on(SHOPS, fake.arcgis_error(499, f"Invalid token {TOKEN}")),
        pages_of(CRIMES, fake.body({"error": CANARY})),
        pages_of(CRIMES, fake.truncated(0.9, honest_length=True)),
        on(CRIMES, fake.redirect(f"https://evil.example/?t={TOKEN}")),
    ):
        city.portal.faults = [fault]
        report = city.night()
        assert not report.ok
        messages += [failure.message for failure in report.failures]
    captured = capfd.readouterr()
    needles = (TOKEN.encode(), CANARY.encode())
    places: dict[str, bytes] = {"messages": "\n".join(messages).encode(), "out": captured.out.encode()}
    places["err"] = captured.err.encode()
    for root in (home, city.output):
        places |= {str(path): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    assert any(name.endswith(".db") for name in places)
    assert [name for name, content in places.items() if any(needle in content for needle in needles)] == []
