"""A randomized order among near-equal sites at the funding line: fair, and the best evidence a city can make itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ConfigError

__all__ = ["LineDraw", "draw_from_rows", "draw_line"]


@dataclass(frozen=True, slots=True)
class LineDraw:
    """A draw that can be shown and repeated.

    Attributes
    ----------
    seed : int
    tolerance : float
    line : float
        Score of the last funded site.
    site_id : tuple of str
        Near-equal sites in the drawn order.
    score, cost : tuple of float
        Of each.
    funded : tuple of bool
        Whether the draw funds it, within the money that the sites near the line had together.
    """

    seed: int
    tolerance: float
    line: float
    site_id: tuple[str, ...]
    score: tuple[float, ...]
    cost: tuple[float, ...]
    funded: tuple[bool, ...]

    def rows(self) -> list[dict[str, object]]:
        """One row per site in the drawn order, as plain JSON values; the draw can be made again from them."""
        return [
            {
                "order": at + 1,
                "site_id": self.site_id[at],
                "score": self.score[at],
                "cost_usd": self.cost[at],
                "funded": self.funded[at],
                "seed": self.seed,
                "tolerance": self.tolerance,
                "line": self.line,
            }
            for at in range(len(self.site_id))
        ]


MOST_TOLERANCE = 0.5
"""Relative distance from the line beyond which sites are anything but near-equal."""


def draw_line(
    site_id: Sequence[str],
    score: NDArray[np.float64],
    cost: NDArray[np.float64],
    funded: NDArray[np.bool_],
    *,
    seed: int,
    tolerance: float = 0.05,
) -> LineDraw:
    """Draw the order of the sites whose score is within ``tolerance`` of the funding line.

    Parameters
    ----------
    site_id : sequence of str, length n
        Sites of one kind of work.
    score : ndarray of float64, shape (n,)
        What they are ranked by (prevented per 10,000 USD).
    cost : ndarray of float64, shape (n,)
        USD.
    funded : ndarray of bool, shape (n,)
        As the plain ranking funds them.
    seed : int
        Kept with the draw; the same seed and sites give the same order, whatever order the rows come in.
    tolerance : float
        Relative distance from the line that counts as equal.

    Raises
    ------
    ConfigError
        The tolerance is none, nothing is funded, or all near-equal sites are on one side of the line, so that there
        is nothing to draw.
    """
    if not 0.0 < tolerance <= MOST_TOLERANCE:
        raise ConfigError(
            f"The tolerance must lie above 0 and not above {MOST_TOLERANCE:g}, or the sites are not near-equal; found "
            f"{tolerance:g}."
        )
    if not funded.any():
        raise ConfigError("No site is funded: there is no funding line to draw at.")
    line = float(score[funded].min())
    near = np.abs(score - line) <= tolerance * abs(line)
    if not (near & funded).any() or not (near & ~funded).any():
        raise ConfigError(
            f"Within {tolerance:.0%} of the funding line ({line:.4g}) there are {int((near & funded).sum())} funded "
            f"and {int((near & ~funded).sum())} unfunded sites: there is nothing to draw. Widen the tolerance."
        )
    ids = np.asarray(list(site_id), dtype=np.str_)
    at = np.flatnonzero(near)
    at = at[np.argsort(ids[at], kind="stable")]
    at = at[np.random.default_rng(seed).permutation(at.size)]
    money, drawn = float(cost[near & funded].sum()), np.zeros(at.size, dtype=bool)
    for position, site in enumerate(at.tolist()):
        if cost[site] <= money + 1e-6:
            drawn[position] = True
            money -= float(cost[site])
    return LineDraw(
        seed=seed,
        tolerance=tolerance,
        line=line,
        site_id=tuple(str(name) for name in ids[at]),
        score=tuple(float(value) for value in score[at]),
        cost=tuple(float(value) for value in cost[at]),
        funded=tuple(bool(value) for value in drawn),
    )


def draw_from_rows(rows: Sequence[Mapping[str, object]]) -> LineDraw:
    """A kept draw, from the rows of `LineDraw.rows`."""
    if not rows:
        raise ConfigError("A kept draw has at least one row.")
    ordered = sorted(rows, key=lambda row: int(str(row["order"])))
    first = ordered[0]
    return LineDraw(
        seed=int(str(first["seed"])),
        tolerance=float(str(first["tolerance"])),
        line=float(str(first["line"])),
        site_id=tuple(str(row["site_id"]) for row in ordered),
        score=tuple(float(str(row["score"])) for row in ordered),
        cost=tuple(float(str(row["cost_usd"])) for row in ordered),
        funded=tuple(str(row["funded"]).lower() == "true" for row in ordered),
    )
