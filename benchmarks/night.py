"""Where the time and the memory of a night go, by step.

    python benchmarks/night.py CITY --data-dir FOLDER [--config-dir FOLDER] [--runs 2]

Each night is a process of its own, into a new output folder; the last one is told of, so with two runs compiled code
and caches are warm. Wall and CPU seconds are those of the whole process between a step's begin and end; the peak is
what the process had reached when the step ended. Imports are paid by the first step that needs a library.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any


def night(city: str, data_dir: Path, config_dir: Path | None, output: Path) -> dict[str, Any]:
    """One night in this process."""
    from rtm_pipeline.cli.arguments import load_city
    from rtm_pipeline.orchestration.run import StepEvent, run_city

    began: dict[str, tuple[float, float]] = {}
    steps: list[dict[str, Any]] = []

    def now() -> tuple[float, float]:
        return time.perf_counter(), time.process_time()

    def listen(event: StepEvent) -> None:
        if event.state == "started":
            began[event.step] = now()
            return
        wall, cpu = (after - before for after, before in zip(now(), began[event.step], strict=True))
        steps.append({"step": event.step, "wall": wall, "cpu": cpu, "mb": peak()})

    loaded, paths = load_city(city, config_dir, output, data_dir, None)
    before = now()
    report = run_city(loaded, paths, listen=listen)
    if not report.ok:
        raise SystemExit(f"The night of {city} failed: {report.failures[0]}; the log is {report.log_file}.")
    first = min(wall for wall, _ in began.values())
    return {"steps": steps, "before": first - before[0], "wall": now()[0] - before[0], "cpu": now()[1], "mb": peak()}


def peak() -> float:
    """Megabytes that this process has held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("city")
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--config-dir", type=Path)
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(night(options.city, options.data_dir, options.config_dir, options.child)))
        return
    for _ in range(options.runs):
        with tempfile.TemporaryDirectory() as output:
            command = [sys.executable, __file__, *sys.argv[1:], "--child", output]
            began = time.perf_counter()
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            whole = time.perf_counter() - began
    found = json.loads(done.stdout.splitlines()[-1])
    start = f"{whole - found['wall']:.1f} s to start, {found['before']:.1f} s before the first step"
    print(f"{options.city}: {whole:.1f} s wall, {found['cpu']:.1f} s CPU, {found['mb']:.0f} MB; of it {start}")
    print(f"load {os.getloadavg()[0]:.1f}")
    print(f"{'step':34} {'wall':>7} {'CPU':>7} {'peak MB':>8}")
    for step in sorted(found["steps"], key=lambda step: -step["cpu"]):
        print(f"{step['step']:34} {step['wall']:7.2f} {step['cpu']:7.2f} {step['mb']:8.0f}")


if __name__ == "__main__":
    main()
