"""Screening with 5-fold cross-validation on the made city: ours against cv.glmnet and glum, in the same run.

    python benchmarks/screening.py [--cell 250] [--alpha 0.5] [--peers none|glmnet|all] [--repeat 3]

Every contestant has a process of its own, so that peak memory is its own. cv.glmnet gets a sparse matrix (its best
form), the same folds, offset, mixing and signs; once as a user calls it, with the default tolerance, and once at our
penalties. What is compared is CPU seconds, because the machine may be shared; the load average is printed. glmnet's
default tolerance leaves violations of the optimality conditions of some per cent, so the variables that are kept are
compared with a glmnet path at a tight tolerance. Peers that are not installed are named and left out.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from peers import peers_in_r

HERE = Path(__file__).parent
REPLICATES = 100
BLOCK_U = 2556.0  # twice the largest influence


def write_problem(place: Path, cell: float) -> str:
    """Write the made design for every contestant; return what it is."""
    import scipy.sparse as sparse
    from made_city import factors_at, outcome, study_grid_at

    from rtm_pipeline.model.folds import balanced_folds

    factors = factors_at(cell, smallest_density_cells=0.0, rare_cells=0, rare_share=0.0)
    grid, counts = study_grid_at(cell), outcome(factors, cell)
    folds = balanced_folds(counts, 5, 0)
    columns = [factor.column(j) for factor in factors for j in range(len(factor.variables))]
    X = sparse.hstack([sparse.csc_matrix(column[:, None]) for column in columns], format="csc")
    corners = np.floor(np.column_stack([grid.center_x_u, grid.center_y_u]) / BLOCK_U)
    blocks = np.unique(corners, axis=0, return_inverse=True)[1].ravel()
    tables = {f"codes{k}": factor.codes for k, factor in enumerate(factors)}
    tables |= {f"bits{k}": factor.bits for k, factor in enumerate(factors)}
    np.savez(place / "design.npz", counts=counts, exposure=grid.exposure, folds=folds, blocks=blocks, **tables)
    (place / "shape.txt").write_text(f"{X.shape[0]} {X.shape[1]}\n")
    for name, values, kind in [
        ("pointers", X.indptr, "<i4"),
        ("rows", X.indices, "<i4"),
        ("counts", counts, "<i4"),
        ("folds", folds.astype(int) + 1, "<i4"),
        ("offset", np.log(grid.exposure), "<f8"),
    ]:
        values.astype(kind).tofile(place / f"{name}.bin")
    return f"{X.shape[0]:,} cells, {X.shape[1]} columns ({X.nnz / np.prod(X.shape):.3f} ones), {counts.sum():,} events"


def read_design(place: Path) -> tuple[Any, np.ndarray, np.ndarray]:
    """The design, the folds and the spatial blocks."""
    from rtm_pipeline.factors.spec import Variable
    from rtm_pipeline.model.design import Block, Design

    with np.load(place / "design.npz") as stored:
        blocks = []
        for k in range(sum(name.startswith("codes") for name in stored.files)):
            bits = stored[f"bits{k}"]
            names = tuple(Variable(f"layer{k:02d}_{j}", f"layer{k:02d}") for j in range(bits.shape[1]))
            blocks.append(Block(stored[f"codes{k}"], bits, names))
        design = Design(tuple(blocks), stored["counts"], stored["exposure"])
        return design, stored["folds"], stored["blocks"]


def timed(task: Any, repeat: int) -> tuple[Any, float, float]:
    """The result and the median wall and CPU seconds of `repeat` runs."""
    times = []
    for _ in range(repeat):
        wall, cpu = time.perf_counter(), time.process_time()
        result = task()
        times.append((time.perf_counter() - wall, time.process_time() - cpu))
    walls, cpus = zip(*times, strict=True)
    return result, statistics.median(walls), statistics.median(cpus)


def peak() -> float:
    """Peak memory of this process so far, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run_ours(place: Path, alpha: float, repeat: int) -> dict[str, Any]:
    """In a process of its own: the screening, then replicates of it at the chosen penalty."""
    from rtm_pipeline.model.screening import screen
    from rtm_pipeline.model.screening_replicates import screen_at
    from rtm_pipeline.model.spec import ModelSpec

    design, folds, blocks = read_design(place)
    spec = ModelSpec(alpha=alpha)
    start = time.perf_counter()
    found = screen(design, spec, folds)
    first = time.perf_counter() - start
    found, wall, cpu = timed(lambda: screen(design, spec, folds), repeat)
    memory = peak()
    found.penalties[: found.chosen + 1].astype("<f8").tofile(place / "penalties.bin")
    n_blocks = int(blocks.max()) + 1
    draws = np.random.default_rng(0).multinomial(n_blocks, np.full(n_blocks, 1 / n_blocks), REPLICATES)

    def replicates() -> Any:
        return screen_at(design, found.penalty, spec, weights=draws, groups=blocks, warm=found)

    replicates()
    _, replicates_wall, replicates_cpu = timed(replicates, 1)
    return {
        "wall": wall,
        "cpu": cpu,
        "first_wall": first,
        "max_mb": memory,
        "penalties": found.penalties.size,
        "chosen": found.chosen + 1,
        "kept": found.kept.tolist(),
        "coefficients": found.coefficients.tolist(),
        "kkt": float(found.kkt_violation.max()),
        "replicates": {"wall": replicates_wall, "cpu": replicates_cpu, "max_mb": peak()},
        "blocks": n_blocks,
    }


def run_glum(place: Path, alpha: float) -> dict[str, Any]:
    """In a process of its own: glum's cross-validated path on a split (sparse and dense) matrix, at our penalties."""
    import glum
    import scipy.sparse as sparse
    import tabmat

    design, folds, _ = read_design(place)
    indices, indptr = (np.fromfile(place / f"{name}.bin", "<i4") for name in ("rows", "pointers"))
    X = sparse.csc_matrix((np.ones(indices.size), indices, indptr), shape=(design.n_cells, indptr.size - 1))
    penalties = np.fromfile(place / "penalties.bin", "<f8")
    splits = [(np.flatnonzero(folds != f), np.flatnonzero(folds == f)) for f in range(5)]
    model = glum.GeneralizedLinearRegressorCV(
        family="poisson", l1_ratio=alpha, alphas=penalties, cv=splits, lower_bounds=np.zeros(X.shape[1]), n_jobs=1
    )
    matrix = tabmat.from_csc(X)
    _, wall, cpu = timed(lambda: model.fit(matrix, design.counts, offset=np.log(design.exposure)), 1)
    return {"wall": wall, "cpu": cpu, "max_mb": peak(), "kept": np.flatnonzero(model.coef_).tolist()}


def child(place: Path, *arguments: str) -> dict[str, Any]:
    """Run this script in a process of its own."""
    command = [sys.executable, str(HERE / "screening.py"), "--child", str(place), *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def glmnet(place: Path, alpha: float, what: str) -> dict[str, Any]:
    """Run the peer in R; memory is that of its process."""
    command = ["Rscript", str(HERE / "screening_peer.R"), str(place), str(alpha), what]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    text = process.stdout.read() if process.stdout else ""
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"{' '.join(command)} failed with status {status}")
    found: dict[str, Any] = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    return found | {"max_mb": usage.ru_maxrss / 1024}


def line(name: str, found: dict[str, Any], rest: str) -> str:
    """One line of the report."""
    cpu, wall, memory = (float(found[key]) for key in ("cpu", "wall", "max_mb"))
    return f"{name:26} CPU {cpu:8.2f}  wall {wall:8.2f}  {memory:6.0f} MB  {rest}; load {os.getloadavg()[0]:.1f}"


def compare(place: Path, alpha: float, ours: dict[str, Any], peers: str) -> None:
    """Print the peers that are installed beside ours."""
    if peers_in_r("glmnet"):
        compare_glmnet(place, alpha, ours)
    if peers == "all":
        compare_glum(place, alpha, ours)


def compare_glmnet(place: Path, alpha: float, ours: dict[str, Any]) -> None:
    """cv.glmnet as a user calls it, at our penalties, and at a tight tolerance."""
    for what, name in (("whole", "cv.glmnet"), ("given", "cv.glmnet, our penalties")):
        peer = glmnet(place, alpha, what)
        path = f"{peer['penalties']} penalties, minimum at {peer['chosen']}, keeps {peer['kept']}"
        print(line(name, peer, f"{float(peer['cpu']) / ours['cpu']:.1f} times our CPU; {path}"), flush=True)
    tight = glmnet(place, alpha, "tight")
    theirs = np.array(tight["coefficients"].split(), float)
    same = np.flatnonzero(theirs).tolist() == ours["kept"]
    gap = np.abs(theirs - ours["coefficients"]).max()
    print(line("glmnet, tight, no folds", tight, f"same variables {same}, largest gap {gap:.1e}"), flush=True)


def compare_glum(place: Path, alpha: float, ours: dict[str, Any]) -> None:
    """Glum's cross-validated path at our penalties."""
    if importlib.util.find_spec("glum") is None:
        print("glum is not installed, so it is left out (it is in locks/dev.txt).")
        return
    peer = child(place, "glum", str(alpha), "1")
    same = peer["kept"] == ours["kept"]
    rest = f"{peer['cpu'] / ours['cpu']:.1f} times our CPU; keeps {len(peer['kept'])}, same variables {same}"
    print(line("glum, our penalties", peer, rest))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cell", type=float, default=250.0)
    parser.add_argument("--alpha", type=float, default=0.5)
    parser.add_argument("--peers", choices=["none", "glmnet", "all"], default="all")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--child", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        place, contestant, *rest = options.child
        found = (
            run_glum(Path(place), float(rest[0]))
            if contestant == "glum"
            else run_ours(Path(place), float(rest[0]), int(rest[1]))
        )
        print(json.dumps(found))
        return
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        print(f"{options.cell:g} ft: {write_problem(place, options.cell)}; load {os.getloadavg()[0]:.1f}", flush=True)
        ours = child(place, "ours", str(options.alpha), str(options.repeat))
        path = f"{ours['penalties']} penalties, minimum at {ours['chosen']}, keeps {len(ours['kept'])}"
        first = f"{ours['first_wall']:.1f} s wall the first time"
        print(line(f"ours, median of {options.repeat}", ours, f"{first}; {path}; violations <= {ours['kkt']:.1e}"))
        print(
            line(f"ours, {REPLICATES} replicates", ours["replicates"], f"{ours['blocks']} spatial blocks"), flush=True
        )
        if options.peers != "none":
            compare(place, options.alpha, ours, options.peers)


if __name__ == "__main__":
    main()
