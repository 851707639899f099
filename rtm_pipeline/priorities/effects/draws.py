"""Draws of effects: the uncertainty of the evidence, seeded."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ConfigError
from rtm_pipeline.priorities.effects.registry import Registry

__all__ = ["draw_reductions", "reduction_interval"]


def draw_reductions(registry: Registry, key: str, n: int, *, seed: int) -> NDArray[np.float64]:
    """Draw the relative reduction of an effect.

    The rate ratio of a single row is log-normal around its point estimate; a mixture first draws one of its equally
    weighted parts. The stream depends on ``seed`` and ``key`` only, so adding another intervention changes nothing.

    Parameters
    ----------
    registry : Registry
    key : str
        Key of an effect with evidence.
    n : int
        Number of draws.
    seed : int

    Returns
    -------
    ndarray of float64, shape (n,)
        Reductions below 1; negative where a draw says that the work does harm.

    Raises
    ------
    ConfigError
        There is no evidence to draw from.
    """
    if registry.effect(key).evidence == "none found":
        raise ConfigError(f"Effect {key!r} says `evidence: none found`: there is nothing to draw from.")
    rng = np.random.default_rng([seed, *key.encode()])
    parts = registry.parts(key)
    choice = rng.integers(0, len(parts), size=n)
    normal = rng.standard_normal(n)
    mean = np.array([0.0 if part is None else part.log_ratio for part in parts])
    sd = np.array([0.0 if part is None else part.log_sd for part in parts])
    # 0.0 - x, not -x: a null result is plus zero in tables
    drawn: NDArray[np.float64] = 0.0 - np.expm1(mean[choice] + sd[choice] * normal)
    return drawn


def reduction_interval(
    registry: Registry, key: str, *, level: float = 0.90, seed: int = 0, n: int = 20_000
) -> tuple[float, float]:
    """Central interval of the reduction at ``level``, from seeded draws; for captions and tables of effects."""
    draws = draw_reductions(registry, key, n, seed=seed)
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
