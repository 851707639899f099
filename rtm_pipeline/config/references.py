"""Checks between sections: names that are spoken of must exist, and rules of the method must be kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rtm_pipeline.config.document import Document, KeyPath
from rtm_pipeline.config.problems import did_you_mean, problem
from rtm_pipeline.config.schema import CityModel
from rtm_pipeline.config.schema_sources import ArcGISSourceModel, portal_of
from rtm_pipeline.errors import ConfigError

__all__ = ["check_references"]

Note = Callable[[KeyPath, str], None]


def check_references(document: Document, model: CityModel) -> None:
    """Raise one ConfigError that lists every broken reference with its line."""
    lines: list[tuple[int, str]] = []

    def note(keys: KeyPath, text: str) -> None:
        lines.append((document.line_of(keys) or 0, problem(document, keys, text)))

    _area(model, note)
    _layers(model, note)
    _factors(model, note)
    _outcome(model, note)
    _programs(model, note)
    _portals(model, note)
    _terms(model, note)
    if lines:
        head = (
            "The configuration has a problem:" if len(lines) == 1 else f"The configuration has {len(lines)} problems:"
        )
        raise ConfigError("\n  ".join([head, *(line for _, line in sorted(lines))]))


def _unknown(name: str, allowed: Iterable[str], what: str) -> str:
    names = sorted(allowed)
    return f"no {what} is named '{name}'.{did_you_mean(name, names)} There are: {', '.join(names) or 'none'}."


def _area(model: CityModel, note: Note) -> None:
    if model.area.source not in model.sources:
        note(("area", "source"), _unknown(model.area.source, model.sources, "source"))
    if model.area.reach not in (None, "area", *model.sources):
        note(("area", "reach"), _unknown(str(model.area.reach), ["area", *model.sources], "source"))
    for index, exclude in enumerate(model.area.exclude):
        if exclude.source not in model.sources:
            note(("area", "exclude", index), _unknown(exclude.source, model.sources, "source"))


def _layers(model: CityModel, note: Note) -> None:
    for name, layer in model.layers.items():
        if layer.source not in model.sources:
            note(("layers", name, "source"), _unknown(layer.source, model.sources, "source"))
            continue
        if layer.origin is None and model.sources[layer.source].origin is None:
            note(
                ("layers", name),
                "nobody says who made these rows. Add origin: resident, registry, inspector or police, here or at "
                f"sources.{layer.source}.",
            )
        flags = set(layer.flags) & set(model.outcome.subsets) if name == model.outcome.layer else set()
        for flag in sorted(flags):
            note(("layers", name, "flags", flag), "outcome.subsets has this name too; keep one.")


def _factors(model: CityModel, note: Note) -> None:
    for name, factor in model.factors.items():
        keys: KeyPath = ("factors", name)
        if factor.layer not in model.layers:
            note((*keys, "layer"), _unknown(factor.layer, model.layers, "layer"))
            continue
        layer = model.layers[factor.layer]
        categories = set(layer.categories.names) | {"other"} if layer.categories else set()
        for category in factor.categories:
            if category not in categories:
                note((*keys, "categories"), _unknown(category, categories, f"category of layer {factor.layer}"))
        if factor.lookback and layer.date is None:
            note((*keys, "lookback"), f"layer {factor.layer} has no date, so 'within this time' means nothing.")
        origin = layer.origin or model.sources[layer.source].origin if layer.source in model.sources else layer.origin
        if origin == "police" and not layer.reason:
            note(
                keys,
                f"layer {factor.layer} is made by police (origin: police). A factor made by enforcement sends patrols "
                "where patrols went before. Leave it out, or give the layer a 'reason'; the model card will show it.",
            )


def _outcome(model: CityModel, note: Note) -> None:
    if model.outcome.layer not in model.layers:
        note(("outcome", "layer"), _unknown(model.outcome.layer, model.layers, "layer"))
    elif model.layers[model.outcome.layer].kind != "events":
        kind = model.layers[model.outcome.layer].kind
        note(("outcome", "layer"), f"the outcome must be a layer of kind events; {model.outcome.layer} is {kind}.")


def _portals(model: CityModel, note: Note) -> None:
    hosts = {portal_of(source) for source in model.sources.values()} - {None}
    for host in model.portals:
        if host not in hosts:
            note(("portals", host), _unknown(host, (str(name) for name in hosts), "portal of a source"))
    for name, source in model.sources.items():
        portal = str(portal_of(source))
        open_ = portal in model.portals and model.portals[portal].allow_http
        if isinstance(source, ArcGISSourceModel) and source.url.startswith("http:") and not open_:
            note(
                ("sources", name, "url"),
                f"the url must begin with https://. A server on your own machine may be read without encryption: "
                f"portals: {{'{portal}': {{allow_http: true}}}}.",
            )


def _terms(model: CityModel, note: Note) -> None:
    for name in model.editions:
        if name not in model.sources:
            note(("editions", name), _unknown(name, model.sources, "source"))
    for name in model.health.sources:
        if name not in model.sources:
            note(("health", "sources", name), _unknown(name, model.sources, "source"))
    for name in model.health.layers:
        if name not in model.layers:
            note(("health", "layers", name), _unknown(name, model.layers, "layer"))


def _programs(model: CityModel, note: Note) -> None:
    programs = model.programs
    if programs is None:
        return
    for name, sites in (("lots", programs.lots), ("buildings", programs.buildings)):
        if sites is None:
            continue
        keys: KeyPath = ("programs", name)
        if sites.layer not in model.layers:
            note((*keys, "layer"), _unknown(sites.layer, model.layers, "layer"))
            continue
        kept = model.layers[sites.layer].keep
        rules = sites.eligible
        columns = [("id", sites.id), ("status", sites.status), ("address", sites.address)]
        columns += [("owners", owner.column) for owner in sites.owners]
        columns += [("eligible", part.column) for part in (rules.authority, rules.size) if part is not None]
        columns += [("eligible", rule.column) for rule in rules.leave_out]
        for key, column in columns:
            if column is not None and column not in kept:
                note((*keys, key), f"layer {sites.layer} does not keep the column '{column}'; add it to its keep.")
    for key, area in (("neighborhoods", programs.neighborhoods), ("districts", programs.districts)):
        areas = [name for name, layer in model.layers.items() if layer.kind == "areas"]
        if area is not None and area not in areas:
            note(("programs", key), _unknown(area, areas, "layer of kind areas"))
    for layer in programs.requests:
        if layer not in model.layers:
            note(("programs", "requests"), _unknown(layer, model.layers, "layer"))
        elif programs.open_requests is not None and programs.open_requests.column not in model.layers[layer].keep:
            column = programs.open_requests.column
            note(
                ("programs", "open_requests"),
                f"layer {layer} does not keep the column '{column}'; add it to its keep.",
            )
