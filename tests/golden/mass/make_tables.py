"""Write the tables that record.R fits: three made ones and the RAND health insurance experiment.

    python tests/golden/mass/make_tables.py        # writes table_*.csv beside this file

The made tables are kept in the repository, so that fixtures don't depend on a random generator; the RAND table
(public domain) comes with statsmodels and is written to a temporary folder by `rand_table` instead.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent


def bands(rng, n, factors, widths):
    """Nested 0/1 bands around made places."""
    columns, names = [], []
    for f in range(factors):
        distance = rng.gamma(2.0, 1.0, n)
        for b, width in enumerate(widths):
            columns.append(distance <= np.quantile(distance, width))
            names.append(f"f{f}_b{b}")
    return np.column_stack(columns).astype(int), names


def write(name, X, names, counts, exposure):
    with (HERE / f"table_{name}.csv").open("w", newline="") as handle:
        out = csv.writer(handle, lineterminator="\n")
        out.writerow([*names, "count", "exposure"])
        for row, y, a in zip(X, counts, exposure, strict=True):
            out.writerow([*row, y, repr(float(a))])


def main():
    rng = np.random.default_rng(20260105)
    X, names = bands(rng, 1200, 6, (0.15, 0.4))
    exposure = np.where(rng.random(1200) < 0.2, rng.uniform(0.02, 1, 1200).round(4), 1.0)
    mean = exposure * np.exp(-0.9 + X @ np.array([0.9, 0, 0, 0.6, 0, 0, -0.7, 0, 0.5, 0, 0, 0.3]))
    write("nb1_border", X, names, rng.poisson(rng.gamma(mean / 0.8, 0.8)), exposure)
    X, names = bands(rng, 1500, 8, (0.3,))
    mean = np.exp(-0.5 + X @ np.array([1.0, 0.7, 0.4, -0.5, 0, 0, 0, 0]))
    write("nb2_plain", X, names, rng.poisson(mean * rng.gamma(1 / 1.3, 1.3, 1500)), np.ones(1500))
    X, names = bands(rng, 900, 5, (0.2, 0.5))
    exposure = rng.uniform(0.5, 3.0, 900).round(3)
    mean = exposure * np.exp(-0.3 + X @ np.array([0, 0.8, -0.6, 0, 0.4, 0, 0, 0, 0, -0.4]))
    write("poisson_exposed", X, names, rng.poisson(mean), exposure)


def rand_table():
    """Outpatient visits in the RAND health insurance experiment with 0/1 columns: X, names, counts, exposure."""
    from statsmodels.datasets import randhie

    data = randhie.load_pandas().data
    X = {
        "coinsurance": data.lncoins > 0,
        "deductible": data.idp > 0,
        "large_payment": data.lpi > data.lpi.median(),
        "capped": data.fmde > 0,
        "limited": data.physlm > 0.5,
        "disease_many": data.disea > 15,
        "disease_some": data.disea > 8,
        "health_good": data.hlthg > 0,
        "health_fair": data.hlthf > 0,
        "health_poor": data.hlthp > 0,
    }
    matrix = np.column_stack([np.asarray(column, int) for column in X.values()])
    counts = np.asarray(data.mdvis, int)
    return matrix, list(X), counts, np.ones(len(counts))


if __name__ == "__main__":
    main()
