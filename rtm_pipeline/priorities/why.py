"""Why a site is where it is in the list, in words: what raises the forecast around it, and what people reported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ModelError
from rtm_pipeline.priorities.reach import Reach
from rtm_pipeline.surface.names import PART_LABELS

__all__ = ["Contributions", "around_areas", "around_sites", "points_within", "words"]

WORTH_SAYING = 1.05
"""A multiplier below this is not a reason."""
MOST_SAID = 10.0
"""A larger one is told as so much or more: over a background next to nothing its size says nothing."""


@dataclass(frozen=True, slots=True)
class Contributions:
    """What makes up the forecast of each cell: a background in incidents, and multipliers.

    Attributes
    ----------
    names : tuple of str, length c
        The background's is ``background``; every other is a multiplier.
    values : ndarray of float64, shape (n_cells, c)
        Their product along the row is the forecast.
    labels : mapping of str to str
        Names for people.
    """

    names: tuple[str, ...]
    values: NDArray[np.float64]
    labels: Mapping[str, str]

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.values.shape[1] != len(self.names):
            raise ModelError(f"Contributions need a column per name; found {self.values.shape} for {len(self.names)}.")

    @property
    def multipliers(self) -> tuple[tuple[str, ...], NDArray[np.float64]]:
        """Labels and values of all columns but the background."""
        keep = [at for at, name in enumerate(self.names) if name != "background"]
        labels = tuple(_label(self.names[at], self.labels) for at in keep)
        return labels, self.values[:, keep]


def around_sites(
    contributions: Contributions, reach: Reach, expected: NDArray[np.float64]
) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Multipliers around each site: geometric means over the cells within reach, weighted by expected incidents.

    Returns
    -------
    labels : tuple of str, length m
    multipliers : ndarray of float64, shape (n_sites, m)
        1 where a site reaches nothing.
    """
    labels, values = contributions.multipliers
    weight = reach.sums(expected)
    out = np.ones((reach.n_sites, len(labels)))
    some = weight > 0
    for column in range(len(labels)):
        total = reach.sums(expected * np.log(np.maximum(values[:, column], 1e-12)))
        out[some, column] = np.exp(total[some] / weight[some])
    return labels, out


def around_areas(
    contributions: Contributions, area: NDArray[np.int32], n_areas: int, expected: NDArray[np.float64]
) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """The same over the cells of each area (index -1: none); float64, shape (n_areas, m)."""
    labels, values = contributions.multipliers
    inside = area >= 0
    weight = np.bincount(area[inside], weights=expected[inside], minlength=n_areas)
    out = np.ones((n_areas, len(labels)))
    some = weight > 0
    for column in range(len(labels)):
        logs = expected[inside] * np.log(np.maximum(values[inside, column], 1e-12))
        total = np.bincount(area[inside], weights=logs, minlength=n_areas)
        out[some, column] = np.exp(total[some] / weight[some])
    return labels, out


def _label(name: str, labels: Mapping[str, str]) -> str:
    return labels.get(name) or PART_LABELS.get(name) or name.replace("_", " ")


def words(labels: Sequence[str], multipliers: NDArray[np.float64], *, top: int = 3) -> list[str]:
    """The largest multipliers of each row as a phrase: ``past incidents here x10 or more, vacant lots x1.3``."""
    if not labels:
        return [""] * multipliers.shape[0]
    order = np.argsort(-multipliers, axis=1, kind="stable")[:, :top]
    best = np.take_along_axis(multipliers, order, axis=1)
    return [
        ", ".join(
            f"{labels[at]} {_times(value)}" for at, value in zip(row, values, strict=True) if value >= WORTH_SAYING
        )
        for row, values in zip(order.tolist(), best.tolist(), strict=True)
    ]


def _times(value: float) -> str:
    return f"x{MOST_SAID:.0f} or more" if value >= MOST_SAID else f"x{value:.1f}"


def points_within(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    point_x: NDArray[np.float64],
    point_y: NDArray[np.float64],
    radius_u: float,
) -> NDArray[np.int64]:
    """Number of points within a radius (included) of each place, int64, shape (n,)."""
    from scipy.spatial import cKDTree

    if point_x.size == 0 or x.size == 0:
        return np.zeros(x.size, dtype=np.int64)
    tree = cKDTree(np.stack([point_x, point_y], axis=1))
    found = tree.query_ball_point(np.stack([x, y], axis=1), radius_u, return_length=True)
    return np.asarray(found, dtype=np.int64)
