"""Validated models of sources -> the specs of the sources' room, with the columns that layers ask of them."""

from __future__ import annotations

from rtm_pipeline.config.city import COVERS_AREA, AreaSpec
from rtm_pipeline.config.resolve_layers import coverage_source
from rtm_pipeline.config.schema import CityModel
from rtm_pipeline.config.schema_layers import LayerModel
from rtm_pipeline.config.schema_sources import FileSourceModel, PortalModel, SocrataSourceModel, SourceModel, portal_of
from rtm_pipeline.layers.spec import LayerSpec
from rtm_pipeline.sources.spec import ArcGISSource, ColumnRequest, FileSource, SocrataSource, Source

__all__ = ["columns_of", "coverage_file", "source_of"]


def source_of(name: str, model: SourceModel, city: CityModel) -> Source:
    """A source with its terms and, for portals, the pace and encryption of its host."""
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
            decimal=model.decimal,
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


def coverage_file(name: str, layer: LayerModel, model: CityModel) -> FileSource | None:
    """The source that a layer implies by naming a file as its coverage."""
    source = coverage_source(name, layer, model)
    if source in (None, COVERS_AREA) or source in model.sources:
        return None
    return FileSource(name=str(source), path=str(layer.coverage), format="vector")


def columns_of(
    model: CityModel, area: AreaSpec, layers: dict[str, LayerSpec]
) -> tuple[dict[str, tuple[ColumnRequest, ...]], frozenset[str]]:
    """The columns that layers and study area ask of every source, and the sources whose own geometry is read."""
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
