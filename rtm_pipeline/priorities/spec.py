"""What the programs of a city are: kinds of work, budget, grants, zones. Plain frozen specs; YAML lives elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from rtm_pipeline.errors import ConfigError

__all__ = [
    "BudgetSpec",
    "BundleSpec",
    "GrantSpec",
    "InterventionSpec",
    "PrioritySpec",
    "ShareSpec",
    "ZoneSpec",
]


@dataclass(frozen=True, slots=True)
class InterventionSpec:
    """One kind of work that may be done at a site.

    Attributes
    ----------
    name : str
        Such as ``greening``; shows as the action in work lists.
    target : str
        ``lot`` or ``building``.
    effect : str
        Key of the effect registry; an optimistic row is refused.
    radius_u : float
        Influence radius, CRS units.
    cost : str, optional
        Key of a cost in the registry. None: the kind is ranked but can't enter a budget.
    crew_days : float
        Days of a crew that one site takes.
    min_unit_sites : int
        Smallest number of eligible sites a place is taken to have: 1 is the plain method; 5 (about the lots per
        cluster of the Philadelphia trial) does not let one lone lot stand for a whole cluster. A sensitivity.
    """

    name: str
    target: str
    effect: str
    radius_u: float
    cost: str | None = None
    crew_days: float = 0.0
    min_unit_sites: int = 1

    def __post_init__(self) -> None:
        where = f"Intervention {self.name!r}"
        if self.target not in ("lot", "building"):
            raise ConfigError(f"{where}: target must be lot or building; found {self.target!r}.")
        if not self.radius_u > 0:
            raise ConfigError(f"{where}: the influence radius must be positive; found {self.radius_u!r}.")
        if self.crew_days < 0 or self.min_unit_sites < 1:
            raise ConfigError(
                f"{where}: crew_days must not be negative and min_unit_sites must be at least 1; "
                f"found {self.crew_days!r}, {self.min_unit_sites!r}."
            )


@dataclass(frozen=True, slots=True)
class ShareSpec:
    """Least and greatest share of the budget that may go to one district or neighborhood."""

    level: str
    area: str
    minimum: float = 0.0
    maximum: float = 1.0

    def __post_init__(self) -> None:
        if self.level not in ("district", "neighborhood"):
            raise ConfigError(f"A share is by district or neighborhood; found {self.level!r}.")
        if not 0.0 <= self.minimum <= self.maximum <= 1.0:
            raise ConfigError(
                f"Share of {self.level} {self.area!r}: 0 <= minimum <= maximum <= 1; "
                f"found {self.minimum!r}, {self.maximum!r}."
            )


@dataclass(frozen=True, slots=True)
class BundleSpec:
    """Blocks worked together: all selectable sites of one kind on a block may be taken as one job, at less cost.

    Attributes
    ----------
    side_u : float
        Side of the square blocks that sites are grouped into, CRS units.
    discount : float
        Share of the cost (and crew days) saved, in [0, 1).
    min_sites : int
        Fewer sites on a block make no bundle.
    """

    side_u: float
    discount: float = 0.15
    min_sites: int = 3

    def __post_init__(self) -> None:
        if not self.side_u > 0 or not 0.0 <= self.discount < 1.0 or self.min_sites < 2:
            raise ConfigError(
                "Bundles need side_u > 0, 0 <= discount < 1 and min_sites >= 2; "
                f"found {self.side_u!r}, {self.discount!r}, {self.min_sites!r}."
            )


@dataclass(frozen=True, slots=True)
class BudgetSpec:
    """What may be spent, and how it must be spread.

    Attributes
    ----------
    usd : float
        Money for building and ``horizon_years`` of upkeep.
    horizon_years : float
        Years over which upkeep is paid and prevented incidents are counted when value for money is compared.
    crew_days : mapping of str to float
        Days available per intervention; an intervention that is not named has no limit.
    shares : tuple of ShareSpec
    must, must_not : tuple of str
        Site ids that have to be, or must not be, chosen.
    bundles : BundleSpec, optional
    """

    usd: float
    horizon_years: float = 3.0
    crew_days: Mapping[str, float] = field(default_factory=dict)
    shares: tuple[ShareSpec, ...] = ()
    must: tuple[str, ...] = ()
    must_not: tuple[str, ...] = ()
    bundles: BundleSpec | None = None

    def __post_init__(self) -> None:
        if not self.usd > 0 or not self.horizon_years > 0:
            raise ConfigError(
                f"A budget needs usd > 0 and horizon_years > 0; found {self.usd!r}, {self.horizon_years!r}."
            )
        negative = sorted(name for name, days in self.crew_days.items() if not days >= 0)
        if negative:
            raise ConfigError(f"crew_days must not be negative: {', '.join(negative)}.")
        named = [(share.level, share.area) for share in self.shares]
        if len(set(named)) < len(named):
            raise ConfigError("A district or neighborhood has two shares of the budget; give it one.")
        for level in ("district", "neighborhood"):
            least = sum(share.minimum for share in self.shares if share.level == level)
            if least > 1.0 + 1e-9:
                raise ConfigError(f"The minimum shares of the {level}s add up to {least:.3f}, more than the budget.")
        both = sorted(set(self.must) & set(self.must_not))
        if both:
            raise ConfigError(f"Sites that must and must not be chosen: {', '.join(both[:5])}.")


@dataclass(frozen=True, slots=True)
class GrantSpec:
    """Grants to neighborhoods.

    Attributes
    ----------
    count : int
        Number of grants.
    max_usd, min_usd : float
        Greatest and least amount of one grant. A handful of cheap sites can have the best value for money and still be
        no grant that anybody would administer.
    max_per_district : int
        Grants per council district.
    poverty_share : float
        Least share of the grants that goes to the third of the neighborhoods with the most poverty, where poverty is
        known.
    interventions : tuple of str
        Kinds of work that a grant may pay for; empty: all.
    """

    count: int = 13
    max_usd: float = 20_000.0
    min_usd: float = 5_000.0
    max_per_district: int = 3
    poverty_share: float = 0.5
    interventions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        amounts = 0 <= self.min_usd <= self.max_usd and self.max_usd > 0
        if self.count < 1 or not amounts or self.max_per_district < 1 or not 0 <= self.poverty_share <= 1:
            raise ConfigError(
                "Grants need count >= 1, 0 <= min_usd <= max_usd, max_per_district >= 1 and 0 <= poverty_share <= 1; "
                f"found {self.count!r}, {self.min_usd!r}, {self.max_usd!r}, {self.max_per_district!r}, "
                f"{self.poverty_share!r}."
            )


@dataclass(frozen=True, slots=True)
class ZoneSpec:
    """Short-lived zones. They exist only with a purpose, an owner and an expiry; every one is logged.

    Attributes
    ----------
    purpose, owner : str
        Why, and who answers for them.
    expiry : date
        From this day on no zones are made.
    hours : int
        Length of a period, 72 to 96.
    count : int
        At most four.
    area_m2 : float
        Greatest area of one zone, square meters.
    hysteresis : float
        A zone moves only if the new place is expected to have this share more incidents than the old one.
    """

    purpose: str
    owner: str
    expiry: date
    area_m2: float
    hours: int = 96
    count: int = 4
    hysteresis: float = 0.10

    def __post_init__(self) -> None:
        if not self.purpose.strip() or not self.owner.strip():
            raise ConfigError("Zones need a purpose and an owner; leave the whole section out to have none.")
        if not 72 <= self.hours <= 96:
            raise ConfigError(f"A zone lasts 72 to 96 hours; found {self.hours}.")
        if not 1 <= self.count <= 4:
            raise ConfigError(f"There may be one to four zones; found {self.count}.")
        if not self.area_m2 > 0 or self.hysteresis < 0:
            raise ConfigError(
                f"Zones need area_m2 > 0 and hysteresis >= 0; found {self.area_m2!r}, {self.hysteresis!r}."
            )


@dataclass(frozen=True, slots=True)
class PrioritySpec:
    """The programs of a city.

    Attributes
    ----------
    interventions : tuple of InterventionSpec
    outcome : str
        The part of the outcome whose prevention is counted, as effects name it in ``reads``.
    budget : BudgetSpec, optional
        None: sites are ranked, nothing is funded.
    grants : GrantSpec, optional
    zones : ZoneSpec, optional
    radii : tuple of float
        Multiples of the radius whose benefits are published beside it.
    draws : int
        Draws of effects and forecast.
    level : float
        Level of all intervals.
    request_days : int
        How far back 311 requests near a site are counted.
    seed : int
    """

    interventions: tuple[InterventionSpec, ...]
    outcome: str = "firearm"
    budget: BudgetSpec | None = None
    grants: GrantSpec | None = None
    zones: ZoneSpec | None = None
    radii: tuple[float, ...] = (0.5, 2.0)
    draws: int = 200
    level: float = 0.90
    request_days: int = 365
    seed: int = 0

    def __post_init__(self) -> None:
        names = [kind.name for kind in self.interventions]
        if not names or len(set(names)) < len(names):
            raise ConfigError(f"Programs need interventions with names of their own; found {names}.")
        if self.draws < 0 or not 0.5 < self.level < 1.0:
            raise ConfigError(f"draws >= 0 and 0.5 < level < 1 are needed; found {self.draws!r}, {self.level!r}.")
        for part, known in (("crew_days", self.budget.crew_days if self.budget else {}),):
            strange = sorted(set(known) - set(names))
            if strange:
                raise ConfigError(
                    f"budget.{part} names {', '.join(strange)}; the interventions are {', '.join(names)}."
                )
        idle = sorted(
            kind.name
            for kind in self.interventions
            if kind.crew_days == 0 and self.budget is not None and kind.name in self.budget.crew_days
        )
        if idle:
            raise ConfigError(
                f"budget.crew_days limits {', '.join(idle)}, but not how many a site takes: name them under "
                f"programs.work.{idle[0]}.crew_days."
            )
        strange = sorted(set(self.grants.interventions if self.grants else ()) - set(names))
        if strange:
            raise ConfigError(f"grants.interventions names {', '.join(strange)}; there are {', '.join(names)}.")
