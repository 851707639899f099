"""A city as the rooms see it: every setting resolved to frozen specs, no YAML left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from rtm_pipeline.config.health import HealthPlan
from rtm_pipeline.config.operations import OperationsSpec
from rtm_pipeline.config.programs import ProgramsPlan
from rtm_pipeline.factors.spec import FactorSpec
from rtm_pipeline.layers.conditions import Filter
from rtm_pipeline.layers.spec import LayerSpec
from rtm_pipeline.model.spec import ModelSpec
from rtm_pipeline.sources.spec import ColumnRequest, Source
from rtm_pipeline.units import Duration, Vintage, Window

__all__ = ["COVERS_AREA", "EDITIONS", "AreaSpec", "City", "ForecastSpec", "OutcomeSpec", "Selection"]


COVERS_AREA = "area"  # coverage or reach: the study area itself, and nothing outside it
EDITIONS = ("public", "restricted")


@dataclass(frozen=True, slots=True)
class Selection:
    """Polygons of a source, all or those that pass a filter."""

    source: str
    where: Filter | None = None


@dataclass(frozen=True, slots=True)
class AreaSpec:
    """Study area and grid; lengths in CRS units (``_u``) and meters (``_m``)."""

    polygons: Selection
    exclude: tuple[Selection, ...]
    crs: str
    unit_m: float
    cell_size_u: float
    block_u: float
    buffer_u: float
    """Largest spatial influence of any factor: features this far outside the area still count."""
    offset_x_u: float = 0.0
    offset_y_u: float = 0.0
    """Shift of the grid's anchor."""
    reach: str | None = None
    """Source with the polygon that the files cover, or ``area``: they end at the limits; None: they reach beyond."""


@dataclass(frozen=True, slots=True)
class OutcomeSpec:
    """What is counted; ``lag`` None means: measure it."""

    layer: str
    window: Duration
    lag: Duration | None
    unit: str
    subsets: tuple[str, ...]
    sexual: str | None = None
    """Flag of the layer that marks sexual offenses; ``none``: there are none in it; None: nobody said."""


@dataclass(frozen=True, slots=True)
class ForecastSpec:
    """Horizon of the forecast and reach of the past; ``history`` None means all there is."""

    horizon: Duration
    history: Duration | None
    block_if_not_better: bool
    judge_ahead: bool


@dataclass(frozen=True, slots=True)
class City:
    """Everything that a run needs to know, but for where files lie.

    Attributes
    ----------
    columns : mapping of str to tuple of ColumnRequest
        Per source, the columns that some layer declares; no other is ever kept.
    native_geometry : frozenset of str
        Sources whose own geometry is read.
    schedule_cron : str, optional
        When it is run every night, in its time zone.
    watch : bool
        Whether it is also run when its sources have changed.
    operations : OperationsSpec
        Retries, freshness, retention, alerts.
    labels : mapping of str to str
        Names for people of layers and factors.
    health : HealthPlan
        When data are doubted.
    editions : mapping of str to tuple of str
        Source -> which editions its terms allow to carry it.
    contact : str or None
        Whom residents tell of an error.
    """

    name: str
    label: str
    timezone: str
    as_of: date | None
    area: AreaSpec
    sources: Mapping[str, Source]
    columns: Mapping[str, tuple[ColumnRequest, ...]]
    native_geometry: frozenset[str]
    layers: Mapping[str, LayerSpec]
    factors: Mapping[str, FactorSpec]
    outcome: OutcomeSpec
    model: ModelSpec
    forecast: ForecastSpec
    programs: ProgramsPlan | None
    schedule_cron: str | None
    watch: bool
    operations: OperationsSpec
    labels: Mapping[str, str]
    health: HealthPlan
    editions: Mapping[str, tuple[str, ...]]
    contact: str | None = None

    @property
    def area_sources(self) -> tuple[str, ...]:
        """Sources that the study area and its grid are made of."""
        reach = [self.area.reach] if self.area.reach not in (None, COVERS_AREA) else []
        names = [self.area.polygons.source, *(exclude.source for exclude in self.area.exclude), *reach]
        return tuple(dict.fromkeys(str(name) for name in names))

    @property
    def used_sources(self) -> tuple[str, ...]:
        """Sources that anything draws on, in the order of the configuration."""
        coverages = {spec.coverage for spec in self.layers.values()} - {None, COVERS_AREA}
        used = {*self.area_sources, *(spec.source for spec in self.layers.values()), *coverages}
        return tuple(name for name in self.sources if name in used)

    def layers_of(self, source: str) -> tuple[str, ...]:
        """Names of the layers that draw on a source."""
        return tuple(name for name, spec in self.layers.items() if spec.source == source)

    def fit_vintage(self, as_of: date, lag: Duration | None = None) -> Vintage:
        """Outcome of the window that ends ``lag`` before ``as_of``, factors known when it began."""
        lag = lag or self.outcome.lag or Duration(0, "d")
        end = lag.before(as_of)
        start = self.outcome.window.before(end)
        return Vintage(start, Window(start, end))

    def apply_vintage(self, as_of: date) -> Vintage:
        """Factors known at ``as_of``, for the horizon that begins then."""
        return Vintage(as_of, Window(as_of, self.forecast.horizon.after(as_of)))
