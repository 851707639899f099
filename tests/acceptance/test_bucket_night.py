"""A whole night of the bundled city with its state in a bucket (moto on loopback)."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fakes import portal as fake
from fakes.portal import FakePortal
from support.bucket import bucket_server
from support.city import DEMO_DATA, ROOT, Night
from support.portal_city import CRIMES, PortalCity

from rtm_pipeline.orchestration.upkeep.status import status_of
from rtm_pipeline.publication.release.store import ReleaseStore, verify
from rtm_pipeline.sources.health_history import HealthHistory
from rtm_pipeline.sources.snapshots.snapshot import SnapshotStore
from rtm_pipeline.storage.roots import root_of

pytestmark = pytest.mark.acceptance


def rtm(*arguments: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "rtm_pipeline", *arguments]
    return subprocess.run(command, cwd=ROOT, env=os.environ | env, capture_output=True, text=True, check=False)


def test_a_night_in_a_bucket_gives_the_files_of_a_night_on_disk(demo_night: Night, tmp_path: Path) -> None:
    with bucket_server() as env:
        output = "s3://city/output"
        done = rtm("run", "demo_city", "--data-dir", str(DEMO_DATA), "--output", output, "--json", env=env)
        assert done.returncode == 0, done.stderr
        facts: dict[str, Any] = json.loads(done.stdout)
        assert facts["release"] == f"{output}/releases/demo_city/{facts['run_id']}"
        assert facts["current"] is True
        store = ReleaseStore(root_of(output) / "releases", "demo_city")
        current = store.current()
        assert current is not None
        manifest = verify(store.folder / current["run_id"])
        here = json.loads((demo_night.release / "manifest.json").read_text())
        differ = {name for name, digest in here["files"].items() if manifest["files"].get(name) != digest}
        assert differ <= {"ingest.json"}  # it tells when sources were read
        status = rtm("status", "demo_city", "--output", output, "--json", env=env)
        assert status.returncode == 0, status.stderr
        assert json.loads(status.stdout)["files"] == len(here["files"])
        raster = store.folder / current["run_id"] / "public" / "risk_terrain.tif"
        assert hashlib.sha256(raster.read_bytes()).hexdigest() == here["files"]["public/risk_terrain.tif"]
        held = root_of(output) / "locks" / "demo_city.lease"
        assert not held.is_file()
        held.write_bytes(json.dumps({"owner": "another machine", "ttl_s": 3600}).encode())
        refused = rtm("run", "demo_city", "--data-dir", str(DEMO_DATA), "--output", output, env=env)
        assert refused.returncode == 1
        assert "Another run of demo_city is writing to s3://city/output (another machine" in refused.stderr
        assert "Traceback" not in refused.stderr


def test_later_nights_go_on_from_what_earlier_ones_left_in_the_bucket(tmp_path: Path) -> None:
    """Where a pull was cut, what has changed since, what is usual, what is current: all of it is there only."""
    with bucket_server(), FakePortal() as portal:
        portal.page_cap = 100
        city = PortalCity(portal, tmp_path / "city", "health: {last_good: 0d}\n", bucket="s3://city/output")

        def pages() -> list[dict[str, str]]:
            return [request.query for request in portal.asked("page") if CRIMES in request.path]

        def cut(fake_portal: FakePortal, request: fake.Request) -> fake.Reply | None:
            return fake.status(503)(fake_portal, request) if int(request.query.get("$offset", 0)) >= 300 else None

        portal.faults = [cut]
        assert not city.night().ok
        portal.faults = []
        portal.requests.clear()
        assert city.run().ok
        assert int(pages()[0]["$offset"]) >= 300, "the pages that were read before the cut are not asked for again"
        portal.requests.clear()
        assert city.night().ok
        assert pages()
        assert all(":updated_at >=" in page["$where"] for page in pages())
        snapshot = SnapshotStore(city.output / "snapshots").latest("portalville", "crimes")
        assert snapshot is not None
        rows = SnapshotStore(city.output / "snapshots").table(snapshot).column("number").to_pylist()
        assert sorted(rows) == sorted(row["number"] for row in portal.datasets[CRIMES].rows)
        assert len(HealthHistory(city.output / "history", "portalville").records("crimes")) == 2
        data = portal.datasets[CRIMES]
        data.delete(*[row[":id"] for row in data.rows[::2]])
        report = city.night(days=7)  # a week later all rows are read, which is what tells that rows are gone
        assert [failure.exit_code for failure in report.failures] == [3]
        assert "rows where 60" in report.failures[0].message
        status = status_of(city.output, "portalville", max_age=timedelta(days=1e4))
        assert (status.state, status.as_of) == ("ok", (city.as_of - timedelta(days=7)).isoformat())
        assert not (tmp_path / "city" / "output").exists()
