"""The ``programs`` section resolved: specs of the priorities room, and which layers they speak of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rtm_pipeline.config.schema_programs import (
    BudgetModel,
    HelpedModel,
    ProgramsModel,
    SitesModel,
    WorkModel,
    ZonesModel,
)
from rtm_pipeline.errors import ConfigError
from rtm_pipeline.priorities.effects.evidence import load_registry
from rtm_pipeline.priorities.effects.registry import Registry
from rtm_pipeline.priorities.eligibility import EligibilitySpec
from rtm_pipeline.priorities.sites import OwnerRule
from rtm_pipeline.priorities.spec import (
    BudgetSpec,
    BundleSpec,
    GrantSpec,
    InterventionSpec,
    PrioritySpec,
    ShareSpec,
    ZoneSpec,
)
from rtm_pipeline.units import Duration, Length

__all__ = ["PovertyTable", "ProgramsPlan", "SitesPlan", "resolve_programs"]

_M2 = {"m2": 1.0, "ft2": 0.09290304, "acre": 4046.8564224}


@dataclass(frozen=True, slots=True)
class SitesPlan:
    """A layer of sites: which columns tell what of them, and which may be worked on.

    Attributes
    ----------
    layer, target, id : str
        Layer, ``lot`` or ``building``, and the column with the stable id.
    status, address : str or None
        Columns.
    owners : tuple of OwnerRule
    eligible : EligibilitySpec
    size_column : str or None
        Column with the size, of which one unit is ``size_m2`` square meters.
    authority : tuple of (str, tuple of str), optional
        Column, and its values where the city may work by law.
    leave_out : tuple of (str, tuple of str, str, bool)
        Column, values, reason, and whether such sites still stand for what they are.
    """

    layer: str
    target: str
    id: str
    status: str | None
    owners: tuple[OwnerRule, ...]
    address: str | None = None
    eligible: EligibilitySpec = field(default_factory=EligibilitySpec)
    size_column: str | None = None
    size_m2: float = 1.0
    authority: tuple[str, tuple[str, ...]] | None = None
    leave_out: tuple[tuple[str, tuple[str, ...], str, bool], ...] = ()


@dataclass(frozen=True, slots=True)
class PovertyTable:
    """A CSV beside the sources: neighborhood and share of people in poverty (``scale`` times what it says)."""

    path: str
    neighborhood: str
    rate: str
    scale: float


@dataclass(frozen=True, slots=True)
class ProgramsPlan:
    """What a city may do, and with which layers.

    Attributes
    ----------
    open_requests : tuple of (str, tuple of str), optional
        Column of the layers of requests, and its values while one is open.
    by_default : tuple of str
        Kinds of work whose effect the configuration leaves to the registry: an accepted result may replace it.
    registry : mapping
        The city's entries, laid over the registry.
    corrections, treated : str or None
        Paths of the registers beside the sources.
    monthly : bool
        Whether a work list is frozen with the first current release of a month.
    helped_radius_u, helped_ring_u : float
        Circle and ring around treated sites, CRS units.
    helped_days : int
    """

    sites: tuple[SitesPlan, ...]
    spec: PrioritySpec
    assumed_share: float | None
    neighborhoods: str | None
    districts: str | None
    requests: tuple[str, ...]
    open_requests: tuple[str, tuple[str, ...]] | None = None
    by_default: tuple[str, ...] = ()
    registry: Mapping[str, Any] = field(default_factory=dict)
    poverty: PovertyTable | None = None
    corrections: str | None = None
    treated: str | None = None
    monthly: bool = False
    helped_radius_u: float = 0.0
    helped_ring_u: float = 0.0
    helped_days: int = 365


def resolve_programs(model: ProgramsModel, *, unit_m: float, block_m: float) -> ProgramsPlan:
    """Specs of the programs; lengths in CRS units.

    Raises
    ------
    ConfigError
        A kind of work, an effect or a cost is not in the registry, or no layer of sites is named.
    """
    sites = tuple(
        _sites(target, named) for target, named in (("lot", model.lots), ("building", model.buildings)) if named
    )
    if not sites:
        raise ConfigError("programs: name the layer of the sites that may be worked on, under lots or buildings.")
    _check_areas(model)
    registry = _registry(model)
    targets = {plan.target for plan in sites}
    work = tuple(
        found
        for name, kind in model.work.items()
        if (found := _work(name, kind, registry, unit_m, block_m)).target in targets
    )
    return ProgramsPlan(
        sites=sites,
        spec=PrioritySpec(
            interventions=work,
            outcome=model.outcome,
            budget=_budget(model.budget, unit_m, block_m) if model.budget else None,
            grants=GrantSpec(**model.grants.model_dump()) if model.grants else None,
            zones=_zones(model.zones) if model.zones else None,
        ),
        assumed_share=model.assumed_share,
        neighborhoods=model.neighborhoods,
        districts=model.districts,
        requests=model.requests,
        open_requests=(model.open_requests.column, model.open_requests.values) if model.open_requests else None,
        by_default=tuple(name for name, kind in model.work.items() if kind.effect is None),
        registry={str(name): rows for name, rows in model.registry.items()},
        poverty=_poverty(model),
        corrections=model.corrections,
        treated=model.treated,
        monthly=model.reselect == "monthly",
        **_helped(model.helped, unit_m, block_m),
    )


def _check_areas(model: ProgramsModel) -> None:
    """Rules about areas need the layer that has them."""
    if model.grants is not None and model.neighborhoods is None:
        raise ConfigError("programs.grants: grants go to neighborhoods; name the areas layer under neighborhoods.")
    layers = {"district": model.districts, "neighborhood": model.neighborhoods}
    for share in model.budget.shares if model.budget is not None else ():
        if layers[share.level] is None:
            raise ConfigError(
                f"programs.budget.shares: {share.area!r} is a {share.level}; name the areas layer under {share.level}s."
            )


def _registry(model: ProgramsModel) -> Registry:
    try:
        return load_registry({str(name): rows for name, rows in model.registry.items()})
    except ConfigError as error:
        raise ConfigError(f"programs.registry: {error}") from None


def _poverty(model: ProgramsModel) -> PovertyTable | None:
    table = model.poverty
    if table is None:
        return None
    if model.neighborhoods is None:
        raise ConfigError("programs.poverty: poverty is by neighborhood; name the areas layer under neighborhoods.")
    return PovertyTable(table.path, table.neighborhood, table.rate, 0.01 if table.percent else 1.0)


def _zones(model: ZonesModel) -> ZoneSpec:
    return ZoneSpec(
        purpose=model.purpose,
        owner=model.owner,
        expiry=model.expiry,
        area_m2=model.area_km2 * 1e6,
        hours=model.hours,
        count=model.count,
        hysteresis=model.hysteresis,
    )


def _helped(model: HelpedModel, unit_m: float, block_m: float) -> dict[str, Any]:
    radius, ring = (
        Length.parse(text).in_crs_units(crs_unit_m=unit_m, block_m=block_m) for text in (model.radius, model.ring)
    )
    if not 0 < radius < ring:
        raise ConfigError(f"programs.helped: the ring ({model.ring}) must be wider than the circle ({model.radius}).")
    days = round(Duration.parse(model.window).approximate_days)
    return {"helped_radius_u": radius, "helped_ring_u": ring, "helped_days": days}


def _sites(target: str, model: SitesModel) -> SitesPlan:
    rules = model.eligible
    if (rules.min_m2 or rules.max_m2) and rules.size is None:
        raise ConfigError(f"programs.{target}s.eligible: min_m2 and max_m2 need size, the column with the sites' size.")
    if rules.min_m2 is not None and rules.max_m2 is not None and rules.min_m2 > rules.max_m2:
        raise ConfigError(
            f"programs.{target}s.eligible: min_m2 ({rules.min_m2:g}) must not be above max_m2 ({rules.max_m2:g})."
        )
    return SitesPlan(
        layer=model.layer,
        target=target,
        id=model.id,
        status=model.status,
        owners=tuple(OwnerRule(owner.column, owner.values, owner.owner) for owner in model.owners),
        address=model.address,
        eligible=EligibilitySpec(rules.owners, rules.status_out, rules.min_m2, rules.max_m2),
        size_column=rules.size.column if rules.size else None,
        size_m2=_M2[rules.size.unit] if rules.size else 1.0,
        authority=(rules.authority.column, rules.authority.values) if rules.authority else None,
        leave_out=tuple((rule.column, rule.values, rule.reason, rule.stands) for rule in rules.leave_out),
    )


def _work(name: str, model: WorkModel, registry: Registry, unit_m: float, block_m: float) -> InterventionSpec:
    default = registry.defaults.get(name)
    if default is None:
        raise ConfigError(f"programs.work.{name}: no such kind of work. There are: {', '.join(registry.defaults)}.")
    try:
        registry.effect(model.effect or default.effect)
        if model.cost is not None:
            registry.cost(model.cost)
    except ConfigError as error:
        raise ConfigError(f"programs.work.{name}: {error}") from None
    return InterventionSpec(
        name=name,
        target=default.target,
        effect=model.effect or default.effect,
        radius_u=Length.parse(model.radius).in_crs_units(crs_unit_m=unit_m, block_m=block_m),
        cost=model.cost or default.cost,
        crew_days=model.crew_days,
        min_unit_sites=model.min_unit_sites,
    )


def _budget(model: BudgetModel, unit_m: float, block_m: float) -> BudgetSpec:
    bundles = None
    if model.bundles is not None:
        side_u = Length.parse(model.bundles.side).in_crs_units(crs_unit_m=unit_m, block_m=block_m)
        bundles = BundleSpec(side_u, model.bundles.discount, model.bundles.min_sites)
    return BudgetSpec(
        usd=model.usd,
        horizon_years=model.horizon_years,
        crew_days=dict(model.crew_days),
        shares=tuple(ShareSpec(s.level, s.area, s.minimum, s.maximum) for s in model.shares),
        must=model.must,
        must_not=model.must_not,
        bundles=bundles,
    )
