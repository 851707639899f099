"""The engine end to end on the made city: factors, screening, selection, bootstraps.

    python benchmarks/engine.py [--cells 250 100 50] [--repeats 3] [--threads 2] [--no-reselect] [--columns 360|720]

Each cell size runs in a process of its own that imports the rooms `factors` and `model` and no more than numpy, scipy
and numba need (asserted). The city, its grid and its outcome are made before the clock starts, and compiled code is
loaded by a small run first; that start-up is stated apart, cold where numba's cache is empty. The bootstrap that
repeats selection is measured apart. The load average is printed: on a busy machine look at CPU time.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

START = time.perf_counter()
EVERYTHING = {"smallest_density_cells": 0.0, "rare_cells": 0, "rare_share": 0.0}  # all 12 columns a layer
FOREIGN = ("pandas", "geopandas", "rasterio", "dagster", "statsmodels", "sklearn", "matplotlib", "pyarrow")
T = TypeVar("T")


class Clock:
    """Wall and CPU seconds by stage."""

    def __init__(self) -> None:
        self.stages: dict[str, tuple[float, float]] = {}

    def time(self, stage: str, work: Callable[[], T]) -> T:
        """Do ``work`` and note how long it took."""
        wall, cpu = time.perf_counter(), time.process_time()
        result = work()
        self.stages[stage] = (time.perf_counter() - wall, time.process_time() - cpu)
        return result


def design_of(factors: Any, counts: Any, exposure: Any, copies: int) -> Any:
    """The factors as blocks; with two copies the second is every factor mirrored in cell order: other columns."""
    from rtm_pipeline.factors.spec import Variable
    from rtm_pipeline.model.design import Block, Design

    blocks = [Block(factor.codes, factor.bits, factor.variables) for factor in factors]
    if copies == 2:
        for factor in factors:
            names = tuple(
                Variable(f"mirror_{v.name}", f"mirror_{v.factor}", v.operationalization, None, v.spatial_influence_u)
                for v in factor.variables
            )
            blocks.append(Block(np.ascontiguousarray(factor.codes[::-1]), factor.bits, names))
    return Design(tuple(blocks), counts, exposure)


def engine(cell: float, threads: int, counts: Any, spec: Any, copies: int) -> tuple[Clock, Any, Any]:
    """One run, stage by stage; the stages are those of `fit_rtm`, which is run as a whole."""
    from made_city import LADDER_U, factors_at, study_grid_at

    from rtm_pipeline.grid.blocks import spatial_blocks
    from rtm_pipeline.model.engine import fit_rtm

    clock, grid = Clock(), study_grid_at(cell)
    factors = clock.time("factors", lambda: factors_at(cell, threads=threads, **EVERYTHING))
    design = design_of(factors, counts, grid.exposure, copies)
    block_id = spatial_blocks(grid, 2 * LADDER_U[-1])
    fit = clock.time("model", lambda: fit_rtm(design, spec, block_id=block_id, threads=threads))
    return clock, fit, (design, block_id)


def measure(cell: float, threads: int, repeats: int, reselect: bool, copies: int) -> dict[str, Any]:
    """In a process of its own."""
    from made_city import factors_at, layers, outcome, study_grid_at

    from rtm_pipeline.model.spec import BootstrapSpec, ModelSpec

    spec = ModelSpec(bootstrap=BootstrapSpec(refits=1000, selections=0))
    small = outcome(factors_at(2000.0, threads=threads, **EVERYTHING), 2000.0)
    engine(2000.0, threads, small, ModelSpec(bootstrap=BootstrapSpec(refits=10, selections=2)), 1)
    counts = outcome(factors_at(cell, threads=threads, **EVERYTHING), cell)
    study_grid_at(cell)
    layers()
    start_up = time.perf_counter() - START
    runs, fit, parts = [], None, None
    for _ in range(repeats):
        fit = parts = None
        clock, fit, parts = engine(cell, threads, counts, spec, copies)
        runs.append(clock.stages)
    foreign = sorted(set(FOREIGN) & set(sys.modules))
    if foreign:
        raise SystemExit(f"the engine imported {', '.join(foreign)}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    result = {"start_up": start_up, "runs": runs, "peak_mb": peak, "cells": int(counts.size), **describe(fit)}
    result["stages"] = stages(parts, spec, threads)
    if reselect:
        result["reselect"] = again(parts, spec, fit, threads)
    return result


def describe(fit: Any) -> dict[str, Any]:
    """What was found, and how much of what was planted."""
    from made_city import LADDER_U, PLANTED

    terms = {(int(t.variable.factor[-2:]), t.variable.operationalization, t.variable.spatial_influence_u)
             for t in fit.terrain.terms if not t.variable.factor.startswith("mirror")}  # fmt: skip
    planted = {(layer, kind, LADDER_U[rung]) for layer, kind, rung in PLANTED}
    return {
        "family": fit.terrain.family,
        "bic": fit.terrain.bic,
        "screened": len(fit.screened),
        "terms": len(fit.terrain.terms),
        "planted_found": len(terms & planted),
        "planted": len(planted),
    }


def stages(parts: Any, spec: Any, threads: int) -> dict[str, tuple[float, float]]:
    """The stages of the model one by one."""
    from rtm_pipeline.model.bootstrap import refit_bootstrap
    from rtm_pipeline.model.candidates import candidates_of
    from rtm_pipeline.model.folds import balanced_folds
    from rtm_pipeline.model.likelihood.cells import cells_of
    from rtm_pipeline.model.likelihood.families import FAMILIES
    from rtm_pipeline.model.screening import screen
    from rtm_pipeline.model.selection import select
    from rtm_pipeline.model.terrain import terrain_of_selection

    (design, block_id), clock = parts, Clock()
    folds = clock.time("folds", lambda: balanced_folds(design.counts, spec.folds, spec.seed))
    screening = clock.time("screening", lambda: screen(design, spec, folds, threads=threads))
    names = [design.variables[column].name for column in screening.kept]
    cells = clock.time("cells", lambda: cells_of(design))
    seed = np.random.SeedSequence(0)
    for family in FAMILIES.values():

        def search(family: Any = family) -> Any:
            return select(cells, candidates_of(design, names), family, threads=threads)

        terrain = terrain_of_selection(clock.time(f"stepwise {family.name}", search), design)

        def refit(terrain: Any = terrain) -> Any:
            return refit_bootstrap(design, terrain, block_id, replicates=1000, level=0.9, seed=seed, threads=threads)

        clock.time(f"1,000 refits {family.name}", refit)
    everything = candidates_of(design)
    clock.time("stepwise nb1, all columns", lambda: select(cells, everything, FAMILIES["nb1"], threads=threads))
    return clock.stages


def again(parts: Any, spec: Any, fit: Any, threads: int) -> tuple[float, float]:
    """100 replicates of screening at the chosen penalty and selection."""
    from rtm_pipeline.model.engine import bootstrap_seed, rescreening
    from rtm_pipeline.model.likelihood.families import family_named
    from rtm_pipeline.model.reselection import selection_bootstrap

    (design, block_id), clock = parts, Clock()
    clock.time(
        "reselect",
        lambda: selection_bootstrap(
            design,
            family_named(fit.terrain.family),
            spec.direction,
            block_id,
            replicates=100,
            level=0.9,
            seed=bootstrap_seed(spec, 2),
            rescreen=rescreening(design, spec, fit.screening, threads),
            threads=threads,
        ),
    )
    return clock.stages["reselect"]


def report(cell: float, result: dict[str, Any]) -> None:
    total = [sum(wall for wall, _ in run.values()) for run in result["runs"]]
    cpu = [sum(cpu for _, cpu in run.values()) for run in result["runs"]]
    factors = [run["factors"][0] for run in result["runs"]]
    print(
        f"{cell:g} ft, {result['cells']:,} cells: wall {min(total):.2f} s min, {statistics.median(total):.2f} median; "
        f"CPU {min(cpu):.2f} s; factors {min(factors):.2f} s of it; peak {result['peak_mb']:.0f} MB; start-up "
        f"{result['start_up']:.1f} s\n  {result['family']}, {result['screened']} kept by screening, {result['terms']} "
        f"terms, {result['planted_found']} of {result['planted']} planted variables, BIC {result['bic']:.2f}"
    )
    for stage, (wall, used) in result["stages"].items():
        print(f"    {stage:28s} wall {wall:7.2f}  CPU {used:7.2f}")
    if "reselect" in result:
        print(f"    100 x screening + selection  wall {result['reselect'][0]:7.2f}  CPU {result['reselect'][1]:7.2f}")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", nargs="+", type=float, default=[250.0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--columns", type=int, choices=[360, 720], default=360)
    parser.add_argument("--no-reselect", action="store_true")
    parser.add_argument("--worker", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        cell, threads, repeats, reselect, copies = options.worker
        print(json.dumps(measure(float(cell), int(threads), int(repeats), reselect == "1", int(copies))))
        return
    print(f"load {os.getloadavg()[0]:.1f}, {options.threads} threads, {options.columns} columns", flush=True)
    for cell in options.cells:
        reselect = "1" if cell >= 250 and not options.no_reselect else "0"
        copies = str(options.columns // 360)
        arguments = ["--worker", str(cell), str(options.threads), str(options.repeats), reselect, copies]
        done = subprocess.run(
            [sys.executable, __file__, *arguments], check=True, stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
        )
        report(cell, json.loads(done.stdout.splitlines()[-1]))


if __name__ == "__main__":
    main()
