"""Class breaks and colors of every published surface, used alike by rasters, QGIS styles, reports and web maps.

Tiers and their palette live in `rtm_pipeline.surface.tiers`. A surface that is ranked in tiers is shown in the same
classes, with the values at which they begin; the others have breaks and ramps of their own, below. All ramps are told
apart by color-blind readers and by their lightness alone, so they print in grey.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.publication.rasters.styles import RasterClass
from rtm_pipeline.surface.tiers import TIERS

__all__ = [
    "DIVERGING",
    "SEQUENTIAL",
    "change_legend",
    "distance_legend",
    "multiplier_legend",
    "probability_legend",
    "quantile_legend",
    "tier_legend",
    "tier_value_legend",
    "uncertainty_legend",
]

SEQUENTIAL = ("#eef2f4", "#b9d0dc", "#7ba5bf", "#41769b", "#173f66")
"""Little to much."""
DIVERGING = ("#20476f", "#8db0cd", "#f4f3ef", "#e0a35c", "#8a4406")
"""Less, the same, more."""

_INFINITY = float("inf")


def tier_legend() -> tuple[RasterClass, ...]:
    """Classes of a tier raster, the highest first."""
    return tuple(RasterClass(tier.number, tier.label, tier.color) for tier in TIERS)


def tier_value_legend(
    values: NDArray[np.floating], tiers: NDArray[np.uint8], unit: str = ""
) -> tuple[RasterClass, ...]:
    """Classes of a ranked surface: those of its tiers, with the values where they begin.

    Parameters
    ----------
    values : ndarray of float, shape (n,)
    tiers : ndarray of uint8, shape (n,)
    unit : str
        For the labels.

    Returns
    -------
    tuple of RasterClass
        Ascending; ``value`` is the largest of the class as float32, as rasters hold it, and infinite for the last.
        Tiers that no cell is in are left out.
    """
    numbers = np.asarray(values, np.float32)
    found: list[RasterClass] = []
    for tier in reversed(TIERS):
        mine = numbers[(tiers == tier.number) & np.isfinite(numbers)]
        if mine.size:
            low, high = float(mine.min()), float(mine.max())
            start = f"{tier.label} ({_short(low)}{' ' + unit if unit else ''} or more)"
            found.append(RasterClass(high, start if tier.number < len(TIERS) else tier.label, tier.color))
    return _open_ended(found)


def quantile_legend(
    values: NDArray[np.floating], unit: str = "", *, shares: Sequence[float] = (0.4, 0.7, 0.9, 0.97)
) -> tuple[RasterClass, ...]:
    """Five classes of a surface that has no tiers, with breaks at these quantiles; by default for skewed values."""
    known = np.asarray(values, np.float64)[np.isfinite(values)]
    if known.size == 0:
        return _classes((), SEQUENTIAL[:1], unit)
    breaks = sorted({_rounded(float(np.quantile(known, share))) for share in shares})
    return _classes(breaks, SEQUENTIAL, unit)


def uncertainty_legend() -> tuple[RasterClass, ...]:
    """Standard deviation over mean of a rate; above 1 little is known of the single cell."""
    return _classes((0.25, 0.5, 1.0, 2.0), SEQUENTIAL, "times the rate")


def probability_legend() -> tuple[RasterClass, ...]:
    """A chance, 0 to 1."""
    return _classes((0.05, 0.25, 0.5, 0.75), SEQUENTIAL, "")


def change_legend(values: NDArray[np.floating], unit: str = "") -> tuple[RasterClass, ...]:
    """Less, about the same, more; breaks where the largest fifth and the largest 3 % of changes begin."""
    size = np.abs(np.asarray(values, np.float64)[np.isfinite(values)])
    size = size[size > 0]
    if size.size == 0:
        return (RasterClass(_INFINITY, "no change", DIVERGING[2]),)
    small, large = (_rounded(float(np.quantile(size, share))) for share in (0.80, 0.97))
    large = max(large, 2 * small)
    labels = (
        f"much less (below -{_short(large)}{' ' + unit if unit else ''})",
        f"less (below -{_short(small)})",
        f"about the same (to {_short(small)} either way)",
        f"more (above {_short(small)})",
        f"much more (above {_short(large)})",
    )
    breaks = (-large, -small, small, large, _INFINITY)
    return tuple(RasterClass(*item) for item in zip(breaks, labels, DIVERGING, strict=True))


def multiplier_legend() -> tuple[RasterClass, ...]:
    """What a factor multiplies the forecast by."""
    labels = ("halves it or less", "lowers it", "hardly matters (0.9 to 1.1)", "raises it", "doubles it or more")
    breaks = (0.5, 0.9, 1.1, 2.0, _INFINITY)
    return tuple(RasterClass(*item) for item in zip(breaks, labels, DIVERGING, strict=True))


def distance_legend(bands: Sequence[float], unit: str) -> tuple[RasterClass, ...]:
    """Near is dark; breaks at up to four of the spatial influences that were tried."""
    rising = sorted(set(bands))
    chosen = [rising[round(i * (len(rising) - 1) / 3)] for i in range(4)] if len(rising) > 4 else rising
    return _classes(chosen, tuple(reversed(SEQUENTIAL)), unit)


def _classes(breaks: Sequence[float], colors: Sequence[str], unit: str) -> tuple[RasterClass, ...]:
    """Classes between breaks: upper bounds, the last one open."""
    tail = f" {unit}" if unit else ""
    if not breaks:
        return (RasterClass(_INFINITY, f"all{tail}", colors[0]),)
    labels = [f"to {_short(breaks[0])}{tail}"]
    labels += [f"{_short(low)} to {_short(high)}{tail}" for low, high in itertools.pairwise(breaks)]
    labels.append(f"over {_short(breaks[-1])}{tail}")
    picked = [colors[round(i * (len(colors) - 1) / len(breaks))] for i in range(len(labels))]
    return tuple(RasterClass(*item) for item in zip((*breaks, _INFINITY), labels, picked, strict=True))


def _open_ended(classes: Sequence[RasterClass]) -> tuple[RasterClass, ...]:
    if not classes:
        return (RasterClass(_INFINITY, "no data", TIERS[-1].color),)
    last = classes[-1]
    return (*classes[:-1], RasterClass(_INFINITY, last.label, last.color))


def _rounded(value: float) -> float:
    """To two digits, so that a legend can be read."""
    if value == 0 or not math.isfinite(value):
        return 0.0
    return round(value, 1 - math.floor(math.log10(abs(value))))


def _short(value: float) -> str:
    """Three digits are enough to read."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
