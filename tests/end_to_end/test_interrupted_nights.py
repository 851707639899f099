"""Nights that are killed, starved or doubled leave what was there, say why, and the next one gives the same numbers."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.city import ROOT
from support.made_city import write_made_city
from support.nights import (
    TONIGHT,
    YESTERDAY,
    Outcome,
    Stage,
    assert_nothing_half,
    files_of,
    make_stage,
    moments,
)

from rtm_pipeline.orchestration.upkeep.nights import last_night
from rtm_pipeline.publication.release.store import MAKING


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("interrupted")
    before = os.environ.get("PYTHONPATH")
    # The fork server imports what nights need once; it finds the tests' modules by this.
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parents[1]), *([before] if before else [])])
    try:
        yield make_stage(folder, write_made_city(folder))
    finally:
        os.environ.pop("PYTHONPATH") if before is None else os.environ.__setitem__("PYTHONPATH", before)


def kill_all_over(stage: Stage, count: int, every: int, seed: int) -> None:
    """Kill so many nights; after every few let one end and hold its files to the undisturbed ones."""
    stage.reset()
    killed: dict[str, int] = {}
    for number, (step, after_s) in enumerate(moments(stage, count, seed), start=1):
        if stage.nights.kill_in(stage.work(), step, after_s):
            killed[step] = killed.get(step, 0) + 1
        current = assert_nothing_half(stage.output)
        assert current in (YESTERDAY.isoformat(), TONIGHT.isoformat())
        if current == TONIGHT.isoformat():  # killed after it had become current: whole, and the same
            assert files_of(stage.output) == stage.reference
            stage.reset()
        if number % every == 0 or number == count:
            outcome = stage.nights.run(stage.work())
            assert outcome.ok, (step, after_s, outcome.failures)
            assert files_of(stage.output) == stage.reference, (step, after_s)
            assert not list((stage.output / "releases" / "smallville").glob(f"{MAKING}*"))
            stage.reset()
    print(f"{sum(killed.values())} nights killed in {len(killed)} of {len(stage.steps)} steps: {killed}")
    assert sum(killed.values()) >= count * 5 // 6  # the others had ended before the moment came


def test_a_killed_night_leaves_nothing_half(stage: Stage) -> None:
    kill_all_over(stage, 5, every=5, seed=1)


@pytest.mark.acceptance
def test_sixty_killed_nights_over_all_stages_leave_nothing_half(stage: Stage) -> None:
    kill_all_over(stage, 60, every=10, seed=2)


def refused(outcome: Outcome, words: str) -> None:
    assert not outcome.ok
    messages = {message for _, _, message, _ in outcome.failures}
    assert len(messages) == 1, outcome.failures
    assert any(word in messages.pop() for word in words.split("|")), outcome.failures


@pytest.mark.parametrize(
    "by_dagster",
    [pytest.param(False, id="command"), pytest.param(True, id="daemon", marks=pytest.mark.acceptance)],
)
def test_a_second_run_of_a_city_is_refused_and_the_first_ends_well(stage: Stage, by_dagster: bool) -> None:
    stage.reset()
    with stage.nights.started(stage.work()) as (process, pipe):
        while pipe.recv()[1] != "done":  # the lock is taken by the first step
            pass
        os.kill(process.pid, signal.SIGSTOP)
        second = stage.nights.run(stage.work(by_dagster=by_dagster))
        os.kill(process.pid, signal.SIGCONT)
        first = stage.nights.follow(pipe)
    refused(second, f"Another run of smallville is writing to {stage.output} (process {process.pid}). Wait for it")
    assert first.ok, first.failures
    assert files_of(stage.output) == stage.reference


@pytest.mark.acceptance
def test_a_disk_that_fills_up_stops_the_night_and_room_lets_it_run(stage: Stage) -> None:
    sizes = sorted(path.stat().st_size for path in stage.base.rglob("*") if path.is_file())
    for limit in (1, sizes[len(sizes) // 2], sizes[-1] - 1):
        stage.reset()
        outcome = stage.nights.run(stage.work(file_limit=limit))
        assert not outcome.ok, limit
        assert len({message for _, _, message, _ in outcome.failures}) == 1, outcome.failures
        assert assert_nothing_half(stage.output) == YESTERDAY.isoformat()
    outcome = stage.nights.run(stage.work())
    assert outcome.ok, outcome.failures
    assert files_of(stage.output) == stage.reference


@contextmanager
def small_disk(folder: Path, n_bytes: int) -> Iterator[Callable[..., None]]:
    """A file system of a size; gives a call that mounts it anew with other options."""
    folder.mkdir()

    def mount(*options: str) -> bool:
        command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(folder)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def again(*options: str) -> None:
        assert mount("remount", *options), options

    if not mount(f"size={n_bytes}"):
        pytest.skip("a file system of limited size can't be mounted here; RLIMIT_FSIZE is tested instead")
    try:
        yield again
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def bytes_in(folder: Path) -> int:
    """As a tmpfs counts: whole pages."""
    return sum(-(-path.lstat().st_size // 4096) * 4096 for path in folder.rglob("*") if path.is_file())


@pytest.mark.acceptance
def test_a_disk_of_any_size_that_is_too_small_leaves_yesterday(stage: Stage, tmp_path: Path) -> None:
    """Full from the first byte on, in the snapshots, among the artifacts, within the release, at its last file."""
    used, wanted = bytes_in(stage.base), bytes_in(stage.base.parent / "clean")
    stopped = {}
    with small_disk(tmp_path / "disk", 2 * wanted) as again:
        output = tmp_path / "disk" / "output"
        for share in (0.0, 0.1, 0.4, 0.7, 0.97):
            again("size=100m")
            shutil.rmtree(output, ignore_errors=True)
            subprocess.run(["cp", "-a", str(stage.base), str(output)], check=True)
            again(f"size={round(used + share * (wanted - used)) + 8192}")
            outcome = stage.nights.run(stage.work(output=output))
            refused(outcome, "No space left")
            message = outcome.failures[0][2]
            assert "Traceback" not in message, message
            assert str(output) in message or "release" in message, "it says what could not be written"
            stopped[share] = outcome.failures[0][0]
            assert assert_nothing_half(output) == YESTERDAY.isoformat(), share
            night = last_night(output, "smallville")
            assert night is None or night.state in ("failed", "running", "done")
        print(f"a night adds {(wanted - used) / 1e6:.1f} MB; with so much of it free it stopped in: {stopped}")
        again("size=200m")
        outcome = stage.nights.run(stage.work(output=output))
        assert outcome.ok, outcome.failures
        assert files_of(output) == stage.reference


@pytest.mark.acceptance
def test_a_read_only_file_system(stage: Stage, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 200_000_000) as again:
        output = tmp_path / "disk" / "output"
        subprocess.run(["cp", "-a", str(stage.base), str(output)], check=True)
        again("ro")
        outcome = stage.nights.run(stage.work(output=output))
        refused(outcome, "Read-only file system")
        assert outcome.failures[0][3] == 2
        again("rw")
        assert assert_nothing_half(output) == YESTERDAY.isoformat()


@pytest.mark.acceptance
@pytest.mark.parametrize("days", [(0.0, -400.0, 3.0, -1.0), (2.0, 40.0, -40.0)])
def test_a_clock_that_jumps_changes_no_number(stage: Stage, days: tuple[float, ...]) -> None:
    stage.reset()
    outcome = stage.nights.run(stage.work(clock_days=days))
    assert outcome.ok, outcome.failures
    assert files_of(stage.output) == stage.reference


def test_a_failed_night_says_why_and_leaves_yesterday(stage: Stage) -> None:
    stage.reset()
    lots = stage.made.data / "lots.csv"
    whole = lots.read_bytes()
    lots.write_bytes(b"id,listed,x\n1,2015-01-01,5\n")
    try:
        outcome = stage.nights.run(stage.work())
    finally:
        lots.write_bytes(whole)
    refused(outcome, "y")
    assert assert_nothing_half(stage.output) == YESTERDAY.isoformat()
    night = last_night(stage.output, "smallville")
    assert night is not None
    assert (night.state, night.message) == ("failed", outcome.failures[0][2])


@pytest.mark.acceptance
def test_commands_under_a_wrong_clock_say_so_and_replace_nothing(tmp_path: Path) -> None:
    """The whole process sees another time: a day back, then four hundred days ahead."""
    program = shutil.which("faketime")
    if program is None:
        pytest.skip("faketime is not installed (.ci/install-programs)")
    made = write_made_city(tmp_path, as_of=False)

    def rtm(clock: str, *arguments: str) -> tuple[int, str]:
        options = ("--config-dir", str(made.config.parent), "--output", str(tmp_path / "output"))
        command = [str(program), clock, sys.executable, "-m", "rtm_pipeline", *arguments, *options]
        env = os.environ | {"TZ": "UTC", "RTM_DATA_DIR": str(tmp_path / "data")}
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
        assert "Traceback" not in done.stdout + done.stderr
        return done.returncode, done.stdout + done.stderr

    code, said = rtm("2024-01-02 09:00:00", "run", "smallville")
    assert code == 0, said
    assert "release (current)" in said
    current = (tmp_path / "output" / "releases" / "smallville" / "latest.json").read_bytes()
    code, said = rtm("2024-01-01 09:00:00", "run", "smallville")
    assert code == 0, said
    assert "not current: a release with a later as_of is current" in said
    code, said = rtm("2024-01-01 10:00:00", "status", "smallville")
    assert code == 3
    assert "lies ahead. Check the clocks" in said
    code, said = rtm("2025-02-05 09:00:00", "run", "smallville")
    assert code == 3
    assert "There is nothing to explain: the outcome ends on 2023-12-31" in said
    assert "Nothing was published" in said
    assert (tmp_path / "output" / "releases" / "smallville" / "latest.json").read_bytes() == current
    assert assert_nothing_half(tmp_path / "output") == "2024-01-02"
    code, said = rtm("2024-01-02 10:00:00", "status", "smallville")
    assert code == 0, said
