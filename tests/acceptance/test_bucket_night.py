"""A whole night of the bundled city with its state in a bucket (moto on loopback)."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.bucket import bucket_server
from support.city import DEMO_DATA, ROOT, Night

from rtm_pipeline.publication.release.store import ReleaseStore, verify
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
