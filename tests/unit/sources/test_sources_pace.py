"""Limits of a portal hold for all that ask it: two cities in one process, in two, and after a restart."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from typing import Any

import pytest
from fakes.portal import FakePortal
from support.portal_city import LOTS, PortalCity

from rtm_pipeline.orchestration.steps.ingest import ingest_steps
from rtm_pipeline.sources.portals.pace import Pace
from rtm_pipeline.sources.portals.transport import Endpoint, Transport


class Clock:
    """Time passes only where somebody waits."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_two_cities_on_one_portal_ask_it_no_faster_than_one(tmp_path: Path) -> None:
    with FakePortal() as portal:
        PortalCity(portal, tmp_path / "city")
        clock, asked = Clock(), list[float]()

        def note(*_: Any) -> None:
            asked.append(clock.now)

        portal.faults = [note]
        ways = [Transport(turns=tmp_path / "turns", clock=clock, sleep=clock.sleep) for _ in range(2)]
        limited = Endpoint(portal.host, {}, allow_http=True, requests_per_second=4)
        for number in range(10):
            ways[number % 2].get_json(limited, f"/api/views/{LOTS}.json", {}, where="a city")
        assert asked == pytest.approx([1000.0 + 0.25 * number for number in range(10)])
        free = Endpoint(portal.host, {}, allow_http=True)
        ways[0].get_json(free, f"/api/views/{LOTS}.json", {}, where="a city without a limit")
        assert asked[-1] == asked[-2]
        for way in ways:
            way.close()


def _turns(folder: Path, count: int, pipe: Any) -> None:
    pace = Pace(folder)
    pipe.send([pace.turn("data.example.org", 0.5, 100.0) for _ in range(count)])


def test_processes_that_ask_at_once_each_get_a_turn_of_their_own(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    pipes = [context.Pipe(duplex=False) for _ in range(4)]
    processes = [context.Process(target=_turns, args=(tmp_path, 25, there)) for _, there in pipes]
    for process in processes:
        process.start()
    turns = [turn for here, _ in pipes for turn in here.recv()]
    for process in processes:
        process.join()
    assert sorted(turns) == [100.0 + 0.5 * number for number in range(100)]


def test_turns_from_before_a_restart_and_garbage_hold_nobody_up(tmp_path: Path) -> None:
    assert Pace(tmp_path).turn("a.example", 1.0, 900_000.0) == 900_000.0
    assert Pace(tmp_path).turn("a.example", 1.0, 5.0) == 5.0  # the clock began anew
    (file,) = tmp_path.glob("*.turn")
    file.write_text("12.")
    assert Pace(tmp_path).turn("a.example", 1.0, 12.0) == 13.0
    file.write_text("half a num")
    assert Pace(tmp_path).turn("a.example", 1.0, 12.0) == 12.0


def test_a_folder_that_cannot_be_written_leaves_each_its_own_pace(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    pace = Pace(tmp_path / "file")
    assert [pace.turn("a.example", 1.0, 5.0) for _ in range(3)] == [5.0, 6.0, 7.0]


def test_sources_of_one_portal_share_a_pool_whatever_their_city(tmp_path: Path) -> None:
    """Dagster's pools limit how many steps of all runs ask a portal at the same time."""
    with FakePortal() as portal:
        pools = [
            {step.pool for step in ingest_steps(PortalCity(portal, tmp_path / name).loaded().city) if step.pool}
            for name in ("one", "two")
        ]
    assert pools[0] == pools[1]
    assert len(pools[0]) == 1
