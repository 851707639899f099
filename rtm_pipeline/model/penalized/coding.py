"""Compiled loops that turn codes into runs.

Imports numba: import this module inside functions only.
"""

from __future__ import annotations

from typing import Any

from rtm_pipeline.model.penalized.compile import kernel

__all__ = ["count_runs", "fill_runs"]


@kernel
def count_runs(strip_size: int, codes: Any, counts: Any) -> None:
    """Number of runs of equal codes in each strip."""
    for strip in range(counts.size):
        first = strip * strip_size
        runs = 1
        for i in range(first + 1, min(codes.size, first + strip_size)):
            runs += codes[i] != codes[i - 1]
        counts[strip] = runs


@kernel
def fill_runs(strip_size: int, codes: Any, pointers: Any, starts: Any, states: Any) -> None:
    """Write where in its strip each run starts, and its code."""
    for strip in range(pointers.size):
        first = strip * strip_size
        p = pointers[strip]
        for i in range(first, min(codes.size, first + strip_size)):
            if i == first or codes[i] != codes[i - 1]:
                starts[p] = i - first
                states[p] = codes[i]
                p += 1
