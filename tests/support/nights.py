"""Nights of a made city in processes that can be killed, stopped and starved, started in a moment by a fork server."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import resource
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from rtm_pipeline.publication.release.files import MANIFEST
from rtm_pipeline.publication.release.store import MAKING, ReleaseStore, verify
from rtm_pipeline.sources.snapshots.snapshot import SnapshotStore
from support.made_city import MadeFiles

YESTERDAY, TONIGHT = date(2023, 12, 31), date(2024, 1, 1)


@dataclass(frozen=True, slots=True)
class Work:
    """One night to run.

    Attributes
    ----------
    file_limit : int, optional
        Largest file that it may write, bytes: what a full disk is where none can be mounted.
    clock_days : tuple of float
        The clock shows now plus these, one after the other, for ever the last.
    by_dagster : bool
        As the daemon would start it: the job in an instance, without the command line's part.
    """

    config: Path
    data: Path
    output: Path
    as_of: date
    file_limit: int | None = None
    clock_days: tuple[float, ...] = ()
    by_dagster: bool = False


@dataclass(slots=True)
class Outcome:
    """How it ended: steps with the seconds at which they began, and failures as (step, kind, message, exit code)."""

    ok: bool = False
    failures: list[tuple[str, str, str, int]] = field(default_factory=list)
    began: list[tuple[str, float]] = field(default_factory=list)
    ended: float = 0.0


def _work(work: Work, pipe: Connection) -> None:
    """The child: everything it says goes through the pipe."""
    from rtm_pipeline.config.load import load_config
    from rtm_pipeline.errors import RtmError
    from rtm_pipeline.orchestration.paths import Paths
    from rtm_pipeline.orchestration.run import run_city

    os.environ.pop("DAGSTER_HOME", None)
    if work.file_limit is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (work.file_limit, work.file_limit))
    paths = Paths.resolve(config_dir=work.config.parent, output=work.output, data_dir=work.data)
    overrides = {"clock": _clock(work.clock_days)} if work.clock_days else {}
    try:
        if work.by_dagster:
            _run_by_dagster(work, paths, pipe)
            return
        report = run_city(
            load_config(work.config),
            paths,
            as_of=work.as_of,
            promote=True,
            listen=lambda event: pipe.send((event.step, event.state, time.monotonic())),
            resource_overrides=overrides,
        )
    except RtmError as error:
        pipe.send(("run", type(error).__name__, str(error), error.exit_code))
        pipe.send(None)
        return
    for failure in report.failures:
        pipe.send((failure.step, failure.kind, failure.message, failure.exit_code))
    pipe.send(report.ok)


def _run_by_dagster(work: Work, paths: Any, pipe: Connection) -> None:
    import dagster as dg

    from rtm_pipeline.orchestration.build import build_defs

    job = build_defs(config_dir=paths.config_dir, output=paths.output, data_dir=paths.data_dir)
    with dg.instance_for_test() as instance:
        result = job.resolve_job_def(f"{work.config.stem}_nightly").execute_in_process(
            instance=instance, raise_on_error=False, tags={"rtm/as_of": work.as_of.isoformat()}
        )
    for event in result.all_events:
        if event.event_type_value in ("STEP_FAILURE", "RUN_FAILURE", "PIPELINE_FAILURE"):
            data = event.step_failure_data if event.step_key else event.job_failure_data
            error = data.error
            while error is not None and error.cause is not None:
                error = error.cause
            if error is not None:
                pipe.send((str(event.step_key), str(error.cls_name), error.message.strip(), 1))
    pipe.send(result.success)


def _clock(days: tuple[float, ...]) -> Any:
    shown = list(days)

    def now() -> datetime:
        jump = shown.pop(0) if len(shown) > 1 else shown[0]
        return datetime.now(UTC) + timedelta(days=jump)

    return now


class Nights:
    """Starts nights; a context that ends all that still run."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["support.preloaded"])

    @contextmanager
    def started(self, work: Work) -> Iterator[tuple[Any, Connection]]:
        """A night that runs meanwhile: its process, and what it says."""
        here, there = self._context.Pipe(duplex=False)
        process = self._context.Process(target=_work, args=(work, there))
        process.start()
        there.close()
        try:
            yield process, here
        finally:
            if process.is_alive():
                process.kill()
            process.join()
            here.close()

    def run(self, work: Work) -> Outcome:
        """A whole night."""
        with self.started(work) as (process, pipe):
            outcome = self.follow(pipe)
            process.join(60)
        return outcome

    def follow(self, pipe: Connection) -> Outcome:
        """Listen until a night has ended."""
        outcome = Outcome()
        first = time.monotonic()
        while True:
            try:
                said = pipe.recv()
            except EOFError:
                break
            if said is None or isinstance(said, bool):
                outcome.ok = bool(said)
                break
            if len(said) == 4:
                outcome.failures.append(said)
            elif said[1] == "started":
                outcome.began.append((said[0], said[2] - first))
        outcome.ended = time.monotonic() - first
        return outcome

    def kill_in(self, work: Work, step: str, after_s: float) -> bool:
        """Kill a night with -9 so long after a step began; False if it had ended before."""
        with self.started(work) as (process, pipe):
            while True:
                try:
                    said = pipe.recv()
                except EOFError:
                    return False
                if said is None or isinstance(said, bool):
                    return False
                if said[:2] == (step, "started"):
                    break
            time.sleep(after_s)
            process.kill()  # SIGKILL; nothing happens to one that has ended
            process.join()
            return bool(process.exitcode == -signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class Stage:
    """A made city with yesterday's release, from which every trial begins."""

    made: MadeFiles
    base: Path
    output: Path
    nights: Nights
    reference: dict[str, str]
    steps: tuple[tuple[str, float], ...]
    """Steps of a night, with how many seconds each takes."""

    def work(self, **changes: Any) -> Work:
        """Tonight."""
        facts: dict[str, Any] = {"output": self.output, "as_of": TONIGHT}
        return Work(self.made.config, self.made.data, **(facts | changes))

    def reset(self) -> None:
        """Back to yesterday."""
        shutil.rmtree(self.output, ignore_errors=True)
        shutil.copytree(self.base, self.output, symlinks=True)


def make_stage(folder: Path, made: MadeFiles) -> Stage:
    """Run yesterday, then tonight once undisturbed: its files are the reference."""
    nights = Nights()
    base, clean = folder / "base", folder / "clean"
    work = Work(made.config, made.data, base, YESTERDAY)
    outcome = nights.run(work)
    assert outcome.ok, outcome.failures
    shutil.copytree(base, clean, symlinks=True)
    outcome = nights.run(Work(made.config, made.data, clean, TONIGHT))
    assert outcome.ok, outcome.failures
    ends = [*(began for _, began in outcome.began[1:]), outcome.ended]
    steps = tuple((step, end - began) for (step, began), end in zip(outcome.began, ends, strict=True))
    stage = Stage(made, base, folder / "output", nights, files_of(clean), steps)
    stage.reset()
    return stage


def files_of(output: Path, city: str = "smallville") -> dict[str, str]:
    """Digest of every file of the current release."""
    store = ReleaseStore(output / "releases", city)
    current = store.current()
    assert current is not None
    folder = store.folder / current["run_id"]
    manifest = json.loads((folder / MANIFEST).read_text())
    ingest = json.loads((folder / "ingest.json").read_text())
    for source in ingest["sources"].values():
        source.pop("fetched_at")  # the one clock time outside the manifest
    return dict(manifest["files"]) | {"ingest.json": json.dumps(ingest), "as_of": str(current["as_of"])}


def assert_nothing_half(output: Path, city: str = "smallville") -> str:
    """No half release, no corrupt snapshot, no unreadable value; gives the ``as_of`` of what is current."""
    from rtm_pipeline.orchestration.artifacts import ArtifactStore

    store = ReleaseStore(output / "releases", city)
    current = store.current()
    assert current is not None
    for folder in store.folder.iterdir():
        if folder.is_dir() and not folder.is_symlink() and not folder.name.startswith(MAKING):
            verify(folder)
    assert (store.folder / "latest" / MANIFEST).is_file()
    snapshots = SnapshotStore(output / "snapshots")
    for manifest in (output / "snapshots" / city).glob("*/*.json"):
        snapshots.table(snapshots.load(city, manifest.parent.name, manifest.stem))
    artifacts = ArtifactStore(output / "artifacts", city)
    for path in (output / "artifacts" / city).glob("*.artifact"):
        artifacts.load(path.stem)
    return str(current["as_of"])


def moments(stage: Stage, count: int, seed: int) -> list[tuple[str, float]]:
    """Random moments over all stages: every step once and again, the release oftener, since there most is at stake."""
    rng = random.Random(seed)
    names = [name for name, _ in stage.steps]
    spans = dict(stage.steps)
    wanted = [names[number % len(names)] for number in range(max(0, count - count // 3))]
    wanted += ["release"] * (count - len(wanted))
    rng.shuffle(wanted)
    return [(name, rng.uniform(0.0, spans[name])) for name in wanted]
