"""The ``programs`` section: what may be done at sites, with what money, and how it is shared out."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rtm_pipeline.config.fields import LengthText, Slug, Strict, Text, TextList

__all__ = ["ProgramsModel"]


class OwnerModel(Strict):
    """A column that tells who owns a site, as a type; never a name."""

    column: str
    """Kept column that tells the kind of owner."""
    values: TextList
    """Its values."""
    owner: Literal["city", "land_bank", "public", "private"]
    """What they mean."""


class SitesModel(Strict):
    """A layer of sites that work may be done at."""

    layer: Slug
    """Layer of the sites."""
    id: str
    """Kept column with a stable id, such as the parcel number."""
    status: str | None = None
    """Kept column with the site's status."""
    owners: tuple[OwnerModel, ...] = ()
    """How the kind of owner is told, tried in order."""


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
    work: dict[Slug, WorkModel] = {"greening": WorkModel(), "demolition": WorkModel()}
    """Kinds of work."""
    budget: BudgetModel | None = None
    """What may be spent, and how it must be spread."""
    grants: GrantsModel | None = None
    """Small grants to neighborhoods."""
