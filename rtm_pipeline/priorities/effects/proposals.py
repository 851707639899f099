"""What a city's own results may change in the effect registry: proposals, which only a person accepts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from rtm_pipeline.errors import ConfigError
from rtm_pipeline.priorities.effects.registry import Registry
from rtm_pipeline.priorities.followup.effect_estimate import EffectEstimate

__all__ = ["Proposal", "accept", "propose_update"]

DESIGNS = {"matched": "matched controls", "randomized": "randomized at the funding line"}


@dataclass(frozen=True, slots=True)
class Proposal:
    """A new row for the registry, waiting for a person.

    Attributes
    ----------
    key : str
        Of the new row.
    compared_with : str
        Key of the row that is in use.
    fields : mapping of str to object
        The row.
    in_use, measured, pooled : float
        Relative changes: of the row in use, of this result, and both weighted by their precision on the log scale.
    treated_share : float
        Mean share of the eligible sites near the counted circles that were treated: the measured change is brought to
        the full unit (all treated) by it.
    """

    key: str
    compared_with: str
    fields: Mapping[str, object]
    in_use: float
    measured: float
    pooled: float
    treated_share: float

    def row(self) -> dict[str, object]:
        """The proposal as one row of plain JSON values, for a person to read."""
        return {
            "key": self.key,
            "compared_with": self.compared_with,
            "in_use": self.in_use,
            "measured": self.measured,
            "pooled": self.pooled,
            "treated_share": self.treated_share,
            "status": "proposed",
            "fields": dict(self.fields),
        }


def propose_update(
    estimate: EffectEstimate,
    registry: Registry,
    in_use: str,
    *,
    city: str,
    treated_share: float = 1.0,
) -> Proposal:
    """Turn a matched or randomized result into a proposed row of the registry.

    Parameters
    ----------
    estimate : EffectEstimate
    registry : Registry
    in_use : str
        Key of the effect that the program's benefits use now.
    city : str
    treated_share : float
        Mean share of eligible sites treated near the counted circles, in (0, 1]. The relative change at full treatment
        is taken to be in proportion (within a kind of work the benefit is linear).

    Raises
    ------
    ConfigError
        The design is neither matched nor randomized, no ratio could be estimated, or the share is out of range.
    """
    if estimate.design not in DESIGNS:
        raise ConfigError(
            "Only matched or randomized results may propose an update of the registry; "
            f"this one is {estimate.design!r}."
        )
    if estimate.did is None:
        raise ConfigError(f"{estimate.program} {estimate.year} gives no relative change: {estimate.note}")
    if not 0.0 < treated_share <= 1.0:
        raise ConfigError(f"treated_share must lie in (0, 1]; found {treated_share!r}.")
    old = registry.effect(in_use)
    change, low, high = (
        max(value / treated_share, -0.999)
        for value in (estimate.did.relative_change, estimate.did.low, estimate.did.high)
    )
    low, high = min(low, change), max(high, change)
    key = f"{city}_{estimate.program}_{estimate.year}"
    fields: dict[str, object] = {
        "intervention": old.intervention,
        "target": old.target,
        "study": f"{city}: {estimate.program} {estimate.year}",
        "design": DESIGNS[estimate.design],
        "setting": city,
        "unit": f"circles around treated sites, {treated_share:.0%} of the eligible sites treated",
        "outcome": old.outcome,
        "reads": old.reads,
        "source": f"register of treated sites, {estimate.n_pairs} pairs",
        "relative_change": round(change, 6),
        "low": round(low, 6),
        "high": round(high, 6),
        "interval": "published",
        "note": f"WDD {estimate.wdd.wdd:+.1f} (SE {estimate.wdd.se:.1f}); rings {estimate.wdd.ring:+.1f}.",
    }
    standing = -(registry.reduction(in_use) or 0.0)
    weight_old = 1.0 / max(_spread(registry, in_use), 1e-6) ** 2
    weight_new = 1.0 / max(estimate.did.log_se / treated_share, 1e-6) ** 2
    pooled = (weight_old * math.log1p(standing) + weight_new * math.log1p(change)) / (weight_old + weight_new)
    return Proposal(key, in_use, fields, standing, change, math.expm1(pooled), treated_share)


def _spread(registry: Registry, key: str) -> float:
    """Standard deviation of the log rate ratio of an effect, parts of a mixture included."""
    logs = [0.0 if part is None else part.log_ratio for part in registry.parts(key)]
    within = [0.0 if part is None else part.log_sd**2 for part in registry.parts(key)]
    mean = math.fsum(logs) / len(logs)
    return math.sqrt(math.fsum(within) / len(within) + math.fsum((value - mean) ** 2 for value in logs) / len(logs))


def accept(proposal: Proposal, *, by: str, on: date) -> dict[str, dict[str, dict[str, object]]]:
    """The override that a person's acceptance adds to a city's registry; it names them.

    Raises
    ------
    ConfigError
        Nobody is named.
    """
    if not by.strip():
        raise ConfigError("A change of the registry is accepted by a person: give a name.")
    note = f"{proposal.fields['note']} Accepted by {by.strip()} on {on.isoformat()}."
    return {"effects": {proposal.key: {**proposal.fields, "note": note}}}
