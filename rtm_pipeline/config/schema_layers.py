"""The ``layers`` section: how to read a layer out of a source."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from rtm_pipeline.config.fields import DurationText, RelativePath, Slug, Strict, Text, TextList
from rtm_pipeline.config.schema_sources import Origin
from rtm_pipeline.config.until_formats import formats_of_the_date

__all__ = ["ConditionModel", "GeometryModel", "LayerModel", "WhereModel"]


class ConditionModel(Strict):
    """Tests on one column; all that are given must hold. A bare value or list means ``in``."""

    shorthand = (
        {"type": ["string", "number"]},
        {"type": "array", "items": {"type": ["string", "number"]}},
    )

    isin: TextList = Field(default=(), alias="in")
    """Equal to one of these."""
    prefix: TextList = ()
    """Begins with one of these."""
    pattern: str | None = None
    """Regular expression, found anywhere."""
    not_: ConditionModel | None = Field(default=None, alias="not")
    """The tests below must not hold."""
    minimum: float | None = Field(default=None, alias="min")
    """Number, at least this."""
    maximum: float | None = Field(default=None, alias="max")
    """Number, at most this."""
    is_null: bool | None = None
    """true: has no value; false: has one."""
    pad: int | None = Field(default=None, ge=1, le=40)
    """Fill with zeros on the left to this width before testing."""
    ignore_case: bool = False
    """Whether capital and small letters are the same."""

    @model_validator(mode="before")
    @classmethod
    def _shorthand(cls, value: Any) -> Any:
        return value if isinstance(value, dict | ConditionModel) else {"in": value}

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                re.compile(value)
            except re.error as error:
                raise ValueError(f"is not a regular expression: {error}") from None
        return value

    @model_validator(mode="after")
    def _tests_something(self) -> ConditionModel:
        tests = (self.isin, self.prefix, self.pattern, self.minimum, self.maximum, self.is_null, self.not_)
        if all(test is None or test == () for test in tests):
            raise ValueError("a condition needs one of: in, prefix, pattern, min, max, is_null, not")
        return self


Group = dict[str, ConditionModel]
WhereModel = Annotated[
    tuple[Group, ...],
    BeforeValidator(lambda v: [v] if isinstance(v, dict) else v, json_schema_input_type=Group | list[Group]),
]


class GeometryModel(Strict):
    """Where the place of a row stands: lat/lon, x/y with crs, wkt with crs, geojson, location or native."""

    shorthand = (
        {"const": "native"},
        {"type": "array", "items": {"type": "object"}, "minItems": 1},
    )

    lat: str | None = None
    """Column with the latitude (WGS84)."""
    lon: str | None = None
    """Column with the longitude (WGS84)."""
    x: str | None = None
    """Column with the x coordinate in 'crs'."""
    y: str | None = None
    """Column with the y coordinate in 'crs'."""
    wkt: str | None = None
    """Column with well-known text in 'crs'."""
    geojson: str | None = None
    """Column with a GeoJSON geometry."""
    location: str | None = None
    """Socrata location object, as JSON or as a Python dictionary printed to text."""
    native: bool = False
    """The geometry of a vector file."""
    crs: str | None = None
    """CRS of x, y or wkt, such as ESRI:102696."""
    missing: tuple[tuple[float, float], ...] = ()
    """Coordinate pairs that mean "no place"; (0, 0) always does."""
    alternatives: tuple[GeometryModel, ...] = ()
    """Other ways in which a row may give its point, where years differ. A list means the first way and its
    alternatives: [{location: location}, {lat: latitude, lon: longitude}]."""

    @model_validator(mode="before")
    @classmethod
    def _shorthand(cls, value: Any) -> Any:
        if isinstance(value, list) and value and isinstance(value[0], dict) and "alternatives" not in value[0]:
            return {**value[0], "alternatives": value[1:]}
        return {"native": True} if value == "native" else value

    @model_validator(mode="after")
    def _one_kind(self) -> GeometryModel:
        pairs = (("lat", self.lat, self.lon), ("x", self.x, self.y))
        for first, a, b in pairs:
            if (a is None) != (b is None):
                raise ValueError(f"'{first}' needs its partner: lat with lon, x with y")
        if len(self.kinds()) != 1:
            raise ValueError("give exactly one of: {lat, lon}, {x, y, crs}, {wkt, crs}, {geojson}, {location}, native")
        if self.alternatives and (self.native or any(other.native for other in self.alternatives)):
            raise ValueError("a native geometry has no alternatives: a file has one geometry")
        if (self.x or self.wkt) and not self.crs:
            raise ValueError("x/y and wkt need a crs, such as EPSG:4326 or ESRI:102696")
        return self

    def kinds(self) -> list[str]:
        """The ways of giving a place that are used here."""
        given = {
            "latlon": self.lat,
            "xy": self.x,
            "wkt": self.wkt,
            "geojson": self.geojson,
            "location": self.location,
            "native": self.native or None,
        }
        return [kind for kind, value in given.items() if value]


class DateModel(Strict):
    """A date column and the formats in which it may be written."""

    shorthand = ({"type": "string"},)

    column: str
    """Name of the column."""
    formats: TextList = ("iso",)
    """How it may be written, tried in order: iso, epoch_ms, or as in '%m/%d/%Y %H:%M'."""
    hour: str | None = None
    """Column with the hour of the day, where the date column has none."""
    earliest: date | None = None
    """Dates before this are taken for wrong."""
    required: bool = True
    """Whether a row without a date is set aside."""

    @model_validator(mode="before")
    @classmethod
    def _shorthand(cls, value: Any) -> Any:
        return {"column": value} if isinstance(value, str) else value


class KnownAtModel(Strict):
    """From when on a row could be known."""

    shorthand = ({"type": "string"},)

    column: str | None = None
    """Column with the date on which the row became known."""
    formats: TextList = ("iso",)
    """How it may be written, as for date."""
    period: Literal["day", "month"] = "day"
    """month: the column tells a month; the row is known once it has ended."""
    fixed: date | None = None
    """One date for all rows: when the list was made."""
    delay: DurationText | None = None
    """How long after the row's date it becomes known."""

    @model_validator(mode="before")
    @classmethod
    def _shorthand(cls, value: Any) -> Any:
        if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
            return {"fixed": value}
        return {"column": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_way(self) -> KnownAtModel:
        if self.column and self.fixed:
            raise ValueError("give a column or a fixed date, not both")
        return self


class ReversalModel(Strict):
    """Rows that take another row back."""

    column: str
    """Column that marks the reversal."""
    value: Text
    """Value that marks it."""
    match: TextList
    """Columns by which it finds the row that it takes back."""


class CategoriesModel(Strict):
    """A vocabulary: canonical category -> raw values of any year."""

    column: TextList
    """Column with the raw value; the first of several that has one."""
    names: dict[Slug, TextList]
    """Category -> raw values; * stands for anything."""
    other: Literal["filtered", "other", "quarantined"] = "filtered"
    """What becomes of values that are not listed."""
    ignore_case: bool = True
    """Whether capital and small letters are the same."""
    pad: int | None = Field(default=None, ge=1, le=40)
    """Fill with zeros on the left to this width before looking a value up."""


class DefaultGeocodeModel(Strict):
    """A point on which a geocoder piles what it can't place."""

    name: str
    """What stands there, for the account of rows."""
    lat: float | None = None
    """Latitude."""
    lon: float | None = None
    """Longitude."""
    x: float | None = None
    """X in the CRS of the geometry."""
    y: float | None = None
    """Y in the CRS of the geometry."""
    tolerance: float = Field(default=1e-6, gt=0)
    """Rows this near to it count as on it, in the units of the coordinates."""

    @model_validator(mode="after")
    def _pair(self) -> DefaultGeocodeModel:
        if (self.lat is None) != (self.lon is None) or (self.x is None) != (self.y is None):
            raise ValueError("give lat and lon, or x and y")
        if (self.lat is None) == (self.x is None):
            raise ValueError("give either lat and lon, or x and y")
        return self


class FlagModel(Strict):
    """A named subset of a layer's rows."""

    where: WhereModel
    """Conditions that a row of the subset meets."""


class LayerModel(Strict):
    """One layer of the city."""

    source: Slug
    """Source of the rows."""
    kind: Literal["events", "sites", "requests", "areas"] = "sites"
    """events happen at a time; sites stand for a while; requests are asked for and closed; areas are named
    polygons."""
    label: str | None = None
    """Name for people; the layer's key by default."""
    geometry: GeometryModel
    """Where the place of a row stands."""
    date: DateModel | None = None
    """When it happened, began or was asked for."""
    known_at: KnownAtModel = KnownAtModel()
    """From when on a row could be known; its date by default."""
    until: DateModel | None = None
    """When a site or request ceased; written as the date, unless its formats are told."""
    key: TextList = ()
    """Identity of a row; repeats are counted as duplicate."""
    incident: TextList = ()
    """What unit 'incident' counts once; the key by default."""
    where: WhereModel | None = None
    """Which rows are meant; others are filtered. A list of groups means: any of them."""
    categories: CategoriesModel | None = None
    """A vocabulary: canonical category -> raw values."""
    reversal: ReversalModel | None = None
    """Rows that take another row back."""
    default_geocodes: tuple[DefaultGeocodeModel, ...] = ()
    """Points on which a geocoder piles what it can't place."""
    keep: TextList = ()
    """Columns carried along for products."""
    restricted: TextList = ()
    """Those of 'keep' that only the restricted edition may show."""
    origin: Origin | None = None
    """Who made the rows, if not as the source says."""
    history: Literal["recorded", "assumed"] = "recorded"
    """assumed: earlier states of the list are not known; needs a reason."""
    reason: str | None = None
    """Why history may be assumed, or why a police-made layer may serve as factor."""
    coverage: RelativePath | None = None
    """Polygon outside which this layer is unknown, not 0: the name of a source, a file, or area (the
    study area)."""
    may_be_empty: bool = False
    """Whether a night without a row is fine."""
    flags: dict[Slug, FlagModel] = {}
    """Named subsets of the rows."""

    @model_validator(mode="before")
    @classmethod
    def _one_way_of_dates(cls, value: Any) -> Any:
        return formats_of_the_date(value)

    @model_validator(mode="after")
    def _consistent(self) -> LayerModel:
        if self.history == "assumed" and not self.reason:
            raise ValueError("history: assumed needs a reason")
        if self.kind in ("events", "requests") and self.date is None:
            raise ValueError(f"a layer of kind {self.kind} needs a date")
        wants_xy = "xy" in self.geometry.kinds()
        if any((spot.x is not None) != wants_xy for spot in self.default_geocodes):
            raise ValueError("write default_geocodes like the geometry: x, y where it has x, y, else lat, lon")
        stray = set(self.restricted) - set(self.keep)
        if stray:
            raise ValueError(f"restricted names columns that are not in keep: {', '.join(sorted(stray))}")
        return self
