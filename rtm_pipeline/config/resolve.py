"""Validated models -> the frozen specs of the rooms."""

from __future__ import annotations

from functools import lru_cache

from rtm_pipeline.config.city import EDITIONS, AreaSpec, City, ForecastSpec, OutcomeSpec, Selection
from rtm_pipeline.config.health import resolve_health
from rtm_pipeline.config.operations import resolve_operations
from rtm_pipeline.config.programs import resolve_programs
from rtm_pipeline.config.resolve_layers import SEXUAL_FLAG, layer_of, where_of
from rtm_pipeline.config.resolve_sources import columns_of, coverage_file, source_of
from rtm_pipeline.config.schema import CityModel, ExcludeModel
from rtm_pipeline.errors import ConfigError
from rtm_pipeline.factors.spec import FactorSpec
from rtm_pipeline.model.spec import BootstrapSpec, ModelSpec
from rtm_pipeline.units import Duration, Length

__all__ = ["resolve_city"]


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
    sources = {name: source_of(name, source, model) for name, source in model.sources.items()}
    layers = {name: layer_of(name, layer, model) for name, layer in model.layers.items()}
    for name, layer in model.layers.items():
        implied = coverage_file(name, layer, model)
        if implied is not None:
            sources[implied.name] = implied
    factors = {name: _factor(name, model, unit_m, block_m) for name in model.factors}
    area = _area(model, factors, unit_m, block_m)
    columns, native = columns_of(model, area, layers)
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


def _area(model: CityModel, factors: dict[str, FactorSpec], unit_m: float, block_m: float) -> AreaSpec:
    bands = [band for factor in factors.values() for band in factor.bands_u]
    return AreaSpec(
        polygons=Selection(model.area.source, where_of(model.area.where)),
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
    return Selection(model.source, where_of(model.where))


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
