"""Which continuous features a forecast can use: known now, and known when a training window began."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.surface.windows import Features, features_for
from rtm_pipeline.units import Window

__all__ = ["Columns", "usable_columns"]

_Z_LIMIT = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Continuous features that a forecast uses, and how they are scaled.

    Attributes
    ----------
    names, factors : tuple of str, length p
        Names of the columns, and the factor of each.
    centers, scales : ndarray of float64, shape (p,)
        Mean and standard deviation over the cells in the newest training vintage; frozen.
    left_out : tuple of (str, str)
        Factors that could not be used, with the reason.
    """

    names: tuple[str, ...]
    factors: tuple[str, ...]
    centers: NDArray[np.float64]
    scales: NDArray[np.float64]
    left_out: tuple[tuple[str, str], ...]

    @property
    def factor_names(self) -> tuple[str, ...]:
        """Each factor once, in the order of the columns."""
        return tuple(dict.fromkeys(self.factors))

    def standardized(self, features: Features | None, n: int) -> NDArray[np.float32]:
        """Columns of ``features``, centered and scaled as in training, shape (n, p); unknown values at the mean.

        Values over five standard deviations away are held there: no forecast rests on a far extrapolation.
        """
        z = np.zeros((n, len(self.names)), np.float32)
        if features is None:
            return z
        position = {name: index for index, name in enumerate(features.names)}
        for column, name in enumerate(self.names):
            if name in position:
                values = (features.values[:, position[name]] - self.centers[column]) / self.scales[column]
                z[:, column] = np.clip(np.nan_to_num(values, nan=0.0), -_Z_LIMIT, _Z_LIMIT)
        return z


def usable_columns(
    vintages: tuple[Features, ...], windows: tuple[Window, ...], cutoff: date
) -> tuple[Columns, tuple[Window, ...]]:
    """Columns known both now and when training windows began, and the windows that have them all."""
    now = features_for(vintages, cutoff)
    none = Columns((), (), np.zeros(0), np.zeros(0), ())
    if now is None:
        return none, windows
    earlier = [(window, features_for(vintages, window.start)) for window in windows]
    newest = next((features for _, features in earlier if features is not None), None)
    if newest is None:
        reason = f"not known when a training window began ({', '.join(str(w.start) for w in windows) or 'none'})"
        left = tuple((factor, reason) for factor in dict.fromkeys(now.factors))
        return Columns((), (), np.zeros(0), np.zeros(0), left), windows
    index = {name: i for i, name in enumerate(newest.names)}
    names, factors, centers, scales = [], [], [], []
    for name, factor in zip(now.names, now.factors, strict=True):
        if name not in index:
            continue
        values = newest.values[:, index[name]].astype(np.float64)
        known = values[np.isfinite(values)]
        spread = float(known.std()) if known.size else 0.0
        if spread > 1e-9:
            names.append(name)
            factors.append(factor)
            centers.append(float(known.mean()))
            scales.append(spread)
    lost = [factor for factor in dict.fromkeys(now.factors) if factor not in factors]
    left = tuple((factor, f"not known at {newest.known_at}, or constant then") for factor in lost)
    columns = Columns(tuple(names), tuple(factors), np.array(centers), np.array(scales), left)
    kept = tuple(w for w, features in earlier if features is not None and set(names) <= set(features.names))
    return columns, kept
