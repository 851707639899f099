"""What a monitor is told, and what it is told by: exit codes."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from support.city import Command
from support.made_city import write_made_city

from rtm_pipeline.orchestration.upkeep.nights import last_night, record_night
from rtm_pipeline.orchestration.upkeep.status import status_of, status_text
from rtm_pipeline.publication.release.store import ReleaseStore

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = timedelta(hours=36)


def publish(output: Path, written: datetime, run_id: str = "2026-11-22-abc") -> Path:
    store = ReleaseStore(output / "releases", "smallville")

    def fill(folder: Path) -> None:
        (folder / "accuracy.json").write_text(json.dumps({"verdict": "better"}))

    release = store.publish(run_id, fill, {"written_at": written.isoformat(), "as_of": run_id[:10]})
    store.promote(release, date.fromisoformat(run_id[:10]))
    return release.path


@pytest.mark.parametrize(
    ("age", "state", "code"), [(1, "ok", 0), (35.9, "ok", 0), (36.1, "stale", 3), (-0.1, "ok", 0), (-3, "broken", 3)]
)
def test_the_age_decides(tmp_path: Path, age: float, state: str, code: int) -> None:
    publish(tmp_path, NOW - timedelta(hours=age))
    found = status_of(tmp_path, "smallville", max_age=DAY, now=NOW)
    assert (found.state, found.exit_code) == (state, code)
    assert found.age_hours == pytest.approx(age, abs=0.01)
    assert found.verdict == "better"


def test_a_release_that_is_not_whole_is_broken(tmp_path: Path) -> None:
    folder = publish(tmp_path, NOW)
    (folder / "accuracy.json").write_text("{}")
    found = status_of(tmp_path, "smallville", max_age=DAY, now=NOW)
    assert (found.state, found.exit_code) == ("broken", 3)
    assert "accuracy.json" in found.problems[0]
    (folder / "manifest.json").unlink()
    assert status_of(tmp_path, "smallville", max_age=DAY, now=NOW).state == "broken"
    (tmp_path / "releases" / "smallville" / "latest.json").write_text('{"as_of": 3}')
    assert status_of(tmp_path, "smallville", max_age=DAY, now=NOW).state == "broken"


def test_before_the_first_night_there_is_nothing(tmp_path: Path) -> None:
    assert status_of(tmp_path, "smallville", max_age=DAY, now=NOW).state == "missing"


def test_it_says_why_the_last_night_failed(tmp_path: Path) -> None:
    publish(tmp_path, NOW)
    record_night(tmp_path, "smallville", state="failed", run="r", step="police_snapshot", message="no answer")
    text = status_text(status_of(tmp_path, "smallville", max_age=DAY, now=NOW))
    assert "in police_snapshot: no answer" in text
    record_night(tmp_path, "smallville", state="running", run="r", step="lots_snapshot")  # it does not need the police
    assert "in police_snapshot: no answer" in status_text(status_of(tmp_path, "smallville", max_age=DAY, now=NOW))
    record_night(tmp_path, "smallville", state="running", run="next", step="settings")
    assert "a night has been in settings" in status_text(status_of(tmp_path, "smallville", max_age=DAY, now=NOW))
    (tmp_path / "artifacts" / "smallville" / "last_night.json").write_text("half a rec")
    assert last_night(tmp_path, "smallville") is None


def test_the_command_ends_as_monitors_expect(tmp_path: Path, rtm: Command) -> None:
    made = write_made_city(tmp_path)
    output = tmp_path / "out"
    assert rtm("status", made.config, "--output", output).code == 3
    publish(output, datetime.now(UTC) - timedelta(hours=2))
    answer = rtm("status", made.config, "--output", output, "--json")
    assert answer.code == 0
    assert answer.json["run_id"] == "2026-11-22-abc"
    assert rtm("status", made.config, "--output", output, "--max-age", "1h").code == 3
    assert rtm("status", made.config, "--output", output, "--max-age", "soon").code == 2
    assert rtm("status", "no_such_city", "--output", output).code == 2
