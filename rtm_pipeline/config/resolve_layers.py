"""Validated models of layers -> the specs of the layers' room."""

from __future__ import annotations

from pathlib import PurePosixPath

from rtm_pipeline.config.city import COVERS_AREA
from rtm_pipeline.config.schema import CityModel
from rtm_pipeline.config.schema_layers import ConditionModel, DateModel, FlagModel, GeometryModel, Group, LayerModel
from rtm_pipeline.errors import ConfigError
from rtm_pipeline.layers.conditions import Condition, Filter
from rtm_pipeline.layers.spec import (
    Categories,
    DateSpec,
    DefaultGeocode,
    GeometrySpec,
    History,
    KnownAt,
    LayerSpec,
    Reversal,
)
from rtm_pipeline.units import Duration

__all__ = ["SEXUAL_FLAG", "coverage_source", "layer_of", "where_of"]

SEXUAL_FLAG = "sexual_offense"


def layer_of(name: str, layer: LayerModel, model: CityModel) -> LayerSpec:
    """How a layer is read; the outcome carries its named parts as flags."""
    flags = dict(layer.flags)
    if name == model.outcome.layer:
        flags |= model.outcome.subsets
        if isinstance(model.outcome.sexual_offenses, FlagModel):
            flags[SEXUAL_FLAG] = model.outcome.sexual_offenses
    source = model.sources[layer.source]
    return LayerSpec(
        name=name,
        source=layer.source,
        kind=layer.kind,
        geometry=_geometry(layer.geometry),
        date=_date(layer.date),
        known_at=KnownAt(
            column=layer.known_at.column,
            formats=layer.known_at.formats,
            period=layer.known_at.period,
            fixed=layer.known_at.fixed,
            delay=Duration.parse(layer.known_at.delay) if layer.known_at.delay else None,
        ),
        until=_date(layer.until),
        key=layer.key,
        incident=layer.incident,
        where=where_of(layer.where),
        categories=Categories(
            layer.categories.column,
            dict(layer.categories.names),
            layer.categories.other,
            layer.categories.ignore_case,
            layer.categories.pad,
        )
        if layer.categories
        else None,
        reversal=Reversal(layer.reversal.column, layer.reversal.value, layer.reversal.match)
        if layer.reversal
        else None,
        default_geocodes=tuple(
            DefaultGeocode(
                spot.name,
                spot.lat if spot.lat is not None else float(spot.x or 0.0),
                spot.lon if spot.lon is not None else float(spot.y or 0.0),
                spot.tolerance,
            )
            for spot in layer.default_geocodes
        ),
        keep=layer.keep,
        restricted=layer.restricted,
        origin=layer.origin or source.origin or "registry",
        origin_reason=layer.reason,
        history=History(layer.history, layer.reason if layer.history == "assumed" else None),
        coverage=coverage_source(name, layer, model),
        may_be_empty=layer.may_be_empty,
        flags={flag: Filter(tuple(_group(group) for group in spec.where)) for flag, spec in flags.items()},
    )


def _geometry(model: GeometryModel) -> GeometrySpec:
    kind = model.kinds()[0]
    columns = {
        "latlon": (model.lat, model.lon),
        "xy": (model.x, model.y),
        "wkt": (model.wkt,),
        "geojson": (model.geojson,),
        "location": (model.location,),
        "native": (),
    }[kind]
    crs = model.crs if kind in ("xy", "wkt", "native") else "EPSG:4326"
    others = tuple(_geometry(other) for other in model.alternatives)
    return GeometrySpec(kind, tuple(str(column) for column in columns), crs, model.missing, others)


def _date(model: DateModel | None) -> DateSpec | None:
    if model is None:
        return None
    return DateSpec(model.column, model.formats, model.hour, model.earliest, model.required)


def where_of(groups: tuple[Group, ...] | None) -> Filter | None:
    """Alternatives of conditions; None where nothing is asked."""
    return Filter(tuple(_group(group) for group in groups)) if groups else None


def _group(group: Group) -> tuple[Condition, ...]:
    return tuple(part for column, tests in group.items() for part in _conditions(column, tests))


def _conditions(column: str, tests: ConditionModel) -> list[Condition]:
    """One condition for what must hold and one, turned around, for what must not."""
    found = []
    if tests.isin or tests.prefix or tests.pattern or tests.is_null is not None or _bounded(tests):
        found.append(_condition(column, tests, negate=False, pad=tests.pad))
    if tests.not_ is not None:
        found.append(_condition(column, tests.not_, negate=True, pad=tests.not_.pad or tests.pad))
    return found


def _bounded(tests: ConditionModel) -> bool:
    return tests.minimum is not None or tests.maximum is not None


def _condition(column: str, tests: ConditionModel, *, negate: bool, pad: int | None) -> Condition:
    return Condition(
        column=column,
        isin=tests.isin,
        prefix=tests.prefix,
        pattern=tests.pattern,
        minimum=tests.minimum,
        maximum=tests.maximum,
        is_null=tests.is_null,
        negate=negate,
        pad=pad,
        ignore_case=tests.ignore_case,
    )


def coverage_source(name: str, layer: LayerModel, model: CityModel) -> str | None:
    """The source that covers a layer: as named, one made up for a file, ``area``, or None."""
    if layer.coverage in (None, COVERS_AREA) or layer.coverage in model.sources:
        return layer.coverage
    if not PurePosixPath(str(layer.coverage)).suffix:
        raise ConfigError(f"layers.{name}.coverage: '{layer.coverage}' is neither a source nor a file with an ending.")
    return f"{name}_coverage"
