"""The ``health`` section -> the rules of each source and layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rtm_pipeline.config.schema import CityModel
from rtm_pipeline.config.schema_health import HealthRulesModel
from rtm_pipeline.config.schema_sources import FileSourceModel
from rtm_pipeline.layers.health_rules import KINDS, HealthRules
from rtm_pipeline.units import Duration

__all__ = ["HealthPlan", "resolve_health"]

USUAL_LAST_GOOD = "7d"


@dataclass(frozen=True, slots=True)
class HealthPlan:
    """What is watched of each source and layer.

    Attributes
    ----------
    sources, layers : mapping of str to HealthRules
    last_good : mapping of str to Duration
        Source -> how old the snapshot may be that stands in when the source can't be read; 0 days: none does.
    """

    sources: Mapping[str, HealthRules]
    layers: Mapping[str, HealthRules]
    last_good: Mapping[str, Duration]


def resolve_health(model: CityModel) -> HealthPlan:
    """Rules with everything filled in: a layer's own first, then its source's, then those of all, then the defaults."""
    health = model.health
    of_all: tuple[HealthRulesModel, ...] = (health,)
    sources = {name: (*_given(health.sources, name), *of_all) for name in model.sources}
    layers = {name: (*_given(health.layers, name), *sources[layer.source]) for name, layer in model.layers.items()}
    return HealthPlan(
        {name: _rules(given) for name, given in sources.items()},
        {name: _rules(given) for name, given in layers.items()},
        {name: _last_good(name, model) for name in model.sources},
    )


def _given(own: Mapping[str, HealthRulesModel], name: str) -> tuple[HealthRulesModel, ...]:
    return (own[name],) if name in own else ()


def _rules(given: Sequence[HealthRulesModel]) -> HealthRules:
    def first(key: str) -> object:
        return next((value for model in given if (value := getattr(model, key)) is not None), None)

    known = {key: first(key) for key in (*KINDS, "shrink_share", "pile_share", "accepted")}
    after = first("quiet_after")
    known["quiet_after"] = Duration.parse(str(after)) if after else None
    return HealthRules(**{key: value for key, value in known.items() if value is not None})  # type: ignore[arg-type]


def _last_good(name: str, model: CityModel) -> Duration:
    """A portal that is down passes by itself; a file that can't be read wants a person, unless the city says so."""
    own = model.health.sources.get(name)
    given = (own.last_good if own else None) or model.health.last_good
    if given is None:
        given = "0d" if isinstance(model.sources[name], FileSourceModel) else USUAL_LAST_GOOD
    return Duration.parse(given)
