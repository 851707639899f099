"""The effect registry: what studies found about greening and abatement, and what the work costs.

An effect is the relative change of an outcome around the unit that the study treated; it is never a coefficient of the
risk terrain, which is an association. The rows are data (``registry.json``), read by `evidence.load_registry`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from rtm_pipeline.errors import ConfigError

__all__ = ["Cost", "Default", "Effect", "Registry"]

Z95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Effect:
    """One row of evidence.

    Attributes
    ----------
    key, intervention : str
    target : str
        What is worked on: ``lot``, ``building`` or ``area``.
    outcome : str
        The outcome in the study's words.
    reads : str
        The part of a city's outcome that the evidence speaks of (``firearm``, ``all_crime`` ...).
    relative_change : float or None
        Relative change of the outcome, -0.068 for -6.8 %; None for mixtures and where no evidence was found.
    low, high : float or None
        95 % interval of the relative change, ``low <= relative_change <= high``.
    interval : str
        ``published``, ``assumed`` (the standard deviation of the log rate ratio is ``|log rate ratio| / 1.96``) or
        ``none``.
    components : tuple of str
        For a mixture: keys of single rows of the same outcome, equally weighted.
    point_mass_at_zero : bool
        For a mixture: whether "no effect" is one more equally weighted part.
    optimistic : bool
        May only be shown as a labelled scenario, never as the expected benefit.
    null_result : bool
        A study that found nothing, kept on purpose.
    evidence : str
        ``found`` or ``none found`` (then no benefit is computed).
    """

    key: str
    intervention: str
    target: str
    study: str
    design: str
    setting: str
    unit: str
    outcome: str
    reads: str
    source: str
    relative_change: float | None = None
    low: float | None = None
    high: float | None = None
    interval: str = "none"
    doi: str | None = None
    note: str = ""
    applies_to: str | None = None
    components: tuple[str, ...] = ()
    point_mass_at_zero: bool = False
    optimistic: bool = False
    null_result: bool = False
    evidence: str = "found"

    @property
    def is_mixture(self) -> bool:
        """Whether it is made of other rows."""
        return bool(self.components)

    @property
    def log_ratio(self) -> float:
        """Log of the rate ratio ``1 + relative_change`` (single rows only)."""
        if self.relative_change is None:
            raise ConfigError(f"Effect {self.key!r} has no relative change of its own.")
        return math.log1p(self.relative_change)

    @property
    def log_sd(self) -> float:
        """Standard deviation of the log rate ratio: from the interval, or by the stated rule where there is none."""
        if self.interval == "published" and self.low is not None and self.high is not None:
            return (math.log1p(self.high) - math.log1p(self.low)) / (2.0 * Z95)
        return abs(self.log_ratio) / 1.96


@dataclass(frozen=True, slots=True)
class Cost:
    """What one site costs, in USD; ``basis`` is ``sourced``, ``configured`` or ``none found`` (then both are None)."""

    key: str
    intervention: str
    build_usd: float | None
    upkeep_usd_per_year: float | None
    source: str
    basis: str = "sourced"
    setting: str = ""
    note: str = ""

    def over(self, years: float) -> float | None:
        """Building and ``years`` of upkeep, USD; None where no cost is known."""
        if self.build_usd is None or self.upkeep_usd_per_year is None:
            return None
        return self.build_usd + years * self.upkeep_usd_per_year


@dataclass(frozen=True, slots=True)
class Default:
    """Effect and cost that an intervention uses unless a city says otherwise, and what people call it."""

    target: str
    effect: str
    cost: str | None
    label: str = ""


@dataclass(frozen=True, slots=True)
class Registry:
    """All effects and costs by key, and the defaults by intervention."""

    effects: Mapping[str, Effect]
    costs: Mapping[str, Cost]
    defaults: Mapping[str, Default]

    def effect(self, key: str) -> Effect:
        """The effect of that key; ConfigError with the known keys if there is none."""
        if key not in self.effects:
            raise ConfigError(f"The effect registry has no entry {key!r}. It has: {', '.join(sorted(self.effects))}.")
        return self.effects[key]

    def cost(self, key: str) -> Cost:
        """The cost of that key; ConfigError with the known keys if there is none."""
        if key not in self.costs:
            raise ConfigError(f"The registry has no cost {key!r}. It has: {', '.join(sorted(self.costs))}.")
        return self.costs[key]

    def study(self, key: str) -> str:
        """The study behind an effect; of a mixture its parts, each with its own, and whether no effect is one more."""
        effect = self.effect(key)
        if not effect.is_mixture:
            return effect.study
        names = [part.study if part is not None else "no effect" for part in self.parts(key)]
        return f"{' and '.join(names)}, equal weights"

    def parts(self, key: str) -> tuple[Effect | None, ...]:
        """The equally weighted single rows of an effect; None stands for the point mass at zero."""
        effect = self.effect(key)
        if not effect.is_mixture:
            return (effect,)
        single = tuple(self.effect(name) for name in effect.components)
        return (*single, None) if effect.point_mass_at_zero else single

    def reduction(self, key: str) -> float | None:
        """Expected relative reduction (0.068 for -6.8 %): mean of the parts' point estimates; None without evidence."""
        if self.effect(key).evidence == "none found":
            return None
        values = [0.0 if part is None else -float(part.relative_change or 0.0) for part in self.parts(key)]
        return math.fsum(values) / len(values)
