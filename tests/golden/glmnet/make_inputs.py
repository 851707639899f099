"""Make the inputs of the glmnet reference: nested 0/1 bands on a small raster, counts, exposure, folds.

python make_inputs.py    # writes small.csv.gz and medium.csv.gz beside this file; then: Rscript record.R
"""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
CASES = {"small": (20, 20, 4, 3, 1), "medium": (60, 50, 10, 6, 2)}


def main() -> None:
    """Write both inputs."""
    for name, (rows, columns, factors, bands, seed) in CASES.items():
        rng = np.random.default_rng(seed)
        y_at, x_at = np.divmod(np.arange(rows * columns), columns)
        n = rows * columns
        blocks = []
        for _ in range(factors):
            sites = rng.uniform(0, (rows, columns), (int(rng.integers(2, 8)), 2))
            distance = np.sqrt(((np.column_stack([y_at, x_at])[:, None] - sites[None]) ** 2).sum(axis=2)).min(axis=1)
            blocks.append(distance[:, None] <= 1.5 * (1 + np.arange(bands)))
        X = np.hstack(blocks).astype(int)
        b = np.where(rng.random(X.shape[1]) < 0.3, rng.normal(0.3, 0.6, X.shape[1]), 0.0)
        exposure = np.where(rng.random(n) < 0.2, np.round(rng.uniform(0.05, 1.0, n), 3), 1.0)
        mean = exposure * np.exp(X @ b - 1.3)
        counts = rng.poisson(mean * rng.gamma(1.5, 1 / 1.5, n))
        folds = rng.permutation(np.arange(n) % 5)
        header = ",".join(["y", "exposure", "fold", *(f"f{f}_b{k}" for f in range(factors) for k in range(bands))])
        lines = [header]
        lines += [
            f"{y},{a},{f}," + ",".join(map(str, x)) for y, a, f, x in zip(counts, exposure, folds, X, strict=True)
        ]
        with gzip.GzipFile(HERE / f"{name}.csv.gz", "wb", mtime=0) as file:
            file.write("\n".join(lines).encode() + b"\n")


if __name__ == "__main__":
    main()
