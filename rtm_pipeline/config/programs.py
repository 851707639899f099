"""The ``programs`` section resolved: specs of the priorities room, and which layers they speak of."""

from __future__ import annotations

from dataclasses import dataclass

from rtm_pipeline.config.schema_programs import BudgetModel, ProgramsModel, SitesModel, WorkModel
from rtm_pipeline.errors import ConfigError
from rtm_pipeline.priorities.evidence import load_registry
from rtm_pipeline.priorities.registry import Registry
from rtm_pipeline.priorities.sites import OwnerRule
from rtm_pipeline.priorities.spec import (
    BudgetSpec,
    BundleSpec,
    GrantSpec,
    InterventionSpec,
    PrioritySpec,
    ShareSpec,
)
from rtm_pipeline.units import Length

__all__ = ["ProgramsPlan", "SitesPlan", "resolve_programs"]


@dataclass(frozen=True, slots=True)
class SitesPlan:
    """A layer of sites: which column tells them apart, and what is told of them."""

    layer: str
    target: str
    id: str
    status: str | None
    owners: tuple[OwnerRule, ...]


@dataclass(frozen=True, slots=True)
class ProgramsPlan:
    """What a city may do, and with which layers."""

    sites: tuple[SitesPlan, ...]
    spec: PrioritySpec
    assumed_share: float | None
    neighborhoods: str | None
    districts: str | None
    requests: tuple[str, ...]


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
    registry = load_registry()
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
        ),
        assumed_share=model.assumed_share,
        neighborhoods=model.neighborhoods,
        districts=model.districts,
        requests=model.requests,
    )


def _sites(target: str, model: SitesModel) -> SitesPlan:
    owners = tuple(OwnerRule(owner.column, owner.values, owner.owner) for owner in model.owners)
    return SitesPlan(model.layer, target, model.id, model.status, owners)


def _work(name: str, model: WorkModel, registry: Registry, unit_m: float, block_m: float) -> InterventionSpec:
    default = registry.defaults.get(name)
    if default is None:
        raise ConfigError(f"programs.work.{name}: no such kind of work. There are: {', '.join(registry.defaults)}.")
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
