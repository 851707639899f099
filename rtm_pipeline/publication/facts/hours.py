"""When it happens: counts by hour and weekday, by neighborhood and for the city.

The public edition holds small counts back, also against subtraction: a neighborhood's count and the city's table are
told, so tables of neighborhoods are protected together, along both margins (`protected_counts`). Where single hours
would be nearly all held back, hours and days are put together, in all neighborhoods alike. Its counts are those of
whole calendar months: from one night to the next nothing changes by which a single incident could be told.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.grid.locate import cells_of
from rtm_pipeline.layers.vintage import as_known, count_unit, select_rows
from rtm_pipeline.publication.content import ReleaseContent
from rtm_pipeline.publication.editions.protected_counts import held_back, protect_table
from rtm_pipeline.publication.editions.sexual_offenses import sexual_offenses
from rtm_pipeline.units import Window

__all__ = ["WEEKDAYS", "CountedRows", "HourTable", "Slots", "counted_rows", "hour_tables", "whole_months"]

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_LEAST_TIMED = 0.5
_LEAST_TOLD = 0.5  # of all incidents: coarser slots are taken until so many are told


@dataclass(frozen=True, slots=True, eq=False)
class Slots:
    """How the week is cut.

    Attributes
    ----------
    days : tuple of str, length d
    hours : tuple of str, length h
        Names of the parts of the day.
    day_of, hour_of : tuple of int, length 7 and 24
        Part to which each weekday (Monday first) and each hour belongs.
    """

    days: tuple[str, ...]
    hours: tuple[str, ...]
    day_of: tuple[int, ...]
    hour_of: tuple[int, ...]

    def table(self, weekday: NDArray[np.int64], hour: NDArray[np.int64]) -> NDArray[np.int64]:
        """Index (m,) of the slot, day by day, of weekdays (m,) and hours (m,)."""
        found = np.array(self.day_of)[weekday] * len(self.hours) + np.array(self.hour_of)[hour]
        return np.asarray(found, np.int64)

    @property
    def shape(self) -> tuple[int, int]:
        """Days by hours."""
        return len(self.days), len(self.hours)


def _hour_name(hour: int) -> str:
    if hour in (0, 12):
        return "midnight" if hour == 0 else "noon"
    return f"{hour % 12} {'a.m.' if hour < 12 else 'p.m.'}"


_QUARTERS = ("midnight to 6 a.m.", "6 a.m. to noon", "noon to 6 p.m.", "6 p.m. to midnight")
_QUARTER_OF = tuple(hour // 6 for hour in range(24))
HOURLY = Slots(WEEKDAYS, tuple(_hour_name(hour) for hour in range(24)), tuple(range(7)), tuple(range(24)))
LADDER = (
    HOURLY,
    Slots(WEEKDAYS, _QUARTERS, tuple(range(7)), _QUARTER_OF),
    Slots(("Monday to Friday", "Saturday and Sunday"), _QUARTERS, (0, 0, 0, 0, 0, 1, 1), _QUARTER_OF),
)


@dataclass(frozen=True, slots=True, eq=False)
class CountedRows:
    """The rows of the outcome that are counted in a window.

    Attributes
    ----------
    window : Window
    cell : ndarray of int32, shape (m,)
    time : ndarray of datetime64[s], shape (m,)
    city_only : ndarray of bool, shape (m,)
        Incidents with a sexual offense: told for the city as a whole, never for a smaller place in public.
    """

    window: Window
    cell: NDArray[np.int32]
    time: NDArray[np.datetime64]
    city_only: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class HourTable:
    """Counts by weekday and hour, or by larger parts of the week.

    Attributes
    ----------
    slots : Slots
    counts : ndarray of int64, shape (days, hours)
        0 where hidden.
    hidden : ndarray of bool, shape (days, hours)
    """

    slots: Slots
    counts: NDArray[np.int64]
    hidden: NDArray[np.bool_]

    @property
    def shown(self) -> int:
        """How many of the counts are shown."""
        return int((~self.hidden).sum())


def whole_months(window: Window) -> Window:
    """The window moved back so that it ends with a calendar month; one of whole years or months keeps its length."""
    end = window.end.replace(day=1)
    months = (window.end.year - window.start.year) * 12 + window.end.month - window.start.month
    if window.start.day == window.end.day and months > 0:
        at = end.year * 12 + end.month - 1 - months
        return Window(date(at // 12, at % 12 + 1, 1), end)
    return Window(end - (window.end - window.start), end)


def counted_rows(content: ReleaseContent, window: Window) -> CountedRows | None:
    """The rows that are counted in a window, each with its cell; None where the outcome has no row there."""
    result = content.layers.get(content.outcome)
    if result is None or len(result.layer) == 0:
        return None
    seen = as_known(result.layer, content.as_of)
    sexual = sexual_offenses(content).rows(seen)
    rows = count_unit(seen, window, content.unit, rows=seen.inside)
    counted = select_rows(seen, rows)
    if not len(counted):
        return None
    cell = cells_of(content.grid, counted.x, counted.y)
    here = cell >= 0
    return CountedRows(window, cell[here], counted.time[here], sexual[rows][here])


def hour_tables(
    rows: CountedRows, of_cell: NDArray[np.int32], n_areas: int, *, public: bool, sums_told: NDArray[np.bool_]
) -> list[HourTable] | None:
    """One table an area, and a last one for the city; None where the record has no times of day.

    Parameters
    ----------
    rows : CountedRows
    of_cell : ndarray of int32, shape (n_cells,)
    n_areas : int
    public : bool
        Hide small counts, and leave out what is told for the city only.
    sums_told : ndarray of bool, shape (n_areas,)
        Areas whose count of incidents is told.
    """
    days = rows.time.astype("datetime64[D]")
    seconds = (rows.time - days).astype(np.int64)
    if rows.time.size == 0 or float(np.mean(seconds != 0)) < _LEAST_TIMED:
        return None
    hour = seconds // 3600
    weekday = (days.astype(np.int64) + 3) % 7  # 1970-01-01 was a Thursday
    area = of_cell[rows.cell]
    told = (area >= 0) & ~(rows.city_only & public)
    city = _city_table(HOURLY.table(weekday, hour), public)
    found: list[HourTable] = []
    for slots in LADDER if public else (HOURLY,):
        counts = _counts(slots.table(weekday[told], hour[told]), area[told], n_areas, slots)
        hidden = np.zeros(counts.shape, bool)
        if public:
            hidden = protect_table(counts, sums_told, np.ones(counts.shape[1], bool))
        found = [_table(slots, counts[at], hidden[at]) for at in range(n_areas)]
        if counts[~hidden].sum() >= _LEAST_TOLD * counts.sum():
            break
    return [*found, city]


def _counts(slot: NDArray[np.int64], area: NDArray[np.int32], n_areas: int, slots: Slots) -> NDArray[np.int64]:
    size = slots.shape[0] * slots.shape[1]
    flat = np.bincount(area.astype(np.int64) * size + slot, minlength=n_areas * size)
    return flat.reshape(n_areas, size).astype(np.int64)


def _city_table(slot: NDArray[np.int64], public: bool) -> HourTable:
    counts = np.bincount(slot, minlength=168).astype(np.int64)
    nothing = np.zeros(counts.size, bool)
    return _table(HOURLY, counts, held_back(counts.astype(np.float64), nothing) if public else nothing)


def _table(slots: Slots, counts: NDArray[np.int64], hidden: NDArray[np.bool_]) -> HourTable:
    shape = slots.shape
    return HourTable(slots, np.where(hidden, 0, counts).reshape(shape), hidden.reshape(shape))
