"""Validated models -> the frozen specs of the rooms."""

from __future__ import annotations

from functools import lru_cache
from pathlib import PurePosixPath

from rtm_pipeline.config.city import COVERS_AREA, EDITIONS, AreaSpec, City, ForecastSpec, OutcomeSpec, Selection
from rtm_pipeline.config.health import resolve_health
from rtm_pipeline.config.operations import resolve_operations
from rtm_pipeline.config.programs import resolve_programs
from rtm_pipeline.config.schema import CityModel, ExcludeModel
from rtm_pipeline.config.schema_layers import ConditionModel, DateModel, FlagModel, GeometryModel, Group, LayerModel
from rtm_pipeline.config.schema_sources import FileSourceModel, PortalModel, SocrataSourceModel, SourceModel, portal_of
from rtm_pipeline.errors import ConfigError
from rtm_pipeline.factors.spec import FactorSpec
from rtm_pipeline.layers.spec import (
    Categories,
    Condition,
    DateSpec,
    DefaultGeocode,
    Filter,
    GeometrySpec,
    History,
    KnownAt,
    LayerSpec,
    Reversal,
)
from rtm_pipeline.model.spec import BootstrapSpec, ModelSpec
from rtm_pipeline.sources.spec import ArcGISSource, ColumnRequest, FileSource, SocrataSource, Source
from rtm_pipeline.units import Duration, Length

__all__ = ["resolve_city"]

SEXUAL_FLAG = "sexual_offense"


@lru_cache(maxsize=16)
def _crs_unit_m(crs: str) -> float:
    from rtm_pipeline.grid.crs import resolve_crs

    return resolve_crs(crs).unit_m


def resolve_city(model: CityModel) -> City:
    """Every setting as the rooms want it; lengths in CRS units.

    Raises
    ------
    ConfigError
        The CRS is unknown or not projected, or a length can't be resolved.
    """
    unit_m = _crs_unit_m(model.area.crs)
    block_m = Length.parse(model.area.block).in_meters(crs_unit_m=unit_m)
    sources = {name: _source(name, source, model) for name, source in model.sources.items()}
    layers = {name: _layer(name, layer, model) for name, layer in model.layers.items()}
    for name, layer in model.layers.items():
        implied = _coverage_file(name, layer, model)
        if implied is not None:
            sources[implied.name] = implied
    factors = {name: _factor(name, model, unit_m, block_m) for name in model.factors}
    area = _area(model, factors, unit_m, block_m)
    columns, native = _columns(model, area, layers)
    return City(
        name=model.city,
        label=model.label or model.city.replace("_", " ").title(),
        timezone=model.timezone,
        as_of=model.as_of,
        area=area,
        sources=sources,
        columns=columns,
        native_geometry=native,
        layers=layers,
        factors=factors,
        outcome=OutcomeSpec(
            layer=model.outcome.layer,
            window=Duration.parse(model.outcome.window),
            lag=None if model.outcome.lag == "auto" else Duration.parse(model.outcome.lag),
            unit=model.outcome.unit,
            subsets=tuple(model.outcome.subsets),
            sexual=_sexual(model),
        ),
        model=_model(model),
        forecast=ForecastSpec(
            horizon=Duration.parse(model.forecast.horizon),
            history=None if model.forecast.history == "all" else Duration.parse(model.forecast.history),
            block_if_not_better=model.forecast.block_if_not_better,
            judge_ahead=model.forecast.judge == "ahead",
        ),
        programs=resolve_programs(model.programs, unit_m=unit_m, block_m=block_m) if model.programs else None,
        schedule_cron=model.schedule.cron if model.schedule else None,
        watch=model.schedule.watch if model.schedule else False,
        operations=resolve_operations(model.operations),
        labels=_labels(model),
        health=resolve_health(model),
        editions={name: model.editions.get(name, EDITIONS) for name in sources},
        contact=model.contact,
    )


def _sexual(model: CityModel) -> str | None:
    said = model.outcome.sexual_offenses
    return said if said is None or isinstance(said, str) else SEXUAL_FLAG


def _labels(model: CityModel) -> dict[str, str]:
    labels = {name: layer.label for name, layer in model.layers.items()}
    labels |= {name: factor.label or labels.get(name) for name, factor in model.factors.items()}
    return {name: label or name.replace("_", " ") for name, label in labels.items()}


def _source(name: str, model: SourceModel, city: CityModel) -> Source:
    common: dict[str, object] = {
        "name": name,
        "null_values": model.null_values,
        "aliases": dict(model.aliases),
        "origin": model.origin,
        "attribution": model.attribution,
        "terms_url": model.terms_url,
        "license": model.license,
        "disclaimer": model.disclaimer,
    }
    if isinstance(model, FileSourceModel):
        return FileSource(
            path=model.path,
            expect_files=model.expect_files,
            format=model.format,
            sheet=model.sheet,
            encoding=model.encoding,
            delimiter=model.delimiter,
            crs=model.crs,
            **common,  # type: ignore[arg-type]
        )
    portal = city.portals.get(str(portal_of(model)), PortalModel())
    common |= {"allow_http": portal.allow_http, "requests_per_second": portal.requests_per_second}
    if isinstance(model, SocrataSourceModel):
        return SocrataSource(
            host=model.host,
            datasets=model.dataset,
            where=model.where,
            updated_column=model.updated_column,
            token_env=model.token_env,
            full_every_days=model.full_every_days,
            **common,  # type: ignore[arg-type]
        )
    return ArcGISSource(
        url=model.url,
        where=model.where,
        order_by=model.order_by,
        token_env=model.token_env,
        **common,  # type: ignore[arg-type]
    )


def _coverage_source(name: str, layer: LayerModel, model: CityModel) -> str | None:
    if layer.coverage in (None, COVERS_AREA) or layer.coverage in model.sources:
        return layer.coverage
    if not PurePosixPath(str(layer.coverage)).suffix:
        raise ConfigError(f"layers.{name}.coverage: '{layer.coverage}' is neither a source nor a file with an ending.")
    return f"{name}_coverage"


def _coverage_file(name: str, layer: LayerModel, model: CityModel) -> FileSource | None:
    source = _coverage_source(name, layer, model)
    if source in (None, COVERS_AREA) or source in model.sources:
        return None
    return FileSource(name=str(source), path=str(layer.coverage), format="vector")


def _columns(
    model: CityModel, area: AreaSpec, layers: dict[str, LayerSpec]
) -> tuple[dict[str, tuple[ColumnRequest, ...]], frozenset[str]]:
    wanted: dict[str, dict[str, None]] = {name: {} for name in model.sources}
    native: set[str] = set()
    for selection in (area.polygons, *area.exclude):
        native.add(selection.source)
        for group in selection.where.groups if selection.where else ():
            wanted[selection.source].update(dict.fromkeys(condition.column for condition in group))
    if area.reach not in (None, COVERS_AREA):
        native.add(str(area.reach))
    for layer in layers.values():
        wanted[layer.source].update(dict.fromkeys(layer.columns()))
        if layer.geometry.kind == "native":
            native.add(layer.source)
        if layer.coverage not in (None, COVERS_AREA):
            native.add(str(layer.coverage))
            wanted.setdefault(str(layer.coverage), {})
    requests = {
        source: tuple(ColumnRequest(column, *_how(model, source, column)) for column in columns)
        for source, columns in wanted.items()
    }
    return requests, frozenset(native)


def _how(model: CityModel, source: str, column: str) -> tuple[tuple[str, ...], bool]:
    if source not in model.sources:
        return (), True
    return tuple(model.sources[source].aliases.get(column, ())), column not in model.sources[source].optional


def _area(model: CityModel, factors: dict[str, FactorSpec], unit_m: float, block_m: float) -> AreaSpec:
    bands = [band for factor in factors.values() for band in factor.bands_u]
    return AreaSpec(
        polygons=Selection(model.area.source, _where(model.area.where)),
        exclude=tuple(_exclude(exclude) for exclude in model.area.exclude),
        crs=model.area.crs,
        unit_m=unit_m,
        cell_size_u=Length.parse(model.area.cell_size).in_crs_units(crs_unit_m=unit_m, block_m=block_m),
        block_u=Length.parse(model.area.block).in_crs_units(crs_unit_m=unit_m),
        buffer_u=max(bands, default=0.0),
        offset_x_u=_offset(model.area.offset.x, unit_m, block_m),
        offset_y_u=_offset(model.area.offset.y, unit_m, block_m),
        reach=model.area.reach,
    )


def _offset(text: str | None, unit_m: float, block_m: float) -> float:
    return 0.0 if text is None else Length.parse(text).in_crs_units(crs_unit_m=unit_m, block_m=block_m)


def _exclude(model: ExcludeModel) -> Selection:
    return Selection(model.source, _where(model.where))


def _factor(name: str, model: CityModel, unit_m: float, block_m: float) -> FactorSpec:
    factor = model.factors[name]
    top = Length.parse(factor.max_influence).in_crs_units(crs_unit_m=unit_m, block_m=block_m)
    step = block_m / unit_m * (0.5 if factor.increment == "half" else 1.0)
    rungs = int(top / step + 1e-6)
    if rungs < 1:
        raise ConfigError(
            f"factors.{name}.max_influence: {factor.max_influence} is less than one {factor.increment} block "
            f"({step * unit_m:.1f} m). Raise it, or set increment: half."
        )
    return FactorSpec(
        name=name,
        layer=factor.layer,
        operationalization=factor.operationalization,
        bands_u=tuple(round(step * (rung + 1), 9) for rung in range(rungs)),
        categories=factor.categories,
        lookback=Duration.parse(factor.lookback) if factor.lookback else None,
    )


def _model(model: CityModel) -> ModelSpec:
    choices = model.model
    return ModelSpec(
        family=choices.family,
        direction=choices.direction,
        alpha=choices.alpha,
        folds=choices.folds,
        fold_kind=choices.fold_kind,
        penalty_rule=choices.penalty_rule,
        screen=choices.screen,
        bootstrap=BootstrapSpec(
            refits=choices.bootstrap.refits,
            selections=choices.bootstrap.selections,
            level=choices.bootstrap.level,
        ),
    )


def _layer(name: str, layer: LayerModel, model: CityModel) -> LayerSpec:
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
        where=_where(layer.where),
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
        coverage=_coverage_source(name, layer, model),
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


def _where(groups: tuple[Group, ...] | None) -> Filter | None:
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
