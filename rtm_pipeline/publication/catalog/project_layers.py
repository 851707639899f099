"""Which layers the QGIS project of a release has, in which order, and which are shown when it opens."""

from __future__ import annotations

from collections.abc import Sequence

from rtm_pipeline.publication.catalog.qgis_project import ProjectGroup, ProjectLayer
from rtm_pipeline.publication.content import RISK_TERRAIN, ReleaseContent
from rtm_pipeline.publication.rasters.explanations import Explanation, explanation_renderer
from rtm_pipeline.publication.rasters.surfaces import Surface, renderer_of
from rtm_pipeline.publication.vectors.feature_tables import FeatureTable
from rtm_pipeline.publication.vectors.looks import look_of
from rtm_pipeline.publication.vectors.styles import style_elements

__all__ = ["explanation_layer", "project_groups"]

SHOWN = ("priority_lots", "priority_buildings", "zones", "neighborhoods", "study_area", "forecast_tier")


def project_groups(
    content: ReleaseContent,
    tables: Sequence[FeatureTable],
    surfaces: Sequence[Surface],
    explanations: Sequence[ProjectLayer],
) -> tuple[ProjectGroup, ...]:
    """Groups of the project of the restricted edition, the topmost first.

    Parameters
    ----------
    content : ReleaseContent
    tables : sequence of FeatureTable
        As written to ``priorities.gpkg``.
    surfaces : sequence of Surface
    explanations : sequence of ProjectLayer
        From `explanation_layer`.
    """
    places = [item for item in tables if item.geometry is not None]
    sites = [item for item in places if item.geometry_type == "Point"]
    areas = [item for item in places if item.geometry_type != "Point"]
    shown = {*SHOWN} if any(surface.spec.name == "forecast_tier" for surface in surfaces) else {*SHOWN, "risk_tier"}
    terrain = [surface for surface in surfaces if surface.spec.of == RISK_TERRAIN]
    forecast = [surface for surface in surfaces if surface.spec.of != RISK_TERRAIN]
    factors = [layer for layer in explanations if "/factors/" in layer.source]
    parts = [layer for layer in explanations if "/factors/" not in layer.source]
    return (
        ProjectGroup("Where to work", [_vector(item, shown) for item in sites]),
        ProjectGroup("Areas", [_vector(item, shown) for item in areas]),
        ProjectGroup("Forecast: where next", [_raster(surface, shown) for surface in forecast]),
        ProjectGroup("Risk terrain: why here", [_raster(surface, shown) for surface in terrain]),
        ProjectGroup("What makes up a cell", parts, expanded=False),
        ProjectGroup("Risk factors", factors, expanded=False),
        ProjectGroup("Tables", [_table(item) for item in tables if item.geometry is None], expanded=False),
    )


def explanation_layer(explanation: Explanation) -> ProjectLayer:
    """The project's layer of a contributions or factor raster."""
    pipe = f"<pipe>\n{explanation_renderer(explanation)}\n</pipe>"
    return ProjectLayer(explanation.title, f"./{explanation.path}", pipe, None, abstract=explanation.meaning)


def _raster(surface: Surface, shown: set[str]) -> ProjectLayer:
    spec = surface.spec
    said = " ".join(filter(None, (spec.meaning, surface.statement)))
    pipe = f"<pipe>\n{renderer_of(surface)}\n</pipe>"
    return ProjectLayer(spec.title, f"./{spec.name}.tif", pipe, None, visible=spec.name in shown, abstract=said)


def _vector(item: FeatureTable, shown: set[str]) -> ProjectLayer:
    look = look_of(item)
    geometry = "Point" if item.geometry_type == "Point" else "Polygon"
    return ProjectLayer(
        item.title,
        f"./priorities.gpkg|layername={item.name}",
        "" if look is None else style_elements(look, item.aliases()),
        geometry,
        visible=item.name in shown,
        labeled=look is not None and look.label is not None,
    )


def _table(item: FeatureTable) -> ProjectLayer:
    return ProjectLayer(item.title, f"./priorities.gpkg|layername={item.name}", "", "table")
