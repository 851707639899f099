"""Estimates of what is left follow the last run's times and this run's pace; nothing is claimed without a last run."""

from __future__ import annotations

import doctest
import io
import os
import pty
import select
import sys
from pathlib import Path

import pytest

from rtm_pipeline.cli import durations
from rtm_pipeline.cli.durations import StepDurations
from rtm_pipeline.cli.terminal import Progress
from rtm_pipeline.orchestration.run import StepEvent


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def run(file: Path, clock: Clock, times: dict[str, float]) -> StepDurations:
    found = StepDurations(file, clock)
    for step, seconds in times.items():
        found.started(step)
        clock.now += seconds
        found.ended(step)
    return found


def test_without_a_last_run_nothing_is_claimed(tmp_path: Path) -> None:
    clock = Clock()
    assert run(tmp_path / "city.json", clock, {"a": 5.0}).remaining() is None
    (tmp_path / "damaged.json").write_text("[1, 2")
    assert StepDurations(tmp_path / "damaged.json", clock).remaining() is None


def test_the_last_run_tells_and_the_pace_corrects(tmp_path: Path) -> None:
    clock, file = Clock(), tmp_path / "cache" / "city.json"
    run(file, clock, {"a": 10.0, "b": 30.0, "c": 60.0}).save()
    again = StepDurations(file, clock)
    assert again.remaining() == pytest.approx(100.0)
    again.started("a")
    clock.now += 4.0
    assert again.remaining() == pytest.approx(96.0)
    again.ended("a")
    # 10 % of the run is done, 2.5 times as fast: that weighs 10 %.
    assert again.remaining() == pytest.approx(90.0 * (0.1 * 0.4 + 0.9))
    again.started("b")
    clock.now += 300.0
    again.ended("b")
    slow = again.remaining()
    assert slow is not None
    assert slow > 60.0
    again.started("c")
    clock.now += 10_000.0
    assert again.remaining() == 0.0


def test_a_place_that_cannot_be_written_stops_no_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    run(tmp_path / "file" / "city.json", Clock(), {"a": 1.0}).save()


def test_words() -> None:
    found = doctest.testmod(durations)
    assert found.attempted
    assert not found.failed


def test_nothing_is_shown_when_piped_and_times_are_kept_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    err = io.StringIO()
    monkeypatch.setattr(sys, "stderr", err)
    times = StepDurations(tmp_path / "city.json", Clock())
    with Progress("Oxbow", times) as progress:
        progress.on_event(StepEvent("risk_terrain", "started", 2))
        progress.on_event(StepEvent("risk_terrain", "done", 2))
    times.save()
    assert err.getvalue() == ""
    assert "risk_terrain" in (tmp_path / "city.json").read_text()


def test_a_terminal_sees_the_step_and_what_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, file = Clock(), tmp_path / "city.json"
    run(file, clock, {"risk_terrain": 120.0, "release": 60.0}).save()
    leader, follower = pty.openpty()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with os.fdopen(follower, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        with Progress("Oxbow", StepDurations(file, clock)) as progress:
            progress.on_event(StepEvent("risk_terrain", "started", 2))
        terminal.flush()
        shown = ""
        while select.select([leader], [], [], 0.2)[0]:  # a terminal hands out no more than its buffer at a time
            shown += os.read(leader, 65_536).decode()
    os.close(leader)
    assert "risk terrain" in shown
    assert "about 3 min left" in shown
