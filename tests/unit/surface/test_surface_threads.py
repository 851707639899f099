"""The same numbers whatever BLAS does with its threads."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rtm_pipeline.surface.sums import block_sums, gram, row_sums, weighted_sums

TESTS = Path(__file__).resolve().parents[2]
SCRIPT = """
import hashlib, sys
sys.path.insert(0, sys.argv[1])
import numpy as np
from support.cells import START, made_city
from rtm_pipeline.evaluation.compare import compare
from rtm_pipeline.surface.forecast import forecast
from rtm_pipeline.surface.windows import Features
city = made_city(130, years=3, per_year=4000, seed=1)
noise = np.random.default_rng(0).normal(size=(city.grid.n_cells, 18))
values = np.column_stack([city.vintages[0].values, noise]).astype(np.float32)
names = tuple(f"f{i}" for i in range(20))
found = forecast(city.grid, city.history, (Features(START, values, names, names),), city.cutoff, city.next_year)
blocks = np.arange(city.grid.n_cells) // 25
against = compare(city.outcome(0), found.expected, city.rates, "truth", blocks)
parts = [found.expected, found.low, found.high, found.sd, found.p_top5, found.contributions]
digest = hashlib.sha256(b"".join(part.tobytes() for part in parts) + repr(against).encode())
print(digest.hexdigest())
"""


@pytest.mark.acceptance
def test_one_and_two_threads_give_the_same_bytes():
    digests = set()
    for threads in ("1", "2"):
        environment = os.environ | {"OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads}
        command = [sys.executable, "-c", SCRIPT, str(TESTS)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        digests.add(done.stdout)
    assert len(digests) == 1


def test_products_are_products():
    rng = np.random.default_rng(0)
    columns, weights = rng.normal(size=(5003, 17)), rng.uniform(0.1, 2, 5003)
    np.testing.assert_allclose(gram(columns, weights), (columns.T * weights) @ columns, rtol=1e-9)
    np.testing.assert_allclose(weighted_sums(columns, weights), columns.T @ weights, rtol=1e-9)
    np.testing.assert_allclose(row_sums(columns, weights[:17]), columns @ weights[:17], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(block_sums(columns.T, columns[:, :3]), columns.T @ columns[:, :3], rtol=1e-9, atol=1e-9)
    narrow = columns.astype(np.float32)
    np.testing.assert_allclose(
        gram(narrow, weights), (narrow.T.astype(float) * weights) @ narrow.astype(float), rtol=1e-9
    )
