"""Everything that the products of a release are made from. Values in, files out: no product looks anything up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from rtm_pipeline.grid.spec import StudyGrid
from rtm_pipeline.layers.layer import LayerResult
from rtm_pipeline.sources.snapshot import Snapshot
from rtm_pipeline.units import Duration, Vintage, Window

if TYPE_CHECKING:
    from rtm_pipeline.factors import Factor
    from rtm_pipeline.surface.vintage import RiskTerrain

__all__ = ["ReleaseContent", "SourceCredit"]


@dataclass(frozen=True, slots=True)
class SourceCredit:
    """Whom a source is owed to, and its terms."""

    source: str
    attribution: str | None
    terms_url: str | None


@dataclass(frozen=True, slots=True)
class ReleaseContent:
    """One night, as values.

    Attributes
    ----------
    city, label : str
        Slug and name for people.
    run_id : str
    as_of : date
    vintage : Vintage
        Outcome window of the model, and when its factors were known.
    judged : Window
        What the backtest is scored on.
    horizon : Duration
        Of the forecast.
    outcome : str
        Layer that is explained; ``unit`` is what of it is counted.
    area : shapely polygon
        Study area in the CRS of the grid.
    terrain : RiskTerrain
    tiers : mapping of str to ndarray of uint8
        Surface -> tier of each cell, 1 (highest) to 5; 0 where there is none.
    factors : mapping of str to Factor
        As applied.
    left_out : tuple of mapping
        ``{factor, reason}`` of factors that the model could not use.
    layers : mapping of str to LayerResult
    snapshots : mapping of str to Snapshot
    labels : mapping of str to str
        Names for people of layers and factors.
    evaluation, forecast, priorities : object, optional
        What the later steps of the night made.
    """

    city: str
    label: str
    run_id: str
    as_of: date
    vintage: Vintage
    judged: Window
    horizon: Duration
    outcome: str
    unit: str
    grid: StudyGrid
    area: Any
    terrain: RiskTerrain
    tiers: Mapping[str, Any]
    factors: Mapping[str, Factor]
    left_out: tuple[Mapping[str, str], ...]
    layers: Mapping[str, LayerResult]
    snapshots: Mapping[str, Snapshot]
    labels: Mapping[str, str]
    credits: tuple[SourceCredit, ...] = ()
    evaluation: Any = None
    forecast: Any = None
    priorities: Any = None
    notes: Mapping[str, Any] = field(default_factory=dict)
