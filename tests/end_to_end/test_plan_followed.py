"""Two nights and a frozen plan between them: the later one scores it, heeds what was done, and never rewrites it."""

from __future__ import annotations

import csv
import html
import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from support.city import Answer, Command
from support.made_city import write_made_city

from rtm_pipeline.orchestration.registers.history import CityHistory

FIRST, SECOND, DONE = date(2023, 1, 1), date(2023, 7, 1), date(2023, 3, 1)
RADIUS_M = 500 * 0.3048
PROGRAMS = """\
programs:
  lots: {layer: vacant_lots, id: id}
  assumed_share: 0.5
  work: {mowing: {radius: 500 ft, min_unit_sites: 5}}
  budget: {usd: 5000, horizon_years: 3}
"""


class City:
    """Smallville with programs, and what is asked of the command line there."""

    def __init__(self, folder: Path, rtm: Command) -> None:
        self.made = write_made_city(folder, more=PROGRAMS, as_of=False)
        head, tail = self.made.config.read_text().split("  liquor:\n    source: shops", 1)
        self.made.config.write_text(f"{head}    keep: [id]\n  liquor:\n    source: shops{tail}")
        self.output = folder / "output"
        self._rtm = rtm

    def ask(self, *words: str) -> Answer:
        folders = ("--config-dir", self.made.config.parent, "--output", self.output)
        answer = self._rtm(*words, *folders)
        assert answer.code == 0, answer.err
        return answer

    def night(self, day: date) -> Path:
        options = ("--as-of", day.isoformat(), "--data-dir", str(self.made.data), "--promote", "--json")
        return Path(self.ask("run", "smallville", *options).json["release"])

    def incidents(self) -> tuple[np.ndarray, np.ndarray]:
        """Places and days of the raw files."""
        rows: list[dict[str, str]] = []
        for path in sorted(self.made.data.glob("incidents_*.csv")):
            with path.open(newline="") as file:
                rows += csv.DictReader(file)
        places = np.array([[float(row["x"]), float(row["y"])] for row in rows])
        return places, np.array([row["when"][:10] for row in rows], dtype="datetime64[D]")


def rows_of(release: Path, name: str) -> list[dict[str, Any]]:
    return list(pq.read_table(release / "restricted" / f"{name}.parquet").to_pylist())


def test_a_later_night_scores_a_frozen_plan_and_never_rewrites_it(tmp_path: Path, rtm: Command) -> None:
    city = City(tmp_path, rtm)
    first = city.night(FIRST)
    assert not (first / "restricted" / "plans.parquet").exists()
    frozen = city.ask("plan", "freeze", "smallville", "--json").json
    file = Path(frozen["path"])
    written = file.read_bytes()
    (kept,) = CityHistory(city.output, "smallville").plans()
    funded = [row for row in rows_of(first, "priority_lots") if row["funded"]]
    assert {site.site_id for site in kept.plan.sites} == {row["site_id"] for row in funded}
    assert kept.plan.frozen_on == FIRST
    done = kept.plan.sites[0].site_id
    city.ask("plan", "update", "smallville", done, "done", "--by", "Ann", "--on", DONE.isoformat())

    second = city.night(SECOND)
    assert json.loads((second.parent / "latest.json").read_text())["run_id"] == second.name != first.name
    assert file.read_bytes() == written, "a frozen plan is never rewritten"
    assert sorted(path.name for path in file.parent.iterdir()) == sorted([file.name, f"{file.stem}.status.csv"])
    (score,) = rows_of(second, "plans")
    years = (SECOND - FIRST).days / 365.25
    assert score["plan_id"] == kept.plan.plan_id
    assert (score["sites_done"], score["sites_proposed"]) == (1, len(kept.plan.sites) - 1)
    assert score["expected"] == pytest.approx(kept.expected * years)
    # what happened around it, counted from the raw files
    places, days = city.incidents()
    since = places[(days >= np.datetime64(FIRST)) & (days < np.datetime64(SECOND))]
    sites = np.array([[site.x, site.y] for site in kept.plan.sites])
    near = np.hypot(since[:, None, 0] - sites[:, 0], since[:, None, 1] - sites[:, 1]) <= RADIUS_M
    assert score["observed"] == near.any(axis=1).sum() > 20
    scored = {row["site_id"]: row for row in rows_of(second, "plan_sites")}
    assert [scored[site.site_id]["observed"] for site in kept.plan.sites] == near.sum(axis=0).tolist()
    assert scored[done]["status"] == "done"
    report = html.unescape((second / "restricted" / "report.html").read_text())
    assert "Work lists so far" in report
    assert kept.plan.plan_id in report
    assert kept.plan.plan_id not in (second / "public" / "report.html").read_text()

    # the later night plans anew, without the site that is done
    facts = json.loads((second / "restricted" / "programs.json").read_text())
    assert facts["work"]["excluded"] == {"treated before": 1}
    assert set(facts["registers"]) == {"plans", "treated"}
    assert done not in {row["site_id"] for row in rows_of(second, "priority_lots")}
    (now,) = CityHistory(city.output, "smallville").plans()
    assert (now.plan, now.expected, now.draws) == (kept.plan, kept.expected, kept.draws)
