"""The whole configuration of a city, as pydantic sees it."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, StringConstraints, field_validator, model_validator

from rtm_pipeline.config.fields import DurationText, LengthText, Slug, Strict, TextList
from rtm_pipeline.config.schema_layers import FlagModel, LayerModel, WhereModel
from rtm_pipeline.config.schema_programs import ProgramsModel
from rtm_pipeline.config.schema_sources import SourceModel

__all__ = ["CityModel"]


class ExcludeModel(Strict):
    """Polygons that are no part of the study area (water, an airfield)."""

    source: Slug
    where: WhereModel | None = None

    @model_validator(mode="before")
    @classmethod
    def _shorthand(cls, value: Any) -> Any:
        return {"source": value} if isinstance(value, str) else value


class OffsetModel(Strict):
    """Shift of the grid's anchor east and north, to see how much hangs on where cells begin."""

    x: LengthText | None = None
    y: LengthText | None = None


class AreaModel(Strict):
    """Study area and grid."""

    source: Slug
    """Source with the study area's polygons."""
    where: WhereModel | None = None
    """Which of them."""
    crs: str
    """Projected CRS of grid and outputs, such as ESRI:102696."""
    cell_size: LengthText = "250 ft"
    block: LengthText = "500 ft"
    """Mean block length of the city; half of it is the usual cell size."""
    offset: OffsetModel = OffsetModel()
    """Shift of the grid, for studies of stability: cells begin at multiples of cell_size, moved by this."""
    exclude: tuple[ExcludeModel, ...] = ()
    reach: Slug | None = None
    """Where the files end: a source with the polygon that they cover, or ``area`` if they stop at the study area's
    limits. Cells nearer to that edge than the largest influence are flagged: features beyond it are not seen."""


class FactorModel(Strict):
    """One risk factor."""

    layer: Slug
    label: str | None = None
    categories: TextList = ()
    operationalization: Literal["auto", "proximity", "density", "both"] = "auto"
    max_influence: LengthText = "3 blocks"
    increment: Literal["half", "whole"] = "half"
    """Steps of the ladder: half or whole blocks."""
    lookback: DurationText | None = None
    """Only rows dated within this time before the vintage."""


class OutcomeModel(Strict):
    """What is counted and explained."""

    layer: Slug
    window: DurationText = "1y"
    lag: DurationText | Literal["auto"] = "0d"
    """How long the feed is incomplete; auto measures it."""
    unit: Literal["incident", "offence"] = "incident"
    subsets: dict[Slug, FlagModel] = {}
    """Named parts of the outcome, such as firearm."""


class BootstrapModel(Strict):
    """Replicates of the two spatial-block bootstraps."""

    refits: int = Field(default=1000, ge=0, le=100_000)
    selections: int = Field(default=100, ge=0, le=10_000)
    level: float = Field(default=0.90, gt=0.5, lt=1)


class ModelModel(Strict):
    """Choices of the risk terrain model."""

    family: Literal["auto", "poisson", "nb1", "nb2"] = "auto"
    direction: Literal["aggravating", "protective", "both"] = "aggravating"
    alpha: float = Field(default=0.5, ge=0.01, le=1)
    folds: int = Field(default=5, ge=2, le=50)
    fold_kind: Literal["balanced", "blocks"] = "balanced"
    penalty_rule: Literal["min", "one_se"] = "min"
    screen: bool = True
    bootstrap: BootstrapModel = BootstrapModel()


class ForecastModel(Strict):
    """The forecast surface."""

    horizon: DurationText = "1y"
    history: DurationText | Literal["all"] = "all"
    """How far back past outcomes are read."""
    judge: Literal["behind", "ahead"] = "behind"
    """A night is judged on the last horizon before as_of; a backtest on the horizon ahead of it."""
    block_if_not_better: bool = False
    """Whether a forecast that is judged not_better than the best simple rule stops the run; otherwise it is published
    with that said on it."""


class ScheduleModel(Strict):
    """When the nightly run starts, in the city's time zone."""

    cron: Annotated[str, StringConstraints(pattern=r"^\S+( \S+){4}$")]


class CityModel(Strict):
    """One city, one file."""

    schema_: Literal[1] = Field(alias="schema")
    """Version of the configuration's format: 1."""
    city: Slug
    label: str | None = None
    """Name for people."""
    timezone: str
    as_of: date | None = None
    """For trials; by default the local date of the schedule's tick."""
    area: AreaModel
    sources: dict[Slug, SourceModel] = Field(min_length=1)
    layers: dict[Slug, LayerModel] = Field(min_length=1)
    factors: dict[Slug, FactorModel] = {}
    outcome: OutcomeModel
    model: ModelModel = ModelModel()
    forecast: ForecastModel = ForecastModel()
    programs: ProgramsModel | None = None
    schedule: ScheduleModel | None = None

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("is not a time zone; write an IANA name such as America/Chicago") from None
        return value
