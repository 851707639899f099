"""When it happens: counts by hour and weekday, by neighborhood and for the city."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.grid.locate import cells_of
from rtm_pipeline.layers.layer import Layer
from rtm_pipeline.layers.vintage import as_known, count_unit, select_rows
from rtm_pipeline.publication.content import ReleaseContent
from rtm_pipeline.publication.suppression import held_back

__all__ = ["WEEKDAYS", "CountedRows", "HourTable", "counted_rows", "hour_tables"]

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_SEXUAL = re.compile(r"rape|sex|sodom|indecen|molest|incest", re.IGNORECASE)
_LEAST_TIMED = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class CountedRows:
    """The rows of the outcome that are counted in the window that the model explains.

    Attributes
    ----------
    cell : ndarray of int32, shape (m,)
    time : ndarray of datetime64[s], shape (m,)
    city_only : ndarray of bool, shape (m,)
        Sexual offences: told for the city as a whole, never for a smaller place.
    """

    cell: NDArray[np.int32]
    time: NDArray[np.datetime64]
    city_only: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class HourTable:
    """Counts by weekday and hour.

    Attributes
    ----------
    counts : ndarray of int64, shape (7, 24)
        Monday to Sunday, midnight to 11 p.m.; 0 where hidden.
    hidden : ndarray of bool, shape (7, 24)
    """

    counts: NDArray[np.int64]
    hidden: NDArray[np.bool_]

    @property
    def shown(self) -> int:
        """How many of the cells are shown."""
        return int((~self.hidden).sum())


def counted_rows(content: ReleaseContent) -> CountedRows | None:
    """The rows behind the model's counts, each with its cell; None where the outcome has no dated row."""
    result = content.layers.get(content.outcome)
    if result is None or len(result.layer) == 0:
        return None
    seen = as_known(result.layer, content.as_of)
    rows = count_unit(seen, content.vintage.outcome, content.unit, rows=seen.inside)
    counted = select_rows(seen, rows)
    if not len(counted):
        return None
    cell = cells_of(content.grid, counted.x, counted.y)
    here = cell >= 0
    return CountedRows(cell[here], counted.time[here], _city_only(content, counted)[here])


def hour_tables(rows: CountedRows, of_cell: NDArray[np.int32], n_areas: int, *, public: bool) -> list[HourTable] | None:
    """One table an area, and a last one for the city; None where the record has no times of day.

    Parameters
    ----------
    rows : CountedRows
    of_cell : ndarray of int32, shape (n_cells,)
    n_areas : int
    public : bool
        Hide small counts, and leave out what is told for the city only.
    """
    seconds = (rows.time - rows.time.astype("datetime64[D]")).astype(np.int64)
    if rows.time.size == 0 or float(np.mean(seconds != 0)) < _LEAST_TIMED:
        return None
    hour = seconds // 3600
    weekday = (rows.time.astype("datetime64[D]").astype(np.int64) + 3) % 7  # 1970-01-01 was a Thursday
    slot = weekday * 24 + hour
    area = of_cell[rows.cell]
    told = (area >= 0) & ~(rows.city_only & public)
    flat = np.bincount(area[told] * 168 + slot[told], minlength=n_areas * 168).reshape(n_areas, 7, 24)
    city = np.bincount(slot, minlength=168).reshape(7, 24)
    return [_table(counts, public) for counts in (*flat, city)]


def _table(counts: NDArray[np.int64], public: bool) -> HourTable:
    nothing = np.zeros(counts.size, bool)
    hidden = (held_back(counts.ravel().astype(np.float64), nothing) if public else nothing).reshape(counts.shape)
    return HourTable(np.where(hidden, 0, counts).astype(np.int64), hidden)


def _city_only(content: ReleaseContent, layer: Layer) -> NDArray[np.bool_]:
    named = content.notes.get("city_level_only", ())
    codes = [at for at, name in enumerate(layer.category_names) if name in named or _SEXUAL.search(name)]
    return np.isin(layer.category, codes) if codes else np.zeros(len(layer), bool)
