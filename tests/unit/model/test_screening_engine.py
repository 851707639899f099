"""The parts of the penalized engine: runs, exact passes, the sampled Hessian, the quadratic model."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from rtm_pipeline.factors.spec import Variable
from rtm_pipeline.model.design import Block, Design
from rtm_pipeline.model.penalized.curvature import Curvature
from rtm_pipeline.model.penalized.problem import LANES, Problem
from rtm_pipeline.model.penalized.runs import STRIP, Runs, encode_runs


def _blocks(rng: np.random.Generator, n: int, states: list[int], width: list[int]) -> tuple[Block, ...]:
    """Blocks with runs of random length; the tables have every pattern at random."""
    blocks = []
    for number, (many, columns) in enumerate(zip(states, width, strict=True)):
        codes = np.repeat(rng.integers(0, many, n), rng.integers(1, 9, n))[:n]
        bits = rng.integers(0, 2, (many, columns)).astype(np.uint8)
        variables = tuple(Variable(f"v{number}_{k}", f"f{number}") for k in range(columns))
        blocks.append(Block(codes.astype(np.uint16 if many > 256 else np.uint8), bits, variables))
    return tuple(blocks)


def _dense(blocks: tuple[Block, ...]) -> np.ndarray:
    return np.hstack([block.bits[block.codes] for block in blocks]).astype(float)


def _decoded(runs: Runs) -> np.ndarray:
    columns = np.zeros((runs.n_cells, runs.n_columns), int)
    for strip in range(runs.n_strips):
        first = strip * STRIP
        last = min(first + STRIP, runs.n_cells)
        for layer in range(runs.column_offset.size - 1):
            low, high = runs.pointers[strip, layer : layer + 2]
            assert runs.starts[low] == 0
            ends = [*(first + runs.starts[low + 1 : high].astype(int)), last]
            where = slice(*runs.column_offset[layer : layer + 2])
            for start, end, state in zip(runs.starts[low:high].tolist(), ends, runs.states[low:high], strict=True):
                assert first + start < end
                columns[first + start : end, where] = runs.table(layer)[state]
    return columns


@pytest.mark.parametrize("n", [1, 7, 255, 256, 257, 1000])
def test_runs_decode_to_the_columns_in_their_order(n: int) -> None:
    rng = np.random.default_rng(n)
    blocks = _blocks(rng, n, [2] * 11 + [40, 300, 5, 2, 2, 90], [1] * 11 + [7, 12, 3, 1, 1, 16])
    np.testing.assert_array_equal(_decoded(encode_runs(blocks, n)), _dense(blocks))


def test_single_columns_are_taken_together() -> None:
    blocks = _blocks(np.random.default_rng(0), 20_000, [2] * 32, [1] * 32)
    runs = encode_runs(blocks, 20_000)
    assert runs.column_offset.size - 1 == 4
    assert runs.n_columns == 32
    np.testing.assert_array_equal(_decoded(runs), _dense(blocks))


def _problem(seed: int, n: int = 1500) -> tuple[Problem, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    blocks = _blocks(rng, n, [30, 2, 2, 70], [6, 1, 1, 10])
    counts, exposure = rng.poisson(0.4, n), rng.uniform(0.1, 5.0, n)
    group = rng.integers(0, 6, n)
    design = Design(blocks, counts, exposure)
    return Problem(design, group, threads=2), _dense(blocks), counts, exposure / exposure.mean(), group


@pytest.mark.parametrize("size", [0.3, 3.0, 70.0])
def test_a_pass_equals_dense_sums(size: float) -> None:
    """Small coefficients take the product formulation, large ones the logarithms; both must give the dense sums."""
    problem, X, y, a, group = _problem(1)
    rng = np.random.default_rng(2)
    inside = rng.integers(0, 3, (6, 5)).astype(float)
    outside = rng.integers(0, 2, (6, 5)).astype(float)
    b = np.zeros((X.shape[1] + 1, LANES))
    b[:, :5] = rng.normal(0, size, (X.shape[1] + 1, 5)) * (rng.random((X.shape[1] + 1, 5)) < 0.4)
    with problem:
        batch = problem.batch(inside, outside)
        got = problem.evaluate(batch, b, mean_of=3)
        mean3 = problem.mean.copy()
    assert (problem._states(b)[2]) == (size < 70)
    for lane in range(5):
        w, v = inside[group, lane], outside[group, lane]
        eta = b[0, lane] + X @ b[1:, lane]
        mean = a * np.exp(eta)
        assert batch.size[lane] == w.sum()
        loglik = (w * (y * eta - mean)).sum() / w.sum()
        np.testing.assert_allclose(got.loglik[lane], loglik, rtol=1e-11)
        np.testing.assert_allclose(got.outside_loglik[lane], (v * (y * eta - mean)).sum(), rtol=1e-11)
        gradient = np.concatenate([[(w * (y - mean)).sum()], X.T @ (w * (y - mean))]) / w.sum()
        np.testing.assert_allclose(got.gradient[:, lane], gradient, rtol=1e-10, atol=1e-10 * np.abs(gradient).max())
        if lane == 3:
            np.testing.assert_allclose(mean3, w * mean, rtol=1e-11)
        weighted = X.T @ w
        np.testing.assert_array_equal(batch.varies[:, lane], (weighted > 0) & (weighted < w.sum()))
        np.testing.assert_array_equal(batch.column_incidents[:, lane], X.T @ (w * y))
        np.testing.assert_array_equal(batch.outside_column_incidents[:, lane], X.T @ (v * y))


def test_a_step_out_of_the_range_of_numbers_does_not_give_nan() -> None:
    problem, X, _, _, _ = _problem(3)
    b = np.full((X.shape[1] + 1, LANES), 500.0)
    with problem:
        got = problem.evaluate(problem.batch(np.ones((6, 8))), b)
    assert not np.isnan(got.loglik).any()
    assert (got.loglik == -np.inf).all()


def test_the_sampled_hessian_is_close_to_the_exact_one() -> None:
    problem, X, _, a, _ = _problem(4, n=6000)
    rng = np.random.default_rng(0)
    b = np.zeros((X.shape[1] + 1, LANES))
    b[:, 0] = rng.normal(0, 0.4, X.shape[1] + 1)
    mean = a * np.exp(b[0, 0] + X @ b[1:, 0])
    Z = np.column_stack([np.ones(len(X)), X])
    exact = (Z * mean[:, None]).T @ Z / len(X)
    with problem:
        problem.evaluate(problem.batch(np.ones((6, 1))), b, mean_of=0)
        curvature = Curvature(problem.runs)
        curvature.draw(problem.mean, np.array([3, 9, 1]))
        curvature.add(np.array([9, 12, 18, 2, 5]))
    columns = curvature.columns
    assert columns.tolist() == [0, 3, 9, 1, 12, 18, 2, 5]
    none = np.zeros((0, X.shape[1] + 1))
    H = curvature.hessian(np.diagonal(exact).copy(), none, none)
    np.testing.assert_allclose(np.diagonal(H), np.diagonal(exact)[columns], rtol=1e-12)
    np.testing.assert_allclose(H, exact[np.ix_(columns, columns)], rtol=0.03)
    step = np.zeros((1, X.shape[1] + 1))
    step[0, [3, 12]] = 0.1, -0.2
    corrected = curvature.hessian(np.diagonal(exact).copy(), step, step @ exact)
    np.testing.assert_allclose(corrected @ step[0, columns], (exact @ step[0])[columns], rtol=1e-10)


@pytest.mark.parametrize("seed", range(12))
def test_the_quadratic_model_is_minimized(seed: int) -> None:
    from rtm_pipeline.model.penalized.descent import descend

    rng = np.random.default_rng(seed)
    k = int(rng.integers(2, 25))
    A = rng.normal(size=(k + 3 if seed % 3 else max(2, k // 2), k)) * rng.uniform(0.2, 3, k)
    H, v0 = A.T @ A + (1e-9 if seed % 3 else 0.05) * np.eye(k), rng.normal(size=k) * 3
    low, high = [(False, True), (True, False), (True, True)][seed % 3]
    l1, l2 = float(rng.uniform(0.1, 1.5)), float(rng.choice([0.0, 0.7]))
    free = np.ones(k, bool)
    free[1] = False
    b0 = np.where(rng.random(k) < 0.3, np.abs(rng.normal(size=k)) * (1 if high else -1), 0.0)
    b0[1] = 0.0

    def cost(b: np.ndarray) -> float:
        d = b - b0
        return float(d @ H @ d / 2 - v0 @ d + l1 * np.abs(b[1:]).sum() + l2 / 2 * (b[1:] ** 2).sum())

    def parts(p: np.ndarray) -> tuple[float, np.ndarray]:
        b = p[:k] - p[k:]
        g = H @ (b - b0) - v0 + l2 * np.where(np.arange(k) > 0, b, 0)
        lift = np.where(np.arange(k) > 0, l1, 0.0)
        value = cost(b) - l1 * np.abs(b[1:]).sum() + lift @ (p[:k] + p[k:])
        return value, np.concatenate([g + lift, -g + lift])

    upper = [None if (j == 0 or high) and j != 1 else 0 for j in range(k)]
    lower = [None if (j == 0 or low) and j != 1 else 0 for j in range(k)]
    start = np.concatenate([np.maximum(b0, 0), np.maximum(-b0, 0)])
    bounds = [(0, limit) for limit in upper] + [(0, limit) for limit in lower]
    settings = {"ftol": 1e-16, "gtol": 1e-11, "maxiter": 50000, "maxfun": 500000}
    best = minimize(parts, start, jac=True, method="L-BFGS-B", bounds=bounds, options=settings)
    b, v = b0.copy(), v0.copy()
    sweeps = descend(H, v, b, free, l1, l2, low, high, 1e-10, 5000)
    assert sweeps < 5000
    assert cost(b) <= best.fun + 1e-7
    assert b[1] == 0
    assert ((b[1:] >= 0) | low).all()
    assert ((b[1:] <= 0) | high).all()
    np.testing.assert_allclose(v, v0 - H @ (b - b0), atol=1e-7)
