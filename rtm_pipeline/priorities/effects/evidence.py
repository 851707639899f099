"""Read and check the effect registry: the rows that ship with the package, and what a city lays over them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, fields
from functools import cache
from importlib import resources

from rtm_pipeline.errors import ConfigError
from rtm_pipeline.priorities.effects.registry import Cost, Default, Effect, Registry

__all__ = ["load_registry"]

TARGETS = ("lot", "building", "area")
INTERVALS = ("published", "assumed", "none")
EVIDENCE = ("found", "none found")


def load_registry(overrides: Mapping[str, object] | None = None) -> Registry:
    """The registry that ships with the package, with a city's overrides laid over it, checked.

    Parameters
    ----------
    overrides : mapping, optional
        ``{"effects": {key: {field: value}}, "costs": {key: {...}}, "defaults": {intervention: {...}}}``. A known key
        is changed field by field, a new key added.

    Returns
    -------
    Registry

    Raises
    ------
    ConfigError
        Unknown sections, fields or keys; values out of range; mixtures across outcomes.
    """
    document = _shipped()
    overrides = overrides or {}
    unknown = sorted(set(overrides) - {"effects", "costs", "defaults"})
    if unknown:
        raise ConfigError(f"Registry overrides know effects, costs and defaults; found {', '.join(unknown)}.")
    effects = _merge(document["effects"], overrides.get("effects"), "effects")
    costs = _merge(document["costs"], overrides.get("costs"), "costs")
    for key, row in _section(overrides.get("costs"), "costs").items():
        if "basis" not in _section(row, f"costs.{key}"):
            costs[key]["basis"] = "configured"
    defaults = {name: dict(row) for name, row in document["defaults"].items()}
    for name, row in _section(overrides.get("defaults"), "defaults").items():
        defaults[name] = {**defaults.get(name, {"cost": None}), **_section(row, f"defaults.{name}")}
    registry = Registry(
        effects={key: _build_effect(key, row) for key, row in effects.items()},
        costs={key: _build_cost(key, row) for key, row in costs.items()},
        defaults={name: _build_default(name, row) for name, row in defaults.items()},
    )
    _check_links(registry)
    return registry


@cache
def _shipped() -> dict[str, dict[str, dict[str, object]]]:
    """The package's own rows by section and key."""
    text = resources.files("rtm_pipeline.priorities.effects").joinpath("registry.json").read_text(encoding="utf-8")
    document = json.loads(text)
    return {
        "effects": {row["key"]: row for row in document["effects"]},
        "costs": {row["key"]: row for row in document["costs"]},
        "defaults": document["defaults"],
    }


def _section(value: object, where: str) -> Mapping[str, object]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ConfigError(f"Registry {where} must be a mapping of keys to fields; found {type(value).__name__}.")
    return value


def _merge(shipped: Mapping[str, Mapping[str, object]], overrides: object, where: str) -> dict[str, dict[str, object]]:
    merged = {key: dict(row) for key, row in shipped.items()}
    for key, row in _section(overrides, where).items():
        merged[key] = {**merged.get(key, {}), **_section(row, f"{where}.{key}"), "key": key}
    return merged


def _checked_fields(cls: type, row: Mapping[str, object], where: str) -> dict[str, object]:
    known = {field.name for field in fields(cls)}
    unknown = sorted(set(row) - known)
    if unknown:
        raise ConfigError(
            f"Registry {where} has unknown fields {', '.join(unknown)}; known: {', '.join(sorted(known))}."
        )
    for field in fields(cls):
        value = row.get(field.name)
        if field.type == "bool" and field.name in row and not isinstance(value, bool):
            raise ConfigError(f"Registry {where}.{field.name} must be true or false; found {value!r}.")
        optional = field.type == "str | None" and value is None
        if str(field.type).startswith("str") and field.name in row and not optional and not isinstance(value, str):
            raise ConfigError(f"Registry {where}.{field.name} must be text; found {value!r}.")
    return dict(row)


def _incomplete(where: str, cls: type, row: Mapping[str, object]) -> str:
    lacking = [field.name for field in fields(cls) if field.default is MISSING and field.name not in row]
    return f"Registry {where} is incomplete; it lacks {', '.join(lacking)}. A new entry names its study and source."


def _build_effect(key: str, row: Mapping[str, object]) -> Effect:
    where = f"effect {key!r}"
    values = _checked_fields(Effect, row, where)
    for name in ("relative_change", "low", "high"):
        values[name] = _number(values.get(name), f"{where}.{name}")
    components = values.get("components", ())
    if isinstance(components, str) or not isinstance(components, list | tuple):
        raise ConfigError(f"Registry {where}.components must be a list of keys; found {components!r}.")
    values["components"] = tuple(str(name) for name in components)
    try:
        effect = Effect(**values)  # type: ignore[arg-type]
    except TypeError:
        raise ConfigError(_incomplete(where, Effect, values)) from None
    _check_effect(effect)
    return effect


def _number(value: object, where: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ConfigError(f"Registry {where} must be a number; found {value!r}.")
    return float(value)


def _check_effect(effect: Effect) -> None:
    where = f"Registry effect {effect.key!r}"
    for name, value, allowed in (
        ("target", effect.target, TARGETS),
        ("interval", effect.interval, INTERVALS),
        ("evidence", effect.evidence, EVIDENCE),
    ):
        if value not in allowed:
            raise ConfigError(f"{where}: {name} must be one of {', '.join(allowed)}; found {value!r}.")
    if not effect.source:
        raise ConfigError(f"{where} has no source; every number needs one.")
    if effect.is_mixture or effect.evidence == "none found":
        if effect.relative_change is not None:
            raise ConfigError(f"{where} is a mixture or has no evidence: relative_change must be null.")
        return
    change = effect.relative_change
    if change is None or not -1.0 < change < 10.0:
        raise ConfigError(f"{where}: relative_change must lie above -1 (-0.068 for -6.8 %); found {change!r}.")
    if effect.interval == "published":
        if effect.low is None or effect.high is None or not -1.0 < effect.low <= change <= effect.high:
            raise ConfigError(
                f"{where}: a published interval needs -1 < low <= relative_change <= high; "
                f"found {effect.low!r}, {change!r}, {effect.high!r}."
            )
        if effect.low == effect.high:
            raise ConfigError(f"{where}: low and high are equal; without an interval say interval: assumed.")


def _build_cost(key: str, row: Mapping[str, object]) -> Cost:
    where = f"cost {key!r}"
    values = _checked_fields(Cost, row, where)
    for name in ("build_usd", "upkeep_usd_per_year"):
        values[name] = _number(values.get(name), f"{where}.{name}")
    try:
        cost = Cost(**values)  # type: ignore[arg-type]
    except TypeError:
        raise ConfigError(_incomplete(where, Cost, values)) from None
    if cost.basis not in ("sourced", "configured", "none found"):
        raise ConfigError(f"Registry {where}: basis must be sourced, configured or none found; found {cost.basis!r}.")
    known = cost.build_usd is not None and cost.upkeep_usd_per_year is not None
    if known == (cost.basis == "none found"):
        raise ConfigError(f"Registry {where}: give both build_usd and upkeep_usd_per_year, or basis: none found.")
    if known and (min(cost.build_usd or 0.0, cost.upkeep_usd_per_year or 0.0) < 0 or not cost.over(1.0)):
        raise ConfigError(f"Registry {where}: amounts must not be negative, and not both zero.")
    return cost


def _build_default(name: str, row: Mapping[str, object]) -> Default:
    values = _checked_fields(Default, row, f"default {name!r}")
    try:
        return Default(**values)  # type: ignore[arg-type]
    except TypeError:
        raise ConfigError(_incomplete(f"default {name!r}", Default, values)) from None


def _check_links(registry: Registry) -> None:
    for effect in registry.effects.values():
        for name in effect.components:
            part = registry.effect(name)
            if part.is_mixture or part.reads != effect.reads or part.target != effect.target:
                raise ConfigError(
                    f"Registry effect {effect.key!r} mixes {name!r}, which must be a single row on the same target and "
                    f"outcome ({effect.target}, {effect.reads}); found {part.target}, {part.reads}."
                )
            if part.optimistic and not effect.optimistic:
                raise ConfigError(f"Registry effect {effect.key!r} mixes {name!r}, which is an optimistic scenario.")
    for name, default in registry.defaults.items():
        effect = registry.effect(default.effect)
        if effect.target != default.target:
            raise ConfigError(
                f"Registry default {name!r} works on a {default.target}, its effect on a {effect.target}."
            )
        if default.cost is not None:
            registry.cost(default.cost)
