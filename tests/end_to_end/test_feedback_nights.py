"""Two nights of a made city, half a year apart: what the first flagged was visited, and what was met there recorded."""

from __future__ import annotations

import json
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from support.city import Command
from support.small_city import oxbow_config, write_oxbow

FIRST, SECOND = "2023-07-01", "2024-01-01"


def run(rtm: Command, root: Path, as_of: str) -> Path:
    (root / "configs").mkdir(exist_ok=True)
    (root / "configs" / "oxbow.yaml").write_text(oxbow_config().replace("as_of: 2024-01-01", f"as_of: {as_of}"))
    answer = rtm(
        *("run", "oxbow", "--config-dir", root / "configs", "--data-dir", root / "data"),
        *("--output", root / "output", "--json"),
    )
    assert answer.code == 0, answer.err
    assert answer.json["current"], answer.json["why_not_current"]
    return Path(answer.json["release"])


def record_visits(release: Path, offenses: Path, seed: int = 3) -> int:
    """Add to the record what visits to the flagged twentieth of the cells met: twice what had been expected there."""
    with rasterio.open(release / "restricted" / "forecast.tif") as raster:
        expected = raster.read(1, masked=True).filled(0.0).astype(float)
        transform = raster.transform
    line = np.sort(expected[expected > 0])[::-1][round(0.05 * (expected > 0).sum()) - 1]
    rows, cols = np.nonzero(expected >= line)
    rng = np.random.default_rng(seed)
    lines = []
    for row, col in zip(rows, cols, strict=True):
        x, y = transform * (col + 0.5, row + 0.5)
        for _ in range(rng.poisson(2.0 * expected[row, col] / 2.0)):  # half of the forecast's year
            when = datetime(2023, 7, 2) + timedelta(days=float(rng.uniform(0, 180)))
            lines.append(f"23-V{len(lines):04d};{when:%d.%m.%Y %H:%M};ASSAULT, AGGRAVATED;{x:.1f};{y:.1f}")
    with offenses.open("a", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    return len(lines)


def feedback_of(release: Path) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads((release / "accuracy.json").read_text())["feedback"]
    return facts


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("feedback")
    write_oxbow(root / "data")
    return root


def test_a_record_that_follows_the_flags_is_found_and_told(city: Path, tmp_path: Path, rtm: Command) -> None:
    first = run(rtm, city, FIRST)
    fed = tmp_path / "fed"
    shutil.copytree(city, fed)
    assert record_visits(first, fed / "data" / "offenses_2023.csv") > 20

    second = run(rtm, fed, SECOND)
    found = feedback_of(second)
    assert found["run_id"] == first.name
    assert found["since"] == FIRST
    assert found["detected"]
    assert found["ratio"] > 1.5
    sentence = "Being flagged seems to draw recording"
    for told in ("MODEL_CARD.md", "restricted/report.html", "public/report.html"):
        assert sentence in (second / told).read_text(encoding="utf-8"), told

    calm = run(rtm, city, SECOND)
    assert feedback_of(calm)["incidents"] >= 30
    assert not feedback_of(calm)["detected"]
    assert sentence not in (calm / "public" / "report.html").read_text(encoding="utf-8")
