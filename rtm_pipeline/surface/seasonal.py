"""How incidents spread over the year and the week, estimated before the cut-off."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.surface.history import DAYS_PER_YEAR, History
from rtm_pipeline.surface.regression import poisson_ridge
from rtm_pipeline.units import Window

__all__ = ["SeasonalProfile", "annual_level"]

_PSEUDO_EVENTS = 100.0
_MONTH_SD_INVERSE = 1.0 / 0.15
_YEAR_SD = 1.0


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
        """Estimate from rows known at the cut-off.

        Months and calendar years have an effect each, in a Poisson regression of the monthly counts, so that a trend
        from year to year does not pass for a season. Effects are drawn to 0 (the months' as by a prior with a
        standard deviation of 0.15), so the profile of a small city is flat rather than wild. With less than a year
        on record all months are 1.
        """
        past = history.told_by(cutoff)
        days, when = past.days(), past.time[past.usable()].astype("datetime64[D]")
        weekday = _weekdays(when, days)
        if past.observed.days < DAYS_PER_YEAR - 1 or when.size == 0:
            return cls(weekday=weekday)
        return cls(_months(when, days, np.asarray(weekday)[_weekday(days)]), weekday)

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
    Days just before the cut-off that are not told yet (`History.told_by`) are no quiet days.

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
    past = history.told_by(cutoff)
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


def _weekdays(when: NDArray[np.datetime64], days: NDArray[np.datetime64]) -> tuple[float, ...]:
    """Rows of each weekday over what its days would lead one to expect, drawn to 1 as by 100 incidents a week."""
    if when.size == 0:
        return (1.0,) * 7
    exposure = np.bincount(_weekday(days), minlength=7)
    expected = when.size * exposure / exposure.sum()
    prior = _PSEUDO_EVENTS / 7
    found = np.bincount(_weekday(when), minlength=7)
    return tuple(float(value) for value in (found + prior) / (expected + prior))


def _months(
    when: NDArray[np.datetime64], days: NDArray[np.datetime64], weight: NDArray[np.float64]
) -> tuple[float, ...]:
    first = days[0].astype("datetime64[M]").astype(np.int64)
    index = days.astype("datetime64[M]").astype(np.int64) - first
    size = int(index.max()) + 1
    exposure = np.bincount(index, weights=weight, minlength=size)
    found = np.bincount(when.astype("datetime64[M]").astype(np.int64) - first, minlength=size)
    present = np.flatnonzero(exposure > 0)
    month = (present + first) % 12
    year = (present + first) // 12
    by_month = (month[:, None] == np.arange(12)).astype(np.float64)
    by_year = (year[:, None] == np.unique(year)).astype(np.float64) * (_MONTH_SD_INVERSE * _YEAR_SD)
    beta = poisson_ridge(
        np.concatenate([by_month, by_year], axis=1),
        found[present].astype(np.float64),
        np.log(exposure[present]),
        _MONTH_SD_INVERSE**2,
    )
    return tuple(float(value) for value in np.exp(beta[1:13]))


def _days(window: Window) -> NDArray[np.datetime64]:
    return np.arange(np.datetime64(window.start), np.datetime64(window.end))


def _month(days: NDArray[np.datetime64]) -> NDArray[np.int64]:
    return days.astype("datetime64[M]").astype(np.int64) % 12


def _weekday(days: NDArray[np.datetime64]) -> NDArray[np.int64]:
    return (days.astype("datetime64[D]").astype(np.int64) + 3) % 7  # 1 January 1970 was a Thursday
