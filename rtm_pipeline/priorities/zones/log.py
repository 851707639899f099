"""The audit log of zones: which zones were in force, what a later night compares with, and what it has to flag."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rtm_pipeline.grid.spec import StudyGrid
from rtm_pipeline.priorities.columns import ZONES, build_table
from rtm_pipeline.units import Window

__all__ = ["flag_periods", "grid_name", "last_period", "still_running", "table_of_rows"]

Row = Mapping[str, object]


def grid_name(grid: StudyGrid) -> str:
    """The grid whose cell numbers a zone is made of; another cell size or area gives another name."""
    spec = grid.spec
    return f"{spec.crs} {spec.cell_size_u:g} {spec.west_u:.0f} {spec.south_u:.0f} {grid.n_cells}"


def last_period(rows: Sequence[Row], grid: StudyGrid, before: date) -> list[Row]:
    """Rows of the last period that began before a day, on this grid; of several runs for it, the last that was logged.

    Parameters
    ----------
    rows : sequence of mapping
        The log, oldest first; each with ``run_id``.
    grid : StudyGrid
    before : date
    """
    fit = [row for row in rows if row["grid"] == grid_name(grid) and str(row["period_start"]) < before.isoformat()]
    if not fit:
        return []
    start = max(str(row["period_start"]) for row in fit)
    run = [row["run_id"] for row in fit if row["period_start"] == start][-1]
    return [row for row in fit if row["period_start"] == start and row["run_id"] == run]


def still_running(rows: Sequence[Row], as_of: date) -> bool:
    """Whether the period of these rows goes on when a day begins: zones stay as they are until it ends."""
    midnight = datetime.combine(as_of, time())
    return any(datetime.fromisoformat(str(row["period_end"])) > midnight for row in rows)


def table_of_rows(rows: Sequence[Row]) -> pa.Table:
    """The logged zones as the table ``zones``."""
    return build_table(ZONES, {column.name: [row[column.name] for row in rows] for column in ZONES})


def flag_periods(
    rows: Sequence[Row],
    grid: StudyGrid,
    window: Window,
    cell: NDArray[np.int64],
    when: NDArray[np.datetime64],
) -> dict[str, object]:
    """What of a fit's outcome lies where and when zones were in force: it shows what was done there, too.

    Parameters
    ----------
    rows : sequence of mapping
        The log.
    grid : StudyGrid
    window : Window
        Outcome window of the fit.
    cell : ndarray of int64, shape (m,)
        Study cell of each incident, -1 outside.
    when : ndarray of datetime64, shape (m,)

    Returns
    -------
    dict
        ``periods``, ``days`` (of the window with zones in force), ``incidents`` (of the window within zones in force)
        and ``share`` (of the window's incidents); other grids' zones count as periods and days only.
    """
    first, last = np.datetime64(window.start), np.datetime64(window.end)
    inside = (when >= first) & (when < last) & (cell >= 0)
    flagged, days, periods = np.zeros(when.size, dtype=bool), set[int](), set[str]()
    for row in rows:
        start, end = np.datetime64(str(row["period_start"])), np.datetime64(str(row["period_end"]))
        if end <= first or start >= last:
            continue
        periods.add(str(row["period_start"]))
        span = np.arange(max(start, first), min(end.astype("datetime64[D]"), last))
        days.update(span.astype("datetime64[D]").astype(np.int64).tolist())
        if row["grid"] == grid_name(grid):
            cells = np.array(str(row["zone_cells"]).split(), dtype=np.int64)
            flagged |= np.isin(cell, cells) & (when >= start) & (when < end)
    count, total = int((flagged & inside).sum()), int(inside.sum())
    return {"periods": len(periods), "days": len(days), "incidents": count, "share": count / total if total else 0.0}
