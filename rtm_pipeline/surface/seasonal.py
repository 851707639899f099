"""How incidents spread over the year and the week, estimated before the cut-off."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.surface.history import DAYS_PER_YEAR, History
from rtm_pipeline.units import Window

__all__ = ["SeasonalProfile", "annual_level"]

_PSEUDO_EVENTS = 100.0


@dataclass(frozen=True, slots=True)
class SeasonalProfile:
    """Relative frequency of incidents by month and weekday.

    Attributes
    ----------
    month : tuple of 12 floats
        January to December; 1 is the average day.
    weekday : tuple of 7 floats
        Monday to Sunday.
    """

    month: tuple[float, ...] = (1.0,) * 12
    weekday: tuple[float, ...] = (1.0,) * 7

    @classmethod
    def estimate(cls, history: History, cutoff: date) -> SeasonalProfile:
        """Estimate from rows known at the cut-off; a month or weekday with few rows is drawn to 1.

        The draw is that of a gamma prior worth 100 incidents spread over the year (or week), so the profile of a
        small city is flat rather than wild. Months that were never observed are 1.
        """
        past = history.known_by(cutoff)
        days = past.days()
        when = past.time[past.usable()].astype("datetime64[D]")
        total = when.size
        weekday = _relative(_weekday(when), _weekday(days), np.ones(days.size), total, 7)
        month = _relative(_month(when), _month(days), np.asarray(weekday)[_weekday(days)], total, 12)
        return cls(month, weekday)

    def mass(self, window: Window) -> float:
        """Days of ``window``, each weighted by its month and weekday."""
        days = _days(window)
        return float(np.sum(np.asarray(self.month)[_month(days)] * np.asarray(self.weekday)[_weekday(days)]))

    def years(self, window: Window) -> float:
        """``window`` as a share of an average year: what an annual number of incidents is multiplied by."""
        return self.mass(window) / (DAYS_PER_YEAR * self.mean)

    @property
    def mean(self) -> float:
        """Weight of the average day of the year."""
        return float(np.dot(self.month, _MONTH_DAYS)) / DAYS_PER_YEAR * float(np.mean(self.weekday))


_MONTH_DAYS = np.array([31, 28.25, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])


def annual_level(
    history: History,
    cutoff: date,
    decay: float,
    profile: SeasonalProfile,
    located_share: Mapping[int, float] | None = None,
) -> float:
    """Rows a year that are to be expected after the cut-off, for the whole study area.

    The decayed rows, plus half a row, divided by the decayed and seasonally weighted days on which they were observed.

    Parameters
    ----------
    history : History
    cutoff : date
    decay : float
        Weight of a row that is a year older.
    profile : SeasonalProfile
    located_share : mapping of int to float, optional
        Share of each year's rows that have a usable place, relative to the share of the years to come; rows of that
        year are divided by it.

    Returns
    -------
    float
        Rows (in the outcome's unit) in an average year.
    """
    past = history.known_by(cutoff)
    when = past.time[past.usable()]
    weights = decay ** ((np.datetime64(cutoff, "s") - when) / np.timedelta64(1, "D") / DAYS_PER_YEAR)
    if located_share:
        years = when.astype("datetime64[Y]").astype(np.int64) + 1970
        for year, share in located_share.items():
            weights[years == year] /= share
    days = past.days()
    ages = (np.datetime64(cutoff) - days) / np.timedelta64(1, "D") - 0.5
    season = np.asarray(profile.month)[_month(days)] * np.asarray(profile.weekday)[_weekday(days)]
    exposure = float(np.sum(decay ** (ages / DAYS_PER_YEAR) * season)) / (DAYS_PER_YEAR * profile.mean)
    if exposure <= 0 or when.size == 0:
        return 0.5
    return (float(np.sum(weights)) + 0.5) / exposure


def _relative(
    rows: NDArray[np.int64], days: NDArray[np.int64], weight: NDArray[np.float64], total: int, n: int
) -> tuple[float, ...]:
    found = np.bincount(rows, minlength=n)
    exposure = np.bincount(days, weights=weight, minlength=n)
    if total == 0 or exposure.sum() == 0:
        return (1.0,) * n
    expected = total * exposure / exposure.sum()
    prior = _PSEUDO_EVENTS / n
    return tuple(float(value) for value in (found + prior) / (expected + prior))


def _days(window: Window) -> NDArray[np.datetime64]:
    return np.arange(np.datetime64(window.start), np.datetime64(window.end))


def _month(days: NDArray[np.datetime64]) -> NDArray[np.int64]:
    return days.astype("datetime64[M]").astype(np.int64) % 12


def _weekday(days: NDArray[np.datetime64]) -> NDArray[np.int64]:
    return (days.astype("datetime64[D]").astype(np.int64) + 3) % 7  # 1 January 1970 was a Thursday
