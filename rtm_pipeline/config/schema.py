"""The whole configuration of a city, as pydantic sees it."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, StringConstraints, field_validator, model_validator

from rtm_pipeline.config.fields import DurationText, LengthText, Slug, Strict, TextList
from rtm_pipeline.config.schema_health import EditionList, HealthModel
from rtm_pipeline.config.schema_layers import FlagModel, LayerModel, WhereModel
from rtm_pipeline.config.schema_operations import OperationsModel
from rtm_pipeline.config.schema_programs import ProgramsModel
from rtm_pipeline.config.schema_sources import Host, PortalModel, SourceModel

__all__ = ["CityModel"]


class ExcludeModel(Strict):
    """Polygons that are no part of the study area (water, an airfield)."""

    shorthand = ({"type": "string"},)

    source: Slug
    """Source with the polygons."""
    where: WhereModel | None = None
    """Which of them; all by default."""

    @model_validator(mode="before")
    @classmethod
    def _shorthand(cls, value: Any) -> Any:
        return {"source": value} if isinstance(value, str) else value


class OffsetModel(Strict):
    """Shift of the grid's anchor east and north, to see how much hangs on where cells begin."""

    x: LengthText | None = None
    """To the east."""
    y: LengthText | None = None
    """To the north."""


class AreaModel(Strict):
    """Study area and grid."""

    source: Slug
    """Source with the study area's polygons."""
    where: WhereModel | None = None
    """Which of them."""
    crs: str
    """Projected CRS of grid and outputs, such as ESRI:102696."""
    cell_size: LengthText = "250 ft"
    """Side of a grid cell, as '250 ft' or '100 m'; the usual one is half a block."""
    block: LengthText = "500 ft"
    """Mean block length of the city; half of it is the usual cell size."""
    offset: OffsetModel = OffsetModel()
    """Shift of the grid, for studies of stability: cells begin at multiples of cell_size, moved by this."""
    exclude: tuple[ExcludeModel, ...] = ()
    """Polygons that are no part of the study area, such as water or an airfield: names of sources."""
    reach: Slug | None = None
    """Where the files end: a source with the polygon that they cover, or ``area`` if they stop at the study area's
    limits. Cells nearer to that edge than the largest influence are flagged: features beyond it are not seen."""


class FactorModel(Strict):
    """One risk factor."""

    layer: Slug
    """The layer whose features may attract or generate the outcome."""
    label: str | None = None
    """Name for people; the layer's by default."""
    categories: TextList = ()
    """Only these categories of the layer's vocabulary."""
    operationalization: Literal["auto", "proximity", "density", "both"] = "auto"
    """How the layer works on its surroundings: proximity (within a distance), density (many around), both, or auto
    (proximity unless the points cluster)."""
    max_influence: LengthText = "3 blocks"
    """Largest spatial influence that is tried, as '3 blocks' or '1500 ft'."""
    increment: Literal["half", "whole"] = "half"
    """Steps of the ladder: half or whole blocks."""
    lookback: DurationText | None = None
    """Only rows dated within this time before the vintage."""


class OutcomeModel(Strict):
    """What is counted and explained."""

    layer: Slug
    """Layer of kind events that is counted."""
    window: DurationText = "1y"
    """Length of the window whose incidents the model explains, as '1y'."""
    lag: DurationText | Literal["auto"] = "0d"
    """How long the feed is incomplete; auto measures it."""
    unit: Literal["incident", "offence"] = "incident"
    """incident: each report once; offence: each row."""
    subsets: dict[Slug, FlagModel] = {}
    """Named parts of the outcome, such as firearm."""
    sexual_offenses: FlagModel | Literal["none"] | None = None
    """Which rows are sexual offenses, or none. The public edition tells them for the city only; as long as nothing is
    said here and no category is named so, it holds back all counts of neighborhoods."""


class BootstrapModel(Strict):
    """Replicates of the two spatial-block bootstraps."""

    refits: int = Field(default=1000, ge=0, le=100_000)
    """Refits of the final model, for intervals given the selection."""
    selections: int = Field(default=100, ge=0, le=10_000)
    """Replicates of screening and selection, for how often a variable is selected."""
    level: float = Field(default=0.90, gt=0.5, lt=1)
    """Coverage of the intervals."""


class ModelModel(Strict):
    """Choices of the risk terrain model."""

    family: Literal["auto", "poisson", "nb1", "nb2"] = "auto"
    """Distribution of the counts: poisson, nb1 (variance mu + sigma mu), nb2 (variance mu + alpha mu^2); auto is
    the better of poisson and nb1 by BIC."""
    direction: Literal["aggravating", "protective", "both"] = "aggravating"
    """aggravating: every coefficient >= 0; protective: <= 0; both: unconstrained."""
    alpha: float = Field(default=0.5, ge=0.01, le=1)
    """Elastic-net mixture of the screening: 1 is the lasso."""
    folds: int = Field(default=5, ge=2, le=50)
    """Folds of the cross-validation that chooses the penalty."""
    fold_kind: Literal["balanced", "blocks"] = "balanced"
    """balanced: folds alike in incidents; blocks: spatial blocks."""
    penalty_rule: Literal["min", "one_se"] = "min"
    """min: the penalty of least deviance; one_se: the largest within one standard error of it."""
    screen: bool = True
    """Whether the penalized screening comes before the selection."""
    bootstrap: BootstrapModel = BootstrapModel()
    """Replicates of the two spatial-block bootstraps."""


class ForecastModel(Strict):
    """The forecast surface."""

    horizon: DurationText = "1y"
    """How far ahead incidents are expected, as '1y' or '14d'."""
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
    """Five fields of cron, as '0 2 * * *'; local time."""
    watch: bool = False
    """Whether the city is also run when its sources have changed."""


class CityModel(Strict):
    """One city, one file."""

    schema_: Literal[1] = Field(alias="schema")
    """Version of the configuration's format: 1."""
    city: Slug
    """Short name: small letters, digits, underscores. Folders and assets are named by it."""
    label: str | None = None
    """Name for people."""
    contact: Annotated[str, StringConstraints(min_length=3, max_length=200)] | None = None
    """Whom residents tell of an error: an e-mail address, a web address, or an office with its telephone number."""
    timezone: str
    """IANA name of the city's time zone, such as America/Chicago; all dates are local."""
    as_of: date | None = None
    """For trials; by default the local date of the schedule's tick."""
    area: AreaModel
    """Study area and grid."""
    sources: dict[Slug, SourceModel] = Field(min_length=1)
    """Where rows come from: each is read once a night."""
    layers: dict[Slug, LayerModel] = Field(min_length=1)
    """What to take from a source, and how to read it."""
    factors: dict[Slug, FactorModel] = {}
    """Risk factors: layers that may explain where the outcome concentrates."""
    outcome: OutcomeModel
    """What is counted and explained."""
    model: ModelModel = ModelModel()
    """Choices of the risk terrain model."""
    forecast: ForecastModel = ForecastModel()
    """The forecast surface."""
    programs: ProgramsModel | None = None
    """Effects, costs, budgets, grants. Without this section nothing is ranked."""
    portals: dict[Host, PortalModel] = {}
    """Host (with port) -> how it may be asked."""
    health: HealthModel = HealthModel()
    """When data are doubted, and what then happens."""
    editions: dict[Slug, EditionList] = {}
    """Source -> which editions its terms allow to carry it; both unless given."""
    schedule: ScheduleModel | None = None
    """When the nightly run starts; without it there is no schedule."""
    operations: OperationsModel = OperationsModel()
    """How the city is run: retries, freshness, retention, alerts. None of it changes a number."""

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("is not a time zone; write an IANA name such as America/Chicago") from None
        return value
