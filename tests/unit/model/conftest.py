"""Made designs, and a slow exhaustive engine that shares no code with the package."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import gammaln, psi

from rtm_pipeline.factors.spec import Variable
from rtm_pipeline.model.design import Block, Design


@dataclass
class Table:
    """A dense problem and the same as a compact design."""

    X: NDArray[np.float64]
    counts: NDArray[np.int64]
    exposure: NDArray[np.float64]
    names: list[str]
    factors: list[str]
    design: Design


def compact(X, counts, exposure, names, factors) -> Design:
    """One block a factor, codes from the distinct rows."""
    blocks = []
    for factor in dict.fromkeys(factors):
        columns = [i for i, name in enumerate(factors) if name == factor]
        bits, codes = np.unique(X[:, columns].astype(np.uint8), axis=0, return_inverse=True)
        variables = tuple(Variable(names[i], factor) for i in columns)
        blocks.append(Block(codes.astype(np.uint8), np.ascontiguousarray(bits), variables))
    return Design(tuple(blocks), np.asarray(counts, np.int64), np.asarray(exposure, float))


def nested_bands(rng, n, n_factors, n_bands):
    """Nested 0/1 bands around made places: what proximity looks like."""
    columns = []
    for _ in range(n_factors):
        distance = rng.gamma(2.0, 1.0, n) + 0.3 * rng.normal(size=n)
        cuts = np.quantile(distance, np.sort(rng.uniform(0.03, 0.6, n_bands)))
        columns += [(distance <= cut).astype(float) for cut in cuts]
    return np.column_stack(columns)


def make_table(seed, n=600, n_factors=6, n_bands=2, *, family="nb1", dispersion=0.6, border=0.15, effects=3, scale=1.0):
    """A random problem with known terms; ``border`` is the share of cells with an exposure of their own."""
    rng = np.random.default_rng(seed)
    X = nested_bands(rng, n, n_factors, n_bands)
    names = [f"f{i // n_bands}_b{i % n_bands}" for i in range(X.shape[1])]
    factors = [f"f{i // n_bands}" for i in range(X.shape[1])]
    beta = np.zeros(X.shape[1])
    beta[rng.choice(X.shape[1], effects, replace=False)] = rng.uniform(-0.4, 1.1, effects)
    exposure = np.where(rng.random(n) < border, rng.uniform(0.05, 1.0, n), 1.0)
    mean = scale * exposure * np.exp(-0.6 + X @ beta)
    if family == "nb1":
        counts = rng.poisson(rng.gamma(mean / dispersion, dispersion))
    elif family == "nb2":
        counts = rng.poisson(mean * rng.gamma(1 / dispersion, dispersion, n))
    else:
        counts = rng.poisson(mean)
    return Table(X, counts, exposure, names, factors, compact(X, counts, exposure, names, factors))


def cell_log_likelihood(family, parameters, X, y, exposure):
    """Log-likelihood and gradient in (coefficients, log dispersion), cell by cell, in gamma functions."""
    p = X.shape[1]
    mean = exposure * np.exp(np.clip(X @ parameters[:p], -30, 30))
    if family == "poisson":
        return np.sum(y * np.log(mean) - mean - gammaln(y + 1)), X.T @ (y - mean)
    d = np.exp(parameters[p])
    if family == "nb1":
        r = mean / d
        value = gammaln(y + r) - gammaln(r) - gammaln(y + 1) + y * np.log(d) - (y + r) * np.log1p(d)
        by_r = psi(y + r) - psi(r) - np.log1p(d)
        by_d = -by_r * mean / d**2 + y / d - (y + r) / (1 + d)
        return value.sum(), np.append(X.T @ (by_r * r), by_d.sum() * d)
    t = 1 / d
    value = gammaln(y + t) - gammaln(t) - gammaln(y + 1) + y * np.log(mean * d) - (y + t) * np.log1p(mean * d)
    by_t = psi(y + t) - psi(t) + np.log(t) + 1 - np.log(mean + t) - (y + t) / (mean + t)
    by_eta = (y - mean) / (1 + d * mean)
    return value.sum(), np.append(X.T @ by_eta, -by_t.sum() * t)


def slow_fit(family, X, y, exposure):
    """Maximum likelihood by a general optimizer: coefficients, dispersion (None: Poisson), log-likelihood."""
    X = np.column_stack([np.ones(len(y)), X])
    start = np.zeros(X.shape[1])
    start[0] = np.log(y.sum() / exposure.sum())

    def climb(name, begin):
        def negative(v):
            value, gradient = cell_log_likelihood(name, v, X, y, exposure)
            return -value, -gradient

        return minimize(negative, begin, jac=True, method="BFGS", options={"gtol": 1e-7, "maxiter": 500})

    poisson = climb("poisson", start)
    if family == "poisson":
        return poisson.x, None, -poisson.fun
    tries = [climb(family, np.append(poisson.x, np.log(d))) for d in (0.3, 2.0)]
    best = min(tries, key=lambda r: r.fun)
    if -best.fun < -poisson.fun + 1e-7:  # not over-dispersed: the boundary
        return poisson.x, 0.0, -poisson.fun
    return best.x[:-1], float(np.exp(best.x[-1])), -best.fun


def slow_stepwise(table: Table, family: str, sign: int):
    """Bidirectional stepwise by BIC that fits every candidate to every cell. Names in order, BIC."""
    n = len(table.counts)
    extra = 0 if family == "poisson" else 1
    cache: dict[frozenset[str], tuple[float, NDArray[np.float64]]] = {}

    def bic(chosen):
        key = frozenset(chosen)
        if key not in cache:
            ordered = sorted(key)
            columns = [table.names.index(name) for name in ordered]
            beta, _, log_likelihood = slow_fit(family, table.X[:, columns], table.counts, table.exposure)
            cache[key] = (-2 * log_likelihood + np.log(n) * (len(ordered) + 1 + extra), beta[1:])
        return cache[key]

    inside = {name: table.counts[table.X[:, i] > 0].sum() for i, name in enumerate(table.names)}
    usable = [name for name in table.names if 0 < inside[name] < table.counts.sum()]
    chosen: list[str] = []
    current = bic(chosen)[0]
    while True:
        taken = {table.factors[table.names.index(name)] for name in chosen}
        moves = [[*chosen, name] for name in usable if table.factors[table.names.index(name)] not in taken]
        moves += [[other for other in chosen if other != name] for name in chosen]
        scored = []
        for move in moves:
            value, beta = bic(move)
            if not (sign and (sign * beta < 0).any()):
                scored.append((value, len(move) > len(chosen), move))
        if not scored or min(scored)[0] >= current - 1e-6:
            return chosen, current
        current, _, chosen = min(scored)


@pytest.fixture(scope="session")
def tables() -> Callable[..., Table]:
    return make_table


@pytest.fixture(scope="session")
def compacted() -> Callable[..., Design]:
    return compact


@pytest.fixture(scope="session")
def exhaustive() -> Callable[..., tuple[list[str], float]]:
    return slow_stepwise


@pytest.fixture(scope="session")
def slow_ml():
    return slow_fit
