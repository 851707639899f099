"""Factors of the made city against what one would use instead, in the same run.

    python benchmarks/factors.py [--cells 250 100 50] [--repeats 3] [--peers all|exact|none] [--threads 2]

Each method runs in a process of its own, so that its wall time, CPU time and peak memory are its own: 30 point layers,
six bands, proximity and quartic density.

ours         `rtm_pipeline.factors`: distance uncapped, density, cut-offs, states (with 1 thread and with --threads)
tree + KDE   scipy cKDTree: exact nearest distance, and naive kernel sums over the pairs within each bandwidth
EDT          scipy's Euclidean distance transform of the cell raster: distance from cell to cell
gdal         GDAL's proximity on the cell raster (osgeo.gdal or gdal_proximity.py, where there is one)

Agreement counts 0/1 columns of the peer that differ from ours, as a share of the ones. Numbers depend on how quiet the
machine is: the load average is printed, and the minimum and median of the repeats.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from made_city import LADDER_U, factors_at, layers, study_grid_at
from numpy.typing import NDArray

EVERYTHING = {"smallest_density_cells": 0.0, "rare_cells": 0, "rare_share": 0.0}  # all 12 columns a layer
Bits = NDArray[np.bool_]


def ours(cell: float, threads: int) -> Callable[[], Any]:
    factors_at(5000.0, threads=threads)  # compiled code is loaded, or made on the very first run
    study_grid_at(cell)
    return lambda: factors_at(cell, threads=threads, **EVERYTHING)


def columns_of_ours(cell: float) -> list[Bits]:
    return [
        np.array([factor.column(j) for j in range(12)], bool) for factor in factors_at(cell, threads=2, **EVERYTHING)
    ]


def tree(cell: float, threads: int) -> Callable[[], Any]:
    from scipy.spatial import cKDTree

    grid = study_grid_at(cell)
    centers = np.column_stack([grid.center_x_u, grid.center_y_u])
    cells = cKDTree(centers)

    def run() -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        made = []
        for points in layers():
            distance, _ = cKDTree(points).query(centers, workers=threads)
            made.append((distance, pair_sums(cells, points, grid.n_cells)))
        return made

    return run


def pair_sums(cells: Any, points: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """Kernel sums over all pairs within reach, by chunks of points: the best a tree does for density."""
    sums = np.zeros((len(LADDER_U), n))
    for first in range(0, len(points), 2000):
        chunk = points[first : first + 2000]
        near = cells.query_ball_point(chunk, LADDER_U[-1])
        which = np.repeat(np.arange(len(chunk)), [len(hit) for hit in near])
        hit = np.concatenate([np.asarray(hits, np.int64) for hits in near]) if len(which) else np.zeros(0, np.int64)
        squared = ((cells.data[hit] - chunk[which]) ** 2).sum(axis=1)
        for k, band in enumerate(LADDER_U):
            weight = np.maximum(1 - squared / band**2, 0) ** 2
            sums[k] += np.bincount(hit, weight, n)
    return sums


def columns_of_tree(made: list[tuple[NDArray[np.float64], NDArray[np.float64]]]) -> list[Bits]:
    bits = []
    for distance, sums in made:
        near = distance[None] <= np.array(LADDER_U)[:, None]
        dense = sums > (sums.mean(axis=1) + 2 * sums.std(axis=1))[:, None]
        bits.append(np.vstack([near, dense]))
    return bits


def occupied(cell: float) -> list[NDArray[np.bool_]]:
    spec = study_grid_at(cell).spec
    rasters = []
    for points in layers():
        raster = np.zeros((spec.n_rows, spec.n_cols), bool)
        col = np.floor((points[:, 0] - spec.west_u) / cell).astype(int)
        row = spec.n_rows - 1 - np.floor((points[:, 1] - spec.south_u) / cell).astype(int)
        raster[row.clip(0, spec.n_rows - 1), col.clip(0, spec.n_cols - 1)] = True
        rasters.append(raster)
    return rasters


def edt(cell: float, threads: int) -> Callable[[], Any]:
    from scipy.ndimage import distance_transform_edt

    grid = study_grid_at(cell)
    return lambda: [distance_transform_edt(~raster).ravel()[grid.flat] * cell for raster in occupied(cell)]


def gdal(cell: float, threads: int) -> Callable[[], Any] | None:
    """GDAL's proximity through its program; None where it is not installed."""
    program = shutil.which("gdal_proximity.py") or shutil.which("gdal_proximity")
    if program is None:
        return None
    import rasterio

    grid = study_grid_at(cell)
    folder = Path(tempfile.mkdtemp())
    profile = {"driver": "GTiff", "count": 1, "dtype": "uint8", "width": grid.spec.n_cols, "height": grid.spec.n_rows}

    def run() -> list[NDArray[np.float32]]:
        found = []
        for k, raster in enumerate(occupied(cell)):
            source, target = folder / f"{k}.tif", folder / f"{k}_distance.tif"
            with rasterio.open(source, "w", **profile) as file:
                file.write(raster.astype(np.uint8), 1)
            subprocess.run([program, "-q", "-values", "1", "-distunits", "PIXEL", source, target], check=True)
            with rasterio.open(target) as file:
                found.append(file.read(1).ravel()[grid.flat] * cell)
        return found

    return run


METHODS: dict[str, Callable[[float, int], Callable[[], Any] | None]] = {
    "ours": ours,
    "tree": tree,
    "edt": edt,
    "gdal": gdal,
}


def measure(method: str, cell: float, threads: int, repeats: int, agree: bool) -> dict[str, Any]:
    """In a process of its own: times of the repeats, peak memory, agreement."""
    run = METHODS[method](cell, threads)
    if run is None:
        return {"absent": True}
    layers()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wall, cpu, made = [], [], None
    for _ in range(repeats):
        made = None
        usage, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        made = run()
        wall.append(time.perf_counter() - start)
        spent = 0.0
        for then, who in ((usage, resource.RUSAGE_SELF), (children, resource.RUSAGE_CHILDREN)):
            now = resource.getrusage(who)
            spent += now.ru_utime + now.ru_stime - then.ru_utime - then.ru_stime
        cpu.append(spent)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = {"wall": wall, "cpu": cpu, "peak_mb": peak / 1024, "before_mb": before / 1024}
    if agree and method != "ours":
        result |= compare(method, cell, made)
    return result


def compare(method: str, cell: float, made: Any) -> dict[str, float]:
    """Differing 0/1 columns, as a share of our ones."""
    mine = columns_of_ours(cell)
    limits = np.array(LADDER_U)[:, None]
    if method == "tree":
        theirs = columns_of_tree(made)
        near = sum(int((a[:6] != b[:6]).sum()) for a, b in zip(mine, theirs, strict=True))
        dense = sum(int((a[6:] != b[6:]).sum()) for a, b in zip(mine, theirs, strict=True))
        ones = sum(int(a[:6].sum()) for a in mine), sum(int(a[6:].sum()) for a in mine)
        return {"proximity bits that differ": near / ones[0], "density bits that differ": dense / ones[1]}
    near = sum(int((a[:6] != (b[None] <= limits)).sum()) for a, b in zip(mine, made, strict=True))
    return {"proximity bits that differ": near / sum(int(a[:6].sum()) for a in mine)}


def report(name: str, threads: int, result: dict[str, Any]) -> None:
    """One line."""
    if result.get("absent"):
        print(f"  {name:24s} not installed")
        return
    wall, cpu = result["wall"], result["cpu"]
    line = (
        f"  {name:24s} {threads} thr  wall {min(wall):8.2f} min {statistics.median(wall):8.2f} median  "
        f"CPU {min(cpu):8.2f}  peak {result['peak_mb']:7.0f} MB (before {result['before_mb']:.0f})"
    )
    for key in ("proximity bits that differ", "density bits that differ"):
        if key in result:
            line += f"  {key} {result[key]:.2e}"
    print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", nargs="+", type=float, default=[250.0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peers", choices=["all", "exact", "none"], default="all")
    parser.add_argument("--worker", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        method, cell, threads, repeats, agree = options.worker
        print(json.dumps(measure(method, float(cell), int(threads), int(repeats), agree == "1")))
        return
    peers = {"all": ["tree", "edt", "gdal"], "exact": ["tree"], "none": []}[options.peers]
    names = {"ours": "ours", "tree": "cKDTree + pair sums", "edt": "EDT (distance only)", "gdal": "gdal_proximity"}
    for cell in options.cells:
        print(f"{cell:g} ft, {study_grid_at(cell).n_cells:,} cells; load {os.getloadavg()[0]:.1f}", flush=True)
        for method, threads in [("ours", 1), ("ours", options.threads), *((peer, options.threads) for peer in peers)]:
            repeats = options.repeats if method != "tree" else 1
            arguments = ["--worker", method, str(cell), str(threads), str(repeats), "1"]
            done = subprocess.run(
                [sys.executable, __file__, *arguments], check=True, stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
            )
            report(names[method], threads, json.loads(done.stdout.splitlines()[-1]))


if __name__ == "__main__":
    main()
