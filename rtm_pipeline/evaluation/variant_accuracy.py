"""How many incidents a variant of the night would have caught, beside those that the judged surfaces caught."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.evaluation.measures import SHARES, measure, share_key

__all__ = ["HitRates", "VariantAccuracy", "hit_rates"]


@dataclass(frozen=True, slots=True)
class HitRates:
    """Share of incidents in the top cells of a surface, ties averaged.

    Attributes
    ----------
    main, variant : tuple of float
        Of the judged surface and of the variant's, one for each of `measures.SHARES`.
    """

    main: tuple[float, ...]
    variant: tuple[float, ...]

    def as_json(self) -> dict[str, dict[str, float]]:
        """``{"main": {"0.005": ...}, "variant": {...}}``."""
        keys = [share_key(share) for share in SHARES]
        return {
            "main": dict(zip(keys, self.main, strict=True)),
            "variant": dict(zip(keys, self.variant, strict=True)),
        }

    def at(self, share: float) -> tuple[float, float]:
        """Of the judged surface and of the variant's at one of the shares."""
        index = SHARES.index(share)
        return self.main[index], self.variant[index]


@dataclass(frozen=True, slots=True)
class VariantAccuracy:
    """A variant judged on the outcome and with the knowledge that the night's accuracy rests on.

    Attributes
    ----------
    changed : tuple of str
        Factors that were left out or corrected; only those that were known to the judged surfaces.
    terrain, forecast : HitRates or None
        None where one of the two surfaces could not be made.
    """

    changed: tuple[str, ...]
    terrain: HitRates | None
    forecast: HitRates | None

    def as_json(self) -> dict[str, object]:
        """Plain values."""
        return {
            "changed": list(self.changed),
            "hit_rate": {
                "risk_terrain": None if self.terrain is None else self.terrain.as_json(),
                "forecast": None if self.forecast is None else self.forecast.as_json(),
            },
        }


def hit_rates(
    observed: NDArray[np.int64], main: NDArray[np.float64] | None, variant: NDArray[np.float64] | None
) -> HitRates | None:
    """Compare two surfaces on one outcome, each shape (n,); None without incidents or without one of the surfaces."""
    if main is None or variant is None or int(observed.sum()) == 0:
        return None
    return HitRates(_rates(observed, main), _rates(observed, variant))


def _rates(observed: NDArray[np.int64], score: NDArray[np.float64]) -> tuple[float, ...]:
    found = [at.hit_rate for at in measure(observed, score).shares]
    return tuple(0.0 if rate is None else rate.expected for rate in found)
