"""Stepwise selection by BIC on the made city: ours against MASS stepAIC and a statsmodels loop, in the same run.

    python benchmarks/selection.py [--cell 250] [--peers none|statsmodels|all] [--families poisson [nb1 nb2]]

The candidates are those that screening keeps at 250 ft (about 57 of 360). stepAIC knows neither signs nor risk factors,
so for the comparison ours is run without them too (``direction="both"``, every column its own factor); with RTM's
rules it is timed beside. stepAIC works on all cells and takes six minutes for Poisson, 25 for NB2. The statsmodels loop
is not run whole: single fits are timed at the number of terms of each step and multiplied by the number of fits (marked
x). CPU seconds are compared, because the machine may be shared; the load average is printed. Peers that are not
installed are named and left out.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from made_city import factors_at, outcome, study_grid_at
from peers import peers_in_r

from rtm_pipeline.model.candidates import Candidates, candidates_of
from rtm_pipeline.model.design import Block, Design
from rtm_pipeline.model.folds import balanced_folds
from rtm_pipeline.model.likelihood.cells import Cells, cells_of
from rtm_pipeline.model.likelihood.families import FAMILIES
from rtm_pipeline.model.screening import screen
from rtm_pipeline.model.selection import Selection, select
from rtm_pipeline.model.spec import ModelSpec

EVERYTHING = {"smallest_density_cells": 0.0, "rare_cells": 0, "rare_share": 0.0}
PEER = Path(__file__).parent / "stepwise_peer.R"


def made_design(cell: float) -> tuple[Design, list[str]]:
    """The made city and the names of the variables that screening keeps."""
    factors = factors_at(cell, **EVERYTHING)
    blocks = tuple(Block(factor.codes, factor.bits, factor.variables) for factor in factors)
    design = Design(blocks, outcome(factors, cell), study_grid_at(cell).exposure)
    spec = ModelSpec()
    screening = screen(design, spec, balanced_folds(design.counts, spec.folds, spec.seed))
    return design, [design.variables[column].name for column in screening.kept]


def timed(cells: Cells, candidates: Candidates, family: str, direction: str) -> tuple[Selection, float, float]:
    """The selection, its wall and CPU seconds: the best of three, on one thread."""
    times = []
    for _ in range(3):
        wall, cpu = time.perf_counter(), time.process_time()
        found = select(cells, candidates, FAMILIES[family], direction)
        times.append((time.process_time() - cpu, time.perf_counter() - wall))
    cpu, wall = min(times)
    return found, wall, cpu


def free(candidates: Candidates) -> Candidates:
    """Every column its own factor, as stepAIC sees them."""
    return replace(candidates, factor=np.arange(candidates.size))


def step_aic(cells: Cells, candidates: Candidates, family: str) -> dict[str, str]:
    """MASS stepAIC in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "shape.txt").write_text(f"{cells.counts.size} {candidates.size}\n")
        (place / "names.txt").write_text("\n".join(f"v{j:03d}" for j in range(candidates.size)) + "\n")
        cells.counts.astype("<i4").tofile(place / "counts.bin")
        cells.exposure.astype("<f8").tofile(place / "exposure.bin")
        with (place / "columns.bin").open("wb") as handle:
            for j in range(candidates.size):
                handle.write(candidates.column(j).tobytes())
        done = subprocess.run(["Rscript", str(PEER), folder, family], check=True, capture_output=True, text=True)
    return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)


def statsmodels_loop(cells: Cells, candidates: Candidates, found: Selection, family: str) -> float:
    """CPU seconds of the same search by statsmodels, from one timed fit a step (x)."""
    import statsmodels.api as sm

    position = {variable.name: j for j, variable in enumerate(candidates.variables)}
    offset, total = np.log(cells.exposure), 0.0
    chosen: list[int] = []
    for step in found.steps:
        if step.action == "add" and step.variable is not None:
            chosen.append(position[step.variable])
        elif step.action == "remove" and step.variable is not None:
            chosen.remove(position[step.variable])
        X = np.column_stack([np.ones(cells.counts.size), *(candidates.column(j) for j in chosen)])
        start = time.process_time()
        if family == "poisson":
            sm.GLM(cells.counts, X, family=sm.families.Poisson(), offset=offset).fit()
        else:
            sm.NegativeBinomialP(cells.counts, X, p=1 if family == "nb1" else 2, offset=offset).fit(disp=0, maxiter=200)
        total += (time.process_time() - start) * (candidates.size - len(chosen) + len(chosen))
    return total


def compare(ours: Selection, theirs: dict[str, str], candidates: Candidates) -> str:
    """Whether the peer took the same path to the same model."""
    names = {f"v{j:03d}": variable.name for j, variable in enumerate(candidates.variables)}
    path = [names[step[2:].strip()] for step in theirs["path"].split(";") if step]
    same = path == [step.variable for step in ours.steps[1:]]
    return f"same path {same}, BIC differs by {abs(float(theirs['bic']) - ours.fit.bic):.2e}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cell", type=float, default=250.0)
    parser.add_argument("--peers", choices=["none", "statsmodels", "all"], default="all")
    parser.add_argument("--families", nargs="+", default=["poisson"])
    options = parser.parse_args()
    design, names = made_design(options.cell)
    cells, candidates = cells_of(design), candidates_of(design, names)
    print(f"{options.cell:g} ft: {design.n_cells:,} cells, {len(names)} candidates; load {os.getloadavg()[0]:.1f}")
    with_r = options.peers == "all" and peers_in_r("MASS")
    for family in options.families:
        for rules, pool, direction in (("RTM", candidates, "aggravating"), ("stepAIC", free(candidates), "both")):
            found, wall, cpu = timed(cells, pool, family, direction)
            size = f"{len(found.terms)} terms, {found.n_fits} fits"
            print(f"{family:8} ours, rules of {rules:8} CPU {cpu:8.2f}  wall {wall:8.2f}  {size}", flush=True)
        if options.peers != "none":
            loop = statsmodels_loop(cells, candidates, found, family)
            print(f"{family:8} statsmodels loop (x)     CPU {loop:8.1f}  {loop / cpu:8.0f} times ours", flush=True)
        if with_r and family != "nb1":
            peer = step_aic(cells, candidates, family)
            used = float(peer["cpu"])
            print(
                f"{family:8} MASS stepAIC             CPU {used:8.1f}  {used / cpu:8.0f} times ours; "
                f"{compare(found, peer, candidates)}; {peer['max_mb']} MB",
                flush=True,
            )


if __name__ == "__main__":
    main()
