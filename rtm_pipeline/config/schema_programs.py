"""The ``programs`` section: what may be done at sites, with what money, and how it is shared out."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

from pydantic import Field

from rtm_pipeline.config.fields import DurationText, LengthText, RelativePath, Slug, Strict, Text, TextList

__all__ = ["ProgramsModel"]


class OwnerModel(Strict):
    """A column that tells who owns a site, as a type; never a name."""

    column: str
    """Kept column that tells the kind of owner."""
    values: TextList
    """Its values."""
    owner: Literal["city", "land_bank", "public", "private"]
    """What they mean."""


class ColumnValuesModel(Strict):
    """Rows whose kept column has one of these values."""

    column: str
    """Kept column."""
    values: TextList
    """Its values."""


class SizeModel(Strict):
    """A kept column with the size of a site."""

    column: str
    """Kept column."""
    unit: Literal["ft2", "m2", "acre"]
    """What one of its units is."""


class LeaveOutModel(Strict):
    """Sites of which a kept column has one of these values may not be worked on."""

    column: str
    """Kept column."""
    values: TextList
    """Its values."""
    reason: str = Field(min_length=3)
    """Told with the number of sites that it leaves out."""
    stands: bool = False
    """Whether they still are such sites and count among those of their place."""


class EligibleModel(Strict):
    """Rules by which sites may be worked on; each exclusion is counted by its reason."""

    owners: tuple[Literal["city", "land_bank", "public", "private", "unknown"], ...] = ()
    """Owner types that may be worked on; empty: all. The others still count among the sites of their place."""
    status_out: TextList = ()
    """Statuses of the source under which a site is none (demolished, under construction)."""
    authority: ColumnValuesModel | None = None
    """Sites where the city has the legal authority to work; without it, everywhere."""
    leave_out: tuple[LeaveOutModel, ...] = ()
    """Anything else that rules sites out, each with its own reason."""
    size: SizeModel | None = None
    """Where the size is told; sites without one are neither too small nor too large."""
    min_m2: float | None = Field(default=None, gt=0)
    """Least size, square meters."""
    max_m2: float | None = Field(default=None, gt=0)
    """Greatest size, square meters."""


class SitesModel(Strict):
    """A layer of sites that work may be done at."""

    layer: Slug
    """Layer of the sites."""
    id: str
    """Kept column with a stable id, such as the parcel number."""
    status: str | None = None
    """Kept column with the site's status."""
    address: str | None = None
    """Kept column with the address; it is shown in the restricted edition only."""
    owners: tuple[OwnerModel, ...] = ()
    """How the kind of owner is told, tried in order."""
    eligible: EligibleModel = EligibleModel()
    """Which of them may be worked on."""


class WorkModel(Strict):
    """One kind of work. Effect and cost are keys of the registry; by default those that it recommends."""

    effect: Slug | None = None
    """Key of the effect in the registry of evidence."""
    cost: Slug | None = None
    """Key of the cost in the registry."""
    radius: LengthText = "500 ft"
    """Influence radius; half and double of it are published too."""
    crew_days: float = Field(default=0.0, ge=0)
    """Days of a crew that one site takes."""
    min_unit_sites: int = Field(default=1, ge=1)
    """Fewest sites near one another that the work is done at."""


class ShareModel(Strict):
    """Least and greatest share of the budget of one district or neighborhood."""

    level: Literal["district", "neighborhood"]
    """Which areas are meant."""
    area: Text
    """Name of the area."""
    minimum: float = Field(default=0.0, ge=0, le=1)
    """Least share of the budget."""
    maximum: float = Field(default=1.0, ge=0, le=1)
    """Greatest share of the budget."""


class BundleModel(Strict):
    """Blocks worked together at lower cost."""

    side: LengthText = "1 blocks"
    """Side of the squares that are worked together."""
    discount: float = Field(default=0.15, ge=0, lt=1)
    """Share of the cost that is saved."""
    min_sites: int = Field(default=3, ge=2)
    """Fewest sites of a bundle."""


class BudgetModel(Strict):
    """What may be spent, and how it must be spread."""

    usd: float = Field(gt=0)
    """What may be spent, US dollars."""
    horizon_years: float = Field(default=3.0, gt=0)
    """Years over which benefits count."""
    crew_days: dict[Slug, float] = {}
    """Crew days there are, by kind of work."""
    shares: tuple[ShareModel, ...] = ()
    """Least and greatest shares of areas."""
    must: TextList = ()
    """Ids of sites that are funded whatever they bring."""
    must_not: TextList = ()
    """Ids of sites that are not funded."""
    bundles: BundleModel | None = None
    """Blocks worked together at lower cost."""


class GrantsModel(Strict):
    """Small grants to neighborhoods."""

    count: int = Field(default=13, ge=1)
    """How many are awarded."""
    max_usd: float = Field(default=20_000.0, gt=0)
    """Largest award."""
    min_usd: float = Field(default=5_000.0, ge=0)
    """Smallest award."""
    max_per_district: int = Field(default=3, ge=1)
    """Most in one council district."""
    poverty_share: float = Field(default=0.5, ge=0, le=1)
    """Least share of the awards in the highest-poverty third, where census data are given."""


class ZonesModel(Strict):
    """Short-lived zones. There are none without a purpose, an owner and an expiry; every one is logged."""

    purpose: str = Field(min_length=3)
    """What they are for."""
    owner: str = Field(min_length=2)
    """Who answers for them."""
    expiry: date
    """From this day on no zones are made."""
    area_km2: float = Field(gt=0)
    """Greatest area of one zone."""
    hours: Literal[72, 96] = 96
    """Length of a period."""
    count: int = Field(default=4, ge=1, le=4)
    """How many zones there may be."""
    hysteresis: float = Field(default=0.10, ge=0)
    """A zone moves only if the new place expects this share more incidents than the old one."""


class PovertyModel(Strict):
    """A table with the share of people in poverty by neighborhood, from census data, for the rule of grants."""

    path: RelativePath
    """CSV file in the data folder."""
    neighborhood: str
    """Column with the neighborhood's name, as in the areas layer."""
    rate: str
    """Column with the rate."""
    percent: bool = True
    """Whether the rate is in percent (16.4) and not a share (0.164)."""


class HelpedModel(Strict):
    """How incidents around treated sites and their controls are counted."""

    radius: LengthText = "500 ft"
    """Radius of the circle."""
    ring: LengthText = "1000 ft"
    """Outer radius of the ring in which displacement is looked for."""
    window: DurationText = "1y"
    """Length of the windows before and after the work."""


class ProgramsModel(Strict):
    """Effects, costs, budgets, grants. Without this section nothing is ranked."""

    lots: SitesModel | None = None
    """Layer of the lots that may be greened."""
    buildings: SitesModel | None = None
    """Layer of the buildings that may be abated."""
    outcome: Slug = "firearm"
    """The subset of the outcome that the evidence speaks of."""
    assumed_share: float | None = Field(default=None, gt=0, le=1)
    """Its share of the outcome, where it can't be measured; shown wherever a benefit is."""
    neighborhoods: Slug | None = None
    """Areas layer of the neighborhoods."""
    districts: Slug | None = None
    """Areas layer of the council districts."""
    requests: tuple[Slug, ...] = ()
    """Layers of 311 requests to be counted near sites."""
    open_requests: ColumnValuesModel | None = None
    """Kept column of these layers and its values while a request is open; else a request is open until its end."""
    work: dict[Slug, WorkModel] = {"greening": WorkModel(), "mowing": WorkModel(), "demolition": WorkModel()}
    """Kinds of work."""
    budget: BudgetModel | None = None
    """What may be spent, and how it must be spread."""
    grants: GrantsModel | None = None
    """Small grants to neighborhoods."""
    poverty: PovertyModel | None = None
    """Poverty by neighborhood, for the rule of grants."""
    registry: dict[Literal["effects", "costs", "defaults"], dict[Slug, dict[str, Any]]] = {}
    """Entries laid over the effect registry, field by field; each needs its source."""
    corrections: RelativePath | None = None
    """CSV (site, status, who, date, expiry) beside the sources; history/CITY/corrections.csv is read as well."""
    treated: RelativePath | None = None
    """CSV (site, program, started, ended, x, y) of sites treated before; history/CITY/treated_sites.csv as well."""
    reselect: Literal["monthly", "on_request"] = "on_request"
    """When a work list is frozen: with the first current release of a month, or only by `rtm plan freeze`."""
    zones: ZonesModel | None = None
    """Short-lived zones; off unless they are given here."""
    helped: HelpedModel = HelpedModel()
    """How finished work is judged."""
