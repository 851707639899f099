"""311 layers as the evaluation reads them: how fast each neighborhood reports, and what is known of each category."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.evaluation.backtest_spec import AreaGroups
from rtm_pipeline.evaluation.evidence_311 import EvidenceInput
from rtm_pipeline.evaluation.reporting import ReportingRates, reporting_rates
from rtm_pipeline.grid.locate import cells_of
from rtm_pipeline.grid.spec import StudyGrid
from rtm_pipeline.layers.layer import Layer
from rtm_pipeline.layers.repeats import repeat_of
from rtm_pipeline.layers.vintage import as_known
from rtm_pipeline.units import Duration, Window

__all__ = ["InModel", "RequestPeriods", "category_inputs", "reporting_of", "request_groups"]

_SLACK = timedelta(days=31)  # a record that begins or ends within a month of a period's end covers it


@dataclass(frozen=True, slots=True)
class InModel:
    """A category's factor in the published model; None where it did not enter, or was not tried."""

    selection_frequency: float | None = None
    rrv: float | None = None
    rrv_low: float | None = None
    rrv_high: float | None = None


@dataclass(frozen=True, slots=True)
class RequestPeriods:
    """Which requests are looked at.

    Attributes
    ----------
    known_at : date
        The outcome window begins here: requests of the ``lookback`` before it are compared with the outcome.
    as_of : date
        The newest period ends here.
    lookback : Duration
    """

    known_at: date
    as_of: date
    lookback: Duration

    def window(self, end: date) -> Window:
        """The lookback that ends at ``end``."""
        return Window(self.lookback.before(end), end)


def request_groups(layer: Layer, grid: StudyGrid, groups: AreaGroups) -> NDArray[np.int32]:
    """Area of each request, shape (m,); -1: none."""
    cell = cells_of(grid, layer.x, layer.y)
    return np.where(cell >= 0, groups.group[np.maximum(cell, 0)], -1).astype(np.int32)


def reporting_of(layer: Layer, grid: StudyGrid, groups: AreaGroups, as_of: date) -> ReportingRates:
    """How fast each area reports, from the requests known at ``as_of``."""
    seen = as_known(layer, as_of)
    return reporting_rates(
        repeat_of(seen),
        seen.time,
        request_groups(seen, grid, groups),
        len(groups.names),
        as_of,
        ceased=None if bool(np.isnat(seen.until).all()) else seen.until,
        kind=seen.category,
    )


def category_inputs(
    layer: Layer,
    grid: StudyGrid,
    periods: RequestPeriods,
    in_model: Mapping[str, InModel],
    rates: ReportingRates | None,
    groups: AreaGroups | None,
) -> tuple[EvidenceInput, ...]:
    """What is known of every category of a layer; a layer without categories is one, under its own name.

    Parameters
    ----------
    layer : Layer
    grid : StudyGrid
    periods : RequestPeriods
    in_model : mapping of str to InModel
        By category.
    rates : ReportingRates, optional
        Of the areas of ``groups``; None: how fast categories are reported is not told.
    groups : AreaGroups, optional
    """
    then, now = as_known(layer, periods.known_at), as_known(layer, periods.as_of)
    names = layer.category_names or (layer.name,)
    centers = np.column_stack([grid.center_x_u, grid.center_y_u])
    reach = _reach(now)
    area = None if groups is None else request_groups(now, grid, groups)
    found = []
    for index, name in enumerate(names):
        code = index if layer.category_names else -1
        basis = _incidents(then, code, periods.window(periods.known_at))
        latest = periods.window(periods.as_of)
        before = periods.window(latest.start)
        model = in_model.get(name, InModel())
        rows = _incidents(now, code, None)
        found.append(
            EvidenceInput(
                category=name,
                requests=int(basis.size),
                requests_latest=int(_incidents(now, code, latest).size) if _covered(reach, latest) else None,
                requests_before=int(_incidents(now, code, before).size) if _covered(reach, before) else None,
                distance_m=_distance(then, basis, centers) * grid.spec.unit_m,
                selection_frequency=model.selection_frequency,
                rrv=model.rrv,
                rrv_low=model.rrv_low,
                rrv_high=model.rrv_high,
                reports_per_month=None if rates is None or area is None else _speed(rates, area[rows]),
            )
        )
    return tuple(found)


def _incidents(layer: Layer, code: int, window: Window | None) -> NDArray[np.intp]:
    """Rows of first reports of a category, dated in a window; one for each incident."""
    wanted = layer.category == code
    if window is not None:
        wanted &= window.contains(layer.time)
    rows = np.flatnonzero(wanted)
    return rows[np.sort(np.unique(layer.incident[rows], return_index=True)[1])]


def _reach(layer: Layer) -> Window | None:
    dated = layer.time[~np.isnat(layer.time)]
    if dated.size == 0:
        return None
    first: date = dated.min().astype("datetime64[D]").item()
    last: date = dated.max().astype("datetime64[D]").item()
    return Window(first, last + timedelta(days=1))


def _covered(reach: Window | None, window: Window) -> bool:
    return reach is not None and reach.start <= window.start + _SLACK and reach.end >= window.end - _SLACK


def _distance(layer: Layer, rows: NDArray[np.intp], centers: NDArray[np.float64]) -> NDArray[np.float64]:
    """From each cell center to the nearest of the rows, CRS units; infinite without any."""
    from scipy.spatial import cKDTree

    if rows.size == 0:
        return np.full(len(centers), np.inf)
    tree = cKDTree(np.column_stack([layer.x[rows], layer.y[rows]]))
    return np.asarray(tree.query(centers)[0], np.float64)


def _speed(rates: ReportingRates, area: NDArray[np.int32]) -> float | None:
    """Further reports in 30 days of an incident already reported, where these requests are made."""
    inside = area[area >= 0]
    if not rates.corrected or inside.size == 0:
        return None
    return float(np.mean(rates.rate_per_day[inside]) * 30.0)
