"""The same night gives the same files, whatever the number of processors and however often it is run."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.city import DEMO_DATA, ROOT, Night

pytestmark = pytest.mark.acceptance

CLOCK = {"manifest.json", "ingest.json"}  # the only files that tell the time (of the run, and of fetching)


def digests(release: Path) -> dict[str, str]:
    files = (path for path in release.rglob("*") if path.is_file() and path.name not in CLOCK)
    return {path.relative_to(release).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def account(release: Path) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads((release / "ingest.json").read_text())
    for source in facts["sources"].values():
        del source["fetched_at"]
    return facts


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system can't pin a process to a processor")
def test_one_processor_gives_the_files_of_two(demo_night: Night, tmp_path: Path) -> None:
    alone = {min(os.sched_getaffinity(0))}
    night = [sys.executable, "-m", "rtm_pipeline", "run", "demo_city"]
    done = subprocess.run(
        [*night, "--data-dir", str(DEMO_DATA), "--output", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: os.sched_setaffinity(0, alone),
    )
    assert done.returncode == 0, done.stderr
    again = (tmp_path / "releases" / "demo_city" / "latest").resolve()
    assert again.name == demo_night.release.name  # one RUN_ID
    expected, found = digests(demo_night.release), digests(again)
    assert len(found) > 50
    assert sorted(name for name in found | expected if found.get(name) != expected.get(name)) == []
    assert account(again) == account(demo_night.release)
