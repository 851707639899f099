"""Threads for compiled loops that release the interpreter; results come in order, whatever their number."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["available_threads", "in_order", "shares", "slices"]

T = TypeVar("T")
R = TypeVar("R")


def available_threads() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_order(work: Callable[[T], R], items: Sequence[T], *, threads: int) -> list[R]:
    """``[work(item) for item in items]``, up to ``threads`` at a time."""
    if threads <= 1 or len(items) <= 1:
        return [work(item) for item in items]
    with ThreadPoolExecutor(min(threads, len(items))) as pool:
        return list(pool.map(work, items))


def shares(items: NDArray[np.int64], threads: int) -> list[NDArray[np.int64]]:
    """Cut an array into about four parts a thread."""
    return [items[first:stop] for first, stop in slices(items.size, threads)]


def slices(n: int, threads: int) -> list[tuple[int, int]]:
    """Cut ``range(n)`` into about four parts a thread, as (first, stop)."""
    parts = 1 if threads <= 1 else min(n, 4 * threads)
    edges = [n * i // max(parts, 1) for i in range(max(parts, 1) + 1)]
    return [(first, stop) for first, stop in pairwise(edges) if stop > first]
