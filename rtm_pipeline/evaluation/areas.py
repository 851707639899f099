"""A surface against counts by area: what can be checked where only neighborhood totals are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ModelError

__all__ = ["RankAgreement", "rank_agreement"]

_DRAWS = 2000
_LEVEL = 0.95
_LEAST = 5


@dataclass(frozen=True, slots=True)
class RankAgreement:
    """Spearman's rank correlation over areas, with its bootstrap interval (areas drawn again).

    Attributes
    ----------
    correlation : float or None
        None with fewer than five areas, or where either side is constant.
    low, high : float or None
    areas : int
        Areas with both values.
    """

    correlation: float | None
    low: float | None
    high: float | None
    areas: int


def rank_agreement(
    values: NDArray[np.floating], counts: NDArray[np.floating], *, level: float = _LEVEL, seed: int = 0
) -> RankAgreement:
    """Do areas rank alike?

    Parameters
    ----------
    values, counts : ndarray, shape (a,)
        One entry an area; NaN where not known.
    level : float
    seed : int
        Of the bootstrap. The same seed draws the same areas, so that several surfaces can be compared.

    Raises
    ------
    ModelError
        If lengths differ.
    """
    if np.shape(values) != np.shape(counts):
        raise ModelError("Values and counts must speak of the same areas; their lengths differ.")
    both = np.isfinite(values) & np.isfinite(counts)
    a, b = np.asarray(values, np.float64)[both], np.asarray(counts, np.float64)[both]
    if a.size < _LEAST or np.ptp(a) == 0 or np.ptp(b) == 0:
        return RankAgreement(None, None, None, int(a.size))
    rng = np.random.default_rng(seed)
    drawn = np.array([_spearman(a[rows], b[rows]) for rows in rng.integers(a.size, size=(_DRAWS, a.size))])
    tail = (1.0 - level) / 2.0
    low, high = np.nanquantile(drawn, [tail, 1.0 - tail])
    return RankAgreement(_spearman(a, b), float(low), float(high), int(a.size))


def _spearman(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    from scipy import stats

    first, second = stats.rankdata(a), stats.rankdata(b)
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(np.corrcoef(first, second)[0, 1])
