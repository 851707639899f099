"""The part of the forecast that evidence speaks of: expected incidents of a subset of the outcome, and their spread.

Evidence on shootings, gun assaults and firearm violence reads the *firearm* part of the outcome. Its forecast is the
forecast times the neighborhood's past share, shrunk to the city's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ConfigError, ModelError

__all__ = [
    "CellForecast",
    "Shares",
    "forecast_from_spread",
    "subset_forecast",
    "subset_shares",
]


@dataclass(frozen=True, slots=True)
class Shares:
    """Share of a subset in the outcome, by neighborhood, shrunk to the city's.

    Attributes
    ----------
    city : float
        Share in the whole city.
    strength : float
        Incidents that the city's share weighs as much as (beta-binomial maximum likelihood; infinite where
        neighborhoods do not differ).
    share : ndarray of float64, shape (a + 1,)
        By neighborhood; the last one, reached by index -1, is the city's.
    alpha, beta : ndarray of float64, shape (a + 1,)
        Beta posterior; both infinite where the share is taken as known.
    """

    city: float
    strength: float
    share: NDArray[np.float64]
    alpha: NDArray[np.float64]
    beta: NDArray[np.float64]

    def draw(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """One draw of the shares, shape (a + 1,)."""
        drawn = self.share.copy()
        loose = np.isfinite(self.alpha) & (self.alpha > 0) & (self.beta > 0)
        drawn[loose] = rng.beta(self.alpha[loose], self.beta[loose])
        return drawn


@dataclass(frozen=True, slots=True)
class CellForecast:
    """Expected incidents a year of an outcome, by cell.

    Attributes
    ----------
    outcome : str
        ``all`` for the whole outcome of the run, else the name of the subset.
    expected : ndarray of float64, shape (n,)
        Incidents a year.
    shape, rate : ndarray of float64, shape (n,), optional
        Gamma posterior of the cell's yearly incidents, mean ``shape / rate``; None: taken as known.
    shares : Shares, optional
        By which the posterior of the whole outcome is multiplied; ``expected`` already is.
    neighborhood : ndarray of int32, shape (n,), optional
        Needed with ``shares``.
    assumed_share : float, optional
        Configured in place of a measured share; to be shown wherever the benefit is.
    """

    outcome: str
    expected: NDArray[np.float64]
    shape: NDArray[np.float64] | None = None
    rate: NDArray[np.float64] | None = None
    shares: Shares | None = None
    neighborhood: NDArray[np.int32] | None = None
    assumed_share: float | None = None

    def __post_init__(self) -> None:
        if not np.isfinite(self.expected).all() or (self.expected < 0).any():
            raise ModelError("A forecast must be finite and not negative in every cell.")
        if (self.shape is None) != (self.rate is None):
            raise ModelError("A gamma posterior needs both its shape and its rate.")
        if self.shares is not None and self.neighborhood is None:
            raise ModelError("Shares by neighborhood need the neighborhood of every cell.")

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return int(self.expected.size)

    def draw(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """One draw of yearly incidents by cell, float64, shape (n,); cells are independent given the model."""
        drawn = self._whole()
        if self.shape is not None and self.rate is not None:
            drawn = rng.standard_gamma(self.shape) / self.rate
        if self.shares is not None and self.neighborhood is not None:
            drawn = drawn * self.shares.draw(rng)[self.neighborhood]
        elif self.assumed_share is not None:
            drawn = drawn * self.assumed_share
        return drawn

    def _whole(self) -> NDArray[np.float64]:
        """Expected incidents of the whole outcome, by which a share is still to be multiplied."""
        if self.shares is not None and self.neighborhood is not None:
            share = self.shares.share[self.neighborhood]
            return np.divide(self.expected, share, out=np.zeros_like(self.expected), where=share > 0)
        if self.assumed_share is not None:
            return self.expected / self.assumed_share
        return self.expected


def forecast_from_spread(expected: NDArray[np.float64], sd: NDArray[np.float64], *, years: float = 1.0) -> CellForecast:
    """A gamma posterior from the expected incidents of a horizon and the rate's standard deviation, per year.

    Parameters
    ----------
    expected, sd : ndarray of float64, shape (n,)
        Incidents of the horizon.
    years : float
        Length of the horizon (as a share of an average year, by the season).
    """
    if (sd < 0).any() or not np.isfinite(sd).all() or not years > 0:
        raise ModelError(
            "The spread of a forecast must be finite and not negative in every cell, its horizon positive."
        )
    # a cell without spread or without incidents is as good as known
    safe = np.maximum(sd, 1e-6 * np.maximum(expected, 1e-12))
    shape = np.maximum((expected / safe) ** 2, 1e-12)
    rate = shape / np.maximum(expected, 1e-300) * years
    return CellForecast("all", expected / years, shape=shape, rate=rate)


def subset_shares(subset: NDArray[np.int64], total: NDArray[np.int64]) -> Shares:
    """Share of a subset in the past outcome of each neighborhood, shrunk to the city's by a beta-binomial model.

    Parameters
    ----------
    subset, total : ndarray of int64, shape (a,)
        Past incidents of the subset, and all, by neighborhood.

    Returns
    -------
    Shares

    Raises
    ------
    ModelError
        No incidents at all, or a subset larger than the whole.
    """
    part, whole = np.asarray(subset, np.float64), np.asarray(total, np.float64)
    if part.shape != whole.shape or (part > whole).any() or (part < 0).any():
        raise ModelError("Counts of a subset must lie between 0 and the counts of the outcome, by neighborhood.")
    if whole.sum() == 0:
        raise ModelError("No past incident has a neighborhood: the share of the subset can't be measured.")
    city = float(part.sum() / whole.sum())
    strength = _strength(part, whole, city)
    if not np.isfinite(strength):
        alpha = beta = np.full(part.size + 1, np.inf)
        return Shares(city, strength, np.full(part.size + 1, city), alpha, beta)
    alpha = np.append(part + strength * city, part.sum())
    beta = np.append(whole - part + strength * (1 - city), (whole - part).sum())
    return Shares(city, strength, alpha / (alpha + beta), alpha, beta)


def _strength(subset: NDArray[np.float64], total: NDArray[np.float64], city: float) -> float:
    """Maximum-likelihood strength of the prior, infinite where neighborhoods differ no more than by chance."""
    from scipy.optimize import minimize_scalar
    from scipy.special import betaln

    if city in (0.0, 1.0) or (total > 0).sum() < 2:
        return float("inf")

    def loss(log_strength: float) -> float:
        m = np.exp(log_strength)
        a, b = m * city, m * (1 - city)
        return -float(np.sum(betaln(subset + a, total - subset + b) - betaln(a, b)))

    best = minimize_scalar(loss, bounds=(-3.0, 14.0), method="bounded", options={"xatol": 1e-6})
    return float("inf") if best.x > 13.9 else float(np.exp(best.x))


def subset_forecast(
    forecast: CellForecast,
    outcome: str,
    *,
    shares: Shares | None = None,
    neighborhood: NDArray[np.int32] | None = None,
    assumed_share: float | None = None,
    outcome_is: Sequence[str] = (),
) -> tuple[CellForecast | None, str]:
    """Forecast of the subset that evidence reads, or the reason why there is none.

    Parameters
    ----------
    forecast : CellForecast
        Of the whole outcome.
    outcome : str
        Name of the subset, such as ``firearm``.
    shares : Shares, optional
        Measured shares; they win over ``assumed_share``.
    neighborhood : ndarray of int32, shape (n,), optional
        Index of each cell's neighborhood, -1 for none.
    assumed_share : float, optional
        Configured share in (0, 1].
    outcome_is : sequence of str
        Names by which evidence may read the whole outcome of this run.

    Returns
    -------
    CellForecast or None
    str
        How the forecast was made, or why it could not be.
    """
    if outcome in outcome_is:
        return replace(forecast, outcome=outcome), f"the whole outcome of the run is {outcome}"
    if shares is not None:
        if neighborhood is None:
            raise ModelError("Shares by neighborhood need the neighborhood of every cell.")
        expected = forecast.expected * shares.share[neighborhood]
        made = replace(forecast, outcome=outcome, expected=expected, shares=shares, neighborhood=neighborhood)
        own = "a neighborhood counts with its own share, drawn towards the city's where few are known"
        return made, (
            f"{100 * shares.city:.0f} % of the city's incidents are of the kind that the evidence speaks of "
            f"({outcome}); {own if np.ptp(shares.share) > 0 else 'every place counts with this share'}"
        )
    if assumed_share is not None:
        if not 0.0 < assumed_share <= 1.0:
            raise ConfigError(f"assumed_share must lie in (0, 1]; found {assumed_share!r}.")
        expected = forecast.expected * assumed_share
        made = replace(forecast, outcome=outcome, expected=expected, assumed_share=assumed_share)
        return made, f"assumed share of {outcome}: {assumed_share:g} (configured, not measured)"
    return None, (
        f"the outcome has no subset {outcome!r}, which the evidence reads: declare outcome.subsets.{outcome} or an "
        "assumed_share; sites are ranked by forecast"
    )
