"""Small values that travel between steps and belong to no room of their own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from rtm_pipeline.grid.spec import StudyGrid
from rtm_pipeline.units import Duration, Vintage, Window

if TYPE_CHECKING:
    from rtm_pipeline.factors import Factor

__all__ = ["FactorPair", "Place", "Rows", "RunVintages"]


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a source, from a snapshot or fresh.

    Attributes
    ----------
    table : pyarrow.Table
        Declared columns as text, plus where each row came from.
    crs : str or None
        Of the native geometry.
    fetched_at : datetime
        When they were read.
    """

    table: pa.Table
    crs: str | None
    fetched_at: datetime


@dataclass(frozen=True, slots=True)
class Place:
    """The study area and its grid.

    Attributes
    ----------
    area : shapely polygon
        In the CRS of the grid.
    grid : StudyGrid
    reach : shapely polygon, optional
        Where the files have data, in the CRS of the grid; None: beyond the largest influence everywhere.
    excluded : tuple of shapely polygons
        What was cut out of the area, in the CRS of the grid.
    """

    area: Any
    grid: StudyGrid
    reach: Any = None
    excluded: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class RunVintages:
    """What a run explains, and with what knowledge.

    Attributes
    ----------
    lag : Duration
        How long the outcome feed is incomplete.
    nightly : Vintage
        Outcome window of the published model and the date at which its factors were known.
    backtest : Vintage
        The same a horizon earlier: its model is scored on `judged`.
    as_of, cutoff : date
        When the nightly and the judged model are applied.
    judged : Window
        The outcome that the backtest is scored on.
    observed_at : date
        The outcome is taken as it was known then.
    """

    lag: Duration
    nightly: Vintage
    backtest: Vintage
    as_of: date
    cutoff: date
    judged: Window
    observed_at: date


@dataclass(frozen=True, slots=True)
class FactorPair:
    """One factor at the two dates of a vintage.

    Attributes
    ----------
    fit : Factor or None
        As known when the outcome window began.
    apply : Factor or None
        As known when the model is applied, with the cut-offs of the fit.
    left_out : str or None
        Why both are None.
    assumed : bool
        Whether they rest on a history that is only assumed.
    """

    fit: Factor | None
    apply: Factor | None
    left_out: str | None
    assumed: bool
