"""Lengths, durations, windows and vintages: the small types that keep units and dates from being confused.

Lengths are written with their unit and resolved once, against the CRS of the city, to *CRS units* (suffix ``_u``
in names) and meters (suffix ``_m``). Dates are city-local; every window is half-open and begins and ends at local
midnight.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ConfigError

__all__ = ["Duration", "Length", "Vintage", "Window"]

FOOT_M = 0.3048
MILE_M = 1609.344
_LENGTH = re.compile(r"^\s*([0-9]+(?:\.[0-9]+)?|\.[0-9]+)\s*(ft|feet|foot|m|meters?|km|mi|miles?|blocks?)\s*$")
_LENGTH_UNITS = {
    "feet": "ft",
    "foot": "ft",
    "meter": "m",
    "meters": "m",
    "mile": "mi",
    "miles": "mi",
    "blocks": "block",
}
_DURATION = re.compile(r"^\s*([0-9]+)\s*(y|mo|w|d|h)\s*$")


@dataclass(frozen=True, slots=True)
class Length:
    """A length as a person writes it: ``250 ft``, ``76 m``, ``3 blocks``.

    Attributes
    ----------
    value : float
        The number, positive.
    unit : str
        One of ``ft``, ``m``, ``km``, ``mi``, ``block``.
    """

    value: float
    unit: str

    @classmethod
    def parse(cls, text: str) -> Length:
        """Read ``"250 ft"``; raise ConfigError with the allowed units if that fails."""
        match = _LENGTH.match(str(text))
        if match is None:
            raise ConfigError(
                f"{text!r} is not a length. Write a positive number and a unit (ft, m, km, mi, blocks), as in '250 ft'."
            )
        value = float(match.group(1))
        if value <= 0:
            raise ConfigError(f"The length {text!r} must be greater than zero.")
        unit = match.group(2)
        return cls(value, _LENGTH_UNITS.get(unit, unit))

    def in_meters(self, *, crs_unit_m: float, block_m: float | None = None) -> float:
        """Meters. ``ft`` is the CRS's own foot where its unit is a foot (``crs_unit_m``), else 0.3048 m."""
        if self.unit == "ft":
            return self.value * (crs_unit_m if 0.3 < crs_unit_m < 0.31 else FOOT_M)
        if self.unit == "block":
            if block_m is None:
                raise ConfigError("A length in blocks needs area.block to say how long a block is.")
            return self.value * block_m
        return self.value * {"m": 1.0, "km": 1000.0, "mi": MILE_M}[self.unit]

    def in_crs_units(self, *, crs_unit_m: float, block_m: float | None = None) -> float:
        """CRS units; rounded to 1e-9 so that 250 ft in a foot CRS is exactly 250."""
        return round(self.in_meters(crs_unit_m=crs_unit_m, block_m=block_m) / crs_unit_m, 9)

    def __str__(self) -> str:
        unit = "blocks" if self.unit == "block" and self.value != 1 else self.unit
        return f"{self.value:g} {unit}"


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of time as a person writes it: ``1y``, ``6mo``, ``2w``, ``90d``, ``72h``.

    ``1y`` before a date is the same calendar date a year earlier (28 February for 29 February).
    """

    value: int
    unit: str

    @classmethod
    def parse(cls, text: str) -> Duration:
        """Read ``"1y"``; raise ConfigError with the allowed units if that fails."""
        match = _DURATION.match(str(text))
        if match is None:
            raise ConfigError(
                f"{text!r} is not a duration. Write a whole number and a unit: y, mo, w, d or h, as in '1y' or '90d'."
            )
        return cls(int(match.group(1)), match.group(2))

    @property
    def is_zero(self) -> bool:
        """Whether it is a duration of nothing."""
        return self.value == 0

    def before(self, day: date) -> date:
        """The date this long before ``day``."""
        return _shift(day, self, -1)

    def after(self, day: date) -> date:
        """The date this long after ``day``."""
        return _shift(day, self, +1)

    @property
    def approximate_days(self) -> float:
        """Days, with a year of 365.25 and a month of 30.4375; for comparisons and scaling only."""
        return self.value * {"y": 365.25, "mo": 30.4375, "w": 7.0, "d": 1.0, "h": 1.0 / 24.0}[self.unit]

    def __str__(self) -> str:
        return f"{self.value}{self.unit}"


def _shift(day: date, by: Duration, sign: int) -> date:
    try:
        return _moved(day, by, sign)
    except (ValueError, OverflowError):
        raise ConfigError(f"{by} {'after' if sign > 0 else 'before'} {day} is no date of the calendar.") from None


def _moved(day: date, by: Duration, sign: int) -> date:
    if by.unit == "h":
        if by.value % 24:
            raise ConfigError(f"{by} is not a whole number of days; windows begin and end at local midnight.")
        return day + sign * timedelta(days=by.value // 24)
    if by.unit in ("d", "w"):
        return day + sign * timedelta(days=by.value * (7 if by.unit == "w" else 1))
    months = by.value * (12 if by.unit == "y" else 1)
    index = day.year * 12 + day.month - 1 + sign * months
    year, month = divmod(index, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


@dataclass(frozen=True, slots=True)
class Window:
    """A half-open span of local days, [start, end): from local midnight of ``start`` to that of ``end``."""

    start: date
    end: date

    def __post_init__(self) -> None:
        if self.start >= self.end:
            raise ConfigError(f"A window must begin before it ends; found [{self.start}, {self.end}).")

    @property
    def days(self) -> int:
        """Number of days."""
        return (self.end - self.start).days

    def contains(self, times: NDArray[np.datetime64]) -> NDArray[np.bool_]:
        """Which of ``times`` (datetime64, local) lie in the window; NaT lies in none."""
        return (times >= np.datetime64(self.start)) & (times < np.datetime64(self.end))

    def __str__(self) -> str:
        return f"[{self.start}, {self.end})"


@dataclass(frozen=True, slots=True)
class Vintage:
    """What was known when, and which outcome is explained or judged with it.

    Attributes
    ----------
    known_at : date
        Factors use rows that were known before the local midnight that begins this day.
    outcome : Window
        The days whose incidents are the outcome.
    """

    known_at: date
    outcome: Window
