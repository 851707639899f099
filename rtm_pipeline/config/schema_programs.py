"""The ``programs`` section: what may be done at sites, with what money, and how it is shared out."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rtm_pipeline.config.fields import LengthText, Slug, Strict, Text, TextList

__all__ = ["ProgramsModel"]


class OwnerModel(Strict):
    """A column that tells who owns a site, as a type; never a name."""

    column: str
    values: TextList
    owner: Literal["city", "land_bank", "public", "private"]


class SitesModel(Strict):
    """A layer of sites that work may be done at."""

    layer: Slug
    id: str
    """Kept column with a stable id, such as the parcel number."""
    status: str | None = None
    """Kept column with the site's status."""
    owners: tuple[OwnerModel, ...] = ()


class WorkModel(Strict):
    """One kind of work. Effect and cost are keys of the registry; by default those that it recommends."""

    effect: Slug | None = None
    cost: Slug | None = None
    radius: LengthText = "500 ft"
    """Influence radius; half and double of it are published too."""
    crew_days: float = Field(default=0.0, ge=0)
    min_unit_sites: int = Field(default=1, ge=1)


class ShareModel(Strict):
    """Least and greatest share of the budget of one district or neighborhood."""

    level: Literal["district", "neighborhood"]
    area: Text
    minimum: float = Field(default=0.0, ge=0, le=1)
    maximum: float = Field(default=1.0, ge=0, le=1)


class BundleModel(Strict):
    """Blocks worked together at lower cost."""

    side: LengthText = "1 blocks"
    discount: float = Field(default=0.15, ge=0, lt=1)
    min_sites: int = Field(default=3, ge=2)


class BudgetModel(Strict):
    """What may be spent, and how it must be spread."""

    usd: float = Field(gt=0)
    horizon_years: float = Field(default=3.0, gt=0)
    crew_days: dict[Slug, float] = {}
    shares: tuple[ShareModel, ...] = ()
    must: TextList = ()
    must_not: TextList = ()
    bundles: BundleModel | None = None


class GrantsModel(Strict):
    """Small grants to neighborhoods."""

    count: int = Field(default=13, ge=1)
    max_usd: float = Field(default=20_000.0, gt=0)
    min_usd: float = Field(default=5_000.0, ge=0)
    max_per_district: int = Field(default=3, ge=1)
    poverty_share: float = Field(default=0.5, ge=0, le=1)


class ProgramsModel(Strict):
    """Effects, costs, budgets, grants. Without this section nothing is ranked."""

    lots: SitesModel | None = None
    buildings: SitesModel | None = None
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
    budget: BudgetModel | None = None
    grants: GrantsModel | None = None
