"""Many made cities in one night: one after the other, and over Dask with the same numbers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.city import ROOT
from support.made_city import write_made_city
from support.nights import files_of

pytestmark = pytest.mark.acceptance

# ACCEPTANCE=full is for the numbers in the docs.
CITIES = 10 if os.environ.get("ACCEPTANCE") == "full" else 4


def nights(folder: Path, output: Path, *options: str) -> tuple[int, list[dict[str, Any]]]:
    command = [sys.executable, "-m", "rtm_pipeline", "nights", "--json", "--config-dir", str(folder / "configs")]
    done = subprocess.run(
        [*command, "--output", str(output), *options],
        cwd=ROOT,
        env=os.environ | {"RTM_DATA_DIR": str(folder / "data"), "RTM_CACHE_DIR": str(folder / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_cities_over_dask_give_the_same_numbers_and_a_broken_one_stops_none(tmp_path: Path) -> None:
    names = [f"town_{number:02}" for number in range(CITIES)]
    for number, name in enumerate(names):
        write_made_city(tmp_path, name, seed=number)
    (tmp_path / "configs" / "aa_broken.yaml").write_text("schema: 1\ncity: broken\n")
    code, serial = nights(tmp_path, tmp_path / "serial")
    assert code == 2
    assert {night["city"] for night in serial if night["ok"]} == set(names)
    (broken,) = [night for night in serial if not night["ok"]]
    assert "aa_broken.yaml" in broken["problems"][0]
    code, spread = nights(tmp_path, tmp_path / "spread", "--scheduler", "local")
    assert code == 2
    assert {night["run_id"] for night in spread} == {night["run_id"] for night in serial}
    for name in names:
        assert files_of(tmp_path / "spread", name) == files_of(tmp_path / "serial", name)
    for night in serial:
        print(f"{night['city']}: {night['cpu_seconds']} s of processor, peak {night['peak_mb']} MB")
