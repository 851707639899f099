"""Is a surface better than the baseline that was chosen before the cut-off? Paired, by spatial blocks.

Both surfaces flag the same number of cells; what differs is how many incidents fall in them. Neighboring cells resemble
one another, so whole blocks are drawn again, and both surfaces are counted on the same draws.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ModelError
from rtm_pipeline.evaluation.measures import SHARES, Ranking, share_key, top_cells
from rtm_pipeline.surface.sums import block_sums

__all__ = ["VERDICT_RULE", "Comparison", "RatioInterval", "compare", "mean_log_pai"]

INTERVAL_LEVEL = 0.95
VERDICT_RULE = (
    "better: over all shares of area together more incidents than the baseline by more than chance allows, and at no "
    "share fewer by more than chance allows; not_better: anything else that could be judged"
)
_DRAWS = 2000
_LEAST_EVENTS = 30
_LEAST_BLOCKS = 10


@dataclass(frozen=True, slots=True)
class RatioInterval:
    """A ratio (or mean log ratio) with its bootstrap interval; None where it is not defined."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """A surface against a baseline.

    Attributes
    ----------
    baseline : str
    hit_ratio : dict of float to RatioInterval
        By share: incidents in the surface's top cells over those in the baseline's.
    mean_log_ratio : RatioInterval
        Mean over the shares of the log of the ratio; no hit at a share counts as half a hit.
    verdict : str
        ``better`` if the interval of the mean log ratio lies above 0 and that of no hit ratio below 1; ``not_judged``
        with too little to judge on; else ``not_better``. A lead that chance explains is no lead: a surface that is
        only said to be better when that is shown can't become so by luck.
    reason : str or None
        Which part of the rule failed, in words; None where ``better``.
    level : float
    blocks, draws : int
    """

    baseline: str
    hit_ratio: dict[float, RatioInterval]
    mean_log_ratio: RatioInterval
    verdict: str
    reason: str | None
    level: float
    blocks: int
    draws: int

    def as_json(self) -> dict[str, object]:
        """The keys that a comparison adds to accuracy.json."""
        difference: dict[str, object] = {
            share_key(share): {
                "baseline": self.baseline,
                "hit_ratio": ratio.value,
                "low": ratio.low,
                "high": ratio.high,
            }
            for share, ratio in self.hit_ratio.items()
        }
        return {
            "baseline_chosen": self.baseline,
            "interval_level": self.level,
            "difference": difference,
            "mean_log_ratio": {
                "value": self.mean_log_ratio.value,
                "low": self.mean_log_ratio.low,
                "high": self.mean_log_ratio.high,
            },
            "verdict": self.verdict,
            "verdict_reason": self.reason,
            "verdict_rule": VERDICT_RULE,
        }


def compare(
    observed: NDArray[np.integer] | NDArray[np.floating],
    surface: NDArray[np.floating],
    baseline: NDArray[np.floating],
    baseline_name: str,
    blocks: NDArray[np.integer],
    *,
    shares: tuple[float, ...] = SHARES,
    draws: int = _DRAWS,
    level: float = INTERVAL_LEVEL,
    seed: int = 0,
) -> Comparison:
    """Ratio of hits, with a paired spatial-block bootstrap.

    Ties count in proportion (their expected hits). The flagged cells stay as they are; blocks are drawn with
    replacement and both surfaces' hits are summed over the same draw.

    Parameters
    ----------
    observed : ndarray, shape (n,)
    surface, baseline : ndarray, shape (n,)
        Scores.
    baseline_name : str
    blocks : ndarray of int, shape (n,)
        Spatial block of each cell, from 0 on (`grid.blocks.spatial_blocks`).
    shares : tuple of float
    draws : int
    level : float
    seed : int

    Raises
    ------
    ModelError
        If the vectors differ in length.
    """
    y = np.asarray(observed, np.float64)
    sizes = {y.shape, np.shape(surface), np.shape(baseline), np.shape(blocks)}
    if len(sizes) != 1:
        raise ModelError(f"Surfaces, blocks and observed counts must speak of the same cells; found {sorted(sizes)}.")
    mine = _hits_by_block(y, surface, blocks, shares)
    theirs = _hits_by_block(y, baseline, blocks, shares)
    n_blocks = mine.shape[0]
    reason = _why_not(y, n_blocks)
    totals = mine.sum(axis=0), theirs.sum(axis=0)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(n_blocks, np.full(n_blocks, 1.0 / n_blocks), size=draws).astype(np.float64)
    samples = block_sums(drawn, mine), block_sums(drawn, theirs)
    # Draws of few blocks are all alike: an interval from them would look sure of what is not known.
    tail = (1.0 - level) / 2.0 if n_blocks >= _LEAST_BLOCKS else None
    point, ratios = _ratios(*totals), _ratios(*samples)
    hit_ratio = {share: _interval(point[j], ratios[:, j], tail) for j, share in enumerate(shares)}
    mean_log = _interval(float(_mean_log(*totals)), _mean_log(*samples), tail)
    verdict = "not_judged"
    if reason is None:
        reason = _shortfall(hit_ratio, mean_log, level)
        verdict = "better" if reason is None else "not_better"
    return Comparison(baseline_name, hit_ratio, mean_log, verdict, reason, level, n_blocks, draws)


def _shortfall(hit_ratio: dict[float, RatioInterval], mean_log: RatioInterval, level: float) -> str | None:
    """Which part of the rule for ``better`` a surface fails; None where it fails none."""
    worse = [(share, ratio) for share, ratio in hit_ratio.items() if ratio.high is not None and ratio.high < 1.0]
    if worse:
        return "; ".join(
            f"at {share:.1%} of the area it caught {ratio.value:.3f} times the incidents of the baseline "
            f"({ratio.low:.3f} to {ratio.high:.3f})"
            for share, ratio in worse
        )
    value, low, high = mean_log.value or 0.0, mean_log.low, mean_log.high
    if low is not None and low > 0:
        return None
    mean = f"{math.exp(value):.3f}"
    span = "" if low is None or high is None else f" ({level:.0%} interval {math.exp(low):.3f} to {math.exp(high):.3f})"
    if high is not None and high < 0:
        return f"over all shares it caught fewer incidents than the baseline: {mean} times as many{span}"
    return f"over all shares it caught {mean} times the incidents of the baseline{span}: within what chance allows"


def mean_log_pai(
    observed: NDArray[np.integer] | NDArray[np.floating],
    score: NDArray[np.floating],
    shares: tuple[float, ...] = SHARES,
) -> float:
    """Mean over shares of the log PAI (ties in proportion): one number to choose a baseline by, before the cut-off.

    A share without a hit counts as half a hit.
    """
    y = np.asarray(observed, np.float64)
    ranking = Ranking.of(score)
    total = 0.0
    for share in shares:
        cells = max(1, top_cells(share, y.size))
        hits = max(float(np.sum(ranking.inclusion(cells) * y)), 0.5)
        total += math.log(hits / max(float(y.sum()), 1.0) * y.size / cells)
    return total / len(shares)


def _hits_by_block(
    observed: NDArray[np.float64], score: NDArray[np.floating], blocks: NDArray[np.integer], shares: tuple[float, ...]
) -> NDArray[np.float64]:
    ranking = Ranking.of(score)
    n_blocks = int(blocks.max()) + 1
    columns = [
        np.bincount(blocks, weights=observed * ranking.inclusion(top_cells(share, observed.size)), minlength=n_blocks)
        for share in shares
    ]
    return np.stack(columns, axis=1)


def _ratios(mine: NDArray[np.float64], theirs: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(theirs > 0, mine / theirs, np.nan))


def _mean_log(mine: NDArray[np.float64], theirs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over shares of the log ratio; a share without a hit counts as half a hit."""
    return np.asarray(np.mean(np.log(np.maximum(mine, 0.5)) - np.log(np.maximum(theirs, 0.5)), axis=-1))


def _interval(value: float, draws: NDArray[np.float64], tail: float | None) -> RatioInterval:
    if not math.isfinite(value):
        return RatioInterval(None, None, None)
    if tail is None:
        return RatioInterval(float(value), None, None)
    good = draws[np.isfinite(draws)]
    if good.size < draws.size * 0.99:
        return RatioInterval(float(value), None, None)
    return RatioInterval(float(value), float(np.quantile(good, tail)), float(np.quantile(good, 1.0 - tail)))


def _why_not(observed: NDArray[np.float64], n_blocks: int) -> str | None:
    if observed.sum() < _LEAST_EVENTS:
        return f"{int(observed.sum())} incidents in the outcome; at least {_LEAST_EVENTS} are needed to judge"
    if n_blocks < _LEAST_BLOCKS:
        return f"{n_blocks} spatial blocks; at least {_LEAST_BLOCKS} are needed for an interval"
    return None
